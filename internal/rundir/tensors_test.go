package rundir

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/files"
	"github.com/seed-6655bf3b/recap/internal/files/filestest"
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
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	refused := 0
	for bit := range 8 * len(file) {
		flipped := slices.Clone(file)
		flipped[bit/8] ^= 1 << (bit % 8)
		if _, err := f.WriteAt(flipped, 0); err != nil { // faster than a new file
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
		key := map[string]string{"tensors": dataSum, "metadata": metaSum}[what]
		_, saved, _ := strings.Cut(string(file), `"`+key+`":"`)
		want := fmt.Sprintf("rundir: %s: expected %s with the SHA-256 %s…, found ", path, what,
			saved[:12])
		found, ok := strings.CutPrefix(fmt.Sprint(err), want)
		const advice = "…: the file has changed since it was saved; restore it from a copy, or " +
			"train a new run"
		if !ok || found[:12] == saved[:12] || found[12:] != advice {
			t.Errorf("error %v, want %s", err, want)
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

// TestChecksums compares the checksums in a file with those of its parts, and reads the file again.
func TestChecksums(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	saved := pair(t, 1)
	for _, given := range []map[string]string{nil, {"epoch": "1", "dims": `{"a":"b"}`}} {
		before := maps.Clone(given)
		if err := SaveTensors(path, saved, given); err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(given, before) {
			t.Errorf("the caller's metadata are %v, want %v", given, before)
		}
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		tensors := file[8+binary.LittleEndian.Uint64(file):]
		text := ""
		if given != nil {
			text = `"dims" "{\"a\":\"b\"}"` + "\n" + `"epoch" "1"` + "\n"
		}
		want := maps.Clone(given)
		if want == nil {
			want = map[string]string{}
		}
		want["sha256"] = fmt.Sprintf("%x", sha256.Sum256(tensors))
		want["sha256_metadata"] = fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
		if meta, err := ReadMeta(path); err != nil || !maps.Equal(meta, want) {
			t.Errorf("metadata %v, want %v: %v", meta, want, err)
		}
		read := pair(t, 9)
		if err := LoadTensors(path, read); err != nil {
			t.Fatal(err)
		}
		for i, x := range read {
			if !slices.Equal(x.Values(), saved[i].Values()) {
				t.Errorf("%s: %v, want %v", x.Name, x.Values(), saved[i].Values())
			}
		}
		for size := 1; size < len(file); size = 2*size + 1 {
			sum := &dataHash{Hash: sha256.New()}
			for part := range slices.Chunk(file, size) {
				if n, err := sum.Write(part); n != len(part) || err != nil {
					t.Errorf("%d of %d bytes written: %v", n, len(part), err)
				}
			}
			if got := fmt.Sprintf("%x", sum.Sum(nil)); got != want["sha256"] ||
				len(sum.header) != len(file)-len(tensors) {
				t.Errorf("in parts of %d bytes: %s, want %s", size, got, want["sha256"])
			}
		}
	}
}

// flagged is a disk whose new files are opened with these flags.
type flagged struct {
	files.System
	flag int
}

// Create implements [files.Disk].
func (d flagged) Create(dir, pattern string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir, pattern), os.O_CREATE|d.flag, 0o644)
}

// TestErrorsOfTensors has files that are not there, hold other tensors or cannot be written.
func TestErrorsOfTensors(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.safetensors")
	_, meta := ReadMeta(path)
	loaded := LoadTensors(path, pair(t, 1))
	for _, err := range []error{meta, loaded} {
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(fmt.Sprint(err), path) {
			t.Errorf("error %v of no file", err)
		}
	}
	if err := SaveTensors(path, pair(t, 1)[:1], nil); err != nil {
		t.Fatal(err)
	}
	if err := LoadTensors(path, pair(t, 1)); !strings.HasPrefix(fmt.Sprint(err), path+": nn: ") {
		t.Errorf("error %v of other tensors", err)
	}
	for flag, want := range map[int]string{os.O_RDONLY: "bad file descriptor",
		os.O_APPEND | os.O_WRONLY: "os: invalid use of WriteAt"} {
		filestest.Use(t, flagged{flag: flag})
		err := SaveTensors(path, pair(t, 1), nil)
		if !strings.HasPrefix(fmt.Sprint(err), "rundir: "+path+": ") ||
			!strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	filestest.Use(t, flagged{flag: os.O_RDONLY})
	if err := WriteFile(path, []byte("text")); !strings.Contains(fmt.Sprint(err),
		"bad file descriptor") {
		t.Errorf("error %v of a text", err)
	}
}
