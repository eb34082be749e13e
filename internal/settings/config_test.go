package settings

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-6655bf3b/recap/internal/models"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// TestPrecedence sets one key in more and more sources. Each source must override the sources
// before it.
func TestPrecedence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file,
		[]byte("train: {lr: 0.2, batch: 5, epochs: {stage1: 7}}\nwidth: 32\n"),
		0o644); err != nil {
		t.Fatal(err)
	}
	var s Sources
	steps := []struct {
		source string
		add    func()
		want   float64
	}{
		{"preset", func() {}, 1e-3},
		{"file", func() { s.File = file }, 0.2},
		{"environment", func() { s.Env = []string{"RECAP_TRAIN_LR=0.3"} }, 0.3},
		{"set", func() { s.Set = map[string]string{"train.lr": "0.4"} }, 0.4},
		{"flags", func() { s.Flags = map[string]string{"train.lr": "0.5"} }, 0.5},
	}
	quick, _ := Preset("quick", "recap", "")
	for _, step := range steps {
		step.add()
		c, err := Resolve(s)
		if err != nil || c.Train.LR != step.want {
			t.Errorf("%s: train.lr %v, want %v (%v)", step.source, c.Train.LR, step.want, err)
		}
		if s.File != "" &&
			(c.Train.Batch != 5 || setting(&c, "width") != 32 || c.Train.Epochs["stage1"] != 7 ||
				c.Train.Epochs["stage2"] != quick.Train.Epochs["stage2"]) {
			t.Errorf("%s: the other settings of the file are lost: %+v", step.source, c.Train)
		}
	}
	s.Flags = map[string]string{"preset": "paper", "variant": "no-fid"}
	s.Set = map[string]string{"without.fid": "false"}
	c, err := Resolve(s)
	if err != nil || setting(&c, "depth") != 2 || c.Train.Epochs["stage2"] != 200 ||
		setting(&c, "width") != 32 || setting(&c, "without.fid") != true {
		t.Errorf("preset paper, variant no-fid: %+v (%v)", c, err)
	}
}

// setting returns the value of a key, or nil if the key is unknown.
func setting(c *Config, key string) any {
	for _, s := range zoo.Settings(c) {
		if s.Key == key {
			return s.Value.Interface()
		}
	}
	return nil
}

func TestPresetsAreValid(t *testing.T) {
	for _, spec := range models.All {
		for _, name := range []string{"quick", "paper"} {
			c, err := Preset(name, spec.Name, "sims")
			if err == nil {
				err = c.check()
			}
			if err != nil {
				t.Error(spec.Name, name, err)
			}
		}
	}
}

func TestInvalidSettings(t *testing.T) {
	dir := t.TempDir()
	file := func(text string) string {
		path := filepath.Join(dir, "c.yaml")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		file       string
		key, value string
		want       string
	}{
		{"", "train.bach", "3", `unknown key "train.bach", did you mean "train.batch"?`},
		{"", "batch", "3", `did you mean "train.batch"?`},
		{"", "train.epochs.stage3", "3", `did you mean "train.epochs.stage1"?`},
		{"", "nonsense", "3", `unknown key "nonsense"; recap settings prints all keys`},
		{"", "train.batch", "many", `train.batch: expected a whole number, found many`},
		{"", "train.batch", "0", "train.batch: expected 1 or more, found 0"},
		{"", "train.lr", ".nan", "train.lr: expected a number above 0"},
		{"", "train.epochs.stage1", "x",
			"train.epochs.stage1: expected a whole number, found x"},
		{"", "variant", "no-luck", "variant: expected one of full, no-hcag"},
		{"", "preset", "slow", "preset: expected one of quick, paper, found slow"},
		{"", "eval.rates", "0:2:0.1", "rates: expected first:last:step"},
		{"", "data.classes", "4", "data.classes: expected one of 0, 2, 3, 5, 7"},
		{"", "name", "../x", "name: expected letters"},
		{"", "heads", "0", "heads: expected 1 or more, found 0"},
		{"", "granularities", "[7]", "recap: granularities contain 7"},
		{"train:\n  bach: 3\n", "", "", `unknown key "train.bach", did you mean "train.batch"?`},
		{"train: {epochs: {stage9: 1}}", "", "", `unknown key "train.epochs.stage9"`},
		{"{", "", "", "c.yaml: expected YAML or JSON"},
		{"train: 5\n", "", "", `c.yaml: settings: unknown key "train"`},
		{"train: {batch: [1]}",
			"", "", "c.yaml: settings: train.batch: expected a whole number, found [1]"},
		{"train: {batch: 1.5}",
			"", "", "c.yaml: settings: train.batch: expected a whole number, found 1.5"},
		{"train: {batch: true}", "", "", "train.batch: expected a whole number, found true"},
		{"train: {lr: [1]}", "", "", "train.lr: expected a number, found [1]"},
		{"train: {lr: .nan}", "", "", "train.lr: expected a number above 0, found NaN"},
		{"cuda: {tf32: 2}", "", "", "cuda.tf32: expected true or false, found 2"},
		{"seed: -1", "", "", "seed: expected a whole number, 0 or more, found -1"},
		{"granularities: [1, x]", "", "",
			"granularities: expected a list of whole numbers, found [1 x]"},
		{"loss: {modality: [1, 2]}", "",
			"", "loss.modality: expected a list of 3 numbers, found [1 2]"},
		{"", "model", "gpt", "model: expected one of recap, "},
		{"", "train.optimizer", "sgd", "train.optimizer: expected one of adamw, adam, found sgd"},
		{"", "train.accumulate", "0", "train.accumulate: expected 1 or more, found 0"},
		{"", "train.groups.text.lr", "-1",
			"train.groups.text.lr: expected a number above 0, found -1"},
		{"", "train.groups.audio.lr", "1", `unknown key "train.groups.audio.lr"`},
		{"", "fusion_depth", "100000",
			"fusion_depth: expected a number from 0 to 100, found 100000"},
		{"{select: per-metric-test, eval: {split: valid}}", "", "",
			"eval.split: expected test with per-metric-test, which selects on it, found valid"},
	} {
		var s Sources
		if c.file != "" {
			s.File = file(c.file)
		} else {
			s.Set = map[string]string{c.key: c.value}
		}
		if _, err := Resolve(s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s%s=%s: error %v, want %q", c.file, c.key, c.value, err, c.want)
		}
	}
	var unknown *KeyError
	if _, err := Resolve(Sources{
		Set: map[string]string{"x": "1"}}); !errors.As(err, &unknown) || unknown.Key != "x" {
		t.Errorf("unknown key: %v", err)
	}
}

func TestParseRates(t *testing.T) {
	for text, want := range map[string][]float64{
		"0:0.9:0.1": {0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}, "0,0.5": {0, 0.5},
		"0.3": {0.3}, "0:1:0.5": {0, 0.5, 1},
		"": nil, "a": nil, "0.5,0.5": nil, "0:1": nil, "0:1:0": nil, "-0.1": nil, "NaN": nil,
		"0:1:NaN": nil,
	} {
		if got, err := ParseRates(text); !slices.Equal(got, want) ||
			(err == nil) != (want != nil) {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
}

// TestMoveTo chooses another device: TF32 goes from one GPU to another, and not to the CPU.
func TestMoveTo(t *testing.T) {
	for _, x := range []struct {
		device string
		tf32   bool
		to     string
		want   string // name of the device
	}{
		{"cuda:0", true, "cuda:1", "cuda:1,tf32"},
		{"cuda:0", false, "cuda:1", "cuda:1"},
		{"cuda:0", true, "cpu", "cpu"},
		{"cpu", false, "cuda:0,tf32", "cuda:0,tf32"},
		{"cuda:0", true, "", "cuda:0,tf32"},
		{"cpu", false, "nonsense", "nonsense"},
	} {
		c := Config{Device: x.device, CUDA: CUDAConfig{TF32: x.tf32}}
		c.MoveTo(x.to)
		if got := c.DeviceName(); got != x.want || strings.Contains(c.Device, "tf32") {
			t.Errorf("%s moved to %q: %s, device %s, want %s", x.device, x.to, got, c.Device,
				x.want)
		}
	}
}

// TestLongKey checks that an unknown key of 100 KB is refused at once.
func TestLongKey(t *testing.T) {
	start := time.Now()
	_, err := Parse("long", []byte(strings.Repeat("x", 100<<10)+": 1"))
	if d := time.Since(start); err == nil || strings.Contains(err.Error(), "did you mean") ||
		d > 5*time.Second {
		t.Errorf("after %v: %.80v", d, err)
	}
}

// FuzzParse reads any configuration. What is valid must be the same when it is written and read.
func FuzzParse(f *testing.F) {
	for _, model := range []string{"recap", "misa", "self-mm", "tfr-net", "tetfn", "almt", "lnln",
		"tf-mamba"} {
		c, err := Preset("quick", model, "mosi")
		if err != nil {
			f.Fatal(err)
		}
		text, err := c.YAML()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"seed": 1, "train": {"epochs": 2, "lr": 1e-3}, "data.limit": 4}`))
	f.Add([]byte("a: &a [*a]\n<<: {b: !!binary x}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse("fuzz", text)
		if err != nil {
			return
		}
		written, err := c.YAML()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Parse("fuzz", written); err != nil || again.Hash() != c.Hash() {
			t.Errorf("%v; written:\n%s", err, written)
		}
	})
}
