package settings

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/models"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// write writes a configuration file and returns its path.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFractionsAreNoIntegers gives fractions for settings that are integers, in each source.
func TestFractionsAreNoIntegers(t *testing.T) {
	for _, x := range []struct {
		key, value, expected string
		found                string // in a file, if it is not the value
	}{
		{"train.batch", "8.5", "a whole number", ""}, {"train.batch", "8.0", "a whole number", ""},
		{"train.batch", "1e2", "a whole number", ""}, {"data.limit", "0.7", "a whole number", ""},
		{"train.epochs.stage2", "1.9", "a whole number", ""},
		{"train.epochs", "1.9", "a whole number", ""}, {"seed", "1.5", "a whole number, 0 or more", ""},
		{"train.batch", "99999999999999999999", "a whole number", ""},
		{"train.batch", "18446744073709551615", "a whole number", ""},
		{"train.batch", "9223372036854775808", "a whole number", ""},
		{"granularities", "[8, 4.5, 2]", "a list of whole numbers", "[8 4.5 2]"},
		{"train.batch", "", "a whole number", ""}, {"train.lr", "", "a number", ""},
	} {
		set := map[string]string{x.key: x.value}
		for source, s := range map[string]Sources{
			"set": {Set: set}, "flags": {Flags: set},
			"environment": {Env: []string{envName(x.key) + "=" + x.value}},
			"file":        {File: write(t, yamlText(x.key, x.value))},
			"JSON":        {File: write(t, jsonText(x.key, x.value))},
		} {
			if x.value == "" && s.File != "" {
				continue // the default
			}
			want := x.key + ": expected " + x.expected + ", found " + x.value
			if s.File != "" && x.found != "" {
				want = strings.TrimSuffix(want, x.value) + x.found
			}
			if _, err := Resolve(s); err == nil || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("%s %s=%s: error %v, want %q", source, x.key, x.value, err, want)
			}
		}
	}
	for _, value := range []string{"8", "'8'", "+8", "0x8"} {
		c, err := Resolve(Sources{File: write(t, yamlText("train.batch", value))})
		if err != nil || c.Train.Batch != 8 {
			t.Errorf("train.batch=%s: %d (%v), want 8", value, c.Train.Batch, err)
		}
	}
	for _, value := range []string{"1", "1.0", "1e0", "10E-1", "'1'"} {
		c, err := Resolve(Sources{File: write(t, yamlText("train.lr", value))})
		if err != nil || c.Train.LR != 1 {
			t.Errorf("train.lr=%s: %g (%v), want 1", value, c.Train.LR, err)
		}
	}
}

// yamlText returns a document with one key.
func yamlText(key, value string) string {
	text := ""
	elements := strings.Split(key, ".")
	for i, element := range elements {
		text += strings.Repeat("  ", i) + element + ":"
		if i < len(elements)-1 {
			text += "\n"
		}
	}
	return text + " " + value + "\n"
}

// jsonText is like yamlText, in JSON with tabs.
func jsonText(key, value string) string {
	elements := strings.Split(key, ".")
	return "{\n\t\"" + strings.Join(elements, "\": {\n\t\"") + "\": " + value +
		strings.Repeat("\n}", len(elements)) + "\n"
}

// TestEpochsOfAllPhases sets train.epochs, which has an element for each phase.
func TestEpochsOfAllPhases(t *testing.T) {
	for source, s := range map[string]Sources{
		"set": {Set: map[string]string{"train.epochs": "3", "train.epochs.stage2": "4"}},
		"file": {File: write(t, "train: {epochs: 3}"),
			Env: []string{"RECAP_TRAIN_EPOCHS_STAGE2=4"}},
		"environment": {Env: []string{"RECAP_TRAIN_EPOCHS_STAGE2=4", "RECAP_TRAIN_EPOCHS=3"}},
	} {
		c, err := Resolve(s)
		want := map[string]int{"stage1": 3, "stage2": 4}
		if err != nil || !maps.Equal(c.Train.Epochs, want) {
			t.Errorf("%s: %v (%v), want %v", source, c.Train.Epochs, err, want)
		}
	}
}

func TestUnknownVariable(t *testing.T) {
	for _, x := range []struct{ variable, want string }{
		{"RECAP_TRAIN_BACH=3", `recap, found RECAP_TRAIN_BACH, did you mean "RECAP_TRAIN_BATCH"?`},
		{"RECAP_XXXXXXXXXXXXXX=3", "found RECAP_XXXXXXXXXXXXXX; correct it or unset it"},
		{"RECAP_EPOCHS=3", `found RECAP_EPOCHS, did you mean "RECAP_TRAIN_EPOCHS"?`},
		{"RECAP_OUTT=3", `found RECAP_OUTT, did you mean "RECAP_OUT"?`},
		{"RECAP_=3", `found RECAP_`},
		{"RECAP_DATASET=mosi", ""},
		{"RECAP_OUT=x", ""}, {"RECAP_CUDA=x", ""}, {"RECAPITULATE=x", ""}, {"HOME=x", ""},
		{"=C:=x", ""}, {"RECAP_TRAIN_BATCH=3", ""},
	} {
		_, err := Resolve(Sources{Env: []string{x.variable}})
		if (err == nil) != (x.want == "") ||
			err != nil && !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: error %v, want %q", x.variable, err, x.want)
		}
	}
}

// TestOtherVariables checks that otherVariables has exactly the variables that the code reads.
func TestOtherVariables(t *testing.T) {
	found := map[string]bool{}
	literal := regexp.MustCompile(`"(RECAP_[A-Z_]+)=?"`)
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() &&
			(d.Name() == "settings" || d.Name() == "runs" && filepath.Dir(path) == root) {
			return filepath.SkipDir
		}
		if ext := filepath.Ext(path); ext != ".go" && ext != ".c" {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, m := range literal.FindAllSubmatch(text, -1) {
			found[string(m[1])] = true
		}
		return err
	})
	want := slices.Sorted(slices.Values(otherVariables))
	if got := slices.Sorted(maps.Keys(found)); err != nil || !slices.Equal(got, want) {
		t.Errorf("the code reads %v, otherVariables has %v (%v)", got, want, err)
	}
}

// TestOddFiles has files with a byte order mark, empty parts, and keys that occur twice.
func TestOddFiles(t *testing.T) {
	for _, x := range []struct{ text, err string }{
		{"\ufefftrain: {batch: 5}\n", ""}, {"\ufeff{\"train\": {\"batch\": 5}}", ""},
		{"train:\r\n  batch: 5\r\n", ""}, {"train: {batch: 5}\neval:\nwidth: null\nname: ~\n", ""},
		{"train: {batch: 5}\nevil:\n", `unknown key "evil", did you mean "eval.`},
		{"train: {batch: 5, bach: null}\n", `unknown key "train.bach", did you mean`},
		{"train:\n  batch: 4\n  batch: 5\n", `mapping key "batch" already defined at [2:3]`},
		{"train: {batch: 4}\ntrain: {lr: 5}\n", `mapping key "train" already defined at [1:1]`},
	} {
		c, err := Resolve(Sources{File: write(t, x.text)})
		switch {
		case x.err != "" && (err == nil || !strings.Contains(err.Error(), x.err)):
			t.Errorf("%q: error %v, want %q", x.text, err, x.err)
		case x.err == "" && (err != nil || c.Train.Batch != 5):
			t.Errorf("%q: train.batch %d (%v), want 5", x.text, c.Train.Batch, err)
		}
	}
}

// TestNearNames checks the suggestions for mistyped names.
func TestNearNames(t *testing.T) {
	for _, x := range []struct{ key, value, want string }{
		{"model", "recpa", `found recpa, did you mean "recap"?`},
		{"model", "selfmm", `did you mean "self-mm"?`},
		{"variant", "no-hcg", `found no-hcg, did you mean "no-hcag"?`},
		{"preset", "papr", `found papr, did you mean "paper"?`},
		{"TRAIN.BATCH", "3", `did you mean "train.batch"?`},
		{"epochs", "3", `did you mean "train.epochs"?`},
		{"batch_size", "3", `did you mean "train.batch"?`},
		{"trian", "3", `did you mean "train.batch"?`},
		{"datset", "3", `did you mean "dataset"?`}, {"lr_x", "3", `did you mean "train.lr"?`},
		{"epochs.stage1", "3", `did you mean "train.epochs.stage1"?`},
	} {
		_, err := Resolve(Sources{Set: map[string]string{x.key: x.value}})
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s=%s: error %v, want %q", x.key, x.value, err, x.want)
		}
	}
	c, _ := Preset("quick", "recap", "mosi")
	if err := c.CheckData(); err == nil || strings.Contains(err.Error(), "did you mean") {
		t.Errorf("data set mosi: %v", err)
	}
	c.Dataset = "moss"
	if err := c.CheckData(); err == nil ||
		!strings.Contains(err.Error(), `data set moss, did you mean "mosi"?`) {
		t.Errorf("data set moss: %v", err)
	}
}

// TestDistance counts insertions, deletions, replacements and swaps.
func TestDistance(t *testing.T) {
	for _, x := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"aa", "aa", 0},
		{"abba", "abba", 0}, {"ab", "ba", 1}, {"abcd", "acbd", 1}, {"abc", "adc", 1},
		{"abc", "ac", 1}, {"ac", "abc", 1}, {"kitten", "sitting", 3}, {"abc", "cab", 2},
		{"abcd", "badc", 2}, {"abc", "xyz", 3}, {"a", "b", 1}, {"xab", "yba", 2},
	} {
		if got := distance(x.a, x.b); got != x.want || distance(x.b, x.a) != x.want {
			t.Errorf("%q and %q: %d, %d reversed; want %d", x.a, x.b, got, distance(x.b, x.a),
				x.want)
		}
	}
}

// TestNearest finds names with capital letters and elements of keys, and none that are far.
func TestNearest(t *testing.T) {
	known := []string{"CENET", "train.batch", "a.b.rates"}
	for name, want := range map[string]string{"cenet": "CENET", "Cent": "CENET",
		"BATCH": "train.batch", "trains": "train.batch", "batch_x": "train.batch",
		"b.rates": "a.b.rates", "rate": "a.b.rates", "train.batch": "train.batch",
		"train.batchess": "train.batch", "cxxxt": "", "": "", "x": ""} {
		if got := nearest(name, known); got != want {
			t.Errorf("%q: nearest is %q, want %q", name, got, want)
		}
	}
	for want, x := range map[string]struct {
		name  string
		known []string
	}{"b.ratez": {"b.rates", []string{"b.ratez", "a.b.rates"}},
		"batch_xy": {"batch_x", []string{"z.batch", "batch_xy"}},
		"abcdef":   {"abcxyz", []string{"abcdef"}}, // 1 + 6/3
		"":         {"abwxyz", []string{"abcdef"}}} {
		if got := nearest(x.name, x.known); got != want {
			t.Errorf("%q of %q: nearest is %q, want %q", x.name, x.known, got, want)
		}
	}
}

// TestDescriptions describes settings of each group and type, as recap settings prints them.
func TestDescriptions(t *testing.T) {
	c, err := Preset("quick", "misa", "")
	if err != nil {
		t.Fatal(err)
	}
	var list []Description
	for _, key := range []string{"model", "variant", "preset", "cuda", "eval", "data.resplit"} {
		found, err := c.Describe(key)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, found...)
	}
	if c, err = Preset("paper", "recap", ""); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"width", "granularities", "loss.modality", "text.bert"} {
		found, err := c.Describe(key)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, found...)
	}
	const rates = "first:last:step or a list, of increasing numbers from 0 to 1, such as " +
		"0:0.9:0.1 or 0,0.5"
	want := []Description{
		{"run", "model", "misa", "one of recap, misa, self-mm, mmim, tfr-net, cenet, tetfn, " +
			"almt, bi-mamba, lnln, tf-mamba, mascf-style", "model to train"},
		{"run", "variant", "full", "one of full", "named change of the model, such as an ablation"},
		{"run", "preset", "quick", "one of quick, paper", "selects the defaults of all settings"},
		{"cuda", "cuda.tf32", "false", "true or false", "compute matrix products on tensor cores"},
		{"eval", "eval.valid_rate", "0.5", "a number from 0 to 1",
			"missing rate of the validation"},
		{"eval", "eval.rates", "0:0.9:0.1", rates, "missing rates of the test"},
		{"eval", "eval.split", "test", "one of test, valid", "split of the final test"},
		{"data", "data.resplit", "0",
			"a whole number, or seed for that of the run; 0: as in the file",
			"seed of new splits by video"},
		{"recap", "width", "128", "1 or more", "d, of every representation"},
		{"recap", "granularities", "[8, 4, 2]", "a list of whole numbers",
			"numbers of segments; divide tokens"},
		{"recap", "loss.modality", "[0.5, 0.2, 0.3]", "a list of 3 numbers",
			"w_l, w_a, w_v of the modalities in L_adv"},
		{"recap", "text.bert", "", "text",
			"pretrained BERT, a directory or a name; empty: from scratch"},
	}
	if len(list) != len(want) {
		t.Fatalf("%d descriptions, want %d: %q", len(list), len(want), list)
	}
	for i := range want {
		if list[i] != want[i] {
			t.Errorf("%q, want\n%q", list[i], want[i])
		}
	}
	var unknown *KeyError
	if _, err := c.Describe("widt"); !errors.As(err, &unknown) || unknown.Key != "widt" {
		t.Errorf("widt: error %v", err)
	}
	known := slices.Sorted(slices.Values(c.known()))
	if known[0] == "" || len(slices.Compact(known)) != len(c.Keys())+1 { // and train.epochs
		t.Errorf("%d known keys, want those of %d settings and train.epochs: %q", len(known),
			len(c.Keys()), known)
	}
}

// TestSettingsAreDescribed checks that each setting of each model has a meaning and valid values.
func TestSettingsAreDescribed(t *testing.T) {
	for _, spec := range models.All {
		c, err := Preset("paper", spec.Name, "sims")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range zoo.Settings(&c) {
			if s.Help == "" {
				t.Errorf("%s: %s has no meaning; give its field a tag help", spec.Name, s.Key)
			}
		}
		list, err := c.Describe("")
		if err != nil || len(list) != len(c.Keys()) {
			t.Errorf("%s: %d descriptions of %d settings (%v)", spec.Name, len(list),
				len(c.Keys()), err)
		}
		for _, d := range list {
			if d.Meaning == "" || d.Values == "" {
				t.Errorf("%s: %s: %+v, want a meaning and valid values", spec.Name, d.Key, d)
			}
			group := map[string]string{"seed": "run", "train.lr": "train",
				"data.file": "data", "text.width": spec.Name}[d.Key]
			if group != "" && d.Group != group {
				t.Errorf("%s: %s is in group %q, want %q", spec.Name, d.Key, d.Group, group)
			}
		}
	}
}

// TestPretrainedModelDeterminesTheSizes takes the sizes of the text encoder from the folder of a
// pretrained model. An error in the folder is no error of the settings.
func TestPretrainedModelDeterminesTheSizes(t *testing.T) {
	dir := t.TempDir()
	resolve := func(text string) (Config, error) {
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return Resolve(Sources{Set: map[string]string{"text.bert": dir}})
	}
	const sizes = `{"vocab_size": 30, "hidden_size": 12, "num_hidden_layers": 2, ` +
		`"num_attention_heads": 3, "intermediate_size": 20, "max_position_embeddings": 9, ` +
		`"hidden_dropout_prob": 0.2}`
	c, err := resolve(sizes)
	text := c.Method.TextEncoder()
	if err != nil || text.BERT != dir || text.Width != 12 || text.Layers != 2 ||
		text.Heads != 3 || text.FeedForward != 20 || text.Dropout != 0.2 {
		t.Errorf("%+v, %v", text, err)
	}
	if err := c.CheckFile(); err == nil ||
		!strings.HasPrefix(err.Error(), "settings: text.bert: ") {
		t.Errorf("error %v of a folder without weights", err)
	}
	for want, file := range map[string]string{
		"expected the configuration of a model": "{",
		"settings: text.bert: " + dir + ": ": strings.Replace(sizes, `layers": 2`,
			`layers": 200`, 1),
		`model_type: expected bert, found "roberta"`: `{"model_type": "roberta"}`,
	} {
		if _, err := resolve(file); !errors.As(err, new(FileError)) ||
			!strings.HasPrefix(err.Error(), "settings: text.bert: ") ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want a FileError with %q", file, err, want)
		}
	}
	if err := os.Remove(filepath.Join(dir, "config.json")); err != nil {
		t.Fatal(err)
	}
	_, err = Resolve(Sources{Set: map[string]string{"text.bert": dir}})
	if !errors.As(err, new(FileError)) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v without config.json", err)
	}
}
