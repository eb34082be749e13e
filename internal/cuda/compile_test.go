//go:build cuda && cgo && linux

package cuda

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/cuda/cudatest"
)

// TestSourcesCompile compiles all kernels to PTX with NVIDIA's compiler, if it is installed, and
// attention.cu for four widths of a head: narrow, usual, odd and wide. It needs no GPU.
func TestSourcesCompile(t *testing.T) {
	compiler := libraries[2]
	path, err := compiler.open(slices.DeleteFunc(folders(), func(f string) bool {
		return f == cudatest.Emulator
	}))
	defer compiler.open(folders()) // reopen the library that the devices use
	if err != nil {
		t.Skipf("NVRTC is not installed; install the Python package nvidia-cuda-nvrtc and set "+
			"RECAP_CUDA to the folder of its library: %v", err)
	}
	t.Logf("compiler: %s", path)
	for _, arch := range []string{"compute_80", "compute_90"} {
		image, err := compileSource(source(files...), true, []string{"--gpu-architecture=" + arch})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range kernelName.FindAllStringSubmatch(source(files...), -1) {
			if !bytes.Contains(image, []byte(".entry "+name[1])) {
				t.Errorf("%s: the PTX has no kernel %s", arch, name[1])
			}
		}
		for _, width := range []int{4, 64, 17, 768} {
			if _, err := compileSource(source("attention"), true,
				append(attentionOptions(width), "--gpu-architecture="+arch)); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestCache checks that the cache returns what was written, and no damaged file.
func TestCache(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder", "image")
	if got := readCached(path); got != nil {
		t.Errorf("found %q in an empty cache", got)
	}
	writeCached(path, []byte("machine code"))
	if got := readCached(path); string(got) != "machine code" {
		t.Errorf("found %q, want what was written", got)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, damage := range [][]byte{nil, file[:10], file[:len(file)-1],
		append(bytes.Clone(file[:len(file)-1]), 'x')} {
		if err := os.WriteFile(path, damage, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := readCached(path); got != nil {
			t.Errorf("found %q in a damaged file of %d bytes", got, len(damage))
		}
	}
}
