"""surface.npz: a signed distance field with its grid, for NumPy to read.

`origin` [3] and `voxel` place the nodes, `inside` and `band` (packed bits of [X,Y,Z], as `shape` says) tell where they
lie, `distances` [A,1] and `colors` [A,3] are float32, one row for each node of the band in the order of the grid.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch

from recon.sdf_field import SdfField
from recon.tsdf import Grid


def save_field(path: Path, field: SdfField) -> None:
    """Write a field; the same field gives the same bytes."""
    in_band = field.index.cpu().numpy() >= 0
    with path.open("wb") as file:  # NumPy would append .npz to a bare path
        np.savez_compressed(
            file,
            origin=np.asarray(field.grid.origin, np.float64),
            voxel=np.float64(field.grid.voxel),
            shape=np.array(field.grid.shape),
            inside=np.packbits(field.is_inside.cpu().numpy()),
            band=np.packbits(in_band),
            distances=field.distances.detach().cpu().numpy(),
            colors=field.colors.detach().cpu().numpy(),
            sharpness=np.float64(field.sharpness),
        )


def load_field(path: Path) -> SdfField:
    """Read what `save_field` wrote. Raises ValueError for anything else."""
    try:
        with np.load(path) as data:
            x, y, z = (int(side) for side in data["shape"])
            shape = (x, y, z)
            inside, in_band = (
                np.unpackbits(data[name], count=int(np.prod(shape))).reshape(shape).astype(bool)
                for name in ("inside", "band")
            )
            index = np.full(shape, -1, np.int64)
            index[in_band] = np.arange(in_band.sum())
            return SdfField(
                grid=Grid(data["origin"], float(data["voxel"]), shape),
                distances=torch.from_numpy(data["distances"]),
                colors=torch.from_numpy(data["colors"]),
                index=torch.from_numpy(index),
                is_inside=torch.from_numpy(inside),
                sharpness=float(data["sharpness"]),
            )
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is no surface that vid2three wrote ({error}).") from None
