"""Wavefront OBJ of one mesh with a texture or vertex colours.

Frame: y up, front +z, metres: what Blender's and most other OBJ readers take by default. A texture lies beside the file
as PNG, and an MTL names it. Vertex colours stand behind the position, `v x y z r g b`, as sRGB in [0,1]; Blender,
MeshLab and Open3D read them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from recon.unwrap import welded
from vid2three import __version__
from vid2three.formats.glb import textures
from vid2three.place import Y_UP_FROM_Z_UP, moved


def save_mesh(path: Path, mesh: trimesh.Trimesh, *, name: str = "asset", extras: dict[str, Any] | None = None) -> None:
    """Write a z-up mesh as OBJ; `extras` become comment lines. A texture goes to the same name with .mtl and .png."""
    turned = moved(mesh, Y_UP_FROM_Z_UP)
    lines = [f"# vid2three {__version__}", *(f"# {key}: {_one_line(value)}" for key, value in (extras or {}).items())]
    picture = textures(turned).get("baseColorTexture")
    if picture is None:
        colors = np.asarray(turned.visual.vertex_colors)[:, :3] / 255  # type: ignore[union-attr]
        lines += [f"o {name}", *_rows("v", np.hstack([turned.vertices, colors]), ".6g")]
        lines += _rows("vn", turned.vertex_normals, ".4f")
        corners = [[f"{corner}//{corner}" for corner in face] for face in turned.faces + 1]
    else:
        picture.save(path.with_suffix(".png"), format="PNG", optimize=False, compress_level=6)
        facts = [f"newmtl {name}", "Kd 1 1 1", "Ks 0 0 0", "illum 1", f"map_Kd {path.stem}.png"]
        path.with_suffix(".mtl").write_text("\n".join(facts) + "\n", encoding="utf-8")
        geometry, joined = welded(turned)
        lines += [f"mtllib {path.stem}.mtl", f"o {name}", *_rows("v", np.asarray(geometry.vertices), ".6g")]
        lines += _rows("vt", np.asarray(turned.visual.uv), ".6f")  # type: ignore[union-attr]
        lines += [*_rows("vn", geometry.vertex_normals, ".4f"), f"usemtl {name}"]
        place = joined + 1
        corners = [[f"{place[corner]}/{corner + 1}/{place[corner]}" for corner in face] for face in turned.faces]
    lines += ["f " + " ".join(face) for face in corners]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _rows(word: str, values: np.ndarray, form: str) -> list[str]:
    return [f"{word} " + " ".join(f"{number:{form}}" for number in row) for row in values]


def _one_line(value: Any) -> str:
    return " ".join(str(value).split())


MESH_SAVERS = {".obj": save_mesh}
