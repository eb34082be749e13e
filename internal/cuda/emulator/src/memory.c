/* memory.c: memory of the device and pinned memory of the host.
 *
 *	PROT_NONE | 0xff ... [allocated bytes] 0xff up to 15 | PROT_NONE
 *
 * An allocation is filled with NaN and ends at an inaccessible page. The bytes next to it are
 * checked for writes. */
#include "emulator.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct block {
	char *base; /* start of the mapping, which includes both inaccessible pages */
	size_t mapped;
	char *p;
	size_t n;
	int host;
};

static struct block *blocks;
static size_t count, capacity, used;

/* total returns the size of the memory. It reads the variable each time, so that a test can change
 * it. */
static size_t total(void)
{
	const char *s = getenv("RECAP_EMULATOR_MEMORY");
	return s != NULL && *s != 0 ? strtoull(s, NULL, 10) : (size_t)8 << 30;
}

static CUresult allocate(void **p, size_t n, int host)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	if (n == 0 || p == NULL)
		return CUDA_ERROR_INVALID_VALUE;
	if (n > (size_t)1 << 46 || (!host && (used > total() || n > total() - used)))
		return CUDA_ERROR_OUT_OF_MEMORY;
	size_t body = (n + page - 1) / page * page;
	char *base = mmap(NULL, body + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return CUDA_ERROR_OUT_OF_MEMORY;
	if (mprotect(base + page, body, PROT_READ | PROT_WRITE)) {
		munmap(base, body + 2 * page);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	if (!kernels_skipped()) /* without kernels, the pages need not exist */
		memset(base + page, 0xff, body);
	if (count == capacity) {
		capacity = capacity ? 2 * capacity : 64;
		blocks = realloc(blocks, capacity * sizeof *blocks);
	}
	*p = base + page + (body - n) / 16 * 16;
	blocks[count++] = (struct block){base, body + 2 * page, *p, n, host};
	used += host ? 0 : n;
	return CUDA_SUCCESS;
}

/* untouched returns whether no byte was written. */
static int untouched(const char *from, const char *to)
{
	while (from < to)
		if (*from++ != (char)0xff)
			return 0;
	return 1;
}

static const char *end_of(const struct block *b, size_t page)
{
	return b->base + b->mapped - page;
}

void check_slack(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	for (size_t i = 0; i < count && !kernels_skipped(); i++)
		if (!untouched(blocks[i].p + blocks[i].n, end_of(&blocks[i], page)))
			fail(CUDA_ERROR_ILLEGAL_ADDRESS);
}

/* unmap makes the pages inaccessible permanently. Their addresses are never reused, so a stale
 * pointer causes a fault. */
static CUresult unmap(void *p, int host)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	for (size_t i = 0; i < count; i++) {
		struct block b = blocks[i];
		if (b.p != p || b.host != host)
			continue;
		if (!untouched(b.base + page, b.p) || !untouched(b.p + b.n, end_of(&b, page)))
			fail(CUDA_ERROR_ILLEGAL_ADDRESS);
		mmap(b.base, b.mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
		used -= host ? 0 : b.n;
		blocks[i] = blocks[--count];
		return failure();
	}
	return CUDA_ERROR_INVALID_VALUE;
}

void free_all_memory(void)
{
	while (count > 0)
		unmap(blocks[count - 1].p, blocks[count - 1].host);
}

static int inside(const char *p, size_t n, int host)
{
	for (size_t i = 0; i < count; i++) {
		const struct block *b = &blocks[i];
		if (b->host == host && p >= b->p && n <= b->n && (size_t)(p - b->p) <= b->n - n)
			return 1;
	}
	return 0;
}

int on_device(CUdeviceptr p, size_t n)
{
	return inside((const char *)p, n, 0);
}

API CUresult cuMemAlloc_v2(CUdeviceptr *p, size_t n)
{
	void *at = NULL;
	ENTER();
	CUresult r = invalidate_captures();
	if (r == CUDA_SUCCESS)
		r = allocate(&at, n, 0);
	*p = (CUdeviceptr)at;
	return r;
}

API CUresult cuMemHostAlloc(void **p, size_t n, unsigned flags)
{
	(void)flags;
	ENTER();
	CUresult r = invalidate_captures();
	return r ? r : allocate(p, n, 1);
}

static CUresult release(void *p, int host)
{
	ENTER();
	CUresult r = invalidate_captures();
	if (r)
		return r;
	run_all();
	return failure() ? failure() : unmap(p, host);
}

API CUresult cuMemFree_v2(CUdeviceptr p)
{
	return release((void *)p, 0);
}

API CUresult cuMemFreeHost(void *p)
{
	return release(p, 1);
}

API CUresult cuMemGetInfo_v2(size_t *available, size_t *all)
{
	ENTER();
	*all = total();
	*available = used < *all ? *all - used : 0;
	return CUDA_SUCCESS;
}

API CUresult cuDeviceTotalMem_v2(size_t *all, int device)
{
	*all = total();
	return device == 0 ? failure() : CUDA_ERROR_INVALID_DEVICE;
}

/* copy queues a copy between memory of the device and pinned memory. Other memory of the host is
 * an error, since CUDA would copy it synchronously. */
static CUresult copy(struct stream *s, CUdeviceptr device, void *host, size_t n, int up)
{
	ENTER();
	if (n > 0 && (!on_device(device, n) || !inside(host, n, 1)))
		return CUDA_ERROR_INVALID_VALUE;
	struct op op = {.kind = COPY};
	op.copy.dst = up ? (void *)device : host;
	op.copy.src = up ? host : (void *)device;
	op.copy.n = n;
	return append(s, op);
}

API CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr dst, const void *src, size_t n, struct stream *s)
{
	return copy(s, dst, (void *)src, n, 1);
}

API CUresult cuMemcpyDtoHAsync_v2(void *dst, CUdeviceptr src, size_t n, struct stream *s)
{
	return copy(s, src, dst, n, 0);
}
