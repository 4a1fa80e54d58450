"""The Numba kernels of flat splats against the reference: values, gradients, threads, odd sizes, edge-on discs."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from raster_parts import HEIGHT, NUM, OFF, ON, WIDTH, make_camera, make_splats
from recon import cpu_raster, cpu_raster_2dgs, reference, sh
from recon.camera import Cameras
from recon.cpu_project import ROTATION, TRANSLATION
from recon.cpu_project_2dgs import NUM_PAIR_2DGS
from recon.splats import LOG_SCALE, OPACITY, SH, Splats, from_rows, to_rows


def forward(splats: Splats, camera: Cameras, **settings) -> cpu_raster_2dgs.FlatFrame:
    rows = to_rows(splats).float().numpy()
    colors = sh.dc_to_rgb(splats.sh[:, 0]).clamp(min=0).float().numpy()
    row = cpu_raster.camera_row(camera.K[0], camera.w2c[0])
    return cpu_raster_2dgs.forward(rows, colors, row, camera.height, camera.width, **settings)


def whole_maps(frame: cpu_raster_2dgs.FlatFrame) -> np.ndarray:
    """The frame's maps with sums of depths, not of depths less the shift."""
    maps, alpha, shift = frame.maps.astype(np.float64), 1.0 - frame.left, float(frame.shift)
    maps[4] += 2 * shift * maps[3] + shift**2 * alpha
    maps[3] += shift * alpha
    return maps


def ones(frame: cpu_raster_2dgs.FlatFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.ones_like(frame.rgb), np.ones_like(frame.left), np.ones_like(frame.maps)


@pytest.mark.parametrize("cutoffs", [OFF, ON])
@pytest.mark.parametrize("num", [NUM, 700])
def test_twin_values(cutoffs, num):
    splats, camera = make_splats(num), make_camera()
    rgb, left, maps = reference.rasterize_2dgs(splats, camera, **cutoffs)
    frame = forward(splats, camera, **cutoffs)
    assert 0.1 < (left < 0.5).double().mean() < 1  # the scene is worth a look
    assert np.abs(frame.rgb - rgb[0].numpy()).max() < 1e-4
    assert np.abs(frame.left - left[0].numpy()).max() < 1e-4
    off = np.abs(whole_maps(frame) - maps[0].numpy())
    assert off[:5].max() < 1e-4
    assert (off[5] > 1e-4).mean() < 0.002  # ties at a half


@pytest.mark.parametrize("cutoffs", [OFF, ON])
def test_twin_gradients(cutoffs):
    splats, camera = make_splats(), make_camera()
    leaves = replace(splats, **{f.name: getattr(splats, f.name).clone().requires_grad_() for f in fields(splats)})
    seen_from = replace(camera, K=camera.K.clone().requires_grad_(), w2c=camera.w2c.clone().requires_grad_())
    rgb, left, maps = reference.rasterize_2dgs(leaves, seen_from, **cutoffs)
    frame = forward(splats, camera, **cutoffs)
    shift, alpha = float(frame.shift), 1 - left
    relative = [maps[:, 3] - shift * alpha, maps[:, 4] - 2 * shift * maps[:, 3] + shift**2 * alpha, maps[:, 5]]
    maps = torch.cat([maps[:, :3], torch.stack(relative, dim=1)], dim=1)
    generator = torch.Generator().manual_seed(5)
    grads = [torch.randn(part.shape, generator=generator, dtype=torch.float64) for part in (rgb, left, maps)]
    sum((part * grad).sum() for part, grad in zip((rgb, left, maps), grads, strict=True)).backward()

    arrays = [grad[0].float().numpy() for grad in grads]
    sums, grad, grad_camera = cpu_raster_2dgs.backward(frame, *arrays, with_camera=True)
    positive = sh.dc_to_rgb(splats.sh[:, 0]) > 0
    found = from_rows(torch.cat([torch.from_numpy(grad), sh.C0 * torch.from_numpy(sums[:, :3]) * positive], dim=1))
    for field in fields(splats):
        truth = getattr(leaves, field.name).grad
        assert _relative(getattr(found, field.name), truth) < 1e-4, field.name
    assert not found.log_scales[:, 2].any()
    K, w2c = seen_from.K.grad[0], seen_from.w2c.grad[0]
    assert _relative(torch.from_numpy(grad_camera[:4]), K[[0, 1, 0, 1], [0, 1, 2, 2]]) < 1e-4
    assert _relative(torch.from_numpy(grad_camera[ROTATION:TRANSLATION]).view(3, 3), w2c[:3, :3]) < 1e-4
    assert _relative(torch.from_numpy(grad_camera[TRANSLATION : TRANSLATION + 3]), w2c[:3, 3]) < 1e-4


def _relative(found: torch.Tensor, truth: torch.Tensor) -> float:
    return ((found.double() - truth).abs().max() / truth.abs().max()).item()


def test_twin_values_of_discs_that_nearly_reach_the_camera():
    """Their ellipses are thousands of pixels long: rounding must not list them beyond their boxes."""
    splats, camera = make_splats(400, seed=1), make_camera()
    huge = replace(splats, log_scales=splats.log_scales + torch.linspace(0, 4, 400).double()[:, None])
    rgb, left, _ = reference.rasterize_2dgs(huge, camera)
    frame = forward(huge, camera)
    assert np.abs(frame.left - left[0].numpy()).max() < 1e-3
    assert np.abs(frame.rgb - rgb[0].numpy()).max() < 2e-3
    assert (frame.lists.counts <= np.diff(frame.lists.offsets)).all()


@pytest.mark.parametrize(("height", "width"), [(5, 7), (16, 32), (17, 3), (1, 1)])
def test_twin_on_pictures_that_tiles_do_not_fill(height, width):
    splats, camera = make_splats(), make_camera(1, height, width)
    rgb, left, _ = reference.rasterize_2dgs(splats, camera)
    frame = forward(splats, camera)
    assert np.abs(frame.rgb - rgb[0].numpy()).max() < 1e-4
    assert np.abs(frame.left - left[0].numpy()).max() < 1e-4
    assert np.isfinite(cpu_raster_2dgs.backward(frame, *ones(frame))[1]).all()


def test_the_third_scale_is_not_read():
    splats = make_splats()
    thick = splats.log_scales + torch.tensor([0.0, 0.0, 3.0])
    frames = [forward(each, make_camera()) for each in (splats, replace(splats, log_scales=thick))]
    assert np.array_equal(frames[0].rgb, frames[1].rgb)
    assert np.allclose(frames[0].maps, frames[1].maps, atol=1e-5)


def edge_on() -> tuple[Splats, Cameras]:
    """One opaque disc on the axis whose plane holds the camera's centre, 0.3 wide and high."""
    splats = make_splats(1)
    turned = torch.tensor([[0.5**0.5, 0.0, 0.5**0.5, 0.0]], dtype=torch.float64)  # its normal along x
    disc = replace(
        splats,
        means=torch.tensor([[0.0, 0.0, 2.0]], dtype=torch.float64),
        log_scales=torch.full((1, 3), 0.3, dtype=torch.float64).log(),
        quats=turned,
        opacity_logits=torch.tensor([6.0], dtype=torch.float64),
    )
    K = torch.tensor([[[60.0, 0.0, 26.5], [0.0, 60.0, 18.5], [0.0, 0.0, 1.0]]], dtype=torch.float64)
    return disc, Cameras(K, torch.eye(4, dtype=torch.float64)[None], HEIGHT, WIDTH)


def test_a_disc_seen_edge_on_is_as_wide_as_the_low_pass():
    """Off the disc's line there is the low-pass around its centre alone; all gradients stay finite."""
    frame = forward(*edge_on())
    alpha = 1 - frame.left
    opacity = 1 / (1 + np.exp(-6.0))
    assert alpha[18, 27] == pytest.approx(opacity * np.exp(-0.5 / reference.LOW_PASS), rel=1e-4)  # 1 px away
    assert alpha[18, 26] > 0.99
    sums, grad, grad_camera = cpu_raster_2dgs.backward(frame, *ones(frame), with_camera=True)
    assert all(np.isfinite(each).all() for each in (sums, grad, grad_camera))


def test_discs_that_reach_behind_the_camera_are_left_out():
    disc, camera = edge_on()
    near = replace(disc, log_scales=torch.full((1, 3), 1.0, dtype=torch.float64).log())
    assert forward(near, camera).left.min() == 1
    assert bool((reference.rasterize_2dgs(near, camera)[1] == 1).all())


def test_unseen_splats_get_zero_gradients():
    splats = make_splats()
    behind = replace(splats, means=splats.means + 10 * make_camera().centers)  # far behind the camera
    frame = forward(behind, make_camera())
    assert frame.left.min() == 1
    sums, grad, grad_camera = cpu_raster_2dgs.backward(frame, *ones(frame), with_camera=True)
    assert not sums.any()
    assert not grad.any()
    assert not grad_camera.any()


def test_no_splats_give_an_empty_picture():
    frame = forward(make_splats()[:0], make_camera())
    assert frame.left.min() == 1
    assert not frame.maps.any()
    assert cpu_raster_2dgs.backward(frame, *ones(frame))[0].shape == (0, NUM_PAIR_2DGS)


def test_gradients_land_in_the_given_matrix():
    frame = forward(make_splats(), make_camera())
    out = np.full((NUM, SH + 3), 7.0, np.float32)
    cpu_raster_2dgs.backward(frame, *ones(frame), out=out)
    assert np.array_equal(out[:, : OPACITY + 1], cpu_raster_2dgs.backward(frame, *ones(frame))[1])
    assert out[:, LOG_SCALE].any()
    assert (out[:, SH:] == 7).all()


def test_bytes_do_not_depend_on_the_number_of_threads():
    splats, camera = make_splats(500), make_camera()
    results = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            frame = forward(splats, camera)
            grads = np.cos(frame.rgb), np.sin(frame.left), np.cos(frame.maps)
            sums, grad, _ = cpu_raster_2dgs.backward(frame, *grads)
            results.append([array.tobytes() for array in (frame.rgb, frame.left, frame.maps, sums, grad)])
    finally:
        torch.set_num_threads(before)
    assert results[0] == results[1]
