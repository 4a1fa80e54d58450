"""Binary glTF 2.0 of one mesh with a texture or vertex colours.

Frame: glTF's, right-handed, y up, front +z, metres. In memory a mesh is z up with its front at -y and its vertex
colours are sRGB bytes; glTF wants linear light, so COLOR_0 holds linear colours in 16 bits. With a texture there is no
COLOR_0, which would be multiplied with it. Textures are PNGs inside the file, and v grows downwards. Equal input, equal
bytes.
"""

from __future__ import annotations

import io
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
from vid2three.config import Up
from vid2three.formats.contents import MeshFile, made_mesh, reading
from vid2three.formats.gltf import (
    ELEMENT_ARRAY_BUFFER,
    FLOAT,
    TRIANGLES,
    UINT,
    USHORT,
    Buffer,
    Glb,
    load_glb,
    save_glb,
)
from vid2three.formats.images import read_image
from vid2three.place import FROM_Z_UP, moved

ROUGHNESS = 0.9  # matte: what was reconstructed has its highlights baked into the colours
LINEAR, LINEAR_MIPMAP_LINEAR, CLAMP_TO_EDGE = 9729, 9987, 33071
TEXTURES = ("baseColorTexture", "normalTexture", "occlusionTexture")  # trimesh's names are glTF's
MOST_PIXELS = 2**26  # of a texture that is read: 8192 x 8192


def save_mesh(
    path: Path, mesh: trimesh.Trimesh, *, name: str = "asset", extras: dict[str, Any] | None = None, up: Up = "y"
) -> None:
    """Write a z-up mesh as GLB; `name` becomes the object's name, `extras` is kept under asset.extras.

    A GLB is always y up.
    """
    turned = moved(mesh, FROM_Z_UP[up])
    pictures = textures(turned)
    buffer = Buffer()
    attributes = {
        key: buffer.add_array(values, component, kind, **facts)
        for key, (values, component, kind, facts) in _attributes(turned, pictures).items()
    }
    indices = buffer.add_array(np.asarray(turned.faces).ravel(), UINT, "SCALAR", ELEMENT_ARRAY_BUFFER)
    material: dict[str, Any] = {
        "name": name,
        "pbrMetallicRoughness": {"baseColorFactor": [1, 1, 1, 1], "metallicFactor": 0, "roughnessFactor": ROUGHNESS},
        "doubleSided": False,
    }
    images = []
    for index, (key, picture) in enumerate(pictures.items()):
        (material["pbrMetallicRoughness"] if key == "baseColorTexture" else material)[key] = {"index": index}
        view = buffer.add_bytes(png(picture))
        images.append({"name": key.removesuffix("Texture"), "mimeType": "image/png", "bufferView": view})
    primitive = {"attributes": attributes, "indices": indices, "material": 0, "mode": TRIANGLES}
    header = {
        "asset": {"version": "2.0", "generator": f"vid2three {__version__}", "extras": extras or {}},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": name, "mesh": 0}],
        "meshes": [{"name": name, "primitives": [primitive]}],
        "materials": [material],
    }
    if images:
        header["images"] = images
        header["textures"] = [{"source": index, "sampler": 0} for index in range(len(images))]
        sampler = {"magFilter": LINEAR, "minFilter": LINEAR_MIPMAP_LINEAR}
        header["samplers"] = [{**sampler, "wrapS": CLAMP_TO_EDGE, "wrapT": CLAMP_TO_EDGE}]
    save_glb(path, header, buffer)


def read_mesh(path: Path, up: Up | None = None) -> MeshFile:
    """Read a GLB that `save_mesh` wrote, z up again, with its texture or sRGB vertex colours.

    Raises ValueError for other files.
    """
    with reading(path, "GLB of a mesh as vid2three writes it"):
        glb = load_glb(path)
        primitive = glb.primitive
        if primitive.get("mode", TRIANGLES) != TRIANGLES:
            raise ValueError("it holds no triangles")
        arrays = {key: glb.array(index) for key, index in primitive["attributes"].items()}
        faces = glb.array(primitive["indices"]).reshape(-1, 3)
        lengths = {len(values) for values in arrays.values()}
        if lengths != {len(arrays["POSITION"])}:
            raise ValueError("its attributes differ in length")
        if "TEXCOORD_0" in arrays:
            maps = _load_textures(glb)
            uv = arrays["TEXCOORD_0"].astype(np.float64) * np.array([1, -1]) + np.array([0, 1])
            if not np.isfinite(uv).all():
                raise ValueError("some of its UVs are not finite")
            visual = TextureVisuals(uv=uv, material=PBRMaterial(**maps))
        else:
            visual = ColorVisuals(vertex_colors=_srgb_bytes(arrays["COLOR_0"][:, :3]))
        mesh = made_mesh(arrays["POSITION"], faces, visual, up or "y")
        name = str(glb.header["nodes"][0].get("name", "asset"))
        return MeshFile(mesh, up or "y", name, glb.extras, glb.generator)


def load_mesh(path: Path) -> trimesh.Trimesh:
    """Read the mesh of a GLB, z up again; see `read_mesh`."""
    return read_mesh(path).mesh


def textures(mesh: trimesh.Trimesh) -> dict[str, Image.Image]:
    """Return the pictures of a mesh's material by their glTF names; none for one with vertex colours."""
    material = getattr(mesh.visual, "material", None)
    found = {key: getattr(material, key, None) for key in TEXTURES}
    return {key: picture for key, picture in found.items() if picture is not None}


def load_header(path: Path) -> dict[str, Any]:
    """Read the JSON part of a GLB. Raises ValueError for other files."""
    with reading(path, "GLB"):
        return load_glb(path).header


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


def _load_textures(glb: Glb) -> dict[str, Any]:
    header = glb.header
    material = header["materials"][0]
    named = {**material, **material["pbrMetallicRoughness"]}
    maps = {}
    for key in TEXTURES:
        if key in named:
            source = header["images"][header["textures"][named[key]["index"]]["source"]]
            maps[key] = read_image(glb.view(source["bufferView"]), MOST_PIXELS)
    return maps


def png(picture: Image.Image) -> bytes:
    """Return a picture as the bytes of a PNG."""
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=False, compress_level=6)
    return buffer.getvalue()


def _linear_bytes(srgb: np.ndarray) -> np.ndarray:
    """Turn sRGB bytes [V,3] into linear 16-bit RGBA [V,4]."""
    linear = np.round(65535 * srgb_to_linear(srgb / 255)).astype(np.uint16)
    return np.concatenate([linear, np.full((len(linear), 1), 65535, np.uint16)], axis=1)


def _srgb_bytes(linear: np.ndarray) -> np.ndarray:
    if linear.dtype != np.dtype("<u2"):
        raise ValueError("its colours are not in 16 bits")
    return np.round(255 * linear_to_srgb(linear / 65535)).astype(np.uint8)


MESH_READERS = {".glb": read_mesh}
MESH_SAVERS = {".glb": save_mesh}
