/* link.h: the interface between a compiled kernel file, which includes it through kernel.h, and
 * the emulator, which includes it through emulator.h. */
#ifndef LINK_H
#define LINK_H

/* The kinds of barriers. EMU_BLOCK waits for the block, the others for the warp. */
enum emu_kind { EMU_BLOCK, EMU_WARP, EMU_XOR, EMU_DOWN, EMU_INDEX };

struct emu_index {
	unsigned x, y, z;
};

/* Each kernel file contains one, so that a kernel reads threadIdx directly. The emulator writes
 * it. */
struct emu_link {
	struct emu_index thread, block, threads, blocks; /* threadIdx, blockIdx, blockDim, gridDim */
	unsigned long long (*barrier)(enum emu_kind kind, int site, unsigned mask, unsigned long long value, unsigned lane);
	char *shared, *shared_end; /* the __shared__ variables of all kernels in the file */
};

#endif
