"""Where frames come from, a video or a folder of pictures: looked through in grey, then read again where chosen."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from vid2three import decode
from vid2three.formats.images import SUFFIXES, image_size, load_image

MOST_LOOKED_AT = 1200  # frames of a source; of more, every second, third ... one
SMALLEST_SIDE = 32  # pixels
SAME_SHAPE = 0.02  # relative difference of two shapes that scaling may hide
Seen = tuple[int, float | None, np.ndarray]  # number in the source, seconds, grey uint8 [H,W]


class Source(Protocol):
    """Numbered pictures of one size."""

    @property
    def height(self) -> int: ...
    @property
    def width(self) -> int: ...

    def looks(self) -> Iterator[Seen]:
        """Yield frames in order, in grey."""
        ...

    def pictures(self, numbers: list[int]) -> Iterator[np.ndarray]:
        """Yield the frames with these ascending numbers, uint8 [H,W,3|4], straight sRGB."""
        ...

    @property
    def fps(self) -> float: ...
    @property
    def total(self) -> int: ...
    @property
    def num_looks(self) -> int: ...


@dataclass(frozen=True)
class Video:
    """A video file, and the part of it that is decoded."""

    path: Path
    index: decode.Index
    runs: list[tuple[int, int]]
    height: int
    width: int
    turn: decode.Turn

    @property
    def fps(self) -> float:
        return self.index.fps

    @property
    def total(self) -> int:
        return self.index.num_packets

    @property
    def num_looks(self) -> int:
        return -(-self._planned // self._stride)

    @property
    def _planned(self) -> int:
        return sum(beyond - start for start, beyond in self.runs)

    @property
    def _stride(self) -> int:
        return -(-self._planned // MOST_LOOKED_AT)

    def looks(self) -> Iterator[Seen]:
        for count, ((run, place), frame) in enumerate(decode.decoded(self.path, self.runs)):
            if count % self._stride == 0:
                yield self.runs[run][0] + place, frame.time, decode.grey(frame, self.height, self.width, self.turn)

    def pictures(self, numbers: list[int]) -> Iterator[np.ndarray]:
        wanted, last = set(numbers), max(numbers)
        runs = frozenset(
            k for k, (start, beyond) in enumerate(self.runs) if any(start <= number < beyond for number in wanted)
        )
        for (run, place), frame in decode.decoded(self.path, self.runs, runs):
            number = self.runs[run][0] + place
            if number in wanted:
                yield decode.picture(frame, self.height, self.width, self.turn)
            if number >= last:
                return


@dataclass(frozen=True)
class Photos:
    """Pictures in a folder, in the order of their names."""

    paths: tuple[Path, ...]
    height: int
    width: int
    fps: float = 0.0

    @property
    def total(self) -> int:
        return len(self.paths)

    @property
    def num_looks(self) -> int:
        return len(range(0, len(self.paths), self._stride))

    @property
    def _stride(self) -> int:
        return -(-len(self.paths) // MOST_LOOKED_AT)

    def looks(self) -> Iterator[Seen]:
        for number in range(0, len(self.paths), self._stride):
            yield number, None, decode.brightness(self._read(number))

    def pictures(self, numbers: list[int]) -> Iterator[np.ndarray]:
        yield from map(self._read, numbers)

    def _read(self, number: int) -> np.ndarray:
        pixels = Image.fromarray(load_image(self.paths[number], upright=True))
        return np.asarray(pixels.resize((self.width, self.height), Image.Resampling.BOX))  # colours weighted by alpha


def open_source(path: Path, max_size: int) -> Source:
    """Look at a video or a folder of pictures; its frames are shrunk to `max_size` pixels on the longer side.

    Raises FileNotFoundError or ValueError, in one sentence with the cure.
    """
    try:
        is_folder = path.is_dir()
    except OSError as error:
        raise ValueError(f"{printable(path)[:80]} cannot be read ({error.strerror}).") from None
    if is_folder:
        paths = picture_files(path)
        height, width = _common_size(paths)
        return Photos(paths, *_shrunk(height, width, max_size, path))
    index = decode.index_video(path)
    height, width, turn = decode.uprightness(path)
    return Video(path, index, decode.planned(index), *_shrunk(height, width, max_size, path), turn)


def picture_files(folder: Path) -> tuple[Path, ...]:
    """Return the pictures of a folder in the order of their names, numbers by their value: 2.png before 10.png."""
    try:
        files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    except OSError as error:
        raise ValueError(f"{printable(folder)} cannot be read ({error.strerror}); check its permissions.") from None
    pictures = [path for path in files if path.suffix.lower() in SUFFIXES]
    if pictures:
        return tuple(sorted(pictures, key=_by_number))
    inside = next((sub for sub in sorted(folder.iterdir()) if sub.is_dir() and _has_pictures(sub)), None)
    heic = any(path.suffix.lower() in (".heic", ".heif", ".avif") for path in files)
    cure = "pass a video, a folder of pictures, or one with a transforms.json or a model of COLMAP."
    if inside is not None:
        cure = f"did you mean {printable(inside)}?"
    elif heic:
        cure = "those in HEIC are not read, save them as JPEG."
    raise FileNotFoundError(f"{printable(folder)} holds no pictures; {cure}")


def printable(path: Path) -> str:
    """Return a path that can be printed and written, whatever bytes are in it."""
    return os.fsencode(path).decode("utf-8", "replace")


def _common_size(paths: tuple[Path, ...]) -> tuple[int, int]:
    """Return the smallest size of pictures that all have one shape, or name two that differ."""
    sizes = [image_size(path, upright=True) for path in paths]
    for path, (height, width) in zip(paths, sizes):
        if abs(np.log(height / width) - np.log(sizes[0][0] / sizes[0][1])) > SAME_SHAPE:
            raise ValueError(
                f"The pictures differ in shape: {printable(paths[0])[-60:]} has {sizes[0][1]} x {sizes[0][0]} pixels, "
                f"{printable(path)[-60:]} {width} x {height}; give pictures of one camera, uncropped, held one way."
            )
    return min(sizes)


def _shrunk(height: int, width: int, max_size: int, path: Path) -> tuple[int, int]:
    scale = min(1.0, max_size / max(height, width))
    size = max(round(scale * height), 1), max(round(scale * width), 1)
    if min(size) < SMALLEST_SIDE:
        raise ValueError(
            f"{printable(path)} shows {width} x {height} pixels, too few to see a subject; {SMALLEST_SIDE} on the "
            f"shorter side are needed{'' if scale == 1 else f' after shrinking to {max_size}'}."
        )
    return size


def _by_number(path: Path) -> tuple[list[tuple[int, str]], str]:
    parts: list[str] = re.findall(r"\d+|\D+", path.name.lower())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], path.name


def _has_pictures(folder: Path) -> bool:
    try:
        return any(path.suffix.lower() in SUFFIXES for path in folder.iterdir())
    except OSError:
        return False
