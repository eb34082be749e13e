//go:build cuda && cgo && linux

// The C functions that Go calls: thin functions over the driver, cuBLAS and NVRTC, which are
// opened at run time. A function that returns int returns 0 or the error code of the library. All
// functions except library_* must be called on one OS thread.
#ifndef RECAP_DRIVER_H
#define RECAP_DRIVER_H

#include <stddef.h>
#include <stdint.h>

// The libraries.
enum { DRIVER, BLAS, COMPILER, LIBRARIES };

// library_open opens a shared library. It returns NULL, or the error message of dlopen.
const char *library_open(int library, const char *path);
// library_bind looks up all functions of a library that are used. It returns NULL, or the name of
// the first function that is missing.
const char *library_bind(int library);

struct device_info {
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
int device_open(int ordinal, int tf32, struct gpu **g, struct device_info *info);

int memory_alloc(uint64_t *address, size_t bytes);
int memory_free(uint64_t address);
int memory_info(size_t *available, size_t *total);
int memory_pinned(void **p, size_t bytes);
int memory_download(struct gpu *g, void *to, uint64_t from, size_t bytes); // waits for all earlier kernels

int compiler_version(int *major, int *minor);
int compiler_archs(int *archs, int *count); // if archs is NULL, sets only the count
// compiler_run compiles a source, to PTX if ptx is set, else to machine code. The caller frees
// *log and, on success, *image.
int compiler_run(const char *source, const char *name, int options, const char **option, int ptx, char **image, size_t *bytes, char **log);

int module_load(const void *image, void **module);
int module_function(void *module, const char *name, uint64_t *function);

// A command is a sequence of words. The first word is kind | length in words << 8.
enum { LAUNCH = 1, GEMM };

struct launch { uint64_t head, function, blocks, threads, args[]; };
struct gemm {
	uint64_t head, trans; // bit 0 transposes A, bit 1 B
	int64_t m, n, k, lda, ldb, ldc;
	double alpha, beta;
	uint64_t a, b, c;
	int64_t batch_a, batch_b, batch_c, count;
};

// stage_begin starts a copy of the first bytes of the pinned arena p to the device, which runs at
// the same time as the kernels of earlier submissions. Kernels that are launched later wait for
// it.
int stage_begin(struct gpu *g, int p, uint64_t to, const void *from, size_t bytes);
// stage_end marks the end of the kernels that read the device's copy of arena p, and waits until
// the copy from the host has finished.
int stage_end(struct gpu *g, int p);

// commands_run launches the commands in order. If wait is set, it waits for each, so that an error
// can name the command: *at is the position of the command that failed.
int commands_run(struct gpu *g, const uint64_t *words, size_t n, int wait, size_t *at);
// commands_capture creates a graph of the commands.
int commands_capture(struct gpu *g, const uint64_t *words, size_t n, void **graph);
int graph_run(struct gpu *g, void *graph);
int graph_free(void *graph);
int stream_wait(struct gpu *g); // waits for everything that was launched

#endif
