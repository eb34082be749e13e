/* emulator.h: declarations that all files of the emulator share. The prototypes of the three
 * libraries were written from their documentation. Several OS threads may call the library, but
 * not at the same time, so there are no locks. */
#ifndef EMULATOR_H
#define EMULATOR_H

#define _GNU_SOURCE
#include "link.h"
#include <stddef.h>
#include <stdint.h>

#define API __attribute__((visibility("default")))

typedef int CUresult;
typedef unsigned long long CUdeviceptr;

enum {
	CUDA_SUCCESS = 0,
	CUDA_ERROR_INVALID_VALUE = 1,
	CUDA_ERROR_OUT_OF_MEMORY = 2,
	CUDA_ERROR_NOT_INITIALIZED = 3,
	CUDA_ERROR_INVALID_DEVICE = 101,
	CUDA_ERROR_INVALID_IMAGE = 200,
	CUDA_ERROR_INVALID_CONTEXT = 201,
	CUDA_ERROR_INVALID_PTX = 218,
	CUDA_ERROR_INVALID_HANDLE = 400,
	CUDA_ERROR_NOT_FOUND = 500,
	CUDA_ERROR_NOT_READY = 600,
	CUDA_ERROR_ILLEGAL_ADDRESS = 700,
	CUDA_ERROR_LAUNCH_FAILED = 719,
	CUDA_ERROR_NOT_SUPPORTED = 801,
	CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED = 900,
	CUDA_ERROR_STREAM_CAPTURE_INVALIDATED = 901,
	CUDA_ERROR_UNKNOWN = 999,
};

/* A handle starts with its tag. A destroyed handle stays allocated, with the tag DESTROYED, so
 * that its use is an error and not a crash. */
enum tag { DESTROYED, STREAM = 0x5741, EVENT, GRAPH, EXEC, MODULE, FUNCTION, BLAS, PROGRAM };

#define IS(handle, what) ((handle) != NULL && (handle)->tag == (what))

struct function {
	enum tag tag;
	struct module *module;
	struct emu_link *link;
	void (*entry)(void *);
	int threads, bytes; /* maximum size of a block, size of the argument */
	int barriers;       /* whether a thread has waited at a barrier */
	struct function *next;
};

/* C <- alpha op(A) op(B) + beta C, column-major, for each of count matrices. */
struct gemm {
	int ta, tb, m, n, k, lda, ldb, ldc, count;
	long long sa, sb, sc;
	float alpha, beta;
	const float *a, *b;
	float *c;
};

struct launch {
	struct function *function;
	unsigned blocks, threads;
	void *param;
};

enum op_kind { COPY, LAUNCH, GEMM, RECORD, WAIT };

struct op {
	enum op_kind kind;
	union {
		struct {
			void *dst;
			const void *src;
			size_t n;
		} copy;
		struct launch launch;
		struct gemm gemm;
		struct event *record;
		struct {
			struct stream *stream;
			unsigned long long position;
		} wait;
	};
};

/* A queue of operations. */
struct ops {
	struct op *at;
	size_t head, end, capacity;
};

/* Operation number p of a stream has run if executed >= p. The first operation has number 1. */
struct stream {
	enum tag tag;
	struct ops queue;
	unsigned long long appended, executed;
	struct graph *capture; /* NULL while not capturing */
	int invalid;           /* a call invalidated the capture */
	struct stream *next;
};

struct graph {
	enum tag tag;
	struct ops ops;
};

struct event {
	enum tag tag;
	unsigned flags;
	struct stream *stream; /* NULL before the first record */
	unsigned long long position;
	double milliseconds;
};

/* driver.c */
CUresult enter(void);          /* the first call of each function that needs a context: returns its error */
CUresult failure(void);        /* the permanent error, or 0 */
CUresult fail(CUresult error); /* sets the permanent error, if there is none */

#define ENTER()                           \
	do {                              \
		CUresult entered = enter(); \
		if (entered)              \
			return entered;   \
	} while (0)

/* memory.c */
int on_device(CUdeviceptr p, size_t n); /* whether the bytes are in one allocation of the device */
void check_slack(void);                 /* fails if a kernel wrote next to an allocation */
void free_all_memory(void);

/* stream.c */
CUresult append(struct stream *s, struct op op);
void push(struct ops *list, struct op op);
void free_ops(struct ops *list);
void run_all(void);         /* runs all operations of all streams */
int kernels_skipped(void);  /* whether RECAP_EMULATOR_SKIP_KERNELS is set */
void destroy_streams(void);

CUresult invalidate_captures(void); /* for calls that a capture does not allow: returns an error if a stream captures */

/* graph.c */
CUresult capture(struct stream *s, struct op op);
struct op copy_op(struct op op);

/* module.c */
void unload_modules(void);
int library_path(char *path, size_t n, const char *name); /* the path of a file in the folder of this library */

/* fault.c */
CUresult guarded(CUresult (*work)(void *), void *argument); /* calls work; a fault becomes the result */

/* block.c */
CUresult run_grid(void *launch);
void abandon_fibers(void); /* resets all fibers after a fault */

/* cublas.c */
CUresult run_gemm(void *gemm);

/* nvrtc.c */
extern const char image_magic[8];
struct image {
	char magic[8];
	uint64_t size; /* of the shared object that follows */
};

#endif
