"""PLY: splats in the layout of 3DGS (arXiv:2308.04079), and meshes with vertex colours.

Frame of splats: the world of the cameras as it is, z up where `make` made it, its units. Values before activation:
opacity is a logit, scale a natural logarithm, rot wxyz; f_rest holds all of red, then green, then blue.
Frame of meshes: z up, front -y, metres (Blender's default for PLY).
PLY has no word for axes; where others are asked for, the comment `up` tells our reader.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh
from trimesh.visual import ColorVisuals

from recon.mesh_render import vertex_colors
from recon.render import Primitive
from recon.splats import Splats
from recon.unwrap import welded
from vid2three import __version__
from vid2three.config import Up
from vid2three.formats.contents import (
    MeshFile,
    SplatsFile,
    check_finite,
    file_bytes,
    made_mesh,
    made_splats,
    reading,
)
from vid2three.place import FROM_Z_UP, moved, noted_up, turned

TYPES = {"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"}
TYPES |= {
    "float": "f4",
    "double": "f8",
    "int8": "i1",
    "uint8": "u1",
    "int16": "i2",
    "uint16": "u2",
    "int32": "i4",
    "uint32": "u4",
}
TYPES |= {"float32": "f4", "float64": "f8"}
NAMES = {"u1": "uchar", "i4": "int", "f4": "float"}  # of what is written here
ORDERS = {"ascii": "=", "binary_little_endian": "<", "binary_big_endian": ">"}
MODES: dict[str, tuple[Primitive, bool]] = {"default": ("3dgs", False), "mip": ("3dgs", True), "2dgs": ("2dgs", False)}
"""The comment SplatRenderMode, which Brush and PlayCanvas know: the primitive, and whether it is antialiased."""


def save_splats(
    path: Path,
    splats: Splats,
    *,
    extras: dict[str, Any] | None = None,
    primitive: Primitive = "3dgs",
    antialiased: bool = False,
    up: Up = "z",
) -> None:
    """Write z-up splats as a binary 3DGS PLY; normals are zeros, as 3DGS writes them. `extras` become comments.

    `primitive` and `antialiased` say how they were fitted; viewers that know the comment SplatRenderMode follow it.
    """
    check_finite(splats, "PLY")
    splats = turned(splats, up)
    rest = splats.sh[:, 1:].permute(0, 2, 1).flatten(1)  # N 3(K-1), red first
    columns = {
        **_columns("xyz", splats.means),
        **_columns(["nx", "ny", "nz"], torch.zeros_like(splats.means)),
        **_columns([f"f_dc_{i}" for i in range(3)], splats.sh[:, 0]),
        **_columns([f"f_rest_{i}" for i in range(rest.shape[1])], rest),
        **_columns(["opacity"], splats.opacity_logits[:, None]),
        **_columns([f"scale_{i}" for i in range(3)], splats.log_scales),
        **_columns([f"rot_{i}" for i in range(4)], splats.quats),
    }
    table = np.empty(len(splats), dtype=[(name, "<f4") for name in columns])
    for name, values in columns.items():
        table[name] = values
    mode = next(word for word, how in MODES.items() if how == (primitive, antialiased and primitive == "3dgs"))
    notes = [*_notes(extras, up), f"SplatRenderMode: {mode}"]
    path.write_bytes(_header(notes, {"vertex": table}) + table.tobytes())


def read_splats(path: Path, up: Up | None = None) -> SplatsFile:
    """Read a 3DGS PLY of any tool, degree 0 to 3, with or without normals. Raises ValueError for other files.

    `up` says what is up in it; else its comment does, else it is z.
    """
    with reading(path, "PLY of splats as 3DGS writes them"):
        (table, *_), comments = _tables(file_bytes(path))
        names = list(table.dtype.names or ())
        num_rest = sum(name.startswith("f_rest_") for name in names)
        needed = ["x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity", "scale_0", "scale_1", "scale_2", "rot_0"]
        missing = [name for name in needed if name not in names]
        if missing:
            raise ValueError(f"it lacks {', '.join(missing)}")
        if num_rest not in (0, 9, 24, 45):
            raise ValueError(f"it has {num_rest} f_rest columns")
        axis = up or noted_up(comments.pop("up", ""), "z")
        sh = _read(table, *(f"f_dc_{i}" for i in range(3)))[:, None]  # N 1 3
        if num_rest:
            rest = _read(table, *(f"f_rest_{i}" for i in range(num_rest))).reshape(len(table), 3, -1)  # N 3 K-1
            sh = np.concatenate([sh, rest.transpose(0, 2, 1)], axis=1)
        found = made_splats(
            means=_read(table, "x", "y", "z"),
            log_scales=_read(table, *(f"scale_{i}" for i in range(3))),
            quats=_read(table, *(f"rot_{i}" for i in range(4))),
            opacity_logits=_read(table, "opacity")[:, 0],
            sh=sh,
            up=axis,
        )
        primitive, antialiased = MODES.get(comments.pop("SplatRenderMode", ""), MODES["default"])
        return SplatsFile(found, axis, primitive, antialiased, comments)


def load_splats(path: Path) -> Splats:
    """Read the splats of a PLY; see `read_splats`."""
    return read_splats(path).splats


def holds_splats(path: Path) -> bool:
    """Say whether a PLY holds splats rather than a mesh. Raises ValueError for a broken file."""
    with reading(path, "PLY"):
        return "f_dc_0" in (_tables(file_bytes(path))[0][0].dtype.names or ())


def save_mesh(
    path: Path, mesh: trimesh.Trimesh, *, name: str = "asset", extras: dict[str, Any] | None = None, up: Up = "z"
) -> None:
    """Write a z-up mesh as binary PLY with sRGB vertex colours; `name` and `extras` become comments.

    Of a texture each vertex keeps the colour at its place, the mean where it lies on a seam.
    """
    mesh = moved(mesh, FROM_Z_UP[up]) if up != "z" else mesh
    colors = np.asarray(mesh.visual.vertex_colors)[:, :3] if mesh.visual.kind == "vertex" else None  # type: ignore[union-attr]
    if colors is None:
        mesh, joined = welded(textured := mesh)
        sums = np.stack([np.bincount(joined, channel) for channel in vertex_colors(textured).T], axis=1)
        colors = np.round(255 * sums / np.bincount(joined)[:, None])
    vertices = np.empty(len(mesh.vertices), [(c, "<f4") for c in "xyz"] + [(c, "u1") for c in ("red", "green", "blue")])
    for index, column in enumerate("xyz"):
        vertices[column] = mesh.vertices[:, index]
    for index, column in enumerate(("red", "green", "blue")):
        vertices[column] = colors[:, index]
    faces = np.empty(len(mesh.faces), [("count", "u1"), ("vertex_indices", "<i4", (3,))])
    faces["count"], faces["vertex_indices"] = 3, mesh.faces
    notes = _notes({"name": name, **(extras or {})}, up)
    path.write_bytes(_header(notes, {"vertex": vertices, "face": faces}) + vertices.tobytes() + faces.tobytes())


def read_mesh(path: Path, up: Up | None = None) -> MeshFile:
    """Read the triangles of a PLY and its sRGB vertex colours, if any. Raises ValueError for other files.

    `up` says what is up in it; else its comment does, else it is z.
    """
    with reading(path, "PLY of a mesh"):
        tables, comments = _tables(file_bytes(path))
        names = tables[0].dtype.names or ()
        if len(tables) < 2 or "x" not in names:
            raise ValueError("it holds no faces")
        colors = None
        if {"red", "green", "blue"} <= set(names):
            colors = np.stack([tables[0][channel] for channel in ("red", "green", "blue")], axis=1)
            if colors.dtype != np.uint8:
                raise ValueError("its colours are not bytes")
        places = np.stack([np.asarray(tables[0][axis], np.float64) for axis in "xyz"], axis=1)
        axis = up or noted_up(comments.pop("up", ""), "z")
        mesh = made_mesh(places, tables[1]["corners"], ColorVisuals(vertex_colors=colors), axis)
        return MeshFile(mesh, axis, comments.pop("name", "asset"), comments)


def _header(comments: list[str], elements: dict[str, np.ndarray]) -> bytes:
    """Return the header of a binary PLY. A column of three, behind its count, is written as a list."""
    lines = ["ply", "format binary_little_endian 1.0", *(f"comment {comment}" for comment in comments)]
    for element, table in elements.items():
        lines.append(f"element {element} {len(table)}")
        for name, kind in ((n, table.dtype[n]) for n in table.dtype.names or () if n != "count"):
            word = NAMES[kind.base.str[1:]]
            lines.append(f"property list uchar {word} {name}" if kind.shape else f"property {word} {name}")
    return ("\n".join([*lines, "end_header"]) + "\n").encode("ascii")


def _tables(data: bytes) -> tuple[list[np.ndarray], dict[str, str]]:
    """Return the vertices of a PLY, text or binary of either byte order, its triangles, if any, and its comments.

    The vertices must stand first and the faces second.
    """
    end = data.find(b"end_header")
    body = data.find(b"\n", end) + 1
    if not data.startswith(b"ply") or end < 0 or body == 0:
        raise ValueError("it has no PLY header")
    text = data[:end].decode("ascii", "replace").splitlines()
    notes = [line.removeprefix("comment ").partition(": ") for line in text if line.startswith("comment ")]
    lines = [line.split() for line in text]
    form = next((words[1] for words in lines if words[:1] == ["format"] and len(words) > 1), "")
    starts = [index for index, words in enumerate(lines) if words[:1] == ["element"]]
    if form not in ORDERS or not starts or lines[starts[0]][1:2] != ["vertex"]:
        raise ValueError("its header does not begin with vertices")
    blocks = [lines[start:stop] for start, stop in zip(starts, [*starts[1:], None])]
    kinds = [_kind(blocks[0], ORDERS[form])]
    if len(blocks) > 1 and blocks[1][0][1:2] == ["face"]:
        kinds.append(_face_kind(blocks[1], ORDERS[form]))
    nums = [int(block[0][2]) for block in blocks[: len(kinds)]]
    if min(nums) < 0:
        raise ValueError("its header counts below zero")
    rows = iter(data[body:].decode("ascii", "replace").splitlines()) if form == "ascii" else None
    tables = []
    for kind, num in zip(kinds, nums, strict=True):
        if rows is None and body + num * kind.itemsize > len(data):
            raise ValueError("it is shorter than its header says")
        table = np.frombuffer(data, kind, num, body) if rows is None else _table(islice(rows, num), kind)
        if len(table) != num:
            raise ValueError("it is shorter than its header says")
        tables.append(table)
        body += num * kind.itemsize
    if len(tables) > 1 and not (tables[1]["count"] == 3).all():
        raise ValueError("it has faces that are no triangles; triangulate it first")
    return tables, {key: value for key, colon, value in notes if colon}


def _kind(block: list[list[str]], order: str) -> np.dtype:
    """Return the type of a row of vertices, from the lines of its header."""
    properties = [words for words in block if words[:1] == ["property"]]
    if any(len(words) != 3 or words[1] not in TYPES for words in properties):
        raise ValueError("its vertices hold lists or unknown types")
    return np.dtype([(words[2], order + TYPES[words[1]]) for words in properties])


def _face_kind(block: list[list[str]], order: str) -> np.dtype:
    """Return the type of a triangle: a count and three corners."""
    properties = [words for words in block if words[:1] == ["property"]]
    if len(properties) != 1 or properties[0][1:2] != ["list"] or len(properties[0]) != 5:
        raise ValueError("its faces hold more than a list of corners")
    count, corner = (TYPES[word] for word in properties[0][2:4])
    if "f" in count + corner:
        raise ValueError("its faces are not whole numbers")
    return np.dtype([("count", order + count), ("corners", order + corner, (3,))])


def _table(rows: Iterable[str], kind: np.dtype) -> np.ndarray:
    """Return lines of text as a table; numbers of a list follow each other."""
    is_face = "corners" in (kind.names or ())
    width = 4 if is_face else len(kind.names or ())
    values = [[float(word) for word in row.split()] for row in rows]
    if any(len(row) != width for row in values):
        raise ValueError("a line in it has too many or too few numbers")
    if is_face:
        return np.array([(row[0], row[1:]) for row in values], kind)
    return np.array([tuple(row) for row in values], kind)


def _read(table: np.ndarray, *columns: str) -> np.ndarray:
    return np.stack([np.asarray(table[column], np.float32) for column in columns], axis=1)


def _notes(extras: dict[str, Any] | None, up: Up) -> list[str]:
    facts = {**(extras or {}), "up": up}
    return [f"Generated by vid2three {__version__}", *(f"{key}: {_ascii(value)}" for key, value in facts.items())]


def _columns(names: str | list[str], values: torch.Tensor) -> dict[str, np.ndarray]:
    table = values.detach().cpu().numpy().astype(np.float32)
    return {name: table[:, index] for index, name in enumerate(names)}


def _ascii(value: Any) -> str:
    """Return a value on one line of ASCII, as a PLY header wants it."""
    return " ".join(str(value).split()).encode("ascii", "replace").decode()


SPLAT_READERS = {".ply": read_splats}
SPLAT_SAVERS = {".ply": save_splats}
MESH_READERS = {".ply": read_mesh}
MESH_SAVERS = {".ply": save_mesh}
