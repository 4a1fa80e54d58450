"""CPU kernels that blend splats on the picture plane into pixels, and take the pixels' gradients back.

16x16 tiles, one global depth sort, lists of (tile, splat) pairs in depth order; a pair knows the rows of its tile that
the splat's ellipse really crosses. A row is always 16 wide, with unsigned indices and no branches: that is what lets
LLVM use SIMD (a signed index costs a wrap-around test, an `and` a branch). Both directions walk front to back, so that
the backward pass meets exactly the forward's numbers:

    alpha = min(0.999, opacity exp(power)),  w = alpha T,  T' = T (1 - alpha),  rgb = sum w c.

Kernels take `first` and `step` and work on tiles or splats first, first + step, ...: threads share no output.
"""

from __future__ import annotations

import math

import numpy as np
from numba import uint64

from recon.cpu_project import (
    BLUE,
    COV_XX,
    COV_XY,
    COV_YY,
    G_BLUE,
    G_GREEN,
    G_LOG_OPACITY,
    G_RED,
    G_X,
    G_XX,
    G_XY,
    G_Y,
    G_YY,
    GREEN,
    LOG_OPACITY,
    REACH,
    RED,
    TILE,
    A,
    B,
    C,
    U,
    V,
    f32,
    inlined,
    kernel,
)

MAX_ALPHA = 0.999  # as in 3DGS
PIXELS = TILE * TILE
SHIFT = 4  # log2 of TILE: a floor division of signed numbers costs four instructions more
CHECK_EVERY = 16  # splats between two looks at whether a tile is full


@kernel
def bin_pairs(screen, box, order, offsets, height, width, counts, slots, splat_of, rows_of, tile_starts):
    """List every tile's splats in depth order with the rows they cross."""
    tiles_x = (width + TILE - 1) // TILE
    tile_starts[:] = 0
    tile_of, packed_rows = np.empty(offsets[-1], np.int32), np.empty(offsets[-1], np.int32)
    for o in range(uint64(order.shape[0])):
        i = uint64(order[o])
        u, v, reach = screen[i, U], screen[i, V], screen[i, REACH]
        xx, xy, yy = screen[i, COV_XX], screen[i, COV_XY], screen[i, COV_YY]
        n = uint64(offsets[i])
        for tx in range(box[i, 0], box[i, 1]):
            start, end = _rows_crossed(u, v, reach, xx, xy, yy, tx)
            y0 = max(np.int32(math.ceil(start - f32(0.5))), np.int32(0))
            y1 = min(np.int32(math.floor(end - f32(0.5))) + np.int32(1), np.int32(height))
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


@inlined
def _rows_crossed(u, v, reach, xx, xy, yy, tx):
    """Return where the ellipse d^t covariance^-1 d = reach around (u, v) begins and ends in a column of tiles.

    Where no pixel's centre lies in it, the end comes long before the beginning.
    """
    half_u, slope = math.sqrt(reach * xx), xy / xx
    tip = slope * math.sqrt(reach / yy) * xx  # dx of the ellipse's lowest point
    across, narrowing = max(yy - slope * xy, f32(0)), f32(1) / xx
    left = max(f32(TILE * tx) + f32(0.5) - u, -half_u)
    right = min(f32(TILE * tx) + f32(TILE - 0.5) - u, half_u)
    high, low = min(max(tip, left), right), min(max(-tip, left), right)
    end = v + slope * high + math.sqrt(across * max(reach - high * high * narrowing, f32(0)))
    start = v + slope * low - math.sqrt(across * max(reach - low * low * narrowing, f32(0)))
    return (start, end) if left <= right else (f32(1e9), f32(-1e9))


@kernel
def _sorted_into_tiles(order, offsets, counts, tile_of, packed_rows, slots, splat_of, rows_of, tile_starts):
    """Lay the pairs, so far listed splat by splat, tile by tile; `tile_starts` holds their numbers, one tile late."""
    for tile in range(tile_starts.shape[0] - 1):
        tile_starts[tile + 1] += tile_starts[tile]
    cursor = tile_starts[:-1].copy()
    for o in range(uint64(order.shape[0])):
        i = uint64(order[o])
        for n in range(uint64(offsets[i]), uint64(offsets[i] + counts[i])):
            tile = uint64(tile_of[n])
            k = uint64(cursor[tile])
            cursor[tile] += 1
            splat_of[k], rows_of[k], slots[n] = order[o], packed_rows[n], k


@inlined
def _exp(x):
    """exp(x) for x <= 0: a polynomial of x/16 and four squarings; 2e-6 of the value above -5.6, 5 % at the clamp."""
    y = max(x, f32(-14)) * f32(1 / 16)
    p = f32(1) + y * (f32(0.99999172) + y * (f32(0.49977641) + y * (f32(0.16475739) + y * f32(0.03509353))))
    p *= p
    p *= p
    p *= p
    return p * p


@kernel
def blend_tiles(first, step, tile_starts, splat_of, rows_of, screen, min_alpha, min_transmittance, rgb, left, median):
    """Blend tiles into `rgb` [H,W,3] (over black), `left` [H,W] (transmittance) and `median` [H,W] (splat or -1)."""
    height, width = left.shape
    tiles_x = (width + TILE - 1) // TILE
    planes, middle = np.empty((4, PIXELS), np.float32), np.empty(PIXELS, np.int32)
    t, red, green, blue = planes[0], planes[1], planes[2], planes[3]
    for tile in range(first, tile_starts.shape[0] - 1, step):
        y0, x0 = TILE * (tile // tiles_x), TILE * (tile % tiles_x)
        t[:], red[:], green[:], blue[:], middle[:] = f32(1), f32(0), f32(0), f32(0), -1
        for k in range(tile_starts[tile], tile_starts[tile + 1]):
            i = splat_of[k]
            _blend(screen[i], i, x0, y0, rows_of[k], min_alpha, min_transmittance, t, red, green, blue, middle)
            if (k & (CHECK_EVERY - 1)) == 0 and _is_full(t, min_transmittance):
                break
        for y in range(min(TILE, height - y0)):
            for x in range(min(TILE, width - x0)):
                p = TILE * y + x
                rgb[y0 + y, x0 + x, 0], rgb[y0 + y, x0 + x, 1], rgb[y0 + y, x0 + x, 2] = red[p], green[p], blue[p]
                left[y0 + y, x0 + x], median[y0 + y, x0 + x] = t[p], middle[p]


@inlined
def _blend(splat, i, x0, y0, rows, min_alpha, min_transmittance, t, red, green, blue, middle):
    """Lay splat i over the tile whose first pixel is (x0, y0)."""
    u, v = splat[U] - f32(x0) - f32(0.5), splat[V] - f32(y0) - f32(0.5)
    a, b, c, log_opacity = splat[A], splat[B], splat[C], splat[LOG_OPACITY]
    r, g, bl = splat[RED], splat[GREEN], splat[BLUE]
    for y in range(rows & 255, rows >> 8):
        dy = f32(y) - v
        by, cy = b * dy, c * dy * dy + log_opacity
        base = uint64(TILE * y)
        for x in range(uint64(TILE)):
            p = base + x
            dx = f32(np.int32(x)) - u
            alpha = min(_exp((a * dx + by) * dx + cy), f32(MAX_ALPHA))
            before = t[p]
            alpha = alpha if alpha >= min_alpha else f32(0)
            alpha = alpha if before > min_transmittance else f32(0)
            weight = alpha * before
            after = before - weight
            middle[p] = i if (before >= f32(0.5)) & (after < f32(0.5)) else middle[p]
            t[p] = after
            red[p] += weight * r
            green[p] += weight * g
            blue[p] += weight * bl


@inlined
def _is_full(t, min_transmittance):
    most = f32(0)
    for p in range(uint64(PIXELS)):
        most = max(most, t[p])
    return most <= min_transmittance


@kernel
def unblend_tiles(
    first, step, tile_starts, splat_of, rows_of, screen, min_alpha, min_transmittance, rgb, left, g_rgb, g_left, pairs
):
    """Write the gradients of every pair, `pairs` [P, NUM_PAIR], from those of the picture."""
    height, width = left.shape
    tiles_x = (width + TILE - 1) // TILE
    planes, lanes = np.empty((5, PIXELS), np.float32), np.empty(6 * TILE, np.float32)
    t, behind, red, green, blue = planes[0], planes[1], planes[2], planes[3], planes[4]
    for tile in range(first, tile_starts.shape[0] - 1, step):
        start, end = tile_starts[tile], tile_starts[tile + 1]
        if start == end:
            continue
        y0, x0 = TILE * (tile // tiles_x), TILE * (tile % tiles_x)
        t[:], behind[:], red[:], green[:], blue[:] = f32(1), f32(0), f32(0), f32(0), f32(0)
        for y in range(min(TILE, height - y0)):
            for x in range(min(TILE, width - x0)):
                p, row, col = TILE * y + x, y0 + y, x0 + x
                red[p], green[p], blue[p] = g_rgb[row, col, 0], g_rgb[row, col, 1], g_rgb[row, col, 2]
                behind[p] = rgb[row, col, 0] * red[p] + rgb[row, col, 1] * green[p] + rgb[row, col, 2] * blue[p]
                behind[p] += left[row, col] * g_left[row, col]
        for k in range(start, end):
            _unblend(
                screen[splat_of[k]],
                x0,
                y0,
                rows_of[k],
                min_alpha,
                min_transmittance,
                t,
                behind,
                red,
                green,
                blue,
                lanes,
            )
            _sum_lanes(screen[splat_of[k]], x0, lanes, pairs[k])
            if (k & (CHECK_EVERY - 1)) == 0 and _is_full(t, min_transmittance):
                pairs[k + 1 : end, :] = f32(0)
                break


@inlined
def _unblend(splat, x0, y0, rows, min_alpha, min_transmittance, t, behind, red, green, blue, lanes):
    """Repeat `_blend`, with red, green and blue the gradients g of the picture, and sum up by columns into `lanes`.

    With behind = what the splats after this one, and the background, add to the loss:
    d alpha = T (c . g) - behind / (1 - alpha),  d power = alpha d alpha.
    """
    u, v = splat[U] - f32(x0) - f32(0.5), splat[V] - f32(y0) - f32(0.5)
    a, b, c, log_opacity = splat[A], splat[B], splat[C], splat[LOG_OPACITY]
    r, g, bl = splat[RED], splat[GREEN], splat[BLUE]
    lanes[:] = f32(0)
    for y in range(rows & 255, rows >> 8):
        dy = f32(y) - v
        by, cy = b * dy, c * dy * dy + log_opacity
        base = uint64(TILE * y)
        for x in range(uint64(TILE)):
            p = base + x
            dx = f32(np.int32(x)) - u
            raw = _exp((a * dx + by) * dx + cy)
            alpha = min(raw, f32(MAX_ALPHA))
            before = t[p]
            alpha = alpha if alpha >= min_alpha else f32(0)
            alpha = alpha if before > min_transmittance else f32(0)
            weight = alpha * before
            t[p] = before - weight
            shade = r * red[p] + g * green[p] + bl * blue[p]
            rest = behind[p] - weight * shade
            behind[p] = rest
            d_power = alpha * (before * shade - rest / (f32(1) - alpha))
            d_power = d_power if raw < f32(MAX_ALPHA) else f32(0)
            lanes[x] += weight * red[p]
            lanes[x + uint64(TILE)] += weight * green[p]
            lanes[x + uint64(2 * TILE)] += weight * blue[p]
            lanes[x + uint64(3 * TILE)] += d_power
            lanes[x + uint64(4 * TILE)] += d_power * dy
            lanes[x + uint64(5 * TILE)] += d_power * dy * dy


@inlined
def _sum_lanes(splat, x0, lanes, pair):
    """Sum the columns up into a pair's gradients."""
    u, a, b, c = splat[U] - f32(x0) - f32(0.5), splat[A], splat[B], splat[C]
    g_r, g_g, g_b = f32(0), f32(0), f32(0)
    s, s_x, s_y, s_xx, s_xy, s_yy = f32(0), f32(0), f32(0), f32(0), f32(0), f32(0)
    for x in range(uint64(TILE)):
        dx = f32(np.int32(x)) - u
        d, d_y = lanes[x + uint64(3 * TILE)], lanes[x + uint64(4 * TILE)]
        g_r += lanes[x]
        g_g += lanes[x + uint64(TILE)]
        g_b += lanes[x + uint64(2 * TILE)]
        s += d
        s_x += d * dx
        s_xx += d * dx * dx
        s_y += d_y
        s_xy += d_y * dx
        s_yy += lanes[x + uint64(5 * TILE)]
    pair[G_RED], pair[G_GREEN], pair[G_BLUE], pair[G_LOG_OPACITY] = g_r, g_g, g_b, s
    pair[G_X], pair[G_Y] = -(f32(2) * a * s_x + b * s_y), -(b * s_x + f32(2) * c * s_y)
    pair[G_XX], pair[G_XY], pair[G_YY] = f32(-0.5) * s_xx, -s_xy, f32(-0.5) * s_yy


@kernel
def gather_pairs(first, step, offsets, counts, slots, pairs, sums):
    """Add every splat's pairs, `pairs` [P, NUM_PAIR], into `sums` [N, NUM_PAIR].

    Nine scalars, not a loop: the compiler cannot know that `sums` and `pairs` share no memory.
    """
    for i in range(uint64(first), uint64(sums.shape[0]), uint64(step)):
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = s8 = f32(0)
        for n in range(uint64(offsets[i]), uint64(offsets[i] + counts[i])):
            k = uint64(slots[n])
            s0, s1, s2 = s0 + pairs[k, 0], s1 + pairs[k, 1], s2 + pairs[k, 2]
            s3, s4, s5 = s3 + pairs[k, 3], s4 + pairs[k, 4], s5 + pairs[k, 5]
            s6, s7, s8 = s6 + pairs[k, 6], s7 + pairs[k, 7], s8 + pairs[k, 8]
        sums[i, 0], sums[i, 1], sums[i, 2] = s0, s1, s2
        sums[i, 3], sums[i, 4], sums[i, 5] = s3, s4, s5
        sums[i, 6], sums[i, 7], sums[i, 8] = s6, s7, s8
