/* driver.c: the device, its primary context, and errors. */
#include "emulator.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The primary context. After a fault, all calls return the same error until the last owner
 * releases the context. */
static struct {
	int initialised, retained;
	CUresult failure;
} context;

/* Whether the context is current is a property of the OS thread, as in CUDA: a goroutine that
 * moves to another thread gets an error. */
static __thread int current;

CUresult failure(void)
{
	return context.failure;
}

CUresult fail(CUresult error)
{
	if (context.failure == CUDA_SUCCESS)
		context.failure = error;
	return context.failure;
}

CUresult enter(void)
{
	if (!context.initialised)
		return CUDA_ERROR_NOT_INITIALIZED;
	if (context.failure)
		return context.failure;
	if (!context.retained || !current)
		return CUDA_ERROR_INVALID_CONTEXT;
	return CUDA_SUCCESS;
}

API CUresult cuInit(unsigned flags)
{
	if (flags)
		return CUDA_ERROR_INVALID_VALUE;
	context.initialised = 1;
	return context.failure;
}

API CUresult cuDriverGetVersion(int *version)
{
	*version = 13000;
	return CUDA_SUCCESS;
}

static CUresult check_device(int device)
{
	if (!context.initialised)
		return CUDA_ERROR_NOT_INITIALIZED;
	return device == 0 ? context.failure : CUDA_ERROR_INVALID_DEVICE;
}

API CUresult cuDeviceGetCount(int *count)
{
	*count = 1;
	return check_device(0);
}

API CUresult cuDeviceGet(int *device, int ordinal)
{
	*device = ordinal;
	return check_device(ordinal);
}

API CUresult cuDeviceGetName(char *name, int n, int device)
{
	if (n <= 0)
		return CUDA_ERROR_INVALID_VALUE;
	snprintf(name, (size_t)n, "emulated GPU (host CPU)");
	return check_device(device);
}

API CUresult cuDeviceGetAttribute(int *value, int attribute, int device)
{
	switch (attribute) {
	case 1: /* threads per block */
	case 2: /* their x */
		*value = 1024;
		break;
	case 5: /* blocks of a grid */
		*value = 0x7fffffff;
		break;
	case 8: /* shared memory of a block */
		*value = 48 << 10;
		break;
	case 10: /* warp */
		*value = 32;
		break;
	case 16: /* multiprocessors */
		*value = 4;
		break;
	case 75: /* compute capability, major */
		*value = 9;
		break;
	default:
		*value = 0;
	}
	return check_device(device);
}

API CUresult cuDevicePrimaryCtxRetain(void **ctx, int device)
{
	CUresult r = check_device(device);
	if (r)
		return r;
	context.retained++;
	*ctx = &context;
	return CUDA_SUCCESS;
}

/* The last release frees everything and clears the error. */
API CUresult cuDevicePrimaryCtxRelease_v2(int device)
{
	if (device != 0 || !context.initialised)
		return CUDA_ERROR_INVALID_DEVICE;
	if (context.retained == 0)
		return CUDA_ERROR_INVALID_CONTEXT;
	CUresult r = context.failure;
	if (--context.retained == 0) {
		run_all();
		r = context.failure;
		destroy_streams();
		unload_modules();
		free_all_memory();
		context.failure = CUDA_SUCCESS;
	}
	return r;
}

API CUresult cuCtxSetCurrent(void *ctx)
{
	if (!context.initialised)
		return CUDA_ERROR_NOT_INITIALIZED;
	if (ctx != NULL && (ctx != &context || !context.retained))
		return CUDA_ERROR_INVALID_CONTEXT;
	current = ctx != NULL;
	return context.failure;
}

static const struct {
	CUresult code;
	const char *name, *text;
} errors[] = {
	{CUDA_SUCCESS, "CUDA_SUCCESS", "no error"},
	{CUDA_ERROR_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
	{CUDA_ERROR_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
	{CUDA_ERROR_NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
	{CUDA_ERROR_INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
	{CUDA_ERROR_INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
	{CUDA_ERROR_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
	{CUDA_ERROR_INVALID_PTX, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
	{CUDA_ERROR_INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
	{CUDA_ERROR_NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
	{CUDA_ERROR_NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
	{CUDA_ERROR_ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
	{CUDA_ERROR_LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
	{CUDA_ERROR_NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
	{CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
	 "operation not permitted when stream is capturing"},
	{CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED",
	 "operation failed due to a previous error during capture"},
	{CUDA_ERROR_UNKNOWN, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

static CUresult describe(CUresult code, const char **name, const char **text)
{
	*name = *text = NULL;
	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
		if (errors[i].code == code) {
			*name = errors[i].name;
			*text = errors[i].text;
			return CUDA_SUCCESS;
		}
	}
	return CUDA_ERROR_INVALID_VALUE;
}

API CUresult cuGetErrorName(CUresult code, const char **name)
{
	const char *text;
	return describe(code, name, &text);
}

API CUresult cuGetErrorString(CUresult code, const char **text)
{
	const char *name;
	return describe(code, &name, text);
}
