"""Vertex colours of a mesh from the pictures it was reconstructed from.

First each vertex takes a robust blend of the pictures that see it best; then all colours together are moved so that
the mesh, drawn from the cameras, comes nearest to the pictures (linear least squares over the pixels).

Shapes: N views of H x W pixels, V vertices, F faces.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage, sparse
from torch.nn.functional import grid_sample

from recon.camera import project
from recon.mesh_render import rasterize
from recon.views import Views, premultiplied

MIN_COSINE = 0.15  # views at a flatter angle show nothing of a vertex
JUMP = 16.0  # in depth between neighbours, in widths of a pixel: more than a surface at MIN_COSINE makes
SOLID = 0.9  # least alpha of a pixel that is believed: mixed edge pixels carry the background
MOST_PIXELS = 1_000_000  # that colours are fitted to: evenly chosen where there are more, to spare memory
TONE = 0.1  # colours further from the median than this count little


def paint(
    vertices: np.ndarray, faces: np.ndarray, normals: np.ndarray, views: Views, tolerance: float, rounds: int = 15
) -> tuple[np.ndarray, float]:
    """Return colours float32 [V,3] in [0,1] and the share of the vertices that a view sees.

    A vertex is seen where it lies no deeper than `tolerance` (world units) behind the nearest surface. Vertices that no
    view sees take on their neighbours' colours.
    """
    drawn = [rasterize(vertices, faces, views.cameras[n]) for n in range(len(views))]
    depths = np.stack([depth for _, _, depth in drawn])
    clean = clean_pixels(views, depths)
    colors, weights = _samples(vertices, normals, views, depths, clean, tolerance)
    blended, seen = _robust_blend(colors, weights)
    spread = _spread(blended, seen, faces)
    return _fitted(spread, faces, drawn, views, clean, rounds), float(seen.mean())


def clean_pixels(views: Views, depths: np.ndarray) -> np.ndarray:
    """Tell which pixels [N,H,W] show one surface alone: no background mixed in, and no jump in depth beside them."""
    focal = views.cameras.K[:, 0, 0].numpy()[:, None, None]
    high = ndimage.maximum_filter(depths, size=(1, 3, 3))
    low = -ndimage.maximum_filter(np.where(depths > 0, -depths, -np.inf), size=(1, 3, 3))
    clean = (depths > 0) & (high - low < JUMP * depths / focal)
    return clean if views.alphas is None else clean & (views.alphas.numpy() > SOLID)


def _samples(
    vertices: np.ndarray, normals: np.ndarray, views: Views, depths: np.ndarray, clean: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return what each view shows at each vertex: colours [N,V,3] and weights [N,V], 0 where it doesn't see it.

    The weight is how large the surface around the vertex appears: its cosine over the squared distance.
    """
    points = torch.from_numpy(vertices.astype(np.float32))
    uv, z = project(points, views.cameras)  # [N,V,2], [N,V]
    height, width = views.cameras.height, views.cameras.width
    layers = premultiplied(views).movedim(-1, 1)  # [N,4,H,W]
    scaled = 2.0 * uv / uv.new_tensor([width, height]) - 1.0
    read = grid_sample(layers, scaled[:, :, None], padding_mode="border", align_corners=False)[..., 0]  # [N,4,V]
    colors = (read[:, :3] / read[:, 3:].clamp(min=1e-3)).movedim(1, -1).numpy()
    column, row = (uv[..., axis].nan_to_num(-1).clamp(-1, 1e6).floor().long().numpy() for axis in (0, 1))
    inside = (column >= 0) & (row >= 0) & (column < width) & (row < height) & (z.numpy() > 0)
    view = np.arange(len(views))[:, None]
    row, column = np.where(inside, row, 0), np.where(inside, column, 0)
    toward = views.cameras.centers[:, None] - points
    distance = toward.norm(dim=-1).numpy()
    cosine = (toward * torch.from_numpy(normals.astype(np.float32))).sum(dim=-1).numpy() / distance
    seen = inside & clean[view, row, column] & (cosine > MIN_COSINE)
    seen &= z.numpy() < depths[view, row, column] + tolerance
    return colors, np.where(seen, cosine / distance**2, 0.0)


def _robust_blend(colors: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average colours [N,V,3] near their weighted median; returns [V,3] and which vertices any view sees [V].

    For the median all views count that see the vertex well, for the average those that look at it head-on.
    """
    order = np.argsort(colors, axis=0, kind="stable")
    sorted_weights = np.take_along_axis(np.broadcast_to(weights[..., None], colors.shape), order, axis=0)
    running = np.cumsum(sorted_weights, axis=0)
    middle = np.argmax(running >= 0.5 * running[-1:], axis=0)[None]
    median = np.take_along_axis(np.take_along_axis(colors, order, axis=0), middle, axis=0)
    apart = np.linalg.norm(colors - median, axis=-1) / TONE
    weights = weights**4 / (1.0 + apart**2) ** 2
    weights /= np.maximum(weights.max(axis=0), 1e-30)
    total = weights.sum(axis=0)
    return (weights[..., None] * colors).sum(axis=0) / np.maximum(total, 1e-12)[:, None], total > 0


def _spread(colors: np.ndarray, known: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Give unknown vertices their neighbours' colours, from the rim inwards, and even them out.

    Grey if none is known.
    """
    if not known.any():
        return np.full_like(colors, 0.5)
    around = _adjacency(faces, len(colors))
    colors, filled = np.where(known[:, None], colors, 0.0), known.copy()
    while not filled.all():
        count = around @ filled.astype(np.float64)
        rim = ~filled & (count > 0)
        if not rim.any():  # a part of its own that nobody sees
            colors[~filled] = colors[known].mean(axis=0)
            break
        colors[rim] = (around[rim] @ (colors * filled[:, None])) / count[rim][:, None]
        filled |= rim
    hidden = np.flatnonzero(~known)
    degree = np.asarray(around.sum(axis=1)).ravel()
    for _ in range(50 if len(hidden) else 0):
        colors[hidden] = (around[hidden] @ colors) / degree[hidden][:, None]
    return colors


def _fitted(
    colors: np.ndarray,
    faces: np.ndarray,
    drawn: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
    views: Views,
    clean: np.ndarray,
    rounds: int,
) -> np.ndarray:
    """Move vertex colours until the drawn mesh comes nearest to the pictures, with two rounds of reweighting."""
    pixels, targets = [], []
    every = max(int(clean.sum()) // MOST_PIXELS, 1)
    for n, (face, weights, _) in enumerate(drawn):
        row, column = (index[::every] for index in np.nonzero(clean[n]))
        pixels.append((faces[face[row, column]], weights[row, column]))
        targets.append(views.images[n].numpy()[row, column])
    corner = np.concatenate([c for c, _ in pixels])  # [P,3] vertices
    weight = np.concatenate([w for _, w in pixels])  # [P,3]
    target = np.concatenate(targets).astype(np.float64)  # [P,3] rgb
    start = np.arange(0, 3 * len(corner) + 1, 3)
    drawing = sparse.csr_matrix((weight.ravel().astype(np.float64), corner.ravel(), start), (len(corner), len(colors)))
    fitted = colors.astype(np.float64)
    for _ in range(2):
        error = np.linalg.norm(drawing @ fitted - target, axis=1)
        trust = sparse.diags(1.0 / (1.0 + (error / TONE) ** 2))
        normal = drawing.T @ trust @ drawing
        hold = 0.1 * normal.diagonal().mean()  # towards the blend: vertices few pixels see stay there
        matrix = normal + hold * sparse.identity(len(colors))
        fitted = _conjugate_gradients(matrix, drawing.T @ (trust @ target) + hold * colors, fitted, rounds)
    return np.clip(fitted, 0.0, 1.0).astype(np.float32)


def _conjugate_gradients(matrix: sparse.spmatrix, right: np.ndarray, x: np.ndarray, rounds: int) -> np.ndarray:
    """Solve a symmetric positive definite system for several right-hand sides at once."""
    residual = right - matrix @ x
    direction, size = residual, (residual**2).sum(axis=0)
    for _ in range(rounds):
        along = matrix @ direction
        step = size / np.maximum((direction * along).sum(axis=0), 1e-30)
        x = x + step * direction
        residual = residual - step * along
        before, size = size, (residual**2).sum(axis=0)
        direction = residual + size / np.maximum(before, 1e-30) * direction
    return x


def _adjacency(faces: np.ndarray, num_vertices: int) -> sparse.csr_matrix:
    """Return the symmetric 0/1 matrix [V,V] of vertices that share an edge."""
    one = np.concatenate([faces[:, 0], faces[:, 1], faces[:, 2]])
    two = np.concatenate([faces[:, 1], faces[:, 2], faces[:, 0]])
    links = sparse.csr_matrix((np.ones(len(one)), (one, two)), (num_vertices, num_vertices))
    return ((links + links.T) > 0).astype(np.float64).tocsr()
