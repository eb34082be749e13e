/* module.c: modules, which are shared objects made by nvrtc.c, and launches of their kernels. */
#include "emulator.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct module {
	enum tag tag;
	void *library;
	struct emu_link *link;
	struct function *functions;
	struct module *next;
};

static struct module *modules;

int library_path(char *path, size_t n, const char *name)
{
	Dl_info info;
	if (!dladdr((void *)library_path, &info) || info.dli_fname == NULL)
		return -1;
	const char *slash = strrchr(info.dli_fname, '/');
	int length = slash ? (int)(slash - info.dli_fname) + 1 : 0;
	return snprintf(path, n, "%.*s%s", length, info.dli_fname, name) < (int)n ? 0 : -1;
}

/* open_image loads the shared object in an image through a temporary file. */
static void *open_image(const struct image *image)
{
	char path[4096];
	if (library_path(path, sizeof path, "module-XXXXXX"))
		return NULL;
	int fd = mkstemp(path);
	if (fd < 0)
		return NULL;
	const char *bytes = (const char *)(image + 1);
	size_t written = 0;
	while (written < image->size) {
		ssize_t k = write(fd, bytes + written, image->size - written);
		if (k <= 0)
			break;
		written += (size_t)k;
	}
	close(fd);
	void *library = written == image->size ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
	unlink(path);
	return library;
}

API CUresult cuModuleLoadData(struct module **m, const void *image)
{
	struct image header;
	ENTER();
	CUresult r = invalidate_captures();
	if (r)
		return r;
	if (image == NULL || strncmp(image, image_magic, sizeof image_magic) != 0)
		return image ? CUDA_ERROR_INVALID_PTX : CUDA_ERROR_INVALID_VALUE;
	memcpy(&header, image, sizeof header);
	void *library = open_image(image);
	if (library == NULL)
		return CUDA_ERROR_INVALID_IMAGE;
	struct emu_link *(*link)(void) = (struct emu_link * (*)(void)) dlsym(library, "emu_link");
	*m = calloc(1, sizeof **m);
	(*m)->tag = MODULE;
	(*m)->library = library;
	(*m)->link = link();
	(*m)->next = modules;
	modules = *m;
	return CUDA_SUCCESS;
}

/* unload closes a module. Its handle and those of its functions stay allocated as destroyed
 * handles. */
static void unload(struct module *m)
{
	for (struct function *f = m->functions; f != NULL; f = f->next)
		f->tag = DESTROYED;
	if (m->tag == MODULE)
		dlclose(m->library);
	m->tag = DESTROYED;
}

void unload_modules(void)
{
	for (; modules != NULL; modules = modules->next)
		unload(modules);
}

API CUresult cuModuleUnload(struct module *m)
{
	ENTER();
	if (!IS(m, MODULE))
		return CUDA_ERROR_INVALID_HANDLE;
	CUresult r = invalidate_captures();
	if (r)
		return r;
	run_all();
	unload(m);
	return failure();
}

/* symbol looks up one of the names that KERNEL defines. */
static void *symbol(struct module *m, const char *name, const char *suffix)
{
	char full[256];
	return snprintf(full, sizeof full, "%s%s", name, suffix) < (int)sizeof full ? dlsym(m->library, full) : NULL;
}

API CUresult cuModuleGetFunction(struct function **f, struct module *m, const char *name)
{
	ENTER();
	if (!IS(m, MODULE))
		return CUDA_ERROR_INVALID_HANDLE;
	const int *threads = symbol(m, name, "_threads"), *bytes = symbol(m, name, "_bytes");
	void *entry = symbol(m, name, "");
	if (threads == NULL || bytes == NULL || entry == NULL)
		return CUDA_ERROR_NOT_FOUND;
	*f = calloc(1, sizeof **f);
	**f = (struct function){FUNCTION, m, m->link, (void (*)(void *))entry, *threads, *bytes, 0, m->functions};
	m->functions = *f;
	return CUDA_SUCCESS;
}

/* argument returns the buffer in the extra parameters, or NULL if its size is not want. */
static const void *argument(void **extra, size_t want)
{
	const void *buffer = NULL;
	const size_t *size = NULL;
	for (; extra != NULL && extra[0] != NULL; extra += 2) {
		if (extra[0] == (void *)1)
			buffer = extra[1];
		else if (extra[0] == (void *)2)
			size = extra[1];
		else
			return NULL;
	}
	return size != NULL && *size == want ? buffer : NULL;
}

/* The emulator supports grids and blocks with one dimension, no dynamic shared memory, and one
 * argument, in extra. */
API CUresult cuLaunchKernel(struct function *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
			    unsigned shared, struct stream *s, void **params, void **extra)
{
	ENTER();
	if (!IS(f, FUNCTION) || !IS(s, STREAM))
		return CUDA_ERROR_INVALID_HANDLE;
	if (gx == 0 || gx > 0x7fffffff || gy != 1 || gz != 1 || bx == 0 || bx > 1024 || by != 1 || bz != 1)
		return CUDA_ERROR_INVALID_VALUE;
	const void *from = argument(extra, (size_t)f->bytes);
	if (bx > (unsigned)f->threads || shared != 0 || params != NULL || from == NULL)
		return CUDA_ERROR_INVALID_VALUE;
	struct op op = {.kind = LAUNCH};
	op.launch.function = f;
	op.launch.blocks = gx;
	op.launch.threads = bx;
	op.launch.param = memcpy(malloc((size_t)f->bytes), from, (size_t)f->bytes);
	return append(s, op);
}
