"""The surface fit: it carves what silhouettes cannot, repeats itself, and refuses what it cannot fit."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from generator.rays import intrinsics, orbit_c2w
from recon import hull
from recon.camera import Cameras, invert_rigid
from recon.config import NerfConfig
from recon.mesh_render import render_mesh
from recon.metrics import psnr
from recon.nerf import fit_sdf, shape_terms
from recon.sdf_field import SdfField, draw
from recon.views import Views, composited

SIZE = 48
CONFIG = NerfConfig(resolution=32, iterations=360, num_rays=768)


def tray() -> trimesh.Trimesh:
    """An open box: a floor, and four walls each in two colours. Its hollow lies inside every silhouette."""
    parts = []
    for center, size, color in [
        ((0, 0, -0.4), (1.2, 1.2, 0.15), (220, 220, 60)),
        ((0.55, 0, -0.15), (0.12, 1.2, 0.5), (200, 60, 50)),
        ((-0.55, 0, -0.15), (0.12, 1.2, 0.5), (50, 60, 200)),
        ((0, 0.55, -0.15), (1.2, 0.12, 0.5), (60, 180, 80)),
        ((0, -0.55, -0.15), (1.2, 0.12, 0.5), (180, 80, 190)),
    ]:
        part = trimesh.creation.box(size, trimesh.transformations.translation_matrix(center))
        part.visual = trimesh.visual.ColorVisuals(part, vertex_colors=np.tile((*color, 255), (len(part.vertices), 1)))
        parts.append(part)
    return trimesh.util.concatenate(parts)


def views_of(mesh: trimesh.Trimesh, rings: list[tuple[int, float, float]]) -> Views:
    """Return pictures from rings of cameras: how many, elevation and first azimuth in degrees."""
    turns = [orbit_c2w(num, elevation_deg, 3.2, start_deg=start_deg) for num, elevation_deg, start_deg in rings]
    c2w = torch.from_numpy(np.concatenate(turns)).float()
    num = len(c2w)
    K = torch.from_numpy(intrinsics(40, SIZE, SIZE)).float().repeat(num, 1, 1)
    cameras = Cameras(K, invert_rigid(c2w), SIZE, SIZE)
    drawn = render_mesh(mesh, cameras)
    straight = (drawn.rgb / drawn.alpha[..., None].clamp(min=0.01)).clamp(0, 1)
    return Views(straight, drawn.alpha, None, cameras)


@pytest.fixture(scope="module")
def views() -> Views:
    return views_of(tray(), [(8, 15, 0), (8, 55, 20)])


@pytest.fixture(scope="module")
def field(views) -> SdfField:
    return fit_sdf(views, CONFIG)


def sign_at(field: SdfField, point: tuple) -> float:
    node = ((np.array(point) - field.grid.origin) / field.grid.voxel - 0.5).round().astype(int)
    return float(np.sign(field.dense()[tuple(node)]))


def test_the_hollow_is_carved_though_every_silhouette_holds_it(views, field):
    carved = hull.carve(views, 32)
    voxel = ((torch.tensor([0.3, 0.0, -0.1]) - carved.origin) / carved.voxel).long()
    assert carved.occupancy[tuple(voxel)]
    assert sign_at(field, (0.3, 0, -0.1)) > 0
    assert sign_at(field, (0, 0, -0.4)) < 0
    assert sign_at(field, (0.55, 0, -0.1)) < 0


def test_new_views_look_like_the_tray(views, field):
    new = views_of(tray(), [(3, 40, 15), (2, 20, 30)])
    rgb, alpha, _ = draw(field, new.cameras)
    truth = composited(new)
    scores = [psnr(a + 1 - b[..., None], c) for a, b, c in zip(rgb, alpha, truth, strict=True)]
    assert np.mean(scores) > 26
    covered = new.alphas > 0.5
    assert float(((alpha > 0.5) & covered).sum() / ((alpha > 0.5) | covered).sum()) > 0.93


def test_the_same_seed_gives_the_same_surface_and_another_seed_another(views):
    short = replace(CONFIG, iterations=20)
    first, again, other = (fit_sdf(views, short, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.distances, again.distances)
    assert torch.equal(first.colors, again.colors)
    assert not torch.equal(first.distances[:100], other.distances[:100])


def test_progress_counts_to_the_end(views):
    seen = []
    fit_sdf(views, replace(CONFIG, iterations=41), progress=lambda step, total, info: seen.append((step, total, info)))
    assert [step for step, _, _ in seen] == [20, 40, 41]
    assert all(total == 41 and info["psnr"] > 5 for _, total, info in seen)


def test_views_without_alphas_are_refused_with_the_cure(views):
    with pytest.raises(ValueError, match="RGBA"):
        fit_sdf(replace(views, alphas=None), CONFIG)


def test_a_plane_is_smooth_and_its_slope_is_one():
    x, _, z = np.meshgrid(*[np.arange(5.0)] * 3, indexing="ij")
    values = torch.from_numpy(0.5 * (0.6 * x + 0.8 * z)).reshape(-1, 1)
    middle = (2 * 5 + 2) * 5 + 2
    rows = torch.tensor([[middle, middle - 25, middle + 25, middle - 5, middle + 5, middle - 1, middle + 1]])
    eikonal, roughness = shape_terms(values, rows, 0.5)
    assert float(eikonal) == pytest.approx(0, abs=1e-9)
    assert float(roughness) == pytest.approx(0, abs=1e-9)
    eikonal, _ = shape_terms(2 * values, rows, 0.5)
    assert float(eikonal) == pytest.approx(1, abs=1e-6)
