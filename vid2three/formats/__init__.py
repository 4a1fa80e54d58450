"""Files in and out, one module a format. Each turns the world's frame (z up, front -y) to its own and says which.

The tables say which ending is read and written by what; the modules hold their own entries. A reader takes a path (and
what is up in the file, where its format leaves that open) and returns `contents.MeshFile` or `contents.SplatsFile`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from vid2three.config import Up
from vid2three.formats import glb, gltf_splats, obj, ply, sog, splat, spz, stl, usd

What = Literal["mesh", "splats"]

MESH_READERS = {**glb.MESH_READERS, **obj.MESH_READERS, **ply.MESH_READERS, **stl.MESH_READERS, **usd.MESH_READERS}
MESH_SAVERS = {**glb.MESH_SAVERS, **obj.MESH_SAVERS, **ply.MESH_SAVERS, **stl.MESH_SAVERS, **usd.MESH_SAVERS}
SPLAT_READERS = {
    **gltf_splats.SPLAT_READERS,
    **ply.SPLAT_READERS,
    **sog.SPLAT_READERS,
    **splat.SPLAT_READERS,
    **spz.SPLAT_READERS,
    **usd.SPLAT_READERS,
}
SPLAT_SAVERS = {
    **gltf_splats.SPLAT_SAVERS,
    **ply.SPLAT_SAVERS,
    **sog.SPLAT_SAVERS,
    **splat.SPLAT_SAVERS,
    **spz.SPLAT_SAVERS,
    **usd.SPLAT_SAVERS,
}
HOLDS_SPLATS: dict[str, Callable[[Path], bool]] = {
    ".glb": gltf_splats.holds_splats,
    ".ply": ply.holds_splats,
    **dict.fromkeys(usd.ENDINGS, usd.holds_splats),
}
"""Endings that mesh and splats share, and how to tell which it is."""
DEFAULT_UP: dict[What, dict[str, Up]] = {
    "mesh": {".glb": "y", ".obj": "y", ".ply": "z", ".stl": "z", **dict.fromkeys(usd.ENDINGS, "z")},
    "splats": {
        ".glb": "y",
        ".ply": "z",
        ".sog": "y-down",
        ".splat": "y-down",
        ".spz": "y",
        **dict.fromkeys(usd.ENDINGS, "z"),
    },
}
"""What is up in a file unless another axis is asked for."""
FIXED_UP = {"mesh": (".glb",), "splats": (".glb", ".sog", ".spz")}
"""Endings whose format fixes that."""


def kind_of(path: Path) -> What:
    """Say whether a file holds a mesh or splats. Raises ValueError for an unknown ending and for a broken file."""
    suffix = path.suffix.lower()
    if suffix in HOLDS_SPLATS:
        return "splats" if HOLDS_SPLATS[suffix](path) else "mesh"
    if suffix in SPLAT_READERS:
        return "splats"
    if suffix in MESH_READERS:
        return "mesh"
    endings = ", ".join(sorted({*MESH_READERS, *SPLAT_READERS}))
    raise ValueError(f"'{path.name}' is no mesh and no splats by its name; endings: {endings}.")
