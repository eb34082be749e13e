// What all kernels share. The sources keep to what C11 and CUDA C++ have in common, so that tests can compile them for the host too.
//
// A kernel has one argument, a struct k of its own name whose members have eight bytes each: addresses, whole numbers, numbers. Blocks and
// grids have one dimension.
#ifndef KERNEL
#define KERNEL(name, threads) extern "C" __global__ void __launch_bounds__(threads, 2) name(struct name k)
#endif

typedef long long whole;
typedef unsigned long long bits;

#define ITEM ((whole)blockIdx.x * blockDim.x + threadIdx.x)
#define INF __int_as_float(0x7f800000)
#define EVERY 0xffffffffu // the threads of a warp

// sum_of and max_of combine the numbers of a warp's threads; each thread gets the result.
static __device__ float sum_of(float v) {
	for (int lane = 16; lane > 0; lane /= 2)
		v += __shfl_xor_sync(EVERY, v, lane);
	return v;
}

static __device__ float larger(float a, float b) { return a > b || a != a ? a : b; } // NaN where either is

static __device__ float max_of(float v) {
	for (int lane = 16; lane > 0; lane /= 2)
		v = larger(v, __shfl_xor_sync(EVERY, v, lane));
	return v;
}

// block_sum and block_max do so for a block of whole warps. part has a place for each warp; it is free again at the next barrier.
static __device__ float block_sum(float v, float *part) {
	int warps = blockDim.x / 32;
	v = sum_of(v);
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
	v = max_of(v);
	__syncthreads();
	if (threadIdx.x % 32 == 0)
		part[threadIdx.x / 32] = v;
	__syncthreads();
	v = part[0];
	for (int w = 1; w < warps; w++)
		v = larger(v, part[w]);
	return v;
}

// keeps tells whether element i survives a dropout: device.Keep, with ⌈p·2⁵³⌉ for p.
static __device__ int keeps(bits seed, bits i, bits limit) {
	bits z = seed + (i + 1) * 0x9e3779b97f4a7c15ull;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (z ^ z >> 31) >> 11 >= limit;
}
