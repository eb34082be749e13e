/* kernel.h: is included before each kernel file, and makes the CUDA C of this project compile as
 * C11.
 *
 * It removes macros that NVRTC does not have (INFINITY, M_PI, ...), so that their use is an error
 * here too. */
#pragma GCC system_header
#include "link.h"
#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#undef INFINITY
#undef NAN
#undef HUGE_VAL
#undef HUGE_VALF
#undef M_PI
#undef M_PI_2
#undef M_PI_4
#undef M_E
#undef M_LN2
#undef M_SQRT2
#undef M_SQRT1_2
#undef M_2_SQRTPI

static struct emu_link emu_self;

extern char __start_emu_shared[] __attribute__((weak, visibility("hidden")));
extern char __stop_emu_shared[] __attribute__((weak, visibility("hidden")));

__attribute__((visibility("default"))) struct emu_link *emu_link(void)
{
	emu_self.shared = __start_emu_shared;
	emu_self.shared_end = __stop_emu_shared;
	return &emu_self;
}

/* KERNEL(name, limit) starts the definition of a kernel with one argument k of type struct name,
 * for blocks of at most limit threads. The emulator finds the entry, the limit and the size of the
 * argument by their names. */
#define KERNEL(name, limit)                                                                  \
	static void name##_thread(struct name k);                                            \
	_Static_assert(sizeof(struct name) <= 4096, "arguments of a kernel exceed 4 KiB");    \
	__attribute__((visibility("default"))) const int name##_threads = (limit);           \
	__attribute__((visibility("default"))) const int name##_bytes = sizeof(struct name); \
	__attribute__((visibility("default"))) void name(void *k);                           \
	void name(void *k) { name##_thread(*(struct name *)k); }                             \
	static void name##_thread(struct name k)

#define __device__
#define __host__
#define __restrict__ restrict
#define __launch_bounds__(...)
#define __forceinline__ __inline__ __attribute__((always_inline))
#define __shared__ static __attribute__((section("emu_shared")))
#define __constant__ static const
#define __align__(n) __attribute__((aligned(n)))

#define threadIdx (emu_self.thread)
#define blockIdx (emu_self.block)
#define blockDim (emu_self.threads)
#define gridDim (emu_self.blocks)
enum { warpSize = 32 };

/* Barriers and shuffles. A site is a line number: all threads must wait at the same site. */

static inline unsigned long long emu_wait(enum emu_kind kind, int site, unsigned mask, unsigned long long value, unsigned lane)
{
	__asm__ volatile("" ::: "memory");
	value = emu_self.barrier(kind, site, mask, value, lane);
	__asm__ volatile("" ::: "memory");
	return value;
}

#define EMU_SECOND(a, b, ...) b
#define EMU_MASK(...) EMU_SECOND(0, ##__VA_ARGS__, 0xffffffffu)
#define __syncthreads() ((void)emu_wait(EMU_BLOCK, __LINE__, 0xffffffffu, 0, 0))
#define __syncwarp(...) ((void)emu_wait(EMU_WARP, __LINE__, EMU_MASK(__VA_ARGS__), 0, 0))

#define EMU_SHUFFLE(name, type)                                                               \
	static inline type name(enum emu_kind kind, int site, unsigned mask, type v, unsigned lane) \
	{                                                                                     \
		union {                                                                       \
			unsigned long long bits;                                              \
			type v;                                                               \
		} x = {0};                                                                    \
		x.v = v;                                                                      \
		x.bits = emu_wait(kind, site, mask, x.bits, lane);                            \
		return x.v;                                                                   \
	}

EMU_SHUFFLE(emu_shuffle_f, float)
EMU_SHUFFLE(emu_shuffle_d, double)
EMU_SHUFFLE(emu_shuffle_i, int)
EMU_SHUFFLE(emu_shuffle_u, unsigned)
EMU_SHUFFLE(emu_shuffle_l, long long)
EMU_SHUFFLE(emu_shuffle_ul, unsigned long long)

#define EMU_TYPED(kind, mask, v, lane)                                                               \
	_Generic((v), float: emu_shuffle_f, double: emu_shuffle_d, int: emu_shuffle_i,               \
		unsigned: emu_shuffle_u, long long: emu_shuffle_l, unsigned long long: emu_shuffle_ul)( \
		kind, __LINE__, mask, v, lane)
#define __shfl_xor_sync(mask, v, lane) EMU_TYPED(EMU_XOR, mask, v, lane)
#define __shfl_down_sync(mask, v, delta) EMU_TYPED(EMU_DOWN, mask, v, delta)
#define __shfl_sync(mask, v, lane) EMU_TYPED(EMU_INDEX, mask, v, lane)

/* Numbers. */

static inline float __int_as_float(int i)
{
	return ((union { int i; float f; }){.i = i}).f;
}

static inline int __float_as_int(float f)
{
	return ((union { int i; float f; }){.f = f}).i;
}

static inline double __longlong_as_double(long long i)
{
	return ((union { long long i; double f; }){.i = i}).f;
}

static inline long long __double_as_longlong(double f)
{
	return ((union { long long i; double f; }){.f = f}).i;
}

static inline float rsqrtf(float x)
{
	return (float)(1 / sqrt(x));
}

static inline double rsqrt(double x)
{
	return 1 / sqrt(x);
}

/* If one argument is NaN, min and max return the other, as in CUDA. */
#define EMU_EXTREME(suffix, type)                                                       \
	static inline type emu_min_##suffix(type a, type b) { return a < b ? a : b; } \
	static inline type emu_max_##suffix(type a, type b) { return a > b ? a : b; }

EMU_EXTREME(i, int)
EMU_EXTREME(u, unsigned)
EMU_EXTREME(l, long)
EMU_EXTREME(ul, unsigned long)
EMU_EXTREME(ll, long long)
EMU_EXTREME(ull, unsigned long long)

#define min(a, b)                                                                                          \
	_Generic((a) + (b), float: fminf, double: fmin, int: emu_min_i, unsigned: emu_min_u, long: emu_min_l, \
		unsigned long: emu_min_ul, long long: emu_min_ll, unsigned long long: emu_min_ull)((a), (b))
#define max(a, b)                                                                                          \
	_Generic((a) + (b), float: fmaxf, double: fmax, int: emu_max_i, unsigned: emu_max_u, long: emu_max_l, \
		unsigned long: emu_max_ul, long long: emu_max_ll, unsigned long long: emu_max_ull)((a), (b))

typedef struct __attribute__((aligned(16))) float4 {
	float x, y, z, w;
} float4;

static inline float4 make_float4(float x, float y, float z, float w)
{
	return (float4){x, y, z, w};
}

#define __ldg(p) (*(p))
