"""UV atlases: every face once, nothing over another, unmirrored, apart from each other; and the way back."""

import numpy as np
import pytest
import trimesh

from recon.unwrap import BORDER, smooth_normals, texels, to_texels, unwrap, welded
from subjects import mug

SIZE = 256


def split(mesh: trimesh.Trimesh, size: int = SIZE) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return unwrap(np.asarray(mesh.vertices), np.asarray(mesh.faces), size)


@pytest.fixture(scope="module")
def torus() -> trimesh.Trimesh:
    return trimesh.creation.torus(0.6, 0.25, major_sections=40, minor_sections=20)


@pytest.fixture(scope="module")
def atlas(torus):
    return split(torus)


def test_faces_are_the_same_in_the_same_order(torus, atlas):
    origin, uv, faces = atlas
    assert (origin[faces] == torus.faces).all()
    assert uv.min() >= 0
    assert uv.max() <= 1


def test_nothing_overlaps_and_no_chart_is_mirrored(atlas):
    _, uv, faces = atlas
    assert texels(uv, faces, 4 * SIZE).overlap == 0
    corners = uv[faces]
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    assert (one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0] > 0).all()  # v up, seen from outside: counter-clockwise


def test_canary_an_overlap_is_measured(atlas):
    _, uv, faces = atlas
    twice = np.concatenate([faces, faces[:100]])
    assert texels(uv, twice, SIZE).overlap > 0.05


def test_charts_keep_their_distance(torus, atlas):
    """No texel within a bilinear reading of one chart belongs to another."""
    _, uv, faces = atlas
    found = texels(uv, faces, SIZE)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    label = trimesh.graph.connected_component_labels(edges, len(uv))
    assert label.max() > 0
    picture = np.full((SIZE, SIZE), -1)
    picture.flat[found.index] = label[faces[found.face, 0]]
    for axis in (0, 1):
        one, two = picture, np.roll(picture, 1, axis)
        assert not ((one >= 0) & (two >= 0) & (one != two)).any()


def test_texels_know_their_place_in_space(torus, atlas):
    origin, uv, faces = atlas
    found = texels(uv, faces, SIZE)
    back = found.mean(to_texels(uv, SIZE), faces)
    column, row = found.index % SIZE, found.index // SIZE
    assert np.abs(back - np.stack([column + 0.5, row + 0.5], axis=1)).max() < 2e-3
    outside = found.weights.min(axis=1) < 0
    assert 0.02 < outside.mean() < 0.5
    points = found.mean(torus.vertices[origin], faces)
    off = np.abs(np.hypot(np.hypot(points[:, 0], points[:, 1]) - 0.6, points[:, 2]) - 0.25)
    assert off[~outside].max() < 0.01
    assert off.max() < 0.05 * BORDER


def test_same_mesh_same_atlas(torus, atlas):
    for one, two in zip(split(torus), atlas, strict=True):
        assert one.tobytes() == two.tobytes()


def test_welding_undoes_the_split():
    mesh = mug()
    mesh.merge_vertices()
    origin, _, faces = split(mesh)
    cut = trimesh.Trimesh(np.asarray(mesh.vertices)[origin], faces, process=False)
    assert not cut.is_watertight
    whole, joined = welded(cut)
    assert whole.is_watertight
    assert len(whole.vertices) == len(mesh.vertices)
    assert np.array_equal(whole.vertices[joined], cut.vertices)
    np.testing.assert_allclose(smooth_normals(cut), np.asarray(mesh.vertex_normals)[origin], atol=1e-6)
