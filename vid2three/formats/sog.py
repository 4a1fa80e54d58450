"""SOG version 2 (PlayCanvas): splats as lossless WebP pictures and a meta.json, in a zip.

Frame: y down, front +z, in practice: SplatTransform and SuperSplat turn a SOG by half a turn about z to show it, as
they do with PLY, although the format's page says y up. Positions have 16 bits an axis on a logarithmic scale, log
scales and colours 256 levels each that k-means chose, quaternions 8 bits for each of the three smallest parts,
opacities 8 bits; harmonics are a palette of up to 65,536 sets, whose coefficients share 256 levels. Splats are sorted
along a Morton curve. meta.json says whether they were fitted antialiased, and keeps notes under `asset`.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from recon.render import Primitive
from recon.splats import Splats
from vid2three import __version__
from vid2three.config import Up
from vid2three.formats.archive import member, written
from vid2three.formats.contents import (
    SplatsFile,
    check_count,
    check_finite,
    file_bytes,
    logit,
    made_splats,
    reading,
    sigmoid,
)
from vid2three.formats.images import read_image
from vid2three.formats.levels import codebook, morton_order, palette
from vid2three.place import turned

MOST_META = 4 * 2**20  # bytes of meta.json
PALETTE_COLUMNS = 64  # sets in a row of shN_centroids.webp
TAG = 252  # of the alpha of quats.webp: 252 + the index of the largest part of wxyz


def save_splats(
    path: Path,
    splats: Splats,
    *,
    extras: dict[str, Any] | None = None,
    primitive: Primitive = "3dgs",
    antialiased: bool = False,
    up: Up = "y-down",
) -> None:
    """Write z-up splats as SOG; `extras` stands in its meta.json."""
    check_finite(splats, "SOG")
    splats = turned(splats, up)
    splats = splats[torch.from_numpy(morton_order(splats.means.double().numpy()))]
    means = splats.means.double().numpy()
    logs = np.sign(means) * np.log1p(np.abs(means))
    low, high = logs.min(axis=0), logs.max(axis=0)
    fixed = np.round(65535 * (logs - low) / np.where(high > low, high - low, 1)).astype(np.uint16)
    scale_levels, scale_labels = codebook(splats.log_scales.double().numpy())
    color_levels, color_labels = codebook(splats.sh[:, 0].double().numpy())
    alphas = np.round(255 * sigmoid(splats.opacity_logits.numpy())).astype(np.uint8)[:, None]
    pictures = {
        "means_l.webp": _picture((fixed & 255).astype(np.uint8)),
        "means_u.webp": _picture((fixed >> 8).astype(np.uint8)),
        "scales.webp": _picture(scale_labels),
        "quats.webp": _picture(_packed_quats(splats.quats.double().numpy())),
        "sh0.webp": _picture(np.hstack([color_labels, alphas])),
    }
    meta: dict[str, Any] = {
        "version": 2,
        "asset": {"generator": f"vid2three {__version__}", **(extras or {})},
        "count": len(splats),
        "antialias": antialiased,
        "means": {"mins": low.tolist(), "maxs": high.tolist(), "files": ["means_l.webp", "means_u.webp"]},
        "scales": {"codebook": _short(scale_levels), "files": ["scales.webp"]},
        "quats": {"files": ["quats.webp"]},
        "sh0": {"codebook": _short(color_levels), "files": ["sh0.webp"]},
    }
    if splats.sh_degree > 0:
        meta["shN"], more = _harmonics(splats)
        pictures |= more
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        written(archive, "meta.json", json.dumps(meta, separators=(",", ":"), ensure_ascii=False).encode())
        for name, data in pictures.items():
            written(archive, name, data)


def read_splats(path: Path, up: Up | None = None) -> SplatsFile:
    """Read a SOG of version 2, z up again. Raises ValueError for other files.

    `up` says what is up in it, y down unless given. The pictures are looked up in the zip by the names in meta.json.
    """
    with reading(path, "SOG"), zipfile.ZipFile(io.BytesIO(file_bytes(path))) as archive:
        meta = json.loads(member(archive, "meta.json", MOST_META))
        if meta["version"] != 2:
            raise ValueError(f"its version is {meta['version']!r}, and 2 is read here")
        num = meta["count"]
        if not isinstance(num, int):
            raise ValueError(f"its count is {num!r}")
        check_count(num, path.stat().st_size, 0)

        def pixels(part: dict[str, Any], index: int = 0, channels: int = 4) -> np.ndarray:
            return _pixels(archive, part["files"][index], num, channels)

        fixed = pixels(meta["means"], 0, 3) + 256.0 * pixels(meta["means"], 1, 3)
        low, high = (np.array(meta["means"][key], np.float64).reshape(3) for key in ("mins", "maxs"))
        logs = low + (high - low) * fixed / 65535
        colors = pixels(meta["sh0"])
        sh = _levels(meta["sh0"])[colors[:, :3]][:, None]  # N 1 3
        if "shN" in meta:
            sh = np.concatenate([sh, _read_harmonics(archive, meta["shN"], num)], axis=1)
        found = made_splats(
            means=np.sign(logs) * np.expm1(np.abs(logs)),
            log_scales=_levels(meta["scales"])[pixels(meta["scales"], 0, 3)],
            quats=_unpacked_quats(pixels(meta["quats"])),
            opacity_logits=logit(colors[:, 3] / 255.0, 0.5 / 255),
            sh=sh,
            up=up or "y-down",
        )
        extras = meta.get("asset", {})
        writer = str(extras.pop("generator", ""))
        return SplatsFile(found, up or "y-down", "3dgs", meta.get("antialias") is True, extras, writer)


def _harmonics(splats: Splats) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return what meta.json says of the harmonics beyond the plain colour, and their pictures."""
    rest = splats.sh[:, 1:].double().numpy()  # N K-1 3
    sets, labels = palette(rest.reshape(len(rest), -1))
    levels, centroids = codebook(sets)
    num, width = len(sets), rest.shape[1]
    rows = math.ceil(num / PALETTE_COLUMNS)
    table = np.zeros((rows * PALETTE_COLUMNS, width, 3), np.uint8)
    table[:num] = centroids.reshape(num, width, 3)
    label_pixels = np.stack([labels & 255, labels >> 8, np.zeros_like(labels)], axis=1).astype(np.uint8)
    names = ["shN_centroids.webp", "shN_labels.webp"]
    facts = {"count": num, "bands": splats.sh_degree, "codebook": _short(levels), "files": names}
    grid = table.reshape(rows, PALETTE_COLUMNS * width, 3)
    return facts, {names[0]: _webp(grid), names[1]: _picture(label_pixels)}


def _read_harmonics(archive: zipfile.ZipFile, part: dict[str, Any], num: int) -> np.ndarray:
    """Return the harmonics beyond the plain colour [N,K-1,3]."""
    count, bands = part["count"], part["bands"]
    if bands not in (1, 2, 3) or not isinstance(count, int) or not 1 <= count <= 65536:
        raise ValueError(f"its harmonics have {bands!r} bands and {count!r} sets")
    width = (bands + 1) ** 2 - 1
    rows = math.ceil(count / PALETTE_COLUMNS)
    data = member(archive, part["files"][0], _most_bytes(rows * PALETTE_COLUMNS * width))
    picture = read_image(data, (rows + 64) * PALETTE_COLUMNS * width)
    if picture.width != PALETTE_COLUMNS * width or picture.height < rows:
        raise ValueError(f"its palette has {picture.width} x {picture.height} pixels")
    table = np.asarray(picture.convert("RGB")).reshape(-1, width, 3)
    labels = _pixels(archive, part["files"][1], num, 2).astype(np.int64) @ np.array([1, 256])
    if labels.max() >= count:
        raise ValueError(f"a splat in it names set {labels.max()} of {count}")
    return _levels(part)[table[labels]]


def _short(levels: np.ndarray) -> list[float]:
    """Return levels in as many digits as float32 tells apart."""
    return [float(f"{level:.8g}") for level in levels]


def _levels(part: dict[str, Any]) -> np.ndarray:
    """Return the 256 levels of a codebook; labels beyond a shorter one read as not finite."""
    levels = np.full(256, np.nan)
    values = np.array(part["codebook"], np.float64).reshape(-1)[:256]
    levels[: len(values)] = values
    return levels


def _pixels(archive: zipfile.ZipFile, name: str, num: int, channels: int) -> np.ndarray:
    """Return the first `num` pixels of a picture in the zip, uint8 [num,channels]."""
    picture = read_image(member(archive, name, _most_bytes(num)), 4 * num + 65536)
    if picture.width * picture.height < num:
        raise ValueError(f"{name!r} in it has {picture.width} x {picture.height} pixels for {num:,} splats")
    return np.asarray(picture.convert("RGBA")).reshape(-1, 4)[:num, :channels]


def _most_bytes(num_pixels: int) -> int:
    return 16 * num_pixels + 2**20  # of a picture, however it is packed


def _picture(rows: np.ndarray) -> bytes:
    """Return bytes [N,C] as a picture whose sides are multiples of four, row by row."""
    width = 4 * math.ceil(math.sqrt(len(rows)) / 4)
    height = 4 * math.ceil(len(rows) / width / 4)
    grid = np.zeros((width * height, rows.shape[1]), np.uint8)
    grid[: len(rows)] = rows
    return _webp(grid.reshape(height, width, -1))


def _webp(grid: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(grid).save(buffer, format="WEBP", lossless=True, exact=True, quality=100, method=4)
    return buffer.getvalue()


def _packed_quats(quats: np.ndarray) -> np.ndarray:
    """Return quaternions wxyz as bytes [N,4]: the three smallest parts in order, and which is the largest."""
    quats = quats / np.linalg.norm(quats, axis=1, keepdims=True)
    largest = np.abs(quats).argmax(axis=1)
    quats = quats * np.where(np.take_along_axis(quats, largest[:, None], 1) < 0, -1, 1)
    others = quats[np.arange(4) != largest[:, None]].reshape(-1, 3)
    small = np.round(255 * (0.5 + others / math.sqrt(2))).clip(0, 255)
    return np.hstack([small, TAG + largest[:, None]]).astype(np.uint8)


def _unpacked_quats(pixels: np.ndarray) -> np.ndarray:
    """Undo `_packed_quats`."""
    largest = pixels[:, 3].astype(np.int64) - TAG
    if largest.min() < 0:
        raise ValueError("some of its splats have no rotation")
    others = (pixels[:, :3] / 255.0 - 0.5) * math.sqrt(2)
    quats = np.empty((len(pixels), 4))
    quats[np.arange(4) != largest[:, None]] = others.reshape(-1)
    rest = np.sqrt(np.maximum(1 - (others**2).sum(axis=1), 0))
    np.put_along_axis(quats, largest[:, None], rest[:, None], axis=1)
    return quats


SPLAT_READERS = {".sog": read_splats}
SPLAT_SAVERS = {".sog": save_splats}
