"""The Numba kernels against the reference: values, gradients, threads, odd sizes."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from raster_parts import NUM, OFF, ON, make_camera, make_splats
from recon import cpu_raster, reference, sh
from recon.camera import Cameras
from recon.cpu_project import NUM_PAIR, ROTATION, TRANSLATION
from recon.splats import OPACITY, SH, Splats, from_rows, to_rows


def forward(splats: Splats, camera: Cameras, **settings) -> cpu_raster.Frame:
    rows = to_rows(splats).float().numpy()
    colors = sh.dc_to_rgb(splats.sh[:, 0]).clamp(min=0).float().numpy()
    row = cpu_raster.camera_row(camera.K[0], camera.w2c[0])
    return cpu_raster.forward(rows, colors, row, camera.height, camera.width, **settings)


@pytest.mark.parametrize("antialiased", [False, True])
@pytest.mark.parametrize("cutoffs", [OFF, ON])
@pytest.mark.parametrize("num", [NUM, 700])
def test_twin_values(antialiased, cutoffs, num):
    splats, camera = make_splats(num), make_camera()
    rgb, left, median = reference.rasterize(splats, camera, antialiased=antialiased, **cutoffs)
    frame = forward(splats, camera, antialiased=antialiased, **cutoffs)
    assert 0.1 < (left < 0.5).double().mean() < 1  # the scene is worth a look
    assert np.abs(frame.rgb - rgb[0].numpy()).max() < 1e-4
    assert np.abs(frame.left - left[0].numpy()).max() < 1e-4
    assert (frame.median != median[0].numpy()).mean() < 0.002  # ties at a half


@pytest.mark.parametrize("antialiased", [False, True])
@pytest.mark.parametrize("cutoffs", [OFF, ON])
def test_twin_gradients(antialiased, cutoffs):
    splats, camera = make_splats(), make_camera()
    leaves = replace(splats, **{f.name: getattr(splats, f.name).clone().requires_grad_() for f in fields(splats)})
    seen_from = replace(camera, K=camera.K.clone().requires_grad_(), w2c=camera.w2c.clone().requires_grad_())
    rgb, left, _ = reference.rasterize(leaves, seen_from, antialiased=antialiased, **cutoffs)
    generator = torch.Generator().manual_seed(5)
    g_rgb = torch.randn(rgb.shape, generator=generator, dtype=torch.float64)
    g_left = torch.randn(left.shape, generator=generator, dtype=torch.float64)
    ((rgb * g_rgb).sum() + (left * g_left).sum()).backward()

    frame = forward(splats, camera, antialiased=antialiased, **cutoffs)
    arrays = (g_rgb[0].float().numpy(), g_left[0].float().numpy())
    sums, grad, grad_camera = cpu_raster.backward(frame, *arrays, with_camera=True)
    positive = sh.dc_to_rgb(splats.sh[:, 0]) > 0
    found = from_rows(torch.cat([torch.from_numpy(grad), sh.C0 * torch.from_numpy(sums[:, :3]) * positive], dim=1))
    for field in fields(splats):
        truth = getattr(leaves, field.name).grad
        assert _relative(getattr(found, field.name), truth) < 1e-3, field.name
    K, w2c = seen_from.K.grad[0], seen_from.w2c.grad[0]
    assert _relative(torch.from_numpy(grad_camera[:4]), K[[0, 1, 0, 1], [0, 1, 2, 2]]) < 1e-3
    assert _relative(torch.from_numpy(grad_camera[ROTATION:TRANSLATION]).view(3, 3), w2c[:3, :3]) < 1e-3
    assert _relative(torch.from_numpy(grad_camera[TRANSLATION : TRANSLATION + 3]), w2c[:3, 3]) < 1e-3


def _relative(found: torch.Tensor, truth: torch.Tensor) -> float:
    return ((found.double() - truth).abs().max() / truth.abs().max()).item()


@pytest.mark.parametrize(("height", "width"), [(5, 7), (16, 32), (17, 3), (1, 1)])
def test_twin_on_pictures_that_tiles_do_not_fill(height, width):
    splats, camera = make_splats(), make_camera(1, height, width)
    rgb, left, _ = reference.rasterize(splats, camera)
    frame = forward(splats, camera)
    assert np.abs(frame.rgb - rgb[0].numpy()).max() < 1e-4
    assert np.abs(frame.left - left[0].numpy()).max() < 1e-4
    ones = np.ones_like(frame.rgb), np.ones_like(frame.left)
    assert np.isfinite(cpu_raster.backward(frame, *ones)[1]).all()


def test_many_opaque_layers_keep_the_front_ones_gradient():
    """The transmittance underflows behind thirty opaque splats; the front's gradient must not be lost with it."""
    splats = make_splats(30)
    wall = replace(
        splats,
        means=torch.stack([torch.zeros(30), torch.zeros(30), torch.linspace(-0.5, 0.5, 30)], dim=1).double(),
        log_scales=torch.full((30, 3), 0.5).log().double(),
        opacity_logits=torch.full((30,), 12.0).double(),
    )
    camera = replace(make_camera(), w2c=torch.eye(4, dtype=torch.float64)[None].clone())
    camera.w2c[0, 2, 3] = 2.5
    frame = forward(wall, camera)
    sums, _, _ = cpu_raster.backward(frame, np.ones_like(frame.rgb), np.zeros_like(frame.left))
    assert sums[0, 0] > 100  # its colour fills the picture
    assert np.isfinite(sums).all()


def test_unseen_splats_get_zero_gradients():
    splats = make_splats()
    behind = replace(splats, means=splats.means + 10 * make_camera().centers)  # far behind the camera
    frame = forward(behind, make_camera())
    assert frame.left.min() == 1
    sums, grad, grad_camera = cpu_raster.backward(
        frame, np.ones_like(frame.rgb), np.ones_like(frame.left), with_camera=True
    )
    assert not sums.any()
    assert not grad.any()
    assert not grad_camera.any()


def test_no_splats_give_an_empty_picture():
    frame = forward(make_splats()[:0], make_camera())
    assert frame.left.min() == 1
    sums, _, _ = cpu_raster.backward(frame, np.ones_like(frame.rgb), np.ones_like(frame.left))
    assert sums.shape == (0, NUM_PAIR)


def test_gradients_land_in_the_given_matrix():
    splats = make_splats()
    frame = forward(splats, make_camera())
    arrays = np.ones_like(frame.rgb), np.ones_like(frame.left)
    out = np.full((NUM, SH + 3), 7.0, np.float32)
    cpu_raster.backward(frame, *arrays, out=out)
    assert np.array_equal(out[:, : OPACITY + 1], cpu_raster.backward(frame, *arrays)[1])
    assert (out[:, SH:] == 7).all()


def test_bytes_do_not_depend_on_the_number_of_threads():
    splats, camera = make_splats(500), make_camera()
    results = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            frame = forward(splats, camera)
            sums, grad, _ = cpu_raster.backward(frame, np.cos(frame.rgb), np.sin(frame.left))
            results.append([array.tobytes() for array in (frame.rgb, frame.left, frame.median, sums, grad)])
    finally:
        torch.set_num_threads(before)
    assert results[0] == results[1]
