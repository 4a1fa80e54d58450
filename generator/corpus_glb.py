"""Read the packed GLBs of the CC0 corpus as triangles with a colour at each corner; textures are sampled and dropped.

Only what these files hold: one mesh, quantised positions, normals or none (flat), COLOR_0 in linear RGBA or an embedded
sRGB texture. T triangles; positions stay in the file's axes (y up, front +z), centred on the bounding sphere.
"""

from __future__ import annotations

import io
import json
import struct
from dataclasses import dataclass

import numpy as np
from PIL import Image

_TYPES = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
_INSET = 0.8  # a corner's texel is read this far from the centroid, clear of its neighbours in a palette
_VARIED = 30  # 8-bit levels between a triangle's texels that make it worth splitting
_MAX_SPLITS = 5


@dataclass(frozen=True)
class Soup:
    """Triangles that share nothing."""

    positions: np.ndarray
    """float32 [T,3,3]."""
    normals: np.ndarray | None
    """float32 [T,3,3], unit; None where the model is flat shaded."""
    colors: np.ndarray
    """uint8 [T,3,3], sRGB."""


def read_glb(data: bytes, fine_edge: float = 0.06) -> Soup | None:
    """Read a model; None if part of it is see-through, which an opaque rasteriser cannot draw.

    Textured triangles over varied texels are split until their edges are shorter than `fine_edge`.
    """
    length = struct.unpack_from("<I", data, 12)[0]
    document, blob = json.loads(data[20 : 20 + length]), data[28 + length :]
    parts = []
    for primitive in document["meshes"][0]["primitives"]:
        material = document["materials"][primitive["material"]]
        if material.get("alphaMode") == "BLEND":
            return None
        parts.append(_read_primitive(document, blob, primitive, material, fine_edge))
    smooth = all(part.normals is not None for part in parts)
    return Soup(
        np.concatenate([part.positions for part in parts]),
        np.concatenate([part.normals for part in parts]) if smooth else None,
        np.concatenate([part.colors for part in parts]),
    )


def _read_primitive(document: dict, blob: bytes, primitive: dict, material: dict, fine_edge: float) -> Soup:
    attributes = primitive["attributes"]
    faces = _accessor(document, blob, primitive["indices"]).reshape(-1, 3).astype(np.int64)
    scale = np.asarray(document["nodes"][0].get("scale", [1, 1, 1]), np.float32)
    positions = _accessor(document, blob, attributes["POSITION"])[faces].astype(np.float32) * scale
    normals = None
    if "NORMAL" in attributes:
        normals = _accessor(document, blob, attributes["NORMAL"])[faces]
        normals = normals / np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    colors = np.ones((*faces.shape, 3), np.float32)
    if "COLOR_0" in attributes:
        colors = _accessor(document, blob, attributes["COLOR_0"])[faces][..., :3]
    colors = _encode_srgb(colors)
    texture = material["pbrMetallicRoughness"].get("baseColorTexture")
    if texture is not None:
        source = document["images"][document["textures"][texture["index"]]["source"]]
        image = np.asarray(Image.open(io.BytesIO(_view(document, blob, source["bufferView"]))).convert("RGBA"))
        uv = _accessor(document, blob, attributes["TEXCOORD_0"])[faces]
        cutoff = material.get("alphaCutoff", 0.5) if material.get("alphaMode") == "MASK" else 0.0
        return _sample_texture(positions, normals, uv, image, 255 * cutoff, fine_edge)
    return Soup(positions, normals, colors)


def _accessor(document: dict, blob: bytes, index: int) -> np.ndarray:
    """Return an accessor's rows; normalised integers become floats in [-1,1]."""
    accessor = document["accessors"][index]
    dtype, width = np.dtype(_TYPES[accessor["componentType"]]), _WIDTHS[accessor["type"]]
    stride = document["bufferViews"][accessor["bufferView"]].get("byteStride", width * dtype.itemsize)
    rows = np.frombuffer(_view(document, blob, accessor["bufferView"]), dtype)
    rows = rows.reshape(accessor["count"], stride // dtype.itemsize)[:, :width]
    if not accessor.get("normalized"):
        return rows
    return np.maximum(rows.astype(np.float32) / np.iinfo(dtype).max, -1)


def _view(document: dict, blob: bytes, index: int) -> bytes:
    view = document["bufferViews"][index]
    start = view.get("byteOffset", 0)
    return blob[start : start + view["byteLength"]]


def _encode_srgb(linear: np.ndarray) -> np.ndarray:
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)
    return (255 * encoded.clip(0, 1)).round().astype(np.uint8)


def _sample_texture(
    positions: np.ndarray,
    normals: np.ndarray | None,
    uv: np.ndarray,
    image: np.ndarray,
    cutoff: float,
    fine_edge: float,
) -> Soup:
    """Give corners the texels near them, split what is varied, and drop what the texture cuts out."""
    attributes = [positions, uv] if normals is None else [positions, uv, normals]
    done: list[list[np.ndarray]] = []
    for level in range(_MAX_SPLITS + 1):
        texels = _texels(image, attributes[1])
        edges = np.linalg.norm(attributes[0] - np.roll(attributes[0], 1, axis=1), axis=-1).max(axis=1)
        spread = np.ptp(_texels(image, attributes[1], dense=True).astype(int), axis=1).max(axis=1)
        split = (edges > fine_edge) & (spread > _VARIED) & (level < _MAX_SPLITS)
        kept = ~split & (texels[..., 3].mean(axis=1) >= cutoff)
        done.append([a[kept] for a in attributes] + [texels[kept]])
        attributes = [_quarters(a[split]) for a in attributes]
    joined = [np.concatenate(parts) for parts in zip(*done)]
    if normals is None:
        return Soup(joined[0], None, joined[-1][..., :3])
    smooth = joined[2] / np.maximum(np.linalg.norm(joined[2], axis=-1, keepdims=True), 1e-9)
    return Soup(joined[0], smooth, joined[-1][..., :3])


def _texels(image: np.ndarray, uv: np.ndarray, dense: bool = False) -> np.ndarray:
    """Return the texels [T,3,4] just inside each triangle's corners, or [T,N,4] of points all over it."""
    height, width = image.shape[:2]
    if dense:
        steps = 8
        weights = np.array([(i, j, steps - i - j) for i in range(steps + 1) for j in range(steps + 1 - i)]) / steps
    else:
        weights = np.eye(3)
    weights = (_INSET * weights + (1 - _INSET) / 3).astype(np.float32)
    points = weights @ uv  # T,N,2
    column, row = np.floor(points[..., 0] * width).astype(int), np.floor(points[..., 1] * height).astype(int)
    return image[row % height, column % width]


def _quarters(corners: np.ndarray) -> np.ndarray:
    """Split triangles [T,3,D] in four at the middles of their edges: [4T,3,D]."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
    parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    return np.concatenate([np.stack(part, axis=1) for part in parts])
