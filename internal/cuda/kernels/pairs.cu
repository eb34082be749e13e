// All pairs of m rows v and n rows u of the given width: y_ij = Σ_h w_h·max(0, u_jh + v_ih).

// pair_scores has a block for 16×16 pairs and one part of the width. y [parts m n].
struct pair_scores { float *y; const float *u, *v, *w; i64 m, n, width, parts; };
KERNEL(pair_scores, 256) {
	__shared__ float us[16][33], vs[16][33], ws[32];
	int a = threadIdx.x / 16, b = threadIdx.x % 16;
	i64 tile_columns = (k.n + 15) / 16, tile_rows = (k.m + 15) / 16, block = blockIdx.x;
	i64 j0 = block % tile_columns * 16, i0 = block / tile_columns % tile_rows * 16, part = block / tile_columns / tile_rows;
	i64 from = part * k.width / k.parts, to = (part + 1) * k.width / k.parts;
	float sum = 0;
	for (i64 h0 = from; h0 < to; h0 += 32) {
		__syncthreads();
		for (int e = threadIdx.x; e < 512; e += 256) {
			int row = e / 32, h = e % 32, inside = h0 + h < to;
			us[row][h] = inside && j0 + row < k.n ? k.u[(j0 + row) * k.width + h0 + h] : 0;
			vs[row][h] = inside && i0 + row < k.m ? k.v[(i0 + row) * k.width + h0 + h] : 0;
		}
		if (threadIdx.x < 32)
			ws[threadIdx.x] = h0 + threadIdx.x < to ? k.w[h0 + threadIdx.x] : 0;
		__syncthreads();
		for (int h = 0; h < 32; h++) {
			float s = us[b][h] + vs[a][h];
			sum += s > 0 ? ws[h] * s : 0;
		}
	}
	if (i0 + a < k.m && j0 + b < k.n)
		k.y[(part * k.m + i0 + a) * k.n + j0 + b] = sum;
}

// pair_grad_u has a thread for each element of u: ū_jh = Σ_i g_ij·w_h·[u_jh + v_ih > 0].
struct pair_grad_u { float *du; const float *g, *u, *v, *w; i64 m, n, width; };
KERNEL(pair_grad_u, 256) {
	i64 e = GLOBAL_INDEX, j = e / k.width, h = e % k.width;
	if (j >= k.n)
		return;
	float u = k.u[e], sum = 0;
	for (i64 i = 0; i < k.m; i++)
		sum += u + k.v[i * k.width + h] > 0 ? k.g[i * k.n + j] : 0;
	k.du[e] = sum * k.w[h];
}

// pair_grad_v has a thread for each element of v: v̄_ih = Σ_j g_ij·w_h·[u_jh + v_ih > 0]. It also
// writes row i's part of w̄_h, Σ_j g_ij·max(0, u_jh + v_ih), to dw [m width].
struct pair_grad_v { float *dv, *dw; const float *g, *u, *v, *w; i64 m, n, width; };
KERNEL(pair_grad_v, 256) {
	i64 e = GLOBAL_INDEX, i = e / k.width, h = e % k.width;
	if (i >= k.m)
		return;
	float v = k.v[e], sum = 0, dw = 0;
	for (i64 j = 0; j < k.n; j++) {
		float s = k.u[j * k.width + h] + v, g = k.g[i * k.n + j];
		if (s > 0) {
			sum += g;
			dw += g * s;
		}
	}
	k.dv[e] = sum * k.w[h];
	k.dw[e] = dw;
}
