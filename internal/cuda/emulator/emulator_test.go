//go:build cuda

package emulator

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestDriver runs each check of testdata/driver.c in a separate process, since an error of the
// driver is permanent for a process.
func TestDriver(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the emulator needs Linux")
	}
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("the emulator needs gcc: ", err)
	}
	dir := t.TempDir()
	if err := Build(dir); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "driver")
	args := []string{"-std=gnu11", "-O1", "-Wall", "-o", program,
		filepath.Join("testdata", "driver.c"), "-ldl", "-lm"}
	if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	names, err := exec.Command(program, dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(string(names)) {
		t.Run(name, func(t *testing.T) {
			out, err := exec.Command(program, dir, name).CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			} else if len(out) > 0 {
				t.Logf("%s", out)
			}
		})
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*-*")); len(left) > 0 {
		t.Errorf("files left behind: %v", left)
	}
}

func TestBuildNamesTheCompilersError(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("the emulator needs gcc: ", err)
	}
	if err := Build(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("Build into a folder that does not exist gave no error")
	}
}
