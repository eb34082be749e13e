package experiment

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/seed-6655bf3b/recap/nn"
)

// Sources are the places a configuration comes from, besides its preset. Each overrides those before it:
//
//	preset  <  File  <  environment  <  Set  <  Flags
//
// The variant has the last word: a run called no-fid is without FID whatever the keys under "without" say.
type Sources struct {
	File  string                           // YAML, hence also JSON; "" for none
	Env   func(name string) (string, bool) // os.LookupEnv; a key a.b_c is RECAP_A_B_C
	Set   map[string]string                // by key
	Flags map[string]string                // by key
}

// Resolve returns the configuration that the sources make, checked.
func Resolve(s Sources) (Config, error) {
	env := map[string]string{}
	c, _ := Preset("quick")
	for _, f := range c.fields() {
		if v, ok := s.Env(EnvName(f.key)); ok {
			env[f.key] = v
		}
	}
	text, err := s.read()
	if err != nil {
		return c, err
	}
	name, err := s.preset(text, env)
	if err != nil {
		return c, err
	}
	c, ok := Preset(name)
	if !ok {
		return c, wrong("preset", "quick or paper", name)
	}
	if err := c.decode(text); err != nil {
		return c, fmt.Errorf("experiment: %s: expected a configuration, found %w\n%s", s.File, err, knownKeys(c.keys()))
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
	return c, c.Recap.ResolveGenerator()
}

// findBERT replaces the name of a pretrained model by its folder, and the sizes of the encoder of words by the model's.
func (c *Config) findBERT() error {
	text := &c.Recap.Text
	if text.BERT == "" {
		return nil
	}
	dir, err := nn.FindPretrained(text.BERT)
	if err != nil {
		return fmt.Errorf("experiment: text.bert: %w", err)
	}
	if text.BERT, err = filepath.Abs(dir); err != nil {
		return fmt.Errorf("experiment: text.bert: %w", err)
	}
	bert, err := nn.OpenBERT(dir)
	if err != nil {
		return fmt.Errorf("experiment: text.bert: %w", err)
	}
	b := &bert.Config
	text.Width, text.Layers, text.Heads, text.FeedForward, text.Dropout = b.Width, b.Layers, b.Heads, b.FeedForward, b.Dropout
	return bert.Close()
}

// EnvName returns the environment variable of a key.
func EnvName(key string) string { return "RECAP_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_")) }

func (s *Sources) read() ([]byte, error) {
	if s.File == "" {
		return nil, nil
	}
	text, err := os.ReadFile(s.File)
	if err != nil {
		return nil, fmt.Errorf("experiment: configuration: %w", err)
	}
	return text, nil
}

// preset returns the preset's name, which has to be known before anything is applied to it.
func (s *Sources) preset(text []byte, env map[string]string) (string, error) {
	for _, layer := range []map[string]string{s.Flags, s.Set, env} {
		if name, ok := layer["preset"]; ok {
			return name, nil
		}
	}
	c := Config{Preset: "quick"}
	if err := yaml.Unmarshal(text, &struct{ Preset *string }{&c.Preset}); err != nil {
		return "", fmt.Errorf("experiment: %s: expected YAML or JSON, found %w", s.File, err)
	}
	return c.Preset, nil
}

// decode overwrites what the text sets; unknown keys are errors.
func (c *Config) decode(text []byte) error {
	old, known := *c, c.Train.Epochs
	c.Train.Epochs = nil // a map is replaced, not merged
	err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(c)
	if errors.Is(err, io.EOF) { // nothing in it
		*c = old
		return nil
	}
	epochs := maps.Clone(known)
	for phase, n := range c.Train.Epochs {
		if _, ok := known[phase]; !ok && err == nil {
			err = fmt.Errorf("unknown phase %q in train.epochs", phase)
		}
		epochs[phase] = n
	}
	c.Train.Epochs = epochs
	return err
}

// finish puts the variant in place and checks the whole.
func (c *Config) finish() error {
	d := &c.Data
	for _, file := range []*string{&d.File, &d.Text, &d.Audio, &d.Vision} {
		if *file == "" {
			continue
		}
		path, err := filepath.Abs(*file) // the run directory may be used from elsewhere
		if err != nil {
			return fmt.Errorf("experiment: data: %w", err)
		}
		*file = path
	}
	if err := c.check(); err != nil {
		return err
	}
	c.variant().Apply(&c.Recap)
	return c.Recap.Check()
}

// A field is a single setting.
type field struct {
	key   string
	value reflect.Value
}

// fields returns every setting of c, in the order of the file.
func (c *Config) fields() []field { return fieldsOf("", reflect.ValueOf(c).Elem()) }

func (c *Config) keys() []string { return names(c.fields(), func(f field) string { return f.key }) }

func fieldsOf(prefix string, v reflect.Value) []field {
	var all []field
	for i := range v.NumField() {
		name, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		switch f := v.Field(i); {
		case options == "inline":
			all = append(all, fieldsOf(prefix, f)...)
		case f.Kind() == reflect.Struct:
			all = append(all, fieldsOf(prefix+name+".", f)...)
		case f.Kind() == reflect.Map:
			for _, k := range slices.Sorted(maps.Keys(f.Interface().(map[string]int))) {
				all = append(all, field{prefix + name + "." + k, f})
			}
		default:
			all = append(all, field{prefix + name, f})
		}
	}
	return all
}

// set changes one setting; the value is YAML.
func (c *Config) set(key, value string) error {
	all := c.fields()
	i := slices.IndexFunc(all, func(f field) bool { return f.key == key })
	if i < 0 {
		return &KeyError{key, c.keys()}
	}
	at := all[i].value
	switch at.Kind() {
	case reflect.String:
		at.SetString(value)
		return nil
	case reflect.Map:
		var n int
		if err := yaml.Unmarshal([]byte(value), &n); err != nil {
			return wrong(key, "a whole number", value)
		}
		at.SetMapIndex(reflect.ValueOf(key[strings.LastIndex(key, ".")+1:]), reflect.ValueOf(n))
		return nil
	}
	if err := yaml.Unmarshal([]byte(value), at.Addr().Interface()); err != nil {
		return wrong(key, "a value of type "+at.Type().String(), value)
	}
	return nil
}

// A KeyError reports a key that no setting has.
type KeyError struct {
	Key   string
	Known []string
}

func (e *KeyError) Error() string {
	text := fmt.Sprintf("experiment: unknown key %q", e.Key)
	if near := nearest(e.Key, e.Known); near != "" {
		text += fmt.Sprintf(", did you mean %q?", near)
	}
	return text + "\n" + knownKeys(e.Known)
}

func knownKeys(keys []string) string { return "known keys: " + strings.Join(keys, ", ") }

// nearest returns the known key that differs least from key, or "" if none is near. Of a key given without its section, such as
// "batch", it is the whole.
func nearest(key string, known []string) string {
	best, least := "", 1+len(key)/3
	for _, k := range known {
		if d := min(distance(key, k), 1+distance(key, k[strings.LastIndex(k, ".")+1:])); d <= least && (best == "" || d < least) {
			best, least = k, d
		}
	}
	return best
}

// distance is Levenshtein's: how many insertions, deletions and replacements turn a into b.
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
