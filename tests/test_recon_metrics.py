"""Figures worked out by hand, other libraries' figures, and inverses."""

import numpy as np
import pytest
import torch
import trimesh
from kornia.metrics import ssim as kornia_ssim

from recon.metrics import (
    MAX_PSNR,
    align_sim3,
    chamfer,
    f_score,
    psnr,
    silhouette_iou,
    ssim,
    surface_samples,
    transformed,
    umeyama,
)


def similarity(angle: float, scale: float, shift: tuple[float, float, float]) -> torch.Tensor:
    """A turn about z, a scale and a shift."""
    matrix = torch.eye(4, dtype=torch.float64)
    c, s = np.cos(angle), np.sin(angle)
    matrix[:3, :3] = scale * torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=torch.float64)
    matrix[:3, 3] = torch.tensor(shift, dtype=torch.float64)
    return matrix


def pictures(seed: int, num: int = 2) -> torch.Tensor:
    return torch.rand(num, 17, 23, 3, generator=torch.Generator().manual_seed(seed))


def test_psnr_of_a_tenth_is_20_db():
    a = torch.full((5, 7, 3), 0.4)
    assert psnr(a, a + 0.1) == pytest.approx(20.0, abs=1e-4)
    assert psnr(a, a) == MAX_PSNR


def test_psnr_of_pictures_is_the_mean_of_theirs():
    a = torch.zeros(2, 5, 7, 3)
    b = torch.stack([torch.full((5, 7, 3), 0.1), torch.full((5, 7, 3), 0.01)])
    assert psnr(a, b) == pytest.approx(30.0, abs=1e-4)


def test_masked_psnr_sees_the_mask_only():
    a, b = torch.zeros(4, 6, 3), torch.zeros(4, 6, 3)
    b[:, :3] = 0.1
    b[:, 3:] = 0.9
    mask = torch.zeros(4, 6)
    mask[:, :3] = 1
    assert psnr(a, b, mask) == pytest.approx(20.0, abs=1e-4)
    mask[:, 3] = 0.5  # weights count: (12 * 0.01 + 2 * 0.81) / 14
    assert psnr(a, b, mask) == pytest.approx(-10 * np.log10((12 * 0.01 + 2 * 0.81) / 14), abs=1e-4)
    with pytest.raises(ValueError, match="empty"):
        psnr(a, b, torch.zeros(4, 6))


def test_ssim_is_kornias():
    a, b = pictures(0), (pictures(0) + 0.3 * pictures(1)).clamp(0, 1)
    theirs = kornia_ssim(a.movedim(-1, 1).double(), b.movedim(-1, 1).double(), 11, eps=0.0)
    assert ssim(a, b) == pytest.approx(float(theirs.mean()), abs=1e-9)
    mask = torch.zeros(2, 17, 23)
    mask[:, 4:9, 2:20] = 1
    assert ssim(a, b, mask) == pytest.approx(float(theirs.mean(dim=1)[:, 4:9, 2:20].mean()), abs=1e-6)


def test_ssim_of_equal_and_of_flat_pictures():
    a = pictures(2)
    assert ssim(a, a) == pytest.approx(1.0, abs=1e-9)
    dark, light = torch.full((12, 13, 3), 0.2), torch.full((12, 13, 3), 0.6)
    by_hand = (2 * 0.2 * 0.6 + 1e-4) / (0.2**2 + 0.6**2 + 1e-4)  # without structure only the luminance is left
    assert ssim(dark, light) == pytest.approx(by_hand, abs=1e-6)


def test_silhouette_iou_by_hand():
    a, b = torch.zeros(2, 4, 5), torch.zeros(2, 4, 5)
    a[0, :2], b[0, 1:3] = 1, 0.7  # 5 pixels shared, 15 in either
    assert silhouette_iou(a, b) == pytest.approx((5 / 15 + 1) / 2)  # the second pair is empty


def test_chamfer_and_f_score_by_hand():
    a = torch.tensor([[0.0, 0, 0], [1, 0, 0]])
    b = torch.tensor([[0.0, 0, 0.3], [1, 0, 0], [5, 0, 0]])
    assert chamfer(a, b) == pytest.approx(0.5 * ((0.3 + 0) / 2 + (0.3 + 0 + 4) / 3))
    assert chamfer(a, b) == chamfer(b, a)
    assert f_score(a, b, 0.1) == pytest.approx(2 * (1 / 2) * (1 / 3) / (1 / 2 + 1 / 3))
    assert f_score(a, b, 10.0) == 1.0
    assert f_score(a, a + 1, 0.1) == 0.0


def test_umeyama_undoes_a_similarity():
    points = torch.randn(40, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    matrix = similarity(2.1, 0.3, (4.0, -1.0, 0.5))
    assert torch.allclose(umeyama(points, transformed(points, matrix)), matrix, atol=1e-9)


def test_umeyama_never_mirrors():
    points = torch.randn(40, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mirrored = points * torch.tensor([-1.0, 1, 1], dtype=torch.float64)
    assert torch.linalg.det(umeyama(points, mirrored)[:3, :3]) > 0


@pytest.mark.parametrize("angle", [0.0, 2.6])
def test_align_sim3_lays_a_moved_surface_back(angle):
    corner = trimesh.util.concatenate(
        [
            trimesh.creation.box((1.0, 0.3, 0.3)),
            trimesh.creation.box((0.3, 0.8, 0.2)).apply_translation((0.4, 0.5, 0)),
            trimesh.creation.icosphere(subdivisions=2, radius=0.2).apply_translation((-0.4, 0, 0.4)),
        ]
    )
    true = surface_samples(corner, 6000)
    matrix = similarity(angle, 2.5, (3.0, 1.0, -2.0))
    moved = transformed(surface_samples(corner, 6000, seed=1), matrix)
    found = align_sim3(moved, true)
    assert torch.allclose(found @ matrix, torch.eye(4, dtype=torch.float64), atol=0.01)


def test_align_sim3_is_not_pulled_by_a_part_that_only_one_surface_has():
    """A dome with a floor, over one without: least squares over all pairs would lift it."""
    sphere = trimesh.creation.icosphere(subdivisions=4)
    dome = sphere.submesh([sphere.triangles_center[:, 2] > -0.4], append=True)
    floor = trimesh.creation.box((1.2, 1.2, 0.01)).apply_translation((0, 0, -0.5))
    bump = trimesh.creation.box((0.5, 0.3, 0.4)).apply_translation((0.4, -0.2, 0.9))  # so that it cannot turn
    ours = surface_samples(trimesh.util.concatenate([dome, bump, floor]), 10_000)
    true = surface_samples(trimesh.util.concatenate([dome, bump]), 10_000, seed=1)
    matrix = align_sim3(ours, true)
    assert torch.allclose(matrix, torch.eye(4, dtype=torch.float64), atol=0.01)
    for threshold in (0.01, 0.02, 0.05):
        assert f_score(transformed(ours, matrix), true, threshold) >= f_score(ours, true, threshold) - 0.002


def test_align_sim3_never_loses_to_the_points_as_they_lie():
    """Noise that pairs cannot see through: whatever the pairs say, what lies well stays."""
    generator = torch.Generator().manual_seed(0)
    true = torch.randn(3000, 3, generator=generator, dtype=torch.float64)
    ours = torch.cat([true[:1500] + 0.001, 3 + torch.randn(1500, 3, generator=generator, dtype=torch.float64)])
    found = transformed(ours, align_sim3(ours, true))
    assert f_score(found, true, 0.02) >= f_score(ours, true, 0.02)


def test_surface_samples_lie_on_the_surface_and_repeat():
    box = trimesh.creation.box((2.0, 4.0, 6.0))
    points = surface_samples(box, 3000)
    on_side = (points.abs() - torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)).abs() < 1e-9
    assert on_side.any(dim=1).all()
    share = float(on_side[:, 0].double().mean())
    assert share == pytest.approx(24 / 44, abs=0.03)  # by area
    assert torch.equal(points, surface_samples(box, 3000))
    assert not torch.equal(points, surface_samples(box, 3000, seed=1))
