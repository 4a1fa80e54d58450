"""The container of binary glTF 2.0: a JSON header and one buffer, written by parts and read with every size checked."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vid2three.formats.contents import file_bytes

FLOAT, BYTE, UBYTE, SHORT, USHORT, UINT = 5126, 5120, 5121, 5122, 5123, 5125  # glTF's component types
ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER = 34962, 34963
NUMPY_TYPES = {BYTE: np.int8, UBYTE: np.uint8, SHORT: np.int16, USHORT: np.uint16, UINT: np.uint32, FLOAT: np.float32}
COMPONENTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
POINTS, TRIANGLES = 0, 4  # modes of a primitive


@dataclass(eq=False)
class Buffer:
    """The buffer of a GLB that is being written, with the accessors and views into it."""

    accessors: list[dict[str, Any]] = field(default_factory=list)
    views: list[dict[str, Any]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)

    def add_array(self, values: np.ndarray, component: int, kind: str, target: int = ARRAY_BUFFER, **facts: Any) -> int:
        """Append an array [N] or [N,C] and return the index of its accessor; `facts` join it."""
        data = np.ascontiguousarray(values, np.dtype(NUMPY_TYPES[component]).newbyteorder("<")).tobytes()
        accessor = {"bufferView": len(self.views), "componentType": component, "count": len(values), "type": kind}
        self.accessors.append({**accessor, **facts})
        self.add_bytes(data, target=target)
        return len(self.accessors) - 1

    def add_bytes(self, data: bytes, **facts: Any) -> int:
        """Append bytes and return the index of their view; what follows is aligned to four bytes."""
        self.views.append({"buffer": 0, "byteOffset": len(self.body), "byteLength": len(data), **facts})
        self.body += data + bytes(-len(data) % 4)
        return len(self.views) - 1


def save_glb(path: Path, header: dict[str, Any], buffer: Buffer) -> None:
    """Write a GLB whose header lacks only what tells of the buffer; equal input, equal bytes."""
    whole = {
        **header,
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.body)}],
    }
    text = json.dumps(whole, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 4)
    size = 12 + 8 + len(text) + 8 + len(buffer.body)
    path.write_bytes(
        struct.pack("<4sII", b"glTF", 2, size)
        + struct.pack("<I4s", len(text), b"JSON")
        + text
        + struct.pack("<I4s", len(buffer.body), b"BIN\0")
        + bytes(buffer.body)
    )


@dataclass(frozen=True, eq=False)
class Glb:
    """A GLB that was read. Its methods raise what contents.MALFORMED lists where the file contradicts itself."""

    header: dict[str, Any]
    body: bytes

    @property
    def primitive(self) -> dict[str, Any]:
        """The first primitive of the first mesh, which is all that vid2three writes."""
        return self.header["meshes"][0]["primitives"][0]

    def array(self, index: int) -> np.ndarray:
        """Return an accessor's values [N,C] as they are stored; it may not be sparse."""
        accessor = self.header["accessors"][_whole(index)]
        view = self.header["bufferViews"][_whole(accessor["bufferView"])]
        count, columns = _whole(accessor["count"]), COMPONENTS[accessor["type"]]
        kind = np.dtype(NUMPY_TYPES[accessor["componentType"]]).newbyteorder("<")
        stride = _whole(view.get("byteStride", 0)) or columns * kind.itemsize
        offset = _whole(view.get("byteOffset", 0)) + _whole(accessor.get("byteOffset", 0))
        if count < 1 or stride < columns * kind.itemsize:
            raise ValueError("an accessor in it holds nothing")
        if offset + (count - 1) * stride + columns * kind.itemsize > len(self.body):
            raise ValueError(f"an accessor in it claims {count:,} values, more than it holds")
        return np.ndarray((count, columns), kind, self.body, offset, (stride, kind.itemsize))

    def floats(self, index: int) -> np.ndarray:
        """Return an accessor's values [N,C] as float32, normalised integers brought to [0,1] or [-1,1]."""
        values = self.array(index)
        if values.dtype.kind == "f" or not self.header["accessors"][index].get("normalized"):
            return values.astype(np.float32)
        return np.maximum(values.astype(np.float32) / np.iinfo(values.dtype).max, -1)

    def view(self, index: int) -> bytes:
        """Return the bytes of a buffer view."""
        view = self.header["bufferViews"][_whole(index)]
        start, length = _whole(view.get("byteOffset", 0)), _whole(view["byteLength"])
        if start + length > len(self.body):
            raise ValueError("a view in it reaches beyond its end")
        return self.body[start : start + length]

    @property
    def generator(self) -> str:
        """What program wrote it."""
        return str(self.header.get("asset", {}).get("generator", ""))

    @property
    def extras(self) -> dict[str, Any]:
        """What stands under asset.extras."""
        extras = self.header.get("asset", {}).get("extras", {})
        return extras if isinstance(extras, dict) else {}


def load_glb(path: Path) -> Glb:
    """Read the two chunks of a GLB. Raises ValueError, or what contents.MALFORMED lists, for other files."""
    data = file_bytes(path)
    if len(data) < 28 or data[:4] != b"glTF":
        raise ValueError("it does not begin as a GLB does")
    length, kind = struct.unpack_from("<I4s", data, 12)
    if kind != b"JSON" or 28 + length > len(data):
        raise ValueError("its header is longer than the file")
    header = json.loads(data[20 : 20 + length])
    if not isinstance(header, dict):
        raise ValueError("its header is no JSON object")
    return Glb(header, data[28 + length :])


def _whole(value: Any) -> int:
    """Return a value of the header that must be a whole number, 0 or more."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"a number in its header is {value!r}")
    return value
