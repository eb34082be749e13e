// A convolution over time of each channel of x [samples steps width], with weights w [width taps].
// Tap q reads the step taps−1−q before, or after with reverse.

// tap_step returns the step that tap q reads for step t; the caller checks that it exists.
static __device__ i64 tap_step(i64 t, i64 taps, i64 q, i64 reverse) { return reverse ? t + taps - 1 - q : t - (taps - 1 - q); }

// causal_conv has a thread for each element of y.
struct causal_conv { float *y; const float *x, *w, *bias; i64 samples, steps, width, taps, reverse; };
KERNEL(causal_conv, 256) {
	i64 e = GLOBAL_INDEX, row = e / k.width, j = e % k.width, t = row % k.steps;
	if (row >= k.samples * k.steps)
		return;
	float sum = k.bias[j];
	for (i64 q = 0; q < k.taps; q++) {
		i64 from = tap_step(t, k.taps, q, k.reverse);
		if (from >= 0 && from < k.steps)
			sum += k.w[j * k.taps + q] * k.x[(row + from - t) * k.width + j];
	}
	k.y[e] = sum;
}

// causal_conv_grad has a thread for each element of x, whose gradient comes from the other
// direction.
struct causal_conv_grad { float *dx; const float *g, *w; i64 samples, steps, width, taps, reverse; };
KERNEL(causal_conv_grad, 256) {
	i64 e = GLOBAL_INDEX, row = e / k.width, j = e % k.width, t = row % k.steps;
	if (row >= k.samples * k.steps)
		return;
	float sum = 0;
	for (i64 q = 0; q < k.taps; q++) {
		i64 to = tap_step(t, k.taps, q, !k.reverse);
		if (to >= 0 && to < k.steps)
			sum += k.w[j * k.taps + q] * k.g[(row + to - t) * k.width + j];
	}
	k.dx[e] = sum;
}

// causal_conv_columns writes the gradients of w, [chunks width taps], and of the bias, [chunks
// width], for each chunk of rows. It has a block for 32 channels and one tap of a chunk, with eight
// threads for each channel; the last tap stands for the bias.
struct causal_conv_columns { float *dw, *dbias; const float *g, *x; i64 chunks, samples, steps, width, taps, reverse; };
KERNEL(causal_conv_columns, 256) {
	__shared__ float part[8][32];
	int lane = threadIdx.x % 32, first_row = threadIdx.x / 32;
	i64 tiles = (k.width + 31) / 32, block = blockIdx.x, rows = k.samples * k.steps;
	i64 j = block % tiles * 32 + lane, q = block / tiles % (k.taps + 1), chunk = block / tiles / (k.taps + 1);
	i64 start = chunk * rows / k.chunks, end = (chunk + 1) * rows / k.chunks;
	float sum = 0;
	for (i64 row = start + first_row; j < k.width && row < end; row += 8) {
		i64 t = row % k.steps, from = q < k.taps ? tap_step(t, k.taps, q, k.reverse) : t;
		if (from >= 0 && from < k.steps)
			sum += k.g[row * k.width + j] * (q < k.taps ? k.x[(row + from - t) * k.width + j] : 1);
	}
	part[first_row][lane] = sum;
	__syncthreads();
	if (first_row > 0 || j >= k.width)
		return;
	for (int r = 1; r < 8; r++)
		sum += part[r][lane];
	if (q < k.taps)
		k.dw[(chunk * k.width + j) * k.taps + q] = sum;
	else
		k.dbias[chunk * k.width + j] = sum;
}
