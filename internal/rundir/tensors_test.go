package rundir

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// pair returns two small tensors with the values from first on.
func pair(t *testing.T, first float64) []nn.Param {
	t.Helper()
	dev, err := ag.Open("cpu")
	if err != nil {
		t.Fatal(err)
	}
	return []nn.Param{
		{Name: "a.0", Tensor: ag.NewTensor(dev, []float64{first, first + 1}, 2)},
		{Name: "a.1", Tensor: ag.NewTensor(dev, []float64{first + 2, first + 3}, 2)}}
}

// TestFlippedBits flips each bit of a file, one at a time. What can still be read is what was
// saved.
func TestFlippedBits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	saved, meta := pair(t, 1), map[string]string{"epoch": "1", "dims": `{"Range":[-3,3]}`}
	if err := SaveTensors(path, saved, meta); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for bit := range 8 * len(file) {
		flipped := slices.Clone(file)
		flipped[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(path, flipped, 0o644); err != nil {
			t.Fatal(err)
		}
		found, err := ReadMeta(path)
		if err == nil {
			maps.DeleteFunc(found, func(key, _ string) bool {
				return strings.HasPrefix(strings.ToLower(key), "sha") || meta[key] == ""
			})
			if !cmp.Equal(found, meta) {
				t.Errorf("bit %d: metadata %v", bit, found)
			}
		}
		read := pair(t, 9)
		if err := LoadTensors(path, read); err != nil {
			refused++
			continue
		}
		for i := range read {
			if !slices.Equal(read[i].Values(), saved[i].Values()) {
				t.Errorf("bit %d: read %v, want %v", bit, read[i].Values(), saved[i].Values())
			}
		}
	}
	if refused < 8*16 { // at least the tensors
		t.Errorf("%d of %d flips were refused", refused, 8*len(file))
	}
}

// TestDamagedFile changes a value and a word of the metadata: the errors name the file, both
// checksums and what to do.
func TestDamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := SaveTensors(path, pair(t, 1), map[string]string{"phase": "stage1"}); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := slices.Clone(file)
	damaged[len(damaged)-1] ^= 1
	other := []byte(strings.Replace(string(file), "stage1", "stage2", 1))
	for what, text := range map[string][]byte{"tensors": damaged, "metadata": other} {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		err := LoadTensors(path, pair(t, 5))
		for _, part := range []string{path, "expected " + what + " with the SHA-256", "found",
			"restore it from a copy, or train a new run"} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("error %v, want %q", err, part)
			}
		}
	}
}

// TestFileWithoutChecksums reads a file as version 0.1 wrote it.
func TestFileWithoutChecksums(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := WriteWith(path, func(f *os.File) error {
		return nn.Save(f, pair(t, 1), map[string]string{"epoch": "3"})
	}); err != nil {
		t.Fatal(err)
	}
	read := pair(t, 9)
	meta, err := ReadMeta(path)
	if err != nil || meta["epoch"] != "3" || LoadTensors(path, read) != nil ||
		read[1].Values()[1] != 4 {
		t.Error(meta, read[1].Values(), err)
	}
}
