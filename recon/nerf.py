"""Views to a surface by volume rendering: a signed distance grid, coarse to fine, from the visual hull inwards.

The losses are NeuS's (arXiv:2106.10689): colour, coverage and the eikonal term; a Laplacian keeps what no view decides
smooth. Sharpness is not learned but grows on a schedule, so that the surface is always crisp at the end.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import ndimage
from torch import Tensor

from recon import cpu_sdf, hull, losses, tsdf
from recon.camera import rays
from recon.config import NerfConfig
from recon.sdf_field import (
    BAND,
    SdfField,
    draw_rays,
    drawable_cells,
    field_around,
    look_up,
    refined,
    sample_rays,
    with_tables,
)
from recon.views import Views, check, premultiplied

# Coarse to fine: share of the resolution, share of the steps, and Adam's rate for distances in voxels. Coarse grids
# carve hollows, which takes long strides; the finest only polishes.
LEVELS = ((0.25, 0.25, 0.5), (0.5, 0.3, 0.25), (1.0, 0.45, 0.06))
SHARPNESS = 1.5, 5.0  # per voxel: of the coarsest grid at the start, of the finest at the end
REFRESH = 75  # steps after which the band is moved to where the surface has gone
COLOR_RATE = 0.03  # Adam's, for colours
BETAS, ADAM_EPSILON = (0.9, 0.99), 1e-15
RATE_END = 0.1  # share of the rates that is left at the end of each level
SMOOTH_FROM = 0.1  # share of the asked smoothness at the start; it grows to the whole
COLOR_SMOOTH = 0.003  # weight of neighbours' having one colour: it decides where no view does
NUM_NODES = 16384  # nodes a step that the eikonal and the Laplacian look at
REPORT_EVERY = 20

Progress = Callable[[int, int, dict], None]


def fit_sdf(views: Views, config: NerfConfig, *, seed: int = 0, progress: Progress | None = None) -> SdfField:
    """Fit a signed distance field to views with alphas.

    `progress(step, total, {"psnr": ...})` is called every few steps. Costs about 10 ms a step on one core at
    the defaults. Raises ValueError where the views have no alphas, or nothing can come of them.
    """
    check(views)
    check_config(config)
    if views.alphas is None:
        raise ValueError("The SDF needs to know where the subject ends: give RGBA pictures, or use --method splats.")
    generator = torch.Generator().manual_seed(seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    low, high, misses = hull.bounds(views)
    radius = 0.5 * float(np.linalg.norm(high - low))
    batches = _Rays(views, device, generator)
    field: SdfField | None = None
    done, reached, squares = 0, 0.0, []
    coarsest = LEVELS[0][0]
    ends = SHARPNESS[0] / _grid(low, high, coarsest, config).voxel, SHARPNESS[1] / _grid(low, high, 1, config).voxel
    for size, share, stride in LEVELS:
        grid = _grid(low, high, size, config)
        field = _start(views, grid, misses, ends[0], device) if field is None else refined(field, grid)
        reached += share
        steps = round(reached * config.iterations) - done
        for step in range(steps):
            if step % REFRESH == 0:
                field = field_around(field.dense(), field.dense_colors(), grid, field.sharpness, device)
                band = _TorchBand(field) if device == "cuda" else _CpuBand(field)
            sharpness = ends[0] * (ends[1] / ends[0]) ** (done / config.iterations)
            left = RATE_END ** (step / steps)
            rates = left * stride * grid.voxel, left * COLOR_RATE
            smooth = config.smooth_weight * SMOOTH_FROM ** (1 - done / config.iterations)
            weights = Weights(config.alpha_weight, config.depth_weight / radius, config.eikonal_weight, smooth)
            batch = batches.draw(config.num_rays)
            field, square = band.step(field, batch, sharpness, rates, weights, generator)
            squares.append(square)
            done += 1
            if progress is not None and (done % REPORT_EVERY == 0 or done == config.iterations):
                progress(done, config.iterations, {"psnr": round(float(-10 * np.log10(np.mean(squares) + 1e-12)), 2)})
                squares = []
    assert field is not None
    return field


def check_config(config: NerfConfig) -> None:
    """Raise a ValueError for settings from which no surface can come."""
    if not 16 <= config.resolution <= 512:
        raise ValueError(f"The surface's resolution must lie between 16 and 512, not at {config.resolution}.")
    if config.iterations < 10:
        raise ValueError(f"A surface needs at least 10 iterations, not {config.iterations}.")
    if config.num_rays < 1:
        raise ValueError(f"A step needs at least one ray, not {config.num_rays}.")
    for name in ("alpha_weight", "depth_weight", "eikonal_weight", "smooth_weight"):
        if getattr(config, name) < 0:
            raise ValueError(f"{name} cannot be negative; it is {getattr(config, name)}.")


def _grid(low: np.ndarray, high: np.ndarray, size: float, config: NerfConfig) -> tsdf.Grid:
    return tsdf.grid_around(low, high, max(round(size * config.resolution), 16), int(BAND) + 2)


def _start(views: Views, grid: tsdf.Grid, misses: int, sharpness: float, device: str) -> SdfField:
    """Return the visual hull as a field, grey."""
    assert views.alphas is not None
    matrices = hull.projection_matrices(views.cameras)
    values = tsdf.fuse_masks(views.alphas.numpy(), matrices, grid, BAND * grid.voxel, misses)
    return field_around(tsdf.closed(values, BAND * grid.voxel), np.full((*grid.shape, 3), 0.5), grid, sharpness, device)


@dataclass(frozen=True, eq=False)
class Batch:
    """Rays of a step and what they should see."""

    origins: Float[Tensor, "r 3"]
    directions: Float[Tensor, "r 3"]
    rgba: Float[Tensor, "r 4"]
    """Premultiplied."""
    distances: Float[Tensor, " r"]
    """To the surface along the ray, 0 where it is not known."""
    jitter: Float[Tensor, " r"]


@dataclass(frozen=True)
class Weights:
    """Of the terms of the loss beside colour."""

    alpha: float
    depth: float
    eikonal: float
    smooth: float


class _Rays:
    """Random pixels on and around the subject."""

    def __init__(self, views: Views, device: str, generator: torch.Generator):
        assert views.alphas is not None
        self.origins, self.directions = (part.reshape(-1, 3) for part in rays(views.cameras))
        self.rgba = premultiplied(views).reshape(-1, 4)
        reach = max(round(0.05 * max(views.alphas.shape[1:])), 2)
        covered = views.alphas.numpy() > 0.02
        near = np.stack([ndimage.binary_dilation(mask, iterations=reach) for mask in covered])
        self.chosen = torch.from_numpy(np.flatnonzero(near))
        self.distances = torch.zeros(len(self.rgba))
        if views.depths is not None:
            forward = views.cameras.c2w[:, None, None, :3, 2].expand_as(views.images).reshape(-1, 3)
            depths = torch.where(views.alphas > 0.9, views.depths, 0.0).reshape(-1)
            self.distances = depths / (self.directions * forward).sum(dim=1)
        self.device, self.generator = device, generator

    def draw(self, num: int) -> Batch:
        """Draw `num` rays."""
        index = self.chosen[torch.randint(len(self.chosen), (num,), generator=self.generator)]
        jitter = torch.rand(num, generator=self.generator)
        drawn = (self.origins[index], self.directions[index], self.rgba[index], self.distances[index], jitter)
        return Batch(*(part.to(self.device, torch.float32) for part in drawn))


class _Band(ABC):
    """The optimiser of one band: its tables and Adam."""

    num_nodes: int
    """That have all six neighbours in the band."""

    def step(
        self,
        field: SdfField,
        batch: Batch,
        sharpness: float,
        rates: tuple[float, float],
        weights: Weights,
        generator: torch.Generator,
    ) -> tuple[SdfField, float]:
        """Take one step of Adam, at rates for distances and for colours.

        Returns the field with what it then holds, and the squared error of the colours.
        """
        background = torch.rand(3, generator=generator)
        chosen = torch.randint(self.num_nodes, (NUM_NODES,), generator=generator)
        square = self.slopes(with_tables(field, *self.tables(), sharpness), batch, weights, background, chosen)
        self.move(rates)
        distances, colors = self.tables()
        return with_tables(field, distances.detach(), colors.detach(), sharpness), square

    @abstractmethod
    def tables(self) -> tuple[Float[Tensor, "a 1"], Float[Tensor, "a 3"]]:
        """Return distances and colours as they are."""

    @abstractmethod
    def slopes(
        self, field: SdfField, batch: Batch, weights: Weights, background: Tensor, chosen: Int[Tensor, " n"]
    ) -> float:
        """Find the loss's gradients; return the squared error of colours. The shape is judged at `chosen` nodes."""

    @abstractmethod
    def move(self, rates: tuple[float, float]) -> None:
        """Step along the gradients."""


class _TorchBand(_Band):
    """By torch's autograd and Adam, wherever the tables lie."""

    def __init__(self, field: SdfField):
        self.cells = drawable_cells(field)
        self.distances = field.distances.clone().requires_grad_()
        self.colors = field.colors.clone().requires_grad_()
        groups = [{"params": [self.distances]}, {"params": [self.colors]}]
        self.adam = torch.optim.Adam(groups, lr=0.0, betas=BETAS, eps=ADAM_EPSILON, fused=True)
        self.neighbors = _neighbors(field.index)
        self.num_nodes = len(self.neighbors)

    def tables(self) -> tuple[Float[Tensor, "a 1"], Float[Tensor, "a 3"]]:
        return self.distances, self.colors

    def move(self, rates: tuple[float, float]) -> None:
        for group, rate in zip(self.adam.param_groups, rates, strict=True):
            group["lr"] = rate
        self.adam.step()

    def slopes(
        self, field: SdfField, batch: Batch, weights: Weights, background: Tensor, chosen: Int[Tensor, " n"]
    ) -> float:
        background, chosen = background.to(batch.rgba), chosen.to(batch.rgba.device)
        samples = sample_rays(field, self.cells, batch.origins, batch.directions, batch.jitter)
        rgb, left, distance = draw_rays(field, samples, len(batch.origins))
        loss = losses.photometric(rgb[None], left[None], batch.rgba[None], background, weights.alpha)
        off = torch.where(batch.distances > 0, distance - batch.distances, 0.0)
        loss = loss + weights.depth * ((1 - left.detach()) * off.abs()).mean()
        rows = self.neighbors[chosen]
        eikonal, roughness = shape_terms(self.distances, rows, field.grid.voxel)
        around = look_up(self.colors, rows)  # N 7 3
        bleed = (around[:, 1:] - around[:, :1]).square().mean()
        loss = loss + weights.eikonal * eikonal + weights.smooth * roughness + COLOR_SMOOTH * bleed
        self.adam.zero_grad(set_to_none=False)
        loss.backward()
        error = rgb.detach() - batch.rgba[:, :3] + (left.detach() - 1 + batch.rgba[:, 3])[:, None] * background
        return float(error.square().mean())


class _CpuBand(_Band):
    """By the CPU's kernels."""

    def __init__(self, field: SdfField):
        places = cpu_sdf.Places.of(field.index.numpy(), drawable_cells(field).numpy(), field.grid)
        table = torch.cat([field.distances, field.colors], dim=1).numpy()
        self.optimizer = cpu_sdf.Optimizer(places, table, _neighbors(field.index).numpy())
        self.num_nodes = len(self.optimizer.neighbors)

    def tables(self) -> tuple[Float[Tensor, "a 1"], Float[Tensor, "a 3"]]:
        table = torch.from_numpy(self.optimizer.table)
        return table[:, :1], table[:, 1:]

    def slopes(
        self, field: SdfField, batch: Batch, weights: Weights, background: Tensor, chosen: Int[Tensor, " n"]
    ) -> float:
        seen = (batch.origins, batch.directions, batch.jitter, batch.rgba, batch.distances)
        return self.optimizer.slopes(
            field.sharpness,
            cpu_sdf.Rays(*(part.numpy() for part in seen)),
            background.numpy(),
            (weights.alpha, weights.depth),
            chosen.numpy(),
            (weights.eikonal, weights.smooth, COLOR_SMOOTH),
        )

    def move(self, rates: tuple[float, float]) -> None:
        self.optimizer.move(rates, BETAS, ADAM_EPSILON)


def _neighbors(index: Int[Tensor, "x y z"]) -> Int[Tensor, "n 7"]:
    """Return the rows of every node that has all six neighbours in the band, and theirs: itself, -x, +x, -y ... +z."""
    middle = index[1:-1, 1:-1, 1:-1]
    rows = [middle]
    for axis in range(3):
        for end in (slice(None, -2), slice(2, None)):
            where = [slice(1, -1)] * 3
            where[axis] = end
            rows.append(index[tuple(where)])
    table = torch.stack([part.reshape(-1) for part in rows], dim=1)
    return table[(table >= 0).all(dim=1)]


def shape_terms(
    distances: Float[Tensor, "a 1"], rows: Int[Tensor, "n 7"], voxel: float
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Return how far slopes are from 1 (eikonal, arXiv:2002.10099), and the mean squared Laplacian in voxels."""
    f = look_up(distances, rows)[..., 0]  # N 7
    slope = (f[:, 2::2] - f[:, 1::2]) / (2 * voxel)
    eikonal = ((slope.square().sum(dim=1) + 1e-12).sqrt() - 1).square().mean()
    roughness = ((f[:, 1:].sum(dim=1) - 6 * f[:, 0]) / voxel).square().mean()
    return eikonal, roughness
