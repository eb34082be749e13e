// Each kernel has a block for each row of n numbers. The thread that writes an element is also the
// last to read it, so the result may replace an input.

// softmax writes the softmax of a row or, if log is set, its logarithm.
struct softmax { float *y; const float *x; i64 n, log; };
KERNEL(softmax, 256) {
	__shared__ float part[8];
	const float *x = k.x + blockIdx.x * k.n;
	float *y = k.y + blockIdx.x * k.n, m = -INF, s = 0;
	for (i64 i = threadIdx.x; i < k.n; i += blockDim.x)
		m = max_nan(m, x[i]);
	m = block_max(m, part);
	for (i64 i = threadIdx.x; i < k.n; i += blockDim.x)
		s += expf(x[i] - m);
	s = block_sum(s, part);
	for (i64 i = threadIdx.x; i < k.n; i += blockDim.x)
		if (m == -INF)
			y[i] = k.log ? -INF : 0;
		else
			y[i] = k.log ? x[i] - m - logf(s) : expf(x[i] - m) / s;
}

// softmax_grad writes y ⊙ (g − Σ g⊙y).
struct softmax_grad { float *dx; const float *y, *g; i64 n; };
KERNEL(softmax_grad, 256) {
	__shared__ float part[8];
	i64 row = blockIdx.x * k.n;
	float s = 0;
	for (i64 i = threadIdx.x; i < k.n; i += blockDim.x)
		s += k.g[row + i] * k.y[row + i];
	s = block_sum(s, part);
	for (i64 i = threadIdx.x; i < k.n; i += blockDim.x)
		k.dx[row + i] = k.y[row + i] * (k.g[row + i] - s);
}

// log_softmax_grad writes g − eʸ Σ g.
struct log_softmax_grad { float *dx; const float *y, *g; i64 n; };
KERNEL(log_softmax_grad, 256) {
	__shared__ float part[8];
	i64 row = blockIdx.x * k.n;
	float s = 0;
	for (i64 i = threadIdx.x; i < k.n; i += blockDim.x)
		s += k.g[row + i];
	s = block_sum(s, part);
	for (i64 i = threadIdx.x; i < k.n; i += blockDim.x)
		k.dx[row + i] = k.g[row + i] - expf(k.y[row + i]) * s;
}

// layer_norm writes y = γ ⊙ (x − mean)·rstd + β, and stats [rows 2] with mean and rstd.
struct layer_norm { float *y, *stats; const float *x, *gamma, *beta; i64 n; double eps; };
KERNEL(layer_norm, 256) {
	__shared__ float part[8];
	const float *x = k.x + blockIdx.x * k.n;
	float *y = k.y + blockIdx.x * k.n, s = 0;
	for (i64 i = threadIdx.x; i < k.n; i += blockDim.x)
		s += x[i];
	float mean = block_sum(s, part) / k.n;
	s = 0;
	for (i64 i = threadIdx.x; i < k.n; i += blockDim.x)
		s += (x[i] - mean) * (x[i] - mean);
	float rstd = 1 / sqrtf(block_sum(s, part) / k.n + (float)k.eps);
	if (threadIdx.x == 0) {
		k.stats[2 * blockIdx.x] = mean;
		k.stats[2 * blockIdx.x + 1] = rstd;
	}
	for (i64 i = threadIdx.x; i < k.n; i += blockDim.x)
		y[i] = k.gamma[i] * ((x[i] - mean) * rstd) + k.beta[i];
}

// layer_norm_grad writes dx = rstd·(h − mean h − x̂·mean(h ⊙ x̂)), h = g ⊙ γ.
struct layer_norm_grad { float *dx; const float *g, *x, *stats, *gamma; i64 n; };
KERNEL(layer_norm_grad, 256) {
	__shared__ float part[8];
	i64 row = blockIdx.x * k.n;
	float mean = k.stats[2 * blockIdx.x], rstd = k.stats[2 * blockIdx.x + 1], sum_h = 0, sum_hx = 0;
	for (i64 i = threadIdx.x; i < k.n; i += blockDim.x) {
		float h = k.g[row + i] * k.gamma[i];
		sum_h += h;
		sum_hx += h * ((k.x[row + i] - mean) * rstd);
	}
	sum_h = block_sum(sum_h, part) / k.n;
	sum_hx = block_sum(sum_hx, part) / k.n;
	for (i64 i = threadIdx.x; i < k.n; i += blockDim.x)
		k.dx[row + i] = rstd * (k.g[row + i] * k.gamma[i] - sum_h - (k.x[row + i] - mean) * rstd * sum_hx);
}

// layer_norm_columns writes Σ g⊙x̂ and Σ g for each chunk of rows, [chunks n]. It has a block for
// 32 columns of a chunk, with eight threads for each column.
struct layer_norm_columns { float *dgamma, *dbeta; const float *g, *x, *stats; i64 rows, n, chunks; };
KERNEL(layer_norm_columns, 256) {
	__shared__ float gammas[8][32], betas[8][32];
	int lane = threadIdx.x % 32, first_row = threadIdx.x / 32;
	i64 tiles = (k.n + 31) / 32, column = blockIdx.x % tiles * 32 + lane, chunk = blockIdx.x / tiles;
	i64 from = chunk * k.rows / k.chunks, to = (chunk + 1) * k.rows / k.chunks;
	float dgamma = 0, dbeta = 0;
	for (i64 r = from + first_row; column < k.n && r < to; r += 8) {
		float g = k.g[r * k.n + column];
		dgamma += g * ((k.x[r * k.n + column] - k.stats[2 * r]) * k.stats[2 * r + 1]);
		dbeta += g;
	}
	gammas[first_row][lane] = dgamma;
	betas[first_row][lane] = dbeta;
	__syncthreads();
	if (first_row > 0 || column >= k.n)
		return;
	for (int r = 1; r < 8; r++) {
		dgamma += gammas[r][lane];
		dbeta += betas[r][lane];
	}
	k.dgamma[chunk * k.n + column] = dgamma;
	k.dbeta[chunk * k.n + column] = dbeta;
}
