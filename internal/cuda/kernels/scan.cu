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
KERNEL(scan_grad, 128) {
	__shared__ float delta[INTERVAL][32], x[INTERVAL][32], r[INTERVAL][32], y[SCAN_WARPS][INTERVAL][32];
	__shared__ float kappa[SCAN_WARPS][INTERVAL][32], ddelta[SCAN_WARPS][INTERVAL][32];
	int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
	i64 tiles = (k.width + 31) / 32, tile = blockIdx.x % tiles, sample = blockIdx.x / tiles, j = tile * 32 + lane;
	int inside = j < k.width;
	i64 intervals = (k.steps + INTERVAL - 1) / INTERVAL;
	float bias = inside ? k.bias[j] : 0, skip = inside ? k.skip[j] : 0, dbias = 0, dskip = 0;
	for (i64 t = intervals - 1; t >= 0; t--) {
		i64 n = min(k.steps - t * INTERVAL, (i64)INTERVAL);
		for (int i = warp; i < INTERVAL; i += SCAN_WARPS) {
			i64 at = scan_row(sample, k.steps, t * INTERVAL + i, k.reverse) * k.width + j;
			int live = inside && i < n;
			delta[i][lane] = live ? step_size(k.step[at] + bias) : 0;
			x[i][lane] = live ? delta[i][lane] * k.u[at] : 0;
			r[i][lane] = live ? k.g[at] * k.z[at] * sigmoid(k.z[at]) : 0;
			for (int w = 0; w < SCAN_WARPS; w++)
				y[w][i][lane] = kappa[w][i][lane] = ddelta[w][i][lane] = 0;
		}
		__syncthreads();
		for (i64 s = warp; s < k.states; s += SCAN_WARPS) {
			i64 state = (sample * k.states + s) * k.width + j;
			float h[INTERVAL + 1], a = inside ? -expf(k.log[j * k.states + s]) : 0;
			h[0] = inside && t > 0 ? k.saved[((sample * (intervals - 1) + t - 1) * k.states + s) * k.width + j] : 0;
#pragma unroll
			for (int i = 0; i < INTERVAL; i++)
				if (i < n) {
					i64 at = scan_row(sample, k.steps, t * INTERVAL + i, k.reverse) * k.states + s;
					h[i + 1] = expf(delta[i][lane] * a) * h[i] + x[i][lane] * k.b[at];
					y[warp][i][lane] += k.c[at] * h[i + 1];
				}
			float q = 0, da = 0;
			if (inside && t < intervals - 1) {
				q = k.carry[state];
				da = k.da[state];
			}
#pragma unroll
			for (int i = INTERVAL - 1; i >= 0; i--)
				if (i < n) {
					i64 row = scan_row(sample, k.steps, t * INTERVAL + i, k.reverse);
					float decay = expf(delta[i][lane] * a), b = k.b[row * k.states + s];
					q += r[i][lane] * k.c[row * k.states + s];
					float db = warp_sum(q * x[i][lane]), dc = warp_sum(r[i][lane] * h[i + 1]);
					if (lane == 0) {
						i64 at = (tile * k.samples * k.steps + row) * k.states + s;
						k.db[at] = db;
						k.dc[at] = dc;
					}
					kappa[warp][i][lane] += q * b;
					q *= decay;
					ddelta[warp][i][lane] += q * h[i] * a;
					da += q * h[i] * delta[i][lane];
				}
			if (inside) {
				k.carry[state] = q;
				k.da[state] = da;
			}
		}
		__syncthreads();
		for (int i = warp; inside && i < n; i += SCAN_WARPS) {
			i64 at = scan_row(sample, k.steps, t * INTERVAL + i, k.reverse) * k.width + j;
			float u = k.u[at], z = k.z[at], gate = sigmoid(z), step = k.step[at] + bias;
			float sum = skip * u, dx = 0, dd = 0;
			for (int w = 0; w < SCAN_WARPS; w++) {
				sum += y[w][i][lane];
				dx += kappa[w][i][lane];
				dd += ddelta[w][i][lane];
			}
			k.dz[at] = k.g[at] * sum * gate * (1 + z * (1 - gate));
			k.du[at] = r[i][lane] * skip + delta[i][lane] * dx;
			float dstep = (u * dx + dd) * (step > 20 ? 1 : sigmoid(step));
			k.dstep[at] = dstep;
			dbias += dstep;
			dskip += r[i][lane] * u;
		}
		__syncthreads();
	}
	y[warp][0][lane] = dbias;
	y[warp][1][lane] = dskip;
	__syncthreads();
	if (warp > 0 || !inside)
		return;
	for (int w = 1; w < SCAN_WARPS; w++) {
		dbias += y[w][0][lane];
		dskip += y[w][1][lane];
	}
	k.dbias[sample * k.width + j] = dbias;
	k.dskip[sample * k.width + j] = dskip;
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
