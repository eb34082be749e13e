package runs

import (
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6655bf3b/recap/autograd/gradcheck"
	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/models"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/internal/train"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

func TestLogStart(t *testing.T) {
	for _, c := range []struct {
		set   map[string]string
		seeds []uint64
		want  string
	}{
		{nil, []uint64{5}, `msg="training toy on mosi" seed=5 preset=quick device=cpu`},
		{map[string]string{"variant": "no-dropout", "device": "cpu64"}, []uint64{5, 6},
			`msg="training toy, w/o dropout, on mosi" seeds="5 6" preset=quick device=cpu64`},
	} {
		config := settingstest.Resolved(t, c.set)
		config.Dataset = "mosi"
		got := logged(func(log *slog.Logger) { (&Runner{Log: log}).logStart(&config, c.seeds) })
		if want := "level=INFO " + c.want + "\n"; got != want {
			t.Errorf("log %s, want %s", got, want)
		}
	}
}

func TestTimeLeft(t *testing.T) {
	p := Progress{Number: 2, Count: 5, Progress: train.Progress{
		Left: train.Estimate{Time: time.Minute}, Whole: train.Estimate{Time: time.Hour}}}
	if got := p.TimeLeft(); got.Time != 3*time.Hour+time.Minute || got.AtLeast {
		t.Errorf("%+v, want 3 h 1 min", got)
	}
}

// TestLabels opens data sets: each once, and another one for each setting on which labels depend.
func TestLabels(t *testing.T) {
	sets := map[string]*datasets.Set{}
	c := settingstest.Resolved(t, map[string]string{"dataset": "synthetic"})
	c.Data.Resplit = settings.ResplitBySeed
	first, err := labels(sets, c)
	if err != nil {
		t.Fatal(err)
	}
	c.Data.Text, c.Data.Audio, c.Data.Vision = "no.pkl", "no.pkl", "no.pkl"
	if again, err := labels(sets, c); err != nil || again != first {
		t.Errorf("the features were opened, or the set again: %v", err)
	}
	for what, change := range map[string]func(c *settings.Config){
		"scale":   func(c *settings.Config) { c.Data.Scale = 0.3 },
		"limit":   func(c *settings.Config) { c.Data.Limit = 7 },
		"resplit": func(c *settings.Config) { c.Data.Resplit = "77" },
		"seed":    func(c *settings.Config) { c.Seed++ },
		"split":   func(c *settings.Config) { c.Eval.Split = "valid" },
	} {
		other := c
		change(&other)
		set, err := labels(sets, other)
		if err != nil || set == first || cmp.Equal(set.Train.Label, first.Train.Label) &&
			cmp.Equal(set.Test.Label, first.Test.Label) {
			t.Errorf("another %s has the same labels: %v", what, err)
		}
	}
	c.Dataset, c.Data.File = "mosi", filepath.Join("..", "..", "datasets", "testdata",
		"protocol4.pkl")
	c.Data.Resplit = ""
	whole, err := labels(sets, c)
	if err != nil || whole == first || whole.Test.Len() != 2 {
		t.Errorf("the set of a file: %v", err)
	}
	c.Data.File = "none.pkl"
	if _, err := labels(sets, c); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v of no file", err)
	}
}

// TestGradcheck counts the parameters of the toy: a linear layer from 5 features to 5, and one to
// the prediction.
func TestGradcheck(t *testing.T) {
	checks, err := Gradcheck("toy")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []PhaseCheck{{Phase: "stage1", Parameters: 5*5 + 5},
		{Phase: "stage2", Parameters: 5*5 + 5 + 5 + 1}} {
		k := checks[i]
		if k.Phase != want.Phase || k.Parameters != want.Parameters || k.ZeroGradient != 0 ||
			!(k.Loss > 0) || k.Analytic == 0 || !(k.Err() < 1e-6) ||
			k.Err() != gradcheck.RelativeError(k.Analytic, k.Numeric) {
			t.Errorf("%+v, error %g, want %+v", k, k.Err(), want)
		}
	}
	if k := (PhaseCheck{Analytic: 3, Numeric: 4}); len(checks) != 2 || k.Err() != 0.25 {
		t.Errorf("%d checks; error %g, want 0.25", len(checks), k.Err())
	}
	checks, err = Gradcheck("mmim") // has two passes
	if err != nil || len(checks) != 2 || checks[0].Phase != "train/predictors" ||
		checks[1].Phase != "train/task" || checks[0].Parameters >= checks[1].Parameters {
		t.Errorf("%+v, %v", checks, err)
	}
	defer func(all []zoo.Spec) { models.All = all }(models.All)
	spec := *models.Find("toy")
	spec.Name = "idle"
	spec.New = func(p *nn.Params, c zoo.Config, d zoo.Dims) zoo.Model {
		nn.NewLinear(p.Sub("unused"), 2, 3)
		return idle{models.Find("toy").New(p, c, d), p.Sub("unused").All()}
	}
	models.All = append(models.All, spec)
	checks, err = Gradcheck("idle")
	if err != nil || checks[0].ZeroGradient != 2 || checks[0].Parameters != 30+2*3+3 {
		t.Errorf("%+v, %v, want a weight and a bias without a gradient", checks, err)
	}
	if _, err := Gradcheck("nothing"); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("error %v of an unknown model", err)
	}
}

// An idle model has parameters that its first phase trains and no loss depends on.
type idle struct {
	zoo.Model
	unused []nn.Param
}

func (m idle) Phases() []zoo.Phase {
	phases := m.Model.Phases()
	pass := &phases[0].Passes[0]
	pass.Params = slices.Concat(pass.Params, m.unused)
	return phases
}

func TestNote(t *testing.T) {
	for _, c := range []struct {
		o    EvalOptions
		want string
	}{
		{EvalOptions{Rates: "0", Device: "cpu"}, ""},
		{EvalOptions{File: "a/b.pkl"}, "data of b.pkl"},
		{EvalOptions{Features: datasets.Features{Audio: "a/b", Vision: "c"}},
			"features of b; features of c"},
		{EvalOptions{File: "x", Features: datasets.Features{Language: "y"},
			Drop: []zoo.Modality{zoo.Language, zoo.Audio, zoo.Vision}},
			"data of x; features of y; without text, audio, vision"},
	} {
		if got := c.o.note(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
