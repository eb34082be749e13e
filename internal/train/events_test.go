package train

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/internal/tensorboard"
)

// TestEventFile compares an event file with one that is written out: the time of the settings, and
// after it the times of the epochs.
func TestEventFile(t *testing.T) {
	d := rundir.Dir(t.TempDir())
	if _, err := openEvents(d, nil); !strings.HasPrefix(fmt.Sprint(err), "train: events: stat ") {
		t.Errorf("error %v without settings", err)
	}
	c := settingstest.Resolved(t, nil)
	if err := d.WriteConfig(&c); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(d.File(rundir.ConfigFile), time.Time{}, time.Unix(1000, 5e8)); err != nil {
		t.Fatal(err)
	}
	others := []string{"events.out.tfevents.0000000007.recap",
		"events.out.tfevents.12345678901.recap",
		"events.out.tfevents.000000007.recap", "xevents.out.tfevents.0000000007.recap",
		"events.out.tfevents.0000000007.recapx", "eventsxout.tfevents.0000000007.recap"}
	for _, name := range others {
		if err := os.WriteFile(d.File(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := eventFiles(d); !slices.Equal(got, []string{d.File(others[0]), d.File(others[1])}) {
		t.Errorf("event files %q", got)
	}
	oldest := "events.out.tfevents.0000000000.recap"
	if err := os.WriteFile(d.File(oldest), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	alone := rundir.Dir(t.TempDir())
	if err := os.WriteFile(alone.File(oldest), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := eventFiles(alone); !slices.Equal(got, []string{alone.File(oldest)}) {
		t.Errorf("event files %q", got)
	}
	first := rundir.Record{Phase: "stage1", Epoch: 1, LR: 0.5, Seconds: 2,
		Terms: rundir.Numbers{"rec": 3, "loss": 4}}
	second := rundir.Record{Phase: "stage2", Epoch: 7, LR: 0.25, Seconds: 0.5,
		Terms: rundir.Numbers{"loss": 5}, Valid: rundir.Numbers{"MAE": 6, "Corr": 7},
		Test: rundir.Numbers{"MAE": 8}}
	e, err := openEvents(d, []rundir.Record{first})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.add(&second); err != nil {
		t.Fatal(err)
	}
	want := slices.Concat(tensorboard.Header(1000),
		tensorboard.Record(1002, 1, []tensorboard.Scalar{{Tag: "stage1/lr", Value: 0.5},
			{Tag: "stage1/seconds", Value: 2}, {Tag: "stage1/loss", Value: 4},
			{Tag: "stage1/rec", Value: 3}}),
		tensorboard.Record(1002.5, 7, []tensorboard.Scalar{{Tag: "stage2/lr", Value: 0.25},
			{Tag: "stage2/seconds", Value: 0.5}, {Tag: "stage2/loss", Value: 5},
			{Tag: "stage2/valid/Corr", Value: 7}, {Tag: "stage2/valid/MAE", Value: 6},
			{Tag: "stage2/test/MAE", Value: 8}}))
	name := d.File("events.out.tfevents.0000000001.recap")
	if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%q\nwant %q (%v)", got, want, err)
	}
	if got := eventFiles(d); !slices.Equal(got, []string{name}) {
		t.Errorf("event files %q after the first", got)
	}
	for _, other := range others[2:] {
		if !d.Has(other) {
			t.Errorf("%s was removed", other)
		}
	}
	if err := os.RemoveAll(string(d)); err != nil {
		t.Fatal(err)
	}
	if err := e.add(&first); !strings.HasPrefix(fmt.Sprint(err), "train: events: ") {
		t.Errorf("error %v without a directory", err)
	}
	if got := eventFiles(d); got != nil {
		t.Errorf("event files %q without a directory", got)
	}
}
