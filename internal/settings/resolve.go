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

// Sources are the sources of the values of a configuration, besides the preset. Each source
// overrides the sources to its left:
//
//	preset  <  File  <  environment  <  Set  <  Flags
//
// The variant is applied last and overrides all sources. For example, a run with the variant
// no-fid never has FID, even if a source sets without.fid to false.
type Sources struct {
	File  string                           // a YAML or JSON file; "" for none
	Env   func(name string) (string, bool) // such as os.LookupEnv; RECAP_A_B_C sets the key a.b_c
	Set   map[string]string                // by key
	Flags map[string]string                // by key
}

// Resolve returns the configuration that the sources determine, with absolute paths. It returns a
// *[KeyError] for an unknown key, and an error for an invalid value, for a file that cannot be
// read, and for a pretrained model that is not found.
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
		if v, ok := s.Env(envName(f.key)); ok {
			env[f.key] = v
		}
	}
	for _, layer := range []map[string]string{env, s.Set, s.Flags} {
		for _, key := range slices.Sorted(maps.Keys(layer)) {
			if err := c.set(key, layer[key]); err != nil {
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

// Resolver is implemented by the configuration of a model if some settings are derived from
// others, for example from a file of pretrained weights. Resolve sets the derived settings and
// makes paths absolute. Derived reports whether the setting with the key is derived.
type Resolver interface {
	Resolve() error
	Derived(key string) bool
}

// findBERT replaces the name of a pretrained model by its directory, and the sizes of the text
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

// envName returns the name of the environment variable for a key.
func envName(key string) string {
	return "RECAP_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// read returns the decoded configuration file, or nil if there is none.
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

// preset returns the default configuration for the preset, the model and the data set in the
// sources.
func (s *Sources) preset(doc document) (Config, error) {
	find := func(key, byDefault string) string {
		if v, ok := s.Flags[key]; ok {
			return v
		}
		if v, ok := s.Set[key]; ok {
			return v
		}
		if v, ok := s.Env(envName(key)); ok {
			return v
		}
		return doc.text(key, byDefault)
	}
	return Preset(find("preset", "quick"), find("model", "recap"), find("dataset", ""))
}

// finish makes paths absolute, applies the variant and checks the configuration.
func (c *Config) finish() error {
	d := &c.Data
	for _, file := range []*string{&d.File, &d.Text, &d.Audio, &d.Vision} {
		if *file == "" {
			continue
		}
		path, err := filepath.Abs(*file) // another process may have another working directory
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

// knownKeys returns the list of keys in the message of a [KeyError].
func knownKeys(keys []string) string { return "known keys: " + strings.Join(keys, ", ") }

// nearest returns the known key with the smallest edit distance from key, or "" if all distances
// are larger than 1 + len(key)/3. The distance to the last element of a known key, such as
// "batch", counts too, plus one.
func nearest(key string, known []string) string {
	best, smallest := "", 1+len(key)/3
	for _, k := range known {
		if d := min(distance(key, k),
			1+distance(key, k[strings.LastIndex(k, ".")+1:])); d <= smallest &&
			(best == "" || d < smallest) {
			best, smallest = k, d
		}
	}
	return best
}

// distance returns the Levenshtein distance of a and b: the smallest number of insertions,
// deletions and replacements of bytes that change a to b.
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
