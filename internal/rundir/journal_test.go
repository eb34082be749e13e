package rundir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOpenJournal cuts a journal after the line of an epoch, and refuses one in which the line is
// missing or incomplete.
func TestOpenJournal(t *testing.T) {
	const first = `{"phase":"a","epoch":1,"lr":1,"terms":{"loss":2},"seconds":0}` + "\n"
	const second = `{"phase":"a","epoch":2,"lr":1,"terms":{"loss":1},"seconds":0}`
	path := filepath.Join(t.TempDir(), JournalFile)
	for _, c := range []struct {
		text  string
		epoch int
		want  string // contents afterwards
		fails bool
	}{
		{first + second + "\n", 1, first, false},
		{first + second, 1, first, false},
		{first + second + "\n", 2, first + second + "\n", false},
		{first + second, 2, first + second, true}, // no end of line: the line may be incomplete
		{first, 2, first, true},
		{first + "{", 2, first + "{", true},
		{first, 0, "", false},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		j, err := OpenJournal(path, "a", c.epoch)
		if (err != nil) != c.fails || err == nil && len(j.Records) != c.epoch {
			t.Errorf("%q, epoch %d: %+v, error %v", c.text, c.epoch, j, err)
		}
		if err != nil && !strings.Contains(err.Error(), "expected a line for epoch") {
			t.Errorf("error %v", err)
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != c.want {
			t.Errorf("%q, epoch %d: %q is left, want %q; %v", c.text, c.epoch, text, c.want, err)
		}
	}
}

// FuzzJournal reads any journal, and what is left of it when it is resumed after any epoch. It
// writes no files, which would take more time than all else.
func FuzzJournal(f *testing.F) {
	const line = `{"phase":"a","epoch":1,"terms":{"loss":null},"valid":{"MAE":2},"seconds":0}`
	f.Add([]byte(line+"\n"+line), "a", 1)
	f.Add([]byte(line+"\n{\n"), "a", 2)
	f.Add([]byte("null\n[]\n{}\n"), "", 0)
	f.Fuzz(func(t *testing.T, text []byte, phase string, epoch int) {
		before, invalid := parseRecords(JournalFile, text)
		j := &Journal{Path: JournalFile}
		kept, err := j.read(text, phase, epoch)
		if err != nil {
			return
		}
		if epoch > 0 && j.Find(phase, epoch) == nil {
			t.Errorf("epoch %d of %q is not in %+v", epoch, phase, j.Records)
		}
		after, err := parseRecords(JournalFile, text[:kept])
		if err != nil || len(after) != len(j.Records) ||
			invalid == nil && len(after) > len(before) {
			t.Errorf("%d records, read again %d: %v", len(j.Records), len(after), err)
		}
	})
}
