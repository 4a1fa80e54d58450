"""Densification as sampling: 3DGS as Markov chain Monte Carlo (Kheradmand et al., arXiv:2404.09591).

Faint splats move onto opaque ones such that the sum of the copies looks as the one did (Eq. 9); the number grows the
same way; noise along each splat's own axes lets faint ones explore (Eq. 8). Works on the matrix of splat rows.

Shapes: N splats, D columns.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from recon.densify import FAINT, Population
from recon.reference import quats_to_rotations
from recon.splats import LOG_SCALE, MEAN, OPACITY, QUAT

MOST_COPIES = 8
WEIGHT = 0.01  # of opacity and scale in the loss, as in the paper
NOISE = 4.0  # by the means' learning rate: a quarter of a standard deviation for a faint splat at 3e-3
OPAQUE, SHARPNESS = (
    0.05,
    100.0,
)  # where and how fast noise dies out; the paper's 0.005 never moves a splat in a short fit


def relocate(population: Population, cap: int, share: float, generator: torch.Generator) -> Population:
    """Move faint splats onto others drawn by opacity, and grow by `share` towards `cap` in the same way."""
    rows = population.rows
    opacities = rows[:, OPACITY].sigmoid()
    faint = (opacities < FAINT).nonzero()[:, 0]
    num_new = max(min(cap - len(rows), int(share * len(rows))), 0)
    weights = torch.where(opacities < FAINT, torch.zeros_like(opacities), opacities)
    wanted = len(faint) + num_new
    if wanted == 0 or not bool((weights > 0).any()):
        return population
    chosen = torch.multinomial(weights.cpu(), wanted, replacement=True, generator=generator).to(rows.device)
    return copied(population, chosen, faint)


def copied(population: Population, chosen: Int[Tensor, " m"], filled: Int[Tensor, " f"]) -> Population:
    """Copy each chosen splat into a `filled` row or a new one; all copies together look as the one did.

    The first moments of all that changed start anew.
    """
    rows, first, second = population.rows.clone(), population.first.clone(), population.second.clone()
    copies = torch.bincount(chosen, minlength=len(rows)).clamp(max=MOST_COPIES - 1) + 1
    changed = chosen.unique()
    opacity, shrink = shared_out(rows[changed, OPACITY].sigmoid(), copies[changed])
    rows[changed, OPACITY] = torch.logit(opacity)
    rows[changed, LOG_SCALE:QUAT] += shrink.log()[:, None]
    first[changed] = 0
    num_filled = len(filled)
    rows[filled], first[filled], second[filled] = rows[chosen[:num_filled]], 0, second[chosen[:num_filled]]
    added = chosen[num_filled:]
    return Population(
        rows=torch.cat([rows, rows[added]]),
        first=torch.cat([first, torch.zeros_like(first[added])]),
        second=torch.cat([second, second[added]]),
    )


def shared_out(
    opacity: Float[Tensor, " m"], copies: Int[Tensor, " m"]
) -> tuple[Float[Tensor, " m"], Float[Tensor, " m"]]:
    """Return opacity and scale, by the old, of each of so many copies of a splat (Eq. 9).

    Opacities multiply out: (1 - new)^copies = 1 - old. The scale keeps the integral of what a ray through it collects.
    """
    new = 1 - (1 - opacity.double()) ** (1 / copies.double())
    total = torch.zeros_like(new)
    for i in range(1, MOST_COPIES + 1):
        terms = sum(math.comb(i - 1, k) * (-1) ** k * new ** (k + 1) / math.sqrt(k + 1) for k in range(i))
        total = total + torch.where(copies >= i, torch.as_tensor(terms), torch.zeros_like(new))
    return new.to(opacity).clamp(1e-4, 1 - 1e-4), (opacity.double() / total).to(opacity)


def regularize(rows: Float[Tensor, "n d"], gradient: Float[Tensor, "n d"], radius: float) -> None:
    """Add the gradients of WEIGHT times mean opacity and of WEIGHT times mean scale, in radii, in place.

    They make faint what shows little, and so free to move.
    """
    opacities = rows[:, OPACITY].sigmoid()
    gradient[:, OPACITY] += WEIGHT / len(rows) * opacities * (1 - opacities)
    gradient[:, LOG_SCALE:QUAT] += WEIGHT / (3 * len(rows) * radius) * rows[:, LOG_SCALE:QUAT].exp()


def explore(rows: Float[Tensor, "n d"], rate: float, generator: torch.Generator, radius: float) -> None:
    """Shake faint splats along their own axes, in place (Eq. 8); `rate` is the means' learning rate now."""
    faintness = torch.sigmoid(-SHARPNESS * (rows[:, OPACITY].sigmoid() - OPAQUE))
    draw = torch.randn(len(rows), 3, generator=generator).to(rows)
    axes, scales = quats_to_rotations(rows[:, QUAT:OPACITY]), rows[:, LOG_SCALE:QUAT].exp()
    step = torch.einsum("nij,nj->ni", axes, draw * scales)
    rows[:, MEAN:LOG_SCALE] += NOISE * rate / radius * faintness[:, None] * step
