// Reductions of x [outer n inner] over the middle axis. It is cut into chunks; each chunk's result goes to y [chunks outer inner], which
// fold_columns then folds over the chunks. All orders are fixed.

// fold adds a number to what is folded so far: a sum, a maximum, or a sum of e^(x − m).
static __device__ float fold(int op, float so_far, float x) { return op == FOLD_MAX ? larger(so_far, x) : so_far + x; }

static __device__ float nothing(int op) { return op == FOLD_MAX ? -INF : 0; }

struct fold_columns {
	float *y;
	const float *x, *m; // m [outer inner], for FOLD_EXP
	whole op, outer, n, inner, chunks;
};

// fold_columns has a block for each chunk of 32 columns: eight threads a column.
KERNEL(fold_columns, 256) {
	__shared__ float part[8][32];
	int lane = threadIdx.x % 32, row = threadIdx.x / 32, op = (int)k.op;
	whole tiles = (k.inner + 31) / 32, block = blockIdx.x;
	whole column = block % tiles * 32 + lane, outer = block / tiles % k.outer, chunk = block / tiles / k.outer;
	whole from = chunk * k.n / k.chunks, to = (chunk + 1) * k.n / k.chunks;
	float v = nothing(op);
	if (column < k.inner) {
		const float *x = k.x + outer * k.n * k.inner + column;
		float m = op == FOLD_EXP ? k.m[outer * k.inner + column] : 0;
		for (whole i = from + row; i < to; i += 8)
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
	whole op, outer, n, chunks;
};

// fold_rows, for inner = 1, has a warp for each chunk of a row.
KERNEL(fold_rows, 256) {
	whole warp = ITEM / 32, row = warp % k.outer, chunk = warp / k.outer;
	int lane = threadIdx.x % 32, op = (int)k.op;
	if (chunk >= k.chunks)
		return;
	whole from = chunk * k.n / k.chunks, to = (chunk + 1) * k.n / k.chunks;
	float v = nothing(op), m = op == FOLD_EXP ? k.m[row] : 0;
	for (whole i = from + lane; i < to; i += 32)
		v = fold(op, v, op == FOLD_EXP ? expf(k.x[row * k.n + i] - m) : k.x[row * k.n + i]);
	v = op == FOLD_MAX ? max_of(v) : sum_of(v);
	if (lane == 0)
		k.y[warp] = v;
}

// log_sum writes y = m + ln s, −Inf where m is.
struct log_sum { float *y; const float *m, *s; whole n; };
KERNEL(log_sum, 256) {
	whole i = ITEM;
	if (i < k.n)
		k.y[i] = k.m[i] == -INF ? -INF : k.m[i] + logf(k.s[i]);
}

// block_double sums the numbers of a block's threads; the first thread gets the result.
static __device__ double block_double(double v, double *part) {
	part[threadIdx.x] = v;
	for (int half = blockDim.x / 2; half > 0; half /= 2) {
		__syncthreads();
		if (threadIdx.x < half)
			part[threadIdx.x] += part[threadIdx.x + half];
	}
	return threadIdx.x == 0 ? part[0] : 0;
}

// dot has a block for each chunk of two vectors, dot_end one for the sum of the chunks.
struct dot { double *y; const float *a, *b; whole n, chunks; };
KERNEL(dot, 256) {
	__shared__ double part[256];
	whole from = blockIdx.x * k.n / k.chunks, to = (blockIdx.x + 1) * k.n / k.chunks;
	double v = 0;
	for (whole i = from + threadIdx.x; i < to; i += blockDim.x)
		v += (double)k.a[i] * k.b[i];
	v = block_double(v, part);
	if (threadIdx.x == 0)
		k.y[blockIdx.x] = v;
}

struct dot_end { float *y; const double *x; whole n; };
KERNEL(dot_end, 256) {
	__shared__ double part[256];
	double v = 0;
	for (whole i = threadIdx.x; i < k.n; i += blockDim.x)
		v += k.x[i];
	v = block_double(v, part);
	if (threadIdx.x == 0)
		*k.y = (float)v;
}
