package archtest

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// TestExampleModule runs docs/example. It is a separate module, so it can import only the public
// packages.
func TestExampleModule(t *testing.T) {
	cmd := exec.Command("go", "run", ".")
	cmd.Dir = filepath.Join("..", "..", "docs", "example")
	out, err := cmd.CombinedOutput()
	if want := "0 xor 0 = 0.00\n0 xor 1 = 1.00\n1 xor 0 = 1.00\n1 xor 1 = 0.00\n"; err != nil ||
		string(out) != want {
		t.Errorf("go run . in docs/example: %v\n%swant\n%s", err, out, want)
	}
}
