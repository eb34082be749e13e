package runs_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/runs/runstest"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/internal/train"
)

// TestPatience trains with a learning rate so small that no epoch is better than the first, whose
// checkpoint stays.
func TestPatience(t *testing.T) {
	r := runstest.NewRunner(t)
	steps := 0
	runstest.OnStep(r, func(p runs.Progress) {
		if p.Phase == "stage2" {
			steps++
		}
	})
	c := settingstest.Resolved(t,
		map[string]string{"train.lr": "1e-30", "train.schedule": "constant", "train.patience": "2",
			"train.epochs.stage2": "6"})
	dir, _, err := r.Train(context.Background(), c, []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	const want = 3 * 3 // epochs of 3 steps
	if steps != want {
		t.Errorf("stage2 made %d steps, want %d", steps, want)
	}
	whole := runstest.Contents(t, dir)
	d := rundir.Dir(filepath.Join(dir, "seed5"))
	if epoch := epochOf(t, []byte(whole["/seed5/best.safetensors"])); epoch != 1 {
		t.Errorf("of equal epochs the checkpoint is of epoch %d, want the first", epoch)
	}
	if err := os.Remove(d.File(rundir.PredictionsFile)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Resume(context.Background(), dir); err != nil {
		t.Fatal(err)
	}
	if steps != want {
		t.Errorf("resumed after its end, stage2 made %d more steps", steps-want)
	}
	runstest.SameFiles(t, "resumed", runstest.Contents(t, dir), whole)
}

// TestModelsResume interrupts the training of every model of the zoo in each epoch that begins from
// a state. After it is resumed, the files are the same, including the memory of a phase.
func TestModelsResume(t *testing.T) {
	for _, spec := range settingstest.Baselines {
		t.Run(spec.Name, func(t *testing.T) {
			set := settingstest.Small(t, spec.Name)
			maps.Copy(set, map[string]string{"data.limit": "16", "train.batch": "8",
				"train.lr": "0.001", "train.epochs.train": "3", "train.schedule": "constant"})
			c := settingstest.Resolved(t, set)
			dir, _, err := runstest.NewRunner(t).Train(context.Background(), c, []uint64{5})
			if err != nil {
				t.Fatal(err)
			}
			want := runstest.Contents(t, dir)
			r := runstest.NewRunner(t)
			dir, _, err = runstest.TrainUntil(r, c, 3) // of 2 steps an epoch
			if !errors.As(err, new(*train.Interrupted)) {
				t.Fatalf("stopped in epoch 2: error %v", err)
			}
			if err := runstest.ResumeUntil(r, dir, 3); !errors.As(err, new(*train.Interrupted)) {
				t.Fatalf("resumed and stopped in epoch 3: error %v", err)
			}
			r.Progress = func(runs.Progress) {}
			if _, _, err := r.Resume(context.Background(), dir); err != nil {
				t.Fatal(err)
			}
			runstest.SameFiles(t, "resumed", runstest.Contents(t, dir), want)
		})
	}
}

// TestTimeOfLaterSeeds checks that the time is known from the first step of the second seed on.
func TestTimeOfLaterSeeds(t *testing.T) {
	r := runstest.NewRunner(t)
	first := map[int]runs.Progress{}
	runstest.OnStep(r, func(p runs.Progress) {
		if first[p.Number].Step == 0 {
			first[p.Number] = p
		}
	})
	c := settingstest.Resolved(t, nil)
	if _, _, err := r.Train(t.Context(), c, []uint64{5, 6}); err != nil {
		t.Fatal(err)
	}
	for seed, want := range map[int]bool{1: false, 2: true} {
		p := first[seed]
		if left := p.TimeLeft(); p.Measured != want || left.AtLeast == want || p.Count != 2 {
			t.Errorf("seed %d: %+v", seed, p)
		}
	}
}
