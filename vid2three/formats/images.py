"""Pictures: 8-bit RGB or RGBA files in and out, and 16-bit depth maps. sRGB, straight (not premultiplied) colour."""

from __future__ import annotations

import io
import math
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
DEPTH_UNIT = 1e-3  # world units a step of a depth PNG where nothing else is said, as in nerfstudio
MOST_STEPS = 65535
ORIENTATION = 0x0112  # EXIF's tag; from 5 on, rows and columns are swapped


def load_image(path: Path, *, upright: bool = False) -> np.ndarray:
    """Read a picture as uint8 [H,W,3], or [H,W,4] where the file has transparency; `upright` turns it as EXIF says.

    Raises FileNotFoundError for a missing file and ValueError for a broken one.
    """
    with _opened(path) as image:
        try:
            if upright:
                image = ImageOps.exif_transpose(image)
            has_alpha = "A" in image.getbands() or "transparency" in image.info
            if image.mode.startswith("I"):  # 16-bit grey
                grey = (np.asarray(image, np.float64) / 257).round().clip(0, 255).astype(np.uint8)
                return np.repeat(grey[..., None], 3, axis=2)
            return np.asarray(image.convert("RGBA" if has_alpha else "RGB"))
        except (OSError, SyntaxError, ValueError) as error:
            raise ValueError(f"The picture {path} is broken ({error}); replace it or drop its frame.") from None


def read_image(data: bytes, most_pixels: int) -> Image.Image:
    """Decode a picture out of another file. Raises ValueError where it is broken or has more than `most_pixels`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a bomb: the size is checked here
            image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP"))
            if image.width * image.height > most_pixels:
                raise ValueError(f"a picture in it has {image.width} x {image.height} pixels, more than it can need")
            image.load()
    except (OSError, SyntaxError, EOFError, struct.error, zlib.error, Image.DecompressionBombError) as error:
        raise ValueError(f"a picture in it is broken ({error})") from None
    return image


def image_size(path: Path, *, upright: bool = False) -> tuple[int, int]:
    """Return height and width without decoding the picture; `upright` and errors as in `load_image`."""
    with _opened(path) as image:
        is_turned = upright and image.getexif().get(ORIENTATION, 1) >= 5
        return (image.width, image.height) if is_turned else (image.height, image.width)


def save_image(path: Path, pixels: np.ndarray) -> None:
    """Write uint8 [H,W,3] or [H,W,4] as PNG."""
    Image.fromarray(np.ascontiguousarray(pixels)).save(path, format="PNG", optimize=False, compress_level=6)


def load_depth(path: Path, unit: float = DEPTH_UNIT) -> np.ndarray:
    """Read a depth map as float32 [H,W] in world units, 0 where there is none; `unit` is that of a step."""
    with _opened(path) as image:
        return np.asarray(image, np.float32) * np.float32(unit)


def depth_unit(most: float) -> float:
    """Return world units a step for depths up to `most`: DEPTH_UNIT, or another power of ten where that is coarse or
    too short."""
    if 1000 * DEPTH_UNIT <= most <= MOST_STEPS * DEPTH_UNIT or most <= 0:
        return DEPTH_UNIT
    return 10.0 ** math.ceil(math.log10(most / MOST_STEPS))


def save_depth(path: Path, depth: np.ndarray, unit: float = DEPTH_UNIT) -> None:
    """Write z [H,W] in world units as a 16-bit PNG in steps of `unit`."""
    steps = np.round(np.asarray(depth, np.float64) / unit)
    if steps.max(initial=0) > MOST_STEPS:
        raise ValueError(f"A depth of {depth.max():.1f} does not fit a depth map in steps of {unit}.")
    Image.fromarray(steps.astype(np.uint16)).save(path, format="PNG", compress_level=6)


def _opened(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"The picture {path} does not exist; check file_path in the JSON.") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise ValueError(f"{path} is no picture that can be read; replace it or drop its frame.") from None
