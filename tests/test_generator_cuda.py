"""The CUDA tracer against the Numba one: on the CPU with the same source built by g++, and on a GPU where there is one.

On the CPU all of cuda_tracer.py runs too: only the launch of a kernel is replaced by a loop over its blocks.
"""

import ctypes
import itertools
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from generator import cuda_tracer, sdf, shading, tracer
from generator.cuda import load_kernel
from generator.cuda_tracer import CudaTrace, encode_clips, trace_clips
from generator.data import encode_depth
from generator.grammar import CATEGORIES, MATERIALS, PATTERNS, Attributes, make_scene
from generator.rays import intrinsics, orbit_c2w, orbit_radius
from generator.shapes.form import euler_rotation
from generator_parts import solid

FRAMES, HEIGHT, WIDTH = 4, 64, 72  # neither is a multiple of a tile
CATEGORY_NAMES = ("teapot", "lighthouse", "chair", "flower", "car", "dog", "house", "robot")
TRACERS = ["g++", pytest.param("cuda", marks=pytest.mark.gpu)]


class Index(ctypes.Structure):
    _fields_ = [(axis, ctypes.c_int) for axis in "xyz"]


class Twin:
    """Kernels built by g++, launched as load_kernel's are."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library

    def load_kernel(self, file: str, name: str) -> Callable[..., None]:
        def launch(grid: tuple[int, int, int], block: tuple[int, int, int], args: list, shared_mem: int = 0) -> None:
            converted = [
                ctypes.c_void_p(arg.data_ptr()) if isinstance(arg, torch.Tensor) else ctypes.c_int(arg) for arg in args
            ]
            index, size = (Index.in_dll(self.library, name) for name in ("blockIdx", "gridDim"))
            size.x, size.y, size.z = grid
            for index.z, index.y, index.x in itertools.product(*map(range, reversed(grid))):
                self.library[name](*converted)

        return launch


@pytest.fixture(scope="module")
def twin(tmp_path_factory) -> Twin:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++ to build the CUDA sources for the CPU")
    library = tmp_path_factory.mktemp("twin") / "twin.so"
    source = Path(__file__).with_name("cuda_twin.cpp")
    flags = ("-O2", "-ffast-math", "-shared", "-fPIC")
    subprocess.run([compiler, *flags, "-o", str(library), str(source)], check=True)
    return Twin(ctypes.CDLL(str(library)))


@pytest.fixture(params=TRACERS)
def device(request, monkeypatch) -> torch.device:
    """Where trace_clips and encode_clips run in a test."""
    if request.param == "cuda":
        return torch.device("cuda")
    monkeypatch.setattr(cuda_tracer, "load_kernel", request.getfixturevalue("twin").load_kernel)
    return torch.device("cpu")


def scenes() -> list[np.ndarray]:
    """Scenes of several categories, with every pattern and material.

    No patterns on faces at exactly 45 degrees: which way such a face looks, the Numba tracer leaves to rounding.
    """
    made = []
    for i, name in enumerate(CATEGORY_NAMES):
        pattern, material = PATTERNS[i % len(PATTERNS)], list(MATERIALS)[i % len(MATERIALS)]
        attributes = Attributes(name, CATEGORIES[name].styles[0], "red", "blue", pattern, material)
        made.append(make_scene(attributes, np.random.default_rng(i)))
    return made


def every_solid() -> list[np.ndarray]:
    """One clip a pattern: each kind of solid, leaning, under each wrap."""
    sizes = {
        sdf.ELLIPSOID: (0.3, 0.2, 0.25),
        sdf.BOX: (0.25, 0.2, 0.15, 0.04),
        sdf.CONE: (0.25, 0.25, 0.1, 0.03),
        sdf.TORUS: (0.22, 0.06, np.sin(2.0), np.cos(2.0)),
        sdf.CAPSULE: (0.15, 0.12),
        sdf.CUP: (0.2, 0.15, 0.28, 0.02),
        sdf.FRUSTUM: (0.2, 0.25, 0.2, 0.1, 0.15),
        sdf.DOME: (0.28, 0.25, 0.3),
        sdf.SHELL: (0.28, 0.25, 0.3, 0.02),
    }
    clips = []
    for pattern in range(len(PATTERNS)):
        rows = []
        for place, (kind, size) in enumerate(sizes.items()):
            center = (0.6 * (place % 3 - 1), 0.2 * (place % 2) - 0.1, 0.6 * (place // 3 - 1))
            row = solid(kind, size, center, (0.8, 0.3, 0.1), bound=0.5, pattern=pattern, wrap=(place + pattern) % 3)
            row[sdf.ROTATION : sdf.SIZE] = euler_rotation((20 * place, 15 * pattern, 10)).T.ravel()
            row[sdf.PATTERN_COLOR : sdf.PATTERN] = 0.9
            row[sdf.PERIOD], row[sdf.AROUND], row[sdf.PART] = 0.2, 5, place % 4
            row[sdf.GLOSS], row[sdf.METAL], row[sdf.GLOW] = 0.5, place % 2, 0.1 * (place % 3)
            rows.append(row)
        clips.append(np.stack(rows))
    return clips


def cameras(num_clips: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return c2w, K and the orbits' radii of so many clips, each seen differently."""
    fovs = 40 - 1.5 * np.arange(num_clips)
    c2w = np.stack([orbit_c2w(FRAMES, 5 + 4 * i, orbit_radius(fov)) for i, fov in enumerate(fovs)])
    K = np.stack([intrinsics(fov, HEIGHT, WIDTH) for fov in fovs])
    return c2w, K, np.array([orbit_radius(fov) for fov in fovs])


def traces(clips: list[np.ndarray], device: torch.device) -> tuple[list[tracer.Trace], CudaTrace]:
    c2w, K, _ = cameras(len(clips))
    slow = [tracer.trace_clip(*clip, HEIGHT, WIDTH) for clip in zip(clips, c2w, K)]
    fast = trace_clips(clips, *(torch.tensor(each, device=device).float() for each in (c2w, K)), HEIGHT, WIDTH)
    return slow, fast


@pytest.mark.parametrize("make", [scenes, every_solid])
def test_cuda_trace_is_the_numba_trace(device, make):
    clips = make()
    slow, fast = traces(clips, device)
    for i, want in enumerate(slow):
        rgb, alpha, depth, part = (getattr(fast, name)[i].cpu().numpy() for name in ("rgb", "alpha", "depth", "part"))
        off = np.abs(rgb.astype(float) - want.rgb)
        covered = (alpha == want.alpha) & (part == want.part)
        # A ray on the border of a solid or of a pattern's patch may fall on its other side.
        figures = {
            "mean": off.mean(),
            "far": np.mean(off.max(-1) > 8),
            "alpha": np.mean(alpha != want.alpha),
            "part": np.mean(part != want.part),
            "depth": np.mean(np.abs(depth - want.depth)[covered] > 1e-3),
        }
        print(i, len(clips[i]), {name: f"{value:.5f}" for name, value in figures.items()})
        assert want.alpha.mean() > 0.02, i
        assert figures["mean"] < 0.1, (i, figures)
        assert max(value for name, value in figures.items() if name != "mean") < 0.005, (i, figures)


def test_clips_do_not_depend_on_their_batch(device):
    clips = [scenes()[5], np.zeros((0, sdf.NUM_COLUMNS)), every_solid()[3], np.tile(scenes()[1], (100, 1))[:255]]
    c2w, K, _ = (torch.tensor(each, device=device).float() for each in cameras(4))
    whole, alone = trace_clips(clips, c2w, K, HEIGHT, WIDTH), trace_clips(clips[2:3], c2w[2:3], K[2:3], HEIGHT, WIDTH)
    for name in ("rgb", "alpha", "depth", "part"):
        assert torch.equal(getattr(whole, name)[2], getattr(alone, name)[0])
    assert (whole.rgb[1] == 255).all()
    assert not whole.alpha[1].any()
    assert (whole.part[1] == -1).all()


def nearest_values(frame: np.ndarray, covered: np.ndarray) -> list[np.ndarray]:
    """For each pixel the values of all the covered pixels that are nearest to it, by brute force."""
    places = np.argwhere(covered)
    distance = ((np.argwhere(np.ones_like(covered))[:, None] - places[None]) ** 2).sum(-1)
    return [frame[covered][row == row.min()] for row in distance]


def test_encoded_clips_are_those_of_the_cpu(device):
    clips = [*scenes()[:2], np.zeros((0, sdf.NUM_COLUMNS))]
    radius = cameras(3)[2]
    trace = traces(clips, device)[1]
    encoded = encode_clips(trace, torch.tensor(radius, device=device).float()).cpu().numpy()
    rgb, alpha, depth = (getattr(trace, name).cpu().numpy() for name in ("rgb", "alpha", "depth"))
    assert np.array_equal(encoded[..., :3], rgb)
    assert np.array_equal(encoded[..., 3], (alpha * 255).round())
    assert (encoded[2, ..., 4] == 128).all()
    for i, f in itertools.product(range(2), range(FRAMES)):
        codes = (255 * np.clip((depth[i, f] - radius[i]) / 2 + 0.5, 0, 1)).round()
        allowed = nearest_values(codes, alpha[i, f] > 0)
        code = encoded[i, f, ..., 4].astype(int)
        assert all(np.abs(few - one).min() <= 1 for few, one in zip(allowed, code.ravel()))
        of_cpu = (255 * encode_depth(depth[i, f : f + 1], alpha[i, f : f + 1], radius[i])[0]).round()
        is_only = np.reshape([len(few) == 1 for few in allowed], code.shape)
        assert is_only.mean() > 0.8
        assert np.abs(of_cpu - code)[is_only].max() <= 1


@pytest.mark.parametrize(
    ("clips", "complaint"),
    [
        ([np.zeros((2, 7))], r"\[P, 34\]; scene 0 is \(2, 7\)"),
        ([np.zeros((256, sdf.NUM_COLUMNS))], "256 solids"),
        ([], "0 scenes and cameras for 1 clips"),
    ],
)
def test_scenes_that_the_kernel_cannot_hold_are_refused(clips, complaint):
    with pytest.raises(ValueError, match=complaint):
        trace_clips(clips, torch.eye(4).expand(1, 1, 4, 4), torch.eye(3)[None], 8, 8)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_kernel_without_a_device_says_so():
    with pytest.raises(RuntimeError, match="needs a CUDA device"):
        load_kernel("tracer.cu", "trace_centers")


def test_constants_of_the_kernel_are_those_of_python():
    source = (Path(cuda_tracer.__file__).parent / "cuda" / "tracer.cu").read_text()
    found = re.findall(r"\b([A-Z][A-Z_]+) = (-?[\d.e-]+)f?\b", source)
    values = {name: float(value) for name, value in found}
    for body in re.findall(r"enum \w+ \{([^=}]*)\}", source):
        values |= {name.strip(): float(i) for i, name in enumerate(body.split(","))}
    of_python = [(m, name) for m in (sdf, shading, tracer, cuda_tracer) for name in vars(m) if name in values]
    assert len(of_python) > 45
    for module, name in of_python:
        assert values[name] == pytest.approx(getattr(module, name), rel=1e-6), name
