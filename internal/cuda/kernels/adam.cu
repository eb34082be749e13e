// An adam_tensor is a parameter with its gradient, its moments and the constants of the step.
struct adam_tensor {
	float *p;
	const float *g;
	float *m, *v;
	i64 n, first; // number of elements, and first block; a block has ADAM_BLOCK elements
	double beta1, rest1, beta2, rest2, eps, keep, decay, step, scale;
};

// adam_element updates element i with gradient g.
static __device__ void adam_element(const struct adam_tensor *t, i64 i, float g) {
	float p = t->p[i];
	g += (float)t->decay * p;
	float m = (float)t->beta1 * t->m[i] + (float)t->rest1 * g;
	float v = (float)t->beta2 * t->v[i] + (float)t->rest2 * g * g;
	t->m[i] = m;
	t->v[i] = v;
	t->p[i] = (float)t->keep * p - (float)t->step * m / (sqrtf(v * (float)t->scale) + (float)t->eps);
}

// adam updates several tensors. Each block finds its tensor by binary search.
struct adam { const struct adam_tensor *tensors; i64 count; };
KERNEL(adam, 256) {
	i64 low = 0, high = k.count;
	while (high - low > 1) {
		i64 middle = (low + high) / 2;
		if (k.tensors[middle].first <= blockIdx.x)
			low = middle;
		else
			high = middle;
	}
	const struct adam_tensor *t = k.tensors + low;
	i64 from = (blockIdx.x - t->first) * ADAM_BLOCK, to = min(from + ADAM_BLOCK, t->n);
	for (i64 i = from + threadIdx.x; i < to; i += blockDim.x)
		adam_element(t, i, t->g[i]);
}

// adam_rows updates row index[i] of a tensor with row i of the gradient.
struct adam_rows { const struct adam_tensor *tensor; const int *index; i64 n, width; };
KERNEL(adam_rows, 256) {
	i64 i = GLOBAL_INDEX;
	if (i < k.n)
		adam_element(k.tensor, k.index[i / k.width] * k.width + i % k.width, k.tensor->g[i]);
}

// In the compact form, v of a tensor has the means of the rows, and row i of the gradient is that of
// row index[i], or of row i if there is no index.
static __device__ i64 adam_row(const int *index, i64 i) { return index ? index[i] : i; }

// adam_gradient returns the gradient g of element i with the weight decay.
static __device__ float adam_gradient(const struct adam_tensor *t, i64 i, float g) {
	return g + (float)t->decay * t->p[i];
}

// adam_columns writes Σ g² of the columns for each chunk of rows, [chunks columns]. It has a block
// for 32 columns of a chunk, with eight threads for each column.
struct adam_columns { const struct adam_tensor *tensor; const int *index; float *sums; i64 rows, columns, chunks; };
KERNEL(adam_columns, 256) {
	__shared__ float part[8][32];
	int lane = threadIdx.x % 32, first_row = threadIdx.x / 32;
	i64 tiles = (k.columns + 31) / 32, column = blockIdx.x % tiles * 32 + lane, chunk = blockIdx.x / tiles;
	i64 from = chunk * k.rows / k.chunks, to = (chunk + 1) * k.rows / k.chunks;
	float sum = 0;
	for (i64 i = from + first_row; column < k.columns && i < to; i += 8) {
		i64 at = adam_row(k.index, i) * k.columns + column;
		float g = adam_gradient(k.tensor, at, k.tensor->g[i * k.columns + column]);
		sum += g * g;
	}
	part[first_row][lane] = sum;
	__syncthreads();
	if (first_row > 0 || column >= k.columns)
		return;
	for (int r = 1; r < 8; r++)
		sum += part[r][lane];
	k.sums[chunk * k.columns + column] = sum;
}

// adam_mean updates the running means of the columns by their sums, and writes the mean of the
// means. It has one block.
struct adam_mean { const struct adam_tensor *tensor; float *column, *mean; const float *sums; i64 rows, columns; };
KERNEL(adam_mean, 256) {
	__shared__ float part[8];
	float total = 0;
	for (i64 j = threadIdx.x; j < k.columns; j += blockDim.x) {
		float c = (float)k.tensor->beta2 * k.column[j] + (float)k.tensor->rest2 * k.sums[j] / k.rows;
		k.column[j] = c;
		total += c;
	}
	total = block_sum(total, part);
	if (threadIdx.x == 0)
		*k.mean = total / k.columns;
}

// bfloat16 returns the bits of x rounded to its first 16 bits, to even if it is halfway.
static __device__ unsigned bfloat16(float x) {
	unsigned bits = (unsigned)__float_as_int(x);
	return (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
}

// adam_compact_element updates element i of p, whose v is given, and returns the bits of the new m.
static __device__ unsigned adam_compact_element(const struct adam_tensor *t, i64 i, float g, unsigned bits, float v) {
	float p = t->p[i];
	float m = (float)t->beta1 * __int_as_float((int)bits) + (float)t->rest1 * adam_gradient(t, i, g);
	t->p[i] = (float)t->keep * p - (float)t->step * m / (sqrtf(v) + (float)t->eps);
	return bfloat16(m);
}

// adam_compact has a block for each row of the gradient. It updates the row's mean and then its
// elements, two at a time, as they are in m.
struct adam_compact { const struct adam_tensor *tensor; const int *index; const float *column, *mean; i64 columns; };
KERNEL(adam_compact, 256) {
	__shared__ float part[8];
	const struct adam_tensor *t = k.tensor;
	i64 half = k.columns / 2, row = adam_row(k.index, blockIdx.x), start = row * k.columns;
	const float *g = t->g + blockIdx.x * k.columns;
	float *m = t->m + row * (k.columns - half), r = t->v[row], sum = 0;
	for (i64 j = threadIdx.x; j < k.columns; j += blockDim.x) {
		float d = adam_gradient(t, start + j, g[j]);
		sum += d * d;
	}
	r = (float)t->beta2 * r + (float)t->rest2 * block_sum(sum, part) / k.columns;
	if (threadIdx.x == 0)
		t->v[row] = r;
	float scale = *k.mean == 0 ? 0 : r / *k.mean * (float)t->scale;
	for (i64 j = threadIdx.x; j < k.columns - half; j += blockDim.x) {
		i64 low = j < half ? j : 2 * half, high = half + j;
		unsigned pair = (unsigned)__float_as_int(m[j]);
		unsigned bits = adam_compact_element(t, start + low, g[low], pair << 16, scale * k.column[low]) >> 16;
		if (j < half)
			bits |= adam_compact_element(t, start + high, g[high], pair & 0xffff0000u, scale * k.column[high]);
		m[j] = __int_as_float((int)bits);
	}
}
