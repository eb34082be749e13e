/* graph.c: captures and graphs. A graph is a list of launches and products; an instance of it is a
 * copy. */
#include "emulator.h"
#include <stdlib.h>
#include <string.h>

/* copy_op returns a copy of an operation with its own arguments. */
struct op copy_op(struct op op)
{
	if (op.kind == LAUNCH) {
		size_t n = (size_t)op.launch.function->bytes;
		op.launch.param = memcpy(malloc(n), op.launch.param, n);
	}
	return op;
}

static struct graph *copy_graph(const struct graph *g, enum tag tag)
{
	struct graph *c = calloc(1, sizeof *c);
	c->tag = tag;
	for (size_t i = g->ops.head; i < g->ops.end; i++)
		push(&c->ops, copy_op(g->ops.at[i]));
	return c;
}

/* capture adds an operation to the graph of a stream that captures. It accepts only launches and
 * products. */
CUresult capture(struct stream *s, struct op op)
{
	if (s->invalid)
		return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
	if (op.kind != LAUNCH && op.kind != GEMM) {
		s->invalid = 1;
		return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	}
	push(&s->capture->ops, op);
	return CUDA_SUCCESS;
}

API CUresult cuStreamBeginCapture_v2(struct stream *s, int mode)
{
	ENTER();
	if (!IS(s, STREAM))
		return CUDA_ERROR_INVALID_HANDLE;
	if (mode < 0 || mode > 2 || s->capture != NULL)
		return CUDA_ERROR_INVALID_VALUE;
	s->capture = calloc(1, sizeof *s->capture);
	s->capture->tag = GRAPH;
	s->invalid = 0;
	return CUDA_SUCCESS;
}

API CUresult cuStreamEndCapture(struct stream *s, struct graph **g)
{
	ENTER();
	if (!IS(s, STREAM))
		return CUDA_ERROR_INVALID_HANDLE;
	if (s->capture == NULL)
		return CUDA_ERROR_INVALID_VALUE;
	*g = s->capture;
	s->capture = NULL;
	if (s->invalid) {
		(*g)->tag = DESTROYED;
		free_ops(&(*g)->ops);
		*g = NULL;
		return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
	}
	return CUDA_SUCCESS;
}

API CUresult cuGraphInstantiateWithFlags(struct graph **exec, struct graph *g, unsigned long long flags)
{
	(void)flags;
	ENTER();
	if (!IS(g, GRAPH))
		return CUDA_ERROR_INVALID_HANDLE;
	*exec = copy_graph(g, EXEC);
	return CUDA_SUCCESS;
}

/* A launch queues copies of the operations, so the instance may be destroyed before they run. */
API CUresult cuGraphLaunch(struct graph *exec, struct stream *s)
{
	ENTER();
	if (!IS(exec, EXEC) || !IS(s, STREAM))
		return CUDA_ERROR_INVALID_HANDLE;
	if (s->capture != NULL)
		return invalidate_captures();
	CUresult r = CUDA_SUCCESS;
	for (size_t i = exec->ops.head; i < exec->ops.end && r == CUDA_SUCCESS; i++)
		r = append(s, copy_op(exec->ops.at[i]));
	return r;
}

static CUresult destroy(struct graph *g, enum tag tag)
{
	ENTER();
	if (!IS(g, tag))
		return CUDA_ERROR_INVALID_HANDLE;
	g->tag = DESTROYED;
	free_ops(&g->ops);
	return CUDA_SUCCESS;
}

API CUresult cuGraphExecDestroy(struct graph *exec)
{
	return destroy(exec, EXEC);
}

API CUresult cuGraphDestroy(struct graph *g)
{
	return destroy(g, GRAPH);
}
