"""CPU kernels that take splats to the picture plane and gradients back: EWA projection (3DGS, arXiv:2308.04079).

A splat arrives as a row of one matrix (columns in splats.py), so that the optimiser, the densification and these
kernels share one array. On the picture it is a row of `screen`, 16 floats: one cache line.
Kernels take `first` and `step` and work on rows first, first + step, ...: threads share no output.

For camera rotation R, splat rotation Q and scales s:
    T = J R Q diag(s)  [2,3],   covariance = T T^t + 0.1 I,   conic = covariance^-1.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from recon.splats import LOG_SCALE, MEAN, NUM_GEOMETRY, OPACITY, QUAT

# Columns of a splat on the picture. The conic is stored as the factors of the exponent a dx^2 + b dx dy + c dy^2.
U, V, A, B, C, LOG_OPACITY, RED, GREEN, BLUE, Z, COV_XX, COV_XY, COV_YY, REACH, BLUR_LOSS = range(15)
NUM_SCREEN = 16
# Columns of the gradients with respect to a splat on the picture.
G_RED, G_GREEN, G_BLUE, G_LOG_OPACITY, G_X, G_Y, G_XX, G_XY, G_YY = range(9)
NUM_PAIR = 9
# A camera is one row [fx, fy, cx, cy, R row by row 9, t 3].
FX, FY, CX, CY, ROTATION, TRANSLATION = 0, 1, 2, 3, 4, 13
NUM_CAMERA = 16
TILE = 16
LOW_PASS = 0.1  # px^2 added to the covariance; reference.py says why
NEAR = 0.01  # nearer splats are left out, as in gsplat
FRUSTUM_MARGIN = 0.3  # J is evaluated at most this share of the half picture outside it, as in gsplat

f32 = np.float32
kernel = njit(fastmath=True, nogil=True, error_model="numpy", cache=True)
inlined = njit(fastmath=True, nogil=True, error_model="numpy", cache=True, inline="always")


@kernel
def project(first, step, splats, colors, camera, height, width, log_min_alpha, antialiased, screen, box):
    """Write the rows `screen` [N, NUM_SCREEN] and the tile boxes `box` [N,4] (x0, x1, y0, y1; empty when unseen)."""
    mixed = np.empty((3, 3), np.float32)
    spread = np.empty((2, 3), np.float32)
    jacobian = np.empty((2, 3), np.float32)
    for i in range(first, splats.shape[0], step):
        box[i, 0] = box[i, 1] = box[i, 2] = box[i, 3] = 0
        x, y, z = _to_camera(splats[i], camera)
        screen[i, Z] = z
        if not z > f32(NEAR):
            continue
        _rotation_times_scales(splats[i], mixed)
        _projection_jacobian(x, y, z, camera, height, width, jacobian)
        _multiply(jacobian, mixed, spread)  # T, [2,3]
        xx, xy, yy = _covariance(spread)
        plain = xx * yy - xy * xy
        xx += f32(LOW_PASS)
        yy += f32(LOW_PASS)
        det = xx * yy - xy * xy
        log_opacity = -math.log(f32(1) + math.exp(-splats[i, OPACITY]))
        loss = f32(1)
        if antialiased:  # Mip-Splatting's compensation, arXiv:2311.16493
            loss = math.sqrt(max(plain / det, f32(1e-12)))
            log_opacity += math.log(loss)
        reach = f32(2) * (log_opacity - log_min_alpha)
        if not (reach > f32(0) and det > f32(0)):
            continue
        u = camera[FX] * x / z + camera[CX]
        v = camera[FY] * y / z + camera[CY]
        half_u, half_v = math.sqrt(reach * xx), math.sqrt(reach * yy)  # Speedy-Splat's exact box, arXiv:2412.00578
        if u + half_u < 0 or v + half_v < 0 or u - half_u > width or v - half_v > height:
            continue
        box[i, 0] = int(max(u - half_u, f32(0))) // TILE
        box[i, 1] = (int(min(u + half_u, f32(width - 1))) // TILE) + 1
        box[i, 2] = int(max(v - half_v, f32(0))) // TILE
        box[i, 3] = (int(min(v + half_v, f32(height - 1))) // TILE) + 1
        screen[i, U], screen[i, V] = u, v
        screen[i, A], screen[i, B], screen[i, C] = f32(-0.5) * yy / det, xy / det, f32(-0.5) * xx / det
        screen[i, LOG_OPACITY] = log_opacity
        screen[i, RED], screen[i, GREEN], screen[i, BLUE] = colors[i, 0], colors[i, 1], colors[i, 2]
        screen[i, COV_XX], screen[i, COV_XY], screen[i, COV_YY] = xx, xy, yy
        screen[i, REACH], screen[i, BLUR_LOSS] = reach, loss


@kernel
def project_backward(first, step, splats, camera, height, width, antialiased, screen, sums, grad, grad_camera):
    """Turn gradients on the picture `sums` [N, NUM_PAIR] into gradients of the splats' geometry, `grad` [N, 11+].

    Adds to row `first` of `grad_camera` [threads, NUM_CAMERA] where that has columns. Splats that nothing was summed
    for get zeros.
    """
    mixed = np.empty((3, 3), np.float32)
    spread = np.empty((2, 3), np.float32)
    jacobian = np.empty((2, 3), np.float32)
    local = np.empty((2, 3), np.float32)
    g_spread = np.empty((2, 3), np.float32)
    g_mixed = np.empty((3, 3), np.float32)
    g_jacobian = np.empty((2, 3), np.float32)
    for i in range(first, splats.shape[0], step):
        for k in range(NUM_GEOMETRY):
            grad[i, k] = f32(0)
        seen = False
        for k in range(NUM_PAIR):
            seen |= sums[i, k] != f32(0)
        if not seen:
            continue
        x, y, z = _to_camera(splats[i], camera)
        _rotation_times_scales(splats[i], mixed)
        _projection_jacobian(x, y, z, camera, height, width, jacobian)
        _multiply(jacobian, mixed, spread)
        g_log_opacity = sums[i, G_LOG_OPACITY]
        grad[i, OPACITY] = g_log_opacity / (f32(1) + math.exp(splats[i, OPACITY]))

        # conic = cov^-1: d cov = -conic (d conic) conic, symmetric matrices by their (xx, xy, yy).
        a, b, c = f32(-2) * screen[i, A], -screen[i, B], f32(-2) * screen[i, C]
        g_a, g_b, g_c = sums[i, G_XX], f32(0.5) * sums[i, G_XY], sums[i, G_YY]
        p00, p01, p10, p11 = a * g_a + b * g_b, a * g_b + b * g_c, b * g_a + c * g_b, b * g_b + c * g_c
        g_xx, g_xy, g_yy = -(p00 * a + p01 * b), -(p00 * b + p01 * c), -(p10 * b + p11 * c)
        if antialiased:  # log loss = log(det(cov - 0.1 I) / det(cov)) / 2
            share = screen[i, BLUR_LOSS] * screen[i, BLUR_LOSS]
            if share > f32(1.1e-12):
                weight = f32(0.5) * g_log_opacity / share
                g_xx += weight * ((f32(1) - share) * a - f32(LOW_PASS) * (a * c - b * b))
                g_xy += weight * (f32(1) - share) * b
                g_yy += weight * ((f32(1) - share) * c - f32(LOW_PASS) * (a * c - b * b))

        # cov = T T^t, T = J' M with J' = J R: d T = 2 (d cov) T, d M = J'^t d T, d J' = d T M^t.
        for k in range(3):
            g_spread[0, k] = f32(2) * (g_xx * spread[0, k] + g_xy * spread[1, k])
            g_spread[1, k] = f32(2) * (g_xy * spread[0, k] + g_yy * spread[1, k])
        for r in range(3):
            for k in range(3):
                g_mixed[r, k] = jacobian[0, r] * g_spread[0, k] + jacobian[1, r] * g_spread[1, k]
        for r in range(2):
            for k in range(3):
                g_jacobian[r, k] = (
                    g_spread[r, 0] * mixed[k, 0] + g_spread[r, 1] * mixed[k, 1] + g_spread[r, 2] * mixed[k, 2]
                )
        _scales_backward(splats[i], mixed, g_mixed, grad[i])

        # J' = J R: d J = d J' R^t; J holds 1/z and the clamped slopes.
        for r in range(2):
            for k in range(3):
                row = ROTATION + 3 * k
                local[r, k] = (
                    g_jacobian[r, 0] * camera[row]
                    + g_jacobian[r, 1] * camera[row + 1]
                    + g_jacobian[r, 2] * camera[row + 2]
                )
        g_u, g_v = sums[i, G_X], sums[i, G_Y]
        fx, fy, inverse = camera[FX], camera[FY], f32(1) / z
        slope_x, free_x = _clamped_slope(x * inverse, camera[CX], fx, width)
        slope_y, free_y = _clamped_slope(y * inverse, camera[CY], fy, height)
        g_slope_x, g_slope_y = -fx * inverse * local[0, 2], -fy * inverse * local[1, 2]
        g_x = fx * inverse * g_u + (g_slope_x * inverse if free_x else f32(0))
        g_y = fy * inverse * g_v + (g_slope_y * inverse if free_y else f32(0))
        g_z = -(fx * x * g_u + fy * y * g_v) * inverse * inverse
        g_z -= (fx * local[0, 0] + fy * local[1, 1]) * inverse * inverse
        g_z -= (slope_x * g_slope_x + slope_y * g_slope_y) * inverse
        if free_x:
            g_z -= g_slope_x * x * inverse * inverse
        if free_y:
            g_z -= g_slope_y * y * inverse * inverse
        for k in range(3):
            grad[i, MEAN + k] = (
                camera[ROTATION + k] * g_x + camera[ROTATION + 3 + k] * g_y + camera[ROTATION + 6 + k] * g_z
            )
        if grad_camera.shape[1] > 0:
            grad_camera[first, FX] += g_u * x * inverse + inverse * (local[0, 0] - slope_x * local[0, 2])
            grad_camera[first, FY] += g_v * y * inverse + inverse * (local[1, 1] - slope_y * local[1, 2])
            grad_camera[first, CX] += g_u
            grad_camera[first, CY] += g_v
            for k in range(3):
                # J's rows are (fx/z, 0, -fx slope/z) and (0, fy/z, -fy slope/z); d R = J^t d J'.
                mean = splats[i, MEAN + k]
                grad_camera[first, ROTATION + k] += g_x * mean + fx * inverse * g_jacobian[0, k]
                grad_camera[first, ROTATION + 3 + k] += g_y * mean + fy * inverse * g_jacobian[1, k]
                grad_camera[first, ROTATION + 6 + k] += g_z * mean - inverse * (
                    fx * slope_x * g_jacobian[0, k] + fy * slope_y * g_jacobian[1, k]
                )
            grad_camera[first, TRANSLATION] += g_x
            grad_camera[first, TRANSLATION + 1] += g_y
            grad_camera[first, TRANSLATION + 2] += g_z


@kernel
def _to_camera(splat, camera):
    x, y, z = splat[MEAN], splat[MEAN + 1], splat[MEAN + 2]
    return (
        camera[ROTATION] * x + camera[ROTATION + 1] * y + camera[ROTATION + 2] * z + camera[TRANSLATION],
        camera[ROTATION + 3] * x + camera[ROTATION + 4] * y + camera[ROTATION + 5] * z + camera[TRANSLATION + 1],
        camera[ROTATION + 6] * x + camera[ROTATION + 7] * y + camera[ROTATION + 8] * z + camera[TRANSLATION + 2],
    )


@kernel
def _clamped_slope(slope, center, focal, size):
    """Return x/z kept near the picture, and whether it was inside already."""
    margin = f32(0.5 * FRUSTUM_MARGIN) * size
    low, high = -(center + margin) / focal, (size - center + margin) / focal
    return min(max(slope, low), high), low < slope < high


@kernel
def _projection_jacobian(x, y, z, camera, height, width, out):
    """Write J R [2,3], how a step in the world moves the splat on the picture."""
    inverse = f32(1) / z
    slope_x, _ = _clamped_slope(x * inverse, camera[CX], camera[FX], width)
    slope_y, _ = _clamped_slope(y * inverse, camera[CY], camera[FY], height)
    for k in range(3):
        out[0, k] = camera[FX] * inverse * (camera[ROTATION + k] - slope_x * camera[ROTATION + 6 + k])
        out[1, k] = camera[FY] * inverse * (camera[ROTATION + 3 + k] - slope_y * camera[ROTATION + 6 + k])


@kernel
def _unit_quaternion(splat):
    w, x, y, z = splat[QUAT], splat[QUAT + 1], splat[QUAT + 2], splat[QUAT + 3]
    inverse = f32(1) / math.sqrt(w * w + x * x + y * y + z * z)
    return w * inverse, x * inverse, y * inverse, z * inverse, inverse


@kernel
def _rotation_times_scales(splat, out):
    """Write M = Q diag(s), [3,3]: the splat's axes, as long as its standard deviations."""
    w, x, y, z, _ = _unit_quaternion(splat)
    s0, s1, s2 = math.exp(splat[LOG_SCALE]), math.exp(splat[LOG_SCALE + 1]), math.exp(splat[LOG_SCALE + 2])
    one, two = f32(1), f32(2)
    out[0, 0], out[0, 1], out[0, 2] = (
        (one - two * (y * y + z * z)) * s0,
        two * (x * y - w * z) * s1,
        two * (x * z + w * y) * s2,
    )
    out[1, 0], out[1, 1], out[1, 2] = (
        two * (x * y + w * z) * s0,
        (one - two * (x * x + z * z)) * s1,
        two * (y * z - w * x) * s2,
    )
    out[2, 0], out[2, 1], out[2, 2] = (
        two * (x * z - w * y) * s0,
        two * (y * z + w * x) * s1,
        (one - two * (x * x + y * y)) * s2,
    )


@kernel
def _scales_backward(splat, mixed, g, grad):
    """Undo `_rotation_times_scales` for gradients: from d M to log scales and the quaternion (before normalising)."""
    for k in range(3):
        grad[LOG_SCALE + k] = g[0, k] * mixed[0, k] + g[1, k] * mixed[1, k] + g[2, k] * mixed[2, k]
    for k in range(3):
        scale = math.exp(splat[LOG_SCALE + k])
        for r in range(3):
            g[r, k] *= scale  # now d Q
    w, x, y, z, inverse = _unit_quaternion(splat)
    two = f32(2)
    g_w = two * (x * (g[2, 1] - g[1, 2]) + y * (g[0, 2] - g[2, 0]) + z * (g[1, 0] - g[0, 1]))
    g_x = two * (y * (g[0, 1] + g[1, 0]) + z * (g[0, 2] + g[2, 0]) + w * (g[2, 1] - g[1, 2]))
    g_x -= two * two * x * (g[1, 1] + g[2, 2])
    g_y = two * (x * (g[0, 1] + g[1, 0]) + z * (g[1, 2] + g[2, 1]) + w * (g[0, 2] - g[2, 0]))
    g_y -= two * two * y * (g[0, 0] + g[2, 2])
    g_z = two * (x * (g[0, 2] + g[2, 0]) + y * (g[1, 2] + g[2, 1]) + w * (g[1, 0] - g[0, 1]))
    g_z -= two * two * z * (g[0, 0] + g[1, 1])
    along = g_w * w + g_x * x + g_y * y + g_z * z
    grad[QUAT] = (g_w - along * w) * inverse
    grad[QUAT + 1] = (g_x - along * x) * inverse
    grad[QUAT + 2] = (g_y - along * y) * inverse
    grad[QUAT + 3] = (g_z - along * z) * inverse


@kernel
def _multiply(left, right, out):
    for r in range(2):
        for k in range(3):
            out[r, k] = left[r, 0] * right[0, k] + left[r, 1] * right[1, k] + left[r, 2] * right[2, k]


@kernel
def _covariance(spread):
    xx = spread[0, 0] * spread[0, 0] + spread[0, 1] * spread[0, 1] + spread[0, 2] * spread[0, 2]
    xy = spread[0, 0] * spread[1, 0] + spread[0, 1] * spread[1, 1] + spread[0, 2] * spread[1, 2]
    yy = spread[1, 0] * spread[1, 0] + spread[1, 1] * spread[1, 1] + spread[1, 2] * spread[1, 2]
    return xx, xy, yy
