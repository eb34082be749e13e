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
