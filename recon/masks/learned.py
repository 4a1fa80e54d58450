"""Masks of rembg's network, where the user has both the package and its weights; nothing is ever fetched."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from pathlib import Path

import numpy as np

MODEL = "u2net"  # rembg's own default
MD5 = "60024c5c889badc19c04ad937298a77b"  # of its weights, as rembg checks it


def weights_file() -> Path:
    """Return where rembg keeps the weights: $U2NET_HOME, or ~/.u2net as rembg says."""
    home = os.environ.get("U2NET_HOME") or os.path.join(os.environ.get("XDG_DATA_HOME", "~"), ".u2net")
    return Path(home).expanduser() / f"{MODEL}.onnx"


def is_available() -> bool:
    """Say whether rembg and the weights it expects are here already: it would fetch others again."""
    if importlib.util.find_spec("rembg") is None or not weights_file().is_file():
        return False
    with weights_file().open("rb") as file:
        digest = hashlib.md5(usedforsecurity=False)
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest() == MD5


def learned_alphas(images: np.ndarray) -> np.ndarray:
    """Return alphas [F,H,W] for pictures [F,H,W,3], sRGB in [0,1]. Needs `is_available`."""
    import rembg  # type: ignore[import-not-found]

    session = rembg.new_session(MODEL)
    found = []
    for image in images:
        mask = rembg.remove((image * 255).round().astype(np.uint8), session=session, only_mask=True)
        found.append(np.asarray(mask, np.float32) / 255)
    return np.stack(found)
