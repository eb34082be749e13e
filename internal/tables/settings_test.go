package tables

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/seed-6655bf3b/recap/internal/settings"
)

// TestSettingsTellAll changes each key in turn. Tables must describe every setting that a run
// depends on.
func TestSettingsTellAll(t *testing.T) {
	description := func(c *settings.Config) string {
		return fmt.Sprint(c.Model, c.Variant, c.Seed, (&Summary{Config: *c}).conditions(),
			c.Settings())
	}
	base, _ := settings.Preset("quick", "recap", "")
	all := flatten(t, &base)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		// Resolve sets a value before it checks that the value is valid
		c, _ := settings.Resolve(settings.Sources{
			Set: map[string]string{key: changed(t, key, all[key])},
		})
		different := description(&c) != description(&base)
		// rates are those of the predictions
		if omitted := key == "name" || key == "eval.rates"; different == omitted {
			t.Errorf("%s: described %v", key, different)
		}
	}
	if len(all) < 60 {
		t.Errorf("only %d settings", len(all))
	}
	c := recapConfig(t, map[string]string{"variant": "no-fid"})
	if words := fmt.Sprint(c.Settings()); strings.Contains(words, "without") {
		t.Errorf("the settings that a variant sets are repeated: %s", words)
	}
}

// flatten returns every setting of c by its key.
func flatten(t *testing.T, c *settings.Config) map[string]any {
	t.Helper()
	text, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	var walk func(prefix string, doc map[string]any)
	walk = func(prefix string, doc map[string]any) {
		for key, v := range doc {
			if inner, ok := v.(map[string]any); ok {
				walk(prefix+key+".", inner)
			} else {
				all[prefix+key] = v
			}
		}
	}
	walk("", doc)
	return all
}

// changed returns another value for a setting.
func changed(t *testing.T, key string, value any) string {
	t.Helper()
	switch v := value.(type) {
	case string:
		if number, err := strconv.ParseFloat(v, 64); err == nil { // such as 1e-05
			return fmt.Sprint(number + 0.25)
		}
		other := map[string]string{"preset": "paper", "variant": "no-fid", "model": "toy"}[key]
		return cmp.Or(other, "other")
	case bool:
		return fmt.Sprint(!v)
	case uint64:
		return fmt.Sprint(v + 1)
	case float64:
		return fmt.Sprint(v + 0.25)
	case []any:
		if key == "loss.modality" {
			return "[7, 1, 1]"
		}
		return "[7]"
	}
	t.Fatalf("%s is of type %T", key, value)
	return ""
}
