"""A surface as numbers on a grid: signed distances and colours on the nodes of a narrow band, drawn as NeuS draws them.

NeuS (arXiv:2106.10689) turns the distances f along a ray into opacities; what it learns by a network, a grid holds here
(as in Voxurf, arXiv:2208.12697): two tables with one row for each node near the surface. Here it is plain torch, for
CUDA and as the slow twin of what the CPU does (cpu_sdf.py).

Shapes: A nodes in the band of a grid of X x Y x Z nodes, R rays, M samples on all rays together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy import ndimage
from torch import Tensor

from recon import cpu_sdf
from recon.camera import Cameras, rays
from recon.tsdf import Grid

BAND = 4.0  # nodes: half the width of the band
STEP = 0.5  # nodes between two samples on a ray
REACH = 5.0  # the opacity's logistic is 0 or 1 from this many of its scales on
CHUNK = 8192  # rays drawn at once


@dataclass(frozen=True, eq=False)
class SdfField:
    """Signed distances and colours in a band around a surface; node (i, j, k) is the centre of a voxel of the grid."""

    grid: Grid
    """Where the nodes lie."""
    distances: Float[Tensor, "a 1"]
    """World units, positive outside."""
    colors: Float[Tensor, "a 3"]
    """sRGB, the same from every side."""
    index: Int[Tensor, "x y z"]
    """Row of each node in the tables, -1 beyond the band."""
    is_inside: Bool[Tensor, "x y z"]
    """The side of the surface for nodes beyond the band."""
    sharpness: float
    """Inverse scale of the logistic that turns distances to opacities, 1 / world units."""

    def dense(self) -> np.ndarray:
        """Return the distances on the whole grid, float32 [X,Y,Z], cut at plus and minus the band's half width."""
        reach = BAND * self.grid.voxel
        values = np.where(self.is_inside.cpu().numpy(), -reach, reach).astype(np.float32)
        in_band = self.index.cpu().numpy() >= 0
        values[in_band] = self.distances.detach().cpu().numpy()[:, 0]
        return np.clip(values, -reach, reach)

    def dense_colors(self) -> np.ndarray:
        """Return the colours on the whole grid, float32 [X,Y,Z,3]; nodes beyond the band take the nearest one's."""
        index = self.index.cpu().numpy()
        nearest = ndimage.distance_transform_edt(index < 0, return_distances=False, return_indices=True)
        return self.colors.detach().cpu().numpy()[index[tuple(np.asarray(nearest))]]


def field_around(values: np.ndarray, colors: np.ndarray, grid: Grid, sharpness: float, device: str) -> SdfField:
    """Make a field of dense distances [X,Y,Z] and colours [X,Y,Z,3]: its band lies about the sign changes.

    Values within the band are kept where they are less than its half width; the rest is measured anew.
    """
    inside = values < 0
    if not inside.any() or inside.all():
        raise ValueError("The field has no surface: check the masks and that the cameras belong to them.")
    measured = np.asarray(ndimage.distance_transform_edt(~inside)) - np.asarray(ndimage.distance_transform_edt(inside))
    measured = grid.voxel * (measured - 0.5 * np.sign(measured))
    reach = BAND * grid.voxel
    in_band = np.abs(measured) < reach
    known = np.abs(values) < reach * (1 - 1e-6)
    index = np.full(grid.shape, -1, np.int64)
    index[in_band] = np.arange(in_band.sum())
    distances = np.where(known, values, measured)[in_band]
    return SdfField(
        grid=grid,
        distances=torch.from_numpy(distances.astype(np.float32))[:, None].to(device),
        colors=torch.from_numpy(np.ascontiguousarray(colors[in_band], np.float32)).to(device),
        index=torch.from_numpy(index).to(device),
        is_inside=torch.from_numpy(inside).to(device),
        sharpness=sharpness,
    )


def refined(field: SdfField, grid: Grid) -> SdfField:
    """Return the field on another grid, interpolated."""
    x, y, z = ((c - field.grid.origin[a]) / field.grid.voxel - 0.5 for a, c in enumerate(grid.centers))
    where = np.stack(np.meshgrid(x, y, z, indexing="ij"))
    old = field.dense()
    values = ndimage.map_coordinates(old, where, order=1, mode="nearest")
    values = np.where(np.abs(values) < 0.99 * BAND * field.grid.voxel, values, np.sign(values) * 1e9)
    channels = np.moveaxis(field.dense_colors(), -1, 0)
    colors = np.stack([ndimage.map_coordinates(channel, where, order=1, mode="nearest") for channel in channels], -1)
    return field_around(values, colors, grid, field.sharpness, str(field.distances.device))


def drawable_cells(field: SdfField) -> Bool[Tensor, "x y z"]:
    """Tell which cells (a node and its seven upper neighbours) lie in the band and near enough to be seen at all."""
    full = torch.zeros_like(field.index, dtype=torch.bool)
    values = torch.from_numpy(np.abs(field.dense())).to(full.device)
    near = (field.index >= 0) & (values < max(REACH / field.sharpness, 2.0 * field.grid.voxel))
    corners = [slice(None, -1), slice(1, None)]
    all_in, any_near = torch.ones_like(full[1:, 1:, 1:]), torch.zeros_like(full[1:, 1:, 1:])
    for x in corners:
        for y in corners:
            for z in corners:
                all_in &= field.index[x, y, z] >= 0
                any_near |= near[x, y, z]
    full[:-1, :-1, :-1] = all_in & any_near
    return full


@dataclass(frozen=True, eq=False)
class Samples:
    """Where rays pass through drawable cells."""

    ray: Int[Tensor, " m"]
    step: Int[Tensor, " m"]
    """Number of the sample on its ray; neighbours in the list whose steps differ by 1 bound an interval."""
    distance: Float[Tensor, " m"]
    """Along the ray, world units."""
    rows: Int[Tensor, "m 8"]
    """The tables' rows of the cell's corners."""
    weights: Float[Tensor, "m 8"]
    """Trilinear."""


def sample_rays(
    field: SdfField,
    cells: Bool[Tensor, "x y z"],
    origins: Float[Tensor, "r 3"],
    directions: Float[Tensor, "r 3"],
    jitter: Float[Tensor, " r"],
) -> Samples:
    """Step through the grid every STEP nodes, each ray from an offset of its own in [0,1) steps."""
    grid, device = field.grid, origins.device
    shape = torch.tensor(grid.shape, device=device)
    occupied = torch.nonzero(cells)
    low, high = occupied.amin(0).to(origins), occupied.amax(0).to(origins) + 1
    start = (origins - torch.from_numpy(grid.origin).to(origins)) / grid.voxel - 0.5  # in nodes
    safe = torch.where(directions.abs() < 1e-9, torch.full_like(directions, 1e-9), directions)
    to_low, to_high = (low - start) / safe, (high - start) / safe
    enter = torch.minimum(to_low, to_high).amax(1).clamp(min=0)
    leave = torch.maximum(to_low, to_high).amin(1)
    most = int(((leave - enter).amax().clamp(min=0) / STEP).ceil()) + 1
    steps = torch.arange(most, device=device)
    reached = enter[:, None] + STEP * (steps + jitter[:, None])  # R S, in nodes
    x, y, z = (start[:, a, None] + reached * directions[:, a, None] for a in range(3))
    i, j, k = (c.floor().long() for c in (x, y, z))
    valid = (reached < leave[:, None]) & (torch.minimum(torch.minimum(i, j), k) >= 0)
    valid &= (i < shape[0] - 1) & (j < shape[1] - 1) & (k < shape[2] - 1)
    flat = torch.where(valid, (i * shape[1] + j) * shape[2] + k, 0)
    valid &= cells.view(-1)[flat]
    ray, step = torch.nonzero(valid, as_tuple=True)
    flat = flat[ray, step]
    a, b, c = ((p - q)[ray, step] for p, q in ((x, i), (y, j), (z, k)))
    corners = [(p, q, s) for p in (0, 1) for q in (0, 1) for s in (0, 1)]
    offsets = torch.tensor([(p * grid.shape[1] + q) * grid.shape[2] + s for p, q, s in corners], device=device)
    weights = torch.stack([(a if p else 1 - a) * (b if q else 1 - b) * (c if s else 1 - c) for p, q, s in corners], 1)
    rows = field.index.view(-1)[flat[:, None] + offsets]
    return Samples(ray, step, reached[ray, step] * grid.voxel, rows, weights)


class _LookUp(torch.autograd.Function):
    """table[rows], with a backward 20 times as fast on the CPU as that of indexing, embedding or embedding_bag."""

    @staticmethod
    def forward(ctx, table, rows):
        ctx.save_for_backward(rows)
        ctx.shape = table.shape
        return table[rows]

    @staticmethod
    def backward(ctx, *grads):
        (rows,) = ctx.saved_tensors
        gradient = grads[0].new_zeros(ctx.shape)
        return gradient.index_add_(0, rows.reshape(-1), grads[0].reshape(-1, ctx.shape[1])), None


def look_up(table: Float[Tensor, "a c"], rows: Int[Tensor, "*m"]) -> Float[Tensor, "*m c"]:
    """Return rows of a table, differentiable."""
    return _LookUp.apply(table, rows)


def draw_rays(
    field: SdfField, samples: Samples, num_rays: int
) -> tuple[Float[Tensor, "r 3"], Float[Tensor, " r"], Float[Tensor, " r"]]:
    """Return colour over black, the light left, and the mean distance of what stopped the rest; differentiable."""
    weights = samples.weights[..., None]
    f = (look_up(field.distances, samples.rows) * weights).sum(dim=1)[:, 0]
    color = (look_up(field.colors, samples.rows) * weights).sum(dim=1)
    joined = (samples.ray[1:] == samples.ray[:-1]) & (samples.step[1:] == samples.step[:-1] + 1)
    passed = torch.sigmoid(field.sharpness * f)
    alpha = ((passed[:-1] - passed[1:]) / passed[:-1].clamp(min=1e-6)).clamp(0, 0.9999)  # Eq. 13
    alpha = alpha * joined
    log_left = torch.log1p(-alpha).double()  # a sum over all rays: float32 would lose its end
    before = torch.cumsum(log_left, 0) - log_left
    ray = samples.ray[:-1]
    left = log_left.new_zeros(num_rays).index_add(0, ray, log_left)
    at_start = torch.cumsum(left, 0) - left
    weight = alpha * torch.exp(before - at_start[ray]).to(alpha)
    rgb = color.new_zeros(num_rays, 3).index_add(0, ray, weight[:, None] * 0.5 * (color[:-1] + color[1:]))
    middle = 0.5 * (samples.distance[:-1] + samples.distance[1:])
    stopped = weight.new_zeros(num_rays).index_add(0, ray, weight * middle)
    left = torch.exp(left).to(alpha)
    return rgb, left, stopped / (1 - left).clamp(min=1e-6)


@torch.no_grad()
def draw(
    field: SdfField, cameras: Cameras
) -> tuple[Float[Tensor, "n h w 3"], Float[Tensor, "n h w"], Float[Tensor, "n h w"]]:
    """Return pictures over black, their alpha, and z (0 where alpha is below 0.5)."""
    draw_some = _drawer(field)
    pictures, alphas, depths = [], [], []
    for n in range(len(cameras)):
        origins, directions = (part[0].reshape(-1, 3).to(field.distances) for part in rays(cameras[n]))
        rgb, left, distance = draw_some(origins, directions)
        z = distance * (directions @ cameras.w2c[n, 2, :3].to(directions))
        size = (cameras.height, cameras.width)
        pictures.append(rgb.view(*size, 3))
        alphas.append((1 - left).view(size))
        depths.append(torch.where(left < 0.5, z, torch.zeros_like(z)).view(size))
    return torch.stack(pictures), torch.stack(alphas), torch.stack(depths)


def _drawer(field: SdfField) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]:
    """Return a function that draws rays [R,3] as `draw_rays` does, each from the middle of a step."""
    cells = drawable_cells(field)

    def on_device(origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        parts = []
        for o, d in zip(origins.split(CHUNK), directions.split(CHUNK), strict=True):
            samples = sample_rays(field, cells, o, d, torch.full((len(o),), 0.5, device=o.device))
            parts.append(draw_rays(field, samples, len(o)))
        rgb, left, distance = (torch.cat(column) for column in zip(*parts, strict=True))
        return rgb, left, distance

    if field.distances.device.type != "cpu":
        return on_device
    places = cpu_sdf.Places.of(field.index.numpy(), cells.numpy(), field.grid)
    table = torch.cat([field.distances, field.colors], dim=1).detach().numpy()

    def on_cpu(origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        middle = np.full(len(origins), 0.5, np.float32)
        o, d = origins.contiguous().numpy(), directions.contiguous().numpy()
        drawn = torch.from_numpy(cpu_sdf.draw(places, table, field.sharpness, o, d, middle))
        return drawn[:, :3], drawn[:, 3], drawn[:, 4] / (1 - drawn[:, 3]).clamp(min=cpu_sdf.SEEN)

    return on_cpu


def with_tables(field: SdfField, distances: Tensor, colors: Tensor, sharpness: float) -> SdfField:
    """Return the field with other values on the same nodes."""
    return replace(field, distances=distances, colors=colors, sharpness=sharpness)
