"""CPU kernels that take flat splats to the picture plane and gradients back: 2D Gaussian splatting, arXiv:2403.17888.

A flat splat is a disc: two axes a_k = s_k Q e_k, k = 0, 1, and a normal Q e_2; its third scale is not read. With its
centre (x, y, z) and its axes in the camera's frame, projected at (u, v) on the picture, a point p_0 a_0 + p_1 a_1 of
the disc falls on the pixel (u, v) + J p / (1 + q . p), where

    J = [[fx, 0, -fx x/z], [0, fy, -fy y/z]] [a_0 a_1] / z,   q = (a_0z, a_1z) / z.

Turned round, with G = J^-1 and g = -G^t q, the ray of the pixel (u, v) + d meets the disc's plane (Eq. 8 to 10) at

    p = G d / (1 + g . d),   at depth z / (1 + g . d).

No approximation: a homography, seen from the disc's centre, where float32 has no trouble with it.
"""

from __future__ import annotations

import math

import numpy as np

from recon.cpu_project import (
    BLUE,
    CX,
    CY,
    FX,
    FY,
    GREEN,
    LOG_OPACITY,
    LOW_PASS,
    NEAR,
    RED,
    ROTATION,
    TILE,
    TRANSLATION,
    U,
    V,
    Z,
    _rotation_times_scales,
    _scales_backward,
    _to_camera,
    f32,
    kernel,
)
from recon.splats import LOG_SCALE, MEAN, NUM_GEOMETRY, OPACITY

# Columns of a flat splat on the picture, beside those that it shares with others (U, V, LOG_OPACITY, colours, Z).
G_00, G_01, G_10, G_11, G_0, G_1 = 2, 3, 4, 10, 11, 12
NORMAL = 13  # three columns, in the world, towards the camera
REACH, ELLIPSE_U, ELLIPSE_V, ELLIPSE_XX, ELLIPSE_XY, ELLIPSE_YY = range(16, 22)
NUM_SCREEN_2DGS = 24
# Columns of the gradients: colours and opacity as for other splats, then those of the above.
D_RED, D_GREEN, D_BLUE, D_LOG_OPACITY, D_U, D_V, D_00, D_01, D_10, D_11, D_0, D_1, D_Z, D_NORMAL = range(14)
NUM_PAIR_2DGS = 16
ROUNDING = 1e-6  # px^2 by which the box of a disc seen edge-on is widened
LEAST_AHEAD = 0.01  # of 1 - reach |q|^2, which is 0 where a disc just reaches the camera's plane
LEAST_AREA = 1e-6  # of det J, px^2: thinner discs are hit by no pixel's ray but by chance


@kernel
def project_2dgs(first, step, splats, colors, camera, height, width, log_min_alpha, screen, box):
    """Write the rows `screen` [N, NUM_SCREEN_2DGS] and the tile boxes `box` [N,4] (x0, x1, y0, y1; empty when unseen).

    A disc that reaches behind the camera is left out.
    """
    mixed = np.empty((3, 3), np.float32)
    axes = np.empty((3, 3), np.float32)
    for i in range(first, splats.shape[0], step):
        box[i, 0] = box[i, 1] = box[i, 2] = box[i, 3] = 0
        x, y, z = _to_camera(splats[i], camera)
        screen[i, Z] = z
        log_opacity = -math.log(f32(1) + math.exp(-splats[i, OPACITY]))
        reach = f32(2) * (log_opacity - log_min_alpha)
        if not (z > f32(NEAR) and reach > f32(0)):
            continue
        _rotation_times_scales(splats[i], mixed)
        _axes_in_camera(mixed, camera, axes)
        j00, j01, j10, j11, q0, q1, det = _homography(axes, x, y, z, camera)
        ahead = f32(1) - reach * (q0 * q0 + q1 * q1)
        if not ahead > f32(LEAST_AHEAD):
            continue
        u = camera[FX] * x / z + camera[CX]
        v = camera[FY] * y / z + camera[CY]
        # The picture of the circle |p|^2 = reach is an ellipse, by its dual conic.
        jq0, jq1 = j00 * q0 + j01 * q1, j10 * q0 + j11 * q1
        stretch = f32(1) / ahead
        tilt = reach * stretch * stretch
        xx = (j00 * j00 + j01 * j01) * stretch + tilt * jq0 * jq0 + f32(ROUNDING)
        yy = (j10 * j10 + j11 * j11) * stretch + tilt * jq1 * jq1 + f32(ROUNDING)
        xy = (j00 * j10 + j01 * j11) * stretch + tilt * jq0 * jq1
        ellipse_u, ellipse_v = u - reach * stretch * jq0, v - reach * stretch * jq1
        half_u, half_v, radius = math.sqrt(reach * xx), math.sqrt(reach * yy), math.sqrt(reach * f32(LOW_PASS))
        left, right = min(ellipse_u - half_u, u - radius), max(ellipse_u + half_u, u + radius)
        top, bottom = min(ellipse_v - half_v, v - radius), max(ellipse_v + half_v, v + radius)
        if right < 0 or bottom < 0 or left > width or top > height:
            continue
        box[i, 0] = int(max(left, f32(0))) // TILE
        box[i, 1] = (int(min(right, f32(width - 1))) // TILE) + 1
        box[i, 2] = int(max(top, f32(0))) // TILE
        box[i, 3] = (int(min(bottom, f32(height - 1))) // TILE) + 1
        screen[i, U], screen[i, V], screen[i, LOG_OPACITY] = u, v, log_opacity
        screen[i, RED], screen[i, GREEN], screen[i, BLUE] = colors[i, 0], colors[i, 1], colors[i, 2]
        screen[i, REACH], screen[i, ELLIPSE_U], screen[i, ELLIPSE_V] = reach, ellipse_u, ellipse_v
        screen[i, ELLIPSE_XX], screen[i, ELLIPSE_XY], screen[i, ELLIPSE_YY] = xx, xy, yy
        g00, g01, g10, g11 = j11 / det, -j01 / det, -j10 / det, j00 / det
        screen[i, G_00], screen[i, G_01], screen[i, G_10], screen[i, G_11] = g00, g01, g10, g11
        screen[i, G_0], screen[i, G_1] = -(q0 * g00 + q1 * g10), -(q0 * g01 + q1 * g11)
        towards = -_facing(axes, x, y, z) / math.exp(splats[i, LOG_SCALE + 2])
        for k in range(3):
            screen[i, NORMAL + k] = towards * mixed[k, 2]


@kernel
def project_2dgs_backward(first, step, splats, camera, screen, sums, grad, grad_camera):
    """Turn gradients on the picture `sums` [N, NUM_PAIR_2DGS] into those of the splats' geometry, `grad` [N, 11+].

    Adds to row `first` of `grad_camera` [threads, NUM_CAMERA] where that has columns. Splats that nothing was summed
    for get zeros, and so does every third scale.
    """
    mixed = np.empty((3, 3), np.float32)
    axes = np.empty((3, 3), np.float32)
    g_axes = np.empty((3, 2), np.float32)
    g_mixed = np.empty((3, 3), np.float32)
    fx, fy = camera[FX], camera[FY]
    for i in range(first, splats.shape[0], step):
        for k in range(NUM_GEOMETRY):
            grad[i, k] = f32(0)
        seen = False
        for k in range(NUM_PAIR_2DGS):
            seen |= sums[i, k] != f32(0)
        if not seen:
            continue
        x, y, z = _to_camera(splats[i], camera)
        _rotation_times_scales(splats[i], mixed)
        _axes_in_camera(mixed, camera, axes)
        j00, j01, j10, j11, q0, q1, det = _homography(axes, x, y, z, camera)
        inverse = f32(1) / z
        grad[i, OPACITY] = sums[i, D_LOG_OPACITY] / (f32(1) + math.exp(splats[i, OPACITY]))

        # g = -G^t q and G = J^-1: d G += -q (d g)^t, d q = -G d g, d J = -G^t (d G) G^t.
        g00, g01, g10, g11 = screen[i, G_00], screen[i, G_01], screen[i, G_10], screen[i, G_11]
        d0, d1 = sums[i, D_0], sums[i, D_1]
        d00, d01 = sums[i, D_00] - q0 * d0, sums[i, D_01] - q0 * d1
        d10, d11 = sums[i, D_10] - q1 * d0, sums[i, D_11] - q1 * d1
        dq0, dq1 = -(g00 * d0 + g01 * d1), -(g10 * d0 + g11 * d1)
        p00, p01 = g00 * d00 + g10 * d10, g00 * d01 + g10 * d11  # G^t (d G)
        p10, p11 = g01 * d00 + g11 * d10, g01 * d01 + g11 * d11
        dj00, dj01 = -(p00 * g00 + p01 * g01), -(p00 * g10 + p01 * g11)
        dj10, dj11 = -(p10 * g00 + p11 * g01), -(p10 * g10 + p11 * g11)
        if abs(det) <= f32(LEAST_AREA):
            dj00 = dj01 = dj10 = dj11 = f32(0)

        # J_0k = fx (a_kx - x/z a_kz) / z, J_1k alike in y, q_k = a_kz / z.
        slope_x, slope_y = x * inverse, y * inverse
        g_axes[0, 0], g_axes[0, 1] = dj00 * fx * inverse, dj01 * fx * inverse
        g_axes[1, 0], g_axes[1, 1] = dj10 * fy * inverse, dj11 * fy * inverse
        g_axes[2, 0] = dq0 * inverse - slope_x * g_axes[0, 0] - slope_y * g_axes[1, 0]
        g_axes[2, 1] = dq1 * inverse - slope_x * g_axes[0, 1] - slope_y * g_axes[1, 1]
        g_u, g_v = sums[i, D_U], sums[i, D_V]
        g_slope_x = fx * g_u - g_axes[0, 0] * axes[2, 0] - g_axes[0, 1] * axes[2, 1]
        g_slope_y = fy * g_v - g_axes[1, 0] * axes[2, 0] - g_axes[1, 1] * axes[2, 1]
        g_x, g_y = g_slope_x * inverse, g_slope_y * inverse
        g_z = sums[i, D_Z] - (g_slope_x * slope_x + g_slope_y * slope_y) * inverse
        g_z -= (dj00 * j00 + dj01 * j01 + dj10 * j10 + dj11 * j11 + dq0 * q0 + dq1 * q1) * inverse

        facing = -_facing(axes, x, y, z) / math.exp(splats[i, LOG_SCALE + 2])
        for r in range(3):
            for k in range(2):
                g_mixed[r, k] = (
                    camera[ROTATION + r] * g_axes[0, k]
                    + camera[ROTATION + 3 + r] * g_axes[1, k]
                    + camera[ROTATION + 6 + r] * g_axes[2, k]
                )
            g_mixed[r, 2] = facing * sums[i, D_NORMAL + r]
        _scales_backward(splats[i], mixed, g_mixed, grad[i])
        grad[i, LOG_SCALE + 2] = f32(0)
        for k in range(3):
            grad[i, MEAN + k] = (
                camera[ROTATION + k] * g_x + camera[ROTATION + 3 + k] * g_y + camera[ROTATION + 6 + k] * g_z
            )
        if grad_camera.shape[1] > 0:
            grad_camera[first, FX] += g_u * slope_x + (dj00 * j00 + dj01 * j01) / fx
            grad_camera[first, FY] += g_v * slope_y + (dj10 * j10 + dj11 * j11) / fy
            grad_camera[first, CX] += g_u
            grad_camera[first, CY] += g_v
            for k in range(3):
                mean = splats[i, MEAN + k]
                g_x_k = g_x * mean + g_axes[0, 0] * mixed[k, 0] + g_axes[0, 1] * mixed[k, 1]
                g_y_k = g_y * mean + g_axes[1, 0] * mixed[k, 0] + g_axes[1, 1] * mixed[k, 1]
                g_z_k = g_z * mean + g_axes[2, 0] * mixed[k, 0] + g_axes[2, 1] * mixed[k, 1]
                grad_camera[first, ROTATION + k] += g_x_k
                grad_camera[first, ROTATION + 3 + k] += g_y_k
                grad_camera[first, ROTATION + 6 + k] += g_z_k
            grad_camera[first, TRANSLATION] += g_x
            grad_camera[first, TRANSLATION + 1] += g_y
            grad_camera[first, TRANSLATION + 2] += g_z


@kernel
def _axes_in_camera(mixed, camera, out):
    """Write R M [3,3]: the splat's axes as columns, in the camera's frame."""
    for r in range(3):
        row = ROTATION + 3 * r
        for k in range(3):
            out[r, k] = camera[row] * mixed[0, k] + camera[row + 1] * mixed[1, k] + camera[row + 2] * mixed[2, k]


@kernel
def _homography(axes, x, y, z, camera):
    """Return J row by row, q, and det J, which is kept away from 0."""
    inverse = f32(1) / z
    slope_x, slope_y = x * inverse, y * inverse
    scale_x, scale_y = camera[FX] * inverse, camera[FY] * inverse
    j00, j01 = scale_x * (axes[0, 0] - slope_x * axes[2, 0]), scale_x * (axes[0, 1] - slope_x * axes[2, 1])
    j10, j11 = scale_y * (axes[1, 0] - slope_y * axes[2, 0]), scale_y * (axes[1, 1] - slope_y * axes[2, 1])
    det = j00 * j11 - j01 * j10
    det = max(det, f32(LEAST_AREA)) if det >= f32(0) else min(det, f32(-LEAST_AREA))
    return j00, j01, j10, j11, axes[2, 0] * inverse, axes[2, 1] * inverse, det


@kernel
def _facing(axes, x, y, z):
    """Return 1 where the third axis points away from the camera, else -1."""
    return f32(1) if axes[0, 2] * x + axes[1, 2] * y + axes[2, 2] * z > f32(0) else f32(-1)
