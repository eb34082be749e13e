// A long short-term memory network on sequences of different lengths: a thread for each unit of each sequence, a kernel for each step. lengths are
// numbers, [samples].

// place is where a sequence of n steps has its own step, in [samples steps].
static __device__ whole place(whole sample, whole steps, whole n, whole step, whole reverse) {
	return sample * steps + (reverse ? n - 1 - step : step);
}

// lstm makes a step, given what the hidden state adds to the gates in z [samples 4·width]; it writes the new hidden state to h too. After a
// sequence's end y is 0.
struct lstm { float *y, *cell, *gates, *h; const float *z, *lengths; whole samples, steps, width, step, reverse; };
KERNEL(lstm, 256) {
	whole e = ITEM, s = e / k.width, j = e % k.width;
	if (s >= k.samples)
		return;
	whole n = (whole)k.lengths[s];
	if (k.step >= n) {
		k.y[(s * k.steps + k.step) * k.width + j] = 0;
		return;
	}
	whole at = place(s, k.steps, n, k.step, k.reverse), before = at + (k.reverse ? 1 : -1);
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

// lstm_grad goes back a step, given the gradients that the step after passes to y and cell, dh and dc [samples width]: it turns the gates into the
// gradient of z, which it writes to dz [samples 4·width] too, and dc into what the step passes on. After a sequence's end the gradient is 0.
struct lstm_grad { float *gates, *dz, *dc; const float *g, *cell, *dh, *lengths; whole samples, steps, width, step, reverse; };
KERNEL(lstm_grad, 256) {
	whole e = ITEM, s = e / k.width, j = e % k.width;
	if (s >= k.samples)
		return;
	whole n = (whole)k.lengths[s];
	float d[4] = {0, 0, 0, 0}, dc = 0;
	whole at = s * k.steps + k.step;
	if (k.step < n) {
		at = place(s, k.steps, n, k.step, k.reverse);
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
