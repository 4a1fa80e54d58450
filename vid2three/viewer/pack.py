"""Splats and meshes made small enough to lie in a page: fewer bits a number, JPEG for textures.

web/src/splats.js undoes `pack_splats`. Shapes: N splats, K harmonics.
"""

from __future__ import annotations

import base64
import io
import json
import struct
from typing import Any

import numpy as np
import torch
from PIL import Image

from recon.splats import Splats

MOST_SPLAT_BYTES = 2_200_000  # of a page; base64 adds a third
MOST_GLB_BYTES = 1_600_000  # from here on textures become JPEGs
TEXTURE_SIDE = 2048  # pixels, at most, of such a texture
JPEG_QUALITY = 88
NUM_BYTES = 29  # of a splat without its higher harmonics: centre 12, scales 6, colour 6, quaternion 4, opacity 1


def pack_splats(
    splats: Splats, *, antialiased: bool, low_pass: float, most_bytes: int | None = MOST_SPLAT_BYTES
) -> dict[str, Any]:
    """Return splats as JSON holds them, in about 29 bytes and 3 for each higher harmonic.

    Centres stay float32; logarithms of scales and base colours take 16 bits between the least and the greatest,
    quaternions, opacities and higher harmonics 8. `low_pass` is the variance in pixels that they are drawn with. Where
    they are more than `most_bytes`, the highest harmonics go first, and then the splats that cover least; `total` says
    how many there were.
    """
    splats, total = _within(splats, most_bytes), len(splats)
    rest = splats.sh[:, 1:]
    quats = torch.nn.functional.normalize(splats.quats, dim=1)
    scales, scale_range = _sixteen_bits(splats.log_scales)
    base, base_range = _sixteen_bits(splats.sh[:, 0])
    most = [float(band.abs().max()) if band.numel() else 0.0 for band in (rest[:, :3], rest[:, 3:8], rest[:, 8:])]
    limits = torch.tensor([max(m, 1e-9) for m in most]).repeat_interleave(torch.tensor([3, 5, 7]))[: rest.shape[1]]
    parts = [
        splats.means.numpy().astype("<f4"),
        scales,
        base,
        (127 * quats).round().numpy().astype(np.int8),
        (255 * splats.opacities).round().numpy().astype(np.uint8),
        (127 * rest / limits[:, None]).round().numpy().astype(np.int8),
    ]
    return {
        "count": len(splats),
        "total": total,
        "degree": splats.sh_degree,
        "antialiased": antialiased,
        "lowPass": low_pass,
        "ranges": [scale_range, base_range, most],
        "data": base64.b64encode(b"".join(part.tobytes() for part in parts)).decode(),
    }


def _within(splats: Splats, most_bytes: int | None) -> Splats:
    """Return splats that fit, with fewer harmonics or fewer of them."""
    if most_bytes is None:
        return splats
    for degree in range(splats.sh_degree, -1, -1):
        splats = Splats(
            splats.means, splats.log_scales, splats.quats, splats.opacity_logits, splats.sh[:, : (degree + 1) ** 2]
        )
        if len(splats) * (NUM_BYTES + 3 * (splats.sh.shape[1] - 1)) <= most_bytes:
            return splats
    largest = splats.log_scales.sort(dim=1).values[:, 1:].sum(dim=1)  # of the two longer axes: the area they cover
    worth = splats.opacities.log() + largest
    kept = worth.argsort(descending=True, stable=True)[: most_bytes // NUM_BYTES]
    return splats[kept.sort().values]


def _sixteen_bits(values: torch.Tensor) -> tuple[np.ndarray, list[float]]:
    low, high = (float(values.min()), float(values.max())) if values.numel() else (0.0, 0.0)
    steps = (values.double() - low) / max(high - low, 1e-12) * 65535
    return steps.round().numpy().astype("<u2"), [low, high]


def pack_glb(data: bytes, most_bytes: int | None = MOST_GLB_BYTES) -> bytes:
    """Return a GLB that we wrote as it is, or, where it is large, with its opaque textures as JPEGs and no tangents."""
    if most_bytes is None or len(data) <= most_bytes:
        return data
    (length,) = struct.unpack_from("<I", data, 12)
    header, body = json.loads(data[20 : 20 + length]), data[28 + length :]
    pictures = {image["bufferView"]: image for image in header.get("images", ()) if "bufferView" in image}
    for mesh in header["meshes"]:
        for primitive in mesh["primitives"]:
            primitive["attributes"].pop("TANGENT", None)  # a viewer works them out
    used = {a for m in header["meshes"] for p in m["primitives"] for a in (*p["attributes"].values(), p["indices"])}
    needed = {header["accessors"][a]["bufferView"] for a in used} | set(pictures)
    packed = b""
    for index, view in enumerate(header["bufferViews"]):
        start = view.get("byteOffset", 0)
        part = body[start : start + view["byteLength"]] if index in needed else bytes(4)
        if index in pictures:
            part, pictures[index]["mimeType"] = _smaller(part, pictures[index]["mimeType"])
        view.update(byteOffset=len(packed), byteLength=len(part))
        packed += part + bytes(-len(part) % 4)
    for index, accessor in enumerate(header["accessors"]):
        if index not in used:  # points at four empty bytes
            accessor.update(count=1, type="SCALAR", componentType=5126)
            for limit in ("min", "max"):
                accessor.pop(limit, None)
    header["buffers"][0]["byteLength"] = len(packed)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(packed), b"BIN\0") + packed
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _smaller(data: bytes, kind: str) -> tuple[bytes, str]:
    picture = Image.open(io.BytesIO(data))
    if "A" in picture.getbands() or "transparency" in picture.info:
        return data, kind
    picture = picture.convert("RGB")
    picture.thumbnail((TEXTURE_SIDE, TEXTURE_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return (buffer.getvalue(), "image/jpeg") if len(buffer.getvalue()) < len(data) else (data, kind)


def pack_picture(pixels: np.ndarray, side: int) -> str:
    """Return a picture uint8 [H,W,3|4] as the address of a WebP in the page, its longer side at most `side`."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=86, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
