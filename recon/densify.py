"""Where splats are spent: the ones that show nothing move to where the picture is worst, and new ones join them.

The moved splat becomes the half of a busy one, as in 3DGS's split (arXiv:2308.04079, Sec. 5.2); the number grows
towards a cap and faint splats move rather than die, as in 3DGS as MCMC (arXiv:2404.09591). Everything here works on the
matrix of splat rows (columns in splats.py) with its Adam moments beside it, so a splat and its state move together.

Shapes: N splats, D columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from recon.reference import quats_to_rotations
from recon.splats import LOG_SCALE, MEAN, OPACITY, QUAT

FAINT = 0.02  # opacity under which a splat shows nothing
SHRINK = 1.3  # a whole by its half; 3DGS's 1.6 tears holes that a short fit has no time to close: 0.15 dB less


@dataclass(frozen=True, eq=False)
class Population:
    """Splats and the state of their optimisation."""

    rows: Float[Tensor, "n d"]
    """Splat rows."""
    first: Float[Tensor, "n d"]
    """Adam's first moments."""
    second: Float[Tensor, "n d"]
    """Adam's second moments."""


def densify(
    population: Population,
    need: Float[Tensor, " n"],
    cap: int,
    share: float,
    generator: torch.Generator,
) -> Population:
    """Split the neediest splats: into faint ones' places, and into new rows while there are fewer than `cap`.

    `need` says how much the loss wants to change around each splat; splats are drawn in proportion to it. Grows by
    `share` of the number at a time; once the cap is reached, at least `share` of all move each time, the least visible
    first. Randomness comes from the generator, which lies on the CPU.
    """
    rows = population.rows
    num = len(rows)
    num_new = min(cap - num, int(share * num))
    idle = least_visible(rows, 0 if num_new > 0 else int(share * num))
    weights = need.clone()
    weights[idle] = 0
    wanted = min(len(idle) + max(num_new, 0), int((weights > 0).sum()))
    if wanted == 0:
        return population
    chosen = torch.multinomial(weights.cpu(), wanted, generator=generator).to(rows.device)
    filled = idle[:wanted]
    return split(population, chosen, filled, generator)


def least_visible(rows: Float[Tensor, "n d"], at_least: int) -> Int[Tensor, " m"]:
    """Return the faint splats, and others, smallest visible size first, until there are `at_least`."""
    opacities = rows[:, OPACITY].sigmoid()
    wide = rows[:, LOG_SCALE:QUAT].sum(dim=1) - rows[:, LOG_SCALE:QUAT].amin(dim=1)  # log of the disc's area
    order = (opacities * wide.exp() + (opacities >= FAINT)).argsort(stable=True)
    return order[: max(int((opacities < FAINT).sum()), at_least)]


def split(
    population: Population, chosen: Int[Tensor, " m"], filled: Int[Tensor, " f"], generator: torch.Generator
) -> Population:
    """Replace each chosen splat by two halves: one stays in its row, the other takes a `filled` row or a new one.

    The halves are smaller by SHRINK and lie apart by a draw from the splat itself. The first moments of both start
    anew; the other half inherits the second, which hold the scale of its gradients.
    """
    rows, first, second = population.rows.clone(), population.first.clone(), population.second.clone()
    log_shrink = math.log(SHRINK)
    rows[chosen, LOG_SCALE:QUAT] -= log_shrink
    first[chosen] = 0
    halves = rows[chosen]
    draw = torch.randn(len(chosen), 3, generator=generator).to(rows)
    along = draw * (halves[:, LOG_SCALE:QUAT] + log_shrink).exp()
    rotations = quats_to_rotations(halves[:, QUAT:OPACITY])
    halves[:, MEAN:LOG_SCALE] += torch.einsum("mij,mj->mi", rotations, along)
    num_filled = len(filled)
    rows[filled], first[filled], second[filled] = halves[:num_filled], 0, second[chosen[:num_filled]]
    added = chosen[num_filled:]
    return Population(
        rows=torch.cat([rows, halves[num_filled:]]),
        first=torch.cat([first, torch.zeros_like(first[added])]),
        second=torch.cat([second, second[added]]),
    )
