// A gated recurrent unit network on sequences of different lengths, like that of lstm.cu. lengths
// [samples] are floating-point numbers.

// gru computes a step. u [samples 3·width] is W times the output of the step before, which is in h
// [samples width]; gru replaces it by its own output. After the end of a sequence, y is 0.
struct gru { float *y, *hidden, *gates, *h; const float *u, *bias, *lengths; i64 samples, steps, width, step, reverse; };
KERNEL(gru, 256) {
	i64 e = GLOBAL_INDEX, s = e / k.width, j = e % k.width;
	if (s >= k.samples)
		return;
	i64 n = (i64)k.lengths[s];
	if (k.step >= n) {
		k.y[(s * k.steps + k.step) * k.width + j] = 0;
		return;
	}
	i64 at = step_position(s, k.steps, n, k.step, k.reverse);
	float *gate = k.gates + at * 3 * k.width + j, u[3], prev = 0;
	for (int q = 0; q < 3; q++)
		u[q] = k.bias[q * k.width + j];
	if (k.step > 0) {
		prev = k.h[e];
		for (int q = 0; q < 3; q++)
			u[q] += k.u[(s * 3 + q) * k.width + j];
	}
	float r = sigmoid(gate[0] + u[0]), z = sigmoid(gate[k.width] + u[1]), c = tanhf(gate[2 * k.width] + r * u[2]);
	gate[0] = r;
	gate[k.width] = z;
	gate[2 * k.width] = c;
	k.hidden[at * k.width + j] = u[2];
	k.y[at * k.width + j] = k.h[e] = (1 - z) * c + z * prev;
}

// gru_grad differentiates a step, given the gradient dh [samples width] that the step after passes
// to y. It replaces gates and hidden by gradients, writes that of u to du [samples 3·width], and
// replaces dh by the part of the gradient for the step before that does not go through u. After the
// end of a sequence the gradients are 0.
struct gru_grad { float *gates, *hidden, *du, *dh; const float *g, *y, *lengths; i64 samples, steps, width, step, reverse; };
KERNEL(gru_grad, 256) {
	i64 e = GLOBAL_INDEX, s = e / k.width, j = e % k.width;
	if (s >= k.samples)
		return;
	i64 n = (i64)k.lengths[s], at = s * k.steps + k.step;
	float gr = 0, gz = 0, gc = 0, gu = 0, dh = 0;
	if (k.step < n) {
		at = step_position(s, k.steps, n, k.step, k.reverse);
		const float *gate = k.gates + at * 3 * k.width + j;
		float r = gate[0], z = gate[k.width], c = gate[2 * k.width], prev = 0;
		if (k.step > 0)
			prev = k.y[(at + (k.reverse ? 1 : -1)) * k.width + j];
		float h = k.g[at * k.width + j];
		if (k.step < n - 1)
			h += k.dh[e];
		gc = h * (1 - z) * (1 - c * c);
		gr = gc * k.hidden[at * k.width + j] * r * (1 - r);
		gz = h * (prev - c) * z * (1 - z);
		gu = gc * r;
		dh = h * z;
	}
	float *gate = k.gates + at * 3 * k.width + j, *du = k.du + s * 3 * k.width + j;
	gate[0] = du[0] = gr;
	gate[k.width] = du[k.width] = gz;
	gate[2 * k.width] = gc;
	k.hidden[at * k.width + j] = du[2 * k.width] = gu;
	k.dh[e] = dh;
}
