//go:build cuda && cgo && linux

// What Go calls: thin functions over the driver, cuBLAS and NVRTC, which are opened at run time. All return 0 or the library's error
// code, and all but the library_ functions are called on one OS thread.
#ifndef RECAP_DRIVER_H
#define RECAP_DRIVER_H

#include <stddef.h>
#include <stdint.h>

// The libraries.
enum { DRIVER, BLAS, COMPILER, LIBRARIES };

// library_open opens a shared library and returns NULL, or what dlopen says.
const char *library_open(int library, const char *path);
// library_bind finds all functions that are called, and returns NULL or the name of the first that is missing.
const char *library_bind(int library);

struct facts {
	char name[256];
	int driver;         // version, 1000·major + 10·minor
	int blas;           // version of cuBLAS
	int major, minor;   // compute capability
	int processors;     // streaming multiprocessors
	size_t memory;      // bytes
};

const char *driver_error(int code); // "CUDA_ERROR_OUT_OF_MEMORY: out of memory"

int device_count(int *count, int *version);
struct gpu;
int device_open(int ordinal, int tf32, struct gpu **g, struct facts *f);

int memory_alloc(uint64_t *address, size_t bytes);
int memory_free(uint64_t address);
int memory_info(size_t *available, size_t *total);
int memory_pinned(void **p, size_t bytes);
int memory_download(struct gpu *g, void *to, uint64_t from, size_t bytes); // waits for the kernels before it

int compiler_version(int *major, int *minor);
int compiler_archs(int *archs, int *count); // archs NULL: the count alone
// compiler_run compiles a source; *log, and on success *image, are malloc'ed. ptx asks for PTX instead of machine code.
int compiler_run(const char *source, const char *name, int options, const char **option, int ptx, char **image, size_t *bytes, char **log);

int module_load(const void *image, void **module);
int module_function(void *module, const char *name, uint64_t *function);

// Commands are sequences of words. The first is kind | length in words << 8.
enum { LAUNCH = 1, GEMM };

struct launch { uint64_t head, function, blocks, threads, args[]; };
struct gemm {
	uint64_t head, trans; // bit 0: A, bit 1: B
	int64_t m, n, k, lda, ldb, ldc;
	double alpha, beta;
	uint64_t a, b, c;
	int64_t batch_a, batch_b, batch_c, count;
};

// stage_begin copies the first bytes of the pinned arena p to its twin on the device, beside the kernels of earlier submissions; what is
// launched next waits for it.
int stage_begin(struct gpu *g, int p, uint64_t to, const void *from, size_t bytes);
// stage_end marks the last kernel that reads arena p's twin, and waits until the copy from the arena is done.
int stage_end(struct gpu *g, int p);

// commands_run launches the commands in order. With wait, each is waited for, so that a failure has a culprit. *at is the position of the command that failed.
int commands_run(struct gpu *g, const uint64_t *words, size_t n, int wait, size_t *at);
// commands_capture makes a graph of the commands.
int commands_capture(struct gpu *g, const uint64_t *words, size_t n, void **graph);
int graph_run(struct gpu *g, void *graph);
int graph_free(void *graph);
int stream_wait(struct gpu *g); // for all that was launched

#endif
