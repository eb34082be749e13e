package plots

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/figure"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/runs/runstest"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/internal/train"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// smallRecap are settings of a small RECAP model, whose 10 test utterances are three batches.
var smallRecap = map[string]string{"model": "recap", "data.limit": "10", "data.scale": "0.25",
	"train.epochs.stage1": "1", "train.epochs.stage2": "1", "eval.rates": "0.5",
	"width": "4", "heads": "2", "head_width": "2", "feed_forward": "4", "depth": "1",
	"text.width": "4", "text.heads": "2", "text.feed_forward": "4", "critic.width": "4",
	"train.batch": "4"}

// trainRecap trains a variant of the small model.
func trainRecap(t *testing.T, variant string) string {
	t.Helper()
	set := maps.Clone(smallRecap)
	set["variant"] = variant
	r := runstest.NewRunner(t)
	dir, _, err := r.Train(t.Context(), settingstest.Resolved(t, set), []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// afterStage1 returns a small model with its parameters after stage 1, and the test split of its
// run.
func afterStage1(t *testing.T) (*train.Predictor, *datasets.Split) {
	t.Helper()
	d := rundir.Dir(filepath.Join(trainRecap(t, "full"), "seed5"))
	c, err := d.Config()
	if err != nil {
		t.Fatal(err)
	}
	p, err := train.OpenPredictor(d, &c)
	if err != nil {
		t.Fatal(err)
	}
	predicted := slices.Clone(p.Model.PredictParams()[0].Tensor.Values())
	if err := restoreSnapshot(d, p.Learner); err != nil {
		t.Fatal(err)
	}
	if slices.Equal(predicted, p.Model.PredictParams()[0].Tensor.Values()) {
		t.Error("the parameters are not those after stage 1")
	}
	set, err := train.OpenData(&c)
	if err != nil {
		t.Fatal(err)
	}
	return p, set.Test
}

// TestSubspacePanels compares the names of the panels and of their clouds.
func TestSubspacePanels(t *testing.T) {
	p, split := afterStage1(t)
	var log bytes.Buffer
	panels, err := panelsOf(t.Context(), p, split, []float64{0.5, 0.9},
		slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil || log.Len() > 0 {
		t.Fatal(err, &log)
	}
	pair := []figure.Cloud{{Name: "language", Color: figure.Orange, Marker: figure.Circle},
		{Name: "vision", Color: figure.Green, Marker: figure.Triangle}}
	six := []figure.Cloud{
		{Name: "real language", Color: figure.Blue, Marker: figure.Circle},
		{Name: "generated language", Color: figure.Vermillion, Marker: figure.OpenCircle},
		{Name: "real audio", Color: figure.Blue, Marker: figure.Square},
		{Name: "generated audio", Color: figure.Vermillion, Marker: figure.OpenSquare},
		{Name: "real vision", Color: figure.Blue, Marker: figure.Triangle},
		{Name: "generated vision", Color: figure.Vermillion, Marker: figure.OpenTriangle}}
	want := []panel{{title: "(a) shared, r = 0.5", clouds: pair},
		{title: "(b) unique, r = 0.5", clouds: pair},
		{title: "(c) generated and real, r = 0.5", clouds: six},
		{title: "(d) generated and real, r = 0.9", clouds: six},
		{title: "(e) reconstructed and real, r = 0.5", clouds: six},
		{title: "(f) reconstructed and real, r = 0.9", clouds: six}}
	if len(panels) != len(want) {
		t.Fatalf("%d panels", len(panels))
	}
	for i, got := range panels {
		if got.title != want[i].title || cmp.Diff(want[i].clouds, got.clouds) != "" ||
			len(got.x) != len(got.clouds) {
			t.Errorf("panel %s, want %s: %s", got.title, want[i].title,
				cmp.Diff(want[i].clouds, got.clouds))
		}
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := panelsOf(stopped, p, split, []float64{0.5}, slog.Default()); !errors.Is(err,
		context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}

// TestSubspaceFeatures compares the features in the panels with those of the model, for each rate.
func TestSubspaceFeatures(t *testing.T) {
	p, split := afterStage1(t)
	panels, err := panelsOf(t.Context(), p, split, []float64{0.5, 0.9}, slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	for i, rate := range []float64{0.5, 0.9} {
		complete, completed, err := features(t.Context(), p, p.Model.(Inspector), split, rate)
		if err != nil || !slices.Equal(complete.shape, completed.shape) || complete.shape[0] != 10 {
			t.Fatal(err, complete.shape)
		}
		for m := range zoo.Modalities {
			for j, values := range [][]float32{complete.values[m], completed.values[m]} {
				x := panels[2+i].x[2*m+j]
				if n, width := x.Dims(); n != 10 || n*width != len(values) {
					t.Fatalf("%d × %d features, want %d", n, width, len(values))
				}
				for k, v := range x.RawMatrix().Data {
					if v != float64(values[k]) {
						t.Fatalf("rate %g, %s: feature %d is %g, want %g", rate,
							panels[2+i].clouds[2*m+j].Name, k, v, values[k])
					}
				}
			}
			if slices.Equal(complete.values[m], completed.values[m]) {
				t.Errorf("modality %d: nothing is generated", m)
			}
		}
	}
	// an utterance alone has the same features as in a batch
	p.BatchSize = 1
	one, _, err := features(t.Context(), p, p.Model.(Inspector), split, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range one.values[1] {
		if math.Abs(float64(v)-panels[2].x[2].RawMatrix().Data[k]) > 1e-4 {
			t.Fatalf("feature %d of one utterance is %g", k, v)
		}
	}
}

// TestSubspaces draws all panels, and those of variants without parts of the model.
func TestSubspaces(t *testing.T) {
	for _, c := range []struct{ variant, label, log string }{
		{"full", "RECAP", ""},
		{"no-fid", "w/o FID", "the variant does not have FID or has only a part of it: no " +
			"subspaces are shown"},
		{"no-reconstructor", "w/o Reconstructor", "the variant does not have a reconstructor: no " +
			"reconstructed features are shown"},
	} {
		dir := trainRecap(t, c.variant)
		var log bytes.Buffer
		var doing []string
		f, err := Subspaces(t.Context(), dir, []float64{0.5, 0.9}, "", slog.New(
			slog.NewTextHandler(&log, nil)), func(what string, _, _ int) {
			if !slices.Contains(doing, what) {
				doing = append(doing, what)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		want := "t-SNE of 10 test utterances after stage 1: the spaces in which FID compares " +
			"language and vision, and generated and real features; synthetic, " + c.label +
			", seed 5."
		if f.Name != "tsne" || f.Alt != want ||
			!slices.Equal(doing, []string{"features", "t-SNE"}) {
			t.Errorf("%s: %s, %s, want %s; progress %q", c.variant, f.Name, f.Alt, want, doing)
		}
		if n := strings.Count(log.String(), "\n"); !strings.Contains(log.String(), c.log) ||
			(n > 0) != (c.log != "") || n > 1 {
			t.Errorf("%s: the log is %s", c.variant, &log)
		}
	}
	if _, err := Subspaces(t.Context(), trainRecap(t, "full"), []float64{0.5}, "abacus",
		slog.Default(), func(string, int, int) {}); err == nil ||
		!strings.Contains(err.Error(), "abacus") {
		t.Errorf("another device: %v", err)
	}
	if _, err := Subspaces(t.Context(), trainRecap(t, "no-stage1"), []float64{0.5}, "",
		slog.Default(), func(string, int, int) {}); err == nil || !strings.HasSuffix(err.Error(),
		": expected a run of RECAP with stage 1, found one without") {
		t.Errorf("without stage 1: %v", err)
	}
}

// TestSnapshotIsOfTheLastEpochOfStage1 compares the snapshot of stage 1 with the state at the end
// of the phase.
func TestSnapshotIsOfTheLastEpochOfStage1(t *testing.T) {
	r := runstest.NewRunner(t)
	var state []byte
	runstest.OnStep(r, func(p runs.Progress) {
		if p.Phase == "stage2" && p.Step == 1 {
			paths := runstest.Glob(t, r.Out, "*/*/*/seed*/"+rundir.StateFile)
			var err error
			if state, err = os.ReadFile(paths[0]); err != nil {
				t.Error(err)
			}
		}
	})
	dir, _, err := r.Train(context.Background(), settingstest.Resolved(t, nil), []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := os.ReadFile(filepath.Join(dir, "seed5", "stage1.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	meta, err := nn.Meta(snapshot)
	if err != nil || meta["phase"] != "stage1" || meta["epoch"] != "2" {
		t.Errorf("the snapshot is of %v (%v)", meta, err)
	}
	weights := func(file []byte) []byte { // of audio.weight, float32 [12 12]
		i := bytes.Index(file, []byte(`"audio.weight":{`))
		var from, to int
		if _, err := fmt.Sscanf(string(file[i+bytes.Index(file[i:], []byte(`offsets":[`)):]),
			`offsets":[%d,%d]`, &from, &to); err != nil {
			t.Fatal(err)
		}
		header := 8 + int(file[0]) + int(file[1])<<8 + int(file[2])<<16
		return file[header+from : header+to]
	}
	if got := weights(snapshot); len(got) != 4*12*12 || !bytes.Equal(got, weights(state)) {
		t.Errorf("%d bytes of audio.weight in the snapshot differ from those of the state",
			len(got))
	}
	if _, err := Subspaces(context.Background(), dir, []float64{0.5}, "", r.Log,
		func(string, int, int) {}); err == nil ||
		!strings.Contains(err.Error(), "expected a run of RECAP with stage 1") {
		t.Errorf("subspaces of the toy: error %v", err)
	}
}
