"""Binary glTF 2.0 of one mesh with a texture or vertex colours.

Frame: glTF's, right-handed, y up, front +z, metres. In memory a mesh is z up with its front at -y and its vertex
colours are sRGB bytes; glTF wants linear light, so COLOR_0 holds linear colours in 16 bits. With a texture there is no
COLOR_0, which would be multiplied with it. Textures are PNGs inside the file, and v grows downwards. Equal input, equal
bytes.
"""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from PIL import Image
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import PBRMaterial

from recon.surface_detail import tangents
from recon.unwrap import smooth_normals
from vid2three import __version__
from vid2three.place import Y_UP_FROM_Z_UP, moved

ROUGHNESS = 0.9  # matte: what was reconstructed has its highlights baked into the colours
FLOAT, USHORT, UINT = 5126, 5123, 5125  # glTF's component types
ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER = 34962, 34963
NUMPY_TYPES = {5120: np.int8, 5121: np.uint8, 5122: np.int16, USHORT: np.uint16, UINT: np.uint32, FLOAT: np.float32}
COMPONENTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
LINEAR, LINEAR_MIPMAP_LINEAR, CLAMP_TO_EDGE = 9729, 9987, 33071
TEXTURES = ("baseColorTexture", "normalTexture", "occlusionTexture")  # trimesh's names are glTF's


def save_mesh(path: Path, mesh: trimesh.Trimesh, *, name: str = "asset", extras: dict[str, Any] | None = None) -> None:
    """Write a z-up mesh as GLB; `name` becomes the object's name, `extras` is kept under asset.extras."""
    turned = moved(mesh, Y_UP_FROM_Z_UP)
    pictures = textures(turned)
    attributes = _attributes(turned, pictures)
    indices = (np.asarray(turned.faces, np.uint32).ravel(), UINT, "SCALAR", {})
    views, accessors, body = [], [], b""
    for values, component, kind, facts in [*attributes.values(), indices]:
        data = values.astype(values.dtype.newbyteorder("<")).tobytes()
        target = ELEMENT_ARRAY_BUFFER if kind == "SCALAR" else ARRAY_BUFFER
        accessors.append({"bufferView": len(views), "componentType": component, "count": len(values), "type": kind})
        accessors[-1].update(facts)
        views.append({"buffer": 0, "byteOffset": len(body), "byteLength": len(data), "target": target})
        body += data  # every array is a multiple of four bytes long
    material: dict[str, Any] = {
        "name": name,
        "pbrMetallicRoughness": {"baseColorFactor": [1, 1, 1, 1], "metallicFactor": 0, "roughnessFactor": ROUGHNESS},
        "doubleSided": False,
    }
    images = []
    for index, (key, picture) in enumerate(pictures.items()):
        (material["pbrMetallicRoughness"] if key == "baseColorTexture" else material)[key] = {"index": index}
        data = _png(picture)
        images.append({"name": key.removesuffix("Texture"), "mimeType": "image/png", "bufferView": len(views)})
        views.append({"buffer": 0, "byteOffset": len(body), "byteLength": len(data)})
        body += data + bytes(-len(data) % 4)
    places = {key: index for index, key in enumerate(attributes)}
    primitive = {"attributes": places, "indices": len(attributes), "material": 0, "mode": 4}
    header = {
        "asset": {"version": "2.0", "generator": f"vid2three {__version__}", "extras": extras or {}},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": name, "mesh": 0}],
        "meshes": [{"name": name, "primitives": [primitive]}],
        "materials": [material],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(body)}],
    }
    if images:
        header["images"] = images
        header["textures"] = [{"source": index, "sampler": 0} for index in range(len(images))]
        sampler = {"magFilter": LINEAR, "minFilter": LINEAR_MIPMAP_LINEAR}
        header["samplers"] = [{**sampler, "wrapS": CLAMP_TO_EDGE, "wrapT": CLAMP_TO_EDGE}]
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 4)
    size = 12 + 8 + len(text) + 8 + len(body)
    path.write_bytes(
        struct.pack("<4sII", b"glTF", 2, size)
        + struct.pack("<I4s", len(text), b"JSON")
        + text
        + struct.pack("<I4s", len(body), b"BIN\0")
        + body
    )


def load_mesh(path: Path) -> trimesh.Trimesh:
    """Read a GLB that `save_mesh` wrote, z up again, with its texture or sRGB vertex colours.

    Raises ValueError for other files.
    """
    header, body = _chunks(path)
    try:
        primitive = header["meshes"][0]["primitives"][0]
        arrays = {key: _accessor(header, body, index) for key, index in primitive["attributes"].items()}
        faces = _accessor(header, body, primitive["indices"]).reshape(-1, 3)
        if "TEXCOORD_0" in arrays:
            maps = _load_textures(header, body)
            uv = arrays["TEXCOORD_0"] * np.array([1, -1]) + np.array([0, 1])
            visual = TextureVisuals(uv=uv, material=PBRMaterial(**maps))
        else:
            visual = ColorVisuals(vertex_colors=_srgb_bytes(arrays["COLOR_0"][:, :3]))
        mesh = trimesh.Trimesh(arrays["POSITION"], faces, visual=visual, process=False)
    except (KeyError, IndexError, ValueError):
        raise ValueError(f"{path} is not a mesh that vid2three wrote; run `vid2three make` again.") from None
    return moved(mesh, np.linalg.inv(Y_UP_FROM_Z_UP))


def textures(mesh: trimesh.Trimesh) -> dict[str, Image.Image]:
    """Return the pictures of a mesh's material by their glTF names; none for one with vertex colours."""
    material = getattr(mesh.visual, "material", None)
    found = {key: getattr(material, key, None) for key in TEXTURES}
    return {key: picture for key, picture in found.items() if picture is not None}


def load_header(path: Path) -> dict[str, Any]:
    """Read the JSON part of a GLB."""
    return _chunks(path)[0]


def srgb_to_linear(srgb: np.ndarray) -> np.ndarray:
    """Decode sRGB values in [0,1] (IEC 61966-2-1)."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(linear: np.ndarray) -> np.ndarray:
    """Undo `srgb_to_linear`."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _attributes(mesh: trimesh.Trimesh, pictures: dict[str, Image.Image]) -> dict[str, tuple]:
    """Return the arrays of the vertices with glTF's type, shape and limits."""
    positions = np.asarray(mesh.vertices, np.float32)
    normals = smooth_normals(mesh)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = np.where(lengths > 0.5, normals / np.maximum(lengths, 1e-12), (0, 1, 0))
    limits = {"min": positions.min(0).tolist(), "max": positions.max(0).tolist()}
    arrays: dict[str, tuple] = {
        "POSITION": (positions, FLOAT, "VEC3", limits),
        "NORMAL": (normals.astype(np.float32), FLOAT, "VEC3", {}),
    }
    if not pictures:
        colors = _linear_bytes(np.asarray(mesh.visual.vertex_colors)[:, :3])  # type: ignore[union-attr]
        return {**arrays, "COLOR_0": (colors, USHORT, "VEC4", {"normalized": True})}
    uv = np.asarray(mesh.visual.uv)  # type: ignore[union-attr]
    if "normalTexture" in pictures:
        along = tangents(np.asarray(mesh.vertices), normals, uv, np.asarray(mesh.faces))
        handed = np.concatenate([along, np.ones((len(along), 1))], axis=1).astype(np.float32)
        arrays["TANGENT"] = (handed, FLOAT, "VEC4", {})
    down = np.stack([uv[:, 0], 1.0 - uv[:, 1]], axis=1).astype(np.float32)
    return {**arrays, "TEXCOORD_0": (down, FLOAT, "VEC2", {})}


def _load_textures(header: dict[str, Any], body: bytes) -> dict[str, Any]:
    material = header["materials"][0]
    named = {**material, **material["pbrMetallicRoughness"]}
    maps = {}
    for key in TEXTURES:
        if key in named:
            source = header["images"][header["textures"][named[key]["index"]]["source"]]
            view = header["bufferViews"][source["bufferView"]]
            data = body[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
            maps[key] = Image.open(io.BytesIO(data))
            maps[key].load()
    return maps


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=False, compress_level=6)
    return buffer.getvalue()


def _linear_bytes(srgb: np.ndarray) -> np.ndarray:
    """Turn sRGB bytes [V,3] into linear 16-bit RGBA [V,4]."""
    linear = np.round(65535 * srgb_to_linear(srgb / 255)).astype(np.uint16)
    return np.concatenate([linear, np.full((len(linear), 1), 65535, np.uint16)], axis=1)


def _srgb_bytes(linear: np.ndarray) -> np.ndarray:
    return np.round(255 * linear_to_srgb(linear / 65535)).astype(np.uint8)


def _chunks(path: Path) -> tuple[dict[str, Any], bytes]:
    data = path.read_bytes()
    if len(data) < 28 or data[:4] != b"glTF":
        raise ValueError(f"{path} is no GLB file; run `vid2three make` again.")
    (length,) = struct.unpack_from("<I", data, 12)
    return json.loads(data[20 : 20 + length]), data[28 + length :]


def _accessor(header: dict[str, Any], body: bytes, index: int) -> np.ndarray:
    accessor = header["accessors"][index]
    view = header["bufferViews"][accessor["bufferView"]]
    columns = COMPONENTS[accessor["type"]]
    kind = np.dtype(NUMPY_TYPES[accessor["componentType"]]).newbyteorder("<")
    return np.frombuffer(body, kind, accessor["count"] * columns, view["byteOffset"]).reshape(-1, columns)


MESH_LOADERS = {".glb": load_mesh}
MESH_SAVERS = {".glb": save_mesh}
