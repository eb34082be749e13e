// Package cudatest provides a GPU for tests: that of the machine or, if there is none, the one
// that package emulator emulates on the CPU.
package cudatest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/cuda/emulator"
)

// Emulator is the folder of the emulator's libraries, or "" if the tests run on an NVIDIA GPU. The
// existence of /dev/nvidiactl shows that there is one.
var Emulator string

// Main runs the tests of a package in a build with CUDA. Call it from TestMain.
func Main(m *testing.M) {
	if err := Setup(); err != nil {
		fmt.Fprintln(os.Stderr, "cudatest:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// Setup prepares this process, and the processes that it starts, for the use of a GPU. If the
// machine has none, it builds the emulator and puts its folder first in RECAP_CUDA, where package
// cuda searches for libraries.
func Setup() (err error) {
	if exists("/dev/nvidiactl") {
		return nil
	}
	if Emulator, err = build(); err != nil {
		return err
	}
	return os.Setenv("RECAP_CUDA", Emulator+string(filepath.ListSeparator)+os.Getenv("RECAP_CUDA"))
}

// build returns the folder of the emulator, and builds it if it does not exist. Packages that are
// tested concurrently build it in separate folders; the first to finish is renamed to the result.
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
	temp, err := os.MkdirTemp(filepath.Dir(dir), "new-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp) // does nothing after the renaming
	if err := emulator.Build(temp); err != nil {
		return "", err
	}
	if err := os.Rename(temp, dir); err != nil && !exists(dir) {
		return "", err
	}
	return dir, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
