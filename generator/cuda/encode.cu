// From a trace to the five channels of a training clip, as data.make_clip does on the CPU: alpha and depth as bytes,
// and behind the subject the depth of its nearest pixel, by exact distances, columns first and then rows (Felzenszwalb
// and Huttenlocher, https://doi.org/10.4086/toc.2012.v008a019). Of pixels equally near, scipy may choose another.
//
// Built by NVRTC (no includes), and by g++ for the tests (tests/cuda_twin.cpp).

// The covered row nearest to each pixel in its own column, -1 if there is none. alpha, nearest [frames, height, width].
extern "C" __global__ void nearest_rows(const float* __restrict__ alpha, int num_frames, int height, int width,
                                        short* __restrict__ nearest) {
    long long num = (long long)num_frames * width, stride = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < num; i += stride) {
        long long column = i / width * height * width + i % width;
        int above = -1, below = -1;
        for (int v = 0; v < height; ++v) {
            if (alpha[column + v * width] > 0.0f) above = v;
            nearest[column + v * width] = (short)above;
        }
        for (int v = height - 1; v >= 0; --v) {
            if (alpha[column + v * width] > 0.0f) below = v;
            above = nearest[column + v * width];
            if (below >= 0 && (above < 0 || below - v < v - above)) nearest[column + v * width] = (short)below;
        }
    }
}

// clips [frames, height, width, 5] of rgb, alpha, depth, and nearest_rows' result; radius [frames].
extern "C" __global__ void encode(const unsigned char* __restrict__ rgb, const float* __restrict__ alpha,
                                  const float* __restrict__ depth, const short* __restrict__ nearest,
                                  const float* __restrict__ radius, int num_frames, int height, int width,
                                  unsigned char* __restrict__ clips) {
    long long num = (long long)num_frames * height * width, stride = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < num; i += stride) {
        int u = (int)(i % width), v = (int)(i / width % height);
        long long row = i - u, frame = row - (long long)v * width, source = -1;
        int least = 2147483647;
        for (int reach = 0; reach < width && reach * reach < least; ++reach) {
            for (int side = -1; side <= 1; side += 2) {
                int column = u + side * reach;
                if (column < 0 || column >= width) continue;
                int other = nearest[row + column];
                int distance = reach * reach + (other - v) * (other - v);
                if (other >= 0 && distance < least) least = distance, source = frame + (long long)other * width + column;
            }
        }
        float code = 0.5f;
        if (source >= 0) code = fminf(fmaxf((depth[source] - radius[i / width / height]) * 0.5f + 0.5f, 0.0f), 1.0f);
        for (int channel = 0; channel < 3; ++channel) clips[i * 5 + channel] = rgb[i * 3 + channel];
        clips[i * 5 + 3] = (unsigned char)rintf(alpha[i] * 255.0f);
        clips[i * 5 + 4] = (unsigned char)rintf(code * 255.0f);
    }
}
