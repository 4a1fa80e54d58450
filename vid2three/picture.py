"""A picture that a clip begins with: its subject cut out and put where the model expects a subject."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from recon.masks import estimate_alphas
from recon.masks.estimate import shrunk
from vid2three.formats.images import load_image

REACH = 0.86  # of the frame's smaller half that the subject's farthest pixel reaches, as in the training clips
LOOKED_AT = 640  # pixels of the longer side; a clip is smaller
LEAST = 16  # pixels of the subject, each way
CUT = "cut the subject out (a PNG with transparency)"


def load_picture(path: Path, height: int, width: int) -> Float[Tensor, "4 h w"]:
    """Read a picture's subject as colour on white and alpha, in [0,1], centred and scaled for a clip of this size.

    Transparency says what the subject is; without it, it is cut out. Raises ValueError, with the cure, where no subject
    is found, and what `load_image` raises.
    """
    pixels = load_image(path, upright=True).astype(np.float32) / 255
    if pixels.shape[2] == 3 or pixels[..., 3].min() > 0.5:
        color = np.ascontiguousarray(shrunk(pixels[..., :3], LOOKED_AT))
        found = estimate_alphas(torch.from_numpy(color)[None]).alphas
        if found is None:
            raise ValueError(f"No single subject stands out in {path.name}: take a plainer background, or {CUT}.")
        pixels = np.concatenate([color, found[0].numpy()[..., None]], axis=2)
    pixels[..., :3] *= pixels[..., 3:]  # what lies under transparency must not bleed into the edges
    covered = shrunk(pixels, LOOKED_AT)
    alpha = covered[..., 3]
    rows, columns = np.nonzero(alpha > 0.5)
    if len(rows) == 0 or min(np.ptp(rows), np.ptp(columns)) < LEAST:
        raise ValueError(f"The subject of {path.name} is hardly to be seen: crop the picture closer, or {CUT}.")
    center = np.array([rows.min() + rows.max() + 1, columns.min() + columns.max() + 1]) / 2
    reach = float(np.hypot(rows + 0.5 - center[0], columns + 0.5 - center[1]).max()) / REACH
    half = np.array([height, width]) / min(height, width) * reach
    box = (*(center - half)[::-1], *(center + half)[::-1])
    layers = [Image.fromarray(np.ascontiguousarray(layer)) for layer in np.moveaxis(covered, 2, 0)]
    placed = np.stack([_placed(layer, box, height, width) for layer in layers]).clip(0, 1)
    placed[:3] = (placed[:3] + 1 - placed[3]).clip(0, 1)  # on white
    return torch.from_numpy(placed)


def whole_picture(path: Path, height: int, width: int) -> Float[Tensor, "3 h w"]:
    """Read a picture as it is, on white where it is transparent, cropped about its middle to a frame of this size."""
    pixels = load_image(path, upright=True).astype(np.float32) / 255
    if pixels.shape[2] == 4:
        pixels = pixels[..., :3] * pixels[..., 3:] + 1 - pixels[..., 3:]
    image = Image.fromarray((pixels * 255).round().astype(np.uint8))
    scale = min(image.height / height, image.width / width)
    left, top = (image.width - scale * width) / 2, (image.height - scale * height) / 2
    box = (left, top, left + scale * width, top + scale * height)
    fitted = np.asarray(image.resize((width, height), Image.Resampling.LANCZOS, box=box), np.float32) / 255
    return torch.from_numpy(np.moveaxis(fitted, 2, 0).copy())


def _placed(layer: Image.Image, box: tuple[float, float, float, float], height: int, width: int) -> np.ndarray:
    """Return the part of a layer in a box, which may reach beyond it, at a size; averaged over areas."""
    left, top, right, bottom = box
    beyond = int(np.ceil(max(-left, -top, right - layer.width, bottom - layer.height, 0)))
    padded = Image.new("F", (layer.width + 2 * beyond, layer.height + 2 * beyond), 0.0)
    padded.paste(layer, (beyond, beyond))
    moved = (left + beyond, top + beyond, right + beyond, bottom + beyond)
    return np.asarray(padded.resize((width, height), Image.Resampling.BILINEAR, box=moved))
