// Package emulator is test equipment: a stand-in, in C, for the CUDA driver, cuBLAS and NVRTC,
// which runs the kernels of package cuda on the host's processor. What passes here has not thereby
// run on a GPU.
//
// It is strict where a GPU would punish, and where one might let a mistake pass:
//
//   - Streams run as late as they may, when something waits for them, and only as far as that needs. A buffer reused too early
//     or a missing event gives wrong numbers.
//   - A capture takes launches and products only. Anything that waits, allocates, frees or loads meanwhile invalidates it.
//   - Memory starts as NaN and ends against a page that faults, freed memory faults, and a few bytes written beside an allocation
//     are found at the next synchronisation. A fault in a kernel is CUDA_ERROR_ILLEGAL_ADDRESS, which every later call returns
//     until the last owner of the primary context releases it. Shared memory, too, starts as NaN.
//   - All threads of a block must reach the same __syncthreads, on the same line, and all of a warp the same shuffle or
//     __syncwarp; else the launch fails with CUDA_ERROR_LAUNCH_FAILED. Threads run one at a time, in an order that turns round
//     at each barrier and from launch to launch, so that a missing barrier gives wrong numbers.
//   - Every call needs the context to be current on its OS thread. Destroyed handles, a kernel's argument of the wrong size, a
//     block beyond what the kernel was declared for, and copies from or to memory that is not pinned are errors.
//   - Kernels are compiled by gcc as C11, with what it knows to be different in C++ as errors.
//
// With RECAP_EMULATOR_ASLEEP set, kernels and products do nothing, which measures what the host
// needs for a step. RECAP_EMULATOR_MEMORY is how many bytes the GPU has, 8 GiB unless it is set.
//
// It does not show: races between blocks or streams that one order of execution hides, a kernel
// that reads memory of the host, limits of registers and shared memory, the rounding of a GPU's
// functions and fused operations, TF32, and anything about speed.
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

// Build compiles the emulator with gcc into dir, as libcuda.so.1, libcublas.so.13 and
// libnvrtc.so.13, which are one library. The kernels are compiled in dir too, so it must stay
// while the library is used.
func Build(dir string) error {
	sources, err := fs.Sub(src, "src")
	if err != nil {
		return err
	}
	names, err := fs.Glob(sources, "*.[ch]")
	if err != nil {
		return err
	}
	args := []string{"-std=gnu11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-Wl,-Bsymbolic", "-Wall"}
	// Fortified longjmp takes a jump out of a fiber for a mistake.
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
		if err := os.Symlink("libcuda.so.1", filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}
