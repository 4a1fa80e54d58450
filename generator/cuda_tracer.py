"""The sphere tracer on the GPU: many clips a launch, for training data as fast as training takes it.

The same pictures as tracer.trace_clip within float32: tests hold the two together. The kernels are cuda/tracer.cu and
cuda/encode.cu. b clips of f frames of h x w pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int8, UInt8
from torch import Tensor

from generator import sdf
from generator.cuda import load_kernel

MOST_SOLIDS = 255
# As in tracer.cu.
TILE_HEIGHT, TILE_WIDTH = 16, 32
QUAD_BYTES, QUADS, NEAR_BYTES = 16, 6, 8
THREADS, WARP = 128, 32


@dataclass(frozen=True)
class CudaTrace:
    """What camera paths see of scenes, on the device; as tracer.Trace with the clips in front."""

    rgb: UInt8[Tensor, "b f h w 3"]
    """sRGB, composited on white."""
    alpha: Float[Tensor, "b f h w"]
    """Coverage in quarters."""
    depth: Float[Tensor, "b f h w"]
    """z of the nearest surface in the pixel; 0 where alpha is 0."""
    part: Int8[Tensor, "b f h w"]
    """The part that owns that surface; -1 where alpha is 0."""


def trace_clips(
    scenes: list[np.ndarray], c2w: Float[Tensor, "b f 4 4"], K: Float[Tensor, "b 3 3"], height: int, width: int
) -> CudaTrace:
    """Trace scene i [P_i, NUM_COLUMNS] through the cameras c2w[i] (OpenCV axes) with K[i] in pixels.

    Runs on the device of c2w; it takes 28 bytes of its memory a pixel, 12 of which are the result.
    """
    num_clips, num_frames = c2w.shape[:2]
    _check(scenes, num_clips)
    most = max([len(scene) for scene in scenes], default=0)
    offsets = np.cumsum([0, *(len(scene) for scene in scenes)])
    rows = np.concatenate([*scenes, np.zeros((1, sdf.NUM_COLUMNS))])  # no pointer to nothing if all are empty
    device, shape = c2w.device, (num_clips, num_frames, height, width)
    inputs = [
        torch.as_tensor(rows, dtype=torch.float32).to(device),
        torch.as_tensor(offsets, dtype=torch.int32).to(device),
        c2w.to(torch.float32).contiguous(),
        K.to(device, torch.float32).contiguous(),
        num_frames,
        height,
        width,
    ]
    shaded = torch.empty((*shape, 4), dtype=torch.float32, device=device)
    trace = CudaTrace(
        rgb=torch.empty((*shape, 3), dtype=torch.uint8, device=device),
        alpha=torch.empty(shape, dtype=torch.float32, device=device),
        depth=torch.empty(shape, dtype=torch.float32, device=device),
        part=torch.empty(shape, dtype=torch.int8, device=device),
    )
    if shaded.numel() == 0:
        return trace
    tiles = -(-height // TILE_HEIGHT) * -(-width // TILE_WIDTH)
    grid, block = (tiles, num_frames, num_clips), (THREADS, 1, 1)
    shared_mem = max(most, 1) * (QUADS * QUAD_BYTES + THREADS // WARP * NEAR_BYTES)
    with torch.cuda.device_of(c2w):
        load_kernel("tracer.cu", "trace_centers")(grid, block, [*inputs, shaded, trace.depth], shared_mem)
        outputs = [shaded, trace.depth, trace.rgb, trace.alpha, trace.part]
        load_kernel("tracer.cu", "sample_edges")(grid, block, [*inputs, *outputs], shared_mem)
    return trace


def encode_clips(trace: CudaTrace, radius: Float[Tensor, " b"]) -> UInt8[Tensor, "b f h w 5"]:
    """Make the channels that the model sees, as data.make_clip does; `radius` is each camera's distance."""
    num_clips, num_frames, height, width = trace.alpha.shape
    device, total = trace.alpha.device, num_clips * num_frames
    nearest = torch.empty(trace.alpha.shape, dtype=torch.int16, device=device)
    clips = torch.empty((*trace.alpha.shape, 5), dtype=torch.uint8, device=device)
    if clips.numel() == 0:
        return clips
    radii = radius.to(device, torch.float32).repeat_interleave(num_frames)
    size = (total, height, width)
    with torch.cuda.device_of(trace.alpha):
        grid, block = (-(-total * width // THREADS), 1, 1), (THREADS, 1, 1)
        load_kernel("encode.cu", "nearest_rows")(grid, block, [trace.alpha, *size, nearest])
        grid = (-(-total * height * width // THREADS), 1, 1)
        channels = [trace.rgb, trace.alpha, trace.depth, nearest, radii, *size, clips]
        load_kernel("encode.cu", "encode")(grid, block, channels)
    return clips


def _check(scenes: list[np.ndarray], num_clips: int) -> None:
    if len(scenes) != num_clips:
        raise ValueError(f"{len(scenes)} scenes and cameras for {num_clips} clips; each clip needs both.")
    for i, scene in enumerate(scenes):
        if scene.ndim != 2 or scene.shape[1] != sdf.NUM_COLUMNS:
            raise ValueError(f"A scene is an array [P, {sdf.NUM_COLUMNS}]; scene {i} is {scene.shape}.")
        if len(scene) > MOST_SOLIDS:
            raise ValueError(f"Scene {i} has {len(scene)} solids; the kernel holds up to {MOST_SOLIDS}.")
