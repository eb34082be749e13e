// Package emulator emulates the CUDA driver, cuBLAS and NVRTC for tests. It is written in C and
// runs the kernels of package cuda on the CPU. A test that passes on the emulator may still fail
// on a GPU.
//
// The emulator detects mistakes that fail on a GPU, and mistakes that a GPU might not detect:
//
//   - A stream runs as late as possible, when something waits for it, and only as far as needed. So
//     a buffer that is reused too early, or a missing event, gives wrong numbers.
//   - A capture accepts only launches and products. A call that waits, allocates, frees or loads
//     invalidates it.
//   - Memory is initialised to NaN and ends at a page that faults. Freed memory faults. A write to
//     the few bytes next to an allocation is detected at the next synchronisation. A fault in a
//     kernel is CUDA_ERROR_ILLEGAL_ADDRESS, which all later calls return until the last owner of
//     the primary context releases it. Shared memory is initialised to NaN too.
//   - All threads of a block must reach the same __syncthreads, on the same line, and all threads
//     of a warp the same shuffle or __syncwarp; otherwise the launch fails with
//     CUDA_ERROR_LAUNCH_FAILED. Threads run one at a time, in an order that is reversed at each
//     barrier and differs between launches, so that a missing barrier gives wrong numbers.
//   - Each call needs a current context on its OS thread. These are errors: a destroyed handle, an
//     argument of a kernel with the wrong size, a block larger than the kernel's declaration, and
//     a copy from or to memory that is not pinned.
//   - gcc compiles kernels as C11, and reports code that is not valid C++ as an error.
//
// If RECAP_EMULATOR_SKIP_KERNELS is set, kernels and products do nothing, which is used to measure
// the host's part of a step. RECAP_EMULATOR_MEMORY is the size of the GPU's memory in bytes, by
// default 8 GiB.
//
// The emulator cannot detect races between blocks or streams that one order of execution hides, a
// kernel that reads memory of the host, limits of registers and of shared memory, the rounding of
// a GPU's functions and fused operations, effects of TF32, and anything about speed.
package emulator

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed src
var src embed.FS

// Build compiles the emulator with gcc and writes the library to dir, under the names
// libcuda.so.1, libcublas.so.13 and libnvrtc.so.13. The library also compiles kernels in dir, so
// dir must exist while the library is in use. Build returns an error with gcc's output if gcc
// fails.
func Build(dir string) error {
	sources, err := fs.Sub(src, "src")
	if err != nil {
		return err
	}
	names, err := fs.Glob(sources, "*.[ch]")
	if err != nil {
		return err
	}
	args := []string{"-std=gnu11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden",
		"-Wl,-Bsymbolic", "-Wall"}
	// The fortified longjmp reports a jump out of a fiber as an error.
	args = append(args, "-U_FORTIFY_SOURCE", "-o", "libcuda.so.1")
	for _, name := range names {
		text, err := fs.ReadFile(sources, name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
		if filepath.Ext(name) == ".c" {
			args = append(args, name)
		}
	}
	cmd := exec.Command("gcc", append(args, "-ldl", "-lpthread", "-lm")...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("emulator: gcc: %w\n%s", err, out)
	}
	for _, name := range []string{"libcublas.so.13", "libnvrtc.so.13"} {
		if err := os.Symlink("libcuda.so.1", filepath.Join(dir, name)); err != nil &&
			!errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}
