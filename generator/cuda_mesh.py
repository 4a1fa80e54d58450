"""The rasteriser of triangles on the GPU: artist-made models as fast as training takes them.

The same pictures as mesh_tracer.trace_mesh within float32: tests hold the two together. The kernels are cuda/mesh.cu.
b clips of f frames of h x w pixels.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from generator.corpus import MeshSample
from generator.cuda import load_kernel
from generator.cuda_tracer import CudaTrace
from generator.mesh_tracer import FIELD_CELLS, FIELD_REACH, SUN_CELLS
from generator.tracer import NUM_SAMPLES

THREADS, LANES = 256, 32  # LANES as in mesh.cu


def trace_meshes(
    meshes: list[MeshSample], c2w: Float[Tensor, "b f 4 4"], K: Float[Tensor, "b 3 3"], height: int, width: int
) -> CudaTrace:
    """Draw mesh i through the cameras c2w[i] (OpenCV axes) with K[i] in pixels.

    Runs on the device of c2w. It takes 44 bytes of its memory a pixel, 12 of which are the result: 17 MB a clip of
    24 frames of 128 x 128; and 0.5 MB a clip.
    """
    if len(meshes) != len(c2w) or any(len(mesh.positions) == 0 for mesh in meshes):
        raise ValueError(f"{len(meshes)} meshes and {len(c2w)} cameras; each clip needs both, and a triangle.")
    num_clips, num_frames = c2w.shape[:2]
    device, shape = c2w.device, (num_clips, num_frames, height, width)
    trace = CudaTrace(
        rgb=torch.empty((*shape, 3), dtype=torch.uint8, device=device),
        alpha=torch.empty(shape, dtype=torch.float32, device=device),
        depth=torch.empty(shape, dtype=torch.float32, device=device),
        part=torch.empty(shape, dtype=torch.int8, device=device),
    )
    if trace.alpha.numel() == 0:
        return trace
    counts = [len(mesh.positions) for mesh in meshes]
    positions, normals, colors = (
        torch.from_numpy(np.concatenate([getattr(mesh, name) for mesh in meshes])).to(device)
        for name in ("positions", "normals", "colors")
    )
    starts = torch.tensor(np.cumsum([0, *counts]), dtype=torch.int32).to(device)
    cameras = [c2w.to(torch.float32).contiguous(), K.to(device, torch.float32).contiguous(), height, width]
    field = torch.full((num_clips, FIELD_CELLS, FIELD_CELLS, FIELD_CELLS), FIELD_REACH, device=device)
    sun_map = torch.zeros((num_clips, SUN_CELLS, SUN_CELLS), device=device)
    keys = torch.full((*shape, NUM_SAMPLES), -1, dtype=torch.int64, device=device)
    warps, block = -(-max(counts) * LANES // THREADS), (THREADS, 1, 1)
    with torch.cuda.device_of(c2w):
        load_kernel("mesh.cu", "mesh_field")((warps, 1, num_clips), block, [positions, starts, field])
        load_kernel("mesh.cu", "mesh_sun_map")((warps, 1, num_clips), block, [positions, starts, sun_map])
        load_kernel("mesh.cu", "mesh_depth")((warps, num_frames, num_clips), block, [positions, starts, *cameras, keys])
        pixels, outputs = -(-height * width // THREADS), [trace.rgb, trace.alpha, trace.depth, trace.part]
        subjects = [positions, normals, colors, starts, field, sun_map]
        load_kernel("mesh.cu", "mesh_shade")(
            (pixels, num_frames, num_clips), block, [*subjects, *cameras, keys, *outputs]
        )
    return trace
