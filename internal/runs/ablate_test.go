package runs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/runs/runstest"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/internal/tables"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// TestAblateDropped compares variants without a modality.
func TestAblateDropped(t *testing.T) {
	r := runstest.NewRunner(t)
	variants := []settings.Config{settingstest.Resolved(t, nil),
		settingstest.Resolved(t, map[string]string{"variant": "no-dropout"})}
	all, err := r.Ablate(context.Background(), variants, []uint64{6}, []zoo.Modality{zoo.Audio})
	if err != nil {
		t.Fatal(err)
	}
	single, err := runs.Evaluate(context.Background(),
		filepath.Join(r.Out, "synthetic", "toy", "no-dropout"),
		runs.EvalOptions{Drop: []zoo.Modality{zoo.Audio}}, r.Log)
	if err != nil {
		t.Fatal(err)
	}
	got, want := all[1].Find("mean", "mean")["MAE"], single.Find("mean", "mean")["MAE"]
	if got != want {
		t.Errorf("MAE %g, want the %g of Evaluate", got, want)
	}
	if want := filepath.Join(r.Out, "synthetic", "toy", "full", "seed6",
		rundir.BestFile); os.Remove(want) != nil {
		t.Fatal("no checkpoint", want)
	} else if _, err := r.Ablate(context.Background(), variants, []uint64{6},
		[]zoo.Modality{zoo.Audio}); !strings.Contains(fmt.Sprint(err), want) {
		t.Errorf("error %v, want the checkpoint that is gone", err)
	}
	// the toy uses audio only: all its predictions are equal
	if table := tables.AblationTable(all).Text(0); !strings.Contains(table, "without audio") ||
		!strings.Contains(table, "NaN") || !strings.Contains(table, "constant predictor") {
		t.Error(table)
	}
}

// TestAblateEqual gives RECAP without stage 1 as many steps, and as much time, as RECAP has. With
// 16 utterances in batches of 8, an epoch has 2 steps.
func TestAblateEqual(t *testing.T) {
	r := runstest.NewRunner(t)
	resolved := func(variant string) settings.Config {
		set := settingstest.Small(t, "recap")
		maps.Copy(set, map[string]string{"data.limit": "16", "train.batch": "8",
			"train.epochs.stage1": "2", "train.epochs.stage2": "1", "variant": variant})
		return settingstest.Resolved(t, set)
	}
	full, short := resolved("full"), resolved("no-stage1")
	between := resolved("no-fid") // is not the measure
	between.Train.Epochs = map[string]int{"stage1": 1, "stage2": 2}
	dir := filepath.Join(r.Out, "synthetic", "recap", "full")
	journal := filepath.Join(dir, "seed5", rundir.JournalFile)
	for _, equal := range []string{rundir.EqualSteps, rundir.EqualTime} {
		if equal == rundir.EqualTime {
			setSeconds(t, journal, 2, 2, 1)
		}
		var log bytes.Buffer
		r.Log, r.Equal = slog.New(slog.NewTextHandler(&log, nil)), equal
		all, err := r.Ablate(t.Context(), []settings.Config{full, between, short}, []uint64{5}, nil)
		if err != nil {
			t.Fatal(err)
		}
		epochs := 3 // (2·2 + 1·2)/2
		if equal == rundir.EqualTime {
			epochs = 5 // (2 + 2 + 1)/1
		}
		c := &all[2].Config
		if c.Name != "no-stage1-"+equal || c.Train.Epochs["stage2"] != epochs ||
			all[0].Config.Train.Epochs["stage2"] != 1 || short.Train.Epochs["stage2"] != 1 {
			t.Errorf("%s: %s with epochs %v, want %d", equal, c.Name, c.Train.Epochs, epochs)
		}
		if want := fmt.Sprintf("level=INFO msg=\"no-stage1 trains stage2 for %d epochs\" as=%s "+
			"of=%s\n", epochs, equal, dir); !strings.Contains(log.String(), want) {
			t.Errorf("log %s, want %s", &log, want)
		}
	}
	if _, err := r.Ablate(t.Context(), []settings.Config{short}, []uint64{5},
		nil); !strings.HasPrefix(fmt.Sprint(err), "runs: no-stage1: expected the variant full") {
		t.Errorf("error %v without the whole model", err)
	}
	for text, want := range map[string]string{"{\n": "rundir: " + journal + ": line 1: ",
		"": "runs: " + dir + ": expected epochs of stage2 in the journals, found none"} {
		if err := os.WriteFile(journal, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Ablate(t.Context(), []settings.Config{full, short}, []uint64{5},
			nil); !strings.HasPrefix(fmt.Sprint(err), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// setSeconds gives the epochs in a journal these times.
func setSeconds(t *testing.T, path string, seconds ...float64) {
	t.Helper()
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var text []byte
	for i, line := range strings.Split(strings.TrimSpace(string(old)), "\n") {
		var r rundir.Record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		r.Seconds = seconds[i]
		changed, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		text = append(append(text, changed...), '\n')
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
