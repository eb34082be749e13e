package settings

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/files"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Sources are the sources of the values of a configuration, besides the preset. Each source
// overrides the sources to its left:
//
//	preset  <  File  <  environment  <  Set  <  Flags
//
// The variant is applied last and overrides all sources. For example, a run with the variant
// no-fid never has FID, even if a source sets without.fid to false.
type Sources struct {
	File  string            // a YAML or JSON file; "" for none
	Env   []string          // such as os.Environ(); RECAP_A_B_C=v sets the key a.b_c
	Set   map[string]string // by key
	Flags map[string]string // by key
}

// Resolve returns the configuration that the sources determine, with absolute paths. It returns a
// *[KeyError] for an unknown key, an error for an invalid value and for a configuration file that
// cannot be read, and a [FileError] for a pretrained model.
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
	env, err := c.environment(s.Env)
	if err != nil {
		return c, err
	}
	all := zoo.Settings(&c)
	for _, layer := range []map[string]string{env, s.Set, s.Flags} {
		for _, key := range slices.Sorted(maps.Keys(layer)) {
			if err := c.set(all, key, layer[key]); err != nil {
				return c, err
			}
		}
	}
	if err := c.finish(); err != nil {
		return c, err
	}
	if err := c.findBERT(); err != nil {
		return c, FileError{err}
	}
	if r, ok := c.Method.(Resolver); ok {
		if err := r.Resolve(); err != nil {
			return c, FileError{err}
		}
	}
	return c, nil
}

// A FileError is an error in the file or folder of a pretrained model. The settings, which name it,
// are valid.
type FileError struct{ error }

// Unwrap returns the error itself.
func (e FileError) Unwrap() error { return e.error }

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
	if err := c.Method.Check(); err != nil {
		return fmt.Errorf("settings: text.bert: %s: %w", dir, err)
	}
	return nil
}

// otherVariables are the environment variables that the program, its tests and its benchmarks read
// for other purposes than settings.
var otherVariables = []string{"RECAP_OUT", "RECAP_CPU", "RECAP_CUDA", "RECAP_SHARDS", "RECAP_BERT",
	"RECAP_BERT_GOLDEN", "RECAP_BERT_VOCAB", "RECAP_CHECKPOINTING", "RECAP_DEVICE",
	"RECAP_EMULATOR_MEMORY", "RECAP_EMULATOR_SKIP_KERNELS", "RECAP_TEST_FAILURE",
	"RECAP_TEST_LOCK"}

// environment returns the settings in the environment, by key. It returns an error for a variable
// that begins with RECAP_ and has no meaning.
func (c *Config) environment(env []string) (map[string]string, error) {
	keys, known := map[string]string{}, c.known()
	for _, key := range known {
		keys[envName(key)] = key
	}
	for _, name := range otherVariables {
		known = append(known, strings.ToLower(strings.TrimPrefix(name, "RECAP_")))
	}
	found := map[string]string{}
	for _, variable := range env {
		name, value, _ := strings.Cut(variable, "=")
		if key := keys[name]; key != "" {
			found[key] = value
		} else if rest, ours := strings.CutPrefix(name, "RECAP_"); ours &&
			!slices.Contains(otherVariables, name) {
			suggestion := ""
			if near := nearest(rest, known); near != "" {
				suggestion = fmt.Sprintf(", did you mean %q?", envName(near))
			}
			return nil, fmt.Errorf("settings: environment: expected a setting of %s, found %s%s; "+
				"correct it or unset it", c.Model, name, suggestion)
		}
	}
	return found, nil
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
	text, err := files.Read(s.File)
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
		for _, variable := range s.Env {
			if name, v, _ := strings.Cut(variable, "="); name == envName(key) {
				return v
			}
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

// A KeyError reports a key that the model does not have.
type KeyError struct {
	Key, Model string
	known      []string
}

func (e *KeyError) Error() string {
	command := "recap settings"
	if e.Model != "recap" {
		command += " -m " + e.Model
	}
	return fmt.Sprintf("settings: unknown key %q%s; %s prints all keys", e.Key,
		DidYouMean(e.Key, e.known), command)
}

// DidYouMean returns the text `, did you mean "x"?` for the known name that is nearest to name, or
// "" if none is near or name is known.
func DidYouMean(name string, known []string) string {
	near := nearest(name, known)
	if near == "" || near == name {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", near)
}

// nearest returns the known name with the smallest edit distance from name, or "" if all distances
// are larger than 1 + len(name)/3. The distance to an element of a known key, such as "batch", or
// to the end of a known key from an element on, also counts, plus one. A name that continues an
// element, such as "batch_size", has distance 2. A name that is longer than twice any known name is
// near none; the time for its distances would have no limit.
func nearest(name string, known []string) string {
	if !slices.ContainsFunc(known, func(k string) bool { return len(name) <= 2*len(k) }) {
		return ""
	}
	name = strings.ToLower(name)
	best, smallest := "", 2+len(name)/3
	for _, k := range known {
		d := distance(name, strings.ToLower(k))
		for rest := k; rest != ""; {
			d = min(d, 1+distance(name, rest))
			var element string
			element, rest, _ = strings.Cut(rest, ".")
			d = min(d, 1+distance(name, element))
			if strings.HasPrefix(name, element+"_") { // batch_size for train.batch
				d = min(d, 2)
			}
		}
		if d < smallest {
			best, smallest = k, d
		}
	}
	return best
}

// distance returns the smallest number of insertions, deletions and replacements of bytes, and of
// swaps of neighbours, that change a to b.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1) // rows[i][j] is the distance of a[:i] and b[:j]
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		for j := range rows[i] {
			switch {
			case i == 0 || j == 0:
				rows[i][j] = i + j
			case a[i-1] == b[j-1]:
				rows[i][j] = rows[i-1][j-1]
			default:
				rows[i][j] = 1 + min(rows[i-1][j-1], rows[i-1][j], rows[i][j-1])
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], 1+rows[i-2][j-2])
			}
		}
	}
	return rows[len(a)][len(b)]
}
