"""What the transformer is told of the cameras: a ray for every token, an angle for every latent frame.

The same orbits as rays.py makes, for many clips at once and on any device.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .data import Orbit
from .rays import orbit_radius
from .vae import SPACE, TIME


@dataclass(frozen=True)
class Condition:
    """What a batch of clips should show, as the transformer hears it."""

    text: Float[Tensor, "b l e"]
    text_mask: Bool[Tensor, "b l"]
    null_text: Float[Tensor, "1 l e"]
    """What guidance leads away from."""
    null_mask: Bool[Tensor, "1 l"]
    rays: Float[Tensor, "#b t rows cols 12"]
    angles: Float[Tensor, "#b t"]
    reference: Float[Tensor, "b t c h w"] | None = None
    given: Bool[Tensor, "b t"] | None = None
    contrasts: tuple[tuple[Float[Tensor, "b l e"], Bool[Tensor, "b l"]], ...] = ()
    """The texts, and their masks, with something left out: what guidance leads away from in turn with the null text."""
    is_less: Bool[Tensor, " b"] | None = None
    """Where the contrasts leave something out; elsewhere they are the null text."""

    def of(self, rows: Int[Tensor, " n"]) -> Condition:
        """Return what some of the clips should show."""

        def some(x: Tensor | None) -> Tensor | None:
            return None if x is None else x[rows]

        return replace(
            self,
            text=self.text[rows],
            text_mask=self.text_mask[rows],
            rays=self.rays if len(self.rays) == 1 else self.rays[rows],
            angles=self.angles if len(self.angles) == 1 else self.angles[rows],
            reference=some(self.reference),
            given=some(self.given),
            contrasts=tuple((text[rows], mask[rows]) for text, mask in self.contrasts),
            is_less=some(self.is_less),
        )


def orbit_rows(orbits: Iterable[Orbit], device: torch.device | None = None) -> Float[Tensor, "b 4"]:
    """Return the elevation, field of view, start and span of orbits, in degrees."""
    return torch.tensor([[o.elevation_deg, o.fov_deg, o.start_deg, o.span_deg] for o in orbits], device=device)


def orbit_cameras(
    orbits: Float[Tensor, "b 4"], num_frames: int, height: int, width: int
) -> tuple[Float[Tensor, "b f 4 4"], Float[Tensor, "b 3 3"], Float[Tensor, "b f"]]:
    """Return camera-to-world matrices and intrinsics of orbits, and the azimuths of their frames in radians."""
    elevation_deg, fov_deg, start_deg, span_deg = orbits.unbind(1)
    steps = torch.where(span_deg == 360, num_frames, max(num_frames - 1, 1))[:, None]
    turn = torch.arange(num_frames, device=fov_deg.device, dtype=fov_deg.dtype) / steps
    azimuth = torch.deg2rad(start_deg)[:, None] + torch.deg2rad(span_deg)[:, None] * turn
    elevation = torch.deg2rad(elevation_deg)[:, None].expand_as(azimuth)
    zero, one = torch.zeros_like(azimuth), torch.ones_like(azimuth)
    outward = torch.stack([azimuth.sin() * elevation.cos(), -azimuth.cos() * elevation.cos(), elevation.sin()], dim=-1)
    right = torch.stack([azimuth.cos(), azimuth.sin(), zero], dim=-1)
    down = torch.linalg.cross(-outward, right)
    radius = orbit_distance(fov_deg)[:, None, None]
    top = torch.stack([right, down, -outward, radius * outward], dim=-1)  # b f 3 4
    bottom = torch.stack([zero, zero, zero, one], dim=-1)[:, :, None]
    focal = 0.5 * height / torch.tan(torch.deg2rad(fov_deg) / 2)
    K = torch.zeros(len(fov_deg), 3, 3, device=fov_deg.device, dtype=fov_deg.dtype)
    K[:, 0, 0] = K[:, 1, 1] = focal
    K[:, 0, 2], K[:, 1, 2], K[:, 2, 2] = width / 2, height / 2, 1
    return torch.cat([top, bottom], dim=2), K, azimuth


def orbit_distance(fov_deg: Tensor) -> Tensor:
    """Return what `rays.orbit_radius` returns, for a tensor."""
    margin = orbit_radius(180.0)
    return margin / torch.sin(torch.deg2rad(fov_deg) / 2)


def orbit_condition(
    orbits: Float[Tensor, "b 4"], num_frames: int, height: int, width: int, patch: int
) -> tuple[Float[Tensor, "b t h w 12"], Float[Tensor, "b t"]]:
    """Return the rays of the tokens, those of two frames side by side, and the angles of the latent frames.

    Six numbers a ray: unit direction d and moment o x d (Sitzmann et al., arXiv:2106.02634).
    """
    c2w, K, azimuth = orbit_cameras(orbits, num_frames, height, width)
    cell = SPACE * patch
    u = torch.arange(cell / 2, width, cell, device=K.device, dtype=K.dtype)
    v = torch.arange(cell / 2, height, cell, device=K.device, dtype=K.dtype)
    x = (u - K[:, 0, 2, None]) / K[:, 0, 0, None]
    y = (v - K[:, 1, 2, None]) / K[:, 1, 1, None]
    shape = (len(K), len(v), len(u))
    local = torch.stack([x[:, None].expand(shape), y[:, :, None].expand(shape), torch.ones(shape).to(K)], dim=-1)
    with torch.autocast(local.device.type, enabled=False):  # bf16 would turn rays by a fifth of a degree
        directions = torch.einsum("bfij,bhwj->bfhwi", c2w[:, :, :3, :3], local)
    directions = torch.nn.functional.normalize(directions, dim=-1)
    origins = c2w[:, :, None, None, :3, 3].expand_as(directions)
    rays = torch.cat([directions, torch.linalg.cross(origins, directions)], dim=-1)
    rays = torch.cat([rays[:, i::TIME] for i in range(TIME)], dim=-1)
    return rays, azimuth.view(len(K), -1, TIME).mean(-1)
