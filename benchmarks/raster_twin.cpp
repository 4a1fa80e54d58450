// The kernels of recon/cpu_blend.py once more in C++, line by line, so that benchmarks/raster.py can say how near Numba
// comes to a native compiler. One thread. Built by the benchmark.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

enum { U, V, A, B, C, LOG_OPACITY, RED, GREEN, BLUE, Z, COV_XX, COV_XY, COV_YY, REACH, BLUR_LOSS, NUM_SCREEN = 16 };
enum { G_RED, G_GREEN, G_BLUE, G_LOG_OPACITY, G_X, G_Y, G_XX, G_XY, G_YY, NUM_PAIR };
constexpr int TILE = 16, PIXELS = TILE * TILE, CHECK_EVERY = 16;
constexpr float MAX_ALPHA = 0.999f;

inline float polynomial_exp(float x) {
    float y = std::max(x, -14.0f) * (1.0f / 16);
    float p = 1.0f + y * (0.99999172f + y * (0.49977641f + y * (0.16475739f + y * 0.03509353f)));
    p *= p;
    p *= p;
    p *= p;
    return p * p;
}

inline bool is_full(const float* __restrict t, float min_transmittance) {
    float most = 0;
    for (int p = 0; p < PIXELS; ++p) most = std::max(most, t[p]);
    return most <= min_transmittance;
}

inline void blend(const float* __restrict s, int i, int x0, int y0, int rows, float min_alpha, float min_transmittance,
                  float* __restrict t, float* __restrict red, float* __restrict green, float* __restrict blue,
                  int* __restrict middle) {
    const float u = s[U] - x0 - 0.5f, v = s[V] - y0 - 0.5f;
    const float a = s[A], b = s[B], c = s[C], log_opacity = s[LOG_OPACITY];
    const float r = s[RED], g = s[GREEN], bl = s[BLUE];
    for (int y = rows & 255; y < rows >> 8; ++y) {
        const float dy = y - v, by = b * dy, cy = c * dy * dy + log_opacity;
        const int base = TILE * y;
        for (int x = 0; x < TILE; ++x) {
            const int p = base + x;
            const float dx = x - u, before = t[p];
            float alpha = std::min(polynomial_exp((a * dx + by) * dx + cy), MAX_ALPHA);
            alpha = alpha >= min_alpha ? alpha : 0.0f;
            alpha = before > min_transmittance ? alpha : 0.0f;
            const float weight = alpha * before, after = before - weight;
            middle[p] = (before >= 0.5f) & (after < 0.5f) ? i : middle[p];
            t[p] = after;
            red[p] += weight * r;
            green[p] += weight * g;
            blue[p] += weight * bl;
        }
    }
}

inline void unblend(const float* __restrict s, int x0, int y0, int rows, float min_alpha, float min_transmittance,
                    float* __restrict t, float* __restrict behind, const float* __restrict red,
                    const float* __restrict green, const float* __restrict blue, float* __restrict lanes) {
    const float u = s[U] - x0 - 0.5f, v = s[V] - y0 - 0.5f;
    const float a = s[A], b = s[B], c = s[C], log_opacity = s[LOG_OPACITY];
    const float r = s[RED], g = s[GREEN], bl = s[BLUE];
    float l0[TILE] = {}, l1[TILE] = {}, l2[TILE] = {}, l3[TILE] = {}, l4[TILE] = {}, l5[TILE] = {};
    for (int y = rows & 255; y < rows >> 8; ++y) {
        const float dy = y - v, by = b * dy, cy = c * dy * dy + log_opacity;
        const int base = TILE * y;
        for (int x = 0; x < TILE; ++x) {
            const int p = base + x;
            const float dx = x - u, before = t[p];
            const float raw = polynomial_exp((a * dx + by) * dx + cy);
            float alpha = std::min(raw, MAX_ALPHA);
            alpha = alpha >= min_alpha ? alpha : 0.0f;
            alpha = before > min_transmittance ? alpha : 0.0f;
            const float weight = alpha * before;
            t[p] = before - weight;
            const float shade = r * red[p] + g * green[p] + bl * blue[p];
            const float rest = behind[p] - weight * shade;
            behind[p] = rest;
            const float moved = raw < MAX_ALPHA ? alpha : 0.0f;
            const float d_power = moved * (before * shade - rest / (1.0f - alpha));
            l0[x] += weight * red[p];
            l1[x] += weight * green[p];
            l2[x] += weight * blue[p];
            l3[x] += d_power;
            l4[x] += d_power * dy;
            l5[x] += d_power * dy * dy;
        }
    }
    const float* parts[6] = {l0, l1, l2, l3, l4, l5};
    for (int k = 0; k < 6; ++k) std::memcpy(lanes + k * TILE, parts[k], sizeof l0);
}

inline void sum_lanes(const float* __restrict s, int x0, const float* __restrict lanes, float* __restrict pair) {
    const float u = s[U] - x0 - 0.5f, a = s[A], b = s[B], c = s[C];
    float g_r = 0, g_g = 0, g_b = 0, d0 = 0, d_x = 0, d_y = 0, d_xx = 0, d_xy = 0, d_yy = 0;
    for (int x = 0; x < TILE; ++x) {
        const float dx = x - u, d = lanes[3 * TILE + x], dy = lanes[4 * TILE + x];
        g_r += lanes[x];
        g_g += lanes[TILE + x];
        g_b += lanes[2 * TILE + x];
        d0 += d;
        d_x += d * dx;
        d_xx += d * dx * dx;
        d_y += dy;
        d_xy += dy * dx;
        d_yy += lanes[5 * TILE + x];
    }
    pair[G_RED] = g_r, pair[G_GREEN] = g_g, pair[G_BLUE] = g_b, pair[G_LOG_OPACITY] = d0;
    pair[G_X] = -(2 * a * d_x + b * d_y), pair[G_Y] = -(b * d_x + 2 * c * d_y);
    pair[G_XX] = -0.5f * d_xx, pair[G_XY] = -d_xy, pair[G_YY] = -0.5f * d_yy;
}

}  // namespace

extern "C" {

// Returns the number of pairs.
int bin_pairs(const float* screen, const int* box, const int* order, int num_order, const int* offsets, int num, int height,
              int width, int* counts, int* slots, int* splat_of, int* rows_of, int* tile_starts) {
    const int tiles_x = (width + TILE - 1) / TILE, tiles = tiles_x * ((height + TILE - 1) / TILE);
    std::fill(tile_starts, tile_starts + tiles + 1, 0);
    std::fill(counts, counts + num, 0);
    std::vector<int> tile_of(offsets[num]), packed(offsets[num]);
    for (int o = 0; o < num_order; ++o) {
        const int i = order[o];
        const float* s = screen + NUM_SCREEN * i;
        const float u = s[U], v = s[V], reach = s[REACH], xx = s[COV_XX], xy = s[COV_XY], yy = s[COV_YY];
        const float half_u = std::sqrt(reach * xx), slope = xy / xx, tip = slope * std::sqrt(reach / yy) * xx;
        const float across = yy - slope * xy;
        int n = offsets[i];
        for (int tx = box[4 * i]; tx < box[4 * i + 1]; ++tx) {
            const float left = std::max(TILE * tx + 0.5f - u, -half_u);
            const float right = std::min(TILE * tx + TILE - 0.5f - u, half_u);
            if (left > right) continue;  // no pixel's centre lies in it
            const float high = std::min(std::max(tip, left), right), low = std::min(std::max(-tip, left), right);
            const float end = v + slope * high + std::sqrt(across * std::max(reach - high * high / xx, 0.0f));
            const float start = v + slope * low - std::sqrt(across * std::max(reach - low * low / xx, 0.0f));
            const int y0 = std::max(int(std::ceil(start - 0.5f)), 0), y1 = std::min(int(std::floor(end - 0.5f)) + 1, height);
            if (y1 <= y0) continue;
            for (int ty = y0 / TILE; ty <= (y1 - 1) / TILE; ++ty) {
                tile_of[n] = ty * tiles_x + tx;
                packed[n] = std::max(y0 - TILE * ty, 0) | (std::min(y1 - TILE * ty, TILE) << 8);
                ++tile_starts[tile_of[n] + 1];
                ++n;
            }
        }
        counts[i] = n - offsets[i];
    }
    for (int tile = 0; tile < tiles; ++tile) tile_starts[tile + 1] += tile_starts[tile];
    std::vector<int> cursor(tile_starts, tile_starts + tiles);
    for (int o = 0; o < num_order; ++o) {
        const int i = order[o];
        for (int n = offsets[i]; n < offsets[i] + counts[i]; ++n) {
            const int k = cursor[tile_of[n]]++;
            splat_of[k] = i, rows_of[k] = packed[n], slots[n] = k;
        }
    }
    return tile_starts[tiles];
}

void blend_tiles(const int* tile_starts, const int* splat_of, const int* rows_of, const float* screen, float min_alpha,
                 float min_transmittance, int height, int width, float* rgb, float* left, int* median) {
    const int tiles_x = (width + TILE - 1) / TILE, tiles = tiles_x * ((height + TILE - 1) / TILE);
    alignas(64) float t[PIXELS], red[PIXELS], green[PIXELS], blue[PIXELS];
    alignas(64) int middle[PIXELS];
    for (int tile = 0; tile < tiles; ++tile) {
        const int y0 = TILE * (tile / tiles_x), x0 = TILE * (tile % tiles_x);
        std::fill(t, t + PIXELS, 1.0f);
        for (float* plane : {red, green, blue}) std::fill(plane, plane + PIXELS, 0.0f);
        std::fill(middle, middle + PIXELS, -1);
        for (int k = tile_starts[tile]; k < tile_starts[tile + 1]; ++k) {
            const int i = splat_of[k];
            blend(screen + NUM_SCREEN * i, i, x0, y0, rows_of[k], min_alpha, min_transmittance, t, red, green, blue, middle);
            if (k % CHECK_EVERY == 0 && is_full(t, min_transmittance)) break;
        }
        for (int y = 0; y < std::min(TILE, height - y0); ++y)
            for (int x = 0; x < std::min(TILE, width - x0); ++x) {
                const int p = TILE * y + x, q = (y0 + y) * width + x0 + x;
                rgb[3 * q] = red[p], rgb[3 * q + 1] = green[p], rgb[3 * q + 2] = blue[p];
                left[q] = t[p], median[q] = middle[p];
            }
    }
}

void unblend_tiles(const int* tile_starts, const int* splat_of, const int* rows_of, const float* screen, float min_alpha,
                   float min_transmittance, int height, int width, const float* rgb, const float* left,
                   const float* g_rgb, const float* g_left, float* pairs) {
    const int tiles_x = (width + TILE - 1) / TILE, tiles = tiles_x * ((height + TILE - 1) / TILE);
    alignas(64) float t[PIXELS], behind[PIXELS], red[PIXELS], green[PIXELS], blue[PIXELS], lanes[6 * TILE];
    for (int tile = 0; tile < tiles; ++tile) {
        const int start = tile_starts[tile], end = tile_starts[tile + 1];
        if (start == end) continue;
        const int y0 = TILE * (tile / tiles_x), x0 = TILE * (tile % tiles_x);
        std::fill(t, t + PIXELS, 1.0f);
        for (float* plane : {behind, red, green, blue}) std::fill(plane, plane + PIXELS, 0.0f);
        for (int y = 0; y < std::min(TILE, height - y0); ++y)
            for (int x = 0; x < std::min(TILE, width - x0); ++x) {
                const int p = TILE * y + x, q = (y0 + y) * width + x0 + x;
                red[p] = g_rgb[3 * q], green[p] = g_rgb[3 * q + 1], blue[p] = g_rgb[3 * q + 2];
                behind[p] = rgb[3 * q] * red[p] + rgb[3 * q + 1] * green[p] + rgb[3 * q + 2] * blue[p];
                behind[p] += left[q] * g_left[q];
            }
        for (int k = start; k < end; ++k) {
            const float* s = screen + NUM_SCREEN * splat_of[k];
            unblend(s, x0, y0, rows_of[k], min_alpha, min_transmittance, t, behind, red, green, blue, lanes);
            sum_lanes(s, x0, lanes, pairs + NUM_PAIR * k);
            if (k % CHECK_EVERY == 0 && is_full(t, min_transmittance)) {
                std::fill(pairs + NUM_PAIR * (k + 1), pairs + NUM_PAIR * end, 0.0f);
                break;
            }
        }
    }
}

void gather_pairs(const int* offsets, const int* counts, const int* slots, const float* pairs, int num, float* sums) {
    for (int i = 0; i < num; ++i) {
        float* __restrict sum = sums + NUM_PAIR * i;
        std::fill(sum, sum + NUM_PAIR, 0.0f);
        for (int n = offsets[i]; n < offsets[i] + counts[i]; ++n)
            for (int c = 0; c < NUM_PAIR; ++c) sum[c] += pairs[NUM_PAIR * slots[n] + c];
    }
}

}  // extern "C"
