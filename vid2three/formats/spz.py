"""SPZ, Niantic's compressed splats: versions 3 (gzip) and 4 (zstandard) written, 2 to 4 read.

Frame: right-handed, y up, z towards the viewer (RUB), which is glTF's with the front at +z. Positions are fixed point
in 24 bits, opacities, colours and log scales bytes, rotations the three smallest parts of the quaternion in 10 bits,
harmonics bytes of which the first degree keeps 5 bits and the others 4, as Niantic's own writer does. One flag says
whether the splats were fitted antialiased. There is no place for notes.

Streams in their order: positions, alphas, colours, scales, rotations, harmonics (coefficient by coefficient, RGB).
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np

from recon.render import Primitive
from recon.splats import Splats
from vid2three.config import Up
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
from vid2three.place import turned

MAGIC = b"NGSP"
LEGACY_HEADER = struct.Struct("<4sIIBBBB")  # magic, version, splats, degree, fractional bits, flags, reserved
HEADER = struct.Struct("<4sIIBBBBI12x")  # the same with the number of streams for the last byte, and the table's place
ENTRY = struct.Struct("<QQ")  # compressed and uncompressed size of a stream
ANTIALIASED = 0x1
FRACTIONAL_BITS = 12  # at least, as Niantic's writer: a quarter of a millimetre where units are metres
FINE = 1e-4  # of the radius: positions are never coarser, where 24 bits allow it
COLOR_SCALE = 0.15 * 255
SH_BITS = (5, 4, 4)  # of degree 1, 2, 3
MOST_REST = 2**20  # bytes behind the streams that are unpacked to find the checksum
MOST_DEFLATE = 1032.0  # no more bytes come out of one that is deflated
MOST_ZSTD = 20_000.0  # nor, in a file that anybody means, out of one of zstandard
LEVEL = 12  # of zstandard, as Niantic's writer


def save_splats(
    path: Path,
    splats: Splats,
    *,
    extras: dict[str, Any] | None = None,
    primitive: Primitive = "3dgs",
    antialiased: bool = False,
    up: Up = "y",
    version: Literal[3, 4] = 3,
) -> None:
    """Write z-up splats as SPZ. Raises ImportError where version 4 is asked for and zstandard is not installed.

    There is no place for `extras`. Harmonics beyond [-1, 1] are cut off there.
    """
    check_finite(splats, "SPZ")
    splats = turned(splats, up)
    bits = _fractional_bits(float(splats.means.abs().max()))
    streams = [stream for stream in _packed(splats, bits) if stream]
    facts = (MAGIC, version, len(splats), splats.sh_degree, bits, ANTIALIASED if antialiased else 0)
    if version == 3:
        path.write_bytes(gzip.compress(LEGACY_HEADER.pack(*facts, 0) + b"".join(streams), mtime=0))
        return
    compressor = _zstandard().ZstdCompressor(level=LEVEL)
    packed = [compressor.compress(stream) for stream in streams]
    table = b"".join(ENTRY.pack(len(small), len(stream)) for small, stream in zip(packed, streams, strict=True))
    path.write_bytes(HEADER.pack(*facts, len(streams), HEADER.size) + table + b"".join(packed))


def read_splats(path: Path, up: Up | None = None) -> SplatsFile:
    """Read an SPZ of version 2, 3 or 4, z up again. Raises ValueError for other files.

    Raises ImportError for version 4 where zstandard is not installed.
    """
    with reading(path, "SPZ"):
        data = file_bytes(path)
        (version, num, degree, bits, flags), body = _v4(data) if data[:4] == MAGIC else _legacy(data)
        sizes = _sizes(version, num, degree)
        parts = np.split(np.frombuffer(body, np.uint8, sum(sizes)), np.cumsum(sizes)[:-1])
        positions, alphas, colors, scales, rotations, harmonics = (part.reshape(num, -1) for part in parts)
        sh = np.concatenate([(colors.astype(np.float64) - 127.5) / COLOR_SCALE, (harmonics - 128.0) / 128], axis=1)
        found = made_splats(
            means=_from_fixed(positions) / 2.0**bits,
            log_scales=scales / 16.0 - 10,
            quats=_quats(rotations) if version > 2 else _quats_v2(rotations),
            opacity_logits=logit(alphas[:, 0] / 255.0, 0.5 / 255),
            sh=sh.reshape(num, -1, 3),
            up=up or "y",
        )
        return SplatsFile(found, up or "y", antialiased=bool(flags & ANTIALIASED))


def _legacy(data: bytes) -> tuple[tuple[int, int, int, int, int], bytes]:
    """Unpack a file of version 2 or 3: its header without the magic, and its streams one behind the other."""
    stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
    magic, version, num, degree, bits, flags, _ = LEGACY_HEADER.unpack(stream.decompress(data, LEGACY_HEADER.size))
    if magic != MAGIC or version not in (2, 3):
        raise ValueError(f"its magic is {magic!r} and its version {version}")
    need = sum(_sizes(version, num, degree))
    check_count(num, len(data), need / num / MOST_DEFLATE if num else 0)
    body = stream.decompress(stream.unconsumed_tail, need)
    stream.decompress(stream.unconsumed_tail, MOST_REST)  # extensions, which are not read, and the checksum
    if len(body) < need or not (stream.eof or stream.unconsumed_tail):
        raise ValueError("it is shorter than its header says")
    return (version, num, degree, _checked_bits(bits), flags), body


def _v4(data: bytes) -> tuple[tuple[int, int, int, int, int], bytes]:
    """Unpack a file of version 4: its header without the magic, and its streams one behind the other."""
    _, version, num, degree, bits, flags, num_streams, place = HEADER.unpack_from(data)
    if version != 4:
        raise ValueError(f"its version is {version}")
    sizes = [size for size in _sizes(version, num, degree) if size]
    check_count(num, len(data), sum(sizes) / num / MOST_ZSTD if num else 0)
    if num_streams != len(sizes):
        raise ValueError(f"it has {num_streams} streams, not {len(sizes)}")
    at, body = place + num_streams * ENTRY.size, []
    for index, size in enumerate(sizes):
        packed, unpacked = ENTRY.unpack_from(data, place + index * ENTRY.size)
        if unpacked != size or at + packed > len(data):
            raise ValueError("the sizes of its streams contradict its header")
        body.append(_unpacked(data[at : at + packed], size))
        at += packed
    return (version, num, degree, _checked_bits(bits), flags), b"".join(body)


def _unpacked(data: bytes, size: int) -> bytes:
    """Return what zstandard packed; never more than `size` bytes are made of it."""
    zstandard = _zstandard()
    try:
        with zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(data) as stream:
            body = stream.read(size + 1)
    except zstandard.ZstdError as error:
        raise ValueError(f"a stream in it is broken ({error})") from None
    if len(body) != size:
        raise ValueError("a stream in it is shorter or longer than its header says")
    return body


def _zstandard() -> ModuleType:
    try:
        import zstandard
    except ImportError:
        raise ImportError("Version 4 of SPZ needs zstandard: pip install 'vid2three[spz4]'.") from None
    return zstandard


def _sizes(version: int, num: int, degree: int) -> list[int]:
    """Return the bytes of the six streams."""
    if degree > 3:
        raise ValueError(f"its harmonics are of degree {degree}, and 3 is the highest that splats have here")
    return [9 * num, num, 3 * num, 3 * num, (4 if version > 2 else 3) * num, 3 * ((degree + 1) ** 2 - 1) * num]


def _checked_bits(bits: int) -> int:
    if bits > 24:
        raise ValueError(f"its positions have {bits} fractional bits of 24")
    return bits


def _fractional_bits(reach: float) -> int:
    """Return how many of 24 bits stand behind the point, for positions up to `reach`."""
    if reach >= 2**23 - 1:
        raise ValueError(f"SPZ holds positions up to {2**23 - 1:,} units, not {reach:,.0f}; scale with --height-m.")
    fine = math.ceil(-math.log2(FINE * max(reach, 1e-6)))
    room = math.floor(math.log2((2**23 - 1) / max(reach, 1e-6)))
    return max(0, min(max(fine, FRACTIONAL_BITS), room, 24))


def _packed(splats: Splats, bits: int) -> list[bytes]:
    """Return the six streams; the last is empty where there are no harmonics."""
    fixed = np.round(splats.means.double().numpy() * 2.0**bits).astype("<i4")
    positions = np.ascontiguousarray(fixed).view(np.uint8).reshape(-1, 3, 4)[..., :3]
    alphas = _bytes(255 * sigmoid(splats.opacity_logits.numpy()))
    colors = _bytes(splats.sh[:, 0].double().numpy() * COLOR_SCALE + 127.5)
    scales = _bytes((splats.log_scales.double().numpy() + 10) * 16)
    rest = [
        _coarse(splats.sh[:, d * d : (d + 1) ** 2].double().numpy(), SH_BITS[d - 1])
        for d in range(1, splats.sh_degree + 1)
    ]
    harmonics = np.concatenate(rest, axis=1).tobytes() if rest else b""
    streams = (positions, alphas, colors, scales, _smallest_three(splats.quats.double().numpy()))
    return [*(stream.tobytes() for stream in streams), harmonics]


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.round(values).clip(0, 255).astype(np.uint8)


def _coarse(values: np.ndarray, bits: int) -> np.ndarray:
    """Return coefficients as bytes 128 + 128 c of which only the upper `bits` tell anything, which packs better."""
    step = 2 ** (8 - bits)
    return _bytes(np.floor((np.round(128 * values) + 128 + step / 2) / step) * step)


def _from_fixed(positions: np.ndarray) -> np.ndarray:
    """Return whole numbers [N,3] of 24 bits with a sign, low byte first, out of bytes [N,9]."""
    parts = positions.reshape(-1, 3, 3).astype(np.int32)
    whole = parts[..., 0] | parts[..., 1] << 8 | parts[..., 2] << 16
    return np.where(whole >= 2**23, whole - 2**24, whole)


def _smallest_three(quats: np.ndarray) -> np.ndarray:
    """Return quaternions wxyz as uint32: the index of the largest part of xyzw, and the others in ten bits each.

    Ten bits are a sign and nine of size, in units of sqrt(1/2) / 511; the largest part is taken as positive.
    """
    xyzw = quats[:, [1, 2, 3, 0]] / np.linalg.norm(quats, axis=1, keepdims=True)
    largest = np.abs(xyzw).argmax(axis=1)
    xyzw = xyzw * np.where(np.take_along_axis(xyzw, largest[:, None], 1) < 0, -1, 1)
    words = largest.astype(np.uint32)
    for part in range(4):
        value = xyzw[:, part]
        size = np.round(511 * math.sqrt(2) * np.abs(value)).clip(0, 511).astype(np.uint32)
        words = np.where(part == largest, words, words << 10 | (value < 0).astype(np.uint32) << 9 | size)
    return words.astype("<u4")


def _quats(rotations: np.ndarray) -> np.ndarray:
    """Undo `_smallest_three`, from bytes [N,4]."""
    words = np.ascontiguousarray(rotations).view("<u4")[:, 0].astype(np.int64)
    largest, xyzw = words >> 30, np.zeros((len(words), 4))
    for part in (3, 2, 1, 0):
        size = np.where(words & 512, -1, 1) * (words & 511) / (511 * math.sqrt(2))
        kept = part != largest
        xyzw[kept, part], words = size[kept], np.where(kept, words >> 10, words)
    rest = np.sqrt(np.maximum(1 - (xyzw**2).sum(axis=1), 0))
    np.put_along_axis(xyzw, largest[:, None], rest[:, None], axis=1)
    return xyzw[:, [3, 0, 1, 2]]


def _quats_v2(rotations: np.ndarray) -> np.ndarray:
    """Return quaternions wxyz out of bytes [N,3] of xyz, whose w is not negative."""
    xyz = rotations / 127.5 - 1
    w = np.sqrt(np.maximum(1 - (xyz**2).sum(axis=1, keepdims=True), 0))
    return np.hstack([w, xyz])


SPLAT_READERS = {".spz": read_splats}
SPLAT_SAVERS = {".spz": save_splats}
