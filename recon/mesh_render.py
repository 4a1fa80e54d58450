"""Pictures of a coloured or textured mesh: a small z-buffer rasteriser in Numba.

Colours and places in the texture are interpolated perspective-correct, colours in sRGB, textures bilinearly. Each
picture is drawn at twice its size and averaged, which gives soft edges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import torch
import trimesh
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d
from trimesh.visual import ColorVisuals, TextureVisuals

from recon.camera import Cameras, project, resized
from recon.unwrap import smooth_normals, to_texels

SUPERSAMPLING = 2
NEAR = 1e-6  # faces that reach behind the camera are dropped: the subject stands before it
GREY = 0.7  # of meshes without vertex colours
AMBIENT = 0.35  # share of the light that comes from everywhere; the rest is a lamp at the camera


@dataclass(frozen=True, eq=False)
class MeshRender:
    """Pictures of a mesh from N cameras."""

    rgb: Float[Tensor, "n h w 3"]
    """Composited on the background."""
    alpha: Float[Tensor, "n h w"]
    """Coverage in quarters, from the supersampling."""
    depth: Float[Tensor, "n h w"]
    """z of the surface, the mean over the covered part of the pixel; 0 where there is none."""


def render_mesh(
    mesh: trimesh.Trimesh,
    cameras: Cameras,
    *,
    background: Float[Tensor, " 3"] | None = None,
    shaded: bool = False,
) -> MeshRender:
    """Draw a mesh with its texture, else its vertex colours, unlit, on black unless a background is given.

    `shaded` lights it from the camera, by the vertex normals, so that the form can be judged. Both sides of a face are
    seen. Meshes without colours come out grey.
    """
    vertices = np.asarray(mesh.vertices, np.float32)
    faces = np.ascontiguousarray(mesh.faces, np.int64)
    texture = base_color(mesh)
    values = vertex_colors(mesh) if texture is None else to_texels(np.asarray(mesh.visual.uv), len(texture))  # type: ignore[union-attr]
    normals = smooth_normals(mesh) if shaded else None
    fine = resized(cameras, SUPERSAMPLING * cameras.height, SUPERSAMPLING * cameras.width)
    rgb, depths = [], []
    for n in range(len(fine)):
        face, weights, depth = rasterize(vertices, faces, fine[n])
        hit = face >= 0
        corners, shares = faces[face[hit]], weights[hit][..., None]
        seen = (shares * values[corners]).sum(axis=1)
        if texture is not None:
            seen = read_texture(texture, seen.astype(np.float32))
        if normals is not None:
            toward = cameras.centers[n].numpy() - vertices
            facing = np.abs((toward * normals).sum(axis=1)) / np.linalg.norm(toward, axis=1)
            seen = seen * (AMBIENT + (1.0 - AMBIENT) * (shares[..., 0] * facing[corners]).sum(axis=1))[:, None]
        picture = np.zeros((*face.shape, 3), np.float32)
        picture[hit] = seen
        rgb.append(torch.from_numpy(picture))
        depths.append(torch.from_numpy(depth))
    return _averaged(torch.stack(rgb), torch.stack(depths), background)


def rasterize(vertices: np.ndarray, faces: np.ndarray, camera: Cameras) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the nearest face at every pixel's centre, of one camera.

    Returns its index [H,W] (-1 where none), the weights of its corners there [H,W,3] (0 where none), and z [H,W].
    """
    uv, z = project(torch.from_numpy(np.asarray(vertices, np.float32)), camera)
    return _rasterize(uv[0].numpy(), z[0].numpy(), faces, camera.height, camera.width)


def base_color(mesh: trimesh.Trimesh) -> np.ndarray | None:
    """Return the texture of a mesh, float32 [S,S,3] in sRGB, or None where it has no square one."""
    visual = mesh.visual
    if not isinstance(visual, TextureVisuals) or visual.uv is None:
        return None
    picture = getattr(visual.material, "baseColorTexture", None)
    if picture is None or picture.height != picture.width:
        return None
    return np.asarray(picture.convert("RGB"), np.float32) / 255.0


@numba.njit(nogil=True, error_model="numpy", cache=True)
def read_texture(texture, places):
    """Read a texture [S,S,C] bilinearly at columns and rows float32 [P,2]; returns float32 [P,C]."""
    size, channels = texture.shape[0], texture.shape[2]
    out = np.empty((len(places), channels), np.float32)
    for p in range(len(places)):
        x, y = places[p, 0] - np.float32(0.5), places[p, 1] - np.float32(0.5)
        column = min(max(int(np.floor(x)), 0), size - 2)
        row = min(max(int(np.floor(y)), 0), size - 2)
        x, y = x - column, y - row
        for c in range(channels):
            above = texture[row, column, c] + x * (texture[row, column + 1, c] - texture[row, column, c])
            below = texture[row + 1, column, c] + x * (texture[row + 1, column + 1, c] - texture[row + 1, column, c])
            out[p, c] = above + y * (below - above)
    return out


def vertex_colors(mesh: trimesh.Trimesh) -> np.ndarray:
    """Return the vertex colours float32 [V,3] in [0,1], read from the texture if there is one, grey if nothing is."""
    visual, texture = mesh.visual, base_color(mesh)
    if texture is not None:
        return read_texture(texture, to_texels(np.asarray(visual.uv), len(texture)).astype(np.float32))  # type: ignore[union-attr]
    if isinstance(visual, TextureVisuals):
        visual = visual.to_color()
    if isinstance(visual, ColorVisuals) and visual.kind == "vertex":
        return np.asarray(visual.vertex_colors, np.float32)[:, :3] / 255.0
    return np.full((len(mesh.vertices), 3), GREY, np.float32)


def _averaged(rgb: Tensor, depth: Tensor, background: Tensor | None) -> MeshRender:
    """Bring supersampled pictures down to size."""
    hit = (depth > 0).to(rgb.dtype)
    alpha = avg_pool2d(hit, SUPERSAMPLING)
    premultiplied = avg_pool2d((rgb * hit[..., None]).movedim(-1, 1), SUPERSAMPLING).movedim(1, -1)
    behind = rgb.new_zeros(3) if background is None else background.to(rgb)
    return MeshRender(
        rgb=premultiplied + (1 - alpha[..., None]) * behind,
        alpha=alpha,
        depth=avg_pool2d(depth, SUPERSAMPLING) / alpha.clamp(min=1.0 / SUPERSAMPLING**2),
    )


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _rasterize(uv, z, faces, height, width):
    nearest = np.full((height, width), -1, np.int64)
    weights = np.zeros((height, width, 3), np.float32)
    depth = np.zeros((height, width), np.float32)
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        if z[a] <= NEAR or z[b] <= NEAR or z[c] <= NEAR:
            continue
        ax, ay, bx, by, cx, cy = uv[a, 0], uv[a, 1], uv[b, 0], uv[b, 1], uv[c, 0], uv[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0.0:
            continue
        left = max(int(np.floor(min(ax, bx, cx) - 0.5)), 0)
        right = min(int(np.ceil(max(ax, bx, cx) - 0.5)), width - 1)
        top = max(int(np.floor(min(ay, by, cy) - 0.5)), 0)
        bottom = min(int(np.ceil(max(ay, by, cy) - 0.5)), height - 1)
        for row in range(top, bottom + 1):
            for column in range(left, right + 1):
                u, v = column + 0.5, row + 0.5
                wa = ((bx - u) * (cy - v) - (by - v) * (cx - u)) / area
                wb = ((cx - u) * (ay - v) - (cy - v) * (ax - u)) / area
                wc = 1.0 - wa - wb
                if wa < 0.0 or wb < 0.0 or wc < 0.0:
                    continue
                # Weights on the picture over z are, but for their sum, the weights on the surface.
                wa, wb, wc = wa / z[a], wb / z[b], wc / z[c]
                here = 1.0 / (wa + wb + wc)
                if depth[row, column] == 0.0 or here < depth[row, column]:
                    depth[row, column] = here
                    nearest[row, column] = f
                    weights[row, column] = (here * wa, here * wb, here * wc)
    return nearest, weights, depth
