// Reductions of x [outer n inner] over the middle axis, which is divided into chunks. The results
// of the chunks are y [chunks outer inner]; another fold_columns reduces them. All sums have a
// fixed order.

// fold adds x to the accumulator of a sum or of a maximum.
static __device__ float fold(int op, float acc, float x) { return op == FOLD_MAX ? max_nan(acc, x) : acc + x; }

// identity returns the initial accumulator.
static __device__ float identity(int op) { return op == FOLD_MAX ? -INF : 0; }

struct fold_columns {
	float *y;
	const float *x, *m; // m [outer inner], for FOLD_EXP
	i64 op, outer, n, inner, chunks;
};

// fold_columns has a block for 32 columns of a chunk, with eight threads for each column.
KERNEL(fold_columns, 256) {
	__shared__ float part[8][32];
	int lane = threadIdx.x % 32, row = threadIdx.x / 32, op = (int)k.op;
	i64 tiles = (k.inner + 31) / 32, block = blockIdx.x;
	i64 column = block % tiles * 32 + lane, outer = block / tiles % k.outer, chunk = block / tiles / k.outer;
	i64 from = chunk * k.n / k.chunks, to = (chunk + 1) * k.n / k.chunks;
	float v = identity(op);
	if (column < k.inner) {
		const float *x = k.x + outer * k.n * k.inner + column;
		float m = op == FOLD_EXP ? k.m[outer * k.inner + column] : 0;
		for (i64 i = from + row; i < to; i += 8)
			v = fold(op, v, op == FOLD_EXP ? expf(x[i * k.inner] - m) : x[i * k.inner]);
	}
	part[row][lane] = v;
	__syncthreads();
	if (row > 0 || column >= k.inner)
		return;
	for (int r = 1; r < 8; r++)
		v = fold(op, v, part[r][lane]);
	k.y[(chunk * k.outer + outer) * k.inner + column] = v;
}

struct fold_rows {
	float *y;
	const float *x, *m; // m [outer], for FOLD_EXP
	i64 op, outer, n, chunks;
};

// fold_rows, for inner = 1, has a warp for each chunk of a row.
KERNEL(fold_rows, 256) {
	i64 warp = GLOBAL_INDEX / 32, row = warp % k.outer, chunk = warp / k.outer;
	int lane = threadIdx.x % 32, op = (int)k.op;
	if (chunk >= k.chunks)
		return;
	i64 from = chunk * k.n / k.chunks, to = (chunk + 1) * k.n / k.chunks;
	float v = identity(op), m = op == FOLD_EXP ? k.m[row] : 0;
	for (i64 i = from + lane; i < to; i += 32)
		v = fold(op, v, op == FOLD_EXP ? expf(k.x[row * k.n + i] - m) : k.x[row * k.n + i]);
	v = op == FOLD_MAX ? warp_max(v) : warp_sum(v);
	if (lane == 0)
		k.y[warp] = v;
}

// log_sum writes y = m + ln s, and −Inf where m is −Inf.
struct log_sum { float *y; const float *m, *s; i64 n; };
KERNEL(log_sum, 256) {
	i64 i = GLOBAL_INDEX;
	if (i < k.n)
		k.y[i] = k.m[i] == -INF ? -INF : k.m[i] + logf(k.s[i]);
}

// block_double returns the sum over a block in its first thread, and 0 in the others.
static __device__ double block_double(double v, double *part) {
	part[threadIdx.x] = v;
	for (int half = blockDim.x / 2; half > 0; half /= 2) {
		__syncthreads();
		if (threadIdx.x < half)
			part[threadIdx.x] += part[threadIdx.x + half];
	}
	return threadIdx.x == 0 ? part[0] : 0;
}

// dot has a block for each chunk of two vectors. dot_finish has one block, which adds the results.
struct dot { double *y; const float *a, *b; i64 n, chunks; };
KERNEL(dot, 256) {
	__shared__ double part[256];
	i64 from = blockIdx.x * k.n / k.chunks, to = (blockIdx.x + 1) * k.n / k.chunks;
	double v = 0;
	for (i64 i = from + threadIdx.x; i < to; i += blockDim.x)
		v += (double)k.a[i] * k.b[i];
	v = block_double(v, part);
	if (threadIdx.x == 0)
		k.y[blockIdx.x] = v;
}

struct dot_finish { float *y; const double *x; i64 n; };
KERNEL(dot_finish, 256) {
	__shared__ double part[256];
	double v = 0;
	for (i64 i = threadIdx.x; i < k.n; i += blockDim.x)
		v += k.x[i];
	v = block_double(v, part);
	if (threadIdx.x == 0)
		*k.y = (float)v;
}
