// The sphere tracer of tracer.py, sdf.py and shading.py on the GPU: many clips a launch, float32.
//
// The formulas and their order are those files'; they are the reference, and a test holds the two together.
// What differs is who does the work. A block owns a tile of one frame and keeps its clip's solids in shared memory.
// A warp traces a patch of 8 x 4 rays side by side. Which solids a ray may meet is a list that the warp shares: each
// entry is a solid and the lanes that want it. So all lanes read one solid of one kind at a time, and nothing diverges
// but the number of steps. Lists are made by ballots: every lane of a warp walks through march, shade and their calls
// together, with a flag that says whether its ray still counts.
//
// Built by NVRTC (no includes), and by g++ with one lane a warp for the tests (tests/cuda_twin.cpp).

#ifndef LANES_PER_EDGE
#define LANES_PER_EDGE 4  // neighbouring lanes share the samples of an edge pixel; a power of two up to NUM_SAMPLES
#endif
#ifndef WARP
#define WARP 32
#endif
#define ALL_LANES 0xffffffffu

enum Kind { ELLIPSOID, BOX, CONE, TORUS, CAPSULE, CUP, FRUSTUM, DOME, SHELL };
enum Column {
    KIND = 0, CENTER = 1, ROTATION = 4, SIZE = 13, BOUND = 19, COLOR = 20, PATTERN_COLOR = 23, PATTERN = 26, WRAP = 27,
    PERIOD = 28, AROUND = 29, GLOSS = 30, METAL = 31, GLOW = 32, PART = 33, NUM_COLUMNS = 34
};
enum Wrap { WRAP_FLAT, WRAP_ROUND, WRAP_BALL };
enum Pattern { PLAIN, BANDS, STRIPES, CHECKS, DOTS, ZIGZAGS };

const int MAX_STEPS = 48, SHADOW_STEPS = 14, NUM_SAMPLES = 4, NUM_BALL_DOTS = 26;
const float STEP_SCALE = 0.9f, HIT = 6e-4f, EDGE_CONTRAST = 0.12f;
const float OCCLUSION_REACH = 0.21f, SHADOW_REACH = 1.7f, PENUMBRA = 0.1f;
const float TIE = 1e-3f;  // a face at 45 degrees looks one way all over, where rounding would speckle it
const float SUN_X = -0.42426407f, SUN_Y = -0.56568542f, SUN_Z = 0.70710678f;

const int TILE_WIDTH = 32, TILE_HEIGHT = 16, TILE = TILE_WIDTH * TILE_HEIGHT;  // pixels that a block owns
const int PATCH_WIDTH = 8, PATCH_HEIGHT = 4, PATCH = PATCH_WIDTH * PATCH_HEIGHT;  // pixels that a warp traces at once
const int QUADS = 6;  // a solid in shared memory: so many float4, see `pack`

struct Scene {
    const float* rows;     // [num, NUM_COLUMNS] in global memory, for what is read once a pixel
    const float4* solids;  // [num, QUADS] in shared memory, for what is read at every step
    uint2* near;           // [num] in shared memory, the warp's list: (solid, lanes that want it)
    int num;
    unsigned lane_bit;
};

struct Hit {
    int k;  // -1: none
    float t;
};

struct Sample {
    float3 color;
    int k;
    float z;
};

__device__ __forceinline__ float3 along(float3 p, float3 d, float t) {
    return make_float3(p.x + d.x * t, p.y + d.y * t, p.z + d.z * t);
}

__device__ __forceinline__ float dot3(float3 a, float3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }

__device__ __forceinline__ float length2(float x, float y) { return sqrtf(x * x + y * y); }

__device__ __forceinline__ float length3(float x, float y, float z) { return sqrtf(x * x + y * y + z * z); }

__device__ __forceinline__ float clamp(float x, float low, float high) { return fminf(fmaxf(x, low), high); }

// ---- sdf.py ----

// Write a row as (center, kind), three times (a row of the rotation, a parameter), and 8 parameters but the last.
// The parameters are sizes with everything worked out that does not depend on the point.
// Quad 1 carries the bound in place of a parameter.
__device__ void pack(const float* row, float4* solid) {
    const float* r = row + ROTATION;
    int kind = (int)row[KIND];
    float a = row[SIZE], b = row[SIZE + 1], c = row[SIZE + 2], d = row[SIZE + 3], e = row[SIZE + 4];
    float p0 = a, p1 = b, p2 = c, p3 = d, p4 = e, p5 = 0, p6 = 0, p7 = 0;
    if (kind == ELLIPSOID || kind == DOME || kind == SHELL) {
        p0 = 1.0f / a, p1 = 1.0f / b, p2 = 1.0f / c, p3 = fminf(a, fminf(b, c)), p4 = d;
    } else if (kind == BOX) {
        p0 = a - d, p1 = b - d, p2 = c - d;
    } else if (kind == CONE) {
        p0 = a - d, p1 = fmaxf(b - d, 1e-4f), p2 = fmaxf(c - d, 1e-4f);
        p4 = 1.0f / ((p2 - p1) * (p2 - p1) + 4.0f * p0 * p0);
    } else if (kind == CUP) {
        p4 = 0.5f / a, p5 = 2.0f * a / sqrtf(4.0f * a * a + (c - b) * (c - b));
    } else if (kind == FRUSTUM) {
        p3 = d - b, p4 = e - c, p5 = 0.5f / a;
        p6 = 1.0f / sqrtf(1.0f + p3 * p5 * p3 * p5), p7 = 1.0f / sqrtf(1.0f + p4 * p5 * p4 * p5);
    }
    solid[0] = make_float4(row[CENTER], row[CENTER + 1], row[CENTER + 2], (float)kind);
    solid[1] = make_float4(r[0], r[1], r[2], row[BOUND]);
    solid[2] = make_float4(r[3], r[4], r[5], p0);
    solid[3] = make_float4(r[6], r[7], r[8], p1);
    solid[4] = make_float4(p2, p3, p4, p5);
    solid[5] = make_float4(p6, p7, 0, 0);
}

__device__ __forceinline__ float ellipsoid(float per_a, float per_b, float per_c, float least, float x, float y,
                                           float z) {
    x *= per_a, y *= per_b, z *= per_c;
    float k0 = length3(x, y, z);
    float k1 = length3(x * per_a, y * per_b, z * per_c);
    return k1 < 1e-6f ? -least : k0 * (k0 - 1.0f) / k1;
}

__device__ __forceinline__ float capped_cone(float half_height, float bottom, float top, float per_side2, float r,
                                             float z) {
    float slope = top - bottom;
    float cap_r = r - fminf(r, z < 0.0f ? bottom : top);
    float cap_z = fabsf(z) - half_height;
    float rise = clamp(((top - r) * slope + (half_height - z) * 2.0f * half_height) * per_side2, 0.0f, 1.0f);
    float side_r = r - top + slope * rise;
    float side_z = z - half_height + 2.0f * half_height * rise;
    float distance = sqrtf(fminf(cap_r * cap_r + cap_z * cap_z, side_r * side_r + side_z * side_z));
    return side_r < 0.0f && cap_z < 0.0f ? -distance : distance;
}

__device__ __forceinline__ float arc(float ring, float sine, float cosine, float x, float y, float z) {
    y = fabsf(y);
    float nearest = cosine * y <= sine * x ? length2(x, y) : x * cosine + y * sine;
    return sqrtf(fmaxf(x * x + y * y + z * z + ring * ring - 2.0f * ring * nearest, 0.0f));
}

__device__ __forceinline__ float cup(float half_height, float bottom, float top, float half_wall, float per_height,
                                     float tilt, float r, float z) {
    float rise = clamp((z + half_height) * per_height, 0.0f, 1.0f);
    float side = fabsf((r - bottom - (top - bottom) * rise) * tilt) - half_wall;
    float over = fabsf(z) - half_height;
    float wall = side < 0.0f || over < 0.0f ? fmaxf(side, over) : length2(side, over);
    float floor = fmaxf(r - bottom, fabsf(z + half_height - half_wall) - half_wall);
    return fminf(wall, floor);
}

__device__ float solid_distance(const float4* solid, float3 point) {
    float4 head = solid[0], row0 = solid[1], row1 = solid[2], row2 = solid[3], size = solid[4];
    float wx = point.x - head.x, wy = point.y - head.y, wz = point.z - head.z;
    float x = row0.x * wx + row0.y * wy + row0.z * wz;
    float y = row1.x * wx + row1.y * wy + row1.z * wz;
    float z = row2.x * wx + row2.y * wy + row2.z * wz;
    float p0 = row1.w, p1 = row2.w, p2 = size.x, p3 = size.y, p4 = size.z, p5 = size.w;
    switch ((int)head.w) {
        case BOX: {
            float qx = fabsf(x) - p0, qy = fabsf(y) - p1, qz = fabsf(z) - p2;
            float outside = length3(fmaxf(qx, 0.0f), fmaxf(qy, 0.0f), fmaxf(qz, 0.0f));
            return outside + fminf(fmaxf(qx, fmaxf(qy, qz)), 0.0f) - p3;
        }
        case CONE:
            return capped_cone(p0, p1, p2, p4, length2(x, y), z) - p3;
        case TORUS:
            return arc(p0, p2, p3, x, y, z) - p1;
        case CAPSULE:
            return length3(x, y, z - clamp(z, -p0, p0)) - p1;
        case CUP:
            return cup(p0, p1, p2, p3, p4, p5, length2(x, y), z);
        case FRUSTUM: {
            float4 tilts = solid[5];
            float rise = (z + p0) * p5;
            float side_x = (fabsf(x) - p1 - p3 * rise) * tilts.x, side_y = (fabsf(y) - p2 - p4 * rise) * tilts.y;
            return fmaxf(fmaxf(side_x, side_y), fabsf(z) - p0);
        }
        default: {
            float distance = ellipsoid(p0, p1, p2, p3, x, y, z);
            if ((int)head.w == DOME) return fmaxf(distance, -z);
            if ((int)head.w == SHELL) return fmaxf(fabsf(distance) - p4, z);
            return distance;
        }
    }
}

// ---- shading.py ----

// List the solids that any lane of the warp wants; `wants(offset of the centre from `from`, bound)` is asked for lanes
// that are active. Called by whole warps.
template <typename Wants>
__device__ __forceinline__ int list_near(const Scene& scene, bool active, float3 from, Wants wants) {
    int num_near = 0;
    __syncwarp();
    for (int k = 0; k < scene.num; ++k) {
        float4 head = scene.solids[k * QUADS];
        float bound = scene.solids[k * QUADS + 1].w;
        bool wanted = active && wants(make_float3(head.x - from.x, head.y - from.y, head.z - from.z), bound);
        unsigned lanes = __ballot_sync(ALL_LANES, wanted);
        if (lanes != 0) {
            if (scene.lane_bit == 1) scene.near[num_near] = make_uint2(k, lanes);
            ++num_near;
        }
    }
    __syncwarp();
    return num_near;
}

__device__ __forceinline__ float scene_distance(const Scene& scene, int num_near, float3 point, float limit,
                                                int* index) {
    float nearest = limit;
    *index = -1;
    for (int j = 0; j < num_near; ++j) {
        uint2 entry = scene.near[j];
        if (entry.y & scene.lane_bit) {
            float distance = solid_distance(scene.solids + entry.x * QUADS, point);
            if (distance < nearest) nearest = distance, *index = (int)entry.x;
        }
    }
    return nearest;
}

// From four taps on a tetrahedron.
__device__ float3 normal(const Scene& scene, int k, float3 p) {
    const float e = 0.002f;
    float3 n = make_float3(0.0f, 0.0f, 0.0f);
#pragma unroll 1  // here and below: one copy of solid_distance, for the instruction cache
    for (int tap = 0; tap < 4; ++tap) {
        float3 corner = make_float3(tap % 3 == 0 ? e : -e, tap >= 2 ? e : -e, tap % 2 == 1 ? e : -e);
        n = along(n, corner, solid_distance(scene.solids + k * QUADS, along(p, corner, 1.0f)));
    }
    float scale = rsqrtf(dot3(n, n) + 1e-30f);
    return make_float3(n.x * scale, n.y * scale, n.z * scale);
}

// The share of the sun that is seen from a point. Called by whole warps.
__device__ float sun_seen(const Scene& scene, bool active, float3 p) {
    const float3 sun = make_float3(SUN_X, SUN_Y, SUN_Z);
    int num_near = list_near(scene, active, p, [=](float3 c, float bound) {
        float ahead = dot3(c, sun), reach = bound + PENUMBRA;
        return ahead > -reach && dot3(c, c) - ahead * ahead < reach * reach;
    });
    if (!active || num_near == 0) return 1.0f;
    float seen = 1.0f, t = 0.03f;
    for (int step = 0; step < SHADOW_STEPS; ++step) {
        int index;
        float distance = scene_distance(scene, num_near, along(p, sun, t), 0.25f, &index);
        if (distance < 0.001f) {
            seen = 0.0f;
            break;
        }
        seen = fminf(seen, 10.0f * distance / t);
        t += fmaxf(distance, 0.02f);
        if (t > SHADOW_REACH) break;
    }
    return seen;
}

// Ambient occlusion: 0.25 in a deep corner, 1 in the open. Called by whole warps.
__device__ float open_sky(const Scene& scene, bool active, float3 p, float3 n) {
    int num_near = list_near(scene, active, p, [](float3 c, float bound) {
        float reach = bound + OCCLUSION_REACH;
        return dot3(c, c) < reach * reach;
    });
    if (!active) return 1.0f;
    float hidden = 0.0f, weight = 1.0f;
#pragma unroll 1
    for (int i = 0; i < 3; ++i) {
        int index;
        float h = 0.03f + 0.09f * i;
        hidden += (h - scene_distance(scene, num_near, along(p, n, h), h, &index)) * weight;
        weight *= 0.7f;
    }
    return fmaxf(0.25f, 1.0f - 1.8f * hidden);
}

__device__ float flat_pattern(int pattern, float u, float v) {
    float across = u - floorf(u), up = v - floorf(v);
    if (pattern == BANDS) return up > 0.5f;
    if (pattern == STRIPES) return across > 0.5f;
    if (pattern == CHECKS) return (across > 0.5f) != (up > 0.5f);
    if (pattern == ZIGZAGS) {
        up += fabsf(across - 0.5f);
        return up - floorf(up) > 0.5f;
    }
    u = across - 0.25f, v = up - 0.25f;
    u -= floorf(u + 0.5f), v -= floorf(v + 0.5f);
    return u * u + v * v < 0.085f;
}

__device__ float ball_dots(float x, float y, float z) {
    const float turn_x = -0.73736888f, turn_y = 0.67549029f;  // the golden angle
    float scale = rsqrtf(x * x + y * y + z * z + 1e-12f);
    float closest = -1.0f, dot_x = 1.0f, dot_y = 0.0f;
#pragma unroll 1
    for (int i = 0; i < NUM_BALL_DOTS; ++i) {
        float height = 1.0f - (2.0f * i + 1.0f) / NUM_BALL_DOTS;
        float radius = sqrtf(1.0f - height * height);
        closest = fmaxf(closest, scale * (radius * (dot_x * x + dot_y * y) + height * z));
        float next_x = dot_x * turn_x - dot_y * turn_y;
        dot_y = dot_x * turn_y + dot_y * turn_x;
        dot_x = next_x;
    }
    return closest > 0.955f;
}

__device__ float pattern_weight(const float* row, float3 p, float3 n) {
    int pattern = (int)row[PATTERN];
    if (pattern == PLAIN) return 0.0f;
    float x = p.x - row[CENTER], y = p.y - row[CENTER + 1], z = p.z - row[CENTER + 2];
    int wrap = (int)row[WRAP];
    if (wrap == WRAP_BALL && pattern == DOTS) return ball_dots(x / row[SIZE], y / row[SIZE + 1], z / row[SIZE + 2]);
    float per_length = 1.0f / row[PERIOD];
    float u = x * per_length, v = z * per_length;
    if (wrap != WRAP_FLAT) {
        if (wrap == WRAP_ROUND && fabsf(n.z) > 0.8f) {
            v = y * per_length;
        } else {
            u = atan2f(y, x) * row[AROUND] * 0.15915494f;
        }
    } else if (fabsf(n.z) > fmaxf(fabsf(n.x), fabsf(n.y)) + TIE) {
        v = y * per_length;
    } else if (fabsf(n.x) > fabsf(n.y) + TIE) {
        u = y * per_length;
    }
    return flat_pattern(pattern, u + 0.25f, v + 0.25f);
}

__device__ __forceinline__ float paint(const float* row, int channel, float weight, float metal, float light,
                                       float highlight) {
    float base = row[COLOR + channel] + weight * (row[PATTERN_COLOR + channel] - row[COLOR + channel]);
    float tint = 1.0f + metal * (base - 1.0f);
    return fminf(base * light + highlight * tint, 1.0f);
}

// The colour of solid k at a surface point p seen along the unit direction d; white for k = -1. Called by whole warps.
__device__ float3 shade(const Scene& scene, int k, float3 p, float3 d) {
    bool is_hit = k >= 0;
    float3 n = make_float3(0.0f, 0.0f, 1.0f);
    if (is_hit) n = normal(scene, k, p);
    float sunlight = fmaxf(n.x * SUN_X + n.y * SUN_Y + n.z * SUN_Z, 0.0f);
    float sun = sunlight * sun_seen(scene, is_hit && sunlight > 0.0f, along(p, n, 0.01f));
    float sky_seen = open_sky(scene, is_hit, p, n);
    if (!is_hit) return make_float3(1.0f, 1.0f, 1.0f);

    const float* row = scene.rows + k * NUM_COLUMNS;
    float sky = 0.45f + 0.11f * n.z;
    float bounce = 0.18f * fmaxf(0.1f * n.z - 0.5f * (n.x * SUN_X + n.y * SUN_Y), 0.0f);
    float light = (sky + bounce) * sky_seen + 0.62f * sun + row[GLOW];

    float3 half_way = make_float3(SUN_X - d.x, SUN_Y - d.y, SUN_Z - d.z);
    float facing = fmaxf(dot3(n, half_way), 0.0f) * rsqrtf(dot3(half_way, half_way) + 1e-12f);
    float facing4 = facing * facing * facing * facing, facing16 = facing4 * facing4 * facing4 * facing4;
    float highlight = row[GLOSS] * facing16 * facing16 * fminf(sun * 2.0f, 1.0f);
    float metal = row[METAL];
    if (metal > 0.0f) {
        float band = 0.5f + 0.5f * sinf(5.0f * n.z + 4.0f * n.x - 3.0f * n.y);
        light *= 1.0f + metal * (0.95f * band * band - 0.45f);
    }
    float weight = pattern_weight(row, p, n);
    return make_float3(paint(row, 0, weight, metal, light, highlight), paint(row, 1, weight, metal, light, highlight),
                       paint(row, 2, weight, metal, light, highlight));
}

// ---- tracer.py ----

// The first solid that a ray hits, and where. Called by whole warps.
__device__ Hit march(const Scene& scene, bool active, float3 origin, float3 d) {
    float start = 1e9f, end = 0.0f;
    int num_near = list_near(scene, active, origin, [&](float3 c, float bound) {
        float ahead = dot3(c, d);
        float gap = bound * bound - (dot3(c, c) - ahead * ahead);
        if (gap <= 0.0f) return false;
        float half = sqrtf(gap);
        start = fminf(start, ahead - half), end = fmaxf(end, ahead + half);
        return true;
    });
    Hit none = {-1, 0.0f};
    if (start == 1e9f) return none;
    float t = fmaxf(start, 0.0f), distance = 1e9f;
    int k = -1;
    for (int step = 0; step < MAX_STEPS; ++step) {
        distance = scene_distance(scene, num_near, along(origin, d, t), 1e9f, &k);
        if (distance < HIT * t) break;
        t += STEP_SCALE * distance;
        if (t > end) return none;
    }
    Hit hit = {k, t + distance};
    return distance > 0.02f ? none : hit;
}

// Shade the ray through image point (u, v). Called by whole warps.
__device__ Sample trace_ray(const Scene& scene, bool active, const float* camera, const float* K, float u, float v) {
    float3 origin = make_float3(camera[3], camera[7], camera[11]);
    float cx = (u - K[2]) / K[0], cy = (v - K[5]) / K[4];
    float3 d = make_float3(camera[0] * cx + camera[1] * cy + camera[2], camera[4] * cx + camera[5] * cy + camera[6],
                           camera[8] * cx + camera[9] * cy + camera[10]);
    float scale = rsqrtf(dot3(d, d));
    d = make_float3(d.x * scale, d.y * scale, d.z * scale);
    Hit hit = march(scene, active, origin, d);
    Sample sample = {make_float3(1.0f, 1.0f, 1.0f), hit.k, hit.k < 0 ? 0.0f : hit.t * scale};
    if (__any_sync(ALL_LANES, hit.k >= 0)) sample.color = shade(scene, hit.k, along(origin, d, hit.t), d);
    return sample;
}

// The block's clip in shared memory. `shared` holds QUADS float4 a solid, and a list of uint2 a warp.
__device__ Scene stage(const float* rows, const int* offsets, int clip, float4* shared) {
    Scene scene;
    scene.rows = rows + (long long)offsets[clip] * NUM_COLUMNS;
    scene.num = offsets[clip + 1] - offsets[clip];
    scene.solids = shared;
    scene.near = (uint2*)(shared + scene.num * QUADS) + (threadIdx.x / WARP) * scene.num;
    scene.lane_bit = 1u << (threadIdx.x % WARP);
    for (int k = threadIdx.x; k < scene.num; k += blockDim.x) pack(scene.rows + k * NUM_COLUMNS, shared + k * QUADS);
    __syncthreads();
    return scene;
}

// Pixel i of the block's tile, patch by patch; false outside the image.
__device__ __forceinline__ bool tile_pixel(int i, int height, int width, int* v, int* u) {
    const int across = TILE_WIDTH / PATCH_WIDTH;
    int tiles_across = (width + TILE_WIDTH - 1) / TILE_WIDTH, patch = i / PATCH, place = i % PATCH;
    *u = (blockIdx.x % tiles_across) * TILE_WIDTH + patch % across * PATCH_WIDTH + place % PATCH_WIDTH;
    *v = (blockIdx.x / tiles_across) * TILE_HEIGHT + patch / across * PATCH_HEIGHT + place / PATCH_WIDTH;
    return *u < width && *v < height;
}

extern __shared__ float4 shared_memory[];

// One ray through the centre of each pixel. Grid: (tiles, frames, clips); TILE is a multiple of the block.
// rows [P, NUM_COLUMNS] of all clips, offsets [clips + 1], c2w [clips, frames, 4, 4], K [clips, 3, 3];
// out: shaded [clips, frames, height, width] (colour, solid or -1), depth of the same shape.
extern "C" __global__ void __launch_bounds__(128) trace_centers(
    const float* __restrict__ rows, const int* __restrict__ offsets, const float* __restrict__ c2w,
    const float* __restrict__ K, int num_frames, int height, int width, float4* __restrict__ shaded,
    float* __restrict__ depth) {
    Scene scene = stage(rows, offsets, blockIdx.z, shared_memory);
    long long frame = (long long)blockIdx.z * num_frames + blockIdx.y;
    for (int i = threadIdx.x; i < TILE; i += blockDim.x) {
        int v, u;
        bool is_inside = tile_pixel(i, height, width, &v, &u);
        Sample sample = trace_ray(scene, is_inside, c2w + frame * 16, K + blockIdx.z * 9, u + 0.5f, v + 0.5f);
        if (is_inside) {
            long long pixel = (frame * height + v) * width + u;
            shaded[pixel] = make_float4(sample.color.x, sample.color.y, sample.color.z, (float)sample.k);
            depth[pixel] = sample.z;
        }
    }
}

__device__ bool is_edge(const float4* frame, int height, int width, int v, int u) {
    float4 own = frame[v * width + u];
    for (int side = 0; side < 4; ++side) {
        int row = v + (side == 0) - (side == 1), column = u + (side == 2) - (side == 3);
        if (row < 0 || column < 0 || row >= height || column >= width) continue;
        float4 other = frame[row * width + column];
        if (other.w != own.w) return true;
        if (fabsf(other.x - own.x) + fabsf(other.y - own.y) + fabsf(other.z - own.z) > EDGE_CONTRAST) return true;
    }
    return false;
}

struct Picture {
    unsigned char* rgb;
    float* alpha;
    signed char* part;
};

__device__ void write_pixel(Picture out, long long pixel, const float* rows, float3 color, int k, float alpha) {
    out.rgb[pixel * 3] = (unsigned char)(255.0f * color.x + 0.5f);
    out.rgb[pixel * 3 + 1] = (unsigned char)(255.0f * color.y + 0.5f);
    out.rgb[pixel * 3 + 2] = (unsigned char)(255.0f * color.z + 0.5f);
    out.alpha[pixel] = alpha;
    out.part[pixel] = k < 0 ? -1 : (signed char)rows[k * NUM_COLUMNS + PART];
}

// Finish the pixels of trace_centers: those at edges are traced again, with NUM_SAMPLES rays on a rotated grid.
// Same grid and inputs; depth is replaced at edges, rgb [clips, frames, height, width, 3], alpha and part are written.
extern "C" __global__ void __launch_bounds__(128) sample_edges(
    const float* __restrict__ rows, const int* __restrict__ offsets, const float* __restrict__ c2w,
    const float* __restrict__ K, int num_frames, int height, int width, const float4* __restrict__ shaded,
    float* __restrict__ depth, unsigned char* __restrict__ rgb, float* __restrict__ alpha,
    signed char* __restrict__ part) {
    __shared__ unsigned short edges[TILE];
    __shared__ int num_edges;
    Picture out = {rgb, alpha, part};
    long long frame = (long long)blockIdx.z * num_frames + blockIdx.y, first = frame * height * width;
    if (threadIdx.x == 0) num_edges = 0;
    __syncthreads();
    for (int i = threadIdx.x; i < TILE; i += blockDim.x) {
        int v, u;
        if (!tile_pixel(i, height, width, &v, &u)) continue;
        if (is_edge(shaded + first, height, width, v, u)) {
            edges[atomicAdd(&num_edges, 1)] = (unsigned short)i;
            continue;
        }
        long long pixel = first + v * width + u;
        float4 own = shaded[pixel];
        write_pixel(out, pixel, rows + (long long)offsets[blockIdx.z] * NUM_COLUMNS, make_float3(own.x, own.y, own.z),
                    (int)own.w, own.w >= 0.0f ? 1.0f : 0.0f);
    }
    __syncthreads();
    if (num_edges == 0) return;
    Scene scene = stage(rows, offsets, blockIdx.z, shared_memory);
    int num_items = num_edges * LANES_PER_EDGE;
    for (int base = 0; base < num_items; base += blockDim.x) {
        int item = base + threadIdx.x, v, u;
        bool active = item < num_items;
        tile_pixel(active ? edges[item / LANES_PER_EDGE] : 0, height, width, &v, &u);
        float red = 0.0f, green = 0.0f, blue = 0.0f, covered = 0.0f, nearest_z = 0.0f;
        int nearest_k = -1;
        for (int s = item % LANES_PER_EDGE; s < NUM_SAMPLES; s += LANES_PER_EDGE) {
            float across = 0.125f + 0.25f * ((2 * s + (s >> 1)) & 3), down = 0.125f + 0.25f * s;
            Sample sample = trace_ray(scene, active, c2w + frame * 16, K + blockIdx.z * 9, u + across, v + down);
            red += sample.color.x, green += sample.color.y, blue += sample.color.z;
            if (sample.k < 0) continue;
            covered += 1.0f;
            if (nearest_k < 0 || sample.z < nearest_z) nearest_k = sample.k, nearest_z = sample.z;
        }
        for (int offset = 1; offset < LANES_PER_EDGE; offset *= 2) {
            red += __shfl_xor_sync(ALL_LANES, red, offset);
            green += __shfl_xor_sync(ALL_LANES, green, offset);
            blue += __shfl_xor_sync(ALL_LANES, blue, offset);
            covered += __shfl_xor_sync(ALL_LANES, covered, offset);
            int other_k = __shfl_xor_sync(ALL_LANES, nearest_k, offset);
            float other_z = __shfl_xor_sync(ALL_LANES, nearest_z, offset);
            if (other_k >= 0 && (nearest_k < 0 || other_z < nearest_z)) nearest_k = other_k, nearest_z = other_z;
        }
        if (active && item % LANES_PER_EDGE == 0) {
            long long pixel = first + v * width + u;
            const float share = 1.0f / NUM_SAMPLES;
            write_pixel(out, pixel, scene.rows, make_float3(red * share, green * share, blue * share), nearest_k,
                        covered * share);
            depth[pixel] = nearest_z;
        }
    }
}
