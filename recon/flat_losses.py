"""What keeps flat splats on one surface: their layers close together, their normals the surface's (2DGS, Sec. 5.2).

    distortion = sum over pairs of a ray's splats of w_i w_j (t_i - t_j)^2 = alpha sum w t^2 - (sum w t)^2
    normal consistency = sum over a ray's splats of w_i (1 - n_i . N) = alpha - N . sum w n

N is the normal of the depth map, towards the camera. The distortion is the squared one of the authors' code on depth
itself, not on a mapped one. `distortion` and `normal_consistency` are for autograd, `surface_gradient` is the same on
NumPy arrays with its gradient, without autograd.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recon.camera import pixel_rays
from recon.cpu_project import CX, CY, FX, FY, ROTATION, f32, kernel

LEAST_ALPHA = 0.5  # below it a pixel has no depth


def distortion(
    alpha: Float[Tensor, "*b h w"], depth_sum: Float[Tensor, "*b h w"], square_sum: Float[Tensor, "*b h w"]
) -> Float[Tensor, "*b h w"]:
    """Return each ray's distortion from the sums of w, w t and w t^2; the same whatever is taken off every t."""
    return alpha * square_sum - depth_sum.square()


def depth_normals(depth: Float[Tensor, "h w"], K: Float[Tensor, "3 3"]) -> Float[Tensor, "h w 3"]:
    """Return a depth map's unit normals in the camera's frame, towards the camera; 0 where a neighbour has no depth.

    From the central differences of the points behind the pixels; 0 at the border.
    """
    points = depth[..., None] * pixel_rays(K.to(depth), *depth.shape)
    across, down = points[1:-1, 2:] - points[1:-1, :-2], points[2:, 1:-1] - points[:-2, 1:-1]
    inner = torch.nn.functional.normalize(torch.linalg.cross(down, across), dim=-1)
    known = depth > 0
    known = known[1:-1, 2:] & known[1:-1, :-2] & known[2:, 1:-1] & known[:-2, 1:-1] & known[1:-1, 1:-1]
    inner = torch.where(known[..., None], inner, torch.zeros_like(inner))
    return torch.nn.functional.pad(inner, (0, 0, 1, 1, 1, 1))


def normal_consistency(
    alpha: Float[Tensor, "h w"],
    normal: Float[Tensor, "h w 3"],
    depth: Float[Tensor, "h w"],
    K: Float[Tensor, "3 3"],
    w2c: Float[Tensor, "4 4"],
) -> Float[Tensor, "h w"]:
    """Return each pixel's disagreement of the splats' world normals, summed by weight, with those of the depth map.

    0 where the depth map has no normal.
    """
    surface = depth_normals(depth, K)
    agreement = (surface * (normal @ w2c[:3, :3].T)).sum(dim=-1)
    return torch.where(surface.any(dim=-1), alpha - agreement, torch.zeros_like(alpha))


def mean_depth(
    alpha: Float[Tensor, "*b h w"], depth_sum: Float[Tensor, "*b h w"], shift: Tensor | float = 0.0
) -> Float[Tensor, "*b h w"]:
    """Return the mean of a ray's depths by weight, 0 where alpha is below a half; `shift` was taken off every depth."""
    covered = alpha >= LEAST_ALPHA
    mean = shift + depth_sum / torch.where(covered, alpha, torch.ones_like(alpha))
    return torch.where(covered, mean, torch.zeros_like(mean))


def surface_gradient(
    left: np.ndarray,
    maps: np.ndarray,
    shift: np.float32,
    camera: np.ndarray,
    distortion_weight: float,
    normal_weight: float,
) -> tuple[float, float, np.ndarray, np.ndarray]:
    """Return the means over pixels of the distortion and of the normals' disagreement with the mean depth map, and the
    gradients of their weighted sum, [H,W] with respect to `left` and [6,H,W] to `maps` (as cpu_raster_2dgs has them).
    """
    grad_left, grad_maps = np.empty_like(left), np.zeros_like(maps)
    share = 1 / left.size
    spread = _distortion(left, maps, f32(distortion_weight * share), grad_left, grad_maps)
    bend = 0.0
    if normal_weight > 0:
        depth = np.empty_like(left)
        bend = _normals(left, maps, shift, camera, f32(normal_weight * share), depth, grad_left, grad_maps)
    return float(spread * share), float(bend * share), grad_left, grad_maps


@kernel
def _distortion(left, maps, weight, grad_left, grad_maps):
    total = 0.0
    for y in range(left.shape[0]):
        row = f32(0)
        for x in range(left.shape[1]):
            alpha, first, second = f32(1) - left[y, x], maps[3, y, x], maps[4, y, x]
            row += alpha * second - first * first
            grad_left[y, x] = -weight * second
            grad_maps[3, y, x] = f32(-2) * weight * first
            grad_maps[4, y, x] = weight * alpha
        total += row
    return total


@kernel
def _normals(left, maps, shift, camera, weight, depth, grad_left, grad_maps):
    """Add to the gradients; `depth` is room for the mean depth map."""
    height, width = left.shape
    for y in range(height):
        for x in range(width):
            alpha = f32(1) - left[y, x]
            depth[y, x] = shift + maps[3, y, x] / alpha if alpha >= f32(LEAST_ALPHA) else f32(0)
    total = 0.0
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            d_left, d_right, d_up, d_down = depth[y, x - 1], depth[y, x + 1], depth[y - 1, x], depth[y + 1, x]
            if not min(min(d_left, d_right), min(min(d_up, d_down), depth[y, x])) > f32(0):
                continue
            u, v = (f32(x) + f32(0.5) - camera[CX]) / camera[FX], (f32(y) + f32(0.5) - camera[CY]) / camera[FY]
            du, dv = f32(1) / camera[FX], f32(1) / camera[FY]
            # a across, b down, their product b x a towards the camera.
            a0, a1, a2 = d_right * (u + du) - d_left * (u - du), (d_right - d_left) * v, d_right - d_left
            b0, b1, b2 = (d_down - d_up) * u, d_down * (v + dv) - d_up * (v - dv), d_down - d_up
            c0, c1, c2 = b1 * a2 - b2 * a1, b2 * a0 - b0 * a2, b0 * a1 - b1 * a0
            inverse = f32(1) / max(math.sqrt(c0 * c0 + c1 * c1 + c2 * c2), f32(1e-12))
            n0, n1, n2 = c0 * inverse, c1 * inverse, c2 * inverse
            w0, w1, w2 = maps[0, y, x], maps[1, y, x], maps[2, y, x]
            m0 = camera[ROTATION] * w0 + camera[ROTATION + 1] * w1 + camera[ROTATION + 2] * w2
            m1 = camera[ROTATION + 3] * w0 + camera[ROTATION + 4] * w1 + camera[ROTATION + 5] * w2
            m2 = camera[ROTATION + 6] * w0 + camera[ROTATION + 7] * w1 + camera[ROTATION + 8] * w2
            agreement = m0 * n0 + m1 * n1 + m2 * n2
            total += f32(1) - left[y, x] - agreement
            grad_left[y, x] -= weight
            for k in range(3):
                turned = camera[ROTATION + k] * n0 + camera[ROTATION + 3 + k] * n1 + camera[ROTATION + 6 + k] * n2
                grad_maps[k, y, x] -= weight * turned
            # d(-m . c / |c|) = -(m - (m . n) n) / |c| . d c
            scale = -weight * inverse
            g0, g1, g2 = scale * (m0 - agreement * n0), scale * (m1 - agreement * n1), scale * (m2 - agreement * n2)
            b_0, b_1, b_2 = a1 * g2 - a2 * g1, a2 * g0 - a0 * g2, a0 * g1 - a1 * g0  # d b = a x d c
            a_0, a_1, a_2 = g1 * b2 - g2 * b1, g2 * b0 - g0 * b2, g0 * b1 - g1 * b0  # d a = d c x b
            _to_depth(y, x + 1, a_0 * (u + du) + a_1 * v + a_2, left, maps, grad_left, grad_maps)
            _to_depth(y, x - 1, -(a_0 * (u - du) + a_1 * v + a_2), left, maps, grad_left, grad_maps)
            _to_depth(y + 1, x, b_0 * u + b_1 * (v + dv) + b_2, left, maps, grad_left, grad_maps)
            _to_depth(y - 1, x, -(b_0 * u + b_1 * (v - dv) + b_2), left, maps, grad_left, grad_maps)
    return total


@kernel
def _to_depth(y, x, gradient, left, maps, grad_left, grad_maps):
    """Pass a mean depth's gradient on to the sums that it is made of."""
    inverse = f32(1) / (f32(1) - left[y, x])
    grad_maps[3, y, x] += gradient * inverse
    grad_left[y, x] += gradient * maps[3, y, x] * inverse * inverse
