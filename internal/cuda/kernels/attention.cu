// Fused multi-head attention for heads of WIDTH columns, in tiles: no matrix of queries × keys is ever in memory. WIDTH, ROWS and TILE are given by
// attention.go.
//
// A block of 256 threads, 16 × 16, works on ROWS queries and COLUMNS keys of one head of one sample: thread (ty, tx) on the queries ty, ty+16, …, the keys
// tx, tx+16, … and, of results, on four columns from 4·tx on. Heads are read in slices of SLICE columns, each row of a slice padded in shared
// memory by four numbers, so that neighbouring rows lie in different banks; what is outside a matrix is read as 0.

#define PADDED ((WIDTH + 3) / 4 * 4)
#define SLICE (PADDED < 64 ? PADDED : 64)
#define SLICES ((PADDED + 63) / 64)
#define STEP (SLICE + 4)

// What the kernels know of a call: queries [samples queries heads·WIDTH], keys and values [samples keys heads·WIDTH].
struct heads {
	const float *mask; // [samples keys], 0 excludes; NULL excludes none
	const bits *seed;  // of the dropout
	whole samples, heads, queries, keys, causal;
	bits limit; // of the dropout, 0 without
	double scale, boost; // boost: 1/(1−p)
};

struct attention { struct heads a; float *out, *lse; const float *q, *k, *v; };
struct attention_delta { struct heads a; float *delta; const float *g, *out; };
struct attention_grad_keys { struct heads a; float *dk, *dv; const float *g, *delta, *lse, *q, *k, *v; };
struct attention_grad_queries { struct heads a; float *dq; const float *g, *delta, *lse, *q, *k, *v; };

// load copies slice columns of rows of one head, from row first of total on, to shared memory [rows STEP].
static __device__ void load(float *to, const float *x, whole sample, whole head, whole heads, whole first, whole total, int rows, int slice) {
	for (int e = threadIdx.x; e < rows * SLICE; e += 256) {
		int r = e / SLICE, c = e % SLICE, column = slice * 64 + c;
		to[r * STEP + c] = first + r < total && column < WIDTH ? x[((sample * total + first + r) * heads + head) * WIDTH + column] : 0;
	}
}

// inner adds to sum[r][c] the products Σ x·y over a slice of rows ty + 16·r of x and tx + 16·c of y, in shared memory.
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

// excluded tells whether query i must not see key j.
static __device__ int excluded(const struct heads *a, whole sample, whole i, whole j) {
	whole ahead = a->keys > a->queries ? a->keys - a->queries : a->queries - a->keys;
	return j >= a->keys || i >= a->queries || (a->mask && a->mask[sample * a->keys + j] == 0) || (a->causal && j > i + ahead);
}

// dropped applies the dropout to the weight of query i and key j, or to its gradient.
static __device__ float dropped(const struct heads *a, whole unit, whole i, whole j, float w) {
	if (a->limit == 0)
		return w;
	return keeps(*a->seed, (bits)((unit * a->queries + i) * a->keys + j), a->limit) ? w * (float)a->boost : 0;
}

// max16 and sum16 combine the numbers of the 16 threads with one ty.
static __device__ float max16(float v) {
	for (int lane = 8; lane > 0; lane /= 2)
		v = larger(v, __shfl_xor_sync(EVERY, v, lane));
	return v;
}

static __device__ float sum16(float v) {
	for (int lane = 8; lane > 0; lane /= 2)
		v += __shfl_xor_sync(EVERY, v, lane);
	return v;
}

// add_weighted adds to sum[r], four columns from 4·tx on of a slice, Σ_e w[ty + 16·r][e]·x[e], in shared memory; the rows of w are so many
// numbers apart. What belongs to other slices lies between sum[r] and sum[r+1].
static __device__ void add_weighted(float (*sum)[SLICES][4], int slice, int rows, const float *w, int apart, const float *x, int many) {
	w += threadIdx.x / 16 * apart;
	x += 4 * (threadIdx.x % 16);
	if (4 * (threadIdx.x % 16) >= SLICE)
		return;
#pragma unroll 2
	for (int e = 0; e < many; e += 4) {
		float4 v[4];
#pragma unroll
		for (int d = 0; d < 4; d++)
			v[d] = *(const float4 *)(x + (e + d) * STEP);
#pragma unroll
		for (int r = 0; r < rows; r++) {
			float4 p = *(const float4 *)(w + 16 * r * apart + e);
			sum[r][slice][0] += p.x * v[0].x + p.y * v[1].x + p.z * v[2].x + p.w * v[3].x;
			sum[r][slice][1] += p.x * v[0].y + p.y * v[1].y + p.z * v[2].y + p.w * v[3].y;
			sum[r][slice][2] += p.x * v[0].z + p.y * v[1].z + p.z * v[2].z + p.w * v[3].z;
			sum[r][slice][3] += p.x * v[0].w + p.y * v[1].w + p.z * v[2].w + p.w * v[3].w;
		}
	}
}

// store writes a thread's columns of one row.
static __device__ void store(float *y, const float *sum, whole sample, whole head, whole heads, whole row, whole total, int slice, int column, float scale) {
	if (row >= total || column >= SLICE)
		return;
	for (int c = 0; c < 4; c++)
		if (slice * 64 + column + c < WIDTH)
			y[((sample * total + row) * heads + head) * WIDTH + slice * 64 + column + c] = sum[c] * scale;
}

// Forward.
#define OWN (ROWS / 16)
#define COLUMNS 32

// attention computes the softmax online: m is the largest score so far, l the sum of e^(score − m), and what is summed so far shrinks when m grows.
KERNEL(attention, 256) {
	__shared__ __align__(16) float qs[ROWS * STEP], ks[COLUMNS * STEP], vs[COLUMNS * STEP], ps[ROWS * (COLUMNS + 4)];
	int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
	whole tiles = (k.a.queries + ROWS - 1) / ROWS, unit = blockIdx.x / tiles, first = blockIdx.x % tiles * ROWS;
	whole sample = unit / k.a.heads, head = unit % k.a.heads;
	float sum[OWN][SLICES][4], m[OWN], l[OWN];
	for (int r = 0; r < OWN; r++) {
		m[r] = -INF;
		l[r] = 0;
		for (int s = 0; s < SLICES; s++)
			for (int c = 0; c < 4; c++)
				sum[r][s][c] = 0;
	}
	for (whole j0 = 0; j0 < k.a.keys; j0 += COLUMNS) {
		float score[OWN][2];
		for (int r = 0; r < OWN; r++)
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
			inner(score, qs, ks, OWN);
		}
		for (int r = 0; r < OWN; r++) {
			whole i = first + ty + 16 * r;
			float top = m[r], shrink, total = 0;
			for (int c = 0; c < 2; c++) {
				score[r][c] = excluded(&k.a, sample, i, j0 + tx + 16 * c) ? -INF : score[r][c] * (float)k.a.scale;
				top = larger(top, score[r][c]);
			}
			top = max16(top);
			shrink = top == -INF ? 1 : expf(m[r] - top);
			m[r] = top;
			for (int c = 0; c < 2; c++) {
				float p = top == -INF ? 0 : expf(score[r][c] - top);
				total += p;
				ps[(ty + 16 * r) * (COLUMNS + 4) + tx + 16 * c] = dropped(&k.a, unit, i, j0 + tx + 16 * c, p);
			}
			l[r] = l[r] * shrink + sum16(total);
			for (int s = 0; s < SLICES; s++)
				for (int c = 0; c < 4; c++)
					sum[r][s][c] *= shrink;
		}
#pragma unroll
		for (int s = 0; s < SLICES; s++) {
			__syncthreads();
			if (SLICES > 1) {
				load(vs, k.v, sample, head, k.a.heads, j0, k.a.keys, COLUMNS, s);
				__syncthreads();
			}
			add_weighted(sum, s, OWN, ps, COLUMNS + 4, vs, COLUMNS);
		}
	}
	for (int r = 0; r < OWN; r++) {
		whole i = first + ty + 16 * r;
		for (int s = 0; s < SLICES; s++)
			store(k.out, sum[r][s], sample, head, k.a.heads, i, k.a.queries, s, 4 * tx, l[r] > 0 ? 1 / l[r] : 0);
		if (tx == 0 && i < k.a.queries)
			k.lse[unit * k.a.queries + i] = m[r] + logf(l[r]);
	}
}

// attention_delta writes Σ Ō⊙O of each query, [samples heads queries]: a warp for each.
KERNEL(attention_delta, 256) {
	whole e = ITEM / 32, i = e % k.a.queries, unit = e / k.a.queries, sample = unit / k.a.heads, head = unit % k.a.heads;
	if (sample >= k.a.samples)
		return;
	whole row = ((sample * k.a.queries + i) * k.a.heads + head) * WIDTH;
	float v = 0;
	for (int c = threadIdx.x % 32; c < WIDTH; c += 32)
		v += k.g[row + c] * k.out[row + c];
	v = sum_of(v);
	if (threadIdx.x % 32 == 0)
		k.delta[e] = v;
}

// Backward: TILE queries and as many keys a block, two of each a thread.
#define WEIGHTS (TILE + 4)

// A tile is the shared memory of a block of the backward pass: slices of queries, keys, values and of the output's gradient, the weights
// D(P), and S̄ = P ⊙ (D(Ō Vᵀ) − Σ Ō⊙O).
struct tile { float q[TILE * STEP], k[TILE * STEP], v[TILE * STEP], g[TILE * STEP], p[TILE * WEIGHTS], ds[TILE * WEIGHTS]; };

// A place is a tile's: its head, its first query and its first key.
struct place { whole unit, sample, head, i, j; };

static __device__ void load_queries(struct tile *t, const struct heads *a, const struct place *at, const float *q, const float *g, int slice) {
	load(t->q, q, at->sample, at->head, a->heads, at->i, a->queries, TILE, slice);
	load(t->g, g, at->sample, at->head, a->heads, at->i, a->queries, TILE, slice);
}

static __device__ void load_keys(struct tile *t, const struct heads *a, const struct place *at, const float *k, const float *v, int slice) {
	load(t->k, k, at->sample, at->head, a->heads, at->j, a->keys, TILE, slice);
	load(t->v, v, at->sample, at->head, a->heads, at->j, a->keys, TILE, slice);
}

// weigh fills in t->p and t->ds, by keys, [TILE keys][WEIGHTS], if keys is not 0, else by queries, from the scores and the gradients of the weights.
static __device__ void weigh(struct tile *t, const struct heads *a, const struct place *at, float score[2][2], float grad[2][2], const float *lse,
	const float *delta, int keys) {
	int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
	for (int r = 0; r < 2; r++)
		for (int c = 0; c < 2; c++) {
			int row = ty + 16 * r, column = tx + 16 * c;
			whole i = at->i + row, j = at->j + column, q = at->unit * a->queries + i;
			float p = 0, ds = 0;
			if (!excluded(a, at->sample, i, j) && lse[q] != -INF) {
				p = expf(score[r][c] * (float)a->scale - lse[q]);
				ds = p * (dropped(a, at->unit, i, j, grad[r][c]) - delta[q]);
				p = dropped(a, at->unit, i, j, p);
			}
			t->p[keys ? column * WEIGHTS + row : row * WEIGHTS + column] = p;
			t->ds[keys ? column * WEIGHTS + row : row * WEIGHTS + column] = ds;
		}
}

// attention_grad_keys has a block for TILE keys and goes through the queries: V̄ = D(P)ᵀ Ō, K̄ = scale·S̄ᵀ Q.
KERNEL(attention_grad_keys, 256) {
	__shared__ __align__(16) struct tile t;
	int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
	whole tiles = (k.a.keys + TILE - 1) / TILE, unit = blockIdx.x / tiles;
	struct place at = {unit, unit / k.a.heads, unit % k.a.heads, 0, blockIdx.x % tiles * TILE};
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
		weigh(&t, &k.a, &at, score, grad, k.lse, k.delta, 1);
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

// attention_grad_queries has a block for TILE queries and goes through the keys: Q̄ = scale·S̄ K.
KERNEL(attention_grad_queries, 256) {
	__shared__ __align__(16) struct tile t;
	int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
	whole tiles = (k.a.queries + TILE - 1) / TILE, unit = blockIdx.x / tiles;
	struct place at = {unit, unit / k.a.heads, unit % k.a.heads, blockIdx.x % tiles * TILE, 0};
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
		weigh(&t, &k.a, &at, score, grad, k.lse, k.delta, 0);
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
