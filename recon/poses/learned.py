"""Points that two frames share, by a network whose files the user has; nothing is ever fetched.

Any keypoint matcher of transformers that was saved in a folder will do: EfficientLoFTR (arXiv:2403.04765), LightGlue
(arXiv:2306.13643), SuperGlue (arXiv:1911.11763). What it finds is one more source of matches: the orbit is fitted with
and without it, and the judge decides.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recon.poses.features import MARGIN, joined, subject_greys, subject_masks
from recon.poses.types import Matches

KINDS = ("efficientloftr", "lightglue", "superglue")
STEPS = (1, 2, 3, 5, 8)  # frames apart that are compared
FINER = 8  # parts of a pixel that are kept: transformers rounds its answers to whole ones


def check_matcher(folder: Path) -> None:
    """Raise FileNotFoundError or ValueError, with the cure, for what is no folder of a matcher."""
    file = folder / "config.json"
    if not file.is_file():
        raise FileNotFoundError(
            f"There is no {file}; --poses.matcher takes the folder of a downloaded matcher, such as EfficientLoFTR's."
        )
    try:
        kind = json.loads(file.read_text(encoding="utf-8"))["model_type"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{file} does not say what model lies there; download the folder again.") from None
    if kind not in KINDS:
        raise ValueError(f"{folder} holds a model of the kind {kind!r}; matchers are {', '.join(KINDS)}.")


def learned_matches(
    images: Float[Tensor, "f h w 3"],
    alphas: Float[Tensor, "f h w"] | None,
    folder: Path,
    *,
    is_loop: bool = False,
    progress: Callable[[int, int], None] = lambda step, total: None,
) -> Matches:
    """Match each frame with those 1, 2, 3, 5 and 8 frames on, round the end where the frames loop.

    `folder` is what `save_pretrained` wrote, or a download from the hub. The outside of the subject is painted over,
    and points there or near the outline are left out. `progress(pair, total)` is called for each pair.
    Raises FileNotFoundError or ValueError where the folder holds no matcher.
    """
    check_matcher(folder)
    model, processor = _load(folder)
    greys = (255 * subject_greys(images, alphas)).clip(0, 255).astype(np.uint8)
    pictures, masks = np.repeat(greys[..., None], 3, axis=-1), subject_masks(alphas, MARGIN)
    num, height, width = greys.shape
    pairs = [
        (min(n, m % num), max(n, m % num))
        for n in range(num)
        for m in (n + step for step in STEPS)
        if m < num or (is_loop and m % num != n)
    ]
    pairs, parts = sorted(set(pairs)), []
    sizes = torch.tensor([[[FINER * height, FINER * width]] * 2])
    for index, (n, m) in enumerate(pairs):
        progress(index, len(pairs))
        inputs = processor([[pictures[n], pictures[m]]], return_tensors="pt")
        with torch.no_grad():
            found = processor.post_process_keypoint_matching(model(**inputs), sizes)[0]
        first, second = (
            (found[name].double().numpy().reshape(-1, 2) + 0.5) / FINER for name in ("keypoints0", "keypoints1")
        )
        kept = _inside(first, masks, n, height, width) & _inside(second, masks, m, height, width)
        first, second = first[kept], second[kept]
        parts.append(Matches(np.full(len(first), n), np.full(len(first), m), first, second))
    return joined(parts)


def _load(folder: Path):
    from transformers import AutoImageProcessor, AutoModelForKeypointMatching
    from transformers.utils import logging

    logging.disable_progress_bar()

    try:
        model = AutoModelForKeypointMatching.from_pretrained(folder, local_files_only=True)
        return model.eval(), AutoImageProcessor.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).split("\n")[0]
        raise ValueError(f"The matcher in {folder} cannot be read: {reason} Download the folder again.") from None


def _inside(xy: np.ndarray, masks: np.ndarray | None, frame: int, height: int, width: int) -> np.ndarray:
    column, row = np.floor(xy).astype(int).T
    inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
    if masks is not None:
        inside &= masks[frame][row.clip(0, height - 1), column.clip(0, width - 1)]
    return inside
