/* emulator.h: what the emulator's files share. The prototypes of the three libraries are our own, written from their
 * documentation. The library may be called from several OS threads but never by two at a time, so there are no locks. */
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

/* A handle starts with its mark. Destroyed ones stay allocated with the mark DEAD, so that their use is an error, not a crash. */
enum mark { DEAD, STREAM = 0x5741, EVENT, GRAPH, EXEC, MODULE, FUNCTION, BLAS, PROGRAM };

#define IS(handle, what) ((handle) != NULL && (handle)->mark == (what))

struct function {
	enum mark mark;
	struct module *module;
	struct emu_link *link;
	void (*entry)(void *);
	int threads, bytes; /* the largest block, the size of the argument */
	int barriers;       /* whether it has met one */
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

/* A list of operations, taken from the front and added to at the back. */
struct ops {
	struct op *at;
	size_t head, end, room;
};

/* Operation number p of a stream has run when executed >= p; the first is number 1. */
struct stream {
	enum mark mark;
	struct ops queue;
	unsigned long long appended, executed;
	struct graph *capture; /* NULL while not capturing */
	int invalid;           /* the capture met a forbidden call */
	struct stream *next;
};

struct graph {
	enum mark mark;
	struct ops ops;
};

struct event {
	enum mark mark;
	unsigned flags;
	struct stream *stream; /* NULL before the first record */
	unsigned long long position;
	double milliseconds;
};

/* driver.c */
CUresult enter(void);          /* what every call that needs a context asks first */
CUresult failure(void);        /* the error that stays, or 0 */
CUresult fail(CUresult error); /* makes it stay */

#define ENTER()                           \
	do {                              \
		CUresult entered = enter(); \
		if (entered)              \
			return entered;   \
	} while (0)

/* memory.c */
int on_device(CUdeviceptr p, size_t n); /* whether these bytes lie in one allocation of the device */
void check_slack(void);                 /* fails where something wrote beside an allocation */
void free_all_memory(void);

/* stream.c */
CUresult append(struct stream *s, struct op op);
void push(struct ops *list, struct op op);
void free_ops(struct ops *list);
void run_all(void); /* everything queued on every stream */
int asleep(void);    /* RECAP_EMULATOR_ASLEEP is set: no kernel and no product is run */
void forget_streams(void);

/* graph.c */
CUresult forbid(void); /* what a call asks that no capture survives */

/* graph.c */
CUresult capture(struct stream *s, struct op op);
struct op copy_op(struct op op);

/* module.c */
void forget_modules(void);
int library_path(char *path, size_t n, const char *name); /* of a file beside this library */

/* fault.c */
CUresult guarded(CUresult (*work)(void *), void *argument); /* runs it, with a fault as its result */

/* block.c */
CUresult run_grid(void *launch);
void abandon_fibers(void); /* after a fault */

/* cublas.c */
CUresult run_gemm(void *gemm);

/* nvrtc.c */
extern const char image_magic[8];
struct image {
	char magic[8];
	uint64_t size; /* of the shared object that follows */
};

#endif
