// The kernels of generator/cuda on the CPU: one thread a block and one lane a warp, so that every barrier is passed at
// once and every vote is one's own. The caller (test_generator_cuda.py) sets blockIdx and gridDim and calls a kernel.

#include <cmath>
#include <cstdlib>

#define __device__
#define __global__
#define __shared__
#define __forceinline__ inline
#define __launch_bounds__(threads)
#define LANES_PER_EDGE 1
#define WARP 1

struct Index { int x, y, z; };
struct uint2 { unsigned x, y; };
struct float3 { float x, y, z; };
struct alignas(16) float4 { float x, y, z, w; };

extern "C" { Index blockIdx = {0, 0, 0}, gridDim = {1, 1, 1}, blockDim = {1, 1, 1}, threadIdx = {0, 0, 0}; }

static inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
static inline float3 make_float3(float x, float y, float z) { return {x, y, z}; }
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
static inline void __syncthreads() {}
static inline void __syncwarp() {}
static inline unsigned __ballot_sync(unsigned, bool vote) { return vote; }
static inline bool __any_sync(unsigned, bool vote) { return vote; }
template <typename Value> static inline Value __shfl_xor_sync(unsigned, Value, int) { abort(); }
static inline int atomicAdd(int* sum, int value) { int old = *sum; *sum += value; return old; }

#include "../generator/cuda/tracer.cu"
#include "../generator/cuda/encode.cu"

float4 shared_memory[255 * (QUADS + 1)];
