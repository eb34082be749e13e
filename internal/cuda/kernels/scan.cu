// A selective scan of Mamba. A block computes 32 channels of one sample, one for each lane, in
// intervals of INTERVAL steps. Its warps share the states: warp w has the states w, w + SCAN_WARPS
// and so on, and keeps its part of a sum over states in shared memory. saved [samples intervals−1
// states width] has the states before each interval but the first.
#define SCAN_WARPS 4

// scan_row returns the position in [samples steps] of the step that runs as the i-th.
static __device__ i64 scan_row(i64 sample, i64 steps, i64 i, i64 reverse) {
	return sample * steps + (reverse ? steps - 1 - i : i);
}

static __device__ float step_size(float x) {
	return x > 20 ? x : apply_unary(SOFTPLUS, x, 0, 0);
}

struct scan { float *out, *saved; const float *u, *step, *z, *b, *c, *bias, *skip, *log; i64 steps, width, states, reverse; };
KERNEL(scan, 128) {
	__shared__ float delta[INTERVAL][32], x[INTERVAL][32], y[SCAN_WARPS][INTERVAL][32];
	int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
	i64 tiles = (k.width + 31) / 32, sample = blockIdx.x / tiles, j = blockIdx.x % tiles * 32 + lane;
	int inside = j < k.width;
	i64 intervals = (k.steps + INTERVAL - 1) / INTERVAL;
	float bias = inside ? k.bias[j] : 0, skip = inside ? k.skip[j] : 0;
	for (i64 t = 0; t < intervals; t++) {
		i64 n = min(k.steps - t * INTERVAL, (i64)INTERVAL);
		for (int i = warp; i < INTERVAL; i += SCAN_WARPS) {
			i64 at = scan_row(sample, k.steps, t * INTERVAL + i, k.reverse) * k.width + j;
			int live = inside && i < n;
			delta[i][lane] = live ? step_size(k.step[at] + bias) : 0;
			x[i][lane] = live ? delta[i][lane] * k.u[at] : 0;
			for (int w = 0; w < SCAN_WARPS; w++)
				y[w][i][lane] = 0;
		}
		__syncthreads();
		for (i64 s = warp; s < k.states; s += SCAN_WARPS) {
			float *saved = k.saved + ((sample * (intervals - 1) + t) * k.states + s) * k.width + j;
			float a = inside ? -expf(k.log[j * k.states + s]) : 0;
			float h = inside && t > 0 ? saved[-k.states * k.width] : 0;
			for (int i = 0; i < n; i++) {
				i64 at = scan_row(sample, k.steps, t * INTERVAL + i, k.reverse) * k.states + s;
				h = expf(delta[i][lane] * a) * h + x[i][lane] * k.b[at];
				y[warp][i][lane] += k.c[at] * h;
			}
			if (inside && t < intervals - 1)
				*saved = h;
		}
		__syncthreads();
		for (int i = warp; inside && i < n; i += SCAN_WARPS) {
			i64 at = scan_row(sample, k.steps, t * INTERVAL + i, k.reverse) * k.width + j;
			float sum = skip * k.u[at], z = k.z[at];
			for (int w = 0; w < SCAN_WARPS; w++)
				sum += y[w][i][lane];
			k.out[at] = sum * z * sigmoid(z);
		}
	}
}

// scan_grad goes backward over the intervals, and computes the states of each again. It writes, for
// each block, its part of the gradients of b and c to db and dc [tiles samples steps states], and
// for each sample those of the weights to da [samples states width], dbias and dskip [samples
// width]. carry [samples states width] passes the gradient of the states to the interval before.
struct scan_grad { float *du, *dstep, *dz, *db, *dc, *da, *carry, *dbias, *dskip; const float *g, *saved, *u, *step, *z, *b, *c, *bias, *skip, *log; i64 samples, steps, width, states, reverse; };

// A scan_tile is the shared memory of a block of scan_grad for one interval: Δ, x = Δu, r = g·SiLU(z),
// and each warp's part of sums over its states.
struct scan_tile { float delta[INTERVAL][32], x[INTERVAL][32], r[INTERVAL][32], y[SCAN_WARPS][INTERVAL][32], kappa[SCAN_WARPS][INTERVAL][32], ddelta[SCAN_WARPS][INTERVAL][32]; };

// A scan_position is a thread's channel j, if it is inside, and an interval t of n steps.
struct scan_position { i64 sample, tile, j, t, n; int inside; };

static __device__ i64 interval_row(const struct scan_grad *k, const struct scan_position *at, int i) {
	return scan_row(at->sample, k->steps, at->t * INTERVAL + i, k->reverse);
}

static __device__ void load_interval(struct scan_tile *m, const struct scan_grad *k, const struct scan_position *at) {
	int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
	float bias = at->inside ? k->bias[at->j] : 0;
	for (int i = warp; i < INTERVAL; i += SCAN_WARPS) {
		i64 e = interval_row(k, at, i) * k->width + at->j;
		int live = at->inside && i < at->n;
		m->delta[i][lane] = live ? step_size(k->step[e] + bias) : 0;
		m->x[i][lane] = live ? m->delta[i][lane] * k->u[e] : 0;
		m->r[i][lane] = live ? k->g[e] * k->z[e] * sigmoid(k->z[e]) : 0;
		for (int w = 0; w < SCAN_WARPS; w++)
			m->y[w][i][lane] = m->kappa[w][i][lane] = m->ddelta[w][i][lane] = 0;
	}
}

// state_grad computes state s of an interval again and goes back over its steps.
static __device__ void state_grad(struct scan_tile *m, const struct scan_grad *k, const struct scan_position *at, i64 s) {
	int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
	i64 intervals = (k->steps + INTERVAL - 1) / INTERVAL, state = (at->sample * k->states + s) * k->width + at->j;
	float h[INTERVAL + 1], a = at->inside ? -expf(k->log[at->j * k->states + s]) : 0;
	h[0] = at->inside && at->t > 0 ? k->saved[((at->sample * (intervals - 1) + at->t - 1) * k->states + s) * k->width + at->j] : 0;
#pragma unroll
	for (int i = 0; i < INTERVAL; i++)
		if (i < at->n) {
			i64 e = interval_row(k, at, i) * k->states + s;
			h[i + 1] = expf(m->delta[i][lane] * a) * h[i] + m->x[i][lane] * k->b[e];
			m->y[warp][i][lane] += k->c[e] * h[i + 1];
		}
	int last = at->t == intervals - 1;
	float q = at->inside && !last ? k->carry[state] : 0, da = at->inside && !last ? k->da[state] : 0;
#pragma unroll
	for (int i = INTERVAL - 1; i >= 0; i--)
		if (i < at->n) {
			i64 row = interval_row(k, at, i);
			float delta = m->delta[i][lane], r = m->r[i][lane];
			q += r * k->c[row * k->states + s];
			float db = warp_sum(q * m->x[i][lane]), dc = warp_sum(r * h[i + 1]);
			if (lane == 0) {
				i64 e = (at->tile * k->samples * k->steps + row) * k->states + s;
				k->db[e] = db;
				k->dc[e] = dc;
			}
			m->kappa[warp][i][lane] += q * k->b[row * k->states + s];
			q *= expf(delta * a);
			m->ddelta[warp][i][lane] += q * h[i] * a;
			da += q * h[i] * delta;
		}
	if (at->inside) {
		k->carry[state] = q;
		k->da[state] = da;
	}
}

// store_interval adds up the parts of the warps. It writes the gradients of z, u and the step, and
// adds the channel's to dbias and dskip.
static __device__ void store_interval(const struct scan_tile *m, const struct scan_grad *k, const struct scan_position *at, float *dbias, float *dskip) {
	int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
	for (int i = warp; at->inside && i < at->n; i += SCAN_WARPS) {
		i64 e = interval_row(k, at, i) * k->width + at->j;
		float u = k->u[e], z = k->z[e], gate = sigmoid(z), step = k->step[e] + k->bias[at->j], skip = k->skip[at->j];
		float sum = skip * u, dx = 0, dd = 0;
		for (int w = 0; w < SCAN_WARPS; w++) {
			sum += m->y[w][i][lane];
			dx += m->kappa[w][i][lane];
			dd += m->ddelta[w][i][lane];
		}
		float r = m->r[i][lane], dstep = (u * dx + dd) * (step > 20 ? 1 : sigmoid(step));
		k->dz[e] = k->g[e] * sum * gate * (1 + z * (1 - gate));
		k->du[e] = r * skip + m->delta[i][lane] * dx;
		k->dstep[e] = dstep;
		*dbias += dstep;
		*dskip += r * u;
	}
}

KERNEL(scan_grad, 128) {
	__shared__ struct scan_tile m;
	int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
	i64 tiles = (k.width + 31) / 32, tile = blockIdx.x % tiles, j = tile * 32 + lane;
	struct scan_position at = {blockIdx.x / tiles, tile, j, 0, 0, j < k.width};
	float dbias = 0, dskip = 0;
	for (at.t = (k.steps + INTERVAL - 1) / INTERVAL - 1; at.t >= 0; at.t--) {
		at.n = min(k.steps - at.t * INTERVAL, (i64)INTERVAL);
		load_interval(&m, &k, &at);
		__syncthreads();
		for (i64 s = warp; s < k.states; s += SCAN_WARPS)
			state_grad(&m, &k, &at, s);
		__syncthreads();
		store_interval(&m, &k, &at, &dbias, &dskip);
		__syncthreads();
	}
	m.y[warp][0][lane] = dbias;
	m.y[warp][1][lane] = dskip;
	__syncthreads();
	if (warp > 0 || !at.inside)
		return;
	for (int w = 1; w < SCAN_WARPS; w++) {
		dbias += m.y[w][0][lane];
		dskip += m.y[w][1][lane];
	}
	k.dbias[at.sample * k.width + at.j] = dbias;
	k.dskip[at.sample * k.width + at.j] = dskip;
}

// scan_log adds da [samples states width] over the samples, and writes the gradient of log [width
// states], of which A is −e^log.
struct scan_log { float *y; const float *da, *log; i64 samples, width, states; };
KERNEL(scan_log, 256) {
	i64 e = GLOBAL_INDEX, s = e / k.width, j = e % k.width;
	if (s >= k.states)
		return;
	float sum = 0;
	for (i64 i = 0; i < k.samples; i++)
		sum += k.da[(i * k.states + s) * k.width + j];
	k.y[j * k.states + s] = -expf(k.log[j * k.states + s]) * sum;
}
