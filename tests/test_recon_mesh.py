"""Splats to meshes: closed, where the surface is, in its colours, the same bytes twice."""

import dataclasses

import numpy as np
import pytest
import torch
import trimesh

from recon.camera import rays
from recon.config import MeshConfig
from recon.mesh import extract, extract_from_maps, fuse, surface
from recon.mesh_depth import DepthMaps, bounds, depth_cameras, joined, seen_span, up_direction
from recon.mesh_render import render_mesh
from recon.metrics import f_score, psnr, silhouette_iou, surface_samples
from recon.tsdf import grid_around
from recon.views import Views
from subjects import mug, orbit_views, surface_splats

CONFIG = MeshConfig(num_faces=4000, resolution=80, extra_views=12, texture_size=0)


@pytest.fixture(scope="module")
def views():
    return orbit_views(mug(), 16)


@pytest.fixture(scope="module")
def splats():
    return surface_splats(mug(), 6000)


@pytest.fixture(scope="module")
def mesh(splats, views) -> trimesh.Trimesh:
    return extract(splats, views, CONFIG)


def f_at(mesh: trimesh.Trimesh, threshold: float) -> float:
    """F-score against the mug's outside: its handle goes on inside the body, where nothing is seen."""
    true = surface_samples(mug(), 20000, seed=1)
    hidden = (true[:, :2].norm(dim=1) < 0.43) & (true[:, 2].abs() < 0.58)
    return f_score(surface_samples(mesh, 20000), true[~hidden], threshold)


def test_mesh_is_closed_and_turned_outward(mesh):
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume > 0
    assert len(mesh.faces) <= 4000
    assert mesh.area_faces.min() > 1e-9
    assert mesh.body_count == 1


def test_mesh_lies_on_the_surface(mesh):
    true = mug()
    assert f_at(mesh, 0.03) > 0.97
    assert np.abs(mesh.bounds - true.bounds).max() < 0.04  # a voxel and a half
    assert mesh.euler_number == 0  # the handle's hole and no other


def waved(views: Views, amplitude: float) -> DepthMaps:
    """Depth maps of the mug's views, behind its surface and before it in rings."""
    origins, directions = rays(views.cameras)
    forward = views.cameras.c2w[:, None, None, :3, 2]
    heights = origins[..., 2] + directions[..., 2] * views.depths / (directions * forward).sum(dim=-1)
    depths = torch.where(views.depths > 0, views.depths + amplitude * torch.sin(20 * heights), 0.0)
    return DepthMaps(depths.numpy(), views.alphas.numpy(), views.cameras, len(views))


def test_two_fits_give_a_truer_surface_than_either(views):
    rings, other_rings = waved(views, 0.04), waved(views, -0.04)
    alone = [f_at(extract_from_maps(maps, views, CONFIG), 0.02) for maps in (rings, other_rings)]
    assert f_at(extract_from_maps(joined(rings, other_rings), views, CONFIG), 0.02) > max(alone) + 0.05


def test_discs_beside_the_splats_have_a_say(mesh, splats, views):
    assert np.abs(extract(splats, views, CONFIG, discs=splats).bounds - mesh.bounds).max() < 0.01
    shrunk = dataclasses.replace(splats, means=0.9 * splats.means)
    assert f_at(extract(splats, views, CONFIG, discs=shrunk), 0.02) < f_at(mesh, 0.02) - 0.05


def test_maps_that_are_there_twice_change_nothing(views):
    maps = DepthMaps(views.depths.numpy(), views.alphas.numpy(), views.cameras, 10)
    grid = grid_around(*bounds(maps, views)[:2], 40, 6)
    once = fuse(maps, views, grid, 4 * grid.voxel)
    assert np.abs(fuse(joined(maps, maps), views, grid, 4 * grid.voxel) - once).max() < 1e-5 * grid.voxel


def test_joined_maps_begin_with_the_views_own(views):
    depths, alphas = views.depths.numpy(), views.alphas.numpy()
    first = DepthMaps(depths[:5], alphas[:5], views.cameras[:5], 3)
    second = DepthMaps(depths[5:9], alphas[5:9], views.cameras[5:9], 1)
    both, order = joined(first, second), [0, 1, 2, 5, 3, 4, 6, 7, 8]
    assert both.num_own == 4
    assert (both.depths == depths[order]).all()
    assert (both.alphas == alphas[order]).all()
    assert torch.equal(both.cameras.w2c, views.cameras.w2c[order])
    assert torch.equal(both.cameras.K, views.cameras.K[order])


def test_silhouettes_and_colours_are_the_views(mesh, views):
    drawn = render_mesh(mesh, views.cameras)
    assert silhouette_iou(drawn.alpha, views.alphas) > 0.96
    solid = (views.alphas > 0.99) & (drawn.alpha > 0.99)
    assert psnr(drawn.rgb, views.images, solid.float()) > 27


def test_same_input_same_bytes(mesh, splats, views):
    again = extract(splats, views, CONFIG)
    assert again.vertices.tobytes() == mesh.vertices.tobytes()
    assert again.faces.tobytes() == mesh.faces.tobytes()
    assert again.visual.vertex_colors.tobytes() == mesh.visual.vertex_colors.tobytes()


def test_photos_without_masks_give_a_closed_mesh(splats, views):
    photos = dataclasses.replace(views, alphas=None)
    shell = extract(splats, photos, CONFIG)
    assert shell.is_watertight
    points = surface_samples(shell, 5000)
    seen = surface_samples(mug(), 20000)
    assert float((torch.cdist(seen[:2000], points).min(dim=1).values < 0.05).double().mean()) > 0.8


def test_progress_counts_up(splats, views):
    steps = []
    config = dataclasses.replace(CONFIG, resolution=32, extra_views=2)
    extract(splats, views, config, progress=lambda step, total, info: steps.append((step, total)))
    assert steps == [(step, 5) for step in range(1, 6)]


def test_flat_ground_under_what_no_view_sees(views):
    """From above the foot is never seen, and the hull goes on below it as a cone."""
    true = mug()
    low, high, misses = bounds(surface_splats(true, 10), views)
    grid = grid_around(low, high, 80, 6)
    maps = DepthMaps(views.depths.numpy(), views.alphas.numpy(), views.cameras, len(views))
    mesh = surface(fuse(maps, views, grid, 4 * grid.voxel, misses), grid, CONFIG)
    assert mesh.bounds[0, 2] == pytest.approx(true.bounds[0, 2], abs=1.5 * grid.voxel)
    foot = mesh.triangles_center[(mesh.face_normals[:, 2] < -0.9), 2]
    assert np.median(foot) == pytest.approx(true.bounds[0, 2], abs=1.5 * grid.voxel)
    assert low[2] < true.bounds[0, 2] - 0.05  # canary: the hull alone does go on


def test_extra_cameras_look_at_the_centre_from_their_band(views):
    center = np.array([0.1, -0.2, 0.3])
    cameras, num_own = depth_cameras(views.cameras, center, 20)
    extra = cameras[num_own:]
    assert num_own == 16
    assert len(extra) == 20
    assert max(extra.height, extra.width) >= 192
    assert extra.width / extra.height == pytest.approx(80 / 72)
    toward = center - extra.centers.numpy()
    forward = extra.c2w[:, :3, 2].numpy()
    assert np.allclose(forward, toward / np.linalg.norm(toward, axis=1, keepdims=True), atol=1e-5)
    assert np.allclose(torch.linalg.det(extra.c2w[:, :3, :3]), 1, atol=1e-5)
    assert (extra.c2w[:, 2, 1] < 0).all()  # y is down
    elevation = np.degrees(np.arcsin(-forward[:, 2]))
    assert elevation.min() == pytest.approx(-28, abs=3)
    assert elevation.max() == pytest.approx(71, abs=5)
    assert np.allclose(cameras[:num_own].w2c, views.cameras.w2c)


def test_up_is_what_the_pictures_say(views):
    assert up_direction(views.cameras) == pytest.approx([0, 0, 1], abs=1e-5)


def test_seen_span_is_the_subjects_height(views):
    depths = views.depths.numpy().copy()
    depths[2] *= 1.6  # one map that lies
    maps = DepthMaps(depths, views.alphas.numpy(), views.cameras, len(views))
    low, high = seen_span(maps, np.array([0.0, 0, 1]))
    assert [low, high] == pytest.approx([-0.6, 0.6], abs=0.04)


def test_nothing_to_mesh_is_said(splats, views):
    faint = dataclasses.replace(splats, opacity_logits=torch.full_like(splats.opacity_logits, -9.0))
    with pytest.raises(ValueError, match="invisible"):
        extract(faint, views, CONFIG)
    with pytest.raises(ValueError, match="nothing to mesh"):
        extract(faint, dataclasses.replace(views, alphas=None, depths=None), CONFIG)
