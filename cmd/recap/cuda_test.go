//go:build cuda && cgo && linux

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/seed-6655bf3b/recap/internal/cuda/cudatest"
)

// TestScriptsOnGPU runs the command as a user with a GPU does.
func TestScriptsOnGPU(t *testing.T) {
	if err := cudatest.Setup(); err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "cuda"),
		Condition: func(name string) (bool, error) {
			return name == "emulated" && cudatest.Emulator != "", nil
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("RECAP_CUDA", os.Getenv("RECAP_CUDA"))
			env.Setenv("XDG_CACHE_HOME", cache) // compiled kernels
			return os.WriteFile(filepath.Join(env.WorkDir, "tiny.yaml"), []byte(tiny), 0o644)
		},
	})
}
