"""Vertex colours: from the views that see a vertex, without what hides it, and from neighbours elsewhere."""

import dataclasses

import numpy as np
import pytest
import torch
import trimesh

from recon.mesh_color import paint
from recon.mesh_render import vertex_colors
from recon.views import Views
from subjects import colored, orbit_views


def ball(radius: float = 0.8, rgb=(220, 60, 20)) -> trimesh.Trimesh:
    mesh = trimesh.creation.icosphere(subdivisions=4, radius=radius)
    mesh.visual.vertex_colors = colored(mesh, rgb)
    return mesh


def painted(mesh: trimesh.Trimesh, views: Views) -> tuple[np.ndarray, float]:
    return paint(np.asarray(mesh.vertices), np.asarray(mesh.faces), np.asarray(mesh.vertex_normals), views, 0.02)


def test_colours_come_back():
    mesh = ball()
    colors, seen = painted(mesh, orbit_views(mesh, 12, elevation_deg=15.0))
    assert 0.75 < seen < 1
    off = np.abs(colors - vertex_colors(mesh)).max(axis=1)
    assert off[mesh.vertices[:, 2] > -0.6].max() < 0.03


def test_unseen_vertices_take_on_their_neighbours_colours():
    mesh = ball()
    colors, _ = painted(mesh, orbit_views(mesh, 12, elevation_deg=50.0))
    south = np.argmin(mesh.vertices[:, 2])
    rim = np.abs(mesh.vertices[:, 2] + 0.45) < 0.05
    assert colors[south, :2] == pytest.approx([220 / 255, 60 / 255], abs=0.03)
    assert colors[south, 2] == pytest.approx(colors[rim, 2].mean(), abs=0.1)  # not its own, which nobody saw


def test_what_stands_before_does_not_rub_off():
    """A small green ball hides part of a large red one from some views."""
    large, small = ball(), ball(0.25, rgb=(10, 230, 20)).apply_translation((0, -1.15, 0.1))
    both = trimesh.util.concatenate([large, small])
    colors, _ = painted(both, orbit_views(both, 16))
    off = np.abs(colors - vertex_colors(both)).max(axis=1)
    gap = np.linalg.norm(both.vertices - [0, -0.86, 0.1], axis=1) < 0.25  # where they nearly touch
    assert off[(both.vertices[:, 2] > -0.4) & ~gap].max() < 0.12


def test_a_view_with_a_wrong_colour_is_outvoted():
    mesh = ball()
    views = orbit_views(mesh, 12)
    images = views.images.clone()
    images[4] = torch.tensor([0.0, 1.0, 1.0])
    colors, _ = painted(mesh, dataclasses.replace(views, images=images))
    off = np.abs(colors - vertex_colors(mesh)).max(axis=1)
    assert np.quantile(off[mesh.vertices[:, 2] > -0.4], 0.99) < 0.08


def test_the_colour_behind_a_soft_edge_stays_out():
    mesh = ball()
    views = orbit_views(mesh, 12)
    dirty = torch.where(views.alphas[..., None] < 0.9, torch.ones(3), views.images)
    colors, _ = painted(mesh, dataclasses.replace(views, images=dirty))
    off = np.abs(colors - vertex_colors(mesh)).max(axis=1)
    assert off[mesh.vertices[:, 2] > -0.4].max() < 0.04


def test_a_mesh_that_no_view_sees_is_grey():
    views = orbit_views(ball(), 4)
    colors, seen = painted(ball(), dataclasses.replace(views, alphas=torch.zeros_like(views.alphas)))
    assert seen == 0
    assert colors == pytest.approx(0.5)
