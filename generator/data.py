"""Training clips: drawn, traced and kept in shards, so that data of any size is made once and in any order.

A shard is a pair of files: NNNN.npy, uint8 [n, F, H, W, 5] (red, green, blue on white, alpha, depth), and NNNN.json
with the attributes and the camera of each clip. Clip i of shard s depends on (seed, s, i) alone.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt

from generator.grammar import Attributes, make_scene, sample_attributes
from generator.rays import intrinsics, orbit_c2w, orbit_radius
from generator.tracer import Trace, trace_clip

SHARD_SIZE = 256  # clips


@dataclass(frozen=True)
class Orbit:
    """The camera of a clip: a closed counter-clockwise turn around the subject, seen first from the front."""

    elevation_deg: float
    fov_deg: float

    def c2w(self, num_frames: int) -> np.ndarray:
        """Return the [F,4,4] camera-to-world matrices, OpenCV axes."""
        return orbit_c2w(num_frames, self.elevation_deg, orbit_radius(self.fov_deg))


@dataclass(frozen=True)
class Sample:
    """What a training clip shows, and how it was seen."""

    attributes: Attributes
    orbit: Orbit


def sample_orbit(rng: np.random.Generator) -> Orbit:
    """Draw a camera: mostly 40 degrees of view and an elevation of 5 to 30; one in ten each way is wider."""
    fov_deg = rng.uniform(30, 50) if rng.random() < 0.1 else 40.0
    elevation_deg = rng.uniform(-10, 50) if rng.random() < 0.1 else rng.uniform(5, 30)
    return Orbit(float(elevation_deg), float(fov_deg))


def make_clip(
    sample: Sample, rng: np.random.Generator, num_frames: int, height: int, width: int
) -> tuple[np.ndarray, Trace]:
    """Trace a sample. Returns the channels the model sees, uint8 [F,H,W,5], and the trace itself."""
    scene = make_scene(sample.attributes, rng)
    K = intrinsics(sample.orbit.fov_deg, height, width)
    trace = trace_clip(scene, sample.orbit.c2w(num_frames), K, height, width)
    depth = encode_depth(trace.depth, trace.alpha, orbit_radius(sample.orbit.fov_deg))
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


def write_shard(folder: Path, index: int, seed: int, num_frames: int, size: int) -> None:
    """Draw and trace the clips of one shard, unless it is there."""
    path = folder / f"{index:04d}.npy"
    if path.exists():
        return
    clips = np.empty((SHARD_SIZE, num_frames, size, size, 5), np.uint8)
    samples = []
    for i in range(SHARD_SIZE):
        rng = np.random.default_rng((seed, index, i))
        sample = Sample(sample_attributes(rng), sample_orbit(rng))
        clips[i], _ = make_clip(sample, rng, num_frames, size, size)
        samples.append({"attributes": asdict(sample.attributes), "orbit": asdict(sample.orbit)})
    path.with_suffix(".json").write_text(json.dumps(samples))
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.save(file, clips)
    os.replace(partial, path)


def start_rendering(folder: Path, num_shards: int, seed: int, num_frames: int, size: int, workers: int):
    """Start processes that write the missing shards; returns them (daemons: they end with the caller)."""
    folder.mkdir(parents=True, exist_ok=True)
    context = get_context("spawn")
    processes = []
    for worker in range(min(workers, num_shards)):
        shards = range(worker, num_shards, workers)
        args = (folder, shards, seed, num_frames, size)
        process = context.Process(target=_write_shards, args=args, daemon=True)
        process.start()
        processes.append(process)
    return processes


def _write_shards(folder: Path, shards: range, seed: int, num_frames: int, size: int) -> None:
    os.nice(5)
    for index in shards:
        write_shard(folder, index, seed, num_frames, size)


def shard_paths(folder: Path) -> list[Path]:
    """List the finished shards."""
    return sorted(folder.glob("[0-9]*.npy"))


def read_samples(path: Path) -> list[Sample]:
    """Read what the clips of a shard show."""
    items = json.loads(path.with_suffix(".json").read_text())
    return [Sample(Attributes(**item["attributes"]), Orbit(**item["orbit"])) for item in items]
