"""Masks of the user's own, one a frame: white, or solid, where the subject is."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from vid2three.decode import brightness
from vid2three.formats.images import load_image
from vid2three.sources import SAME_SHAPE, picture_files, printable


def load_masks(
    folder: Path, indices: list[int], num_source_frames: int, height: int, width: int
) -> Float[Tensor, "f h w"]:
    """Read the masks of chosen frames, by `matched`, in [0,1] and of the frames' height and width.

    Masks of the frames' shape are shrunk to their size; another shape, or masks that are all black or all white, raise
    ValueError.
    """
    paths = matched(picture_files(folder), indices, num_source_frames, folder)
    masks = np.stack([_mask(path, height, width) for path in paths])
    if masks.max() < 0.5 or masks.min() > 0.5:
        what = "nothing" if masks.max() < 0.5 else "everything"
        raise ValueError(f"The masks in {printable(folder)} show {what}; the subject must be white, the rest black.")
    return torch.from_numpy(masks)


def matched(paths: tuple[Path, ...], indices: list[int], num_source_frames: int, folder: Path) -> list[Path]:
    """Return the masks of frames with these numbers in their source.

    One mask a source frame or one a chosen frame: by order. Else by the last number in the name, counted from 0.
    """
    if len(paths) == num_source_frames:
        return [paths[index] for index in indices]
    if len(paths) == len(indices):
        return list(paths)
    by_number = {int(numbers[-1]): path for path in paths if (numbers := re.findall(r"\d+", path.stem))}
    if all(index in by_number for index in indices):
        return [by_number[index] for index in indices]
    raise ValueError(
        f"{printable(folder)} holds {len(paths)} masks for {num_source_frames} frames, of which {len(indices)} are "
        "used; give one a frame, in their order."
    )


def _mask(path: Path, height: int, width: int) -> np.ndarray:
    """Return a mask, float32 [H,W] in [0,1]: its alpha where it has some, else its brightness."""
    pixels = load_image(path, upright=True)
    has_alpha = pixels.shape[2] == 4 and pixels[..., 3].min() < 255
    mask = np.ascontiguousarray(pixels[..., 3]) if has_alpha else brightness(pixels[..., :3])
    if abs(np.log(mask.shape[0] / mask.shape[1]) - np.log(height / width)) > SAME_SHAPE:
        raise ValueError(
            f"The mask {printable(path)} has {mask.shape[1]} x {mask.shape[0]} pixels, its frame {width} x {height}; "
            "make masks of the frames' own size."
        )
    return np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.BOX), np.float32) / 255
