"""The splats: anisotropic 3D Gaussians with opacity and spherical-harmonic colour (3DGS, arXiv:2308.04079)."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial import KDTree
from torch import Tensor

from recon.sh import rgb_to_dc

# Columns of a splat where all of it is one row of a matrix, as the kernels and the optimiser hold it.
MEAN, LOG_SCALE, QUAT, OPACITY, SH = 0, 3, 6, 10, 11
NUM_GEOMETRY = 11


@dataclass(frozen=True, eq=False)
class Splats:
    """N Gaussians; the stored values are before activation, as in a 3DGS PLY."""

    means: Float[Tensor, "n 3"]
    """Centres in the world."""
    log_scales: Float[Tensor, "n 3"]
    """Natural logarithm of the standard deviations along the splat's own axes, in world units."""
    quats: Float[Tensor, "n 4"]
    """Rotations of those axes, wxyz, normalised on use."""
    opacity_logits: Float[Tensor, " n"]
    """Opacity before the sigmoid."""
    sh: Float[Tensor, "n k 3"]
    """Colour by direction: rgb = max(0.5 + sum_k Y_k sh_k, 0), k = 1, 4, 9 or 16."""

    def __post_init__(self) -> None:
        num = len(self.means)
        shapes = {"means": (num, 3), "log_scales": (num, 3), "quats": (num, 4), "opacity_logits": (num,)}
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"Splats' {name} must be {list(shape)}, not {list(getattr(self, name).shape)}.")
        if self.sh.ndim != 3 or self.sh.shape[::2] != (num, 3) or self.sh.shape[1] not in (1, 4, 9, 16):
            raise ValueError(f"Splats' sh must be [{num}, 1|4|9|16, 3], not {list(self.sh.shape)}.")

    def __len__(self) -> int:
        return len(self.means)

    def __getitem__(self, index: slice | Tensor) -> Splats:
        """Return the splats at a slice or a tensor of indices or booleans."""
        return replace(self, **{field.name: getattr(self, field.name)[index] for field in fields(self)})

    @property
    def sh_degree(self) -> int:
        """Highest degree of the stored harmonics, 0 to 3."""
        return {1: 0, 4: 1, 9: 2, 16: 3}[self.sh.shape[1]]

    @property
    def scales(self) -> Float[Tensor, "n 3"]:
        """Standard deviations in world units."""
        return self.log_scales.exp()

    @property
    def opacities(self) -> Float[Tensor, " n"]:
        """Opacities in (0, 1)."""
        return self.opacity_logits.sigmoid()

    def to(self, device: torch.device | str) -> Splats:
        """Copy to a device."""
        return replace(self, **{field.name: getattr(self, field.name).to(device) for field in fields(self)})


def from_points(
    points: Float[Tensor, "n 3"],
    colors: Float[Tensor, "n 3"],
    *,
    sh_degree: int = 0,
    opacity: float = 0.1,
    spacing: float = 1.0,
) -> Splats:
    """Make round splats at points; each one's radius is `spacing` times the mean distance to its three neighbours.

    The colours are rgb in [0,1]. Raises a ValueError for fewer than four points.
    """
    if len(points) < 4:
        raise ValueError(f"{len(points)} points are too few to start splats from; 4 are needed.")
    positions = points.detach().cpu().numpy()
    distances = np.asarray(KDTree(positions).query(positions, k=4)[0])[:, 1:].mean(axis=1)
    distances = np.maximum(distances, 1e-3 * np.median(distances) + 1e-9)  # points that coincide
    log_scales = torch.from_numpy(np.log(spacing * distances)).to(points)[:, None].expand(-1, 3).contiguous()
    sh = points.new_zeros(len(points), (sh_degree + 1) ** 2, 3)
    sh[:, 0] = rgb_to_dc(colors)
    quats = points.new_zeros(len(points), 4)
    quats[:, 0] = 1
    logits = points.new_full((len(points),), float(np.log(opacity / (1 - opacity))))
    return Splats(points, log_scales, quats, logits, sh)


def to_rows(splats: Splats) -> Float[Tensor, "n d"]:
    """Lay all of a splat in one row: means, log scales, quaternion, opacity logit, sh (coefficient by coefficient)."""
    parts = [splats.means, splats.log_scales, splats.quats, splats.opacity_logits[:, None], splats.sh.flatten(1)]
    return torch.cat(parts, dim=1)


def from_rows(rows: Float[Tensor, "n d"]) -> Splats:
    """Undo `to_rows`; the fields share the matrix's memory."""
    return Splats(
        means=rows[:, MEAN:LOG_SCALE],
        log_scales=rows[:, LOG_SCALE:QUAT],
        quats=rows[:, QUAT:OPACITY],
        opacity_logits=rows[:, OPACITY],
        sh=rows[:, SH:].unflatten(1, (-1, 3)),
    )
