/* driver.c: checks of the emulator. "driver DIR CHECK" runs one check with the library in DIR;
 * "driver DIR" lists the checks. Each check needs a process of its own. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef unsigned long long ptr;
typedef void *handle;

/* The functions of the libraries, looked up by name. */
#define FUNCTIONS(F)                                                                                             \
	F(cuInit, (unsigned)) F(cuDeviceGetCount, (int *)) F(cuDevicePrimaryCtxRetain, (handle *, int))          \
	F(cuDevicePrimaryCtxRelease_v2, (int)) F(cuCtxSetCurrent, (handle)) F(cuMemAlloc_v2, (ptr *, size_t))    \
	F(cuMemFree_v2, (ptr)) F(cuMemHostAlloc, (void **, size_t, unsigned)) F(cuMemFreeHost, (void *))         \
	F(cuMemGetInfo_v2, (size_t *, size_t *)) F(cuMemcpyHtoDAsync_v2, (ptr, const void *, size_t, handle))    \
	F(cuMemcpyDtoHAsync_v2, (void *, ptr, size_t, handle)) F(cuStreamCreate, (handle *, unsigned))           \
	F(cuStreamDestroy_v2, (handle)) F(cuStreamSynchronize, (handle))                                         \
	F(cuStreamWaitEvent, (handle, handle, unsigned)) F(cuStreamBeginCapture_v2, (handle, int))               \
	F(cuStreamEndCapture, (handle, handle *)) F(cuGraphInstantiateWithFlags, (handle *, handle, ptr))        \
	F(cuGraphLaunch, (handle, handle)) F(cuGraphExecDestroy, (handle)) F(cuGraphDestroy, (handle))           \
	F(cuEventCreate, (handle *, unsigned)) F(cuEventRecord, (handle, handle)) F(cuEventQuery, (handle))      \
	F(cuEventSynchronize, (handle)) F(cuEventElapsedTime, (float *, handle, handle))                         \
	F(cuEventDestroy_v2, (handle)) F(cuModuleLoadData, (handle *, const void *)) F(cuModuleUnload, (handle)) \
	F(cuModuleGetFunction, (handle *, handle, const char *)) F(cuGetErrorName, (int, const char **))         \
	F(cuLaunchKernel, (handle, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, handle, \
			   void **, void **))                                                                    \
	F(nvrtcCreateProgram, (handle *, const char *, const char *, int, const char **, const char **))         \
	F(nvrtcCompileProgram, (handle, int, const char **)) F(nvrtcDestroyProgram, (handle *))                  \
	F(nvrtcGetCUBINSize, (handle, size_t *)) F(nvrtcGetCUBIN, (handle, char *))                              \
	F(nvrtcGetProgramLogSize, (handle, size_t *)) F(nvrtcGetProgramLog, (handle, char *))                    \
	F(cublasCreate_v2, (handle *)) F(cublasSetStream_v2, (handle, handle)) F(cublasDestroy_v2, (handle))     \
	F(cublasSetWorkspace_v2, (handle, ptr, size_t))                                                          \
	F(cublasSgemm_v2, (handle, int, int, int, int, int, const float *, ptr, int, ptr, int, const float *,    \
			   ptr, int))                                                                            \
	F(cublasSgemmStridedBatched, (handle, int, int, int, int, int, const float *, ptr, int, long long, ptr,  \
				      int, long long, const float *, ptr, int, long long, int))

#define DECLARE(name, args) static int(*name) args;
FUNCTIONS(DECLARE)

static void die(int line, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	printf("driver.c:%d: ", line);
	vprintf(format, args);
	printf("\n");
	exit(1);
}

#define WANT(want, call)                                                             \
	do {                                                                         \
		int got_ = (call);                                                   \
		if (got_ != (want))                                                  \
			die(__LINE__, "%s = %d, want %d", #call, got_, (int)(want)); \
	} while (0)
#define OK(call) WANT(0, call)
#define TRUE(condition) WANT(1, !!(condition))

static const char source[] =
	"struct add { float *y; const float *a, *b; long long n; };\n"
	"KERNEL(add, 256) {\n"
	"	long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;\n"
	"	if (i < k.n) k.y[i] = k.a[i] + k.b[i];\n"
	"}\n"
	"struct put { float *y; long long at; float v; };\n"
	"KERNEL(put, 256) { k.y[k.at] = k.v; }\n"
	"struct scale { float *y; int n; float v; };\n"
	"KERNEL(scale, SIZE) { for (int i = threadIdx.x; i < k.n; i += blockDim.x) k.y[i] *= k.v; }\n";

/* The argument structs, as in the kernels. */
struct add {
	ptr y, a, b;
	long long n;
};
struct put {
	ptr y;
	long long at;
	float v;
};
struct scale {
	ptr y;
	int n;
	float v;
};
struct sum {
	ptr y, x;
	int n;
};

static const char reductions[] =
	"struct tree { float *y; const float *x; int n; };\n"
	"KERNEL(tree, 1024) {\n"
	"	__shared__ float part[1024];\n"
	"	const float *x = k.x + (long long)blockIdx.x * k.n;\n"
	"	float s = 0;\n"
	"	for (int i = threadIdx.x; i < k.n; i += blockDim.x) s += x[i];\n"
	"	part[threadIdx.x] = s;\n"
	"	__syncthreads();\n"
	"	for (int live = blockDim.x; live > 1;) {\n"
	"		int half = (live + 1) / 2;\n"
	"		if (threadIdx.x + half < live) part[threadIdx.x] += part[threadIdx.x + half];\n"
	"		__syncthreads();\n"
	"		live = half;\n"
	"	}\n"
	"	if (threadIdx.x == 0) k.y[blockIdx.x] = part[0];\n"
	"}\n"
	"struct no_barrier { float *y; const float *x; int n; };\n"
	"KERNEL(no_barrier, 1024) {\n"
	"	__shared__ float part[1024];\n"
	"	part[threadIdx.x] = k.x[blockIdx.x * k.n + threadIdx.x];\n"
	"	k.y[blockIdx.x * k.n + threadIdx.x] = part[(threadIdx.x + 1) % blockDim.x] + part[(threadIdx.x + 7) % blockDim.x];\n"
	"}\n"
	"__device__ __forceinline__ double warp_sum(double v) {\n"
	"	for (int d = 16; d > 0; d /= 2) v += __shfl_xor_sync(0xffffffffu, v, d);\n"
	"	return v;\n"
	"}\n"
	"struct shuffled { float *y; const float *x; int n; };\n"
	"KERNEL(shuffled, 1024) {\n"
	"	__shared__ double part[32];\n"
	"	const float *__restrict__ x = k.x + (long long)blockIdx.x * k.n;\n"
	"	double s = 0;\n"
	"	for (int i = threadIdx.x; i < k.n; i += blockDim.x) s += (double)__ldg(x + i);\n"
	"	s = warp_sum(s);\n"
	"	if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = s;\n"
	"	__syncthreads();\n"
	"	if (threadIdx.x < 32) {\n"
	"		s = threadIdx.x < (blockDim.x + 31) / 32 ? part[threadIdx.x] : 0.0;\n"
	"		s = warp_sum(s);\n"
	"	}\n"
	"	if (threadIdx.x == 0) k.y[blockIdx.x] = (float)s;\n"
	"}\n"
	"struct order { float *y; };\n"
	"KERNEL(order, 64) {\n"
	"	k.y[1 + threadIdx.x] = k.y[0]; k.y[0] += 1;\n"
	"	__syncthreads();\n"
	"	k.y[65 + threadIdx.x] = k.y[0]; k.y[0] += 1;\n"
	"}\n"
	"struct lanes { float *y; };\n"
	"KERNEL(lanes, 64) {\n"
	"	float v = (float)threadIdx.x;\n"
	"	float down = __shfl_down_sync(0xffffffffu, v, 3), third = __shfl_sync(0xffffffffu, v, 3);\n"
	"	__syncwarp(); __syncwarp(0xffffffffu);\n"
	"	int i = __shfl_xor_sync(0xffffffffu, (int)threadIdx.x, 1);\n"
	"	float4 q = make_float4(down, third, (float)i, max(1.0f, min(2.0f, rsqrtf(0.25f) + 1.0f)));\n"
	"	((float4 *)k.y)[threadIdx.x] = q;\n"
	"}\n"
	"struct diverge { int how; };\n"
	"KERNEL(diverge, 64) {\n"
	"	if (k.how == 0 && threadIdx.x < 40) __syncthreads();\n"
	"	if (k.how == 1) { if (threadIdx.x < 40) { __syncthreads(); }\n"
	"		else { __syncthreads(); } }\n"
	"	if (k.how == 2 && threadIdx.x != 5) __syncwarp();\n"
	"	if (k.how == 3) __syncwarp(0xffffu);\n"
	"	if (k.how == 4) { volatile int zero = 0; zero = 7 / zero; }\n"
	"}\n"
	"struct deep { int how; };\n"
	"KERNEL(deep, 64) {\n"
	"	volatile float a[100000];\n"
	"	for (int i = 99999; i >= 0; i--) a[i] = 1;\n"
	"	((volatile int *)&k.how)[0] = (int)a[5];\n"
	"}\n"
	"struct empty { float *y; int n; };\n"
	"KERNEL(empty, 256) {\n"
	"	long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;\n"
	"	if (i < k.n) k.y[i] = (float)i;\n"
	"}\n"
	"struct wait { float *y; int n; };\n"
	"KERNEL(wait, 256) { for (int i = 0; i < k.n; i++) __syncthreads(); }\n";

static handle context, stream, module;

/* load compiles a source and returns its module. If result is not NULL, it gets the result of the
 * compiler; otherwise an error ends the program. */
static handle load(const char *text, const char *name, int *result, char **log)
{
	handle p, m = NULL;
	size_t n;
	const char *options[] = {"--gpu-architecture=sm_90", "-DSIZE=256", "--define-macro=EXTRA=1", "--fmad=false"};
	OK(nvrtcCreateProgram(&p, text, name, 0, NULL, NULL));
	int r = nvrtcCompileProgram(p, 4, options);
	OK(nvrtcGetProgramLogSize(p, &n));
	char *messages = malloc(n);
	OK(nvrtcGetProgramLog(p, messages));
	if (result == NULL && (r != 0 || n > 1))
		die(__LINE__, "compiler: %d\n%s", r, messages);
	if (result != NULL)
		*result = r;
	if (log != NULL)
		*log = messages;
	if (r == 0) {
		OK(nvrtcGetCUBINSize(p, &n));
		char *image = malloc(n);
		OK(nvrtcGetCUBIN(p, image));
		OK(cuModuleLoadData(&m, image));
	}
	OK(nvrtcDestroyProgram(&p));
	return m;
}

static handle function(const char *name)
{
	handle f;
	OK(cuModuleGetFunction(&f, module, name));
	return f;
}

static int launch_n(handle f, unsigned blocks, unsigned threads, const void *param, size_t n)
{
	void *extra[] = {(void *)1, (void *)param, (void *)2, &n, NULL};
	return cuLaunchKernel(f, blocks, 1, 1, threads, 1, 1, 0, stream, NULL, extra);
}

#define LAUNCH(f, blocks, threads, param) launch_n(f, blocks, threads, &(param), sizeof(param))

static void open_device(void)
{
	int n;
	OK(cuInit(0));
	OK(cuDeviceGetCount(&n));
	WANT(1, n);
	WANT(201, cuStreamCreate(&stream, 0));
	OK(cuDevicePrimaryCtxRetain(&context, 0));
	OK(cuCtxSetCurrent(context));
	OK(cuStreamCreate(&stream, 1));
}

static ptr device(size_t n)
{
	ptr p;
	OK(cuMemAlloc_v2(&p, n * sizeof(float)));
	return p;
}

static float *pinned(size_t n)
{
	void *p;
	OK(cuMemHostAlloc(&p, n * sizeof(float), 0));
	return p;
}

/* random_floats returns random numbers in pinned memory, and copies them to the device. */
static float *random_floats(size_t n, ptr *d)
{
	float *x = pinned(n);
	for (size_t i = 0; i < n; i++)
		x[i] = (float)(rand() % 2001 - 1000) / 500;
	*d = device(n);
	OK(cuMemcpyHtoDAsync_v2(*d, x, n * sizeof(float), stream));
	return x;
}

static void download(float *y, ptr d, size_t n)
{
	OK(cuMemcpyDtoHAsync_v2(y, d, n * sizeof(float), stream));
	OK(cuStreamSynchronize(stream));
}

static void check_add(void)
{
	ptr da, db, dy = device(1000);
	float *a = random_floats(1000, &da), *b = random_floats(1000, &db), *y = pinned(1000);
	struct add k = {dy, da, db, 1000};
	OK(LAUNCH(function("add"), 4, 256, k));
	k.n = 0; /* the argument was copied */
	download(y, dy, 1000);
	for (int i = 0; i < 1000; i++)
		TRUE(y[i] == a[i] + b[i]);
	OK(cuMemFree_v2(dy));
	WANT(1, cuMemFree_v2(dy));
	OK(cuModuleUnload(module));
	OK(cuDevicePrimaryCtxRelease_v2(0));
	WANT(201, cuStreamSynchronize(stream));
}

static void check_reductions(void)
{
	static const unsigned sizes[] = {32, 64, 100, 128, 250, 256, 512, 1000, 1024};
	handle tree, shuffled;
	module = load(reductions, "reductions.cu", NULL, NULL);
	tree = function("tree"), shuffled = function("shuffled");
	enum { BLOCKS = 5, N = 1999 };
	ptr dx, dy = device(BLOCKS);
	float *x = random_floats(BLOCKS * N, &dx), *y = pinned(BLOCKS);
	struct sum k = {dy, dx, N};
	for (int twice = 0; twice < 2; twice++) {
		for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
			for (int f = 0; f < 2; f++) {
				if (f == 1 && sizes[s] % 32 != 0)
					continue; /* a warp that is not full has no value for the xor */
				OK(LAUNCH(f ? shuffled : tree, BLOCKS, sizes[s], k));
				download(y, dy, BLOCKS);
				for (int b = 0; b < BLOCKS; b++) {
					double want = 0;
					for (int i = 0; i < N; i++)
						want += x[b * N + i];
					if (!(fabs(y[b] - want) < 1e-3))
						die(__LINE__, "%u threads, way %d: %g, want %g", sizes[s], f, y[b], want);
				}
			}
		}
	}
}

static void check_lanes(void)
{
	module = load(reductions, "reductions.cu", NULL, NULL);
	ptr dy = device(4 * 64);
	float *y = pinned(4 * 64);
	OK(LAUNCH(function("lanes"), 1, 64, dy));
	download(y, dy, 4 * 64);
	for (int i = 0; i < 64; i++) {
		TRUE(y[4 * i] == (float)(i % 32 + 3 < 32 ? i + 3 : i));
		TRUE(y[4 * i + 1] == (float)(i / 32 * 32 + 3));
		TRUE(y[4 * i + 2] == (float)(i ^ 1));
		TRUE(y[4 * i + 3] == 2.0f);
	}
	/* A warp of 8 threads: lane 5 + 3 does not exist, so lane 5 gets garbage. */
	OK(LAUNCH(function("lanes"), 1, 8, dy));
	download(y, dy, 4 * 64);
	TRUE(y[4 * 4] == 7.0f);
	TRUE(isnan(y[4 * 5]));
}

/* A kernel with a missing barrier must give wrong numbers, in either order of the threads. */
static void check_missing_barrier(void)
{
	module = load(reductions, "reductions.cu", NULL, NULL);
	enum { N = 64 };
	ptr dx, dy = device(N);
	float *x = random_floats(N, &dx), *y = pinned(N);
	struct sum k = {dy, dx, N};
	for (int launch = 0; launch < 4; launch++) {
		int wrong = 0;
		OK(LAUNCH(function("no_barrier"), 1, N, k));
		download(y, dy, N);
		for (int i = 0; i < N; i++)
			wrong += !(y[i] == x[(i + 1) % N] + x[(i + 7) % N]);
		TRUE(wrong > 0);
	}
}

/* The order of the threads changes at each barrier, and differs between launches. */
static void check_order(void)
{
	module = load(reductions, "reductions.cu", NULL, NULL);
	ptr d = device(129);
	float *y = pinned(129);
	int forward = 0;
	for (int launch = 0; launch < 4; launch++) {
		y[0] = 0;
		OK(cuMemcpyHtoDAsync_v2(d, y, 4, stream));
		OK(LAUNCH(function("order"), 1, 64, d));
		download(y, d, 129);
		int f = y[1] == 0;
		for (int i = 0; i < 64; i++) {
			TRUE(y[1 + i] == (float)(f ? i : 63 - i));
			TRUE(y[65 + i] == (float)(64 + (f ? 63 - i : i)));
		}
		forward += f;
	}
	WANT(2, forward);
}

static void check_late_execution(void)
{
	ptr d = device(4), spare = device(4);
	float *x = pinned(4), *y = pinned(4);
	for (int i = 0; i < 4; i++)
		x[i] = 1, y[i] = 0;
	OK(cuMemcpyHtoDAsync_v2(d, x, 16, stream));
	x[0] = 2; /* too early */
	OK(cuMemcpyDtoHAsync_v2(y, d, 16, stream));
	TRUE(y[0] == 0);
	OK(cuStreamSynchronize(stream));
	TRUE(y[0] == 2 && y[1] == 1);

	/* Freeing waits. */
	x[0] = 3;
	OK(cuMemcpyHtoDAsync_v2(d, x, 16, stream));
	OK(cuMemcpyDtoHAsync_v2(y, d, 16, stream));
	OK(cuMemFree_v2(spare));
	TRUE(y[0] == 3);
	WANT(1, cuMemcpyHtoDAsync_v2(d, x, 20, stream));
	WANT(1, cuMemcpyHtoDAsync_v2(d, &d, 4, stream));
	WANT(400, cuStreamSynchronize(NULL));
	WANT(400, cuMemcpyHtoDAsync_v2(d, x, 16, NULL));
}

static void check_events(void)
{
	handle other, e, late;
	float *x = pinned(1), *y = pinned(1), ms;
	ptr d = device(1);
	OK(cuStreamCreate(&other, 1));
	OK(cuEventCreate(&e, 0));
	OK(cuEventCreate(&late, 0));
	OK(cuEventQuery(e));

	/* Without an event the download does not see the upload; with one it does. */
	x[0] = 5;
	OK(cuMemcpyHtoDAsync_v2(d, x, 4, other));
	download(y, d, 1);
	TRUE(isnan(y[0]));
	OK(cuEventRecord(e, other));
	WANT(600, cuEventElapsedTime(&ms, e, e));
	OK(cuStreamWaitEvent(stream, e, 0));
	download(y, d, 1);
	TRUE(y[0] == 5);
	OK(cuEventQuery(e));

	/* The wait is for the record at the time of the call. */
	x[0] = 6;
	OK(cuMemcpyHtoDAsync_v2(d, x, 4, other));
	OK(cuEventRecord(late, other));
	WANT(600, cuEventQuery(late));
	int polls = 1;
	while (cuEventQuery(late) == 600)
		polls++;
	WANT(2, polls);
	download(y, d, 1);
	TRUE(y[0] == 6);
	OK(cuEventElapsedTime(&ms, e, late));
	TRUE(ms >= 0 && ms < 60e3);
	OK(cuEventSynchronize(late));
	OK(cuStreamDestroy_v2(other));
	OK(cuEventQuery(late));
	OK(cuEventDestroy_v2(late));
	WANT(400, cuEventQuery(late));
	WANT(400, cuEventRecord(e, other));
}

static void check_capture(void)
{
	handle g, exec, other, e;
	ptr d = device(8), workspace = device(1024), p;
	float *y = pinned(8);
	struct put one = {d, 0, 1};
	struct scale k = {d, 1, 3};
	OK(cuStreamCreate(&other, 1));
	OK(cuEventCreate(&e, 0));
	OK(LAUNCH(function("put"), 1, 1, one));
	OK(cuStreamBeginCapture_v2(stream, 0));
	OK(LAUNCH(function("scale"), 1, 64, k));
	k.v = 5;
	OK(LAUNCH(function("scale"), 1, 64, k));
	OK(cuStreamEndCapture(stream, &g));
	download(y, d, 1);
	TRUE(y[0] == 1); /* nothing ran */
	OK(cuGraphInstantiateWithFlags(&exec, g, 0));
	OK(cuGraphDestroy(g));
	OK(cuGraphLaunch(exec, stream));
	OK(cuGraphLaunch(exec, stream));
	OK(cuGraphExecDestroy(exec));
	download(y, d, 1);
	TRUE(y[0] == 225);
	WANT(400, cuGraphLaunch(exec, stream));

	/* A product is captured in the graph of its handle's stream. */
	handle blas;
	float alpha = 1, beta = 0;
	OK(cublasCreate_v2(&blas));
	WANT(7, cublasSgemm_v2(blas, 0, 0, 1, 1, 1, &alpha, d, 1, d, 1, &beta, d + 4, 1));
	OK(cublasSetStream_v2(blas, stream));
	OK(cublasSetWorkspace_v2(blas, workspace, 4096));
	OK(cuStreamBeginCapture_v2(stream, 2));
	OK(cublasSgemm_v2(blas, 0, 0, 1, 1, 1, &alpha, d, 1, d, 1, &beta, d + 4, 1));
	OK(cuStreamEndCapture(stream, &g));
	OK(cuGraphInstantiateWithFlags(&exec, g, 0));
	OK(cuGraphLaunch(exec, stream));
	download(y, d, 2);
	TRUE(y[1] == 225 * 225);
	OK(cublasDestroy_v2(blas));

	for (int forbidden = 0; forbidden < 7; forbidden++) {
		OK(cuStreamBeginCapture_v2(stream, 0));
		switch (forbidden) {
		case 0: WANT(900, cuMemAlloc_v2(&p, 4)); break;
		case 1: WANT(900, cuMemcpyDtoHAsync_v2(y, d, 4, stream)); break;
		case 2: WANT(900, cuStreamSynchronize(stream)); break;
		case 3: WANT(900, cuEventRecord(e, stream)); break;
		case 4: WANT(900, cuStreamWaitEvent(stream, e, 0)); break;
		case 5: WANT(900, cuStreamSynchronize(other)); break;
		case 6: WANT(900, cuMemFree_v2(d)); break;
		}
		WANT(901, LAUNCH(function("scale"), 1, 64, k));
		WANT(901, cuStreamEndCapture(stream, &g));
		OK(cuStreamSynchronize(stream));
	}
}

static void check_out_of_bounds(void)
{
	size_t available, all;
	handle f;
	ptr d = device(1000), p;
	struct put k = {d, 1000, 1}; /* 4000 bytes are a multiple of 16, so the inaccessible page follows immediately */
	OK(LAUNCH(function("put"), 1, 1, k));
	WANT(700, cuStreamSynchronize(stream));
	WANT(700, cuStreamSynchronize(stream));
	WANT(700, cuMemAlloc_v2(&p, 4));
	WANT(700, cuMemGetInfo_v2(&available, &all));

	/* A new context works, and faults like the first. */
	WANT(700, cuDevicePrimaryCtxRelease_v2(0));
	OK(cuDevicePrimaryCtxRetain(&context, 0));
	OK(cuCtxSetCurrent(context));
	OK(cuStreamCreate(&stream, 0));
	WANT(400, cuModuleGetFunction(&f, module, "put"));
	module = load(source, "driver.cu", NULL, NULL);
	k.y = device(1000);
	k.at = 999;
	OK(LAUNCH(function("put"), 1, 1, k));
	OK(cuStreamSynchronize(stream));
	k.at = 1000;
	OK(LAUNCH(function("put"), 1, 1, k));
	WANT(700, cuStreamSynchronize(stream));
}

/* One number after an allocation of 1001 is on the same page. */
static void check_slack(void)
{
	struct put k = {device(1001), 1001, 1};
	OK(LAUNCH(function("put"), 1, 1, k));
	WANT(700, cuStreamSynchronize(stream));
}

static void check_underrun(void)
{
	struct put k = {device(1000), -1, 1};
	OK(LAUNCH(function("put"), 1, 1, k));
	OK(cuStreamSynchronize(stream));
	WANT(700, cuMemFree_v2(k.y));
}

static void check_use_after_free(void)
{
	struct put k = {device(4), 0, 1};
	OK(cuMemFree_v2(k.y));
	device(4);
	OK(LAUNCH(function("put"), 1, 1, k));
	WANT(700, cuStreamSynchronize(stream));
}

static void check_gemm_out_of_bounds(void)
{
	handle blas;
	float alpha = 1, beta = 0;
	ptr a = device(64 * 64), b = device(64 * 63), c = device(64 * 64);
	OK(cublasCreate_v2(&blas));
	OK(cublasSetStream_v2(blas, stream));
	OK(cublasSgemm_v2(blas, 0, 0, 64, 64, 64, &alpha, a, 64, b, 64, &beta, c, 64));
	WANT(700, cuStreamSynchronize(stream));
	WANT(13, cublasSgemm_v2(blas, 0, 0, 64, 64, 64, &alpha, a, 64, b, 64, &beta, c, 64));
}

static void diverge(const char *kernel, int how, int want)
{
	module = load(reductions, "reductions.cu", NULL, NULL);
	OK(LAUNCH(function(kernel), 3, 64, how));
	WANT(want, cuStreamSynchronize(stream));
	WANT(want, cuStreamSynchronize(stream));
}

static void check_ended_threads(void) { diverge("diverge", 0, 719); }
static void check_two_barriers(void) { diverge("diverge", 1, 719); }
static void check_half_a_warp(void) { diverge("diverge", 2, 719); }
static void check_mask(void) { diverge("diverge", 3, 719); }
static void check_division(void) { diverge("diverge", 4, 719); }
static void check_stack(void) { diverge("deep", 0, 700); }

static void check_memory(void)
{
	size_t available, all;
	ptr p, q;
	setenv("RECAP_EMULATOR_MEMORY", "1000000", 1);
	OK(cuMemAlloc_v2(&p, 600000));
	OK(cuMemGetInfo_v2(&available, &all));
	TRUE(available == 400000 && all == 1000000);
	WANT(2, cuMemAlloc_v2(&q, 500000));
	OK(cuMemFree_v2(p));
	OK(cuMemAlloc_v2(&q, 500000));
	WANT(1, cuMemAlloc_v2(&q, 0));
	unsetenv("RECAP_EMULATOR_MEMORY");
	const char *name;
	OK(cuGetErrorName(2, &name));
	OK(strcmp(name, "CUDA_ERROR_OUT_OF_MEMORY"));
}

static void check_launch(void)
{
	handle f, scale = function("scale");
	struct scale k = {device(4), 4, 1};
	size_t n = sizeof k;
	void *extra[] = {(void *)1, &k, (void *)2, &n, NULL}, *params[] = {&k};
	WANT(1, LAUNCH(scale, 1, 257, k));
	WANT(1, LAUNCH(scale, 1, 1025, k));
	WANT(1, LAUNCH(scale, 1, 0, k));
	WANT(1, LAUNCH(scale, 0, 1, k));
	WANT(1, launch_n(scale, 1, 1, &k, sizeof k - 4));
	WANT(1, cuLaunchKernel(scale, 1, 1, 1, 1, 1, 1, 0, stream, params, NULL));
	WANT(400, cuLaunchKernel(scale, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, extra));
	OK(cuLaunchKernel(scale, 1, 1, 1, 1, 1, 1, 0, stream, NULL, extra));
	WANT(500, cuModuleGetFunction(&f, module, "missing"));
	WANT(500, cuModuleGetFunction(&f, module, "tanhf"));
	WANT(218, cuModuleLoadData(&f, "struct add"));
	OK(cuModuleUnload(module));
	WANT(400, LAUNCH(scale, 1, 1, k));
}

static void compile_error(const char *text, const char *want)
{
	int r;
	char *log;
	load(text, "wrong.cu", &r, &log);
	if (r != 6 || strstr(log, want) == NULL)
		die(__LINE__, "compiling %s: %d, want 6 and %s in\n%s", text, r, want, log);
}

static void check_compile_errors(void)
{
	compile_error("struct f { int n; };\nKERNEL(f, 1) {\n\tk.m = 1;\n}\n", "wrong.cu:3:");
	compile_error("struct f { int n; };\nKERNEL(f, 1) { k.n = missing(k.n); }\n", "wrong.cu:2:");
	compile_error("struct f { void *p; };\nKERNEL(f, 1) { float *x = k.p; x[0] = 1; }\n", "wrong.cu:2:");
	compile_error("struct f { float *p; };\nKERNEL(f, 1) { k.p[0] = INFINITY; }\n", "INFINITY");
	compile_error("struct f { int new; };\nKERNEL(f, 1) { }\n", "wrong.cu:1:");
}

static float element(const float *x, int trans, int ld, int row, int column)
{
	return trans ? x[row * ld + column] : x[column * ld + row];
}

static void check_gemm(void)
{
	handle blas;
	OK(cublasCreate_v2(&blas));
	OK(cublasSetStream_v2(blas, stream));
	enum { M = 37, N = 19, K = 53, LDA = 60, LDB = 55, LDC = 40, COUNT = 3, SA = 60 * 54, SB = 55 * 54, SC = 40 * N };
	ptr da, db, dc;
	float *a = random_floats(COUNT * SA, &da), *b = random_floats(COUNT * SB, &db), *got = pinned(COUNT * SC);
	for (int way = 0; way < 8; way++) {
		int ta = way & 1, tb = way >> 1 & 1;
		float alpha = 0.5f, beta = way & 4 ? 2.0f : 0.0f;
		float *c = random_floats(COUNT * SC, &dc);
		if (beta == 0) {
			dc = device(COUNT * SC); /* NaN, not to be read */
			OK(cublasSgemm_v2(blas, ta, tb, M, N, K, &alpha, da, LDA, db, LDB, &beta, dc, LDC));
		}
		OK(cublasSgemmStridedBatched(blas, ta, tb, M, N, K, &alpha, da, LDA, SA, db, LDB, SB, &beta, dc, LDC, SC, COUNT));
		download(got, dc, COUNT * SC);
		for (int q = 0; q < COUNT; q++) {
			for (int i = 0; i < M; i++) {
				for (int j = 0; j < N; j++) {
					double s = 0;
					for (int p = 0; p < K; p++)
						s += (double)element(a + q * SA, ta, LDA, i, p) * element(b + q * SB, tb, LDB, p, j);
					int at = q * SC + j * LDC + i;
					float want = (float)(alpha * s + (beta ? beta * c[at] : 0));
					if (got[at] != want)
						die(__LINE__, "way %d [%d %d %d]: %g, want %g", way, q, i, j, got[at], want);
				}
			}
		}
		TRUE(beta ? got[M] == c[M] : isnan(got[M])); /* nothing is written between the columns */
	}
	WANT(7, cublasSgemm_v2(blas, 0, 0, 4, 4, 4, a, da, 3, db, 4, a, dc, 4));
}

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* check_cost prints the cost of threads, barriers and products; it checks nothing. */
static void check_cost(void)
{
	module = load(reductions, "reductions.cu", NULL, NULL);
	struct {
		ptr y;
		int n;
	} k = {device(1 << 20), 1 << 20}, w = {k.y, 1000};
	handle empty = function("empty"), wait = function("wait"), blas;
	OK(LAUNCH(empty, 4096, 256, k));
	OK(cuStreamSynchronize(stream));
	double t = seconds();
	OK(LAUNCH(empty, 4096, 256, k));
	OK(cuStreamSynchronize(stream));
	printf("a thread without a barrier costs %.1f ns, ", (seconds() - t) * 1e9 / (1 << 20));
	t = seconds();
	OK(LAUNCH(wait, 4, 256, w));
	OK(cuStreamSynchronize(stream));
	printf("a barrier %.1f ns per thread, ", (seconds() - t) * 1e9 / (4 * 256 * 1000));
	float alpha = 1, beta = 0;
	OK(cublasCreate_v2(&blas));
	OK(cublasSetStream_v2(blas, stream));
	t = seconds();
	OK(cublasSgemm_v2(blas, 0, 1, 400, 400, 400, &alpha, k.y, 400, k.y, 400, &beta, k.y + 800000, 400));
	OK(cuStreamSynchronize(stream));
	printf("a product of 400 runs at %.2f GFlop/s, ", 2 * 64e-3 / (seconds() - t));
	k.n = 0;
	t = seconds();
	for (int i = 0; i < 1000; i++)
		OK(LAUNCH(empty, 1, 32, k));
	OK(cuStreamSynchronize(stream));
	printf("a launch %.2f us\n", (seconds() - t) * 1e3);
}

#define CHECKS(F)                                                                                                             \
	F(add) F(reductions) F(lanes) F(missing_barrier) F(order) F(late_execution) F(events) F(capture) F(out_of_bounds) F(slack) F(underrun) \
	F(use_after_free) F(gemm_out_of_bounds) F(ended_threads) F(two_barriers) F(half_a_warp) F(mask) F(division) F(stack) \
	F(memory) F(launch) F(compile_errors) F(gemm) F(cost)

int main(int argc, char **argv)
{
	char path[4096];
	if (argc < 3) {
#define NAME(name) puts(#name);
		CHECKS(NAME)
		return 0;
	}
	snprintf(path, sizeof path, "%s/libcuda.so.1", argv[1]);
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL)
		die(__LINE__, "%s", dlerror());
#define FIND(name, args)                                        \
	if ((name = (int(*) args)dlsym(library, #name)) == NULL) \
		die(__LINE__, "no %s", #name);
	FUNCTIONS(FIND)
	open_device();
	module = load(source, "driver.cu", NULL, NULL);
#define RUN(name)                         \
	if (strcmp(argv[2], #name) == 0) { \
		check_##name();           \
		return 0;                 \
	}
	CHECKS(RUN)
	die(__LINE__, "no check %s", argv[2]);
}
