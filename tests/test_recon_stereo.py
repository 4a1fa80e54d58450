"""Depth by matching photos: right where it is sure, silent where pictures say nothing, good for fit and mesh."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from recon.camera import Cameras, invert_rigid
from recon.config import FitConfig, MeshConfig
from recon.fit import fit
from recon.mesh import extract
from recon.mesh_render import render_mesh
from recon.render import render
from recon.stereo import with_depths
from recon.views import Views, depth_points

SIZE, RADIUS = 96, 4.0


def wall_with_a_bump() -> trimesh.Trimesh:
    """A wall at y = 0 from which a bump of height 0.8 stands out towards -y, both with a wallpaper of blots."""
    side = np.linspace(-3, 3, 181)
    x, z = np.meshgrid(side, side)
    y = -0.8 * np.clip(1 - x**2 - z**2, 0, None)
    vertices = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    index = np.arange(len(vertices)).reshape(x.shape)
    a, b, c, d = (part.ravel() for part in (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]))
    faces = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    rng = np.random.default_rng(0)
    blots = np.kron(rng.uniform(40, 250, (61, 61, 3)), np.ones((3, 3, 1)))[:181, :181].reshape(-1, 3)
    colors = np.concatenate([blots, np.full((len(blots), 1), 255)], axis=1).astype(np.uint8)
    return trimesh.Trimesh(vertices, faces, vertex_colors=colors, process=False)


def cameras_before_it(turns_deg: tuple[float, ...] = (-24, -16, -8, 0, 8, 16, 24), lifts_deg=(0, 10)) -> Cameras:
    matrices = []
    for lift in np.radians(lifts_deg):
        for turn in np.radians(turns_deg):
            back = np.array([np.sin(turn) * np.cos(lift), -np.cos(turn) * np.cos(lift), np.sin(lift)])
            right = np.cross([0, 0, 1.0], back)
            right /= np.linalg.norm(right)
            c2w = np.eye(4)
            c2w[:3, 0], c2w[:3, 1], c2w[:3, 2] = right, np.cross(-back, right), -back
            c2w[:3, 3] = RADIUS * back
            matrices.append(c2w)
    K = torch.tensor([[1.2 * SIZE, 0, SIZE / 2], [0, 1.2 * SIZE, SIZE / 2], [0, 0, 1]]).expand(len(matrices), 3, 3)
    return Cameras(K, invert_rigid(torch.from_numpy(np.stack(matrices)).float()), SIZE, SIZE)


@pytest.fixture(scope="module")
def truth() -> Views:
    cameras = cameras_before_it()
    drawn = render_mesh(wall_with_a_bump(), cameras)
    return Views(drawn.rgb.clamp(0, 1), None, drawn.depth, cameras)


@pytest.fixture(scope="module")
def matched(truth) -> Views:
    return with_depths(replace(truth, depths=None))


def test_depths_are_the_surface(truth, matched):
    assert truth.depths is not None
    sure = matched.depths > 0
    assert sure.float().mean() > 0.8
    error = ((matched.depths - truth.depths) / truth.depths)[sure].abs()
    assert error.median() < 0.005
    assert error.quantile(0.95) < 0.03


def test_depths_know_the_bump_from_the_wall(matched):
    points = depth_points(matched)
    bump = points[points[:, [0, 2]].norm(dim=1) < 0.3]
    wall = points[points[:, [0, 2]].norm(dim=1) > 1.2]
    assert float(bump[:, 1].median()) == pytest.approx(-0.75, abs=0.05)
    assert float(wall[:, 1].median()) == pytest.approx(0.0, abs=0.03)


def test_the_same_depths_twice(truth, matched):
    again = with_depths(replace(truth, depths=None)).depths
    assert again is not None
    assert torch.equal(again, matched.depths)


def test_what_does_not_match_has_no_depth(truth):
    noise = torch.rand(truth.images.shape, generator=torch.Generator().manual_seed(0))
    found = with_depths(replace(truth, images=noise, depths=None)).depths
    assert found is not None
    assert (found > 0).float().mean() < 0.2


def test_two_views_are_too_few(truth):
    with pytest.raises(ValueError, match="at least 3 views, not 2"):
        with_depths(truth[:2])


def test_progress_goes_to_the_end(truth):
    seen = []
    with_depths(truth[:3], lambda step, total: seen.append((step, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_scene_is_fitted_better_from_them(truth, matched):
    """Views that the fit does not see are what a start in the wrong place spoils."""
    held_out = truth[[3, 10]]
    rest = [n for n in range(len(truth)) if n not in (3, 10)]
    config = FitConfig(num_splats=3000, iterations=150)
    error = {}
    for name, views in (("matched", matched), ("scattered", replace(matched, depths=None))):
        splats = fit(views[rest], config)
        drawn = torch.cat([render(splats, camera).rgb for camera in (held_out.cameras[0], held_out.cameras[1])])
        error[name] = float((drawn - held_out.images).square().mean())
    assert error["matched"] < 0.6 * error["scattered"]


def test_a_scene_becomes_a_closed_relief(matched):
    splats = fit(matched, FitConfig(num_splats=3000, iterations=60))
    mesh = extract(splats, matched, MeshConfig(num_faces=4000, resolution=96, texture_size=0))
    assert mesh.is_watertight
    assert mesh.body_count == 1
    assert mesh.volume > 0
    front = mesh.vertices[np.linalg.norm(mesh.vertices[:, [0, 2]], axis=1) < 0.2]
    assert front[:, 1].min() == pytest.approx(-0.78, abs=0.06)  # the bump stands towards the cameras
