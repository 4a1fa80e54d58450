"""Base colour of a mesh from the pictures it was reconstructed from, as a texture.

Each texel takes a robust blend of the pictures that see its point best. All weights change steadily over the surface
and know nothing of charts, so that no seam shows. Then the mesh is drawn with its texture from every camera, and what
the pictures have beyond it is put back, round by round: Irani and Peleg, "Improving Resolution by Image Registration",
1991. Where no picture shows anything, the vertex colours remain.

Shapes: N views of H x W pixels, V vertices, F faces, T texels that belong to a chart, K views a texel, texture S x S.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import torch
from scipy import ndimage
from torch.nn.functional import interpolate

from recon import camera
from recon.mesh_color import MIN_COSINE, TONE, clean_pixels
from recon.mesh_render import rasterize, read_texture
from recon.unwrap import Texels, to_texels
from recon.views import Views

NUM_VIEWS = 6  # that a texel is blended from, at most
SHARPNESS = 4.0  # power of how large a view shows the surface: more takes less from views at an angle
HOLD = 0.01  # weight of the vertex colours; a view head-on has 1
EDGE_PX = 4.0  # from where a picture stops showing one surface, over which its weight rises to full
RASTER = 512  # pixels of a drawing's longer side at least: pixels are means of so many points of the texture


@dataclass(frozen=True, eq=False)
class _Sources:
    """Where in the pictures each texel is seen."""

    view: np.ndarray
    """int64 [T,K]; the weight is 0 where there is none."""
    pixel: np.ndarray
    """Column and row, float32 [T,K,2]."""
    weight: np.ndarray
    """float32 [T,K]; with HOLD they add up to 1."""


def bake(
    vertices: np.ndarray,
    normals: np.ndarray,
    colors: np.ndarray,
    uv: np.ndarray,
    faces: np.ndarray,
    views: Views,
    texels: Texels,
    size: int,
    tolerance: float,
    rounds: int = 2,
) -> tuple[np.ndarray, float]:
    """Return the texture, float32 [S,S,3] in sRGB, and the share of the covered texels that no view sees.

    Vertices are split at seams; `colors` [V,3] are what to show where no view sees the surface. A texel is seen where
    it lies no deeper than `tolerance` (world units) behind the nearest surface.
    """
    points = texels.mean(vertices, faces)
    facing = texels.mean(normals, faces)
    base = texels.mean(colors, faces)
    clean = clean_pixels(views, np.stack([rasterize(vertices, faces, views.cameras[n])[2] for n in range(len(views))]))
    drawing, depths = _drawing(vertices, uv, faces, views, size)
    sources, blend = _blended(points, facing, base, views, depths, clean, tolerance)
    texture = np.zeros((size, size, 3), np.float32)
    flat = texture.reshape(-1, 3)
    flat[texels.index] = blend
    images = views.images.numpy()
    for _ in range(rounds):
        left = _residuals(texture, drawing, images, clean)
        flat[texels.index] += _gathered(left, clean, sources.view, sources.pixel, sources.weight)
        np.clip(flat, 0.0, 1.0, out=flat)
    inside = texels.weights.min(axis=1) >= 0
    unseen = float((sources.weight.sum(axis=1)[inside] == 0).mean())
    known = np.zeros((size, size), bool)
    known.flat[texels.index] = True
    return filled(texture, known), unseen


def filled(picture: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Fill the unknown texels of a picture [S,S,C] from the known ones around them, near ones first (push-pull).

    Gortler et al., "The Lumigraph", SIGGRAPH 1996.
    """
    if known.all() or not known.any():
        return picture
    height, width = known.shape
    padded = np.pad(picture * known[..., None], ((0, height % 2), (0, width % 2), (0, 0)))
    count = np.pad(known.astype(np.float32), ((0, height % 2), (0, width % 2)))
    sums = _by_fours(padded)
    counts = _by_fours(count)
    coarse = filled(sums / np.maximum(counts, 1)[..., None], counts > 0)
    layers = torch.from_numpy(np.ascontiguousarray(coarse.transpose(2, 0, 1), np.float32))[None]
    behind = interpolate(layers, scale_factor=2, mode="bilinear")[0].numpy().transpose(1, 2, 0)
    return np.where(known[..., None], picture, behind[:height, :width]).astype(np.float32)


def _by_fours(picture: np.ndarray) -> np.ndarray:
    """Add up each square of four texels."""
    return picture[::2, ::2] + picture[1::2, ::2] + picture[::2, 1::2] + picture[1::2, 1::2]


def _blended(
    points: np.ndarray,
    normals: np.ndarray,
    base: np.ndarray,
    views: Views,
    depths: np.ndarray,
    clean: np.ndarray,
    tolerance: float,
) -> tuple[_Sources, np.ndarray]:
    """Choose each texel's views, and blend what they show [T,3]."""
    edge = np.stack([np.minimum(np.asarray(ndimage.distance_transform_edt(mask)) / EDGE_PX, 1.0) for mask in clean])
    matrices = (views.cameras.K @ views.cameras.w2c[:, :3]).numpy()
    centers = views.cameras.centers.numpy()
    middle = 0.5 * (points.min(axis=0) + points.max(axis=0))
    distance = float(np.median(np.linalg.norm(centers - middle, axis=1)))
    view, pixel, weight, blend = _choose(
        points,
        normals,
        base,
        views.images.numpy(),
        depths,
        clean,
        edge.astype(np.float32),
        matrices,
        centers,
        tolerance,
        distance,
        np.array([SHARPNESS, HOLD, TONE, MIN_COSINE]),
        min(NUM_VIEWS, len(views)),
    )
    return _Sources(view, pixel, weight), blend


def _drawing(
    vertices: np.ndarray, uv: np.ndarray, faces: np.ndarray, views: Views, size: int
) -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray]:
    """Return, for each view, the points that its pixels are means of: pixels [P] and places in the texture [P,2].

    And their z, as finer depth maps [N,rH,rW].
    """
    height, width = views.cameras.height, views.cameras.width
    finer = max(2, round(RASTER / max(height, width)))
    cameras = camera.resized(views.cameras, finer * height, finer * width)
    places = to_texels(uv, size).astype(np.float32)
    parts, depths = [], []
    for n in range(len(views)):
        face, weights, depth = rasterize(vertices, faces, cameras[n])
        row, column = np.nonzero(face >= 0)
        corners = faces[face[row, column]]
        place = np.einsum("pk,pkc->pc", weights[row, column], places[corners])
        pixel = ((row // finer) * width + column // finer).astype(np.int32)
        parts.append((pixel, place.astype(np.float32)))
        depths.append(depth)
    return parts, np.stack(depths)


def _residuals(
    texture: np.ndarray, drawing: list[tuple[np.ndarray, np.ndarray]], images: np.ndarray, clean: np.ndarray
) -> np.ndarray:
    """Return what the pictures show beyond the drawn texture, float32 [N,H,W,3], less of it where that is much."""
    left = np.zeros_like(images)
    for n, (pixel, place) in enumerate(drawing):
        shown = _means(read_texture(texture, place), pixel, clean[n].size).reshape(images[n].shape)
        beyond = np.where(clean[n][..., None], images[n] - shown, 0.0)
        far = (beyond**2).sum(axis=-1, keepdims=True) / TONE**2
        left[n] = beyond / (1.0 + far)
    return left


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _means(values, pixel, num_pixels):
    """Average values [P,3] that fall into the same pixel."""
    means = np.zeros((num_pixels, 3), np.float32)
    count = np.zeros(num_pixels, np.float32)
    for p in range(len(pixel)):
        count[pixel[p]] += 1
        for channel in range(3):
            means[pixel[p], channel] += values[p, channel]
    for p in range(num_pixels):
        for channel in range(3):
            means[p, channel] /= max(count[p], np.float32(1.0))
    return means


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _read(pictures, clean, n, u, v, out):
    """Read the clean pixels around a place in picture n, bilinearly, into out [3]; returns how clean it is there."""
    height, width = clean.shape[1], clean.shape[2]
    x, y = u - np.float32(0.5), v - np.float32(0.5)
    left, top = int(np.floor(x)), int(np.floor(y))
    x, y = x - left, y - top
    total = np.float32(0.0)
    out[:] = 0.0
    for i in range(2):
        for j in range(2):
            row, column = top + i, left + j
            if row < 0 or column < 0 or row >= height or column >= width or not clean[n, row, column]:
                continue
            weight = (y if i else 1 - y) * (x if j else 1 - x)
            total += weight
            for channel in range(3):
                out[channel] += weight * pictures[n, row, column, channel]
    if total > 0:
        for channel in range(3):
            out[channel] /= total
    return total


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _level(values, u, v):
    """Read values [H,W] bilinearly, 0 outside."""
    x, y = u - 0.5, v - 0.5
    left, top = int(np.floor(x)), int(np.floor(y))
    x, y = x - left, y - top
    total = 0.0
    for i in range(2):
        for j in range(2):
            row, column = top + i, left + j
            if 0 <= row < values.shape[0] and 0 <= column < values.shape[1]:
                total += (y if i else 1 - y) * (x if j else 1 - x) * values[row, column]
    return total


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _choose(points, normals, base, images, depths, clean, edge, matrices, centers, tolerance, distance, how, most):
    sharpness, hold, tone, min_cosine = how
    num, height, width = clean.shape
    finer = depths.shape[1] // height
    view = np.zeros((len(points), most), np.int64)
    pixel = np.zeros((len(points), most, 2), np.float32)
    weight = np.zeros((len(points), most), np.float32)
    blend = np.empty((len(points), 3), np.float32)
    seen = np.zeros((most, 3), np.float32)
    colour = np.zeros(3, np.float32)
    for t in range(len(points)):
        px, py, pz = points[t]
        nx, ny, nz = normals[t]
        length = np.sqrt(nx * nx + ny * ny + nz * nz)
        found = 0
        for n in range(num):
            dx, dy, dz = centers[n, 0] - px, centers[n, 1] - py, centers[n, 2] - pz
            away = np.sqrt(dx * dx + dy * dy + dz * dz)
            cosine = (dx * nx + dy * ny + dz * nz) / max(away * length, 1e-12)
            if cosine <= min_cosine:
                continue
            m = matrices[n]
            z = m[2, 0] * px + m[2, 1] * py + m[2, 2] * pz + m[2, 3]
            if z <= 0.0:
                continue
            u = (m[0, 0] * px + m[0, 1] * py + m[0, 2] * pz + m[0, 3]) / z
            v = (m[1, 0] * px + m[1, 1] * py + m[1, 2] * pz + m[1, 3]) / z
            if u < 0.0 or v < 0.0 or u >= width or v >= height:
                continue
            behind = z - depths[n, int(v * finer), int(u * finer)]
            if behind > tolerance:
                continue
            sure = _level(edge[n], u, v) * min(1.0, 2.0 - 2.0 * behind / tolerance)
            if sure <= 0.0:
                continue
            steep = (cosine - min_cosine) / (1.0 - min_cosine)
            w = sure * (steep * distance * distance / (away * away)) ** sharpness
            place = found
            if found < most:
                found += 1
            elif w <= weight[t, most - 1]:
                continue
            else:
                place = most - 1
            while place > 0 and weight[t, place - 1] < w:
                weight[t, place] = weight[t, place - 1]
                view[t, place] = view[t, place - 1]
                pixel[t, place] = pixel[t, place - 1]
                place -= 1
            weight[t, place], view[t, place] = w, n
            pixel[t, place, 0], pixel[t, place, 1] = u, v
        for k in range(found):
            _read(images, clean, view[t, k], pixel[t, k, 0], pixel[t, k, 1], colour)
            seen[k] = colour
        _blend(seen, weight[t], found, base[t], hold, tone, blend[t])
    return view, pixel, weight, blend


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _blend(seen, weight, found, base, hold, tone, out):
    """Average colours robustly: three rounds of weighting by the distance from the mean. Weights are scaled to 1."""
    trust = np.ones(len(weight), np.float32)
    for _ in range(3):
        total = hold
        for channel in range(3):
            out[channel] = hold * base[channel]
        for k in range(found):
            total += trust[k] * weight[k]
            for channel in range(3):
                out[channel] += trust[k] * weight[k] * seen[k, channel]
        for channel in range(3):
            out[channel] /= total
        for k in range(found):
            apart = 0.0
            for channel in range(3):
                apart += (seen[k, channel] - out[channel]) ** 2
            trust[k] = 1.0 / (1.0 + apart / (tone * tone)) ** 2
    for k in range(found):
        weight[k] *= trust[k] / total


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _gathered(left, clean, view, pixel, weight):
    """Return the mean of the residuals that the views have at each texel [T,3]."""
    out = np.zeros((len(view), 3), np.float32)
    colour = np.zeros(3, np.float32)
    for t in range(len(view)):
        for k in range(view.shape[1]):
            if weight[t, k] > 0:
                _read(left, clean, view[t, k], pixel[t, k, 0], pixel[t, k, 1], colour)
                for channel in range(3):
                    out[t, channel] += weight[t, k] * colour[channel]
    return out
