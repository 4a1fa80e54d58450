"""What a file holds once it is read: a mesh or splats, z up as everything here, and what the file says about itself.

Files are not trusted. A reader checks sizes before it allocates, follows no path, and turns whatever goes wrong into
one ValueError that names the file: see `reading`.
"""

from __future__ import annotations

import contextlib
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh

from recon.render import Primitive
from recon.splats import Splats
from vid2three.config import Up
from vid2three.place import FROM_Z_UP, moved, turned_back

MOST_SPLATS = 10_000_000  # in a compressed file, whose size says little: 2.4 GB of numbers
MOST_WHY = 200  # letters of a reason, which may quote the file
LARGE_LOGIT = 30.0  # an opacity nearer to 1 than float32 can tell
MALFORMED = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,  # Python's zipfile: a member packed by a method that it does not know
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What bytes of an attacker's choice raise in code that takes them at their word; not what a full disk does."""


@dataclass(frozen=True, eq=False)
class MeshFile:
    """A mesh out of a file."""

    mesh: trimesh.Trimesh
    """z up, whatever the file's axes, in its units; with a texture, sRGB vertex colours, or neither."""
    up: Up
    """The axis that was up in the file."""
    name: str = "asset"
    extras: dict[str, Any] = field(default_factory=dict)
    """Where it comes from, as the file tells."""
    generator: str = ""
    """What program wrote it, as the file tells."""


@dataclass(frozen=True, eq=False)
class SplatsFile:
    """Splats out of a file."""

    splats: Splats
    """z up, whatever the file's axes, in its units."""
    up: Up
    """The axis that was up in the file."""
    primitive: Primitive = "3dgs"
    """As what they were fitted, where the format can tell."""
    antialiased: bool = False
    """Whether they were fitted to be drawn antialiased, where the format can tell."""
    extras: dict[str, Any] = field(default_factory=dict)
    """Where they come from, as the file tells."""
    generator: str = ""
    """What program wrote them, as the file tells."""


@contextlib.contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Turn whatever a broken file raises into one ValueError: "a.spz is no ...: why"."""
    try:
        with np.errstate(all="ignore"):  # what is not finite is found and told at the end
            yield
    except MALFORMED as error:
        why = f"no '{error.args[0]}' in it" if isinstance(error, KeyError) and error.args else str(error).rstrip(".")
        why = " ".join(why.split())[:MOST_WHY] or type(error).__name__
        raise ValueError(f"{path} is no {what} that can be read: {why}.") from None


def file_bytes(path: Path) -> bytes:
    """Return a file's bytes. Raises FileNotFoundError with the path."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    return path.read_bytes()


def check_count(num: int, stored: int, least_bytes: float) -> None:
    """Raise ValueError where `stored` bytes cannot hold `num` splats of `least_bytes` each, or hold none."""
    if num < 1:
        raise ValueError("it holds no splats")
    if num > MOST_SPLATS or num * least_bytes > stored:
        raise ValueError(f"its header claims {num:,} splats, more than {stored:,} bytes can hold")


def made_splats(
    means: np.ndarray,
    log_scales: np.ndarray,
    quats: np.ndarray,
    opacity_logits: np.ndarray,
    sh: np.ndarray,
    up: Up,
) -> Splats:
    """Return splats of a file as z-up float32 tensors. Raises ValueError where a value is not finite or no rotation.

    Infinite logits, which some tools write for an opacity of 0 or 1, become very large ones.
    """
    opacity_logits = np.where(np.isinf(opacity_logits), np.copysign(LARGE_LOGIT, opacity_logits), opacity_logits)
    arrays = [np.array(values, np.float32, order="C") for values in (means, log_scales, quats, opacity_logits, sh)]
    if not len(arrays[0]):
        raise ValueError("it holds no splats")
    bad = np.stack([~np.isfinite(values).reshape(len(values), -1).all(axis=1) for values in arrays]).any(axis=0)
    if bad.any():
        raise ValueError(f"{int(bad.sum())} of its {len(arrays[0])} splats hold values that are not finite")
    lengths = np.linalg.norm(arrays[2].astype(np.float64), axis=1)
    if not (lengths > 1e-12).all():
        raise ValueError(f"{int((lengths <= 1e-12).sum())} of its {len(lengths)} splats have no rotation")
    if np.abs(arrays[0]).max() > 1e18 or np.abs(arrays[1]).max() > 80:  # their squares and powers overflow float32
        raise ValueError("its splats lie or reach beyond all measure")
    return turned_back(Splats(*(torch.from_numpy(values) for values in arrays)), up)


def made_mesh(vertices: np.ndarray, faces: np.ndarray, visual: Any, up: Up) -> trimesh.Trimesh:
    """Return a mesh of a file, z up. Raises ValueError where a place is not finite or a face has no such corner."""
    vertices, faces = np.asarray(vertices, np.float64), np.asarray(faces, np.int64)
    if not len(vertices) or not len(faces):
        raise ValueError("it holds no faces")
    if not (np.isfinite(vertices).all() and np.abs(vertices).max() < 1e18):
        raise ValueError("some of its vertices are not finite")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise ValueError(f"a face names vertex {faces.max()} of {len(vertices)}")
    mesh = trimesh.Trimesh(vertices, faces, visual=visual, process=False)
    return moved(mesh, FROM_Z_UP[up].T) if up != "z" else mesh


def check_finite(splats: Splats, suffix: str) -> None:
    """Raise ValueError where splats that are to be written hold a value that is not finite."""
    fields = (splats.means, splats.log_scales, splats.quats, splats.opacity_logits, splats.sh)
    if not all(torch.isfinite(values).all() for values in fields):
        raise ValueError(f"A splat holds a value that is not finite, so no {suffix} was written; fit again.")


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return opacities of logits, float64."""
    return 1 / (1 + np.exp(-np.asarray(logits, np.float64)))


def logit(opacities: np.ndarray, least: float) -> np.ndarray:
    """Undo `sigmoid`; opacities nearer to 0 or 1 than `least`, which no logit gives, are taken as that near."""
    clipped = np.clip(np.asarray(opacities, np.float64), least, 1 - least)
    return np.log(clipped / (1 - clipped))
