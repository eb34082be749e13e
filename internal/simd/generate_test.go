package simd

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestGenerated checks that the generator writes exactly the committed assembly.
func TestGenerated(t *testing.T) {
	if out, err := exec.Command("go", "list", "-C", "gen", "-deps",
		".").CombinedOutput(); err != nil {
		t.Skipf("the generator's dependencies are not available: %v\n%s", err, out)
	}
	dir := t.TempDir()
	for _, name := range []string{avx512, avx2} {
		asm, stubs := filepath.Join(dir, name+"_amd64.s"), filepath.Join(dir, name+"_amd64.go")
		// go run keeps the program in the cache of builds
		if out, err := exec.Command("go", "run", "-C", "gen", ".", "-isa", name, "-pkg", "simd",
			"-out", asm, "-stubs", stubs).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		for _, path := range []string{asm, stubs} {
			if !bytes.Equal(body(t, path), body(t, filepath.Base(path))) {
				t.Errorf("%s differs from the output of the generator; run go generate",
					filepath.Base(path))
			}
		}
	}
}

// body returns a generated file without its first line, which contains the command.
func body(t *testing.T, path string) []byte {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(data, []byte("\n"))
	return rest
}
