package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
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

// TestSourcesOfThePreset sets preset, model and data set, which determine the defaults, in each
// source, besides other values in the sources that it overrides.
func TestSourcesOfThePreset(t *testing.T) {
	var s Sources
	for _, step := range []struct {
		source, model string
		add           func()
	}{
		{"file", "misa", func() {
			s.File = write(t, "preset: paper\ntrain:\nmodel: misa\ndataset: sims\n")
		}},
		{"environment", "tetfn", func() {
			s.Env = []string{"RECAP_MODEL=tetfn", "HOME=x", "RECAP_DATASET=sims"}
		}},
		{"set", "lnln", func() { s.Set = map[string]string{"model": "lnln"} }},
		{"flags", "almt", func() { s.Flags = map[string]string{"model": "almt"} }},
	} {
		step.add()
		want, err := Preset("paper", step.model, "sims")
		if err != nil {
			t.Fatal(err)
		}
		if c, err := Resolve(s); err != nil || c.Hash() != want.Hash() {
			t.Errorf("%s: %+v (%v), want %+v", step.source, c, err, want)
		}
	}
	s = Sources{Env: []string{"RECAP_PRESET=paper", "RECAP_SEED=-0"}}
	if c, err := Resolve(s); err != nil || c.Preset != "paper" || c.Train.Epochs["stage2"] != 200 {
		t.Errorf("preset paper in the environment: %+v (%v)", c, err)
	}
}

// TestValidSettings resolves settings that are valid beside each other.
func TestValidSettings(t *testing.T) {
	for _, set := range []map[string]string{
		{"data.classes": "3"}, {"model": "self-mm"}, {"eval.split": "valid"},
		{"select": "per-metric-test"}, {"device": "cuda:1", "cuda.tf32": "true"},
		{"device": "cpu64"}, {"data.limit": "9223372036854775807"},
		{"model": "misa", "data.classes": "7"}, {"name": "a-1._"},
	} {
		c, err := Resolve(Sources{Set: set})
		for key, want := range set {
			if got := fmt.Sprint(setting(&c, key)); err != nil || got != want {
				t.Errorf("%v: %s is %s, want %s (%v)", set, key, got, want, err)
			}
		}
	}
}

// TestPathsAreAbsolute has relative paths of all files and of a folder.
func TestPathsAreAbsolute(t *testing.T) {
	bert, err := filepath.Abs("../../nn/testdata/tiny_bert/safe")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Dir(bert))
	for _, key := range []string{"data.file", "data.text", "data.audio", "data.vision"} {
		c, err := Resolve(Sources{Set: map[string]string{key: "x", "text.bert": "safe"}})
		if got := setting(&c, key); err != nil || got != filepath.Join(filepath.Dir(bert), "x") {
			t.Errorf("%s: %q (%v)", key, got, err)
		}
		if got := setting(&c, "text.bert"); got != bert {
			t.Errorf("text.bert: %q, want %q", got, bert)
		}
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
				err = c.finish()
			}
			if err != nil {
				t.Error(spec.Name, name, err)
			}
		}
	}
}

func TestInvalidSettings(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HF_HOME", dir) // no pretrained models
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
		{"", "eval.rates", "0:2:0.1", "rates: expected first:last:step or a list, of increasing " +
			`numbers from 0 to 1, such as 0:0.9:0.1 or 0,0.5, found "0:2:0.1"`},
		{"", "data.classes", "4", "data.classes: expected one of 0, 2, 3, 5, 7"},
		{"", "name", "../x", "name: expected letters"},
		{"", "dataset", "../x", "settings: dataset: expected letters, digits, '.', '_' and '-', " +
			"found ../x"},
		{"", "heads", "0", "heads: expected 1 or more, found 0"},
		{"", "train.batch", "[", "train.batch: expected a whole number, found ["},
		{"", "device", "gpu", "device: expected cpu, cpu64, or cuda:0 and so on, found gpu"},
		{"", "device", "cuda:0,tf32", "cpu, cpu64, or cuda:0 and so on, found cuda:0,tf32"},
		{"", "cuda.tf32", "true", "cuda.tf32: expected false with device cpu, found true"},
		{"", "text.bert", "no/such", "settings: text.bert: nn: pretrained model no/such: expected"},
		{"", "text.bert", "config_test.go", "pretrained model config_test.go: expected a folder"},
		{"{generator: {kind: imagebind, file: no.pth}}", "", "",
			"recap: generator.file: expected ImageBind's weights"},
		{"{select: per-metric-test, data: {classes: 3}}", "", "", "data.classes: expected 0 with " +
			"per-metric-test, which selects by metrics of regression, found 3"},
		{"{model: self-mm, data: {classes: 3}}", "", "", "data.classes: expected 0 with model " +
			"self-mm, which supports only regression, found 3"},
		{"{model: misa, nonsense: 1}", "", "",
			`unknown key "nonsense"; recap settings -m misa prints all keys`},
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
	missing := filepath.Join(dir, "missing.yaml")
	if _, err := Resolve(Sources{File: missing}); !errors.Is(err, fs.ErrNotExist) ||
		!strings.HasPrefix(err.Error(), "settings: configuration: ") {
		t.Errorf("error %v without the file", err)
	}
	var unknown *KeyError
	if _, err := Resolve(Sources{
		Set: map[string]string{"x": "1"}}); !errors.As(err, &unknown) || unknown.Key != "x" {
		t.Errorf("unknown key: %v", err)
	}
}

func TestParseRates(t *testing.T) {
	for text, want := range map[string][]float64{
		"0:0.8:0.3": {0, 0.3, 0.6}, "0:1:0.6": {0, 0.6}, "0:0.7:0.1": {0, 0.1, 0.2, 0.3, 0.4, 0.5,
			0.6, 0.7},
		"0:0.9:0.1": {0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}, "0,0.5": {0, 0.5},
		"0.3": {0.3}, "0:1:0.5": {0, 0.5, 1}, "0, 0.5 ,1": {0, 0.5, 1}, "1": {1}, "0": {0},
		"0.1:0.1:0.1": {0.1}, "0.2:0.9:0.3": {0.2, 0.5, 0.8}, "0.1:0.7:0.2": {0.1, 0.3, 0.5, 0.7},
		"0.998:1:0.001": {0.998, 0.999, 1}, "0:1:0.0009": nil, "0:1:-1": nil, "1:0:0.1": nil,
		"0,1:0.5": nil, "0:0.5,1": nil, "0,0.5,1.1": nil, "0.5,0.4": nil, "0:1:0.5:2": nil,
		"0.9:1.1:0.1": nil, "-0.1:1:0.1": nil, ",": nil, ":": nil, "0,x": nil,
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

// TestParse reads configurations, with the defaults of their data set, and refuses invalid ones.
func TestParse(t *testing.T) {
	const tetfn = "model: tetfn\npreset: paper\ndataset: sims\n"
	c, err := Parse("c.yaml", []byte(tetfn))
	want, _ := Preset("paper", "tetfn", "sims")
	if err != nil || !reflect.DeepEqual(c.Train, want.Train) || c.Dataset != "sims" {
		t.Errorf("%+v (%v), want %+v", c.Train, err, want.Train)
	}
	for text, want := range map[string]string{
		"{":                        "settings: c.yaml: expected YAML or JSON, found ",
		"preset: slow":             "c.yaml: settings: preset: expected one of quick, paper, ",
		"train: {bach: 1}":         "c.yaml: settings: unknown key \"train.bach\"",
		"train: {batch: 0}":        "settings: train.batch: expected 1 or more, found 0",
		tetfn + "text: {width: 7}": "tetfn: text.width 7",
	} {
		if _, err := Parse("c.yaml", []byte(text)); err == nil ||
			!strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
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
