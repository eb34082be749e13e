// Fused multi-head attention for heads of WIDTH columns, in tiles: no matrix of queries × keys is
// ever in memory. attention.go defines WIDTH, ROWS and TILE.
//
// A block of 16 × 16 threads processes ROWS queries and COLUMNS keys of one head of one sample.
// Thread (ty, tx) processes the queries ty, ty+16, …, the keys tx, tx+16, … and four columns of
// the results, from 4·tx on. The kernels read heads in slices of SLICE columns. In shared memory
// each row of a slice is padded by four numbers, so that neighbouring rows are in different banks.
// Elements outside a matrix are read as 0.

#define PADDED ((WIDTH + 3) / 4 * 4)
#define SLICE (PADDED < 64 ? PADDED : 64)
#define SLICES ((PADDED + 63) / 64)
#define STEP (SLICE + 4)

// The arguments of a call: queries [samples queries heads·WIDTH], keys and values [samples keys
// heads·WIDTH].
struct heads {
	const float *mask; // [samples keys], 0 excludes; NULL excludes none
	const u64 *seed;  // of dropout
	i64 samples, heads, queries, keys, causal;
	u64 limit; // of dropout: see dropout_keeps; 0 disables
	double scale, keep_scale; // keep_scale is 1/(1−p)
};

struct attention { struct heads a; float *out, *lse; const float *q, *k, *v; };
struct attention_delta { struct heads a; float *delta; const float *g, *out; };
struct attention_grad_keys { struct heads a; float *dk, *dv; const float *g, *delta, *lse, *q, *k, *v; };
struct attention_grad_queries { struct heads a; float *dq; const float *g, *delta, *lse, *q, *k, *v; };

// load copies a slice of rows of one head to shared memory [rows STEP], starting at row first of
// total.
static __device__ void load(float *to, const float *x, i64 sample, i64 head, i64 heads, i64 first, i64 total, int rows, int slice) {
	for (int e = threadIdx.x; e < rows * SLICE; e += 256) {
		int r = e / SLICE, c = e % SLICE, column = slice * 64 + c;
		to[r * STEP + c] = first + r < total && column < WIDTH ? x[((sample * total + first + r) * heads + head) * WIDTH + column] : 0;
	}
}

// inner adds to sum[r][c] the inner product of row ty + 16·r of x and row tx + 16·c of y over a
// slice, in shared memory.
static __device__ void inner(float (*sum)[2], const float *x, const float *y, int rows) {
	x += threadIdx.x / 16 * STEP;
	y += threadIdx.x % 16 * STEP;
#pragma unroll 2
	for (int i = 0; i < SLICE; i += 4) {
		float4 left = *(const float4 *)(y + i), right = *(const float4 *)(y + 16 * STEP + i);
#pragma unroll
		for (int r = 0; r < rows; r++) {
			float4 v = *(const float4 *)(x + 16 * r * STEP + i);
			sum[r][0] += v.x * left.x + v.y * left.y + v.z * left.z + v.w * left.w;
			sum[r][1] += v.x * right.x + v.y * right.y + v.z * right.z + v.w * right.w;
		}
	}
}

// excluded returns whether key j is excluded for query i.
static __device__ int excluded(const struct heads *a, i64 sample, i64 i, i64 j) {
	i64 offset = a->keys > a->queries ? a->keys - a->queries : a->queries - a->keys;
	return j >= a->keys || i >= a->queries || (a->mask && a->mask[sample * a->keys + j] == 0) || (a->causal && j > i + offset);
}

// apply_dropout applies dropout to the weight of query i and key j, or to its gradient.
static __device__ float apply_dropout(const struct heads *a, i64 unit, i64 i, i64 j, float w) {
	if (a->limit == 0)
		return w;
	return dropout_keeps(*a->seed, (u64)((unit * a->queries + i) * a->keys + j), a->limit) ? w * (float)a->keep_scale : 0;
}

// max16 and sum16 return the maximum and the sum over the 16 threads with the same ty.
static __device__ float max16(float v) {
	for (int lane = 8; lane > 0; lane /= 2)
		v = max_nan(v, __shfl_xor_sync(FULL_WARP, v, lane));
	return v;
}

static __device__ float sum16(float v) {
	for (int lane = 8; lane > 0; lane /= 2)
		v += __shfl_xor_sync(FULL_WARP, v, lane);
	return v;
}

// add_weighted adds Σ_e w[ty + 16·r][e]·x[e] to sum[r][slice], for four columns from 4·tx on. w
// and x are in shared memory, and the rows of w are stride apart. e goes from 0 to count.
static __device__ void add_weighted(float (*sum)[SLICES][4], int slice, int rows, const float *w, int stride, const float *x, int count) {
	w += threadIdx.x / 16 * stride;
	x += 4 * (threadIdx.x % 16);
	if (4 * (threadIdx.x % 16) >= SLICE)
		return;
#pragma unroll 2
	for (int e = 0; e < count; e += 4) {
		float4 v[4];
#pragma unroll
		for (int d = 0; d < 4; d++)
			v[d] = *(const float4 *)(x + (e + d) * STEP);
#pragma unroll
		for (int r = 0; r < rows; r++) {
			float4 p = *(const float4 *)(w + 16 * r * stride + e);
			sum[r][slice][0] += p.x * v[0].x + p.y * v[1].x + p.z * v[2].x + p.w * v[3].x;
			sum[r][slice][1] += p.x * v[0].y + p.y * v[1].y + p.z * v[2].y + p.w * v[3].y;
			sum[r][slice][2] += p.x * v[0].z + p.y * v[1].z + p.z * v[2].z + p.w * v[3].z;
			sum[r][slice][3] += p.x * v[0].w + p.y * v[1].w + p.z * v[2].w + p.w * v[3].w;
		}
	}
}

// store writes the columns of a thread in one row, multiplied by scale.
static __device__ void store(float *y, const float *sum, i64 sample, i64 head, i64 heads, i64 row, i64 total, int slice, int column, float scale) {
	if (row >= total || column >= SLICE)
		return;
	for (int c = 0; c < 4; c++)
		if (slice * 64 + column + c < WIDTH)
			y[((sample * total + row) * heads + head) * WIDTH + slice * 64 + column + c] = sum[c] * scale;
}

// Forward.
#define ROWS_PER_THREAD (ROWS / 16)
#define COLUMNS 32

// attention computes the softmax online: m is the largest score so far and l the sum of e^(score −
// m). When m grows, the sums so far are rescaled.
KERNEL(attention, 256) {
	__shared__ __align__(16) float qs[ROWS * STEP], ks[COLUMNS * STEP], vs[COLUMNS * STEP], ps[ROWS * (COLUMNS + 4)];
	int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
	i64 tiles = (k.a.queries + ROWS - 1) / ROWS, unit = blockIdx.x / tiles, first = blockIdx.x % tiles * ROWS;
	i64 sample = unit / k.a.heads, head = unit % k.a.heads;
	float sum[ROWS_PER_THREAD][SLICES][4], m[ROWS_PER_THREAD], l[ROWS_PER_THREAD];
	for (int r = 0; r < ROWS_PER_THREAD; r++) {
		m[r] = -INF;
		l[r] = 0;
		for (int s = 0; s < SLICES; s++)
			for (int c = 0; c < 4; c++)
				sum[r][s][c] = 0;
	}
	for (i64 j0 = 0; j0 < k.a.keys; j0 += COLUMNS) {
		float score[ROWS_PER_THREAD][2];
		for (int r = 0; r < ROWS_PER_THREAD; r++)
			score[r][0] = score[r][1] = 0;
#pragma unroll
		for (int s = 0; s < SLICES; s++) {
			__syncthreads();
			if (SLICES > 1 || j0 == 0)
				load(qs, k.q, sample, head, k.a.heads, first, k.a.queries, ROWS, s);
			load(ks, k.k, sample, head, k.a.heads, j0, k.a.keys, COLUMNS, s);
			if (SLICES == 1)
				load(vs, k.v, sample, head, k.a.heads, j0, k.a.keys, COLUMNS, s);
			__syncthreads();
			inner(score, qs, ks, ROWS_PER_THREAD);
		}
		for (int r = 0; r < ROWS_PER_THREAD; r++) {
			i64 i = first + ty + 16 * r;
			float new_max = m[r], rescale, total = 0;
			for (int c = 0; c < 2; c++) {
				score[r][c] = excluded(&k.a, sample, i, j0 + tx + 16 * c) ? -INF : score[r][c] * (float)k.a.scale;
				new_max = max_nan(new_max, score[r][c]);
			}
			new_max = max16(new_max);
			rescale = new_max == -INF ? 1 : expf(m[r] - new_max);
			m[r] = new_max;
			for (int c = 0; c < 2; c++) {
				float p = new_max == -INF ? 0 : expf(score[r][c] - new_max);
				total += p;
				ps[(ty + 16 * r) * (COLUMNS + 4) + tx + 16 * c] = apply_dropout(&k.a, unit, i, j0 + tx + 16 * c, p);
			}
			l[r] = l[r] * rescale + sum16(total);
			for (int s = 0; s < SLICES; s++)
				for (int c = 0; c < 4; c++)
					sum[r][s][c] *= rescale;
		}
#pragma unroll
		for (int s = 0; s < SLICES; s++) {
			__syncthreads();
			if (SLICES > 1) {
				load(vs, k.v, sample, head, k.a.heads, j0, k.a.keys, COLUMNS, s);
				__syncthreads();
			}
			add_weighted(sum, s, ROWS_PER_THREAD, ps, COLUMNS + 4, vs, COLUMNS);
		}
	}
	for (int r = 0; r < ROWS_PER_THREAD; r++) {
		i64 i = first + ty + 16 * r;
		for (int s = 0; s < SLICES; s++)
			store(k.out, sum[r][s], sample, head, k.a.heads, i, k.a.queries, s, 4 * tx, l[r] > 0 ? 1 / l[r] : 0);
		if (tx == 0 && i < k.a.queries)
			k.lse[unit * k.a.queries + i] = m[r] + logf(l[r]);
	}
}

// attention_delta writes Σ Ō⊙O of each query, [samples heads queries]. It has a warp for each
// query.
KERNEL(attention_delta, 256) {
	i64 e = GLOBAL_INDEX / 32, i = e % k.a.queries, unit = e / k.a.queries, sample = unit / k.a.heads, head = unit % k.a.heads;
	if (sample >= k.a.samples)
		return;
	i64 row = ((sample * k.a.queries + i) * k.a.heads + head) * WIDTH;
	float v = 0;
	for (int c = threadIdx.x % 32; c < WIDTH; c += 32)
		v += k.g[row + c] * k.out[row + c];
	v = warp_sum(v);
	if (threadIdx.x % 32 == 0)
		k.delta[e] = v;
}

// Backward: a block has TILE queries and TILE keys, a thread two of each.
#define WEIGHTS (TILE + 4)

// A tile is the shared memory of a block of the backward pass: slices of the queries q, keys k,
// values v and output gradients g, the weights p = D(P), and ds = S̄ = P ⊙ (D(Ō Vᵀ) − Σ Ō⊙O).
struct tile { float q[TILE * STEP], k[TILE * STEP], v[TILE * STEP], g[TILE * STEP], p[TILE * WEIGHTS], ds[TILE * WEIGHTS]; };

// A position is the position of a tile: the head, the first query and the first key.
struct position { i64 unit, sample, head, i, j; };

static __device__ void load_queries(struct tile *t, const struct heads *a, const struct position *at, const float *q, const float *g, int slice) {
	load(t->q, q, at->sample, at->head, a->heads, at->i, a->queries, TILE, slice);
	load(t->g, g, at->sample, at->head, a->heads, at->i, a->queries, TILE, slice);
}

static __device__ void load_keys(struct tile *t, const struct heads *a, const struct position *at, const float *k, const float *v, int slice) {
	load(t->k, k, at->sample, at->head, a->heads, at->j, a->keys, TILE, slice);
	load(t->v, v, at->sample, at->head, a->heads, at->j, a->keys, TILE, slice);
}

// compute_weights writes t->p and t->ds, given the scores and the gradients of the weights. The
// rows are keys if keys is not 0, else queries.
static __device__ void compute_weights(struct tile *t, const struct heads *a, const struct position *at, float score[2][2], float grad[2][2], const float *lse,
	const float *delta, int keys) {
	int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
	for (int r = 0; r < 2; r++)
		for (int c = 0; c < 2; c++) {
			int row = ty + 16 * r, column = tx + 16 * c;
			i64 i = at->i + row, j = at->j + column, q = at->unit * a->queries + i;
			float p = 0, ds = 0;
			if (!excluded(a, at->sample, i, j) && lse[q] != -INF) {
				p = expf(score[r][c] * (float)a->scale - lse[q]);
				ds = p * (apply_dropout(a, at->unit, i, j, grad[r][c]) - delta[q]);
				p = apply_dropout(a, at->unit, i, j, p);
			}
			t->p[keys ? column * WEIGHTS + row : row * WEIGHTS + column] = p;
			t->ds[keys ? column * WEIGHTS + row : row * WEIGHTS + column] = ds;
		}
}

// attention_grad_keys has a block for TILE keys and iterates over the queries: V̄ = D(P)ᵀ Ō, K̄ =
// scale·S̄ᵀ Q.
KERNEL(attention_grad_keys, 256) {
	__shared__ __align__(16) struct tile t;
	int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
	i64 tiles = (k.a.keys + TILE - 1) / TILE, unit = blockIdx.x / tiles;
	struct position at = {unit, unit / k.a.heads, unit % k.a.heads, 0, blockIdx.x % tiles * TILE};
	float dk[2][SLICES][4], dv[2][SLICES][4];
	for (int r = 0; r < 2; r++)
		for (int s = 0; s < SLICES; s++)
			for (int c = 0; c < 4; c++)
				dk[r][s][c] = dv[r][s][c] = 0;
	for (at.i = 0; at.i < k.a.queries; at.i += TILE) {
		float score[2][2] = {{0, 0}, {0, 0}}, grad[2][2] = {{0, 0}, {0, 0}};
#pragma unroll
		for (int s = 0; s < SLICES; s++) {
			__syncthreads();
			load_queries(&t, &k.a, &at, k.q, k.g, s);
			if (SLICES > 1 || at.i == 0)
				load_keys(&t, &k.a, &at, k.k, k.v, s);
			__syncthreads();
			inner(score, t.q, t.k, 2);
			inner(grad, t.g, t.v, 2);
		}
		compute_weights(&t, &k.a, &at, score, grad, k.lse, k.delta, 1);
#pragma unroll
		for (int s = 0; s < SLICES; s++) {
			__syncthreads();
			if (SLICES > 1) {
				load_queries(&t, &k.a, &at, k.q, k.g, s);
				__syncthreads();
			}
			add_weighted(dv, s, 2, t.p, WEIGHTS, t.g, TILE);
			add_weighted(dk, s, 2, t.ds, WEIGHTS, t.q, TILE);
		}
	}
	for (int r = 0; r < 2; r++)
		for (int s = 0; s < SLICES; s++) {
			store(k.dk, dk[r][s], at.sample, at.head, k.a.heads, at.j + ty + 16 * r, k.a.keys, s, 4 * tx, (float)k.a.scale);
			store(k.dv, dv[r][s], at.sample, at.head, k.a.heads, at.j + ty + 16 * r, k.a.keys, s, 4 * tx, 1);
		}
}

// attention_grad_queries has a block for TILE queries and iterates over the keys: Q̄ = scale·S̄ K.
KERNEL(attention_grad_queries, 256) {
	__shared__ __align__(16) struct tile t;
	int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
	i64 tiles = (k.a.queries + TILE - 1) / TILE, unit = blockIdx.x / tiles;
	struct position at = {unit, unit / k.a.heads, unit % k.a.heads, blockIdx.x % tiles * TILE, 0};
	float dq[2][SLICES][4];
	for (int r = 0; r < 2; r++)
		for (int s = 0; s < SLICES; s++)
			for (int c = 0; c < 4; c++)
				dq[r][s][c] = 0;
	for (at.j = 0; at.j < k.a.keys; at.j += TILE) {
		float score[2][2] = {{0, 0}, {0, 0}}, grad[2][2] = {{0, 0}, {0, 0}};
#pragma unroll
		for (int s = 0; s < SLICES; s++) {
			__syncthreads();
			load_keys(&t, &k.a, &at, k.k, k.v, s);
			if (SLICES > 1 || at.j == 0)
				load_queries(&t, &k.a, &at, k.q, k.g, s);
			__syncthreads();
			inner(score, t.q, t.k, 2);
			inner(grad, t.g, t.v, 2);
		}
		compute_weights(&t, &k.a, &at, score, grad, k.lse, k.delta, 0);
#pragma unroll
		for (int s = 0; s < SLICES; s++) {
			__syncthreads();
			if (SLICES > 1) {
				load_keys(&t, &k.a, &at, k.k, k.v, s);
				__syncthreads();
			}
			add_weighted(dq, s, 2, t.ds, WEIGHTS, t.k, TILE);
		}
	}
	for (int r = 0; r < 2; r++)
		for (int s = 0; s < SLICES; s++)
			store(k.dq, dq[r][s], at.sample, at.head, k.a.heads, at.i + ty + 16 * r, k.a.queries, s, 4 * tx, (float)k.a.scale);
}
