"""Training clips: drawn, rendered and kept in shards, so that data of any size is made once and in any order.

A shard is a pair of files: NNNN.npy, uint8 [n, F, H, W, 5] (red, green, blue on white, alpha, depth), and NNNN.json
with what each clip shows and its camera. Clip i of shard s depends on (seed, s, i) alone. What is drawn can be rendered
here, by the Numba tracers, or on a GPU, by those of generator.cuda.
"""

from __future__ import annotations

import io
import json
import os
from dataclasses import asdict, dataclass, replace
from functools import cache
from multiprocessing import get_context, parent_process
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt

from generator.corpus import Corpus, MeshSample
from generator.grammar import Attributes, make_scene, sample_attributes
from generator.mesh_tracer import trace_mesh
from generator.rays import intrinsics, orbit_c2w, orbit_radius
from generator.tracer import Trace, trace_clip
from generator.words import long_caption, sample_caption, sample_edit

SHARD_SIZE = 256  # clips
NUM_CAPTIONS = 6  # of a clip; for a scene of the grammar the first says everything

Subject = np.ndarray | MeshSample
"""What stands before the camera: rows of solids, or triangles."""


@dataclass(frozen=True)
class Orbit:
    """The camera of a clip: a counter-clockwise turn around the subject, closed or a part of one."""

    elevation_deg: float
    fov_deg: float
    start_deg: float = 0.0
    """Azimuth of the first frame; 0 looks at the subject's front."""
    span_deg: float = 360.0
    """How far it goes. A whole turn leaves out its last camera, which would repeat the first; a part has both ends."""

    @property
    def is_closed(self) -> bool:
        return self.span_deg == 360

    def c2w(self, num_frames: int) -> np.ndarray:
        """Return the [F,4,4] camera-to-world matrices, OpenCV axes."""
        radius = orbit_radius(self.fov_deg)
        return orbit_c2w(num_frames, self.elevation_deg, radius, self.start_deg, self.span_deg, self.is_closed)


@dataclass(frozen=True)
class Sample:
    """What a training clip shows, and how it was seen."""

    orbit: Orbit
    attributes: Attributes | None
    """None for a model of the corpus."""
    captions: tuple[str, ...]
    """NUM_CAPTIONS sentences that are true of it."""
    edit: str = ""
    """The instruction that makes this clip from the one before it; empty where it is no edit."""


@dataclass(frozen=True)
class Recipe:
    """What clips are drawn from."""

    seed: int = 0
    corpus: str = ""
    """Packed models (.npz); empty for the grammar alone."""
    corpus_share: float = 0.5
    edit_pairs_share: float = 0.0
    """Share of the grammar's pairs of clips in which the second is an edit of the first."""
    focus: tuple[str, ...] = ()
    """Categories that are drawn more often."""
    focus_share: float = 0.0
    """Share of the grammar's clips that are drawn from these alone."""
    packed: bytes = b""
    """The corpus itself, for workers that cannot read the file."""

    def carried(self) -> Recipe:
        """Return the recipe with the corpus inside."""
        return replace(self, packed=Path(self.corpus).read_bytes()) if self.corpus else self


def sample_orbit(rng: np.random.Generator) -> Orbit:
    """Draw a camera: mostly 40 degrees of view, elevated by 5 to 30, from the front; one in ten each way is wider."""
    fov_deg = rng.uniform(30, 50) if rng.random() < 0.1 else 40.0
    elevation_deg = rng.uniform(-10, 50) if rng.random() < 0.1 else rng.uniform(5, 30)
    start_deg = rng.uniform(0, 360) if rng.random() < 0.1 else 0.0
    return Orbit(float(elevation_deg), float(fov_deg), float(start_deg))


def draw_shard(recipe: Recipe, index: int) -> list[tuple[Sample, Subject]]:
    """Draw the SHARD_SIZE clips of a shard, two by two: an edit follows what it was made from."""
    return [clip for i in range(0, SHARD_SIZE, 2) for clip in _draw_two(recipe, (recipe.seed, index, i))]


def _draw_two(recipe: Recipe, key: tuple[int, int, int]) -> list[tuple[Sample, Subject]]:
    rng = np.random.default_rng(key)
    if recipe.corpus and rng.random() < recipe.corpus_share:
        corpus = _unpack_corpus(recipe.packed) if recipe.packed else _load_corpus(recipe.corpus)
        meshes = [corpus.draw(rng, num_captions=NUM_CAPTIONS) for _ in range(2)]
        return [(Sample(sample_orbit(rng), None, mesh.captions), mesh) for mesh in meshes]
    if rng.random() < recipe.edit_pairs_share:
        before = _draw_attributes(recipe, rng)
        after, edit = sample_edit(before, rng)
        orbit, dimensions = sample_orbit(rng), int(rng.integers(2**32))
        return [
            draw_scene(before, orbit, np.random.default_rng(dimensions), rng),
            draw_scene(after, orbit, np.random.default_rng(dimensions), rng, edit),
        ]
    return [draw_scene(_draw_attributes(recipe, rng), sample_orbit(rng), rng, rng) for _ in range(2)]


def _draw_attributes(recipe: Recipe, rng: np.random.Generator) -> Attributes:
    is_focused = recipe.focus_share > 0 and rng.random() < recipe.focus_share
    while True:
        attributes = sample_attributes(rng)
        if not is_focused or attributes.category in recipe.focus:
            return attributes


def draw_scene(
    attributes: Attributes, orbit: Orbit, dimensions: np.random.Generator, rng: np.random.Generator, edit: str = ""
) -> tuple[Sample, np.ndarray]:
    """Build the scene of some attributes, its sizes from `dimensions`, and write its captions."""
    scene = make_scene(attributes, dimensions)
    captions = (long_caption(attributes), *(sample_caption(attributes, rng) for _ in range(NUM_CAPTIONS - 1)))
    return Sample(orbit, attributes, captions, edit), scene


@cache
def _load_corpus(path: str) -> Corpus:
    return Corpus.load(Path(path))


@cache
def _unpack_corpus(packed: bytes) -> Corpus:
    return Corpus.load(io.BytesIO(packed))


def make_clip(subject: Subject, orbit: Orbit, num_frames: int, height: int, width: int) -> tuple[np.ndarray, Trace]:
    """Render a subject. Returns the channels the model sees, uint8 [F,H,W,5], and the trace itself."""
    K = intrinsics(orbit.fov_deg, height, width)
    tracer = trace_clip if isinstance(subject, np.ndarray) else trace_mesh
    trace = tracer(subject, orbit.c2w(num_frames), K, height, width)  # type: ignore[arg-type]
    depth = encode_depth(trace.depth, trace.alpha, orbit_radius(orbit.fov_deg))
    channels = [trace.rgb, (trace.alpha[..., None] * 255).round(), (depth[..., None] * 255).round()]
    return np.concatenate(channels, axis=-1).astype(np.uint8), trace


def encode_depth(depth: np.ndarray, alpha: np.ndarray, radius: float) -> np.ndarray:
    """Map z [F,H,W] to [0,1], 0.5 at the subject's centre and 1 at its far side; the background takes the nearest
    subject pixel's value, so that no step at the silhouette has to be coded."""
    encoded = np.clip((depth - radius) / 2 + 0.5, 0, 1)
    for frame, covered in zip(encoded, alpha > 0, strict=True):
        if covered.any():
            nearest = distance_transform_edt(~covered, return_distances=False, return_indices=True)
            frame[:] = frame[tuple(np.asarray(nearest))]
        else:
            frame[:] = 0.5
    return encoded


def decode_depth(encoded: np.ndarray, radius: float) -> np.ndarray:
    """Undo the scaling of `encode_depth`: [0,1] to z."""
    return (encoded - 0.5) * 2 + radius


def make_shard(recipe: Recipe, num_frames: int, size: int, index: int) -> tuple[np.ndarray, list[Sample]]:
    """Draw and render the clips of one shard, uint8 [n,F,H,W,5], and tell what they show."""
    drawn = draw_shard(recipe, index)
    clips = np.empty((len(drawn), num_frames, size, size, 5), np.uint8)
    for clip, (sample, subject) in zip(clips, drawn):
        clip[:], _ = make_clip(subject, sample.orbit, num_frames, size, size)
    return clips, [sample for sample, _ in drawn]


def save_shard(path: Path, clips: np.ndarray, samples: list[Sample]) -> None:
    """Write the two files of a shard; the .npy appears last and whole."""
    path.with_suffix(".json").write_text(json.dumps([asdict(sample) for sample in samples]))
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.save(file, clips)
    os.replace(partial, path)


def write_shard(folder: Path, index: int, recipe: Recipe, num_frames: int, size: int) -> None:
    """Make one shard and save it, unless it is there."""
    path = shard_path(folder, index)
    if not path.exists():
        save_shard(path, *make_shard(recipe, num_frames, size, index))


def start_rendering(folder: Path, num_shards: int, recipe: Recipe, num_frames: int, size: int, workers: int):
    """Start processes that write the missing shards; returns them (daemons: they end with the caller)."""
    folder.mkdir(parents=True, exist_ok=True)
    context = get_context("spawn")
    processes = []
    for worker in range(min(workers, num_shards)):
        shards = range(worker, num_shards, workers)
        args = (folder, shards, recipe, num_frames, size)
        process = context.Process(target=_write_shards, args=args, daemon=True)
        process.start()
        processes.append(process)
    return processes


def _write_shards(folder: Path, shards: range, recipe: Recipe, num_frames: int, size: int) -> None:
    os.nice(5)
    caller = parent_process()
    for index in shards:
        if caller is None or caller.is_alive():  # one that was killed takes no daemons along
            write_shard(folder, index, recipe, num_frames, size)


def shard_path(folder: Path, index: int) -> Path:
    """Return where a shard lies, or will."""
    return folder / f"{index:04d}.npy"


def shard_paths(folder: Path) -> list[Path]:
    """List the finished shards."""
    return sorted(folder.glob("[0-9]*.npy"))


def read_samples(path: Path) -> list[Sample]:
    """Read what the clips of a shard show."""
    return [
        Sample(
            orbit=Orbit(**item["orbit"]),
            attributes=Attributes(**item["attributes"]) if item["attributes"] else None,
            captions=tuple(item["captions"]),
            edit=item["edit"],
        )
        for item in json.loads(path.with_suffix(".json").read_text())
    ]
