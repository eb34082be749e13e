// A library that gives PyTorch the matrix products of NumPy's OpenBLAS instead of those of oneMKL, which does not use AVX-512 on processors of AMD:
//
//     L=$(ls $(python -c 'import numpy; print(numpy.__path__[0])').libs/libscipy_openblas64_*.so)
//     gcc -O2 -fPIC -shared -fopenmp benchmarks/openblas.c -o openblas.so $L -Wl,-rpath,$(dirname $L)
//     LD_PRELOAD=./openblas.so OPENBLAS_CORETYPE=SKYLAKEX python …
//
// NumPy's OpenBLAS has 64-bit integers and names of its own. PyTorch's loops that have a product in each step are divided between threads already.
#include <omp.h>
#include <stdint.h>

typedef const char *letter;
typedef const int32_t *narrow;
typedef const int64_t *wide;
typedef const float *floats;

void scipy_sgemm_64_(letter, letter, wide m, wide n, wide k, floats alpha, floats a, wide lda, floats b, wide ldb, floats beta, float *c, wide ldc, long, long);
void scipy_sgemv_64_(letter, wide m, wide n, floats alpha, floats a, wide lda, floats x, wide incx, floats beta, float *y, wide incy, long);
int scipy_openblas_get_num_threads64_(void);
void scipy_openblas_set_num_threads64_(int);

static void threads(void) {
    int want = omp_in_parallel() ? 1 : omp_get_max_threads();
    if (scipy_openblas_get_num_threads64_() != want)
        scipy_openblas_set_num_threads64_(want);
}

void sgemm_(letter ta, letter tb, narrow m, narrow n, narrow k, floats alpha, floats a, narrow lda, floats b, narrow ldb, floats beta, float *c, narrow ldc) {
    int64_t v[] = {*m, *n, *k, *lda, *ldb, *ldc};
    threads();
    scipy_sgemm_64_(ta, tb, v, v + 1, v + 2, alpha, a, v + 3, b, v + 4, beta, c, v + 5, 1, 1);
}

void sgemv_(letter t, narrow m, narrow n, floats alpha, floats a, narrow lda, floats x, narrow incx, floats beta, float *y, narrow incy) {
    int64_t v[] = {*m, *n, *lda, *incx, *incy};
    threads();
    scipy_sgemv_64_(t, v, v + 1, alpha, a, v + 2, x, v + 3, beta, y, v + 4, 1);
}
