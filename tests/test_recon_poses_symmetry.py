"""Subjects that look the same from two, three, four or all sides, and one that does not."""

import numpy as np
import pytest
import torch
import trimesh

from generator.rays import orbit_c2w
from recon.camera import Cameras, invert_rigid
from recon.mesh_render import render_mesh
from recon.poses.blob import shrunk, targets
from recon.poses.symmetry import symmetry
from recon.views import Views
from subjects import mug, potato

NUM = 36


def frames(mesh: trimesh.Trimesh, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Views of a mesh from all around, and where they were taken."""
    focal = 1.3 * 64
    K = torch.tensor([[focal, 0, 32], [0, focal, 32], [0, 0, 1]]).repeat(NUM, 1, 1)
    c2w = torch.from_numpy(orbit_c2w(NUM, 20.0, 3.0)).float()
    cameras = Cameras(K, invert_rigid(c2w), 64, 64)
    drawn = render_mesh(mesh, cameras)
    images = drawn.rgb / drawn.alpha.clamp(min=1 / 8)[..., None]
    images = images + noise * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    small = shrunk(Views(images.clamp(0, 1).float(), drawn.alpha.float(), None, cameras), 32)
    centers = cameras.centers.numpy()
    return targets(small), np.rad2deg(np.arctan2(centers[:, 1], centers[:, 0]))


def star(num: int) -> trimesh.Trimesh:
    """Grey bars around an axis, the same after a turn of 360 / num degrees."""
    bars = [trimesh.creation.box((0.9, 0.2, 0.5)) for _ in range(num)]
    for k, bar in enumerate(bars):
        bar.apply_translation((0.45, 0, 0))
        bar.apply_transform(trimesh.transformations.rotation_matrix(2 * np.pi * k / num, (0, 0, 1)))
        bar.visual.vertex_colors = np.tile([150, 150, 150, 255], (len(bar.vertices), 1))
    return trimesh.util.concatenate(bars)


@pytest.mark.parametrize("num", [2, 3, 4])
@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_a_star_has_as_many_sides_as_arms(num, noise):
    found = symmetry(*frames(star(num), noise), 360.0)
    assert found.num_sides == num
    assert found.likeness > 0.85


@pytest.mark.parametrize("make", [potato, mug])
def test_what_differs_from_all_sides_has_one(make):
    mesh = make()
    mesh.apply_scale(0.8 / np.abs(mesh.bounds).max())
    found = symmetry(*frames(mesh), 360.0)
    assert found.likeness < 0.7


def test_a_vase_looks_the_same_from_everywhere():
    vase = trimesh.creation.cylinder(0.4, 1.0, sections=72)
    vase.visual.vertex_colors = np.tile([150, 150, 150, 255], (len(vase.vertices), 1))
    found = symmetry(*frames(vase), 360.0)
    assert found.num_sides == 0
    assert found.likeness > 0.7


def test_less_than_a_turn_does_not_tell():
    rgba, azimuth = frames(star(2))
    assert symmetry(rgba[:20], azimuth[:20], 200.0) is None
    assert symmetry(rgba[:8], azimuth[:8], 360.0) is None
