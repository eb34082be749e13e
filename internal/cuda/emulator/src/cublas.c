/* cublas.c: matrix products. Sums are in double precision and rounded once. The math mode has no
 * effect: there are no tensor cores and no TF32. */
#include "emulator.h"
#include <stdlib.h>

enum {
	CUBLAS_SUCCESS = 0,
	CUBLAS_NOT_INITIALIZED = 1,
	CUBLAS_INVALID_VALUE = 7,
	CUBLAS_EXECUTION_FAILED = 13,
};

struct blas {
	enum tag tag;
	struct stream *stream;
};

/* blas_enter is the first call of each function that needs a handle. It returns the error of the
 * context or of the handle. */
static int blas_enter(const struct blas *h)
{
	CUresult r = enter();
	if (r == CUDA_ERROR_NOT_INITIALIZED || r == CUDA_ERROR_INVALID_CONTEXT || !IS(h, BLAS))
		return CUBLAS_NOT_INITIALIZED;
	return r ? CUBLAS_EXECUTION_FAILED : CUBLAS_SUCCESS;
}

API int cublasCreate_v2(struct blas **h)
{
	if (enter() || invalidate_captures())
		return CUBLAS_NOT_INITIALIZED;
	*h = calloc(1, sizeof **h);
	(*h)->tag = BLAS;
	return CUBLAS_SUCCESS;
}

API int cublasDestroy_v2(struct blas *h)
{
	if (!IS(h, BLAS))
		return CUBLAS_NOT_INITIALIZED;
	h->tag = DESTROYED;
	return CUBLAS_SUCCESS;
}

API int cublasGetVersion_v2(struct blas *h, int *version)
{
	(void)h;
	*version = 130000;
	return CUBLAS_SUCCESS;
}

API int cublasSetStream_v2(struct blas *h, struct stream *s)
{
	int r = blas_enter(h);
	if (r == CUBLAS_SUCCESS && !IS(s, STREAM))
		r = CUBLAS_INVALID_VALUE;
	if (r == CUBLAS_SUCCESS)
		h->stream = s;
	return r;
}

API int cublasSetMathMode(struct blas *h, int mode)
{
	(void)mode;
	return blas_enter(h);
}

API int cublasSetWorkspace_v2(struct blas *h, CUdeviceptr workspace, size_t n)
{
	int r = blas_enter(h);
	if (r == CUBLAS_SUCCESS && n > 0 && !on_device(workspace, n))
		r = CUBLAS_INVALID_VALUE;
	return r;
}

/* scratch returns memory for n doubles. Later products reuse it, so a fault does not leak it. */
static double *scratch(int which, size_t n)
{
	static double *buffer[2];
	static size_t capacity[2];
	if (n > capacity[which]) {
		free(buffer[which]);
		buffer[which] = malloc(n * sizeof(double));
		capacity[which] = buffer[which] ? n : 0;
	}
	return buffer[which];
}

enum { ROWS = 8 };

/* product multiplies each panel of eight rows of op(A), stored as [k ROWS], with all columns of
 * op(B), stored as [n k]. */
static void product(const struct gemm *g, const float *a, const float *b, float *c)
{
	size_t m = (size_t)g->m, n = (size_t)g->n, k = g->alpha == 0 ? 0 : (size_t)g->k;
	size_t lda = (size_t)g->lda, ldb = (size_t)g->ldb, ldc = (size_t)g->ldc;
	double *panel = scratch(0, k * ROWS + 1), *columns = scratch(1, n * k + 1);
	for (size_t j = 0; j < n; j++)
		for (size_t p = 0; p < k; p++)
			columns[j * k + p] = g->tb ? b[p * ldb + j] : b[j * ldb + p];
	for (size_t i = 0; i < m; i += ROWS) {
		size_t rows = m - i < ROWS ? m - i : ROWS;
		for (size_t p = 0; p < k; p++)
			for (size_t r = 0; r < ROWS; r++)
				panel[p * ROWS + r] = r >= rows ? 0 : g->ta ? a[(i + r) * lda + p] : a[p * lda + i + r];
		for (size_t j = 0; j < n; j++) {
			double sum[ROWS] = {0};
			for (size_t p = 0; p < k; p++)
				for (size_t r = 0; r < ROWS; r++)
					sum[r] += panel[p * ROWS + r] * columns[j * k + p];
			for (size_t r = 0; r < rows; r++) {
				float *at = &c[j * ldc + i + r];
				*at = (float)(g->alpha * sum[r] + (g->beta == 0 ? 0 : g->beta * (double)*at));
			}
		}
	}
}

CUresult run_gemm(void *gemm)
{
	const struct gemm *g = gemm;
	for (int i = 0; i < g->count; i++)
		product(g, g->a + i * g->sa, g->b + i * g->sb, g->c + i * g->sc);
	return CUDA_SUCCESS;
}

API int cublasSgemmStridedBatched(struct blas *h, int ta, int tb, int m, int n, int k, const float *alpha, const float *a, int lda,
				  long long sa, const float *b, int ldb, long long sb, const float *beta, float *c, int ldc,
				  long long sc, int count)
{
	int r = blas_enter(h);
	if (r)
		return r;
	if (ta < 0 || ta > 2 || tb < 0 || tb > 2 || m < 0 || n < 0 || k < 0 || count < 0 || !IS(h->stream, STREAM))
		return CUBLAS_INVALID_VALUE;
	int ra = ta ? k : m, rb = tb ? n : k;
	if (lda < (ra > 1 ? ra : 1) || ldb < (rb > 1 ? rb : 1) || ldc < (m > 1 ? m : 1) || alpha == NULL || beta == NULL)
		return CUBLAS_INVALID_VALUE;
	struct op op = {.kind = GEMM};
	op.gemm = (struct gemm){ta, tb, m, n, k, lda, ldb, ldc, count, sa, sb, sc, *alpha, *beta, a, b, c};
	return append(h->stream, op) ? CUBLAS_EXECUTION_FAILED : CUBLAS_SUCCESS;
}

API int cublasSgemm_v2(struct blas *h, int ta, int tb, int m, int n, int k, const float *alpha, const float *a, int lda,
		       const float *b, int ldb, const float *beta, float *c, int ldc)
{
	return cublasSgemmStridedBatched(h, ta, tb, m, n, k, alpha, a, lda, 0, b, ldb, 0, beta, c, ldc, 0, 1);
}
