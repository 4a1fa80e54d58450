"""Finishing: a surface comes out thinner, closed and dressed as the settings say, and coarser copies of it."""

import dataclasses

import numpy as np
import pytest
import trimesh

from recon.config import MeshConfig
from recon.finish import LOD_SHARES, check_config, coarser, finished
from recon.mesh_quality import num_degenerate, quality
from recon.mesh_render import render_mesh, vertex_colors
from recon.metrics import psnr
from subjects import colored, orbit_views

CONFIG = MeshConfig(num_faces=1500, resolution=64, texture_size=256)
VOXEL = 1.6 / 64


@pytest.fixture(scope="module")
def fine() -> trimesh.Trimesh:
    ball = trimesh.creation.icosphere(5, radius=0.8)
    ball.visual.vertex_colors = colored(ball, (220, 60, 20))
    return ball


@pytest.fixture(scope="module")
def views(fine):
    return orbit_views(fine, 12)


@pytest.fixture(scope="module")
def mesh(fine, views) -> trimesh.Trimesh:
    return finished(fine, views, CONFIG, VOXEL)


def test_it_is_thinned_closed_and_looks_like_the_views(mesh, views):
    figures = quality(mesh)
    assert len(mesh.faces) <= 1500
    assert figures["is_watertight"]
    assert figures["num_components"] == 1
    assert figures["num_degenerate_faces"] == 0
    assert figures["uv_overlap"] == 0
    assert 0 < mesh.metadata["unseen_share"] < 0.3
    drawn = render_mesh(mesh, views.cameras)
    solid = ((views.alphas > 0.99) & (drawn.alpha > 0.99)).float()
    assert psnr(drawn.rgb, views.images, solid) > 35


def test_maps_are_there_where_they_were_asked_for(fine, views, mesh):
    maps = dataclasses.replace(CONFIG, normal_map=True, ambient_occlusion=True)
    material = finished(fine, views, maps, VOXEL).visual.material
    assert mesh.visual.material.normalTexture is None
    normals = np.asarray(material.normalTexture, float)
    assert np.median(normals, axis=(0, 1)) == pytest.approx([127.5, 127.5, 254], abs=3)  # a ball again
    assert np.asarray(material.occlusionTexture).min() > 235


def test_without_a_texture_the_vertices_have_the_colours(fine, views):
    plain = finished(fine, views, dataclasses.replace(CONFIG, texture_size=0), VOXEL)
    assert plain.is_watertight
    assert plain.visual.kind == "vertex"
    assert np.median(vertex_colors(plain)[:, :2], axis=0) == pytest.approx([220 / 255, 60 / 255], abs=0.02)
    assert "uv_overlap" not in quality(plain)


@pytest.mark.parametrize("level", [1, 3])
def test_coarser_copies_have_their_share_of_the_faces_and_their_own_texture(mesh, views, level):
    copy = coarser(mesh, views, CONFIG, level)
    assert len(copy.faces) == pytest.approx(LOD_SHARES[level - 1] * len(mesh.faces), abs=2)
    assert quality(copy)["is_watertight"]
    assert copy.visual.material.baseColorTexture.size == (256, 256)


def test_settings_without_a_result_are_refused():
    check_config(MeshConfig())
    for wrong, word in (
        ({"texture_size": 20}, "texture_size"),
        ({"texture_size": 0, "normal_map": True}, "texture"),
        ({"lods": 4}, "coarser"),
    ):
        with pytest.raises(ValueError, match=word):
            check_config(dataclasses.replace(MeshConfig(), **wrong))


def test_canary_a_needle_is_degenerate():
    needle = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0.5, 1e-8, 0]], [[0, 1, 2]], process=False)
    assert num_degenerate(needle) == 1
