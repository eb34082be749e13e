//go:build cuda && cgo && linux

#include "driver.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The functions that are used, with prototypes written for this file. Where the driver and cuBLAS
// have numbered versions (_v2), only these are used, since they are unchanged from CUDA 11.4 on.
// All result types are int.
#define DRIVER_FUNCTIONS(X) \
	X(cuInit, (unsigned flags)) \
	X(cuDriverGetVersion, (int *version)) \
	X(cuGetErrorName, (int code, const char **name)) \
	X(cuGetErrorString, (int code, const char **text)) \
	X(cuDeviceGetCount, (int *count)) \
	X(cuDeviceGet, (int *device, int ordinal)) \
	X(cuDeviceGetName, (char *name, int length, int device)) \
	X(cuDeviceGetAttribute, (int *value, int attribute, int device)) \
	X(cuDeviceTotalMem_v2, (size_t *bytes, int device)) \
	X(cuDevicePrimaryCtxRetain, (void **context, int device)) \
	X(cuCtxSetCurrent, (void *context)) \
	X(cuMemGetInfo_v2, (size_t *available, size_t *total)) \
	X(cuMemAlloc_v2, (uint64_t *address, size_t bytes)) \
	X(cuMemFree_v2, (uint64_t address)) \
	X(cuMemHostAlloc, (void **p, size_t bytes, unsigned flags)) \
	X(cuMemcpyHtoDAsync_v2, (uint64_t to, const void *from, size_t bytes, void *stream)) \
	X(cuMemcpyDtoHAsync_v2, (void *to, uint64_t from, size_t bytes, void *stream)) \
	X(cuStreamCreate, (void **stream, unsigned flags)) \
	X(cuStreamSynchronize, (void *stream)) \
	X(cuStreamWaitEvent, (void *stream, void *event, unsigned flags)) \
	X(cuStreamBeginCapture_v2, (void *stream, int mode)) \
	X(cuStreamEndCapture, (void *stream, void **graph)) \
	X(cuGraphInstantiateWithFlags, (void **executable, void *graph, unsigned long long flags)) \
	X(cuGraphLaunch, (void *executable, void *stream)) \
	X(cuGraphExecDestroy, (void *executable)) \
	X(cuGraphDestroy, (void *graph)) \
	X(cuEventCreate, (void **event, unsigned flags)) \
	X(cuEventRecord, (void *event, void *stream)) \
	X(cuEventSynchronize, (void *event)) \
	X(cuModuleLoadData, (void **module, const void *image)) \
	X(cuModuleGetFunction, (void **function, void *module, const char *name)) \
	X(cuLaunchKernel, (void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void *stream, \
		void **parameters, void **extra))

#define BLAS_FUNCTIONS(X) \
	X(cublasCreate_v2, (void **handle)) \
	X(cublasGetVersion_v2, (void *handle, int *version)) \
	X(cublasSetStream_v2, (void *handle, void *stream)) \
	X(cublasSetMathMode, (void *handle, int mode)) \
	X(cublasSetWorkspace_v2, (void *handle, void *workspace, size_t bytes)) \
	X(cublasSgemm_v2, (void *handle, int ta, int tb, int m, int n, int k, const float *alpha, const float *a, int lda, \
		const float *b, int ldb, const float *beta, float *c, int ldc)) \
	X(cublasSgemmStridedBatched, (void *handle, int ta, int tb, int m, int n, int k, const float *alpha, const float *a, int lda, long long sa, \
		const float *b, int ldb, long long sb, const float *beta, float *c, int ldc, long long sc, int count))

#define COMPILER_FUNCTIONS(X) \
	X(nvrtcVersion, (int *major, int *minor)) \
	X(nvrtcGetNumSupportedArchs, (int *count)) \
	X(nvrtcGetSupportedArchs, (int *archs)) \
	X(nvrtcCreateProgram, (void **program, const char *source, const char *name, int headers, const char *const *header, const char *const *include)) \
	X(nvrtcCompileProgram, (void *program, int options, const char *const *option)) \
	X(nvrtcDestroyProgram, (void **program)) \
	X(nvrtcGetProgramLogSize, (void *program, size_t *bytes)) \
	X(nvrtcGetProgramLog, (void *program, char *log)) \
	X(nvrtcGetCUBINSize, (void *program, size_t *bytes)) \
	X(nvrtcGetCUBIN, (void *program, char *image)) \
	X(nvrtcGetPTXSize, (void *program, size_t *bytes)) \
	X(nvrtcGetPTX, (void *program, char *image))

#define DECLARE(name, parameters) static int (*name) parameters;
DRIVER_FUNCTIONS(DECLARE)
BLAS_FUNCTIONS(DECLARE)
COMPILER_FUNCTIONS(DECLARE)

static void *libraries[LIBRARIES];

const char *library_open(int library, const char *path) {
	libraries[library] = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	return libraries[library] ? NULL : dlerror();
}

const char *library_bind(int library) {
#define BIND(name, parameters) \
	if (!(*(void **)&name = dlsym(libraries[library], #name))) \
		return #name;
	switch (library) {
	case DRIVER:
		DRIVER_FUNCTIONS(BIND)
		break;
	case BLAS:
		BLAS_FUNCTIONS(BIND)
		break;
	case COMPILER:
		COMPILER_FUNCTIONS(BIND)
		break;
	}
	return NULL;
}

// BLAS_CODE is added to error codes of cuBLAS, which distinguishes them from those of the driver.
enum { BLAS_CODE = 100000 };

const char *driver_error(int code) {
	static char text[256];
	const char *name = "unknown", *what = "";
	if (code >= BLAS_CODE) {
		static const char *const names[] = {[1] = "NOT_INITIALIZED", [3] = "ALLOC_FAILED", [7] = "INVALID_VALUE", [8] = "ARCH_MISMATCH",
			[11] = "MAPPING_ERROR", [13] = "EXECUTION_FAILED", [14] = "INTERNAL_ERROR", [15] = "NOT_SUPPORTED"};
		int status = code - BLAS_CODE;
		if (status < (int)(sizeof names / sizeof *names) && names[status])
			name = names[status];
		snprintf(text, sizeof text, "cuBLAS: CUBLAS_STATUS_%s (%d)", name, status);
		return text;
	}
	cuGetErrorName(code, &name);
	cuGetErrorString(code, &what);
	snprintf(text, sizeof text, "%s: %s", name, what);
	return text;
}

// TRY returns from the calling function if call fails.
#define TRY(call) \
	do { \
		int code = (call); \
		if (code) \
			return code; \
	} while (0)
#define TRY_BLAS(call) \
	do { \
		int code = (call); \
		if (code) \
			return code + BLAS_CODE; \
	} while (0)

// Values of the interfaces' enumerations.
enum { PROCESSORS = 16, MAJOR = 75, MINOR = 76 };         // CUdevice_attribute
// Flags of streams, events and captures. With SLEEP, a wait for an event blocks the thread.
enum { NON_BLOCKING = 1, SLEEP = 1, NO_TIMING = 2, THREAD_LOCAL = 1 };
enum { DEFAULT_MATH = 0, TF32_MATH = 3 };                 // cublasMath_t
enum { WORKSPACE = 32 << 20 }; // bytes; cuBLAS recommends this size for the newest devices
enum { STAGING = 4 << 20 };    // bytes

// A gpu is an open device. Kernels run on one stream, copies from the host on another.
struct gpu {
	void *kernels, *copies, *blas;
	void *copied[2], *done[2]; // events of the two arenas: the copy has finished, the kernels have finished
	char *staging;             // STAGING bytes of pinned memory for downloads
};

int device_count(int *count, int *version) {
	TRY(cuInit(0));
	TRY(cuDriverGetVersion(version));
	return cuDeviceGetCount(count);
}

int device_open(int ordinal, int tf32, struct gpu **opened, struct device_info *info) {
	struct gpu *g = *opened = calloc(1, sizeof *g);
	int device;
	void *context;
	uint64_t workspace;
	TRY(cuInit(0));
	TRY(cuDriverGetVersion(&info->driver));
	TRY(cuDeviceGet(&device, ordinal));
	TRY(cuDeviceGetName(info->name, sizeof info->name, device));
	TRY(cuDeviceGetAttribute(&info->major, MAJOR, device));
	TRY(cuDeviceGetAttribute(&info->minor, MINOR, device));
	TRY(cuDeviceGetAttribute(&info->processors, PROCESSORS, device));
	TRY(cuDeviceTotalMem_v2(&info->memory, device));
	TRY(cuDevicePrimaryCtxRetain(&context, device));
	TRY(cuCtxSetCurrent(context));
	TRY(cuStreamCreate(&g->kernels, NON_BLOCKING));
	TRY(cuStreamCreate(&g->copies, NON_BLOCKING));
	for (int p = 0; p < 2; p++) {
		TRY(cuEventCreate(&g->copied[p], NO_TIMING | SLEEP));
		TRY(cuEventCreate(&g->done[p], NO_TIMING));
	}
	TRY(cuMemHostAlloc((void **)&g->staging, STAGING, 0));
	TRY_BLAS(cublasCreate_v2(&g->blas));
	TRY_BLAS(cublasGetVersion_v2(g->blas, &info->blas));
	TRY_BLAS(cublasSetStream_v2(g->blas, g->kernels));
	TRY(cuMemAlloc_v2(&workspace, WORKSPACE));
	// A captured product needs a workspace with a fixed address.
	TRY_BLAS(cublasSetWorkspace_v2(g->blas, (void *)workspace, WORKSPACE));
	TRY_BLAS(cublasSetMathMode(g->blas, tf32 ? TF32_MATH : DEFAULT_MATH));
	return 0;
}

int memory_alloc(uint64_t *address, size_t bytes) { return cuMemAlloc_v2(address, bytes); }

int memory_free(uint64_t address) { return cuMemFree_v2(address); }

int memory_info(size_t *available, size_t *total) { return cuMemGetInfo_v2(available, total); }

int memory_pinned(void **p, size_t bytes) { return cuMemHostAlloc(p, bytes, 0); }

int memory_download(struct gpu *g, void *to, uint64_t from, size_t bytes) {
	for (size_t at = 0; at < bytes; at += STAGING) {
		size_t part = bytes - at < STAGING ? bytes - at : STAGING;
		TRY(cuMemcpyDtoHAsync_v2(g->staging, from + at, part, g->kernels));
		TRY(cuStreamSynchronize(g->kernels));
		memcpy((char *)to + at, g->staging, part);
	}
	return 0;
}

int compiler_version(int *major, int *minor) { return nvrtcVersion(major, minor); }

int compiler_archs(int *archs, int *count) {
	TRY(nvrtcGetNumSupportedArchs(count));
	return archs ? nvrtcGetSupportedArchs(archs) : 0;
}

int compiler_run(const char *source, const char *name, int options, const char **option, int ptx, char **image, size_t *bytes, char **log) {
	void *program;
	size_t n;
	*image = *log = NULL;
	TRY(nvrtcCreateProgram(&program, source, name, 0, NULL, NULL));
	int code = nvrtcCompileProgram(program, options, option);
	if (!nvrtcGetProgramLogSize(program, &n) && (*log = calloc(n + 1, 1)))
		nvrtcGetProgramLog(program, *log);
	if (!code)
		code = ptx ? nvrtcGetPTXSize(program, bytes) : nvrtcGetCUBINSize(program, bytes);
	if (!code && (*image = malloc(*bytes)))
		code = ptx ? nvrtcGetPTX(program, *image) : nvrtcGetCUBIN(program, *image);
	nvrtcDestroyProgram(&program);
	return code;
}

int module_load(const void *image, void **module) { return cuModuleLoadData(module, image); }

int module_function(void *module, const char *name, uint64_t *function) {
	return cuModuleGetFunction((void **)function, module, name);
}

int stage_begin(struct gpu *g, int p, uint64_t to, const void *from, size_t bytes) {
	if (!bytes)
		return 0;
	TRY(cuStreamWaitEvent(g->copies, g->done[p], 0));
	TRY(cuMemcpyHtoDAsync_v2(to, from, bytes, g->copies));
	TRY(cuEventRecord(g->copied[p], g->copies));
	return cuStreamWaitEvent(g->kernels, g->copied[p], 0);
}

int stage_end(struct gpu *g, int p) {
	TRY(cuEventRecord(g->done[p], g->kernels));
	return cuEventSynchronize(g->copied[p]);
}

static int run_launch(struct gpu *g, const struct launch *c) {
	size_t bytes = ((c->head >> 8) - sizeof *c / 8) * 8;
	void *extra[] = {(void *)1, (void *)c->args, (void *)2, &bytes, (void *)0}; // CU_LAUNCH_PARAM_BUFFER_POINTER, …_SIZE, …_END
	return cuLaunchKernel((void *)c->function, (unsigned)c->blocks, 1, 1, (unsigned)c->threads, 1, 1, 0, g->kernels, NULL, extra);
}

// run_gemm multiplies row-major matrices. cuBLAS expects column-major matrices, so it computes Cᵀ
// = op(B)ᵀ·op(A)ᵀ.
static int run_gemm(struct gpu *g, const struct gemm *c) {
	float alpha = (float)c->alpha, beta = (float)c->beta;
	int ta = c->trans & 1, tb = c->trans >> 1 & 1; // CUBLAS_OP_N is 0, CUBLAS_OP_T 1
	int m = (int)c->m, n = (int)c->n, k = (int)c->k;
	const float *a = (const float *)c->a, *b = (const float *)c->b;
	if (c->count == 1)
		TRY_BLAS(cublasSgemm_v2(g->blas, tb, ta, n, m, k, &alpha, b, (int)c->ldb, a, (int)c->lda, &beta, (float *)c->c, (int)c->ldc));
	else
		TRY_BLAS(cublasSgemmStridedBatched(g->blas, tb, ta, n, m, k, &alpha, b, (int)c->ldb, c->batch_b, a, (int)c->lda, c->batch_a,
			&beta, (float *)c->c, (int)c->ldc, c->batch_c, (int)c->count));
	return 0;
}

int commands_run(struct gpu *g, const uint64_t *words, size_t n, int wait, size_t *at) {
	for (*at = 0; *at < n; *at += words[*at] >> 8) {
		const void *command = words + *at;
		if ((words[*at] & 0xff) == GEMM)
			TRY(run_gemm(g, command));
		else
			TRY(run_launch(g, command));
		if (wait)
			TRY(cuStreamSynchronize(g->kernels));
	}
	return 0;
}

int commands_capture(struct gpu *g, const uint64_t *words, size_t n, void **executable) {
	void *graph;
	size_t at;
	TRY(cuStreamBeginCapture_v2(g->kernels, THREAD_LOCAL));
	int code = commands_run(g, words, n, 0, &at);
	int ended = cuStreamEndCapture(g->kernels, &graph);
	TRY(code);
	TRY(ended);
	code = cuGraphInstantiateWithFlags(executable, graph, 0);
	cuGraphDestroy(graph);
	return code;
}

int graph_run(struct gpu *g, void *executable) { return cuGraphLaunch(executable, g->kernels); }

int graph_free(void *executable) { return cuGraphExecDestroy(executable); }

int stream_wait(struct gpu *g) { return cuStreamSynchronize(g->kernels); }
