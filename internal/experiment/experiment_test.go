package experiment

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/recap"
)

// A toy predicts the label from the mean frames. Its first phase, without labels, learns to tell
// the complete frames from the corrupted.
type toy struct {
	p           *nn.Params
	audio, head *nn.Linear
	poison      int // the step of stage2, counted over its epochs, from which on the loss is NaN; 0: never
	steps       int
}

// toySpec has RECAP's settings and variants, which mean nothing to it but one.
var toySpec = zoo.Spec{Name: "toy", Label: "toy", Preset: recap.Spec.Preset, Variants: recap.Spec.Variants, Terms: recap.Spec.Terms, New: newToy}

func newToy(p *nn.Params, c zoo.Config, d zoo.Dims) zoo.Model {
	m := &toy{p: p, audio: nn.NewLinear(p.Sub("audio"), d.AudioD, d.AudioD), head: nn.NewLinear(p.Sub("head"), d.AudioD, 1)}
	if d.Classes > 0 {
		m.head = nn.NewLinear(p.Sub("classes"), d.AudioD, d.Classes)
	}
	if r := c.(*recap.Config); r.Discriminator == "mlp" {
		m.poison = r.Critic.Width
	}
	return m
}

func (m *toy) Phases() []zoo.Phase {
	return []zoo.Phase{
		{Name: "stage1", Params: m.p.Sub("audio").All(), Least: 8, Terms: m.complete, Keep: m.p.Sub("audio").All(),
			Warn: func(first, last map[string]float64) string { return "warned" }},
		{Name: "stage2", Params: m.p.All(), Labels: true, Terms: m.predict},
	}
}

func (m *toy) PredictParams() []nn.Param { return m.p.All() }
func (m *toy) Text() *zoo.Text           { return nil }

func (m *toy) complete(tp *ag.Tape, b *zoo.Batch) []zoo.Term {
	x := tp.Dropout(tp.Mean(b.Corrupted.Audio, 1), 0.1)
	return []zoo.Term{
		{Name: "rec", Weight: 0.5, Loss: tp.MSE(m.audio.Forward(tp, x), tp.Mean(b.Complete.Audio, 1))},
		{Name: "size", Loss: tp.Mean(tp.Mul(x, x))},
	}
}

func (m *toy) predict(tp *ag.Tape, b *zoo.Batch) []zoo.Term {
	m.steps++
	y := m.Predict(tp, b.Corrupted).Score
	var loss *ag.Tensor
	if b.Class != nil {
		loss = tp.CrossEntropy(y, b.Class)
	} else {
		loss = tp.MSE(y, b.Label)
	}
	if m.poison > 0 && m.steps >= m.poison {
		loss = tp.Scale(loss, math.NaN())
	}
	return []zoo.Term{{Name: "task", Weight: 1, Loss: loss}}
}

func (m *toy) Predict(tp *ag.Tape, in *zoo.Input) zoo.Output {
	x := m.audio.Forward(tp, tp.Mean(in.Audio, 1))
	y := m.head.Forward(tp, x)
	if y.Shape()[1] == 1 {
		y = tp.Reshape(y, -1)
	}
	return zoo.Output{Score: y, Weight: tp.Softmax(tp.Slice(x, 1, 0, zoo.Modalities), nil)}
}

func TestMain(m *testing.M) {
	Models = append(Models, toySpec)
	os.Exit(m.Run())
}

// resolved returns a small configuration of the toy with settings changed.
func resolved(t *testing.T, set map[string]string) Config {
	t.Helper()
	all := map[string]string{"model": "toy", "data.limit": "40", "train.batch": "16", "train.lr": "0.05", "eval.rates": "0,0.5"}
	if model := set["model"]; model == "" || model == "toy" || model == "recap" {
		all["train.epochs.stage1"], all["train.epochs.stage2"] = "2", "3"
	}
	maps.Copy(all, set)
	c, err := Resolve(Sources{Env: func(string) (string, bool) { return "", false }, Set: all})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newTestRunner(t *testing.T) *Runner {
	return &Runner{Out: t.TempDir(), Log: slog.New(slog.DiscardHandler), Step: func(uint64, string, int, int) {}}
}

// contents returns the files of a seed's directory and the summary, without what depends on the
// clock.
func contents(t *testing.T, run string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, pattern := range []string{"seed*/*", "summary.*"} {
		paths, err := filepath.Glob(filepath.Join(run, pattern))
		if err != nil || paths == nil {
			t.Fatalf("%s: no files: %v", run, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name := strings.TrimPrefix(path, run)
			files[name] = string(text)
			if strings.HasSuffix(name, ".jsonl") {
				var lines []string
				for line := range strings.Lines(string(text)) {
					timeless, _, _ := strings.Cut(line, `"seconds"`)
					lines = append(lines, timeless)
				}
				files[name] = strings.Join(lines, "\n")
			}
		}
	}
	return files
}

func sameFiles(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d files, want %d", what, len(got), len(want))
	}
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s: %s differs from the unbroken run's", what, name)
		}
	}
}

// TestResume stops a run after each of its steps, as SIGKILL does: between any two writes to the
// disk there is such a stop, or the disk is as after one of them. Half-written lines and files of
// an epoch that does not count are added by hand.
func TestResume(t *testing.T) {
	c := resolved(t, map[string]string{"select": SelectTest})
	whole := newTestRunner(t)
	dir, _, err := whole.Train(context.Background(), c, []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	want := contents(t, dir)
	steps := 2*3 + 3*3 // 40 utterances in batches of 16; in stage1 the last, of 8, is just large enough
	for stop := 1; stop <= steps; stop++ {
		r := newTestRunner(t)
		dir, count, err := trainUntil(r, c, stop)
		if interrupted := new(Interrupted); !errors.As(err, &interrupted) || interrupted.Dir != dir || !strings.Contains(err.Error(), "--resume "+dir) {
			t.Fatalf("stopped at step %d: error %v", stop, err)
		}
		spoil(t, dir)
		r.Step = func(uint64, string, int, int) { count++ }
		if _, _, err = r.Resume(context.Background(), dir); err != nil {
			t.Fatal(err)
		}
		if again := count - steps; again < 0 || again > 3 {
			t.Errorf("stopped at step %d: %d steps were made, want %d and no more than an epoch's 3 again", stop, count, steps)
		}
		sameFiles(t, "resumed", contents(t, dir), want)
	}
}

// spoil leaves traces of an epoch that was not finished.
func spoil(t *testing.T, run string) {
	t.Helper()
	d := runDir(filepath.Join(run, "seed5"))
	f, err := os.OpenFile(d.file(journalFile), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(`{"phase":"stage2","epoch":9,"valid":{"MAE":0},"test":{"MAE":0}}` + "\n" + `{"phase":"sta`); err != nil {
		t.Fatal(err)
	}
	if !d.has(bestFile) {
		return
	}
	if err := os.WriteFile(d.file("."+bestFile+".tmp"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestKilledBetweenFiles restores an older state beside newer files, which is what a kill between
// two renames leaves.
func TestKilledBetweenFiles(t *testing.T) {
	c := resolved(t, nil)
	r := newTestRunner(t)
	var old [][]byte
	r.Step = func(_ uint64, _ string, done, _ int) {
		paths, _ := filepath.Glob(filepath.Join(r.Out, "*/*/*/seed*/"+stateFile))
		if done%3 == 0 && len(paths) == 1 {
			text, err := os.ReadFile(paths[0])
			if err != nil {
				t.Error(err)
			}
			old = append(old, text)
		}
	}
	dir, _, err := r.Train(context.Background(), c, []uint64{5})
	if err != nil || len(old) < 4 {
		t.Fatal(len(old), err)
	}
	want := contents(t, dir)
	d := runDir(filepath.Join(dir, "seed5"))
	for _, state := range old {
		if err := errors.Join(os.WriteFile(d.file(stateFile), state, 0o644), os.Remove(d.file(predictionsFile))); err != nil {
			t.Fatal(err)
		}
		if _, _, err := r.Resume(context.Background(), string(d)); err != nil {
			t.Fatal(err)
		}
		sameFiles(t, "resumed", contents(t, dir), want)
	}
}

func TestSameBitsOnAnyNumberOfCores(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var runs []map[string]string
	for _, n := range []int{1, 2} {
		runtime.GOMAXPROCS(n)
		dir, _, err := newTestRunner(t).Train(context.Background(), resolved(t, nil), []uint64{5})
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, contents(t, dir))
	}
	sameFiles(t, "two cores", runs[1], runs[0])
}

// TestNaNStopsTheRun names the step that failed, though later ones were made before it was
// noticed.
func TestNaNStopsTheRun(t *testing.T) {
	for _, c := range []struct {
		batch, poison string
		want          string
		made          int // steps of stage2 of which progress was told
	}{
		{"16", "5", "epoch 2, step 2:", 5},       // of 3, all read together
		{"2", "23", "epoch 2, step 3:", 20 + 15}, // of 20, in the first reading
		{"2", "36", "epoch 2, step 16:", 20 + 15},
		{"2", "37", "epoch 2, step 17:", 20 + 19},
		{"2", "40", "epoch 2, step 20:", 20 + 19},
	} {
		r := newTestRunner(t)
		made := 0
		r.Step = func(_ uint64, phase string, done, _ int) {
			if phase == "stage2" {
				made = done
			}
		}
		dir, _, err := r.Train(context.Background(), resolved(t, map[string]string{"discriminator": "mlp", "critic.width": c.poison, "train.batch": c.batch}), []uint64{5})
		for _, part := range []string{"phase stage2, " + c.want, "term task", "NaN", filepath.Join(dir, "seed5", stateFile)} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("error %v does not say %q", err, part)
			}
		}
		if made != c.made {
			t.Errorf("%s: the last step told is %d, want %d", c.want, made, c.made)
		}
		file, err := os.ReadFile(filepath.Join(dir, "seed5", stateFile))
		if err != nil {
			t.Fatal(err)
		}
		if meta, err := nn.Meta(file); err != nil || meta["phase"] != "stage2" || meta["epoch"] != "1" {
			t.Errorf("the state kept is of %v, want stage2, epoch 1 (%v)", meta, err)
		}
	}
}

func TestStateOfAnotherConfiguration(t *testing.T) {
	r := newTestRunner(t)
	dir, _, err := r.Train(context.Background(), resolved(t, nil), []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	d := runDir(filepath.Join(dir, "seed5"))
	text, err := os.ReadFile(d.file(configFile))
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "batch: 16", "batch: 8", 1)
	if err := errors.Join(os.WriteFile(d.file(configFile), []byte(changed), 0o644), os.Remove(d.file(predictionsFile))); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Resume(context.Background(), dir); err == nil || !strings.Contains(err.Error(), "expected the state of the configuration beside it") {
		t.Errorf("resumed under a changed configuration: error %v", err)
	}
}

// TestGroupsHaveTheirOwnRates makes one step of Adam, which moves every number by its learning
// rate, without and with decay from 1.
func TestGroupsHaveTheirOwnRates(t *testing.T) {
	dev, err := ag.Open("cpu64")
	if err != nil {
		t.Fatal(err)
	}
	p := nn.NewParams(dev, stream(1, "test"))
	for _, name := range []string{"scratch", "text", "bias", "unset"} {
		p.New(name, nn.Ones, 1)
	}
	c, err := Preset("quick", "recap", "")
	if err != nil {
		t.Fatal(err)
	}
	c.Train.LR, c.Train.WeightDecay, c.Train.Groups = 0.1, 0.5, map[string]zoo.GroupTraining{"text": {LR: 0.01, WeightDecay: 0.2}}
	tr := &trainer{config: c}
	all := p.All()
	ph := zoo.Phase{Params: all, Groups: []zoo.Group{{Name: "text", Params: all[1:2]}, {Name: "text", Params: all[2:3], NoDecay: true}, {Name: "unset", Params: all[3:]}}}
	grads := ag.Grads{}
	for _, x := range p.All() {
		grads[x.Tensor] = ag.NewTensor(dev, []float64{1}, 1)
	}
	tr.optimizer(ph).Step(grads)
	for i, want := range []float64{-0.1 - 0.1*0.5, -0.01 - 0.01*0.2, -0.01, -0.1 - 0.1*0.5} {
		if got := all[i].Item() - 1; math.Abs(got-want) > 1e-6 {
			t.Errorf("%s moved by %g, want %g", all[i].Name, got, want)
		}
	}
}
