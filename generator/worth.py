"""Which of several drafts is the best: it shows what was asked, and is of one piece."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from scipy import ndimage
from torch import Tensor

from .grammar import Attributes
from .match import load_matcher, quarters, text_features
from .text import TextEncoder
from .verify import WEIGHT, sureness

APART = 0.5  # weight of the share of a thing that hangs in the air, against the matcher's cosine


def worth(
    drafts: Float[Tensor, "b k f 5 h w"],
    captions: Sequence[str],
    wanted: Sequence[Attributes | None],
    encoder: TextEncoder,
) -> Float[Tensor, "b k"]:
    """Return how well each caption's drafts, whole clips or four frames a quarter apart, show it and the attributes of
    it that are `wanted`."""
    matcher = load_matcher()  # on the CPU: it sees four small views of each
    views = quarters(drafts[..., :3, :, :].flatten(0, 1).float()).cpu()
    seen = matcher.see(views).unflatten(0, drafts.shape[:2])
    read = matcher.read(text_features(encoder, list(captions)).float().cpu())
    found = torch.einsum("bkj,bj->bk", seen, read).float()
    for row, attributes, shown, clips in zip(found, wanted, views.unflatten(0, drafts.shape[:2]), drafts):
        if attributes is not None:
            row += WEIGHT * sureness(shown, attributes)
        if attributes is None or (attributes.count == 1 and not attributes.relation):
            row -= APART * apart(clips[:, :, 3])
    return found


def apart(alpha: Float[Tensor, "k f h w"]) -> Float[Tensor, " k"]:
    """Return the share of each clip's covered pixels that no bridge joins to the largest piece, in the mean frame."""
    covered = (alpha > 0.5).cpu().numpy()
    return torch.tensor([float(np.mean([_share_apart(frame) for frame in clip])) for clip in covered])


def _share_apart(covered: np.ndarray) -> float:
    pieces = np.bincount(np.asarray(ndimage.label(covered, np.ones((3, 3)))[0]).ravel())[1:]  # type: ignore[index]
    return 1 - pieces.max() / pieces.sum() if len(pieces) else 0.0
