package archtest

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// TestEngineServesAnotherModule runs docs/example, which is a module of its own and so sees only
// what is public.
func TestEngineServesAnotherModule(t *testing.T) {
	cmd := exec.Command("go", "run", ".")
	cmd.Dir = filepath.Join("..", "..", "docs", "example")
	out, err := cmd.CombinedOutput()
	if want := "0 xor 0 = 0.00\n0 xor 1 = 1.00\n1 xor 0 = 1.00\n1 xor 1 = 0.00\n"; err != nil || string(out) != want {
		t.Errorf("go run . in docs/example: %v\n%swant\n%s", err, out, want)
	}
}
