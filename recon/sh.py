"""Real spherical harmonics up to degree 3, with the signs and the order of 3DGS (arXiv:2308.04079)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

C0 = 0.28209479177387814  # sqrt(1 / (4 pi))
C1 = 0.4886025119029199  # sqrt(3 / (4 pi))
C2 = (1.0925484305920792, -1.0925484305920792, 0.31539156525252005, -1.0925484305920792, 0.5462742152960396)
C3 = (
    -0.5900435899266435,
    2.890611442640554,
    -0.4570457994644658,
    0.3731763325901154,
    -0.4570457994644658,
    1.445305721320277,
    -0.5900435899266435,
)


def basis(directions: Float[Tensor, "*b 3"], degree: int) -> Float[Tensor, "*b k"]:
    """Return the (degree + 1)^2 basis functions at unit directions."""
    if degree not in (0, 1, 2, 3):
        raise ValueError(f"Spherical harmonics go up to degree 3, not {degree}.")
    x, y, z = directions.unbind(-1)
    terms = [torch.full_like(x, C0)]
    if degree >= 1:
        terms += [-C1 * y, C1 * z, -C1 * x]
    if degree >= 2:
        terms += [C2[0] * x * y, C2[1] * y * z, C2[2] * (2 * z * z - x * x - y * y)]
        terms += [C2[3] * x * z, C2[4] * (x * x - y * y)]
    if degree >= 3:
        terms += [C3[0] * y * (3 * x * x - y * y), C3[1] * x * y * z, C3[2] * y * (4 * z * z - x * x - y * y)]
        terms += [C3[3] * z * (2 * z * z - 3 * x * x - 3 * y * y), C3[4] * x * (4 * z * z - x * x - y * y)]
        terms += [C3[5] * z * (x * x - y * y), C3[6] * x * (x * x - 3 * y * y)]
    return torch.stack(terms, dim=-1)


def colors(
    sh: Float[Tensor, "n k 3"], directions: Float[Tensor, "n 3"], degree: int | None = None
) -> Float[Tensor, "n 3"]:
    """Return the rgb seen along unit directions (camera to splat), using harmonics up to `degree` (all unless said)."""
    if degree is None:
        degree = int(sh.shape[1] ** 0.5) - 1
    weights = basis(directions, degree)  # [N,K]
    return (0.5 + torch.einsum("nk,nkc->nc", weights, sh[:, : weights.shape[-1]])).clamp(min=0)


def rgb_to_dc(rgb: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3"]:
    """Return the degree-0 coefficients of a colour that is the same from everywhere."""
    return (rgb - 0.5) / C0


def dc_to_rgb(dc: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3"]:
    """Undo `rgb_to_dc`."""
    return 0.5 + C0 * dc


def rotated(sh: Float[Tensor, "n k 3"], rotation: Float[Tensor, "3 3"]) -> Float[Tensor, "n k 3"]:
    """Turn colours with the world: what was seen along d is then seen along `rotation` d.

    Each degree is closed under rotation, so a solve over fixed directions gives the matrix exactly. Its last bits
    differ from call to call, and so would those of a product of matrices: it is rounded, and applied term by term.
    """
    degree = int(sh.shape[1] ** 0.5) - 1
    generator = torch.Generator().manual_seed(0)
    directions = torch.nn.functional.normalize(torch.randn(64, 3, generator=generator, dtype=torch.float64), dim=1)
    before = basis(directions @ rotation.cpu().double(), degree)  # rows: R^t d
    matrix = torch.linalg.lstsq(basis(directions, degree), before).solution.round(decimals=12)  # [K,K]
    wide = sh.double()
    terms = [[weight * wide[:, k] for k, weight in enumerate(row) if weight != 0] for row in matrix.tolist()]
    return torch.stack([torch.stack(row).sum(dim=0) for row in terms], dim=1).to(sh)
