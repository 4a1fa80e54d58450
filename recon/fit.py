"""The fit: views to splats by gradient descent on one view at a time (3DGS, arXiv:2308.04079).

The optimiser holds the splats as one matrix of rows (columns in splats.py) with Adam's moments beside it. On the CPU
the Numba kernels give the gradient without autograd; on CUDA gsplat gives it through autograd; the loss is the same.
Everything random comes from the seed, so two fits on one machine give the same bytes.

Shapes: N splats, D columns of a row, H x W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recon import cpu_raster, cpu_raster_2dgs, depth_guide, losses, mcmc, sh
from recon.config import FitConfig
from recon.cpu_ssim import structural_gradient
from recon.densify import Population, densify
from recon.flat_losses import normal_consistency, surface_gradient
from recon.frames import Frames, learn_error, learn_map, new_frames, recoloured, weight
from recon.render import has_gsplat, render
from recon.splats import LOG_SCALE, MEAN, OPACITY, QUAT, SH, Splats, from_rows, to_rows
from recon.start import start_splats
from recon.views import Views, check, premultiplied, resized

BETA_1, BETA_2 = 0.9, 0.99  # short memories: a fit is a thousand steps, not thirty thousand
SH_FROM = 0.4  # share of the fit after which colours may depend on the direction
SH_RATE = 0.1  # learning rate of the higher harmonics by that of the first
DENSIFY_FROM, DENSIFY_TO = 0.1, 0.5  # share of the fit in which splats are split
NUM_DENSIFY = 8  # times
DEPTH_TO = 0.6  # share of the fit after which depth maps no longer pull: pixels place a surface more exactly
MCMC_TO = 0.7  # share of the fit in which splats are shaken, where they are densified that way
SURFACE_FROM = 0.25  # share of the fit after which discs are held together: first they must find their places
MAX_NEEDLE = 10.0  # longest by middle scale: longer needles show from other sides
REPORT_EVERY = 20
UNSEEN = -20.0  # logit of an opacity that no pixel shows

# Learning rates at the start and their share at the end; those of means are in units of the subject's radius.
RATES = {MEAN: (3e-3, 0.03), LOG_SCALE: (2e-2, 0.1), QUAT: (1e-2, 0.1), OPACITY: (5e-2, 0.1), SH: (3e-2, 0.1)}

Progress = Callable[[int, int, dict], None]
Snapshot = Callable[[Callable[[], Splats]], None]


@dataclass(frozen=True, eq=False)
class _Target:
    """The views at one resolution, as the loss reads them."""

    views: Views
    rgba: Float[Tensor, "n h w 4"]
    """Premultiplied."""
    camera_rows: list[np.ndarray]
    centers: Float[Tensor, "n 3"]


def fit(
    views: Views,
    config: FitConfig,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    snapshot: Snapshot | None = None,
) -> Splats:
    """Fit splats to views.

    The same seed gives the same bytes on a CPU; on CUDA, where gsplat draws, sums differ in their last bits.
    `progress(step, total, {"psnr": ...})` is called every few steps, with the PSNR of the last views on random
    backgrounds in dB. `snapshot(current)` is called as often: `current()` returns the splats as they are, on the CPU,
    and calling it changes nothing. Costs about 13 ms a step on one core for 10,000 splats at 256 px. Raises ValueError
    where views or config are such that nothing can come of them, and RuntimeError where the fit diverges.
    """
    check(views)
    check_config(config)
    generator = torch.Generator().manual_seed(seed)
    cap = _most_splats(views, config)
    splats = start_splats(views, max(int(cap * config.start_share), 4), config.sh_degree, generator)
    device = "cuda" if has_gsplat() else "cpu"
    rows = to_rows(splats).to(device).contiguous()
    population = Population(rows, torch.zeros_like(rows), torch.zeros_like(rows))
    pixel = _pixel_size(views, splats.means)
    radius = float((splats.means - splats.means.mean(dim=0)).norm(dim=1).quantile(0.95))
    coarse, fine = _target(views, config.coarse, device), _target(views, 1.0, device)
    num_coarse = int(config.coarse_share * config.iterations)
    densify_at = _densify_steps(config.iterations)
    need = torch.zeros(len(rows), device=device)
    frames = new_frames(len(views), device)
    order: list[int] = []
    squares: list[float] = []
    average, num_averaged = population.rows, 0
    for step in range(config.iterations):
        order = order or torch.randperm(len(views), generator=generator).tolist()
        background = torch.rand(3, generator=generator)
        degree = config.sh_degree if step >= SH_FROM * config.iterations else 0
        target = coarse if step < num_coarse else fine
        k, rates = order.pop(), _rates(population.rows, step / config.iterations, radius)
        surface = _surface_weights(config, step, radius)
        drawn = _thinned(population.rows, config.drop_share * step / config.iterations, generator)
        gradient, square = _gradient(drawn, target, k, background, degree, config, frames, surface)
        learn_error(frames, k, square)
        pull = config.depth_weight * max(1 - step / (DEPTH_TO * config.iterations), 0)
        if pull > 0 and target.views.depths is not None:
            camera, depth = target.views.cameras, target.views.depths[k]
            towards = depth_guide.pull(population.rows, camera.K[k], camera.w2c[k], depth, radius)
            gradient[:, MEAN:LOG_SCALE] += pull * towards
        explores = config.densify == "mcmc" and step < MCMC_TO * config.iterations
        if explores:
            mcmc.regularize(population.rows, gradient, radius)
        _adam(population, gradient, rates, step + 1)
        if explores:
            mcmc.explore(population.rows, float(rates[MEAN]), generator, radius)
        _limit_shapes(population.rows, math.log(config.min_scale_px * pixel), flat=config.primitive == "2dgs")
        need += gradient[:, MEAN:LOG_SCALE].norm(dim=1)
        if step in densify_at:
            if config.densify == "mcmc":
                population = mcmc.relocate(population, cap, config.grow_share, generator)
            else:
                population = densify(population, need, cap, config.grow_share, generator)
            need = torch.zeros(len(population.rows), device=device)
            average, num_averaged = population.rows, 0  # of other splats
        if step >= (1 - config.average_share) * config.iterations:
            num_averaged += 1
            average = average + (population.rows - average) / num_averaged
        squares.append(square)
        if progress is not None and ((step + 1) % REPORT_EVERY == 0 or step + 1 == config.iterations):
            progress(step + 1, config.iterations, {"psnr": round(-10 * math.log10(np.mean(squares) + 1e-12), 2)})
            squares = []
        if snapshot is not None and (step + 1) % REPORT_EVERY == 0:
            snapshot(partial(_current, population.rows))
    return _checked(from_rows((average if num_averaged else population.rows).cpu()))


def _current(rows: Float[Tensor, "n d"]) -> Splats:
    return from_rows(rows.detach().cpu().clone())


def check_config(config: FitConfig) -> None:
    """Raise a ValueError for settings from which no fit can come."""
    if config.num_splats < 4:
        raise ValueError(f"A fit needs at least 4 splats, not {config.num_splats}.")
    if config.iterations < 1:
        raise ValueError(f"A fit needs at least one iteration, not {config.iterations}.")
    if config.sh_degree not in (0, 1, 2, 3):
        raise ValueError(f"Spherical harmonics have degree 0, 1, 2 or 3 here, not {config.sh_degree}.")
    weights = ("alpha_weight", "ssim_weight", "depth_weight", "distortion_weight", "normal_weight")
    for name in ("grow_share", "quadratic", *weights):
        if getattr(config, name) < 0:
            raise ValueError(f"{name} cannot be negative; it is {getattr(config, name)}.")
    for name in ("min_scale_px", "splats_per_pixel"):
        if getattr(config, name) <= 0:
            raise ValueError(f"{name} is a positive number, not {getattr(config, name)}.")
    for name in ("drop_share", "average_share"):
        if not 0 <= getattr(config, name) < 1:
            raise ValueError(f"{name} is a share from 0 to below 1, not {getattr(config, name)}.")
    for name in ("start_share", "coarse"):
        if not 0 < getattr(config, name) <= 1:
            raise ValueError(f"{name} is a share above 0 and up to 1, not {getattr(config, name)}.")
    if config.antialiased and config.primitive == "2dgs":
        raise ValueError("antialiased is for ellipsoids; flat splats have a low-pass of their own.")
    if not 0 <= config.coarse_share < 1:
        raise ValueError(f"coarse_share lies between 0 and 1, not at {config.coarse_share}.")


def _most_splats(views: Views, config: FitConfig) -> int:
    covered = views.images[..., 0].numel() if views.alphas is None else float(views.alphas.sum())
    return max(min(config.num_splats, int(config.splats_per_pixel * covered / len(views))), 4)


def _target(views: Views, scale: float, device: str) -> _Target:
    height, width = (max(round(side * scale), 16) for side in (views.cameras.height, views.cameras.width))
    if scale < 1:
        views = resized(views, height, width)
    camera_rows = [cpu_raster.camera_row(K, w2c) for K, w2c in zip(views.cameras.K, views.cameras.w2c, strict=True)]
    return _Target(
        views, premultiplied(views).to(device, torch.float32).contiguous(), camera_rows, views.cameras.centers
    )


def _gradient(
    rows: Float[Tensor, "n d"],
    target: _Target,
    k: int,
    background: Tensor,
    degree: int,
    config: FitConfig,
    frames: Frames,
    surface: tuple[float, float] = (0.0, 0.0),
) -> tuple[Float[Tensor, "n d"], float]:
    """Return the loss's gradient for view k, and the mean squared error of its colours.

    `surface` holds the weights of distortion, in world units, and of normals; read for flat splats.
    """
    if rows.is_cuda:
        return _gradient_autograd(rows, target, k, background, degree, config, frames, surface)
    num_sh = (degree + 1) ** 2
    basis, raw = _colors(rows, target.centers[k], degree)
    colors = raw.clamp(min=0).contiguous()
    arrays, camera, size = (rows.numpy(), colors.numpy()), target.camera_rows[k], target.rgba.shape[1:3]
    gradient = torch.zeros_like(rows)
    if config.primitive == "2dgs":
        frame = cpu_raster_2dgs.forward(*arrays, camera, *size)
        grad_rgb, grad_left, square = _picture_gradient(frame.rgb, frame.left, target, k, background, config, frames)
        *_, more, grad_maps = surface_gradient(frame.left, frame.maps, frame.shift, camera, *surface)
        sums, _, _ = cpu_raster_2dgs.backward(frame, grad_rgb, grad_left + more, grad_maps, out=gradient.numpy())
    else:
        frame = cpu_raster.forward(*arrays, camera, *size, antialiased=config.antialiased)
        grad_rgb, grad_left, square = _picture_gradient(frame.rgb, frame.left, target, k, background, config, frames)
        sums, _, _ = cpu_raster.backward(frame, grad_rgb, grad_left, out=gradient.numpy())
    grad_colors = torch.from_numpy(sums[:, :3]) * (raw > 0)
    # The colour's change with the direction, and so with the mean, is left out: it is small and noisy.
    gradient[:, SH : SH + 3 * num_sh] = (basis[:, :, None] * grad_colors[:, None, :]).flatten(1)
    return gradient, square


def _picture_gradient(
    rgb: np.ndarray,
    left: np.ndarray,
    target: _Target,
    k: int,
    background: Tensor,
    config: FitConfig,
    frames: Frames,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the loss's gradients with respect to view k's picture, and the mean squared error of its colours."""
    if config.frame_colors:
        leaves = [torch.from_numpy(map_).requires_grad_() for map_ in (rgb, left)]
        square = _backward(leaves[0], leaves[1], target.rgba[k], background, config, frames, k)
        assert leaves[0].grad is not None  # for the type checker: backward has just filled them
        assert leaves[1].grad is not None
        return leaves[0].grad.numpy(), leaves[1].grad.numpy(), square
    rgba, behind = target.rgba[k].numpy(), background.numpy()
    _, square, grad_rgb, grad_left = losses.photometric_gradient(
        rgb, left, rgba, behind, config.alpha_weight, config.quadratic
    )
    if config.ssim_weight > 0:
        _, *grads = structural_gradient(rgb, left, rgba, behind)
        grad_rgb += np.float32(config.ssim_weight) * grads[0]
        grad_left += np.float32(config.ssim_weight) * grads[1]
    if config.frame_weights:
        grad_rgb, grad_left = (np.float32(weight(frames, k)) * map_ for map_ in (grad_rgb, grad_left))
    return grad_rgb, grad_left, square


def _backward(
    rgb: Float[Tensor, "h w 3"],
    left: Float[Tensor, "h w"],
    rgba: Float[Tensor, "h w 4"],
    background: Float[Tensor, " 3"],
    config: FitConfig,
    frames: Frames,
    k: int,
    more: Tensor | float = 0.0,
) -> float:
    """Run autograd from all of the loss to the picture, let frame k's colours learn, and return the squared error.

    `more` is added to the loss.
    """
    matrix = frames.maps[k].clone().requires_grad_(config.frame_colors)
    ours = recoloured(rgb, left, matrix) if config.frame_colors else rgb
    loss = losses.photometric(ours, left, rgba, background, config.alpha_weight, config.quadratic)
    if config.ssim_weight > 0:
        loss = loss + config.ssim_weight * losses.structural(ours, left, rgba, background)
    if config.frame_weights:
        loss = weight(frames, k) * loss
    (loss + more).backward()
    if matrix.grad is not None:
        learn_map(frames, k, matrix.grad)
    error = ours - rgba[..., :3] + (left - 1 + rgba[..., 3])[..., None] * background
    return float(error.detach().square().mean())


def _colors(
    rows: Float[Tensor, "n d"], center: Tensor, degree: int
) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n 3"]]:
    """Return the harmonics' values towards every splat, and the colours, which may be below 0."""
    num_sh = (degree + 1) ** 2
    harmonics = rows[:, SH : SH + 3 * num_sh].unflatten(1, (-1, 3))  # N K 3
    basis = sh.basis(torch.nn.functional.normalize(rows[:, :LOG_SCALE] - center, dim=1), degree)  # N K
    return basis, 0.5 + torch.einsum("nk,nkc->nc", basis, harmonics)


def _gradient_autograd(
    rows: Float[Tensor, "n d"],
    target: _Target,
    k: int,
    background: Tensor,
    degree: int,
    config: FitConfig,
    frames: Frames,
    surface: tuple[float, float],
) -> tuple[Float[Tensor, "n d"], float]:
    """Do the same through gsplat."""
    leaf = rows.detach().requires_grad_()
    view = target.views.cameras[k].to(rows.device)
    splats = from_rows(leaf)
    drawn = render(splats, view, sh_degree=degree, primitive=config.primitive, antialiased=config.antialiased)
    held = leaf.new_zeros(())
    if config.primitive == "2dgs":
        assert drawn.distortion is not None  # for the type checker: flat splats have all maps
        assert drawn.mean_depth is not None
        assert drawn.normal is not None
        disagreement = normal_consistency(drawn.alpha[0], drawn.normal[0], drawn.mean_depth[0], view.K[0], view.w2c[0])
        held = surface[0] * drawn.distortion.mean() + surface[1] * disagreement.mean()
    left = 1 - drawn.alpha[0]
    square = _backward(drawn.rgb[0], left, target.rgba[k], background.to(rows), config, frames, k, held)
    assert leaf.grad is not None  # for the type checker: backward has just filled it
    return leaf.grad, square


def _thinned(rows: Float[Tensor, "n d"], share: float, generator: torch.Generator) -> Float[Tensor, "n d"]:
    """Return the splats with a share of them made invisible, so that none learns a view's noise by heart.

    After DropGaussian (Park et al., arXiv:2504.00773), without making up for the opacity that is missing.
    """
    if share == 0:
        return rows
    is_out = (torch.rand(len(rows), generator=generator) < share).to(rows.device)
    thinned = rows.clone()
    thinned[is_out, OPACITY] = UNSEEN
    return thinned


def _rates(rows: Float[Tensor, "n d"], done: float, radius: float) -> Float[Tensor, " d"]:
    """Return each column's learning rate after a share of the fit: exponential decay."""
    rates = rows.new_empty(rows.shape[1])
    for column, (first, share) in RATES.items():
        rates[column:] = first * share**done * (radius if column == MEAN else 1)
    rates[SH + 3 :] *= SH_RATE
    return rates


def _adam(population: Population, gradient: Tensor, rates: Tensor, step: int) -> None:
    """Move the rows in place (Adam, arXiv:1412.6980)."""
    population.first.lerp_(gradient, 1 - BETA_1)
    population.second.mul_(BETA_2).addcmul_(gradient, gradient, value=1 - BETA_2)
    scale = (population.second / (1 - BETA_2**step)).sqrt_().add_(1e-15)
    population.rows.sub_(rates / (1 - BETA_1**step) * population.first / scale)


def _pixel_size(views: Views, means: Float[Tensor, "n 3"]) -> float:
    """Return the width in the world of a pixel at the splats' distance, in the view that sees them best."""
    distances = (views.cameras.centers - means.mean(dim=0)).norm(dim=1)
    return float((distances / views.cameras.K[:, 0, 0]).min())


def _surface_weights(config: FitConfig, step: int, radius: float) -> tuple[float, float]:
    """Return the weights of distortion, per squared unit of the world, and of normals at a step."""
    if step < SURFACE_FROM * config.iterations:
        return 0.0, 0.0
    return config.distortion_weight / radius**2, config.normal_weight


def _limit_shapes(rows: Float[Tensor, "n d"], log_least: float, *, flat: bool = False) -> None:
    """Keep splats no finer than asked (Mip-Splatting's 3D filter as a bound, arXiv:2311.16493), and no needles.

    The third scale of flat splats, which nothing here reads, is the least, for viewers that draw ellipsoids.
    """
    scales = rows[:, LOG_SCALE:QUAT]
    if flat:
        scales[:, 2] = log_least
    scales.clamp_(min=log_least)
    middle = scales.sum(dim=1) - scales.amax(dim=1) - scales.amin(dim=1)
    scales.copy_(torch.minimum(scales, (middle + math.log(MAX_NEEDLE))[:, None]))


def _densify_steps(iterations: int) -> set[int]:
    times = np.linspace(DENSIFY_FROM, DENSIFY_TO, NUM_DENSIFY)
    return {int(time * iterations) for time in times}


def _checked(splats: Splats) -> Splats:
    """Return the splats; raise where one is not finite, since dropping it silently would hide what went wrong."""
    bad = int((~torch.isfinite(to_rows(splats)).all(dim=1)).sum())
    if bad:
        raise RuntimeError(f"The fit diverged: {bad} of {len(splats)} splats are not finite. Please report the input.")
    return splats
