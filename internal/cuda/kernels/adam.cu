// An adam_tensor is a parameter with its gradient and moments, and the constants of its step.
struct adam_tensor {
	float *p;
	const float *g;
	float *m, *v;
	whole n, first; // of the blocks, each of ADAM_BLOCK numbers
	double beta1, rest1, beta2, rest2, eps, keep, decay, step, scale;
};

// adam_element moves element i by gradient g.
static __device__ void adam_element(const struct adam_tensor *t, whole i, float g) {
	float p = t->p[i];
	g += (float)t->decay * p;
	float m = (float)t->beta1 * t->m[i] + (float)t->rest1 * g;
	float v = (float)t->beta2 * t->v[i] + (float)t->rest2 * g * g;
	t->m[i] = m;
	t->v[i] = v;
	t->p[i] = (float)t->keep * p - (float)t->step * m / (sqrtf(v * (float)t->scale) + (float)t->eps);
}

// adam updates many tensors at once. A block looks for the tensor that it belongs to.
struct adam { const struct adam_tensor *tensors; whole count; };
KERNEL(adam, 256) {
	whole low = 0, high = k.count;
	while (high - low > 1) {
		whole middle = (low + high) / 2;
		if (k.tensors[middle].first <= blockIdx.x)
			low = middle;
		else
			high = middle;
	}
	const struct adam_tensor *t = k.tensors + low;
	whole from = (blockIdx.x - t->first) * ADAM_BLOCK, to = min(from + ADAM_BLOCK, t->n);
	for (whole i = from + threadIdx.x; i < to; i += blockDim.x)
		adam_element(t, i, t->g[i]);
}

// adam_rows updates the rows of a tensor that index names, with the gradient's rows.
struct adam_rows { const struct adam_tensor *tensor; const int *index; whole n, width; };
KERNEL(adam_rows, 256) {
	whole i = ITEM;
	if (i < k.n)
		adam_element(k.tensor, k.index[i / k.width] * k.width + i % k.width, k.tensor->g[i]);
}
