"""Binary STL of one mesh, for printing.

Frame: z up, front -y, millimetres: what slicers take a bare number for. No colours. The 80 free bytes at its beginning
say so, and what is up.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from trimesh.visual import ColorVisuals

from vid2three import __version__
from vid2three.config import Up
from vid2three.formats.contents import MeshFile, file_bytes, made_mesh, reading
from vid2three.place import FROM_Z_UP, moved, noted_up

MILLIMETRES = 1000.0
HEADER = 80
TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def save_mesh(
    path: Path, mesh: trimesh.Trimesh, *, name: str = "asset", extras: dict[str, Any] | None = None, up: Up = "z"
) -> None:
    """Write a z-up mesh in metres as STL in millimetres; STL has no place for `name` and `extras`."""
    scaled = moved(mesh, np.diag([MILLIMETRES, MILLIMETRES, MILLIMETRES, 1.0]) @ FROM_Z_UP[up])
    table = np.zeros(len(scaled.faces), TRIANGLE)
    table["normal"], table["corners"] = scaled.face_normals, scaled.triangles
    header = f"vid2three {__version__}, {up} up, millimetres".encode().ljust(HEADER)
    path.write_bytes(header + struct.pack("<I", len(table)) + table.tobytes())


def read_mesh(path: Path, up: Up | None = None) -> MeshFile:
    """Read a binary STL in millimetres as a z-up mesh in metres; corners at one place are one vertex again.

    `up` says what is up in it; else its first bytes do, else it is z. Raises ValueError for other files.
    """
    with reading(path, "binary STL"):
        data = file_bytes(path)
        num = struct.unpack_from("<I", data, HEADER)[0]
        if HEADER + 4 + num * TRIANGLE.itemsize != len(data):
            raise ValueError(f"its header claims {num:,} triangles, which {len(data):,} bytes do not hold")
        corners = np.frombuffer(data, TRIANGLE, num, HEADER + 4)["corners"].reshape(-1, 3)
        if not np.isfinite(corners).all():
            raise ValueError("some of its corners are not finite")
        places, joined = np.unique(corners, axis=0, return_inverse=True)
        writer, _, note = data[:HEADER].decode("ascii", "replace").partition(", ")
        axis = up or noted_up(note.partition(" up")[0], "z")
        mesh = made_mesh(places / MILLIMETRES, joined.reshape(-1, 3), ColorVisuals(), axis)
        return MeshFile(mesh, axis, generator=writer if note else "")


MESH_READERS = {".stl": read_mesh}
MESH_SAVERS = {".stl": save_mesh}
