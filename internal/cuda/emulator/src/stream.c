/* stream.c: streams and events. A stream is a queue that runs as late as possible: when the host
 * or another stream waits for it. Then only this stream runs, with the streams that it waits for
 * itself, so that a missing event gives wrong numbers. */
#include "emulator.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct stream *streams; /* newest first; run_all runs them in this order */

/* A longer queue runs its oldest operation at the next call, since a full queue blocks the host in
 * CUDA. */
enum { MAX_QUEUE = 1 << 14 };

void push(struct ops *list, struct op op)
{
	if (list->head == list->end)
		list->head = list->end = 0;
	if (list->end == list->capacity && list->head > list->capacity / 2) {
		memmove(list->at, list->at + list->head, (list->end - list->head) * sizeof op);
		list->end -= list->head;
		list->head = 0;
	} else if (list->end == list->capacity) {
		list->capacity = list->capacity ? 2 * list->capacity : 64;
		list->at = realloc(list->at, list->capacity * sizeof op);
	}
	list->at[list->end++] = op;
}

static void free_op(struct op op)
{
	if (op.kind == LAUNCH)
		free(op.launch.param);
}

void free_ops(struct ops *list)
{
	for (size_t i = list->head; i < list->end; i++)
		free_op(list->at[i]);
	free(list->at);
	memset(list, 0, sizeof *list);
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

/* kernels_skipped returns whether kernels and products do nothing, which is used to measure the
 * host's part of a step. */
int kernels_skipped(void)
{
	static int skipped = -1;
	if (skipped < 0)
		skipped = getenv("RECAP_EMULATOR_SKIP_KERNELS") != NULL;
	return skipped;
}

/* run_until runs a stream up to an operation. A wait runs another stream, up to an operation that
 * was queued before the wait, so the recursion ends. */
static void run_until(struct stream *s, unsigned long long position)
{
	while (s->executed < position && !failure()) {
		struct op op = s->queue.at[s->queue.head++];
		CUresult r = CUDA_SUCCESS;
		switch (op.kind) {
		case COPY:
			memcpy(op.copy.dst, op.copy.src, op.copy.n);
			break;
		case LAUNCH:
			if (kernels_skipped())
				break;
			r = op.launch.function->tag == FUNCTION ? guarded(run_grid, &op.launch) : CUDA_ERROR_LAUNCH_FAILED;
			break;
		case GEMM:
			if (kernels_skipped())
				break;
			r = guarded(run_gemm, &op.gemm);
			break;
		case RECORD:
			op.record->milliseconds = now();
			break;
		case WAIT:
			run_until(op.wait.stream, op.wait.position);
			break;
		}
		free_op(op);
		s->executed++;
		if (r)
			fail(r);
	}
}

void run_all(void)
{
	for (struct stream *s = streams; s != NULL; s = s->next)
		run_until(s, s->appended);
	check_slack();
}

void destroy_streams(void)
{
	for (struct stream *s = streams; s != NULL; s = s->next) {
		s->tag = DESTROYED;
		free_ops(&s->queue);
	}
	streams = NULL;
}

CUresult append(struct stream *s, struct op op)
{
	CUresult r = CUDA_ERROR_INVALID_HANDLE;
	if (IS(s, STREAM) && s->capture != NULL)
		r = capture(s, op);
	else if (IS(s, STREAM)) {
		push(&s->queue, op);
		s->appended++;
		if (s->appended - s->executed > MAX_QUEUE)
			run_until(s, s->executed + 1);
		return failure();
	}
	if (r)
		free_op(op);
	return r;
}

API CUresult cuStreamCreate(struct stream **s, unsigned flags)
{
	ENTER();
	if (flags > 1)
		return CUDA_ERROR_INVALID_VALUE;
	*s = calloc(1, sizeof **s);
	(*s)->tag = STREAM;
	(*s)->next = streams;
	streams = *s;
	return CUDA_SUCCESS;
}

/* Events may point to a destroyed stream, so it stays allocated, with all operations finished. */
API CUresult cuStreamDestroy_v2(struct stream *s)
{
	ENTER();
	if (!IS(s, STREAM))
		return CUDA_ERROR_INVALID_HANDLE;
	CUresult r = invalidate_captures();
	if (r)
		return r;
	run_until(s, s->appended);
	for (struct stream **p = &streams; *p != NULL; p = &(*p)->next) {
		if (*p == s) {
			*p = s->next;
			break;
		}
	}
	s->tag = DESTROYED;
	free_ops(&s->queue);
	return failure();
}

/* wait_for is the common part of all synchronisation. */
static CUresult wait_for(struct stream *s, unsigned long long position)
{
	CUresult r = invalidate_captures();
	if (r)
		return r;
	run_until(s, position);
	check_slack();
	return failure();
}

API CUresult cuStreamSynchronize(struct stream *s)
{
	ENTER();
	return IS(s, STREAM) ? wait_for(s, s->appended) : CUDA_ERROR_INVALID_HANDLE;
}

API CUresult cuStreamWaitEvent(struct stream *s, struct event *e, unsigned flags)
{
	ENTER();
	if (!IS(s, STREAM) || !IS(e, EVENT))
		return CUDA_ERROR_INVALID_HANDLE;
	if (flags)
		return CUDA_ERROR_INVALID_VALUE;
	if (e->stream == NULL && s->capture == NULL)
		return CUDA_SUCCESS;
	struct op op = {.kind = WAIT};
	op.wait.stream = e->stream;
	op.wait.position = e->position;
	return append(s, op);
}

enum { DISABLE_TIMING = 2 };

API CUresult cuEventCreate(struct event **e, unsigned flags)
{
	ENTER();
	if (flags > 3)
		return CUDA_ERROR_INVALID_VALUE;
	*e = calloc(1, sizeof **e);
	(*e)->tag = EVENT;
	(*e)->flags = flags;
	return CUDA_SUCCESS;
}

/* A queued record may write to a destroyed event, so it stays allocated. */
API CUresult cuEventDestroy_v2(struct event *e)
{
	ENTER();
	if (!IS(e, EVENT))
		return CUDA_ERROR_INVALID_HANDLE;
	e->tag = DESTROYED;
	return CUDA_SUCCESS;
}

API CUresult cuEventRecord(struct event *e, struct stream *s)
{
	ENTER();
	if (!IS(e, EVENT) || !IS(s, STREAM))
		return CUDA_ERROR_INVALID_HANDLE;
	struct op op = {.kind = RECORD};
	op.record = e;
	CUresult r = append(s, op);
	if (r == CUDA_SUCCESS) {
		e->stream = s;
		e->position = s->appended;
	}
	return r;
}

API CUresult cuEventSynchronize(struct event *e)
{
	ENTER();
	if (!IS(e, EVENT))
		return CUDA_ERROR_INVALID_HANDLE;
	return e->stream ? wait_for(e->stream, e->position) : invalidate_captures();
}

/* If the event is pending, a query runs one operation, so that a loop of queries ends. */
API CUresult cuEventQuery(struct event *e)
{
	ENTER();
	if (!IS(e, EVENT))
		return CUDA_ERROR_INVALID_HANDLE;
	CUresult r = invalidate_captures();
	if (r)
		return r;
	if (e->stream == NULL || e->stream->executed >= e->position)
		return CUDA_SUCCESS;
	run_until(e->stream, e->stream->executed + 1);
	return failure() ? failure() : CUDA_ERROR_NOT_READY;
}

static int timed(const struct event *e)
{
	return IS(e, EVENT) && e->stream != NULL && !(e->flags & DISABLE_TIMING);
}

API CUresult cuEventElapsedTime(float *milliseconds, struct event *from, struct event *to)
{
	ENTER();
	if (!timed(from) || !timed(to))
		return CUDA_ERROR_INVALID_HANDLE;
	if (from->stream->executed < from->position || to->stream->executed < to->position)
		return CUDA_ERROR_NOT_READY;
	*milliseconds = (float)(to->milliseconds - from->milliseconds);
	return CUDA_SUCCESS;
}

/* There are few captures, so invalidate_captures checks each stream. */
CUresult invalidate_captures(void)
{
	CUresult r = CUDA_SUCCESS;
	for (struct stream *s = streams; s != NULL; s = s->next) {
		if (s->capture != NULL) {
			s->invalid = 1;
			r = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
		}
	}
	return r;
}
