"""The contact sheet, preview.png: rows of pictures under a title, on a light page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH = 1600
MARGIN = 48
GAP = 16  # with these, rows of 4 and of 8 end at the same pixel
CORNER = 10  # radius of a tile's corners
PAGE, TILE, EDGE = (244, 244, 241), (255, 255, 255), (226, 226, 221)
INK, FAINT = (28, 28, 30), (120, 120, 124)
FINE = 2  # corners are drawn at this factor and averaged


@dataclass(frozen=True)
class Row:
    """Pictures of one kind, side by side across the whole page."""

    label: str
    """What they are, such as "Splats"."""
    note: str
    """What there is to say about them, in one line; may be empty."""
    pictures: list[np.ndarray]
    """uint8 [H,W,3], of one size."""
    captions: tuple[str, ...] = ()
    """A word in the corner of each picture, or none."""


def contact_sheet(title: str, subtitle: str, rows: list[Row]) -> np.ndarray:
    """Lay out rows as uint8 [H,1600,3]. A row's pictures share its width, so fewer pictures come out larger.

    The same rows give the same pixels on one machine.
    """
    heading = _wrapped(title, _font(44), WIDTH - 2 * MARGIN)
    top = MARGIN + 54 * len(heading) + (38 if subtitle else 8)
    sizes = [tile_size(row.pictures, len(row.pictures)) for row in rows]
    height = top + sum(52 + tile_height for tile_height, _ in sizes) + MARGIN
    page = Image.new("RGB", (WIDTH, height), PAGE)
    pen = ImageDraw.Draw(page)
    for index, line in enumerate(heading):
        pen.text((MARGIN - 2, MARGIN - 12 + 54 * index), line, INK, _font(44))
    pen.text((MARGIN, MARGIN - 2 + 54 * len(heading)), subtitle, FAINT, _font(21))
    for row, size in zip(rows, sizes, strict=True):
        pen.text((MARGIN, top + 16), row.label, INK, _font(24))
        left = MARGIN + pen.textlength(row.label, _font(24)) + 16
        pen.text((left, top + 20), row.note, FAINT, _font(19))
        _paste_row(page, row, top + 52, size)
        top += 52 + size[0]
    return np.asarray(page)


def tile_size(pictures: list[np.ndarray], num_columns: int) -> tuple[int, int]:
    """Return height and width in pixels of a tile in a row of so many; the shape is the pictures', within 1:1.4."""
    height, width = pictures[0].shape[:2]
    tile_width = (WIDTH - 2 * MARGIN - GAP * (num_columns - 1)) // num_columns
    return round(tile_width * float(np.clip(height / width, 1 / 1.4, 1.4))), tile_width


def _paste_row(page: Image.Image, row: Row, top: int, size: tuple[int, int]) -> None:
    height, width = size
    mask = Image.new("L", (FINE * width, FINE * height))
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, FINE * width - 1, FINE * height - 1), FINE * CORNER, 255)
    mask = mask.resize((width, height), Image.Resampling.BOX)
    rim = Image.new("L", (FINE * width, FINE * height))
    ImageDraw.Draw(rim).rounded_rectangle((0, 0, FINE * width - 1, FINE * height - 1), FINE * CORNER, None, 255, FINE)
    rim = rim.resize((width, height), Image.Resampling.BOX)
    for index, picture in enumerate(row.pictures):
        left = MARGIN + index * (width + GAP)
        page.paste(_fitted(picture, height, width), (left, top), mask)
        page.paste(EDGE, (left, top), rim)
        if row.captions:
            pen = ImageDraw.Draw(page)
            pen.text((left + 14, top + height - 12), row.captions[index], FAINT, _font(18), anchor="ls")


def _fitted(picture: np.ndarray, height: int, width: int) -> Image.Image:
    """Return a picture that fills a tile, its longer side cropped about the middle."""
    scale = max(height / picture.shape[0], width / picture.shape[1])
    cut_height, cut_width = height / scale, width / scale
    left, top = (picture.shape[1] - cut_width) / 2, (picture.shape[0] - cut_height) / 2
    image = Image.fromarray(np.ascontiguousarray(picture))
    box = (left, top, left + cut_width, top + cut_height)
    return image.resize((width, height), Image.Resampling.LANCZOS, box=box)


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int, most: int = 3) -> list[str]:
    """Break a text into at most so many lines; what is left over becomes an ellipsis."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        elif len(lines) == most:
            lines[-1] += " …"
            return lines
        else:
            lines.append(word)
    return lines or [""]


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)  # Pillow's own font: the same on every machine
