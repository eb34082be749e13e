package settings

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/nn"
)

// Sources are the places from which a configuration takes its values, besides the preset. Each
// overrides those to its left:
//
//	preset  <  File  <  environment  <  Set  <  Flags
//
// The variant is applied last: a run with the variant no-fid has no FID, whatever value the keys
// under "without" have.
type Sources struct {
	File  string                           // a YAML or JSON file; "" for none
	Env   func(name string) (string, bool) // such as os.LookupEnv; the key a.b_c is RECAP_A_B_C
	Set   map[string]string                // by key
	Flags map[string]string                // by key
}

// Resolve returns the configuration from the sources. It returns an error for an unknown key (a
// *[KeyError]) and for a value that cannot be used.
func Resolve(s Sources) (Config, error) {
	doc, err := s.read()
	if err != nil {
		return Config{}, err
	}
	c, err := s.preset(doc)
	if err != nil {
		return c, err
	}
	if err := c.apply(doc); err != nil {
		return c, fmt.Errorf("%s: %w", s.File, err)
	}
	env := map[string]string{}
	for _, f := range c.fields() {
		if v, ok := s.Env(EnvName(f.key)); ok {
			env[f.key] = v
		}
	}
	for _, layer := range []map[string]string{env, s.Set, s.Flags} {
		for _, key := range slices.Sorted(maps.Keys(layer)) {
			if err := c.Set(key, layer[key]); err != nil {
				return c, err
			}
		}
	}
	if err := c.finish(); err != nil {
		return c, err
	}
	if err := c.findBERT(); err != nil {
		return c, err
	}
	if r, ok := c.Method.(Resolver); ok {
		return c, r.Resolve()
	}
	return c, nil
}

// Resolver is implemented by a model's configuration if some of its settings follow from others,
// for example from a file of pretrained weights. Resolve sets them, and makes paths absolute;
// Derived reports whether the setting with a key is one of them now.
type Resolver interface {
	Resolve() error
	Derived(key string) bool
}

// findBERT replaces the name of a pretrained model by its folder, and the sizes of the text
// encoder by those of the model.
func (c *Config) findBERT() error {
	text := c.Method.TextEncoder()
	if text.BERT == "" {
		return nil
	}
	dir, err := nn.FindPretrained(text.BERT)
	if err != nil {
		return fmt.Errorf("settings: text.bert: %w", err)
	}
	if text.BERT, err = filepath.Abs(dir); err != nil {
		return fmt.Errorf("settings: text.bert: %w", err)
	}
	b, err := nn.ReadBERTConfig(dir)
	if err != nil {
		return fmt.Errorf("settings: text.bert: %w", err)
	}
	text.Width, text.Layers, text.Heads, text.FeedForward, text.Dropout = b.Width, b.Layers,
		b.Heads, b.FeedForward, b.Dropout
	return nil
}

// EnvName returns the name of the environment variable for a key.
func EnvName(key string) string {
	return "RECAP_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

func (s *Sources) read() (document, error) {
	if s.File == "" {
		return nil, nil
	}
	text, err := os.ReadFile(s.File)
	if err != nil {
		return nil, fmt.Errorf("settings: configuration: %w", err)
	}
	return parse(s.File, text)
}

// preset returns the defaults, to which all sources are applied. Preset, model and data set are
// looked up in the sources first, because the defaults depend on them.
func (s *Sources) preset(doc document) (Config, error) {
	first := func(key, otherwise string) string {
		if v, ok := s.Flags[key]; ok {
			return v
		}
		if v, ok := s.Set[key]; ok {
			return v
		}
		if v, ok := s.Env(EnvName(key)); ok {
			return v
		}
		return doc.word(key, otherwise)
	}
	return Preset(first("preset", "quick"), first("model", "recap"), first("dataset", ""))
}

// finish makes paths absolute, applies the variant and checks the configuration.
func (c *Config) finish() error {
	d := &c.Data
	for _, file := range []*string{&d.File, &d.Text, &d.Audio, &d.Vision} {
		if *file == "" {
			continue
		}
		path, err := filepath.Abs(*file) // the run directory may be used from another folder
		if err != nil {
			return fmt.Errorf("settings: data: %w", err)
		}
		*file = path
	}
	if err := c.check(); err != nil {
		return err
	}
	c.SelectedVariant().Apply(c.Method)
	return c.Method.Check()
}

// A KeyError reports an unknown key.
type KeyError struct {
	Key   string
	Known []string
}

func (e *KeyError) Error() string {
	text := fmt.Sprintf("settings: unknown key %q", e.Key)
	if near := nearest(e.Key, e.Known); near != "" {
		text += fmt.Sprintf(", did you mean %q?", near)
	}
	return text + "\n" + knownKeys(e.Known)
}

func knownKeys(keys []string) string { return "known keys: " + strings.Join(keys, ", ") }

// nearest returns the known key with the smallest edit distance from key, or "" if none is near. A
// key without its section, such as "batch", is near to the complete key.
func nearest(key string, known []string) string {
	best, least := "", 1+len(key)/3
	for _, k := range known {
		if d := min(distance(key, k),
			1+distance(key, k[strings.LastIndex(k, ".")+1:])); d <= least &&
			(best == "" || d < least) {
			best, least = k, d
		}
	}
	return best
}

// distance returns the Levenshtein distance: the number of insertions, deletions and replacements
// that turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			next := diagonal
			if a[i] != b[j] {
				next = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
