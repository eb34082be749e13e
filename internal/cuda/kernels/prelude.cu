// Shared by all kernels. The sources use only features that C11 and CUDA C++ have in common, so
// that tests can also compile them for the host.
//
// A kernel has one argument k, a struct with the name of the kernel. Each member has eight bytes:
// an address, an i64, a u64 or a double. Blocks and grids have one dimension.
#ifndef KERNEL
#define KERNEL(name, threads) extern "C" __global__ void __launch_bounds__(threads, 2) name(struct name k)
#endif

typedef long long i64;
typedef unsigned long long u64;

#define GLOBAL_INDEX ((i64)blockIdx.x * blockDim.x + threadIdx.x)
#define INF __int_as_float(0x7f800000)
#define FULL_WARP 0xffffffffu // mask of all threads of a warp

// warp_sum and warp_max return the sum and the maximum over the threads of a warp, in each thread.
static __device__ float warp_sum(float v) {
	for (int lane = 16; lane > 0; lane /= 2)
		v += __shfl_xor_sync(FULL_WARP, v, lane);
	return v;
}

static __device__ float max_nan(float a, float b) { return a > b || a != a ? a : b; } // NaN if either is NaN

static __device__ float warp_max(float v) {
	for (int lane = 16; lane > 0; lane /= 2)
		v = max_nan(v, __shfl_xor_sync(FULL_WARP, v, lane));
	return v;
}

// block_sum and block_max return the sum and the maximum over a block, whose size is a multiple of
// the warp size. part has an element for each warp, and may be reused after the next barrier.
static __device__ float block_sum(float v, float *part) {
	int warps = blockDim.x / 32;
	v = warp_sum(v);
	__syncthreads();
	if (threadIdx.x % 32 == 0)
		part[threadIdx.x / 32] = v;
	__syncthreads();
	v = part[0];
	for (int w = 1; w < warps; w++)
		v += part[w];
	return v;
}

static __device__ float block_max(float v, float *part) {
	int warps = blockDim.x / 32;
	v = warp_max(v);
	__syncthreads();
	if (threadIdx.x % 32 == 0)
		part[threadIdx.x / 32] = v;
	__syncthreads();
	v = part[0];
	for (int w = 1; w < warps; w++)
		v = max_nan(v, part[w]);
	return v;
}

// dropout_keeps returns whether dropout keeps element i: it is device.Keep, where limit is
// ⌈p·2⁵³⌉.
static __device__ int dropout_keeps(u64 seed, u64 i, u64 limit) {
	u64 z = seed + (i + 1) * 0x9e3779b97f4a7c15ull;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (z ^ z >> 31) >> 11 >= limit;
}
