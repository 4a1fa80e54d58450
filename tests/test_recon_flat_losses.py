"""What holds flat splats on one surface: numbers by hand, and the Numba gradient against autograd."""

import numpy as np
import pytest
import torch

from recon import cpu_raster, flat_losses
from test_recon_cpu_raster_2dgs import forward, make_camera, make_splats


def test_distortion_is_the_sum_over_pairs():
    weights, depths = torch.tensor([0.5, 0.2, 0.1]), torch.tensor([2.0, 2.3, 3.1])
    pairs = sum(weights[i] * weights[j] * (depths[i] - depths[j]) ** 2 for i in range(3) for j in range(i))
    sums = [(weights * depths**k).sum().view(1, 1) for k in range(3)]
    assert flat_losses.distortion(*sums).item() == pytest.approx(pairs.item(), rel=1e-4)
    shifted = [(weights * (depths - 2.5) ** k).sum().view(1, 1) for k in range(3)]
    assert flat_losses.distortion(*shifted).item() == pytest.approx(pairs.item(), rel=1e-5)


def test_normals_of_a_tilted_planes_depths_are_the_planes():
    camera = make_camera()
    K = camera.K[0]
    normal = torch.nn.functional.normalize(torch.tensor([0.3, -0.5, -0.8], dtype=torch.float64), dim=0)
    v, u = torch.meshgrid(torch.arange(37).double() + 0.5, torch.arange(53).double() + 0.5, indexing="ij")
    rays = torch.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], torch.ones_like(u)], dim=-1)
    depth = (normal[2] * 2.0) / (rays @ normal)  # through (0, 0, 2)
    found = flat_losses.depth_normals(depth, K)
    assert torch.allclose(found[1:-1, 1:-1], normal.expand(35, 51, 3), atol=1e-9)
    assert not found[0].any()
    depth[10, 20] = 0  # no surface there, so no normal there and at its four neighbours
    known = flat_losses.depth_normals(depth, K)[1:-1, 1:-1].any(dim=-1)
    assert int((~known).sum()) == 5


def test_the_kernels_gradient_is_autograds():
    camera = make_camera()
    frame = forward(make_splats(700), camera)
    left, maps = (torch.from_numpy(part).double().requires_grad_() for part in (frame.left, frame.maps))
    alpha = 1 - left
    spread = flat_losses.distortion(alpha, maps[3], maps[4])
    depth = flat_losses.mean_depth(alpha, maps[3], float(frame.shift))
    normal = maps[:3].movedim(0, -1)
    bend = flat_losses.normal_consistency(alpha, normal, depth, camera.K[0], camera.w2c[0])
    (0.7 * spread.mean() + 0.3 * bend.mean()).backward()
    row = cpu_raster.camera_row(camera.K[0], camera.w2c[0])
    found = flat_losses.surface_gradient(frame.left, frame.maps, frame.shift, row, 0.7, 0.3)
    assert found[0] == pytest.approx(spread.mean().item(), rel=1e-4)
    assert found[1] == pytest.approx(bend.mean().item(), rel=1e-4)
    for ours, truth in ((found[2], left.grad), (found[3], maps.grad)):
        assert np.abs(ours - truth.numpy()).max() < 1e-4 * truth.abs().max().item()
