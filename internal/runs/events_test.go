package runs_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/runs/runstest"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/internal/train"
)

// scalarsOf reads a seed's event file, with code that shares nothing with the writer. It returns
// the scalars by "tag step", and how often each occurs.
func scalarsOf(t *testing.T, seed string) (values map[string]float64, times map[string]int) {
	t.Helper()
	values, times = map[string]float64{}, map[string]int{}
	paths := runstest.Glob(t, seed, "*tfevents*")
	if len(paths) != 1 {
		t.Fatalf("%s: event files %v, want one", seed, paths)
	}
	file, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	for len(file) > 0 {
		n := binary.LittleEndian.Uint64(file)
		event := fields(t, file[12:][:n])
		file = file[16+n:]
		for _, summary := range event[5] {
			for _, value := range fields(t, []byte(summary))[1] {
				f := fields(t, []byte(value))
				step := "0"
				if len(event[2]) > 0 {
					step = event[2][0]
				}
				key := f[1][0] + " " + step
				values[key] = float64(
					math.Float32frombits(binary.LittleEndian.Uint32([]byte(f[2][0]))),
				)
				times[key]++
			}
		}
	}
	return values, times
}

// fields parses a protocol buffer message and returns the values of each field by its number.
func fields(t *testing.T, b []byte) map[uint64][]string {
	t.Helper()
	all := map[uint64][]string{}
	for len(b) > 0 {
		key, k := binary.Uvarint(b)
		b = b[k:]
		var v string
		switch key & 7 {
		case 0:
			n, k := binary.Uvarint(b)
			v, b = strconv.FormatUint(n, 10), b[k:]
		case 1:
			v, b = string(b[:8]), b[8:]
		case 2:
			n, k := binary.Uvarint(b)
			v, b = string(b[k:][:n]), b[k+int(n):]
		case 5:
			v, b = string(b[:4]), b[4:]
		default:
			t.Fatalf("wire type %d", key&7)
		}
		all[key>>3] = append(all[key>>3], v)
	}
	return all
}

// sameAsJournal checks that a seed's event file has each value of its journal exactly once.
func sameAsJournal(t *testing.T, seed string) {
	t.Helper()
	values, times := scalarsOf(t, seed)
	text, err := os.ReadFile(filepath.Join(seed, rundir.JournalFile))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		var r rundir.Record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		check := func(tag string, want float64) {
			n++
			key := r.Phase + "/" + tag + " " + strconv.Itoa(r.Epoch)
			if got := values[key]; times[key] != 1 || got != float64(float32(want)) &&
				!(math.IsNaN(got) && math.IsNaN(want)) {
				t.Errorf("%s: %s occurs %d times with value %g, want once with %g", seed,
					key, times[key], got, want)
			}
		}
		check("lr", r.LR)
		check("seconds", r.Seconds)
		for k, v := range r.Terms {
			check(k, v)
		}
		for k, v := range r.Valid {
			check("valid/"+k, v)
		}
	}
	if n != len(values) || n == 0 {
		t.Errorf("%s: %d scalars, want %d", seed, len(values), n)
	}
}

func TestEvents(t *testing.T) {
	r := runstest.NewRunner(t)
	r.TensorBoard = true
	dir, _, err := r.Train(context.Background(), settingstest.Resolved(t, nil), []uint64{5, 6})
	if err != nil {
		t.Fatal(err)
	}
	sameAsJournal(t, filepath.Join(dir, "seed5"))
	sameAsJournal(t, filepath.Join(dir, "seed6"))
}

// TestEventsOfResumed interrupts a run in its third epoch, adds the record of an epoch that was
// not saved to the journal and the steps once more to the event file, and resumes the run without
// the option TensorBoard.
func TestEventsOfResumed(t *testing.T) {
	r := runstest.NewRunner(t)
	r.TensorBoard = true
	ctx, cancel := context.WithCancel(context.Background())
	runstest.OnStep(r, func(p runs.Progress) {
		if p.Phase == "stage2" && p.Epoch == 2 {
			cancel()
		}
	})
	dir, _, err := r.Train(ctx, settingstest.Resolved(t, nil), []uint64{5})
	if interrupted := new(train.Interrupted); !errors.As(err, &interrupted) {
		t.Fatal(err)
	}
	seed := rundir.Dir(filepath.Join(dir, "seed5"))
	sameAsJournal(t, string(seed))
	old := runstest.Glob(t, string(seed), "*tfevents*")
	if len(old) != 1 {
		t.Fatal(old)
	}
	events, err := os.ReadFile(old[0])
	if err != nil {
		t.Fatal(err)
	}
	extra := rundir.Record{Phase: "stage2", Epoch: 2, Terms: rundir.Numbers{"loss": 1}}
	j := rundir.Journal{Path: seed.File(rundir.JournalFile)}
	twice := append(events, events...)
	if err := errors.Join(j.Append(extra), os.WriteFile(old[0], twice, 0o644)); err != nil {
		t.Fatal(err)
	}

	r.TensorBoard, r.Progress = false, func(runs.Progress) {}
	if _, _, err := r.Resume(context.Background(), dir); err != nil {
		t.Fatal(err)
	}
	sameAsJournal(t, string(seed))
	if now := runstest.Glob(t, string(seed), "*tfevents*"); now[0] == old[0] ||
		!strings.Contains(now[0], ".0000000003.") {
		t.Errorf("the event file is %v, want a new name, since TensorBoard does not read a file "+
			"again", now)
	}
}
