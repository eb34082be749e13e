package settings

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/models"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Valid values of settings that no tag describes.
const (
	devices   = "cpu, cpu64, or cuda:0 and so on"
	resplits  = "a whole number, or seed for that of the run; 0: as in the file"
	names     = "letters, digits, '.', '_' and '-'"
	rateLists = "first:last:step or a list, of increasing numbers from 0 to 1, such as " +
		"0:0.9:0.1 or 0,0.5"
)

// A Description says what a setting means.
type Description struct {
	Group string // first element of the key; "run"; or the model, for its own settings

	Key, Default, Values, Meaning string
}

// Describe returns a description of each setting that has the key or is below it, or of all
// settings for the key "". The values in c are the defaults. Describe returns a *[KeyError] if the
// key is unknown.
func (c *Config) Describe(key string) ([]Description, error) {
	values := map[string]string{
		"model":   "one of " + strings.Join(models.Names(), ", "),
		"variant": "one of " + strings.Join(c.Variants(), ", "),
		"preset":  "one of " + strings.Join(Presets, ", "),
		"device":  devices, "name": names, "dataset": names, "eval.rates": rateLists,
		"data.resplit": resplits,
	}
	var own []string // keys of the model
	for _, s := range zoo.Settings(c.Method) {
		own = append(own, s.Key)
	}
	var list []Description
	for _, s := range zoo.Settings(c) {
		if key != "" && !isUnder(s.Key, key) {
			continue
		}
		d := Description{"run", s.Key, fmt.Sprint(s.Value), s.Expected(), s.Help}
		if section, _, found := strings.Cut(s.Key, "."); slices.Contains(own, s.Key) {
			d.Group = c.Model
		} else if found {
			d.Group = section
		}
		if values[s.Key] != "" {
			d.Values = values[s.Key]
		}
		if s.Value.Kind() == reflect.Slice || s.Value.Kind() == reflect.Array {
			d.Default = strings.ReplaceAll(d.Default, " ", ", ") // as --set accepts it
		}
		list = append(list, d)
	}
	if list == nil {
		return nil, &KeyError{key, c.Model, c.known()}
	}
	return list, nil
}

// isUnder reports whether key is prefix or begins with prefix and a dot.
func isUnder(key, prefix string) bool { return key == prefix || strings.HasPrefix(key, prefix+".") }
