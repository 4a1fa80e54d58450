"""Textures: what was painted on comes back, sharper than the triangles, without seams, and everywhere."""

import dataclasses

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from recon import mesh_color
from recon.mesh_quality import quality
from recon.mesh_render import render_mesh
from recon.metrics import psnr
from recon.texture import bake, filled
from recon.unwrap import texels, unwrap
from recon.views import Views
from subjects import orbit_views

SIZE = 512


def paint_of(points: np.ndarray) -> np.ndarray:
    """Stripes along the height, redder in the front: nothing repeats by mirroring."""
    stripe = 0.5 + 0.35 * np.sin(22 * points[:, 2])
    return np.stack([0.5 - 0.4 * points[:, 1], stripe, 0.5 + 0.4 * points[:, 0]], axis=1).clip(0, 1)


def opaque(colors: np.ndarray) -> np.ndarray:
    return np.round(255 * np.c_[colors, np.ones(len(colors))]).astype(np.uint8)


def striped(subdivisions: int) -> trimesh.Trimesh:
    ball = trimesh.creation.icosphere(subdivisions=subdivisions, radius=0.8)
    ball.visual.vertex_colors = opaque(paint_of(ball.vertices))
    return ball


@pytest.fixture(scope="module")
def views() -> Views:
    return orbit_views(striped(6), 16, size=(120, 128))


@dataclasses.dataclass(frozen=True, eq=False)
class Baked:
    coarse: trimesh.Trimesh
    points: np.ndarray
    picture: np.ndarray
    known: np.ndarray
    textured: trimesh.Trimesh
    painted: trimesh.Trimesh
    unseen: float


def baked(views: Views, size: int = SIZE) -> Baked:
    """A ball of 1,280 faces, the stripes narrower than two of them, dressed from the views."""
    coarse = trimesh.creation.icosphere(subdivisions=3, radius=0.8)
    vertices, normals = np.asarray(coarse.vertices), np.asarray(coarse.vertex_normals)
    colors, _ = mesh_color.paint(vertices, np.asarray(coarse.faces), normals, views, 0.03)
    origin, uv, faces = unwrap(vertices, np.asarray(coarse.faces), size)
    atlas = texels(uv, faces, size)
    picture, unseen = bake(vertices[origin], normals[origin], colors[origin], uv, faces, views, atlas, size, 0.03)
    image = Image.fromarray(np.round(255 * picture).astype(np.uint8))
    visual = TextureVisuals(uv=uv, material=PBRMaterial(baseColorTexture=image))
    inside = atlas.weights.min(axis=1) >= 0
    return Baked(
        coarse=coarse,
        points=atlas.mean(vertices[origin], faces)[inside],
        picture=picture,
        known=atlas.index[inside],
        textured=trimesh.Trimesh(vertices[origin], faces, visual=visual, process=False),
        painted=trimesh.Trimesh(vertices, coarse.faces, vertex_colors=opaque(colors), process=False),
        unseen=unseen,
    )


@pytest.fixture(scope="module")
def ball(views) -> Baked:
    return baked(views)


def error(ball: Baked, low: float = -0.35, high: float = 0.7) -> np.ndarray:
    """How far texels are off, where the views see the ball well: the largest channel [T]."""
    where = (ball.points[:, 2] > low) & (ball.points[:, 2] < high)
    truth = paint_of(ball.points / np.linalg.norm(ball.points, axis=1, keepdims=True) * 0.8)
    return np.abs(ball.picture.reshape(-1, 3)[ball.known] - truth).max(axis=1)[where]


def test_the_paint_comes_back(ball):
    assert np.median(error(ball)) < 0.02
    assert np.quantile(error(ball), 0.99) < 0.12


def test_canary_an_upside_down_texture_is_caught(ball):
    turned = dataclasses.replace(ball, picture=ball.picture[::-1])
    assert np.median(error(turned)) > 0.1


def test_it_is_sharper_than_vertex_colours(ball):
    truth = orbit_views(striped(6), 5, size=(120, 128), elevation_deg=25.0)
    drawn = [render_mesh(mesh, truth.cameras) for mesh in (ball.textured, ball.painted)]
    solid = ((truth.alphas > 0.99) & (drawn[0].alpha > 0.99)).float()
    sharp, soft = (psnr(picture.rgb, truth.images, solid) for picture in drawn)
    assert sharp > soft + 5
    assert sharp > 28


def test_no_seam_shows(ball):
    figures = quality(ball.textured)
    assert figures["seam_contrast"] < 0.01
    assert figures["uv_overlap"] == 0
    assert figures["is_watertight"]


def test_canary_a_seam_is_measured(ball):
    noise = np.random.default_rng(0).integers(0, 255, (SIZE, SIZE, 3)).astype(np.uint8)
    visual = TextureVisuals(uv=ball.textured.visual.uv, material=PBRMaterial(baseColorTexture=Image.fromarray(noise)))
    broken = trimesh.Trimesh(ball.textured.vertices, ball.textured.faces, visual=visual, process=False)
    assert quality(broken)["seam_contrast"] > 0.1


def test_what_no_view_sees_is_filled_and_counted(ball):
    below = ball.points[:, 2] < -0.75
    assert 0.02 < ball.unseen < 0.3
    colors = ball.picture.reshape(-1, 3)[ball.known][below]
    assert colors[:, 0].mean() == pytest.approx(0.5, abs=0.15)
    assert colors.std(axis=0).max() < 0.2
    assert (ball.picture.max(axis=2) > 0.05).all()  # the gutter as well


def test_a_view_with_a_wrong_colour_is_outvoted(views, ball):
    images = views.images.clone()
    images[4] = torch.tensor([0.0, 1.0, 1.0])
    off = error(baked(dataclasses.replace(views, images=images)))
    assert np.quantile(off, 0.95) < 0.15


def test_small_pictures_give_a_smooth_texture():
    """32 pixels: steps between neighbouring texels stay small, where blocks would jump."""
    small = baked(orbit_views(striped(6), 16, size=(32, 32)))
    step = np.abs(np.diff(small.picture, axis=0)).max(axis=2)
    assert np.quantile(step, 0.99) < 0.06
    truth = orbit_views(striped(6), 5, size=(120, 128), elevation_deg=25.0)
    drawn = [render_mesh(mesh, truth.cameras) for mesh in (small.textured, small.painted)]
    solid = ((truth.alphas > 0.99) & (drawn[0].alpha > 0.99)).float()
    assert psnr(drawn[0].rgb, truth.images, solid) > psnr(drawn[1].rgb, truth.images, solid)


def test_filling_keeps_what_is_known_and_takes_what_is_near():
    picture = np.zeros((9, 7, 1), np.float32)
    known = np.zeros((9, 7), bool)
    picture[0, 0], picture[8, 6] = 0.25, 1.0
    known[0, 0] = known[8, 6] = True
    full = filled(picture, known)
    assert full[0, 0] == 0.25
    assert full[8, 6] == 1.0
    assert full[1, 0] == pytest.approx(0.25, abs=0.1)
    assert full[8, 5] == pytest.approx(1.0, abs=0.25)
    assert full.min() >= 0.25
    assert np.abs(np.diff(full[..., 0], axis=0)).max() < 0.4  # no blocks


def test_same_input_same_bytes(views, ball):
    assert baked(views).picture.tobytes() == ball.picture.tobytes()
