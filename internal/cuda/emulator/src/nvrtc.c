/* nvrtc.c: the run-time compiler, which is gcc. A "CUBIN" is a header and a shared object; the
 * "PTX" is the source. */
#include "emulator.h"
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum {
	NVRTC_SUCCESS = 0,
	NVRTC_ERROR_INVALID_INPUT = 3,
	NVRTC_ERROR_INVALID_PROGRAM = 4,
	NVRTC_ERROR_INVALID_OPTION = 5,
	NVRTC_ERROR_COMPILATION = 6,
	NVRTC_ERROR_INTERNAL_ERROR = 11,
};

enum { MAX_OPTIONS = 64 };

const char image_magic[8] = "EMUCUBI";

struct program {
	enum tag tag;
	char *source, *name, *log, *image;
	size_t image_size;
};

API int nvrtcVersion(int *major, int *minor)
{
	*major = 13;
	*minor = 0;
	return NVRTC_SUCCESS;
}

API int nvrtcGetNumSupportedArchs(int *n)
{
	*n = 1;
	return NVRTC_SUCCESS;
}

API int nvrtcGetSupportedArchs(int *archs)
{
	archs[0] = 90;
	return NVRTC_SUCCESS;
}

API const char *nvrtcGetErrorString(int code)
{
	switch (code) {
	case NVRTC_SUCCESS:
		return "NVRTC_SUCCESS";
	case NVRTC_ERROR_INVALID_INPUT:
		return "NVRTC_ERROR_INVALID_INPUT";
	case NVRTC_ERROR_INVALID_PROGRAM:
		return "NVRTC_ERROR_INVALID_PROGRAM";
	case NVRTC_ERROR_INVALID_OPTION:
		return "NVRTC_ERROR_INVALID_OPTION";
	case NVRTC_ERROR_COMPILATION:
		return "NVRTC_ERROR_COMPILATION";
	}
	return "NVRTC_ERROR_INTERNAL_ERROR";
}

API int nvrtcCreateProgram(struct program **p, const char *source, const char *name, int headers, const char *const *texts,
			   const char *const *names)
{
	(void)texts, (void)names;
	if (p == NULL || source == NULL || headers != 0)
		return NVRTC_ERROR_INVALID_INPUT;
	*p = calloc(1, sizeof **p);
	(*p)->tag = PROGRAM;
	(*p)->source = strdup(source);
	(*p)->name = strdup(name ? name : "default_program");
	(*p)->log = strdup("");
	return NVRTC_SUCCESS;
}

API int nvrtcDestroyProgram(struct program **p)
{
	if (p == NULL || !IS(*p, PROGRAM))
		return NVRTC_ERROR_INVALID_PROGRAM;
	free((*p)->source);
	free((*p)->name);
	free((*p)->log);
	free((*p)->image);
	(*p)->tag = DESTROYED;
	*p = NULL;
	return NVRTC_SUCCESS;
}

/* read_file returns header unused bytes, the bytes of the file, and a zero. */
static char *read_file(const char *path, size_t header, size_t *n)
{
	FILE *f = fopen(path, "rb");
	if (f == NULL)
		return NULL;
	fseek(f, 0, SEEK_END);
	long size = ftell(f);
	rewind(f);
	char *bytes = calloc(1, header + (size_t)size + 1);
	*n = fread(bytes + header, 1, (size_t)size, f);
	fclose(f);
	return bytes;
}

/* write_source writes the source, preceded by a line that sets the file name in messages. */
static int write_source(const struct program *p, const char *path)
{
	FILE *f = fopen(path, "wb");
	if (f == NULL)
		return -1;
	fprintf(f, "#line 1 \"%s\"\n%s", p->name, p->source);
	return fclose(f);
}

/* run runs a command, writes its output to a file, and returns the exit status. */
static int run(char **argv, const char *output)
{
	posix_spawn_file_actions_t files;
	pid_t pid;
	int status = -1;
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_adddup2(&files, 1, 2);
	if (posix_spawnp(&pid, argv[0], &files, NULL, argv, environ) == 0)
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	posix_spawn_file_actions_destroy(&files);
	return status;
}

/* compile runs gcc, and stores the image and the log in p. Code that is not valid C++ is an error,
 * as far as gcc detects it. */
static int compile(struct program *p, int n, char **defines, const char *dir)
{
	char source[4200], object[4200], log[4200], header[4200];
	snprintf(source, sizeof source, "%s/kernel.cu", dir);
	snprintf(object, sizeof object, "%s/kernel.so", dir);
	snprintf(log, sizeof log, "%s/log", dir);
	if (library_path(header, sizeof header, "kernel.h") || write_source(p, source))
		return NVRTC_ERROR_INTERNAL_ERROR;
	char *argv[MAX_OPTIONS + 32] = {"gcc", "-std=gnu11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-fno-math-errno",
		"-ffp-contract=off", "-Wall", "-Wno-unused-function", "-Wno-unknown-pragmas", "-Wno-unused-variable",
		"-Werror=implicit-function-declaration", "-Werror=c++-compat", "-include", header, "-o", object, "-x", "c"};
	int k = 0;
	while (argv[k] != NULL)
		k++;
	for (int i = 0; i < n; i++)
		argv[k++] = defines[i];
	argv[k++] = source;
	argv[k++] = "-lm";
	int status = run(argv, log);
	size_t size;
	char *text = read_file(log, 0, &size);
	if (text != NULL) {
		free(p->log);
		p->log = text;
	}
	if (status == 0 && (p->image = read_file(object, sizeof(struct image), &size)) != NULL) {
		struct image head = {.size = size};
		memcpy(head.magic, image_magic, sizeof head.magic);
		memcpy(p->image, &head, sizeof head);
		p->image_size = sizeof head + size;
	}
	unlink(source), unlink(object), unlink(log);
	return status == 0 && p->image ? NVRTC_SUCCESS : NVRTC_ERROR_COMPILATION;
}

/* As with NVRTC, a CUBIN exists only if the architecture is a real one, sm_NN. The number NN is
 * ignored. */
API int nvrtcCompileProgram(struct program *p, int n, const char *const *options)
{
	char *defines[MAX_OPTIONS], dir[4096];
	int k = 0, real = 0;
	if (!IS(p, PROGRAM))
		return NVRTC_ERROR_INVALID_PROGRAM;
	if (n > MAX_OPTIONS)
		return NVRTC_ERROR_INVALID_OPTION;
	if (library_path(dir, sizeof dir, "nvrtc-XXXXXX") || mkdtemp(dir) == NULL)
		return NVRTC_ERROR_INTERNAL_ERROR;
	for (int i = 0; i < n; i++) {
		char *define = NULL;
		if (strncmp(options[i], "-D", 2) == 0 && options[i][2] != 0)
			define = strdup(options[i]);
		else if (strncmp(options[i], "--define-macro=", 15) == 0 && asprintf(&define, "-D%s", options[i] + 15) < 0)
			define = NULL;
		else if (strncmp(options[i], "--gpu-architecture=", 19) == 0 || strncmp(options[i], "-arch=", 6) == 0)
			real = strstr(options[i], "=sm_") != NULL;
		if (define != NULL)
			defines[k++] = define;
	}
	free(p->image);
	p->image = NULL;
	p->image_size = 0;
	int r = compile(p, k, defines, dir);
	rmdir(dir);
	while (k > 0)
		free(defines[--k]);
	if (!real)
		p->image_size = 0;
	return r;
}

API int nvrtcGetCUBINSize(struct program *p, size_t *n)
{
	*n = IS(p, PROGRAM) ? p->image_size : 0;
	return IS(p, PROGRAM) ? NVRTC_SUCCESS : NVRTC_ERROR_INVALID_PROGRAM;
}

API int nvrtcGetCUBIN(struct program *p, char *bytes)
{
	if (!IS(p, PROGRAM) || p->image_size == 0)
		return NVRTC_ERROR_INVALID_PROGRAM;
	memcpy(bytes, p->image, p->image_size);
	return NVRTC_SUCCESS;
}

static int get_text(struct program *p, const char *text, size_t *n, char *bytes)
{
	(void)p;
	if (n != NULL)
		*n = strlen(text) + 1;
	if (bytes != NULL)
		strcpy(bytes, text);
	return NVRTC_SUCCESS;
}

API int nvrtcGetPTXSize(struct program *p, size_t *n)
{
	return IS(p, PROGRAM) ? get_text(p, p->source, n, NULL) : NVRTC_ERROR_INVALID_PROGRAM;
}

API int nvrtcGetPTX(struct program *p, char *bytes)
{
	return IS(p, PROGRAM) ? get_text(p, p->source, NULL, bytes) : NVRTC_ERROR_INVALID_PROGRAM;
}

API int nvrtcGetProgramLogSize(struct program *p, size_t *n)
{
	return IS(p, PROGRAM) ? get_text(p, p->log, n, NULL) : NVRTC_ERROR_INVALID_PROGRAM;
}

API int nvrtcGetProgramLog(struct program *p, char *bytes)
{
	return IS(p, PROGRAM) ? get_text(p, p->log, NULL, bytes) : NVRTC_ERROR_INVALID_PROGRAM;
}
