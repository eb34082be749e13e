// Package cudatest gives tests a GPU: the machine's, or, where there is none, the one that package emulator makes of the processor.
package cudatest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/cuda/emulator"
)

// Real tells whether tests run on a GPU of NVIDIA's: where its driver has made a device, or RECAP_CUDA names libraries.
func Real() bool {
	_, err := os.Stat("/dev/nvidiactl")
	return err == nil || os.Getenv("RECAP_CUDA") != "" && os.Getenv("RECAP_CUDA") != emulated
}

// emulated is the folder of the emulator, once it is used.
var emulated string

// Main runs the tests of a package whose build has CUDA. Call it from TestMain, before any device is opened.
func Main(m *testing.M) {
	if !Real() && runtime.GOOS == "linux" {
		dir, err := build()
		if err != nil {
			fmt.Fprintln(os.Stderr, "cudatest:", err)
			os.Exit(1)
		}
		emulated = dir
		os.Setenv("RECAP_CUDA", dir)
		os.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache")) // compiled kernels stay with it
	}
	os.Exit(m.Run())
}

// build returns the folder of the emulator, built if it is not there yet. Packages under test at the same time build it into folders of their own,
// of which the first to be done stays.
func build() (dir string, err error) {
	version, err := emulator.Version()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(os.TempDir(), "recap-emulator-"+version)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	fresh, err := os.MkdirTemp("", "recap-emulator-")
	if err != nil {
		return "", err
	}
	if err := emulator.Build(fresh); err != nil {
		return "", err
	}
	if err := os.Rename(fresh, dir); err != nil { // another was faster
		if _, there := os.Stat(dir); there != nil {
			return "", err
		}
		os.RemoveAll(fresh)
	}
	return dir, nil
}
