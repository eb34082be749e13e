/* link.h: what a compiled kernel file and the emulator share. kernel.h includes it on the one side, emulator.h on the other. */
#ifndef LINK_H
#define LINK_H

/* What threads wait for. The four shuffles also wait for their warp. */
enum emu_kind { EMU_BLOCK, EMU_WARP, EMU_XOR, EMU_DOWN, EMU_INDEX };

struct emu_index {
	unsigned x, y, z;
};

/* One per kernel file, inside it, so that a kernel reads threadIdx without a detour. The emulator writes it. */
struct emu_link {
	struct emu_index thread, block, threads, blocks; /* threadIdx, blockIdx, blockDim, gridDim */
	unsigned long long (*barrier)(enum emu_kind kind, int site, unsigned mask, unsigned long long value, unsigned lane);
	char *shared, *shared_end; /* the __shared__ variables of all kernels of the file */
};

#endif
