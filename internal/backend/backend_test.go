package backend

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/cuda"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Name{
		"cpu": {Kind: "cpu"}, "cpu64": {Kind: "cpu64"}, "cuda:0": {Kind: "cuda"},
		"cuda:12":     {Kind: "cuda", Ordinal: 12},
		"cuda:1,tf32": {Kind: "cuda", Ordinal: 1, TF32: true},
	} {
		if got, err := Parse(text); err != nil || got != want || got.String() != text {
			t.Errorf("%s: %+v, %q, %v; want %+v", text, got, got.String(), err, want)
		}
	}
	for _, text := range []string{"", "gpu", "CPU", "cpu,tf32", "cuda", "cuda:", "cuda:-1",
		"cuda:x", "cuda:0,tf16", "cuda:99999999"} {
		want := `device "` + text + `" is unknown: expected cpu, cpu64, or cuda:0 and so on`
		if got, err := Parse(text); err == nil || err.Error() != want || got != (Name{}) {
			t.Errorf("%q: %+v, error %v, want %q", text, got, err, want)
		}
		if _, err := Open(text); err == nil || err.Error() != want {
			t.Errorf("%q was opened, or the error is %v, want %q", text, err, want)
		}
	}
}

// TestEachNameHasOneDevice opens each device twice.
func TestEachNameHasOneDevice(t *testing.T) {
	for text, bits := range map[string]int{"cpu": 32, "cpu64": 64, "cuda:0": 32} {
		dev, err := Open(text)
		if text == "cuda:0" && err != nil {
			continue // no GPU
		}
		if err != nil || dev.Bits() != bits {
			t.Fatalf("%s: %v, error %v, want %d bits", text, dev, err, bits)
		}
		if again, err := Open(text); err != nil || again != dev {
			t.Errorf("%s is another device when it is opened again, error %v", text, err)
		}
	}
}

// TestAbsentGPU asks for the last GPU that a name can have: the error begins with the name. What
// is missing is what CUDA reports.
func TestAbsentGPU(t *testing.T) {
	for _, text := range []string{"cuda:65535", "cuda:65535,tf32"} {
		if dev, err := Open(text); err == nil || dev != nil ||
			!strings.HasPrefix(err.Error(), `device "`+text+`": `) {
			t.Errorf("%s: %v, error %v", text, dev, err)
		}
	}
	if got, want := CUDA(), cuda.Report(); !slices.Equal(got, want) || len(got) == 0 {
		t.Errorf("CUDA reports %q, want %q", got, want)
	}
}

// TestWrongPath starts this test again with a path that no processor has.
func TestWrongPath(t *testing.T) {
	if os.Getenv("RECAP_CPU") == "sse" {
		dev, err := Open("cpu")
		fmt.Println(dev, err)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestWrongPath$")
	cmd.Env = append(os.Environ(), "RECAP_CPU=sse")
	out, err := cmd.Output()
	if want := "<nil> simd: RECAP_CPU: expected avx512,"; err != nil ||
		!strings.HasPrefix(string(out), want) {
		t.Errorf("output %q, error %v, want %q", out, err, want)
	}
}
