"""Wavefront OBJ of one mesh with vertex colours.

Frame: y up, front +z, metres: what Blender's and most other OBJ readers take by default. Colours stand behind the
position, `v x y z r g b`, as sRGB in [0,1]; Blender, MeshLab and Open3D read them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from vid2three import __version__
from vid2three.place import Y_UP_FROM_Z_UP, moved


def save_mesh(path: Path, mesh: trimesh.Trimesh, *, name: str = "asset", extras: dict[str, Any] | None = None) -> None:
    """Write a z-up mesh as OBJ; `extras` become comment lines."""
    turned = moved(mesh, Y_UP_FROM_Z_UP)
    colors = np.asarray(turned.visual.vertex_colors)[:, :3] / 255  # type: ignore[union-attr]
    lines = [f"# vid2three {__version__}", *(f"# {key}: {_one_line(value)}" for key, value in (extras or {}).items())]
    lines.append(f"o {name}")
    lines += ["v " + " ".join(f"{number:.6g}" for number in row) for row in np.hstack([turned.vertices, colors])]
    lines += ["vn " + " ".join(f"{number:.4f}" for number in row) for row in turned.vertex_normals]
    lines += ["f " + " ".join(f"{corner}//{corner}" for corner in face) for face in turned.faces + 1]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _one_line(value: Any) -> str:
    return " ".join(str(value).split())


MESH_SAVERS = {".obj": save_mesh}
