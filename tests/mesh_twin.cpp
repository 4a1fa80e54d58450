// The kernels of generator/cuda/mesh.cu on the CPU, one thread after the other: they share nothing but atomics.
// The caller (test_generator_mesh.py) names a kernel's launch function and gives its grid, block and arguments.

#include <algorithm>
#include <cmath>
#include <cstring>

#define __device__
#define __global__
#define __forceinline__ inline

using std::max;
using std::min;

struct Index { int x, y, z; };

extern "C" { Index blockIdx = {0, 0, 0}, gridDim = {1, 1, 1}, blockDim = {1, 1, 1}, threadIdx = {0, 0, 0}; }

static inline int __float_as_int(float x) { int bits; memcpy(&bits, &x, 4); return bits; }
static inline float __int_as_float(int bits) { float x; memcpy(&x, &bits, 4); return x; }
template <typename Value> static inline void atomicMin(Value* kept, Value value) { *kept = min(*kept, value); }
template <typename Value> static inline void atomicMax(Value* kept, Value value) { *kept = max(*kept, value); }

#include "../generator/cuda/mesh.cu"

#define LAUNCH(kernel, parameters, arguments)                                             \
    extern "C" void launch_##kernel parameters {                                          \
        for (blockIdx.z = 0; blockIdx.z < gridDim.z; blockIdx.z++)                        \
            for (blockIdx.y = 0; blockIdx.y < gridDim.y; blockIdx.y++)                    \
                for (blockIdx.x = 0; blockIdx.x < gridDim.x; blockIdx.x++)                \
                    for (threadIdx.x = 0; threadIdx.x < blockDim.x; threadIdx.x++) kernel arguments; \
    }

LAUNCH(mesh_field, (const float* a, const int* b, float* c), (a, b, c))
LAUNCH(mesh_sun_map, (const float* a, const int* b, float* c), (a, b, c))
LAUNCH(
    mesh_depth, (const float* a, const int* b, const float* c, const float* d, int e, int f, unsigned long long* g),
    (a, b, c, d, e, f, g)
)
LAUNCH(
    mesh_shade,
    (const float* a, const signed char* b, const unsigned char* c, const int* d, const float* e, const float* f,
     const float* g, const float* h, int i, int j, const unsigned long long* k, unsigned char* l, float* m, float* n,
     signed char* o),
    (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o)
)
