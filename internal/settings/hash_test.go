package settings

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// The hashes are those of version 0.1.0: a setting that is added may not change them, since a run
// is resumed only if the hash in its state is that of its configuration.
func TestHashesStay(t *testing.T) {
	for _, c := range []struct {
		model, preset, want string
		then                map[string]any // settings of the preset that were others then
	}{
		{"recap", "quick", "72afc5d71d187715", map[string]any{"train.schedule": "cosine",
			"critic.input": "flat", "loss.aux": 0.0, "future": "corrupted",
			"fusion_depth": uint64(0), "train.epochs.stage1": uint64(5),
			"train.epochs.stage2": uint64(25)}},
		{"recap", "paper", "dc62d38dff4c1233", map[string]any{"loss.aux": 0.0,
			"future": "corrupted", "fusion_depth": uint64(0)}},
		{"misa", "quick", "ff7349ae79a09138", nil},
		{"misa", "paper", "5c82c8b4148db972", nil},
		{"self-mm", "quick", "b4e89abcf6a28406", nil},
		{"self-mm", "paper", "eb25fce0a273dc4b", nil},
		{"lnln", "quick", "51e30d648495aec2", map[string]any{"train.schedule": "cosine"}},
		{"lnln", "paper", "a38bb5ffc873954f", nil},
		{"mmim", "quick", "4f6dd97a564f65b6", nil},
		{"mmim", "paper", "6d43dc19b33c78cb", nil},
		{"tfr-net", "quick", "68bf2ba96e1c0275", nil},
		{"tfr-net", "paper", "e90401b6423dd923", nil},
		{"tetfn", "quick", "13257f9bd69c7d97", nil},
		{"tetfn", "paper", "782c41eb53c85f9b", nil},
		{"almt", "quick", "5eb9db7bc79bc9b8", nil},
		{"almt", "paper", "d9a0509609b8653a", nil},
		{"cenet", "quick", "4dd58b6208ed5208", nil},
		{"cenet", "paper", "37901c0fad54d054", nil},
		{"mascf-style", "quick", "02ec0e44c792daa4", nil},
		{"mascf-style", "paper", "3e96c7a05347adf9", nil},
		{"tf-mamba", "quick", "b6e87a42e9dc5a98", nil},
		{"tf-mamba", "paper", "519b887c37a7f107", nil},
	} {
		config, err := Preset(c.preset, c.model, "mosi")
		if err != nil {
			t.Fatal(err)
		}
		for key, value := range c.then {
			if err := config.set(zoo.Settings(&config), key, value); err != nil {
				t.Fatal(err)
			}
		}
		if found := config.Hash()[:16]; found != c.want {
			t.Errorf("%s, %s: %s, want %s; a new setting has a tag older", c.model, c.preset,
				found, c.want)
		}
		config.Method.TextEncoder().Sparse = false
		if config.Hash()[:16] == c.want {
			t.Errorf("%s, %s: the same hash without text.sparse", c.model, c.preset)
		}
	}
}

// TestSettingsOfOlderVersions parses a configuration without the settings that were added since.
func TestSettingsOfOlderVersions(t *testing.T) {
	c, err := Preset("quick", "recap", "mosi")
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	older, added := string(text), map[string]string{}
	for _, s := range zoo.Settings(&c) {
		if s.Older != "" {
			alone, err := yamlOf([]zoo.Setting{s})
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.SplitAfter(string(alone), "\n") // the name of its group, itself, ""
			line := lines[len(lines)-2]
			if !strings.Contains(older, line) {
				t.Fatalf("no line %q in\n%s", line, older)
			}
			older, added[s.Key] = strings.Replace(older, line, "", 1), s.Older
		}
	}
	if c, err = Parse("config.yaml", []byte(older)); err != nil {
		t.Fatal(err)
	}
	for _, s := range zoo.Settings(&c) {
		if want, ok := added[s.Key]; ok && fmt.Sprint(s.Value.Interface()) != want {
			t.Errorf("%s: %v, want %s, as which older versions acted", s.Key, s.Value, want)
		}
	}
	if c.Eval.Split != "test" || len(added) < 2 {
		t.Errorf("eval.split is %q; %d settings were added, want it and text.sparse at least",
			c.Eval.Split, len(added))
	}
}

// TestResplit checks the values of data.resplit, and that a number is written and hashed as before
// the setting had other values.
func TestResplit(t *testing.T) {
	for value, want := range map[string]string{"0": "resplit: 0\n", "3": "resplit: 3\n",
		"19": "resplit: 19\n", "seed": "resplit: seed\n"} {
		c, err := Resolve(Sources{Set: map[string]string{"data.resplit": value}})
		if err != nil {
			t.Fatal(err)
		}
		text, err := c.YAML()
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v\n%s", value, err, text)
		}
		again, err := Parse("config.yaml", text)
		if err != nil || again.Hash() != c.Hash() || again.Data.Resplit != Resplit(value) {
			t.Errorf("%s: read as %q, %v", value, again.Data.Resplit, err)
		}
		seed, ok := c.Data.Resplit.Seed(1111)
		n := map[string]uint64{"3": 3, "19": 19, "seed": 1111}[value]
		if seed != n || ok != (n > 0) {
			t.Errorf("%s: seed %d, %t", value, seed, ok)
		}
		if hash := c.Hash()[:16]; value == "3" && hash != "f5c611d94aafd475" {
			t.Errorf("hash %s", hash)
		}
	}
	for _, value := range []string{"-1", "1.5", "seeds", "03", "true", `""`, "[1]"} {
		const want = "data.resplit: expected a whole number, or seed for that of the run"
		_, err := Resolve(Sources{Set: map[string]string{"data.resplit": value}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", value, err)
		}
	}
}

// TestSameExceptSeed compares configurations, of which only name and seed may differ.
func TestSameExceptSeed(t *testing.T) {
	a, _ := Preset("quick", "recap", "mosi")
	b := a
	if b.Name, b.Seed = "x", 5; !SameExceptSeed(a, b) || !SameExceptSeed(b, a) {
		t.Error("other names and seeds: not the same")
	}
	named := a
	if named.Name = "x"; named.Hash() != a.Hash() || b.Hash() == a.Hash() {
		t.Error("the hash is of the name, or not of the seed")
	}
	if b.Train.LR *= 2; SameExceptSeed(a, b) {
		t.Error("other learning rates: the same")
	}
}
