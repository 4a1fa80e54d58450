"""What a finer surface knows beyond a coarser one, as textures: a normal map and ambient occlusion.

Normal maps are glTF's: tangent space, x along u, y along v as it grows upwards, bytes 0 to 255 for -1 to 1. Tangents
are MikkTSpace's (Mikkelsen, "Simulation of Wrinkled Surfaces Revisited", 2008), which Blender and engines compute from
the UVs: face by face, weighted by the angle at the vertex, orthogonal to its normal, and interpolated without
normalisation. No chart is mirrored, so the bitangent is always cross(normal, tangent).

Shapes: V vertices split at seams, F faces, T texels.
"""

from __future__ import annotations

import numba
import numpy as np
import torch

from recon.camera import Cameras, invert_rigid, project
from recon.mesh_render import rasterize

REACH = 1.0  # voxels: standard deviation of the average over the finer surface's normals
NUM_LIGHTS, SHADOW_PX = 64, 192  # of ambient occlusion, and the size of their depth maps
BIAS = 0.02  # of the subject's radius, that a surface may lie behind what a light sees first


def tangents(vertices: np.ndarray, normals: np.ndarray, uv: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Return unit tangents [V,3], the direction in which u grows."""
    corners, places = vertices[faces], uv[faces].astype(np.float64)  # [F,3,3], [F,3,2]
    e1, e2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    d1, d2 = places[:, 1] - places[:, 0], places[:, 2] - places[:, 0]
    along = d2[:, 1:] * e1 - d1[:, 1:] * e2
    along *= np.sign(d1[:, :1] * d2[:, 1:] - d1[:, 1:] * d2[:, :1])
    sums = np.zeros((len(vertices), 3))
    for k in range(3):
        at = faces[:, k]
        a, b = (corners[:, (k + step) % 3] - corners[:, k] for step in (1, 2))
        angle = np.arctan2(np.linalg.norm(np.cross(a, b), axis=1), (a * b).sum(axis=1))
        np.add.at(sums, at, angle[:, None] * _unit(_across(along, normals[at])))
    flat = np.linalg.norm(sums, axis=1) < 1e-9  # no face gives a direction: any one will do
    sums[flat] = np.eye(3)[np.argmin(np.abs(normals[flat]), axis=1)]
    return _unit(_across(sums, normals))


def normal_map(normals: np.ndarray, along: np.ndarray, fine: np.ndarray) -> np.ndarray:
    """Return the finer surface's normals [T,3] in the tangent space of interpolated normals and tangents, in [0,1]."""
    aside = np.cross(normals, along)
    # Not orthonormal between the vertices, so coordinates solve a linear system, as shaders undo it.
    frame = np.stack([along, aside, normals], axis=-1).astype(np.float64)
    local = np.linalg.solve(frame + 1e-9 * np.eye(3), fine[..., None].astype(np.float64))[..., 0]
    local[:, 2] = np.maximum(local[:, 2], 0.05)  # a map cannot hold what faces away
    return (0.5 + 0.5 * _unit(local)).astype(np.float32)


def fine_normals(
    points: np.ndarray, normals: np.ndarray, vertices: np.ndarray, fine: np.ndarray, voxel: float
) -> np.ndarray:
    """Return the unit normals [T,3] of a fine surface (its vertices and their normals) nearest to points [T,3].

    An average over the vertices within one and a half voxels that face the same way as `normals`; those where none is.
    """
    low = vertices.min(axis=0) - voxel
    cell = np.floor((vertices - low) / voxel).astype(np.int64)
    shape = cell.max(axis=0) + 2
    flat = (cell[:, 0] * shape[1] + cell[:, 1]) * shape[2] + cell[:, 2]
    order = np.argsort(flat, kind="stable")
    start = np.searchsorted(flat[order], np.arange(np.prod(shape) + 1)).astype(np.int32)
    return _averaged(
        points.astype(np.float32),
        normals.astype(np.float32),
        vertices[order].astype(np.float32),
        fine[order].astype(np.float32),
        start,
        shape,
        low.astype(np.float32),
        np.float32(voxel),
    )


def occlusion(vertices: np.ndarray, normals: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Return how much of the light from all sides reaches each vertex, float32 [V], 1 where nothing stands before it.

    The light comes from NUM_LIGHTS directions, each with a depth map; cosine-weighted.
    """
    middle = 0.5 * (vertices.min(axis=0) + vertices.max(axis=0))
    radius = float(np.linalg.norm(vertices - middle, axis=1).max())
    lights = _lights(middle, radius)
    uv, z = project(torch.from_numpy(vertices.astype(np.float32)), lights)
    lit, total = np.zeros(len(vertices)), np.zeros(len(vertices))
    for n in range(len(lights)):
        depth = rasterize(vertices, faces, lights[n])[2]
        column, row = (np.clip(uv[n, :, axis].numpy().astype(int), 0, SHADOW_PX - 1) for axis in (0, 1))
        toward = _unit(lights.centers[n].numpy() - vertices)
        cosine = np.maximum((toward * normals).sum(axis=1), 0.0)
        first = depth[row, column]
        lit += cosine * ((first == 0) | (z[n].numpy() < first + BIAS * radius))
        total += cosine
    return (lit / np.maximum(total, 1e-9)).astype(np.float32)


def _lights(middle: np.ndarray, radius: float) -> Cameras:
    """Return cameras all around, on a golden spiral, so far away that their rays are nearly parallel."""
    steps = (np.arange(NUM_LIGHTS) + 0.5) / NUM_LIGHTS
    heights, turns = 1.0 - 2.0 * steps, np.pi * (3.0 - np.sqrt(5.0)) * np.arange(NUM_LIGHTS)
    flat = np.sqrt(1.0 - heights**2)
    outward = np.stack([flat * np.cos(turns), flat * np.sin(turns), heights], axis=1)
    c2w = np.tile(np.eye(4), (NUM_LIGHTS, 1, 1))
    c2w[:, :3, 0] = _unit(np.cross([0.0, 0.0, 1.0], outward))
    c2w[:, :3, 1] = np.cross(-outward, c2w[:, :3, 0])
    c2w[:, :3, 2] = -outward
    distance = 10.0 * radius
    c2w[:, :3, 3] = middle + distance * outward
    focal = 0.48 * SHADOW_PX * distance / radius
    K = torch.tensor([[focal, 0, SHADOW_PX / 2], [0, focal, SHADOW_PX / 2], [0, 0, 1]], dtype=torch.float32)
    w2c = invert_rigid(torch.from_numpy(c2w.astype(np.float32)))
    return Cameras(K.expand(NUM_LIGHTS, 3, 3), w2c, SHADOW_PX, SHADOW_PX)


def _across(vectors: np.ndarray, normals: np.ndarray) -> np.ndarray:
    return vectors - (vectors * normals).sum(axis=-1, keepdims=True) * normals


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _averaged(points, normals, vertices, fine, start, shape, low, voxel):
    out = normals.copy()
    spread = np.float32(0.5) / (REACH * REACH * voxel * voxel)
    for t in range(len(points)):
        x, y, z = points[t]
        i0, j0, k0 = int((x - low[0]) / voxel), int((y - low[1]) / voxel), int((z - low[2]) / voxel)
        sx, sy, sz = np.float32(0), np.float32(0), np.float32(0)
        for i in range(max(i0 - 1, 0), min(i0 + 2, shape[0])):
            for j in range(max(j0 - 1, 0), min(j0 + 2, shape[1])):
                row = (i * shape[1] + j) * shape[2]
                first, last = start[row + max(k0 - 1, 0)], start[row + min(k0 + 1, shape[2] - 1) + 1]
                for v in range(first, last):
                    nx, ny, nz = fine[v]
                    if nx * normals[t, 0] + ny * normals[t, 1] + nz * normals[t, 2] <= 0:
                        continue
                    dx, dy, dz = vertices[v, 0] - x, vertices[v, 1] - y, vertices[v, 2] - z
                    weight = np.exp(-spread * (dx * dx + dy * dy + dz * dz))
                    sx, sy, sz = sx + weight * nx, sy + weight * ny, sz + weight * nz
        length = np.sqrt(sx * sx + sy * sy + sz * sz)
        if length < 1e-6:
            sx, sy, sz = normals[t]
            length = np.sqrt(sx * sx + sy * sy + sz * sz)
        length = max(length, np.float32(1e-12))
        out[t, 0], out[t, 1], out[t, 2] = sx / length, sy / length, sz / length
    return out
