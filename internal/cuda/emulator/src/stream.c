/* stream.c: streams and events. A stream is a queue that runs as late as it may: when something waits for it. Then only it runs,
 * and what it waits for itself, so work that lacks its event is seen to be missing. */
#include "emulator.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct stream *streams; /* the newest first; run_all goes in that order */

/* A queue this long runs its oldest operation at the next call, as a full one blocks the host in CUDA. */
enum { LONGEST = 1 << 14 };

void push(struct ops *list, struct op op)
{
	if (list->head == list->end)
		list->head = list->end = 0;
	if (list->end == list->room && list->head > list->room / 2) {
		memmove(list->at, list->at + list->head, (list->end - list->head) * sizeof op);
		list->end -= list->head;
		list->head = 0;
	} else if (list->end == list->room) {
		list->room = list->room ? 2 * list->room : 64;
		list->at = realloc(list->at, list->room * sizeof op);
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

/* asleep tells whether kernels and products do nothing, which measures the host alone. */
int asleep(void)
{
	static int known = -1;
	if (known < 0)
		known = getenv("RECAP_EMULATOR_ASLEEP") != NULL;
	return known;
}

/* run_until runs a stream up to an operation. A wait runs another stream up to an operation that was queued before the wait, so
 * this ends. */
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
			if (asleep())
				break;
			r = op.launch.function->mark == FUNCTION ? guarded(run_grid, &op.launch) : CUDA_ERROR_LAUNCH_FAILED;
			break;
		case GEMM:
			if (asleep())
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

void forget_streams(void)
{
	for (struct stream *s = streams; s != NULL; s = s->next) {
		s->mark = DEAD;
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
		if (s->appended - s->executed > LONGEST)
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
	(*s)->mark = STREAM;
	(*s)->next = streams;
	streams = *s;
	return CUDA_SUCCESS;
}

/* Events keep pointing at a destroyed stream, so it stays, finished. */
API CUresult cuStreamDestroy_v2(struct stream *s)
{
	ENTER();
	if (!IS(s, STREAM))
		return CUDA_ERROR_INVALID_HANDLE;
	CUresult r = forbid();
	if (r)
		return r;
	run_until(s, s->appended);
	for (struct stream **p = &streams; *p != NULL; p = &(*p)->next) {
		if (*p == s) {
			*p = s->next;
			break;
		}
	}
	s->mark = DEAD;
	free_ops(&s->queue);
	return failure();
}

/* wait_for is what all synchronisation comes to. */
static CUresult wait_for(struct stream *s, unsigned long long position)
{
	CUresult r = forbid();
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
	(*e)->mark = EVENT;
	(*e)->flags = flags;
	return CUDA_SUCCESS;
}

/* A queued record may still write to a destroyed event, so it stays. */
API CUresult cuEventDestroy_v2(struct event *e)
{
	ENTER();
	if (!IS(e, EVENT))
		return CUDA_ERROR_INVALID_HANDLE;
	e->mark = DEAD;
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
	return e->stream ? wait_for(e->stream, e->position) : forbid();
}

/* A query that finds the event pending runs one operation, so that polling comes to an end. */
API CUresult cuEventQuery(struct event *e)
{
	ENTER();
	if (!IS(e, EVENT))
		return CUDA_ERROR_INVALID_HANDLE;
	CUresult r = forbid();
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

/* Captures are few, so forbid looks at every stream. */
CUresult forbid(void)
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
