/* block.c: runs the blocks of a grid, one after the other, and the threads of a block as fibers of
 * one OS thread.
 *
 * A round runs every ready thread until it ends or waits. After the round, a warp continues if all
 * its threads wait at the same barrier, and the block continues if all its threads do. If none can
 * continue, the threads have diverged at a barrier, which is an error. Consecutive rounds run the
 * threads in opposite orders, so that a missing barrier gives wrong numbers. A thread that never
 * waits needs no switch of fibers: the next thread runs on the same stack. */
#include "emulator.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A context is only the stack pointer; everything else is on the stack. */

#if defined(__x86_64__)
struct context {
	void *sp;
};

void emu_switch(struct context *from, struct context *to) __attribute__((visibility("hidden")));

__asm__(".text\n"
	".globl emu_switch\n"
	".hidden emu_switch\n"
	".type emu_switch, @function\n"
	"emu_switch:\n"
	"	pushq %rbp\n"
	"	pushq %rbx\n"
	"	pushq %r12\n"
	"	pushq %r13\n"
	"	pushq %r14\n"
	"	pushq %r15\n"
	"	movq %rsp, (%rdi)\n"
	"	movq (%rsi), %rsp\n"
	"	popq %r15\n"
	"	popq %r14\n"
	"	popq %r13\n"
	"	popq %r12\n"
	"	popq %rbx\n"
	"	popq %rbp\n"
	"	popq %rcx\n" /* ret would always be predicted incorrectly */
	"	jmp *%rcx\n"
	".size emu_switch, . - emu_switch\n");

/* prepare sets up a stack as if body were about to start: six registers, the address of body, and
 * no return address. */
static void prepare(struct context *c, char *stack, size_t n, void (*body)(void))
{
	void **top = (void **)(stack + n);
	memset(top - 8, 0, 8 * sizeof *top);
	top[-2] = (void *)body;
	c->sp = top - 8;
}
#else
#include <ucontext.h>

struct context {
	ucontext_t uc;
};

static void emu_switch(struct context *from, struct context *to)
{
	swapcontext(&from->uc, &to->uc);
}

static void prepare(struct context *c, char *stack, size_t n, void (*body)(void))
{
	getcontext(&c->uc);
	c->uc.uc_stack.ss_sp = stack;
	c->uc.uc_stack.ss_size = n;
	makecontext(&c->uc, body, 0);
}
#endif

enum { MAX_THREADS = 1024, WARP = 32, STACK = 64 << 10 };
enum state { ENDED, WAITING, READY };

struct fiber {
	struct context context;
	char *stack;
	struct fiber *next; /* in the list of idle fibers */
};

struct thread {
	enum state state;
	enum emu_kind kind;
	int site;
	unsigned lane;
	unsigned long long value, result;
	struct fiber *fiber;
};

static struct fiber fibers[MAX_THREADS];
static int created; /* number of fibers that have a stack */
static struct fiber *idle;

/* The current block. */
static struct {
	struct launch launch;
	struct emu_link *link;
	int n, started, waiting; /* numbers of threads: all, started, at a barrier */
	int scanned;             /* number of threads that this round has visited, after the first round */
	int backward, failed;
	int current;
	struct fiber *fiber;
	struct context scheduler;
	struct thread threads[MAX_THREADS];
} b;

static unsigned launches;

/* nth returns the number of the i-th thread in the order of this round. */
static int nth(int i)
{
	return b.backward ? b.n - 1 - i : i;
}

static struct context *next(void);

/* body is the function of a fiber: it runs threads that have not started until one waits or none
 * is left. Then the fiber is idle. */
static void body(void)
{
	for (;;) {
		while (b.started < b.n && !b.failed) {
			int t = nth(b.started++);
			b.current = t;
			b.link->thread.x = (unsigned)t;
			b.launch.function->entry(b.launch.param);
			b.threads[t].state = ENDED;
		}
		struct fiber *self = b.fiber;
		self->next = idle;
		idle = self;
		emu_switch(&self->context, next());
	}
}

/* reset restarts a fiber and makes it idle. Stacks begin at different offsets in a page; with
 * equal offsets they would compete for the same lines of the cache. */
static void reset(struct fiber *f)
{
	size_t offset = (size_t)(f - fibers) * 192 % 4096;
	prepare(&f->context, f->stack, STACK - offset, body);
	f->next = idle;
	idle = f;
}

/* new_fiber returns an idle fiber. Each stack is mapped once, above an inaccessible page. */
static struct fiber *new_fiber(void)
{
	if (idle == NULL) {
		size_t page = (size_t)sysconf(_SC_PAGESIZE);
		char *p = mmap(NULL, page + STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (p == MAP_FAILED)
			abort();
		mprotect(p, page, PROT_NONE);
		fibers[created].stack = p + page;
		reset(&fibers[created++]);
	}
	struct fiber *f = idle;
	idle = f->next;
	return f;
}

/* next returns the context to switch to when a thread waits: in the first round, a fiber for the
 * threads that have not started; then the next ready thread; in the end, the scheduler. */
static struct context *next(void)
{
	if (b.failed)
		return &b.scheduler;
	if (b.started < b.n) {
		b.fiber = new_fiber();
		return &b.fiber->context;
	}
	while (b.scanned < b.n) {
		int i = nth(b.scanned++);
		if (b.threads[i].state == READY) {
			b.current = i;
			b.link->thread.x = (unsigned)i;
			b.fiber = b.threads[i].fiber;
			return &b.fiber->context;
		}
	}
	return &b.scheduler;
}

void abandon_fibers(void)
{
	idle = NULL;
	for (int i = 0; i < created; i++)
		reset(&fibers[i]);
}

/* barrier makes the current thread wait. It returns the result of a shuffle. */
static unsigned long long barrier(enum emu_kind kind, int site, unsigned mask, unsigned long long value, unsigned lane)
{
	struct thread *t = &b.threads[b.current];
	struct fiber *self = b.fiber;
	if (mask != 0xffffffffu)
		b.failed = 1;
	*t = (struct thread){WAITING, kind, site, lane, value, 0, self};
	b.waiting++;
	emu_switch(&self->context, next());
	return t->result;
}

/* together returns whether threads [lo hi) all wait at the same barrier. */
static int together(int lo, int hi)
{
	const struct thread *first = &b.threads[lo];
	for (int i = lo; i < hi; i++) {
		const struct thread *t = &b.threads[i];
		if (t->state != WAITING || t->kind != first->kind || t->site != first->site)
			return 0;
	}
	return 1;
}

/* shuffle sets the result of thread i of the warp [lo hi). A lane after the warp gives the
 * thread's own value; a lane that does not exist gives garbage. */
static void shuffle(int i, int lo, int hi)
{
	struct thread *t = &b.threads[i];
	unsigned own = (unsigned)(i - lo), from = own;
	if (t->kind == EMU_XOR)
		from = own ^ t->lane;
	else if (t->kind == EMU_DOWN)
		from = own + t->lane;
	else if (t->kind == EMU_INDEX)
		from = t->lane % WARP;
	if (from >= WARP)
		from = own;
	t->result = from < (unsigned)(hi - lo) ? b.threads[lo + (int)from].value : ~0ull;
}

/* release makes threads [lo hi) ready. */
static void release(int lo, int hi)
{
	for (int i = lo; i < hi; i++)
		b.threads[i].state = READY;
	b.waiting -= hi - lo;
}

/* release_all releases all threads that can continue, and returns whether there are any. */
static int release_all(void)
{
	int any = 0, at_block = b.threads[0].kind == EMU_BLOCK && together(0, b.n);
	if (at_block) {
		release(0, b.n);
		return 1;
	}
	for (int lo = 0; lo < b.n; lo += WARP) {
		int hi = lo + WARP < b.n ? lo + WARP : b.n;
		if (b.threads[lo].kind == EMU_BLOCK || !together(lo, hi))
			continue;
		for (int i = lo; i < hi; i++)
			shuffle(i, lo, hi);
		release(lo, hi);
		any = 1;
	}
	return any;
}

/* run_block runs the current block. */
static CUresult run_block(void)
{
	b.started = b.waiting = b.failed = 0;
	b.scanned = b.n;
	emu_switch(&b.scheduler, next());
	while (b.waiting > 0 && !b.failed) {
		b.launch.function->barriers = 1;
		b.backward = !b.backward;
		b.scanned = 0;
		if (release_all())
			emu_switch(&b.scheduler, next());
		else
			b.failed = 1;
	}
	if (b.failed)
		abandon_fibers();
	return b.failed ? CUDA_ERROR_LAUNCH_FAILED : CUDA_SUCCESS;
}

/* run_grid runs all blocks. The order of the blocks, and of the threads in the first round,
 * depends on the parity of the one bits in the number of the launch, so that kernels which are
 * launched alternately run in both orders. */
CUresult run_grid(void *launch)
{
	int odd = __builtin_parity(launches++);
	CUresult r = CUDA_SUCCESS;
	b.launch = *(struct launch *)launch;
	b.link = b.launch.function->link;
	b.n = (int)b.launch.threads;
	b.link->barrier = barrier;
	b.link->thread = b.link->block = (struct emu_index){0, 0, 0};
	b.link->threads = (struct emu_index){b.launch.threads, 1, 1};
	b.link->blocks = (struct emu_index){b.launch.blocks, 1, 1};
	size_t shared = (size_t)(b.link->shared_end - b.link->shared);
	for (unsigned i = 0; i < b.launch.blocks && r == CUDA_SUCCESS; i++) {
		unsigned block = odd ? b.launch.blocks - 1 - i : i;
		b.link->block.x = block;
		b.backward = odd ^ (int)(block & 1);
		if (shared > 0 && (i == 0 || b.launch.function->barriers))
			memset(b.link->shared, 0xff, shared);
		r = run_block();
	}
	return r;
}
