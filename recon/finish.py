"""From a closed surface to what an artist opens: fewer triangles, UVs, a texture, and what it says of the light."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import trimesh
from PIL import Image
from scipy import sparse
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from recon import mesh_color, surface_detail, texture
from recon.config import MeshConfig
from recon.decimate import decimate
from recon.delight import delighted
from recon.unwrap import Texels, texels, unwrap, welded
from recon.views import Views

log = logging.getLogger(__name__)

EVEN_PX = 2.0  # pixels of the views that normals are averaged over before views are weighed by them
LOD_SHARES = (0.5, 0.25, 0.1)  # of the faces, of the coarser copies


def check_config(config: MeshConfig) -> None:
    """Raise ValueError for settings from which no mesh can come."""
    if config.texture_size != 0 and not 64 <= config.texture_size <= 8192:
        raise ValueError(f"texture_size must be 0 or lie between 64 and 8192, not at {config.texture_size}.")
    if config.texture_size == 0 and (config.normal_map or config.ambient_occlusion):
        raise ValueError("A normal map and ambient occlusion are textures; give texture_size as well.")
    if config.denoise < 0:
        raise ValueError(f"denoise is a number of rounds, or 0, not {config.denoise}.")
    if config.disc_steps < 0:
        raise ValueError(f"disc_steps is a number of steps, or 0, not {config.disc_steps}.")
    if not 0 <= config.lods <= len(LOD_SHARES):
        raise ValueError(f"There are up to {len(LOD_SHARES)} coarser copies of a mesh, not {config.lods}.")


def finished(fine: trimesh.Trimesh, views: Views, config: MeshConfig, voxel: float) -> trimesh.Trimesh:
    """Thin a closed surface out to `num_faces`, and dress it from the views.

    With a texture the vertices are split at its seams, and `recon.unwrap.welded` joins them again; without, the mesh
    has vertex colours. `metadata["unseen_share"]` is the share of the texels (vertices) whose colour no view shows.
    """
    vertices, faces = decimate(np.asarray(fine.vertices), np.asarray(fine.faces), config.num_faces)
    return _dressed(trimesh.Trimesh(vertices, faces, process=False), fine, views, config, voxel)


def coarser(mesh: trimesh.Trimesh, views: Views, config: MeshConfig, level: int) -> trimesh.Trimesh:
    """Return a finished mesh with a share of its triangles, LOD_SHARES[level - 1], dressed anew."""
    geometry, _ = welded(mesh)
    voxel = float(geometry.extents.max()) / config.resolution
    num_faces = round(LOD_SHARES[level - 1] * len(mesh.faces))
    vertices, faces = decimate(np.asarray(geometry.vertices), np.asarray(geometry.faces), num_faces)
    return _dressed(trimesh.Trimesh(vertices, faces, process=False), geometry, views, config, voxel)


def _dressed(
    mesh: trimesh.Trimesh, fine: trimesh.Trimesh, views: Views, config: MeshConfig, voxel: float
) -> trimesh.Trimesh:
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    normals = np.asarray(mesh.vertex_normals)
    colors, seen = mesh_color.paint(vertices, faces, normals, views, 2.0 * voxel)
    if seen < 0.5 and views.alphas is not None:  # of a scene, the back of the block is never seen
        log.warning("Only %.0f %% of the mesh is seen by a view; the rest took on its neighbours' colours.", 100 * seen)
    if config.texture_size == 0:
        if config.delight:
            colors = delighted(colors, normals)
        opaque = np.concatenate([np.round(255 * colors), np.full((len(colors), 1), 255)], axis=1).astype(np.uint8)
        painted = trimesh.Trimesh(vertices, faces, vertex_colors=opaque, process=False)
        painted.metadata["unseen_share"] = 1.0 - seen
        return painted
    size = config.texture_size
    origin, uv, faces = unwrap(vertices, faces, size)
    vertices, normals = vertices[origin], normals[origin]
    atlas = texels(uv, faces, size)
    even = _even_normals(mesh, views)[origin]
    picture, unseen = texture.bake(vertices, even, colors[origin], uv, faces, views, atlas, size, tolerance=2.0 * voxel)
    if config.delight:
        facing = atlas.mean(normals, faces)
        facing /= np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-12)
        picture = _spread(atlas, delighted(picture.reshape(-1, 3)[atlas.index], facing), size)
    maps: dict[str, Any] = {"baseColorTexture": _image(picture)}
    if config.normal_map:
        maps["normalTexture"] = _image(_normal_map(vertices, normals, uv, faces, fine, atlas, size, voxel))
    if config.ambient_occlusion:
        light = surface_detail.occlusion(vertices, normals, faces)
        maps["occlusionTexture"] = _image(_spread(atlas, atlas.mean(light[:, None], faces), size)[..., 0])
    visual = TextureVisuals(uv=uv, material=PBRMaterial(**maps))
    textured = trimesh.Trimesh(vertices, faces, visual=visual, process=False)
    textured.metadata["unseen_share"] = unseen
    return textured


def _even_normals(mesh: trimesh.Trimesh, views: Views) -> np.ndarray:
    """Return the vertices' normals, averaged over about a pixel of the views: what is finer they cannot vouch for."""
    edges = np.asarray(mesh.edges_unique)
    length = float(np.mean(mesh.edges_unique_length))
    away = np.linalg.norm(views.cameras.centers.numpy() - mesh.bounds.mean(axis=0), axis=1)
    pixel = float(np.median(away / views.cameras.K[:, 0, 0].numpy()))
    normals = np.asarray(mesh.vertex_normals)
    around = sparse.coo_matrix((np.ones(len(edges)), edges.T), (len(normals), len(normals))).tocsr()
    around = around + around.T
    for _ in range(min(round((EVEN_PX * pixel / length) ** 2), 50)):
        normals = normals + around @ normals / np.maximum(np.asarray(around.sum(axis=1)), 1.0)
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return normals


def _normal_map(
    vertices: np.ndarray,
    normals: np.ndarray,
    uv: np.ndarray,
    faces: np.ndarray,
    fine: trimesh.Trimesh,
    atlas: Texels,
    size: int,
    voxel: float,
) -> np.ndarray:
    """Return what the fine surface's normals are in the coarse one's tangent space, [S,S,3]."""
    facing = atlas.mean(normals, faces)
    along = atlas.mean(surface_detail.tangents(vertices, normals, uv, faces), faces)
    points = atlas.mean(vertices, faces)
    detail = surface_detail.fine_normals(
        points, facing, np.asarray(fine.vertices), np.asarray(fine.vertex_normals), voxel
    )
    return _spread(atlas, surface_detail.normal_map(facing, along, detail), size)


def _spread(atlas: Texels, values: np.ndarray, size: int) -> np.ndarray:
    """Lay values of the texels [T,C] out as a picture [S,S,C] without gaps."""
    picture = np.zeros((size, size, values.shape[1]), np.float32)
    picture.reshape(size * size, -1)[atlas.index] = values
    known = np.zeros((size, size), bool)
    known.flat[atlas.index] = True
    return texture.filled(picture, known)


def _image(picture: np.ndarray) -> Image.Image:
    return Image.fromarray(np.round(255.0 * np.clip(picture, 0.0, 1.0)).astype(np.uint8))
