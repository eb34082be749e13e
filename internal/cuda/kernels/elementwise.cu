// move copies n numbers.
struct move { float *y; const float *x; i64 n; };
KERNEL(move, 256) {
	i64 i = GLOBAL_INDEX;
	if (i < k.n)
		k.y[i] = k.x[i];
}

// fill writes y = v.
struct fill { float *y; i64 n; double v; };
KERNEL(fill, 256) {
	i64 i = GLOBAL_INDEX;
	if (i < k.n)
		k.y[i] = (float)k.v;
}

// axpy adds a·x to y.
struct axpy { float *y; const float *x; i64 n; double a; };
KERNEL(axpy, 256) {
	i64 i = GLOBAL_INDEX;
	if (i < k.n)
		k.y[i] += (float)k.a * k.x[i];
}

static __device__ float sigmoid(float x) { return 1 / (1 + expf(-x)); }

// apply_unary returns f(x; a, b). A comparison with NaN is false, so the last branch returns x:
// NaN gives NaN.
static __device__ float apply_unary(int op, float x, float a, float b) {
	switch (op) {
	case AFFINE:
		return a * x + b;
	case EXP:
		return expf(x);
	case LOG:
		return logf(x);
	case SQRT:
		return sqrtf(x);
	case ABS:
		return fabsf(x);
	case TANH:
		return tanhf(x);
	case SIGMOID:
		return sigmoid(x);
	case SOFTPLUS:
		return (x < 0 ? 0 : x) + log1pf(expf(-fabsf(x)));
	case RELU:
		return x <= 0 ? 0 : x;
	case LEAKY_RELU:
		return x > 0 ? x : a * x;
	case GELU:
		return x * 0.5f * erfcf(x * -0.70710678f);
	case SILU:
		return x * sigmoid(x);
	case CLAMP:
		return x < a ? a : x > b ? b : x;
	case HUBER:
		x = fabsf(x);
		return x < a ? x * x / (2 * a) : x - a / 2;
	}
	return __int_as_float(0x7fc00000); // NaN for an unknown operation
}

// unary writes y = f(x; a, b).
struct unary { float *y; const float *x; i64 n, op; double a, b; };
KERNEL(unary, 256) {
	i64 i = GLOBAL_INDEX;
	if (i < k.n)
		k.y[i] = apply_unary((int)k.op, k.x[i], (float)k.a, (float)k.b);
}

// apply_unary_grad returns g·f′(x) for y = f(x). Where f′(x) is 0 it returns 0, even if g is
// infinite.
static __device__ float apply_unary_grad(int op, float x, float y, float g, float a, float b) {
	float s;
	switch (op) {
	case AFFINE:
		return a * g;
	case EXP:
		return g * y;
	case LOG:
		return g / x;
	case SQRT:
		return g / (2 * y);
	case ABS:
		return x > 0 ? g : x < 0 ? -g : 0;
	case TANH:
		return g * (1 - y * y);
	case SIGMOID:
		return g * y * (1 - y);
	case SOFTPLUS:
		return g * sigmoid(x);
	case RELU:
		return x > 0 ? g : 0;
	case LEAKY_RELU:
		return x > 0 ? g : a * g;
	case GELU:
		return g * (0.5f * erfcf(x * -0.70710678f) + x * expf(-0.5f * x * x) * 0.39894228f); // Φ + x·φ
	case SILU:
		s = sigmoid(x);
		return g * s * (1 + x * (1 - s));
	case CLAMP:
		return x >= a && x <= b ? g : 0;
	case HUBER:
		return fabsf(x) < a ? g * x / a : x > 0 ? g : -g;
	}
	return __int_as_float(0x7fc00000);
}

// unary_grad writes dx = g·f′(x).
struct unary_grad { float *dx; const float *x, *y, *g; i64 n, op; double a, b; };
KERNEL(unary_grad, 256) {
	i64 i = GLOBAL_INDEX;
	if (i < k.n)
		k.dx[i] = apply_unary_grad((int)k.op, k.x[i], k.y[i], k.g[i], (float)k.a, (float)k.b);
}

// dropout writes x·scale for kept elements and 0 for the others.
struct dropout { float *y; const float *x; const u64 *seed; i64 n; u64 limit; double scale; };
KERNEL(dropout, 256) {
	i64 i = GLOBAL_INDEX;
	if (i < k.n)
		k.y[i] = dropout_keeps(*k.seed, (u64)i, k.limit) ? k.x[i] * (float)k.scale : 0;
}

// pack_signs packs sixteen signs into one number: bit b of y[i] is 1 where x[16i+b] > 0.
struct pack_signs { float *y; const float *x; i64 packed, n; };
KERNEL(pack_signs, 256) {
	i64 i = GLOBAL_INDEX;
	if (i >= k.packed)
		return;
	int word = 0;
	for (int b = 0; b < 16 && 16 * i + b < k.n; b++)
		if (k.x[16 * i + b] > 0)
			word |= 1 << b;
	k.y[i] = (float)word;
}

// apply_sign_mask writes x where its bit in signs is 1, and 0 elsewhere.
struct apply_sign_mask { float *y; const float *x, *signs; i64 n; };
KERNEL(apply_sign_mask, 256) {
	i64 i = GLOBAL_INDEX;
	if (i < k.n)
		k.y[i] = (int)k.signs[i / 16] >> i % 16 & 1 ? k.x[i] : 0;
}
