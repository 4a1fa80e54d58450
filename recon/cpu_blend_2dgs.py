"""CPU kernels that blend flat splats into pixels, and take the pixels' gradients back; see cpu_blend.py for the scheme.

At every pixel the splat's Gaussian is taken where the ray meets its plane, p, or around its projected centre, whichever
is larger (Eq. 11 of arXiv:2403.17888), so that a disc seen edge-on is still as wide as a pixel:

    power = -min(|p|^2, |d|^2 / LOW_PASS) / 2,   depth t = z / (1 + g . d), or z where the second is less.

Beside colour, the sums over a ray's splats of w n (normal), w (t - shift) and w (t - shift)^2 are kept, and the depth t
of the splat at which the transmittance falls below a half. The shift, some depth amid the scene, keeps the spread of a
ray's depths, which is much less than the depths, within float32.
"""

from __future__ import annotations

import math

import numpy as np
from numba import uint64

from recon.cpu_blend import CHECK_EVERY, MAX_ALPHA, PIXELS, SHIFT, _exp, _is_full, _rows_crossed, _sorted_into_tiles
from recon.cpu_project import BLUE, GREEN, LOG_OPACITY, LOW_PASS, RED, TILE, U, V, Z, f32, inlined, kernel
from recon.cpu_project_2dgs import (
    D_0,
    D_00,
    D_01,
    D_1,
    D_10,
    D_11,
    D_BLUE,
    D_GREEN,
    D_LOG_OPACITY,
    D_NORMAL,
    D_RED,
    D_U,
    D_V,
    D_Z,
    ELLIPSE_U,
    ELLIPSE_V,
    ELLIPSE_XX,
    ELLIPSE_XY,
    ELLIPSE_YY,
    G_0,
    G_00,
    G_01,
    G_1,
    G_10,
    G_11,
    NORMAL,
    NUM_PAIR_2DGS,
    REACH,
)

SHARPNESS = 1 / LOW_PASS
HORIZON = 1 / 64  # least z over depth: beyond it a disc that lies before the camera is transparent
NUM_MAPS = 6
"""Beside colour: normal 3, sum of w (t - shift), sum of w (t - shift)^2, median depth."""
NUM_LANES = 16


@kernel
def bin_pairs_2dgs(screen, box, order, offsets, height, width, counts, slots, splat_of, rows_of, tile_starts):
    """List every tile's splats in depth order with the rows that the disc or its low-pass cross."""
    tiles_x = (width + TILE - 1) // TILE
    tile_starts[:] = 0
    tile_of, packed_rows = np.empty(offsets[-1], np.int32), np.empty(offsets[-1], np.int32)
    low, none = f32(LOW_PASS), f32(0)
    for o in range(uint64(order.shape[0])):
        i = uint64(order[o])
        u, v, reach = screen[i, U], screen[i, V], screen[i, REACH]
        center_u, center_v = screen[i, ELLIPSE_U], screen[i, ELLIPSE_V]
        xx, xy, yy = screen[i, ELLIPSE_XX], screen[i, ELLIPSE_XY], screen[i, ELLIPSE_YY]
        n = uint64(offsets[i])
        for tx in range(box[i, 0], box[i, 1]):
            # Never beyond the box, whatever rounding says: the boxes are what memory was asked for.
            start, end = _rows_crossed(center_u, center_v, reach, xx, xy, yy, tx)
            round_start, round_end = _rows_crossed(u, v, reach, low, none, low, tx)
            y0 = max(np.int32(math.ceil(min(start, round_start) - f32(0.5))), box[i, 2] << SHIFT)
            y1 = min(np.int32(math.floor(max(end, round_end) - f32(0.5))) + np.int32(1), box[i, 3] << SHIFT)
            y1 = min(y1, np.int32(height))
            if y1 <= y0:
                continue
            for ty in range(y0 >> SHIFT, ((y1 - 1) >> SHIFT) + 1):
                tile = ty * tiles_x + tx
                tile_of[n] = tile
                packed_rows[n] = max(y0 - TILE * ty, 0) | (min(y1 - TILE * ty, TILE) << 8)
                tile_starts[uint64(tile + 1)] += 1
                n += uint64(1)
        counts[i] = n - uint64(offsets[i])
    _sorted_into_tiles(order, offsets, counts, tile_of, packed_rows, slots, splat_of, rows_of, tile_starts)


@kernel
def blend_tiles_2dgs(
    first, step, tile_starts, splat_of, rows_of, screen, shift, min_alpha, min_transmittance, rgb, left, maps
):
    """Blend tiles into `rgb` [H,W,3] (over black), `left` [H,W] (transmittance) and `maps` [NUM_MAPS,H,W]."""
    height, width = left.shape
    tiles_x = (width + TILE - 1) // TILE
    planes = np.empty((4 + NUM_MAPS, PIXELS), np.float32)
    t, red, green, blue = planes[0], planes[1], planes[2], planes[3]
    nx, ny, nz, depth, square, middle = planes[4], planes[5], planes[6], planes[7], planes[8], planes[9]
    for tile in range(first, tile_starts.shape[0] - 1, step):
        y0, x0 = TILE * (tile // tiles_x), TILE * (tile % tiles_x)
        planes[:] = f32(0)
        t[:] = f32(1)
        for k in range(tile_starts[tile], tile_starts[tile + 1]):
            _blend(
                screen[splat_of[k]],
                x0,
                y0,
                rows_of[k],
                shift,
                min_alpha,
                min_transmittance,
                t,
                red,
                green,
                blue,
                nx,
                ny,
                nz,
                depth,
                square,
                middle,
            )
            if (k & (CHECK_EVERY - 1)) == 0 and _is_full(t, min_transmittance):
                break
        for y in range(min(TILE, height - y0)):
            for x in range(min(TILE, width - x0)):
                p, row, col = TILE * y + x, y0 + y, x0 + x
                rgb[row, col, 0], rgb[row, col, 1], rgb[row, col, 2] = red[p], green[p], blue[p]
                left[row, col] = t[p]
                for m in range(NUM_MAPS):
                    maps[m, row, col] = planes[4 + m, p]


@inlined
def _blend(
    splat, x0, y0, rows, shift, min_alpha, min_transmittance, t, red, green, blue, nx, ny, nz, depth, square, middle
):
    """Lay a splat over the tile whose first pixel is (x0, y0)."""
    u, v = splat[U] - f32(x0) - f32(0.5), splat[V] - f32(y0) - f32(0.5)
    g00, g01, g10, g11, g0, g1 = splat[G_00], splat[G_01], splat[G_10], splat[G_11], splat[G_0], splat[G_1]
    log_opacity, z = splat[LOG_OPACITY], splat[Z]
    r, g, b = splat[RED], splat[GREEN], splat[BLUE]
    normal_x, normal_y, normal_z = splat[NORMAL], splat[NORMAL + 1], splat[NORMAL + 2]
    for y in range(rows & 255, rows >> 8):
        dy = f32(y) - v
        py, qy, sy, dy2 = g01 * dy, g11 * dy, g1 * dy + f32(1), dy * dy
        base = uint64(TILE * y)
        for x in range(uint64(TILE)):
            k = base + x
            dx = f32(np.int32(x)) - u
            nearness = max(g0 * dx + sy, f32(HORIZON))  # z over the depth
            inverse = f32(1) / nearness
            p, q = (g00 * dx + py) * inverse, (g10 * dx + qy) * inverse
            on_disc, around = p * p + q * q, f32(SHARPNESS) * (dx * dx + dy2)
            alpha = min(_exp(log_opacity - f32(0.5) * min(on_disc, around)), f32(MAX_ALPHA))
            before = t[k]
            alpha = alpha if alpha >= min_alpha else f32(0)
            alpha = alpha if before > min_transmittance else f32(0)
            weight = alpha * before
            after = before - weight
            far = z * inverse if on_disc <= around else z
            middle[k] = far if (before >= f32(0.5)) & (after < f32(0.5)) else middle[k]
            t[k] = after
            far -= shift
            red[k] += weight * r
            green[k] += weight * g
            blue[k] += weight * b
            nx[k] += weight * normal_x
            ny[k] += weight * normal_y
            nz[k] += weight * normal_z
            depth[k] += weight * far
            square[k] += weight * far * far


@kernel
def unblend_tiles_2dgs(
    first, step, tile_starts, splat_of, rows_of, screen, shift, min_alpha, min_transmittance,
    rgb, left, maps, g_rgb, g_left, g_maps, pairs,
):  # fmt: skip
    """Write the gradients of every pair, `pairs` [P, NUM_PAIR_2DGS], from those of the picture and its maps."""
    height, width = left.shape
    tiles_x = (width + TILE - 1) // TILE
    planes, lanes = np.empty((5 + NUM_MAPS, PIXELS), np.float32), np.empty((NUM_LANES, TILE), np.float32)
    t, behind, red, green, blue = planes[0], planes[1], planes[2], planes[3], planes[4]
    nx, ny, nz, depth, square, middle = planes[5], planes[6], planes[7], planes[8], planes[9], planes[10]
    for tile in range(first, tile_starts.shape[0] - 1, step):
        start, end = tile_starts[tile], tile_starts[tile + 1]
        if start == end:
            continue
        y0, x0 = TILE * (tile // tiles_x), TILE * (tile % tiles_x)
        planes[:] = f32(0)
        t[:] = f32(1)
        for y in range(min(TILE, height - y0)):
            for x in range(min(TILE, width - x0)):
                p, row, col = TILE * y + x, y0 + y, x0 + x
                red[p], green[p], blue[p] = g_rgb[row, col, 0], g_rgb[row, col, 1], g_rgb[row, col, 2]
                rest = rgb[row, col, 0] * red[p] + rgb[row, col, 1] * green[p] + rgb[row, col, 2] * blue[p]
                rest += left[row, col] * g_left[row, col]
                for m in range(NUM_MAPS):
                    planes[5 + m, p] = g_maps[m, row, col]
                for m in range(NUM_MAPS - 1):  # the median is no sum
                    rest += maps[m, row, col] * g_maps[m, row, col]
                behind[p] = rest
        for k in range(start, end):
            splat = screen[splat_of[k]]
            lanes[:] = f32(0)
            _unblend(
                splat, x0, y0, rows_of[k], shift, min_alpha, min_transmittance, t, behind,
                red, green, blue, nx, ny, nz, depth, square, middle, lanes,
            )  # fmt: skip
            _sum_lanes(splat, x0, lanes, pairs[k])
            if (k & (CHECK_EVERY - 1)) == 0 and _is_full(t, min_transmittance):
                pairs[k + 1 : end, :] = f32(0)
                break


@inlined
def _unblend(
    splat, x0, y0, rows, shift, min_alpha, min_transmittance, t, behind,
    red, green, blue, nx, ny, nz, depth, square, middle, lanes,
):  # fmt: skip
    """Repeat `_blend`, with the planes now gradients of the picture and its maps; sum up by columns into `lanes`.

    As in cpu_blend.py, with shade the sum of all that a unit of weight adds to the loss. On the disc
    d power = -(p d p + q d q), elsewhere around the centre.
    """
    u, v = splat[U] - f32(x0) - f32(0.5), splat[V] - f32(y0) - f32(0.5)
    g00, g01, g10, g11, g0, g1 = splat[G_00], splat[G_01], splat[G_10], splat[G_11], splat[G_0], splat[G_1]
    log_opacity, z = splat[LOG_OPACITY], splat[Z]
    r, g, b = splat[RED], splat[GREEN], splat[BLUE]
    normal_x, normal_y, normal_z = splat[NORMAL], splat[NORMAL + 1], splat[NORMAL + 2]
    for y in range(rows & 255, rows >> 8):
        dy = f32(y) - v
        py, qy, sy, dy2 = g01 * dy, g11 * dy, g1 * dy + f32(1), dy * dy
        base = uint64(TILE * y)
        for x in range(uint64(TILE)):
            k = base + x
            dx = f32(np.int32(x)) - u
            nearness = max(g0 * dx + sy, f32(HORIZON))
            inverse = f32(1) / nearness
            p, q = (g00 * dx + py) * inverse, (g10 * dx + qy) * inverse
            on_disc, around = p * p + q * q, f32(SHARPNESS) * (dx * dx + dy2)
            raw = _exp(log_opacity - f32(0.5) * min(on_disc, around))
            alpha = min(raw, f32(MAX_ALPHA))
            before = t[k]
            alpha = alpha if alpha >= min_alpha else f32(0)
            alpha = alpha if before > min_transmittance else f32(0)
            weight = alpha * before
            after = before - weight
            hit = f32(1) if on_disc <= around else f32(0)
            stretch = hit * inverse + (f32(1) - hit)
            far = z * stretch - shift
            t[k] = after
            shade = r * red[k] + g * green[k] + b * blue[k]
            shade += normal_x * nx[k] + normal_y * ny[k] + normal_z * nz[k]
            shade += far * (depth[k] + far * square[k])
            rest = behind[k] - weight * shade
            behind[k] = rest
            d_power = alpha * (before * shade - rest / (f32(1) - alpha))
            d_power = d_power if raw < f32(MAX_ALPHA) else f32(0)
            d_far = weight * (depth[k] + f32(2) * far * square[k])
            d_far += middle[k] if (before >= f32(0.5)) & (after < f32(0.5)) else f32(0)
            d_around = d_power - hit * d_power
            d_disc = hit * d_power * inverse
            d_p, d_q = -d_disc * p, -d_disc * q
            d_nearness = d_disc * on_disc - hit * d_far * z * inverse * inverse
            lanes[0, x] += weight * red[k]
            lanes[1, x] += weight * green[k]
            lanes[2, x] += weight * blue[k]
            lanes[3, x] += d_power
            lanes[4, x] += d_around
            lanes[5, x] += d_around * dy
            lanes[6, x] += d_p
            lanes[7, x] += d_p * dy
            lanes[8, x] += d_q
            lanes[9, x] += d_q * dy
            lanes[10, x] += d_nearness
            lanes[11, x] += d_nearness * dy
            lanes[12, x] += d_far * stretch
            lanes[13, x] += weight * nx[k]
            lanes[14, x] += weight * ny[k]
            lanes[15, x] += weight * nz[k]


@inlined
def _sum_lanes(splat, x0, lanes, pair):
    """Sum the columns up into a pair's gradients."""
    u = splat[U] - f32(x0) - f32(0.5)
    zero = f32(0)
    s_r, s_g, s_b, s, s_z, s_nx, s_ny, s_nz = zero, zero, zero, zero, zero, zero, zero, zero
    around_x, around_y, p, p_x, p_y, q, q_x, q_y = zero, zero, zero, zero, zero, zero, zero, zero
    near, near_x, near_y = zero, zero, zero
    for x in range(uint64(TILE)):
        dx = f32(np.int32(x)) - u
        s_r += lanes[0, x]
        s_g += lanes[1, x]
        s_b += lanes[2, x]
        s += lanes[3, x]
        around_x += lanes[4, x] * dx
        around_y += lanes[5, x]
        p += lanes[6, x]
        p_x += lanes[6, x] * dx
        p_y += lanes[7, x]
        q += lanes[8, x]
        q_x += lanes[8, x] * dx
        q_y += lanes[9, x]
        near += lanes[10, x]
        near_x += lanes[10, x] * dx
        near_y += lanes[11, x]
        s_z += lanes[12, x]
        s_nx += lanes[13, x]
        s_ny += lanes[14, x]
        s_nz += lanes[15, x]
    pair[D_RED], pair[D_GREEN], pair[D_BLUE], pair[D_LOG_OPACITY], pair[D_Z] = s_r, s_g, s_b, s, s_z
    pair[D_U] = f32(SHARPNESS) * around_x - (splat[G_00] * p + splat[G_10] * q + splat[G_0] * near)
    pair[D_V] = f32(SHARPNESS) * around_y - (splat[G_01] * p + splat[G_11] * q + splat[G_1] * near)
    pair[D_00], pair[D_01], pair[D_10], pair[D_11] = p_x, p_y, q_x, q_y
    pair[D_0], pair[D_1] = near_x, near_y
    pair[D_NORMAL], pair[D_NORMAL + 1], pair[D_NORMAL + 2] = s_nx, s_ny, s_nz


@kernel
def gather_pairs_2dgs(first, step, offsets, counts, slots, pairs, sums):
    """Add every splat's pairs, `pairs` [P, NUM_PAIR_2DGS], into `sums` [N, NUM_PAIR_2DGS]: a cache line each."""
    total = np.empty(NUM_PAIR_2DGS, np.float32)
    for i in range(uint64(first), uint64(sums.shape[0]), uint64(step)):
        total[:] = f32(0)
        for n in range(uint64(offsets[i]), uint64(offsets[i] + counts[i])):
            k = uint64(slots[n])
            for c in range(uint64(NUM_PAIR_2DGS)):
                total[c] += pairs[k, c]
        for c in range(uint64(NUM_PAIR_2DGS)):
            sums[i, c] = total[c]
