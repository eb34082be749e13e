package archtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const exampleOutput = "0 xor 0 = 0.00\n0 xor 1 = 1.00\n1 xor 0 = 1.00\n1 xor 1 = 0.00\n"

// TestExampleModule runs docs/example. It is a separate module, so it can import only the public
// packages.
func TestExampleModule(t *testing.T) {
	cmd := exec.Command("go", "run", ".")
	cmd.Dir = filepath.Join("..", "..", "docs", "example")
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != exampleOutput {
		t.Errorf("go run . in docs/example: %v\n%swant\n%s", err, out, exampleOutput)
	}
}

// TestExampleElsewhere copies docs/example and runs it there, with the commands of its README.
func TestExampleElsewhere(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("no shell")
	}
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "docs", "example", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```\n")
	commands, _, found := strings.Cut(rest, "```")
	if copies := strings.Count(commands, "../xor"); !found || copies != 2 {
		t.Fatalf("docs/example/README.md: expected commands that copy to ../xor, found %q",
			commands)
	}
	to := filepath.Join(t.TempDir(), "a copy")
	cmd := exec.Command("sh", "-ec", strings.ReplaceAll(commands, "../xor", "'"+to+"'"))
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != exampleOutput {
		t.Errorf("%s: %v\n%swant\n%s", commands, err, out, exampleOutput)
	}
}
