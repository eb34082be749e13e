// Package cudatest gives tests a GPU: the machine's, or, where there is none, the one that package
// emulator makes of the processor.
package cudatest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/cuda/emulator"
)

// Emulator is the folder of the emulator's libraries, "" where the tests run on a GPU of NVIDIA's,
// which its driver shows as /dev/nvidiactl.
var Emulator string

// Main runs the tests of a package in a build with CUDA. Call it from TestMain.
func Main(m *testing.M) {
	if err := Setup(); err != nil {
		fmt.Fprintln(os.Stderr, "cudatest:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// Setup readies a GPU for this process and those that it starts. Where there is none, it puts the
// emulator before the folders in which package cuda looks for libraries.
func Setup() (err error) {
	if exists("/dev/nvidiactl") {
		return nil
	}
	if Emulator, err = build(); err != nil {
		return err
	}
	return os.Setenv("RECAP_CUDA", Emulator+string(filepath.ListSeparator)+os.Getenv("RECAP_CUDA"))
}

// build returns the folder of the emulator, and builds it if it is not there. Packages that are
// tested at the same time build it into folders of their own, of which the first to be done stays.
func build() (dir string, err error) {
	version, err := emulator.Version()
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	if dir = filepath.Join(cache, "recap", "emulator-"+version); exists(dir) {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "new-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(fresh) // nothing is there after the renaming
	if err := emulator.Build(fresh); err != nil {
		return "", err
	}
	if err := os.Rename(fresh, dir); err != nil && !exists(dir) {
		return "", err
	}
	return dir, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
