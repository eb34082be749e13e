package rundir

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
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

// TestLinesOfAJournal writes and reads each field of a record.
func TestLinesOfAJournal(t *testing.T) {
	d := Dir(t.TempDir())
	if records, err := d.Records(); err != nil || records == nil || len(records) != 0 {
		t.Errorf("%v, %v, before the first epoch", records, err)
	}
	path := d.File(JournalFile)
	j, err := OpenJournal(path, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []Record{{Phase: "a", Epoch: 1, LR: 0.5, Terms: Numbers{"loss": 2, "x": 0.25},
		Valid: Numbers{"MAE": 1.5}, Test: Numbers{"Corr": -1}, Seconds: 3.5, Program: "1.0"},
		{Phase: "a", Epoch: 2}, {Phase: "b", Epoch: 1, LR: 1e-5, Terms: Numbers{}}}
	for _, r := range want {
		if err := j.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	const lines = `{"phase":"a","epoch":1,"lr":0.5,"terms":{"loss":2,"x":0.25},` +
		`"valid":{"MAE":1.5},"test":{"Corr":-1},"seconds":3.5,"program":"1.0"}` + "\n" +
		`{"phase":"a","epoch":2,"lr":0,"terms":{},"seconds":0}` + "\n" +
		`{"phase":"b","epoch":1,"lr":0.00001,"terms":{},"seconds":0}` + "\n"
	if text, err := os.ReadFile(path); err != nil || string(text) != lines {
		t.Errorf("journal %s, want %s: %v", text, lines, err)
	}
	records, err := d.Records()
	for what, got := range map[string][]Record{"read": records, "kept": j.Records} {
		if diff := cmp.Diff(got, want, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("%s: %s, %v", what, diff, err)
		}
	}
	for i := range want {
		if got := j.Find(want[i].Phase, want[i].Epoch); got != &j.Records[i] {
			t.Errorf("record %d: %+v", i, got)
		}
	}
	if got := j.Find("b", 2); got != nil {
		t.Errorf("an epoch that is not there: %+v", got)
	}
	for i, r := range want { // epochs of the same number in two phases
		again, err := OpenJournal(path, r.Phase, r.Epoch)
		if err != nil || len(again.Records) != i+1 || again.Path != path {
			t.Errorf("phase %s, epoch %d: %+v, %v", r.Phase, r.Epoch, again, err)
		}
		if err := os.WriteFile(path, []byte(lines), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestErrorsOfAJournal has a journal that is a directory, is missing, lacks an epoch or cannot hold
// a number.
func TestErrorsOfAJournal(t *testing.T) {
	d := Dir(t.TempDir())
	path := d.File(JournalFile)
	missing := (&Journal{Path: path}).Append(Record{})
	writeFile(t, path, `{"phase":"a","epoch":1}`+"\n")
	_, lacks := OpenJournal(path, "stage2", 3)
	j := &Journal{Path: path}
	infinite := j.Append(Record{LR: math.Inf(1)})
	if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o755)); err != nil {
		t.Fatal(err)
	}
	_, opened := OpenJournal(path, "", 0)
	_, read := d.Records()
	isDir := "rundir: journal: " + path +
		": expected a file, found a directory; give a regular file"
	for _, w := range []struct {
		err  error
		want string
	}{
		{missing, "rundir: journal: open " + path + ": no such file or directory"},
		{lacks, "rundir: " + path + ": expected a line for epoch 3 of stage2, to which " +
			"state.safetensors belongs, found none; train again"},
		{infinite, "rundir: journal: json: unsupported value: +Inf"},
		{opened, isDir},
		{read, isDir},
	} {
		if fmt.Sprint(w.err) != w.want {
			t.Errorf("error %v, want %s", w.err, w.want)
		}
	}
	if len(j.Records) != 0 {
		t.Errorf("%v was not written", j.Records)
	}
}

// TestAttributes has the scores of a regression, of a classifier and of no validation.
func TestAttributes(t *testing.T) {
	r := Record{Phase: "stage2", Epoch: 3, LR: 0.000123456, Seconds: 12.3456,
		Terms: Numbers{"loss": 0.98765, "task": 1}}
	start := []any{"phase", "stage2", "epoch", "3/25", "lr", "0.0001235", "loss", "0.9877"}
	end := []any{"seconds", "12.35"}
	for _, w := range []struct {
		valid Numbers
		want  []any
	}{
		{nil, nil},
		{Numbers{"Corr": 0.5, "MAE": 1.25, "F1": 2},
			[]any{"valid_MAE", "1.25", "valid_Corr", "0.5"}},
		{Numbers{"loss": 1, "Acc_3": 1}, []any{"valid_loss", "1"}},
	} {
		r.Valid = w.valid
		if got, want := r.Attributes(25), slices.Concat(start, w.want, end); !slices.Equal(got,
			want) {
			t.Errorf("%v, want %v", got, want)
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
