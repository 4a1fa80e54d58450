"""Binary STL of one mesh, for printing.

Frame: z up, front -y, millimetres: what slicers take a bare number for. No colours.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from vid2three.place import moved

MILLIMETRES = 1000.0


def save_mesh(path: Path, mesh: trimesh.Trimesh, *, name: str = "asset", extras: dict[str, Any] | None = None) -> None:
    """Write a z-up mesh in metres as STL in millimetres; STL has no place for `name` and `extras`."""
    scaled = moved(mesh, np.diag([MILLIMETRES, MILLIMETRES, MILLIMETRES, 1.0]))
    path.write_bytes(scaled.export(file_type="stl"))  # type: ignore[arg-type]


MESH_SAVERS = {".stl": save_mesh}
