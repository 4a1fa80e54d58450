"""A few thousand splats that learn within seconds: what the judge fits, and what cameras are refined against.

One colour a splat, small pictures, one view a step, Adam on one NumPy matrix; the camera's gradient comes with the
splats' where it is asked for. Careful fits are fit.py's business.

Shapes: N splats, F frames of H x W pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from recon import cpu_raster, hull
from recon.camera import Cameras
from recon.cpu_project import f32, kernel
from recon.losses import photometric_gradient
from recon.sh import C0
from recon.splats import LOG_SCALE, MEAN, OPACITY, QUAT, SH, from_points, to_rows
from recon.start import disc_quats, seen_colors
from recon.views import Views, premultiplied, resized

NUM_COLUMNS = SH + 3
ALPHA_WEIGHT = 0.3  # of coverage against colour
QUADRATIC = 3.0  # weight of squared errors beside absolute ones, as in the fit
BETA_1, BETA_2 = 0.9, 0.99
HULL_RESOLUTION = 48
FLATNESS = 0.1  # thickness of a disc on the hull by its width
FAINT = 0.02  # opacity below which a splat starts again beside another

# Learning rates at the start and their share at the end; those of means are in units of the subject's radius.
RATES = {MEAN: (8e-3, 0.03), LOG_SCALE: (2e-2, 0.1), QUAT: (1e-2, 0.1), OPACITY: (5e-2, 0.1), SH: (4e-2, 0.1)}


@dataclass(frozen=True, eq=False)
class Blob:
    """The splats and Adam's moments, float32 [N,NUM_COLUMNS] each; written in place."""

    rows: np.ndarray
    """Columns as in splats.py, with one colour."""
    first: np.ndarray
    second: np.ndarray
    radius: float
    """About that of the subject, in world units."""


def shrunk(views: Views, size: int) -> Views:
    """Return the views at `size` pixels along their longer side, or as they are where they are smaller."""
    longest = max(views.cameras.height, views.cameras.width)
    if longest <= size:
        return views
    height, width = (max(round(s * size / longest), 16) for s in (views.cameras.height, views.cameras.width))
    return resized(views, height, width)


def targets(views: Views) -> np.ndarray:
    """Return premultiplied RGBA pictures, float32 [F,H,W,4]."""
    return np.ascontiguousarray(premultiplied(views).float().numpy())


def camera_rows(cameras: Cameras) -> list[np.ndarray]:
    """Return every camera as the kernels read it."""
    return [cpu_raster.camera_row(K.float(), w2c.float()) for K, w2c in zip(cameras.K, cameras.w2c, strict=True)]


def half_width(cameras: Cameras) -> tuple[np.ndarray, float]:
    """Return the point [3] that the cameras look at, and half the width of what a picture shows there."""
    center = hull.look_at_point(cameras)
    distances = np.linalg.norm(cameras.centers.double().numpy() - center, axis=1)
    half = np.minimum(cameras.width / cameras.K[:, 0, 0].numpy(), cameras.height / cameras.K[:, 1, 1].numpy()) / 2
    return center, float(np.median(distances * half))


def on_hull(views: Views, num: int, generator: torch.Generator) -> Blob | None:
    """Lay discs on the visual hull, in the colours seen there; None where the masks share no solid."""
    try:
        points = hull.surface_points(hull.carve(views, HULL_RESOLUTION), num, generator)
    except ValueError:
        return None
    splats = from_points(points, seen_colors(points, views), opacity=0.5, spacing=0.7)
    rows = to_rows(splats).numpy()
    rows[:, LOG_SCALE + 2] += math.log(FLATNESS)
    rows[:, QUAT:OPACITY] = disc_quats(points).numpy()
    return _new(rows, float((points - points.mean(dim=0)).norm(dim=1).quantile(0.95)))


def on_points(views: Views, num: int, generator: torch.Generator) -> Blob:
    """Lay round splats on at most `num` of the views' sparse points, in the colours seen there."""
    assert views.points is not None  # the caller's business
    points = views.points[torch.randperm(len(views.points), generator=generator)[:num]].float()
    rows = to_rows(from_points(points, seen_colors(points, views), opacity=0.5, spacing=0.7)).numpy()
    return _new(rows, half_width(views.cameras)[1])


def in_ball(cameras: Cameras, num: int, generator: torch.Generator, share: float = 0.7) -> Blob:
    """Scatter round grey splats in a ball around the point looked at, `share` of half the picture in radius."""
    center, half = half_width(cameras)
    radius = share * half
    directions = torch.nn.functional.normalize(torch.randn(num, 3, generator=generator), dim=1)
    points = radius * torch.rand(num, 1, generator=generator) ** (1 / 3) * directions
    rows = np.zeros((num, NUM_COLUMNS), np.float32)
    rows[:, MEAN:LOG_SCALE] = points.numpy() + center
    rows[:, LOG_SCALE:QUAT] = math.log(0.9 * radius / num ** (1 / 3))
    rows[:, QUAT] = 1
    rows[:, OPACITY] = -2
    return _new(rows, radius)


def _new(rows: np.ndarray, radius: float) -> Blob:
    rows = np.ascontiguousarray(rows, np.float32)
    return Blob(rows, np.zeros_like(rows), np.zeros_like(rows), radius)


def draw(blob: Blob, camera: np.ndarray, height: int, width: int) -> cpu_raster.Frame:
    """Render the blob from one camera."""
    colors = np.maximum(f32(0.5) + f32(C0) * blob.rows[:, SH:], f32(0))
    return cpu_raster.forward(blob.rows, colors, camera, height, width)


def gradient(
    blob: Blob, camera: np.ndarray, rgba: np.ndarray, background: np.ndarray, *, with_camera: bool = False
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the mean squared error of the colours, the splats' gradient [N,NUM_COLUMNS], and the camera row's."""
    frame = draw(blob, camera, *rgba.shape[:2])
    _, square, grad_rgb, grad_left = photometric_gradient(
        frame.rgb, frame.left, rgba, background, ALPHA_WEIGHT, QUADRATIC
    )
    grad = np.empty_like(blob.rows)
    sums, _, grad_camera = cpu_raster.backward(frame, grad_rgb, grad_left, with_camera=with_camera, out=grad)
    grad[:, SH:] = f32(C0) * sums[:, :3] * (blob.rows[:, SH:] > f32(-0.5 / C0))
    return square, grad, grad_camera


def rates(done: float, radius: float) -> np.ndarray:
    """Return each column's learning rate after a share of the steps: exponential decay."""
    columns = np.empty(NUM_COLUMNS, np.float32)
    for column, (start, share) in RATES.items():
        columns[column:] = start * share**done * (radius if column == MEAN else 1)
    return columns


def learn(blob: Blob, grad: np.ndarray, rates: np.ndarray, step: int) -> None:
    """Move the splats in place (Adam, arXiv:1412.6980); `step` counts from 1."""
    _adam(blob.rows, blob.first, blob.second, grad, rates, f32(1 - BETA_1**step), f32(1 - BETA_2**step))


@kernel
def _adam(rows, first, second, grad, rates, correct_1, correct_2):
    for i in range(rows.shape[0]):
        for k in range(rows.shape[1]):
            g = grad[i, k]
            first[i, k] = f32(BETA_1) * first[i, k] + f32(1 - BETA_1) * g
            second[i, k] = f32(BETA_2) * second[i, k] + f32(1 - BETA_2) * g * g
            rows[i, k] -= rates[k] * first[i, k] / correct_1 / (math.sqrt(second[i, k] / correct_2) + f32(1e-15))


def revive(blob: Blob, generator: np.random.Generator) -> None:
    """Move splats that have gone out beside others drawn by their opacity, in place (after 3DGS-MCMC)."""
    opacity = 1 / (1 + np.exp(-blob.rows[:, OPACITY].astype(np.float64)))
    faint = np.flatnonzero(opacity < FAINT)
    weight = np.where(opacity < FAINT, 0.0, opacity)
    if len(faint) == 0 or weight.sum() == 0:
        return
    source = generator.choice(len(weight), len(faint), p=weight / weight.sum())
    blob.rows[faint] = blob.rows[source]
    widest = np.exp(blob.rows[source, LOG_SCALE:QUAT]).max(axis=1, keepdims=True)
    blob.rows[faint, MEAN:LOG_SCALE] += 0.5 * widest * generator.normal(size=(len(faint), 3)).astype(np.float32)
    blob.first[faint] = 0
    blob.second[faint] = 0
