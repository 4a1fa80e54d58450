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
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import PBRMaterial

from recon.unwrap import welded
from vid2three import __version__
from vid2three.config import Up
from vid2three.formats.contents import MeshFile, file_bytes, made_mesh, reading
from vid2three.formats.glb import MOST_PIXELS, textures
from vid2three.formats.images import read_image
from vid2three.place import FROM_Z_UP, moved, noted_up


def save_mesh(
    path: Path, mesh: trimesh.Trimesh, *, name: str = "asset", extras: dict[str, Any] | None = None, up: Up = "y"
) -> None:
    """Write a z-up mesh as OBJ; `extras` become comment lines. A texture goes to the same name with .mtl and .png."""
    turned = moved(mesh, FROM_Z_UP[up])
    facts = {**(extras or {}), "up": up}
    lines = [f"# vid2three {__version__}", *(f"# {key}: {_one_line(value)}" for key, value in facts.items())]
    picture = textures(turned).get("baseColorTexture")
    if picture is None:
        colors = np.asarray(turned.visual.vertex_colors)[:, :3] / 255  # type: ignore[union-attr]
        lines += [f"o {name}", *_rows("v", np.hstack([turned.vertices, colors]), ".6g")]
        lines += _rows("vn", turned.vertex_normals, ".4f")
        corners = [[f"{corner}//{corner}" for corner in face] for face in turned.faces + 1]
    else:
        picture.save(path.with_suffix(".png"), format="PNG", optimize=False, compress_level=6)
        material = [f"newmtl {name}", "Kd 1 1 1", "Ks 0 0 0", "illum 1", f"map_Kd {path.stem}.png"]
        path.with_suffix(".mtl").write_text("\n".join(material) + "\n", encoding="utf-8")
        geometry, joined = welded(turned)
        lines += [f"mtllib {path.stem}.mtl", f"o {name}", *_rows("v", np.asarray(geometry.vertices), ".6g")]
        lines += _rows("vt", np.asarray(turned.visual.uv), ".6f")  # type: ignore[union-attr]
        lines += [*_rows("vn", geometry.vertex_normals, ".4f"), f"usemtl {name}"]
        place = joined + 1
        corners = [[f"{place[corner]}/{corner + 1}/{place[corner]}" for corner in face] for face in turned.faces]
    lines += ["f " + " ".join(face) for face in corners]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_mesh(path: Path, up: Up | None = None) -> MeshFile:
    """Read an OBJ of one mesh, z up again, with the texture beside it or its vertex colours.

    Polygons become triangles, and only faces, places, UVs and colours are read. The names of other files in it are not
    followed: a texture is the PNG of the same name beside it. `up` says what is up in it; else its comment does, else
    it is y. Raises ValueError for other files.
    """
    with reading(path, "OBJ of a mesh"):
        lines = file_bytes(path).decode("utf-8", "replace").splitlines()
        comments = dict(_note(line) for line in lines if line.startswith("# ") and ": " in line)
        axis = up or noted_up(comments.pop("up", ""), "y")
        rows = [words for words in (line.split() for line in lines) if words]
        name = next((" ".join(words[1:]) for words in rows if words[0] == "o"), "asset")
        places = [list(map(float, words[1:7])) for words in rows if words[0] == "v"]
        uvs = [list(map(float, words[1:3])) for words in rows if words[0] == "vt"]
        corners = _triangles(rows, len(places), len(uvs))  # F 3 2
        if len({len(place) for place in places}) != 1 or len(places[0]) not in (3, 6):
            raise ValueError("its vertices are not three places, or three places and a colour")
        points = np.array(places)
        if not len(corners):
            raise ValueError("it holds no faces")
        picture = path.with_suffix(".png")
        if uvs and (corners[..., 1] >= 0).all() and picture.is_file():
            pairs, joined = np.unique(corners.reshape(-1, 2), axis=0, return_inverse=True)
            material = PBRMaterial(baseColorTexture=read_image(picture.read_bytes(), MOST_PIXELS))
            visual = TextureVisuals(uv=np.array(uvs, np.float64)[pairs[:, 1]], material=material)
            mesh = made_mesh(points[pairs[:, 0]], joined.reshape(-1, 3), visual, axis)
        else:
            colors = np.round(255 * points[:, 3:].clip(0, 1)).astype(np.uint8) if points.shape[1] == 6 else None
            mesh = made_mesh(points[:, :3], corners[..., 0], ColorVisuals(vertex_colors=colors), axis)
        writer = lines[0].removeprefix("# ") if lines[0].startswith("# vid2three ") else ""
        return MeshFile(mesh, axis, name, comments, writer)


def _triangles(rows: list[list[str]], num_places: int, num_uvs: int) -> np.ndarray:
    """Return the corners of all triangles [F,3,2]: a place and a UV, or -1 where there is none; from 0 on."""
    triangles = []
    for words in rows:
        if words[0] != "f":
            continue
        face = [_corner(word, num_places, num_uvs) for word in words[1:]]
        triangles += [(face[0], face[index], face[index + 1]) for index in range(1, len(face) - 1)]
    return np.array(triangles, np.int64).reshape(-1, 3, 2)


def _corner(word: str, num_places: int, num_uvs: int) -> tuple[int, int]:
    """Return the place and the UV of a corner such as 3/7/3 or -1, counted from 0; no UV is -1."""
    numbers = [int(part) if part else 0 for part in word.split("/")]
    place, uv = numbers[0], numbers[1] if len(numbers) > 1 else 0
    place = place - 1 if place > 0 else num_places + place
    uv = uv - 1 if uv >= 0 else num_uvs + uv
    if not (0 <= place < num_places and -1 <= uv < num_uvs):
        raise ValueError(f"a face in it names the corner {word!r}, which is not there")
    return place, uv


def _note(line: str) -> tuple[str, str]:
    key, _, value = line.removeprefix("# ").partition(": ")
    return key, value


def _rows(word: str, values: np.ndarray, form: str) -> list[str]:
    return [f"{word} " + " ".join(f"{number:{form}}" for number in row) for row in values]


def _one_line(value: Any) -> str:
    return " ".join(str(value).split())


MESH_READERS = {".obj": read_mesh}
MESH_SAVERS = {".obj": save_mesh}
