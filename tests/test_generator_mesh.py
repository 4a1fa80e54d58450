"""The rasteriser against the sphere tracer and against itself on a GPU: the CUDA source also built by g++."""

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from generator import cuda_mesh, sdf
from generator.corpus import MeshSample, Model
from generator.cuda_mesh import trace_meshes
from generator.mesh_tracer import FIELD_CELL, FIELD_CELLS, FIELD_HALF, FIELD_REACH, distance_field, trace_mesh
from generator.rays import intrinsics, orbit_c2w, orbit_radius
from generator.tracer import Trace, trace_clip
from generator_parts import solid

FRAMES, HEIGHT, WIDTH, FOV = 3, 48, 64, 40.0
K = intrinsics(FOV, HEIGHT, WIDTH)
C2W = orbit_c2w(FRAMES, 20, orbit_radius(FOV), start_deg=35)
MODEL = Model("id", "prop", "pack", "thing", "a thing", "a thing", False)


def as_sample(mesh: trimesh.Trimesh, color=(128, 128, 128), smooth: bool = False) -> MeshSample:
    normals = mesh.vertex_normals[mesh.faces] if smooth else np.repeat(mesh.face_normals[:, None], 3, axis=1)
    colors = np.broadcast_to(np.asarray(color, np.uint8), (len(mesh.faces), 3, 3))
    positions = np.ascontiguousarray(mesh.triangles, np.float32)
    return MeshSample(positions, np.round(127 * normals).astype(np.int8), colors.copy(), (), MODEL)


def joined(*samples: MeshSample) -> MeshSample:
    fields = [np.concatenate([getattr(s, name) for s in samples]) for name in ("positions", "normals", "colors")]
    return MeshSample(*fields, (), MODEL)


def box(size, center=(0, 0, 0), color=(128, 128, 128)) -> MeshSample:
    return as_sample(
        trimesh.creation.box(2 * np.array(size), trimesh.transformations.translation_matrix(center)), color
    )


def random_soup(seed: int, count: int = 60) -> MeshSample:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(-0.4, 0.4, (count, 1, 3)) + rng.uniform(-0.25, 0.25, (count, 3, 3))
    colors = rng.integers(0, 256, (count, 3, 3))
    mesh = as_sample(trimesh.Trimesh(corners.reshape(-1, 3), np.arange(3 * count).reshape(-1, 3), process=False))
    return MeshSample(corners.astype(np.float32), mesh.normals, colors.astype(np.uint8), (), MODEL)


def agreement(ours: Trace, reference: Trace) -> tuple[float, float, float]:
    """The mean difference of colours in 8-bit levels, the share of pixels whose alpha agrees, the median depth gap."""
    both = (ours.alpha == 1) & (reference.alpha == 1)
    levels = np.abs(ours.rgb.astype(int) - reference.rgb.astype(int))[both].mean()
    same = np.mean((ours.alpha == reference.alpha)[(ours.alpha > 0) | (reference.alpha > 0)])
    return float(levels), float(same), float(np.median(np.abs(ours.depth - reference.depth)[both]))


def test_a_box_looks_as_the_sphere_tracer_draws_it():
    size, color = (0.5, 0.35, 0.4), (200, 100, 50)
    reference = trace_clip(solid(sdf.BOX, [*size, 0.0], color=np.array(color) / 255)[None], C2W, K, HEIGHT, WIDTH)
    levels, same, depth = agreement(trace_mesh(box(size, color=color), C2W, K, HEIGHT, WIDTH), reference)
    assert levels < 1.5
    assert same > 0.97
    assert depth < 1e-3


def test_a_smooth_ball_on_a_slab_is_lit_and_shadowed_as_the_sphere_tracer_does():
    slab, ball = (0.6, 0.6, 0.08), 0.35
    rows = [solid(sdf.BOX, [*slab, 0.0], (0, 0, -0.4)), solid(sdf.ELLIPSOID, [ball] * 3, (0, 0, 0.03))]
    reference = trace_clip(np.stack(rows), C2W, K, HEIGHT, WIDTH)
    sphere = trimesh.creation.icosphere(4, ball).apply_translation([0, 0, 0.03])
    mesh = joined(box(slab, (0, 0, -0.4)), as_sample(sphere, smooth=True))
    levels, same, depth = agreement(trace_mesh(mesh, C2W, K, HEIGHT, WIDTH), reference)
    assert levels < 4
    assert same > 0.95
    assert depth < 4e-3  # the sphere tracer stops short where it grazes the slab


def test_winding_and_the_sides_of_normals_do_not_matter():
    mesh = joined(box((0.5, 0.3, 0.4)), random_soup(0))
    turned = MeshSample(mesh.positions[:, ::-1].copy(), -mesh.normals[:, ::-1], mesh.colors[:, ::-1].copy(), (), MODEL)
    plain, other = (trace_mesh(m, C2W, K, HEIGHT, WIDTH) for m in (mesh, turned))
    assert np.array_equal(plain.alpha, other.alpha)
    assert np.mean(np.abs(plain.rgb.astype(int) - other.rgb) > 1) < 2e-3


def test_a_floor_casts_no_shadow_on_itself():
    floor = box((0.6, 0.6, 0.05), color=(200, 200, 200))
    rgb = trace_mesh(floor, orbit_c2w(1, 50, orbit_radius(FOV)), K, HEIGHT, WIDTH).rgb[0]
    top = rgb[HEIGHT // 2 - 8 : HEIGHT // 2 + 8, WIDTH // 2 - 10 : WIDTH // 2 + 10, 0]
    assert top.min() == top.max()


def test_the_field_holds_distances_to_the_surface():
    field = distance_field(box((0.5, 0.4, 0.3)).positions)
    middles = (np.arange(FIELD_CELLS) + 0.5) * FIELD_CELL - FIELD_HALF
    points = np.stack(np.meshgrid(middles, middles, middles, indexing="ij"), axis=-1)
    beyond = np.abs(points) - (0.5, 0.4, 0.3)
    expected = np.linalg.norm(np.maximum(beyond, 0), axis=-1) + np.abs(np.minimum(beyond.max(-1), 0))
    assert np.abs(field - np.minimum(expected, FIELD_REACH)).max() < 1e-5


class Index(ctypes.Structure):
    _fields_ = [(axis, ctypes.c_int) for axis in "xyz"]


@pytest.fixture(scope="module")
def load_twin(tmp_path_factory) -> Callable[..., Callable[..., None]]:
    """What load_kernel is on a GPU, with kernels built by g++ that run on the CPU."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++ to build the CUDA source for the CPU")
    path = tmp_path_factory.mktemp("twin") / "twin.so"
    source = Path(__file__).with_name("mesh_twin.cpp")
    subprocess.run([compiler, "-O2", "-ffast-math", "-shared", "-fPIC", "-o", str(path), str(source)], check=True)
    library = ctypes.CDLL(str(path))

    def load_kernel(file: str, name: str) -> Callable[..., None]:
        def launch(grid: tuple[int, int, int], block: tuple[int, int, int], args: list) -> None:
            assert all(arg.is_contiguous() for arg in args if isinstance(arg, torch.Tensor))
            for symbol, size in (("gridDim", grid), ("blockDim", block)):
                index = Index.in_dll(library, symbol)
                index.x, index.y, index.z = size
            converted = [
                ctypes.c_void_p(a.data_ptr()) if isinstance(a, torch.Tensor) else ctypes.c_int(a) for a in args
            ]
            library[f"launch_{name}"](*converted)

        return launch

    return load_kernel


@pytest.fixture(params=["g++", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request, monkeypatch) -> torch.device:
    if request.param == "cuda":
        return torch.device("cuda")
    monkeypatch.setattr(cuda_mesh, "load_kernel", request.getfixturevalue("load_twin"))
    return torch.device("cpu")


def test_the_cuda_kernels_draw_what_the_cpu_draws(device):
    sphere = as_sample(trimesh.creation.icosphere(3, 0.7), (90, 160, 220), smooth=True)
    meshes = [random_soup(1), joined(box((0.6, 0.6, 0.1), (0, 0, -0.5)), random_soup(2, 9)), sphere]
    fovs = (40, 50, 35)
    c2w = np.stack([orbit_c2w(FRAMES, 10 + fov, orbit_radius(fov), start_deg=fov) for fov in fovs])
    lenses = np.stack([intrinsics(fov, HEIGHT, WIDTH) for fov in fovs])
    drawn = trace_meshes(meshes, torch.tensor(c2w, device=device), torch.tensor(lenses), HEIGHT, WIDTH)
    for i, mesh in enumerate(meshes):
        reference = trace_mesh(mesh, c2w[i], lenses[i], HEIGHT, WIDTH)
        ours = Trace(*(getattr(drawn, name)[i].cpu().numpy() for name in ("rgb", "alpha", "depth", "part")))
        assert np.mean(ours.alpha != reference.alpha) < 2e-3
        assert np.mean(np.abs(ours.rgb.astype(int) - reference.rgb).max(-1) > 2) < 5e-3
        assert np.mean(np.abs(ours.depth - reference.depth) > 1e-4) < 5e-3
        assert np.mean(ours.part != reference.part) < 1e-3


def test_meshes_and_cameras_come_in_pairs():
    with pytest.raises(ValueError, match="1 meshes and 2 cameras"):
        trace_meshes([random_soup(0)], torch.zeros(2, FRAMES, 4, 4), torch.zeros(2, 3, 3), HEIGHT, WIDTH)
