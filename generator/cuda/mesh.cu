// The rasteriser of mesh_tracer.py on the GPU: many clips a launch, float32.
//
// The formulas and their order are that file's; it is the reference, and a test holds the two together.
// A warp takes one triangle, its lanes the samples or cells of the triangle's box; atomics keep the nearest. Then a
// thread shades a pixel. Triangles of all clips lie in one array; those of clip b are starts[b] to starts[b + 1].
//
// Built by NVRTC (no includes), and by g++ for the tests (tests/mesh_twin.cpp).

const int NUM_SAMPLES = 4, LANES = 32;
const int FIELD_CELLS = 40, SUN_CELLS = 256, SUN_BLUR = 2;
// Written out: NVRTC takes no arithmetic here.
const float FIELD_HALF = 1.2f, FIELD_CELL = 0.06f, FIELD_REACH = 0.25f;
const float SUN_HALF = 1.0f, SUN_LIFT = 0.016f, SUN_BIAS = 0.012f, SUN_SCALE = 128.0f;  // cells a unit
const float SUN_FLOOR = 4.0f;  // added to heights so that they are positive: then they sort as their bits do
const float DEPTH_STEPS = 32768.0f, EDGE = 1e-5f;
const float SUN_X = -0.42426407f, SUN_Y = -0.56568542f, SUN_Z = 0.70710678f;
const float SUN_ACROSS_X = 0.8f, SUN_ACROSS_Y = -0.6f;
const float SUN_UP_X = 0.42426407f, SUN_UP_Y = 0.56568542f, SUN_UP_Z = 0.70710678f;
const unsigned long long NOTHING = ~0ull;  // a sample that no triangle covers

typedef const float* Corners;  // of one triangle: 3 x 3

__device__ __forceinline__ float low3(float a, float b, float c) { return fminf(a, fminf(b, c)); }

__device__ __forceinline__ float high3(float a, float b, float c) { return fmaxf(a, fmaxf(b, c)); }

__device__ __forceinline__ float across(int s) { return 0.125f + 0.25f * ((2 * s + (s >> 1)) & 3); }

__device__ __forceinline__ float down(int s) { return 0.125f + 0.25f * s; }

// A triangle on a plane of pixels, and the box of whole pixels about it.
struct Flat {
    float u0, v0, u1, v1, u2, v2, area;  // corners 1 and 2 relative to corner 0
    int left, top, width, height;
    bool is_empty;
};

__device__ __forceinline__ Flat flatten(const float* u, const float* v, int width, int height) {
    Flat flat = {u[0], v[0], u[1] - u[0], v[1] - v[0], u[2] - u[0], v[2] - v[0]};
    flat.area = flat.u1 * flat.v2 - flat.u2 * flat.v1;
    flat.left = max((int)low3(u[0], u[1], u[2]), 0);
    flat.top = max((int)low3(v[0], v[1], v[2]), 0);
    flat.width = min((int)high3(u[0], u[1], u[2]) + 1, width) - flat.left;
    flat.height = min((int)high3(v[0], v[1], v[2]) + 1, height) - flat.top;
    flat.is_empty = !(fabsf(flat.area) >= 1e-9f) || flat.width <= 0 || flat.height <= 0;
    return flat;
}

// Whether the triangle covers a point, and its weights b1 and b2 there.
__device__ __forceinline__ bool covers(const Flat& flat, float u, float v, float& b1, float& b2) {
    float du = u - flat.u0, dv = v - flat.v0;
    b1 = (du * flat.v2 - flat.u2 * dv) / flat.area;
    b2 = (flat.u1 * dv - du * flat.v1) / flat.area;
    return b1 >= -EDGE && b2 >= -EDGE && b1 + b2 <= 1.0f + EDGE;
}

__device__ float triangle_distance_squared(Corners t, float x, float y, float z) {
    float ax = t[0], ay = t[1], az = t[2];
    float ex = t[3] - ax, ey = t[4] - ay, ez = t[5] - az, gx = t[6] - ax, gy = t[7] - ay, gz = t[8] - az;
    float px = x - ax, py = y - ay, pz = z - az;
    float ee = ex * ex + ey * ey + ez * ez, eg = ex * gx + ey * gy + ez * gz, gg = gx * gx + gy * gy + gz * gz;
    float d1 = ex * px + ey * py + ez * pz, d2 = gx * px + gy * py + gz * pz;
    float d3 = d1 - ee, d4 = d2 - eg, d5 = d1 - eg, d6 = d2 - gg;
    float vc = d1 * d4 - d3 * d2, vb = d5 * d2 - d1 * d6, va = d3 * d6 - d5 * d4;
    float s, r;
    if (d1 <= 0.0f && d2 <= 0.0f) {
        s = 0.0f, r = 0.0f;
    } else if (d3 >= 0.0f && d4 <= d3) {
        s = 1.0f, r = 0.0f;
    } else if (vc <= 0.0f && d1 >= 0.0f && d3 <= 0.0f) {
        s = d1 / (d1 - d3), r = 0.0f;
    } else if (d6 >= 0.0f && d5 <= d6) {
        s = 0.0f, r = 1.0f;
    } else if (vb <= 0.0f && d2 >= 0.0f && d6 <= 0.0f) {
        s = 0.0f, r = d2 / (d2 - d6);
    } else if (va <= 0.0f && d4 >= d3 && d5 >= d6) {
        r = (d4 - d3) / ((d4 - d3) + (d5 - d6)), s = 1.0f - r;
    } else {
        float per_area = 1.0f / (va + vb + vc);
        s = vb * per_area, r = vc * per_area;
    }
    px -= s * ex + r * gx, py -= s * ey + r * gy, pz -= s * ez + r * gz;
    return px * px + py * py + pz * pz;
}

// Grid (triangles of the busiest clip / warps a block, 1, clips). field [b, N, N, N] starts at FIELD_REACH.
extern "C" __global__ void mesh_field(const float* positions, const int* starts, float* field) {
    int b = blockIdx.z, k = starts[b] + (blockIdx.x * blockDim.x + threadIdx.x) / LANES;
    if (k >= starts[b + 1]) return;
    Corners t = positions + 9ll * k;
    float* cells = field + (long long)b * FIELD_CELLS * FIELD_CELLS * FIELD_CELLS;
    int low[3], size[3];
    for (int axis = 0; axis < 3; axis++) {
        float below = low3(t[axis], t[axis + 3], t[axis + 6]) - FIELD_REACH;
        float above = high3(t[axis], t[axis + 3], t[axis + 6]) + FIELD_REACH;
        low[axis] = max((int)ceilf((below + FIELD_HALF) / FIELD_CELL - 0.5f), 0);
        size[axis] = min((int)floorf((above + FIELD_HALF) / FIELD_CELL - 0.5f), FIELD_CELLS - 1) - low[axis] + 1;
    }
    int count = max(size[0], 0) * max(size[1], 0) * max(size[2], 0);
    for (int n = threadIdx.x % LANES; n < count; n += LANES) {
        int i = low[0] + n / (size[1] * size[2]), j = low[1] + n / size[2] % size[1], m = low[2] + n % size[2];
        float x = (i + 0.5f) * FIELD_CELL - FIELD_HALF, y = (j + 0.5f) * FIELD_CELL - FIELD_HALF;
        float z = (m + 0.5f) * FIELD_CELL - FIELD_HALF;
        float distance = sqrtf(fmaxf(triangle_distance_squared(t, x, y, z), 0.0f));
        float* cell = cells + (i * FIELD_CELLS + j) * FIELD_CELLS + m;
        if (distance < *cell) atomicMin((int*)cell, __float_as_int(distance));
    }
}

// Grid as mesh_field's. sun_map [b, N, N] starts at 0.
extern "C" __global__ void mesh_sun_map(const float* positions, const int* starts, float* sun_map) {
    int b = blockIdx.z, k = starts[b] + (blockIdx.x * blockDim.x + threadIdx.x) / LANES;
    if (k >= starts[b + 1]) return;
    Corners t = positions + 9ll * k;
    float u[3], v[3], h[3];
    for (int c = 0; c < 3; c++) {
        float x = t[3 * c], y = t[3 * c + 1], z = t[3 * c + 2];
        u[c] = (SUN_ACROSS_X * x + SUN_ACROSS_Y * y + SUN_HALF) * SUN_SCALE;
        v[c] = (SUN_UP_X * x + SUN_UP_Y * y + SUN_UP_Z * z + SUN_HALF) * SUN_SCALE;
        h[c] = SUN_X * x + SUN_Y * y + SUN_Z * z + SUN_FLOOR;
    }
    Flat flat = flatten(u, v, SUN_CELLS, SUN_CELLS);
    if (flat.is_empty) return;
    float* cells = sun_map + (long long)b * SUN_CELLS * SUN_CELLS;
    for (int n = threadIdx.x % LANES; n < flat.width * flat.height; n += LANES) {
        int column = flat.left + n % flat.width, row = flat.top + n / flat.width;
        float b1, b2;
        if (!covers(flat, column + 0.5f, row + 0.5f, b1, b2)) continue;
        float height = h[0] + b1 * (h[1] - h[0]) + b2 * (h[2] - h[0]);
        float* cell = cells + row * SUN_CELLS + column;
        if (height > *cell) atomicMax((int*)cell, __float_as_int(height));
    }
}

// Grid (triangles of the busiest clip / warps a block, frames, clips). keys [b, f, h, w, NUM_SAMPLES] start at NOTHING:
// the bits of z above the triangle's number in its clip.
extern "C" __global__ void mesh_depth(
    const float* positions, const int* starts, const float* c2w, const float* K, int height, int width,
    unsigned long long* keys
) {
    int b = blockIdx.z, f = blockIdx.y, own = (blockIdx.x * blockDim.x + threadIdx.x) / LANES, k = starts[b] + own;
    if (k >= starts[b + 1]) return;
    Corners t = positions + 9ll * k;
    long long frame = (long long)b * gridDim.y + f;
    const float *m = c2w + 16 * frame, *lens = K + 9 * b;
    float u[3], v[3], w[3];
    for (int c = 0; c < 3; c++) {
        float dx = t[3 * c] - m[3], dy = t[3 * c + 1] - m[7], dz = t[3 * c + 2] - m[11];
        w[c] = 1.0f / (m[2] * dx + m[6] * dy + m[10] * dz);
        u[c] = lens[0] * (m[0] * dx + m[4] * dy + m[8] * dz) * w[c] + lens[2];
        v[c] = lens[4] * (m[1] * dx + m[5] * dy + m[9] * dz) * w[c] + lens[5];
    }
    Flat flat = flatten(u, v, width, height);
    if (flat.is_empty) return;
    unsigned long long* samples = keys + frame * height * width * NUM_SAMPLES;
    for (int n = threadIdx.x % LANES; n < flat.width * flat.height * NUM_SAMPLES; n += LANES) {
        int s = n % NUM_SAMPLES, pixel = n / NUM_SAMPLES;
        int column = flat.left + pixel % flat.width, row = flat.top + pixel / flat.width;
        float b1, b2;
        if (!covers(flat, column + across(s), row + down(s), b1, b2)) continue;
        float z = 1.0f / (w[0] + b1 * (w[1] - w[0]) + b2 * (w[2] - w[0]));
        z = floorf(z * DEPTH_STEPS) / DEPTH_STEPS;
        unsigned long long key = (unsigned long long)(unsigned)__float_as_int(z) << 32 | (unsigned)own;
        unsigned long long* sample = samples + ((long long)row * width + column) * NUM_SAMPLES + s;
        if (key < *sample) atomicMin(sample, key);
    }
}

struct Subject {
    const float *positions, *field, *sun_map;
    const signed char* normals;
    const unsigned char* colors;
};

__device__ float sun_seen(const float* sun_map, float x, float y, float z) {
    float u = (SUN_ACROSS_X * x + SUN_ACROSS_Y * y + SUN_HALF) * SUN_SCALE - 0.5f;
    float v = (SUN_UP_X * x + SUN_UP_Y * y + SUN_UP_Z * z + SUN_HALF) * SUN_SCALE - 0.5f;
    float height = SUN_X * x + SUN_Y * y + SUN_Z * z + SUN_BIAS + SUN_FLOOR;
    int column = (int)floorf(u), row = (int)floorf(v);
    u -= column, v -= row;
    float seen = 0.0f;
    for (int j = -SUN_BLUR; j < SUN_BLUR + 2; j++) {
        float row_weight = j == -SUN_BLUR ? 1.0f - v : (j == SUN_BLUR + 1 ? v : 1.0f);
        for (int i = -SUN_BLUR; i < SUN_BLUR + 2; i++) {
            float weight = row_weight * (i == -SUN_BLUR ? 1.0f - u : (i == SUN_BLUR + 1 ? u : 1.0f));
            int r = row + j, c = column + i;
            bool is_open = r < 0 || c < 0 || r >= SUN_CELLS || c >= SUN_CELLS || sun_map[r * SUN_CELLS + c] <= height;
            if (is_open) seen += weight;
        }
    }
    return seen / ((2 * SUN_BLUR + 1) * (2 * SUN_BLUR + 1));
}

__device__ __forceinline__ float field_place(float x) {
    return fminf(fmaxf((x + FIELD_HALF) / FIELD_CELL - 0.5f, 0.0f), FIELD_CELLS - 1.001f);
}

__device__ __forceinline__ float mix(float a, float b, float t) { return a * (1.0f - t) + b * t; }

__device__ float distance_at(const float* field, float x, float y, float z) {
    x = field_place(x), y = field_place(y), z = field_place(z);
    int i = (int)x, j = (int)y, k = (int)z;
    x -= i, y -= j, z -= k;
    const int ROW = FIELD_CELLS, PLANE = FIELD_CELLS * FIELD_CELLS;
    const float* cell = field + i * PLANE + j * ROW + k;
    float low = mix(mix(cell[0], cell[1], z), mix(cell[ROW], cell[ROW + 1], z), y);
    cell += PLANE;
    return mix(low, mix(mix(cell[0], cell[1], z), mix(cell[ROW], cell[ROW + 1], z), y), x);
}

__device__ float open_sky(const float* field, float x, float y, float z, float nx, float ny, float nz) {
    float hidden = 0.0f, weight = 1.0f;
    for (int i = 0; i < 3; i++) {
        float h = 0.03f + 0.09f * i;
        hidden += fmaxf(h - distance_at(field, x + nx * h, y + ny * h, z + nz * h), 0.0f) * weight;
        weight *= 0.7f;
    }
    return fmaxf(0.25f, 1.0f - 1.8f * hidden);
}

// Write the colour of triangle k where the ray (x, y, 1) of camera m meets it; return the point's z.
__device__ float shade(const Subject& subject, const float* m, int k, float ray_x, float ray_y, float z, float* color) {
    Corners t = subject.positions + 9ll * k;
    const signed char* n = subject.normals + 9ll * k;
    const unsigned char* c = subject.colors + 9ll * k;
    float ox = m[3], oy = m[7], oz = m[11];
    float dx = m[0] * ray_x + m[1] * ray_y + m[2], dy = m[4] * ray_x + m[5] * ray_y + m[6];
    float dz = m[8] * ray_x + m[9] * ray_y + m[10];
    float ex = t[3] - t[0], ey = t[4] - t[1], ez = t[5] - t[2], gx = t[6] - t[0], gy = t[7] - t[1], gz = t[8] - t[2];
    float px = dy * gz - dz * gy, py = dz * gx - dx * gz, pz = dx * gy - dy * gx;
    float per_volume = ex * px + ey * py + ez * pz;
    per_volume = fabsf(per_volume) > 1e-12f ? 1.0f / per_volume : 0.0f;
    float tx = ox - t[0], ty = oy - t[1], tz = oz - t[2];
    float qx = ty * ez - tz * ey, qy = tz * ex - tx * ez, qz = tx * ey - ty * ex;
    float b1 = fminf(fmaxf((tx * px + ty * py + tz * pz) * per_volume, 0.0f), 1.0f);
    float b2 = fminf(fmaxf((dx * qx + dy * qy + dz * qz) * per_volume, 0.0f), 1.0f - b1), b0 = 1.0f - b1 - b2;
    if (z == 0.0f) z = (gx * qx + gy * qy + gz * qz) * per_volume;
    float x = ox + dx * z, y = oy + dy * z, z_world = oz + dz * z;

    float nx = b0 * n[0] + b1 * n[3] + b2 * n[6], ny = b0 * n[1] + b1 * n[4] + b2 * n[7];
    float nz = b0 * n[2] + b1 * n[5] + b2 * n[8];
    float fx = ey * gz - ez * gy, fy = ez * gx - ex * gz, fz = ex * gy - ey * gx;
    float seen_side = fx * dx + fy * dy + fz * dz > 0.0f ? -1.0f : 1.0f;
    float scale = 1.0f / sqrtf(nx * nx + ny * ny + nz * nz + 1e-12f);
    scale = (nx * fx + ny * fy + nz * fz) * seen_side < 0.0f ? -scale : scale;
    nx *= scale, ny *= scale, nz *= scale;

    float sun = fmaxf(nx * SUN_X + ny * SUN_Y + nz * SUN_Z, 0.0f);
    if (sun > 0.0f) sun *= sun_seen(subject.sun_map, x + SUN_LIFT * nx, y + SUN_LIFT * ny, z_world + SUN_LIFT * nz);
    float sky = 0.45f + 0.11f * nz, bounce = 0.18f * fmaxf(0.1f * nz - 0.5f * (nx * SUN_X + ny * SUN_Y), 0.0f);
    float light = (sky + bounce) * open_sky(subject.field, x, y, z_world, nx, ny, nz) + 0.62f * sun;
    for (int i = 0; i < 3; i++) color[i] = fminf((b0 * c[i] + b1 * c[i + 3] + b2 * c[i + 6]) * light / 255.0f, 1.0f);
    return z;
}

// Grid (pixels / threads a block, frames, clips).
extern "C" __global__ void mesh_shade(
    const float* positions, const signed char* normals, const unsigned char* colors, const int* starts,
    const float* field, const float* sun_map, const float* c2w, const float* K, int height, int width,
    const unsigned long long* keys, unsigned char* rgb, float* alpha, float* depth, signed char* part
) {
    int b = blockIdx.z, pixel = blockIdx.x * blockDim.x + threadIdx.x;
    if (pixel >= height * width) return;
    long long frame = (long long)b * gridDim.y + blockIdx.y, place = frame * height * width + pixel;
    const float *m = c2w + 16 * frame, *lens = K + 9 * b;
    const unsigned long long* sample = keys + place * NUM_SAMPLES;
    Subject subject = {
        positions, field + (long long)b * FIELD_CELLS * FIELD_CELLS * FIELD_CELLS,
        sun_map + (long long)b * SUN_CELLS * SUN_CELLS, normals, colors
    };
    unsigned long long nearest = NOTHING;
    int covered = 0;
    bool whole = sample[0] != NOTHING;
    for (int s = 0; s < NUM_SAMPLES; s++) {
        whole = whole && sample[s] != NOTHING && (unsigned)sample[s] == (unsigned)sample[0];
        covered += sample[s] != NOTHING;
        nearest = sample[s] < nearest ? sample[s] : nearest;
    }
    float u = pixel % width, v = pixel / width, total[3] = {0.0f, 0.0f, 0.0f}, color[3];
    float z = covered > 0 ? __int_as_float((int)(nearest >> 32)) : 0.0f;
    if (whole) {
        int k = starts[b] + (int)(unsigned)nearest;
        z = shade(subject, m, k, (u + 0.5f - lens[2]) / lens[0], (v + 0.5f - lens[5]) / lens[4], 0.0f, total);
    } else {
        for (int s = 0; s < NUM_SAMPLES; s++) {
            color[0] = color[1] = color[2] = 1.0f;
            if (sample[s] != NOTHING) {
                float ray_x = (u + across(s) - lens[2]) / lens[0], ray_y = (v + down(s) - lens[5]) / lens[4];
                int k = starts[b] + (int)(unsigned)sample[s];
                shade(subject, m, k, ray_x, ray_y, __int_as_float((int)(sample[s] >> 32)), color);
            }
            for (int i = 0; i < 3; i++) total[i] += color[i] / NUM_SAMPLES;
        }
    }
    for (int i = 0; i < 3; i++) rgb[3 * place + i] = (unsigned char)(255.0f * total[i] + 0.5f);
    alpha[place] = (float)covered / NUM_SAMPLES;
    depth[place] = z;
    part[place] = covered > 0 ? 0 : -1;
}
