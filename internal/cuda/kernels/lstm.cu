// A long short-term memory network on sequences of different lengths. There is a kernel for each
// step, with a thread for each unit of each sequence. lengths [samples] are floating-point
// numbers.

// step_position returns the position in [samples steps] of a step of a sequence with n steps.
static __device__ i64 step_position(i64 sample, i64 steps, i64 n, i64 step, i64 reverse) {
	return sample * steps + (reverse ? n - 1 - step : step);
}

// lstm computes a step, given the hidden state's part of the gates in z [samples 4·width]. It also
// writes the new hidden state to h [samples width]. After the end of a sequence, y is 0.
struct lstm { float *y, *cell, *gates, *h; const float *z, *lengths; i64 samples, steps, width, step, reverse; };
KERNEL(lstm, 256) {
	i64 e = GLOBAL_INDEX, s = e / k.width, j = e % k.width;
	if (s >= k.samples)
		return;
	i64 n = (i64)k.lengths[s];
	if (k.step >= n) {
		k.y[(s * k.steps + k.step) * k.width + j] = 0;
		return;
	}
	i64 at = step_position(s, k.steps, n, k.step, k.reverse), before = at + (k.reverse ? 1 : -1);
	float *gate = k.gates + at * 4 * k.width + j, v[4], prev = 0;
	for (int q = 0; q < 4; q++)
		v[q] = gate[q * k.width];
	if (k.step > 0) {
		prev = k.cell[before * k.width + j];
		for (int q = 0; q < 4; q++)
			v[q] += k.z[(s * 4 + q) * k.width + j];
	}
	for (int q = 0; q < 4; q++)
		gate[q * k.width] = v[q] = q == 2 ? tanhf(v[q]) : sigmoid(v[q]);
	float c = v[1] * prev + v[0] * v[2], y = v[3] * tanhf(c);
	k.cell[at * k.width + j] = c;
	k.y[at * k.width + j] = k.h[e] = y;
}

// lstm_grad differentiates a step, given the gradients dh and dc [samples width] that the step
// after passes to y and cell. It replaces the gates by the gradient of z, which it also writes to
// dz [samples 4·width], and dc by the gradient for the step before. After the end of a sequence
// the gradient is 0.
struct lstm_grad { float *gates, *dz, *dc; const float *g, *cell, *dh, *lengths; i64 samples, steps, width, step, reverse; };
KERNEL(lstm_grad, 256) {
	i64 e = GLOBAL_INDEX, s = e / k.width, j = e % k.width;
	if (s >= k.samples)
		return;
	i64 n = (i64)k.lengths[s];
	float d[4] = {0, 0, 0, 0}, dc = 0;
	i64 at = s * k.steps + k.step;
	if (k.step < n) {
		at = step_position(s, k.steps, n, k.step, k.reverse);
		const float *gate = k.gates + at * 4 * k.width + j;
		float i = gate[0], f = gate[k.width], g = gate[2 * k.width], o = gate[3 * k.width], prev = 0;
		if (k.step > 0)
			prev = k.cell[(at + (k.reverse ? 1 : -1)) * k.width + j];
		float h = k.g[at * k.width + j], c = tanhf(k.cell[at * k.width + j]);
		if (k.step < n - 1) {
			h += k.dh[e];
			dc = k.dc[e];
		}
		dc += h * o * (1 - c * c);
		d[0] = dc * g * i * (1 - i);
		d[1] = dc * prev * f * (1 - f);
		d[2] = dc * i * (1 - g * g);
		d[3] = h * c * o * (1 - o);
		dc *= f;
	}
	for (int q = 0; q < 4; q++)
		k.gates[(at * 4 + q) * k.width + j] = k.dz[(s * 4 + q) * k.width + j] = d[q];
	k.dc[e] = dc;
}
