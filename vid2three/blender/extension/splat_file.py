"""Gaussian splats out of a 3DGS PLY, activated: scales as lengths, opacities in [0,1], colours as linear light.

No line of this file needs Blender. The frame is the file's own, the world of the cameras.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

MOST_HEADER = 64 * 2**10  # bytes
SH_C0 = 0.28209479177387814  # of spherical harmonics, degree 0
TYPES = {"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4"}
TYPES |= {"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"}
TYPES |= {"double": "f8", "float32": "f4", "float64": "f8"}


@dataclass(frozen=True, eq=False)
class SplatFile:
    """N splats, float32."""

    means: np.ndarray
    """[N,3]"""
    scales: np.ndarray
    """[N,3] standard deviations."""
    quats: np.ndarray
    """[N,4] wxyz, of length 1."""
    opacities: np.ndarray
    """[N]"""
    colors: np.ndarray
    """[N,3] linear light (sRGB primaries), of the part that is the same from all sides."""


def load(path: Path) -> SplatFile:
    """Read a binary little-endian PLY as 3DGS and vid2three write it. Raises ValueError for other files."""
    table = _table(path)
    names = table.dtype.names or ()
    needed = ["x", "y", "z", "opacity", *(f"f_dc_{i}" for i in range(3)), *(f"scale_{i}" for i in range(3))]
    missing = [name for name in [*needed, *(f"rot_{i}" for i in range(4))] if name not in names]
    if missing:
        raise ValueError(f"{path} is no PLY of splats: it lacks {', '.join(missing)}.")

    def columns(*names: str) -> np.ndarray:
        values = np.stack([table[name].astype(np.float32) for name in names], axis=1)
        if not np.isfinite(values).all():
            raise ValueError(f"{path} holds a splat with a value that is not finite; let vid2three fit it again.")
        return values

    quats = columns("rot_0", "rot_1", "rot_2", "rot_3")
    lengths = np.linalg.norm(quats, axis=1, keepdims=True)
    logits = np.clip(columns("opacity")[:, 0], -80, 80)
    display = np.clip(0.5 + SH_C0 * columns("f_dc_0", "f_dc_1", "f_dc_2"), 0, None)
    return SplatFile(
        means=columns("x", "y", "z"),
        scales=np.exp(np.clip(columns("scale_0", "scale_1", "scale_2"), -80, 80)),
        quats=np.where(lengths > 0, quats / np.maximum(lengths, 1e-30), np.array([1, 0, 0, 0], np.float32)),
        opacities=1 / (1 + np.exp(-logits)),
        colors=np.where(display <= 0.04045, display / 12.92, ((display + 0.055) / 1.055) ** 2.4),
    )


def _table(path: Path) -> np.ndarray:
    """Return the vertices. What the header claims is held against the size of the file before memory is taken."""
    with path.open("rb") as file:
        head = file.read(MOST_HEADER)
        end = head.find(b"end_header\n")
        lines = [line.split() for line in head[: max(end, 0)].decode("ascii", "replace").splitlines()]
        if end < 0 or lines[:1] != [["ply"]] or ["format", "binary_little_endian", "1.0"] not in lines:
            raise ValueError(f"{path} is no binary little-endian PLY.")
        elements = [line for line in lines if line[0:1] == ["element"]]
        properties = [line[1:] for line in lines if line[0:1] == ["property"]]
        words = elements[0] if len(elements) == 1 else []
        if len(words) != 3 or words[1] != "vertex" or not words[2].isdigit():
            raise ValueError(f"{path} is no PLY of splats: it must hold vertices and nothing else.")
        if any(len(entry) != 2 or entry[0] not in TYPES for entry in properties):
            raise ValueError(f"{path} is no PLY of splats: its vertices hold lists or unknown types.")
        if len({entry[1] for entry in properties}) != len(properties) or not properties:
            raise ValueError(f"{path} is no PLY of splats: a column stands in it twice, or none does.")
        kind = np.dtype([(name, f"<{TYPES[word]}") for word, name in properties])
        count, start = int(words[2]), end + len(b"end_header\n")
        if start + count * kind.itemsize > path.stat().st_size:
            raise ValueError(f"{path} is shorter than its header says; let vid2three make it again.")
        file.seek(start)
        return np.fromfile(file, kind, count)
