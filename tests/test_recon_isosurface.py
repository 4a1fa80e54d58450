"""Surfaces of fields: closed and manifold whatever the field, and where the field says."""

import numpy as np
import pytest
import trimesh

from recon.isosurface import largest_solids, make_well_composed, surface_nets, taubin

TRUNCATION = 4.0


def ball(radius: float, shape=(30, 34, 38), center=(14.2, 16.7, 19.4)) -> np.ndarray:
    """Signed distance to a ball, in voxels."""
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    distance = np.linalg.norm(grid - np.asarray(center), axis=-1) - radius
    return np.clip(distance, -TRUNCATION, TRUNCATION).astype(np.float32)


def noise(seed: int, inside: float = 0.5) -> np.ndarray:
    """A field that knows no shape at all, free at the border."""
    rng = np.random.default_rng(seed)
    field = np.full((12, 14, 16), TRUNCATION, np.float32)
    field[2:-2, 2:-2, 2:-2] = rng.uniform(-inside, 1 - inside, (8, 10, 12))
    return field


def mesh_of(field: np.ndarray) -> trimesh.Trimesh:
    vertices, faces = surface_nets(field, TRUNCATION)
    return trimesh.Trimesh(vertices, faces, process=False)


def is_manifold(mesh: trimesh.Trimesh) -> bool:
    """Every edge has two faces, of opposite direction, and the faces around every vertex are one fan."""
    fans = np.zeros(len(mesh.vertices), int)
    edges = [[] for _ in mesh.vertices]
    for face in mesh.faces:
        for corner in range(3):
            edges[face[corner]].append((face[(corner + 1) % 3], face[(corner + 2) % 3]))
    for vertex, around in enumerate(edges):
        following = dict(around)
        while following:
            fans[vertex] += 1
            at = next(iter(following))
            while at in following:
                at = following.pop(at)
    return bool(mesh.is_watertight and mesh.is_winding_consistent and (fans == 1).all())


def test_ball_lies_where_the_field_says():
    mesh = mesh_of(ball(9.3))
    assert is_manifold(mesh)
    assert mesh.euler_number == 2
    radii = np.linalg.norm(mesh.vertices - [14.2, 16.7, 19.4], axis=1)
    assert np.abs(radii - 9.3).max() < 0.15
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * 9.3**3, rel=0.02)  # positive: normals point outward


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("inside", [0.25, 0.5])
def test_noise_becomes_a_closed_manifold(seed, inside):
    field = noise(seed, inside)
    assert not is_manifold(mesh_of(field))  # canary: before mending it is none
    before = field < 0
    turned = make_well_composed(field, TRUNCATION)
    assert is_manifold(mesh_of(field))
    assert ((field < 0) & ~before).sum() == turned
    assert (field < 0)[before].all()


def test_a_sound_field_is_left_alone():
    field = ball(9.3)
    assert make_well_composed(field, TRUNCATION) == 0
    assert np.array_equal(field, ball(9.3))


def test_values_of_zero_make_no_face_without_area():
    field = np.round(ball(9.0, center=(14, 16, 19)))
    assert (field == 0).any()
    make_well_composed(field, TRUNCATION)
    mesh = mesh_of(field)
    assert is_manifold(mesh)
    assert mesh.area_faces.min() > 1e-9


def test_what_reaches_the_border_is_closed_there():
    field = ball(9.3)[:, 12:, :20]
    mesh = mesh_of(field)
    assert is_manifold(mesh)
    assert mesh.volume > 500


def test_crumbs_go_and_bubbles_are_filled():
    field = ball(9.3)
    field[1:3, 1:3, 1:3] = -1  # a crumb
    field[12:15, 16:18, 19] = 2  # a bubble
    assert mesh_of(field).body_count == 3
    clean = mesh_of(largest_solids(field, TRUNCATION, 0.01))
    assert clean.body_count == 1
    assert clean.volume == pytest.approx(mesh_of(ball(9.3)).volume, rel=1e-3)


def test_the_largest_solid_stays_whatever_the_share():
    field = np.minimum(ball(6.0, center=(8, 16, 19)), ball(5.0, center=(21, 16, 19)))
    assert mesh_of(largest_solids(field, TRUNCATION, 0.9)).volume == pytest.approx(
        mesh_of(ball(6.0, center=(8, 16, 19))).volume
    )
    assert mesh_of(largest_solids(field, TRUNCATION, 0.1)).body_count == 2
    empty = np.full((5, 6, 7), TRUNCATION, np.float32)
    assert np.array_equal(largest_solids(empty, TRUNCATION, 0.1), empty)


def test_taubin_smooths_and_keeps_the_volume():
    field = ball(9.3)
    field += np.random.default_rng(0).normal(0, 0.3, field.shape).astype(np.float32) * (np.abs(field) < 3)
    make_well_composed(field, TRUNCATION)
    vertices, faces = surface_nets(largest_solids(field, TRUNCATION, 0.01), TRUNCATION)
    smooth = taubin(vertices, faces, 10)

    def roughness(points: np.ndarray) -> float:
        return float(np.linalg.norm(points - [14.2, 16.7, 19.4], axis=1).std())

    def volume(points: np.ndarray) -> float:
        return float(trimesh.Trimesh(points, faces, process=False).volume)

    assert roughness(smooth) < 0.8 * roughness(vertices)
    assert volume(smooth) == pytest.approx(volume(vertices), rel=0.01)
