"""depth_maps.npz: depth maps with their cameras, in the world of the run's cameras, for NumPy to read.

`depths` [M,H,W] (z, float32, 0 where there is nothing), `alphas` [M,H,W] (bytes), `K` [M,3,3], `w2c` [M,4,4] (OpenCV's
axes), and `num_own`: so many of them, the first ones, stand where the run's views do.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch

from recon.camera import Cameras
from recon.mesh_depth import DepthMaps


def save_depth_maps(path: Path, maps: DepthMaps) -> None:
    """Write depth maps; the same maps give the same bytes."""
    with path.open("wb") as file:  # NumPy would append .npz to a bare path
        np.savez_compressed(
            file,
            depths=maps.depths.astype(np.float32),
            alphas=np.round(np.clip(maps.alphas, 0, 1) * 255).astype(np.uint8),
            K=maps.cameras.K.numpy(),
            w2c=maps.cameras.w2c.numpy(),
            num_own=np.int64(maps.num_own),
        )


def load_depth_maps(path: Path) -> DepthMaps:
    """Read what `save_depth_maps` wrote. Raises ValueError for anything else."""
    try:
        with np.load(path) as data:
            depths, alphas = data["depths"], data["alphas"].astype(np.float32) / 255
            K, w2c = torch.from_numpy(data["K"]), torch.from_numpy(data["w2c"])
            height, width = depths.shape[1:]
            return DepthMaps(depths, alphas, Cameras(K, w2c, height, width), int(data["num_own"]))
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} holds no depth maps that vid2three wrote ({error}).") from None
