"""A sphere tracer for small scenes of solids: colour, coverage, depth and part of every pixel of a clip.

The ground truth of the generator's training and of the tests: fast enough to render training data on the fly (about
0.1 s for 16 frames of 64x64 on one core), deterministic, one thread (data workers are processes).
Scenes are rows of solids as in sdf.py; the compiled kernels are cached beside this file.
"""

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from generator import sdf
from generator.shading import scene_distance, shade

MAX_STEPS = 48
STEP_SCALE = 0.9  # distances of flat ellipsoids run up to a tenth too long
HIT = 6e-4  # a hit lies within this much of the surface, times the distance travelled
EDGE_CONTRAST = 0.12  # summed over the channels; neighbours that differ more are sampled again
NUM_SAMPLES = 4  # at an edge, on a rotated grid


@dataclass(frozen=True)
class Trace:
    """What a camera path sees of a scene: F frames of H x W pixels."""

    rgb: np.ndarray
    """uint8 [F,H,W,3], sRGB, composited on white."""
    alpha: np.ndarray
    """float32 [F,H,W], coverage in quarters."""
    depth: np.ndarray
    """float32 [F,H,W], z of the nearest surface in the pixel; 0 where alpha is 0."""
    part: np.ndarray
    """int8 [F,H,W], the part that owns that surface; -1 where alpha is 0."""


def trace_clip(primitives: np.ndarray, c2w: np.ndarray, K: np.ndarray, height: int, width: int) -> Trace:
    """Trace a scene [P, NUM_COLUMNS] through F cameras c2w [F,4,4] (OpenCV axes) with one K [3,3] in pixels."""
    scene = np.ascontiguousarray(primitives, np.float64)
    if scene.ndim != 2 or scene.shape[1] != sdf.NUM_COLUMNS:
        raise ValueError(f"A scene is an array [P, {sdf.NUM_COLUMNS}], not {scene.shape}.")
    num_frames = len(c2w)
    trace = Trace(
        rgb=np.empty((num_frames, height, width, 3), np.uint8),
        alpha=np.empty((num_frames, height, width), np.float32),
        depth=np.empty((num_frames, height, width), np.float32),
        part=np.empty((num_frames, height, width), np.int8),
    )
    cameras = np.ascontiguousarray(c2w, np.float64)
    _trace_frames(scene, cameras, np.asarray(K, np.float64), trace.rgb, trace.alpha, trace.depth, trace.part)
    return trace


@njit(fastmath=True, nogil=True, error_model="numpy", cache=True)
def _trace_frames(scene, c2w, K, rgb, alpha, depth, part):
    num_frames, height, width = depth.shape
    near = np.empty(max(scene.shape[0], 1), np.int32)
    color = np.empty(3)
    shaded = np.empty((height, width, 3))
    hits = np.empty((height, width), np.int32)
    for f in range(num_frames):
        for v in range(height):
            for u in range(width):
                k, z = _trace_pixel(scene, c2w[f], K, u + 0.5, v + 0.5, near, color)
                hits[v, u] = k
                depth[f, v, u] = z
                for i in range(3):
                    shaded[v, u, i] = color[i]
        for v in range(height):
            for u in range(width):
                k = hits[v, u]
                if _is_edge(hits, shaded, v, u):
                    k, depth[f, v, u], alpha[f, v, u] = _sample_pixel(scene, c2w[f], K, u, v, near, color)
                else:
                    alpha[f, v, u] = 1.0 if k >= 0 else 0.0
                    for i in range(3):
                        color[i] = shaded[v, u, i]
                part[f, v, u] = scene[k, sdf.PART] if k >= 0 else -1
                for i in range(3):
                    rgb[f, v, u, i] = int(255.0 * color[i] + 0.5)


@njit(fastmath=True, nogil=True, error_model="numpy", cache=True)
def _is_edge(hits, shaded, v, u):
    """Whether a pixel's primitive or colour differs from one of its four neighbours'."""
    height, width = hits.shape
    for side in range(4):
        row, column = v + (side == 0) - (side == 1), u + (side == 2) - (side == 3)
        if row < 0 or column < 0 or row >= height or column >= width:
            continue
        if hits[row, column] != hits[v, u]:
            return True
        contrast = 0.0
        for i in range(3):
            contrast += abs(shaded[row, column, i] - shaded[v, u, i])
        if contrast > EDGE_CONTRAST:
            return True
    return False


@njit(fastmath=True, nogil=True, error_model="numpy", cache=True)
def _sample_pixel(scene, camera, K, u, v, near, color):
    """Average several rays through pixel (u, v) into `color`; return the nearest primitive, its depth, and alpha."""
    red, green, blue, covered = 0.0, 0.0, 0.0, 0
    nearest_k, nearest_z = -1, 0.0
    for s in range(NUM_SAMPLES):
        across = 0.125 + 0.25 * ((2 * s + (s >> 1)) & 3)
        down = 0.125 + 0.25 * s
        k, z = _trace_pixel(scene, camera, K, u + across, v + down, near, color)
        red, green, blue = red + color[0], green + color[1], blue + color[2]
        if k >= 0:
            covered += 1
            if nearest_k < 0 or z < nearest_z:
                nearest_k, nearest_z = k, z
    color[0], color[1], color[2] = red / NUM_SAMPLES, green / NUM_SAMPLES, blue / NUM_SAMPLES
    return nearest_k, nearest_z, covered / NUM_SAMPLES


@njit(fastmath=True, nogil=True, error_model="numpy", cache=True)
def _trace_pixel(scene, camera, K, u, v, near, color):
    """Shade the ray through image point (u, v) into `color`; return the primitive hit (-1: none, white) and its z."""
    ox, oy, oz = camera[0, 3], camera[1, 3], camera[2, 3]
    cx, cy = (u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1]
    dx = camera[0, 0] * cx + camera[0, 1] * cy + camera[0, 2]
    dy = camera[1, 0] * cx + camera[1, 1] * cy + camera[1, 2]
    dz = camera[2, 0] * cx + camera[2, 1] * cy + camera[2, 2]
    scale = 1.0 / math.sqrt(dx * dx + dy * dy + dz * dz)
    dx, dy, dz = dx * scale, dy * scale, dz * scale
    k, t = _march(scene, ox, oy, oz, dx, dy, dz, near)
    if k < 0:
        color[0] = color[1] = color[2] = 1.0
        return -1, 0.0
    shade(scene, k, ox + dx * t, oy + dy * t, oz + dz * t, dx, dy, dz, near, color)
    return k, t * scale


@njit(fastmath=True, nogil=True, error_model="numpy", cache=True)
def _march(scene, ox, oy, oz, dx, dy, dz, near):
    """Return the first primitive that a ray hits and the distance to it; -1 and 0 if none."""
    num_near, start, end = 0, 1e9, 0.0
    for k in range(scene.shape[0]):
        row = scene[k]
        cx, cy, cz = row[sdf.CENTER] - ox, row[sdf.CENTER + 1] - oy, row[sdf.CENTER + 2] - oz
        along = cx * dx + cy * dy + cz * dz
        gap = row[sdf.BOUND] * row[sdf.BOUND] - (cx * cx + cy * cy + cz * cz - along * along)
        if gap > 0.0:
            half = math.sqrt(gap)
            near[num_near] = k
            num_near += 1
            start, end = min(start, along - half), max(end, along + half)
    if num_near == 0:
        return -1, 0.0
    t = max(start, 0.0)
    k, distance = -1, 1e9
    for _ in range(MAX_STEPS):
        distance, k = scene_distance(scene, near, num_near, ox + dx * t, oy + dy * t, oz + dz * t, 1e9)
        if distance < HIT * t:
            break
        t += STEP_SCALE * distance
        if t > end:
            return -1, 0.0
    if distance > 0.02:
        return -1, 0.0
    return k, t + distance
