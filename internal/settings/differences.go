package settings

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// A Setting is what sets a run apart from others of its data set, model and variant.
type Setting struct{ Key, Value, Note string }

// Keys of settings that are no keys of a configuration.
const (
	DataSetting = "data"
	textSetting = "text encoder"
	SeedSetting = "seeds"
)

// Settings returns the preset, the data's file, the encoder of words, and what is not as the
// preset and the variant have it. With model, variant, seed and conditions they determine the
// configuration but for its name.
func (c *Config) Settings() []Setting {
	words := c.Method.TextEncoder()
	text := Setting{textSetting, words.BERT, ""}
	switch {
	case text.Value != "" && words.Finetune:
		text.Note = ", trained further"
	case text.Value != "":
		text.Note = ", frozen"
	}
	list := []Setting{{DataSetting, c.Data.File, ""}, text, {"preset", c.Preset, ""}}
	base, _ := Preset(c.Preset, c.Model, c.Dataset)
	c.SelectedVariant().Apply(base.Method)
	usual := map[string]string{}
	for _, f := range base.fields() {
		usual[f.key] = f.text()
	}
	for _, f := range c.fields() {
		if value := f.text(); value != usual[f.key] && !c.shownElsewhere(f.key) {
			list = append(list, Setting{f.key, value, ""})
		}
	}
	return list
}

// shownElsewhere tells whether a table says a setting by other means.
func (c *Config) shownElsewhere(key string) bool {
	switch key {
	case "dataset", "model", "variant", "preset", "name", "seed", "select", "eval.valid_rate", "eval.rates", "data.file", "data.classes":
		return true
	}
	if r, ok := c.Method.(Resolver); ok && r.Derived(key) {
		return true
	}
	return strings.HasPrefix(key, "text.") && c.Method.TextEncoder().BERT != "" // whose sizes they are
}

// text returns the value of a setting.
func (f field) text() string { return fmt.Sprint(f.value.Interface()) }

// Describe returns the setting for people; files are called as in names.
func (x Setting) Describe(names map[string]string) string {
	value := x.Value
	if name, ok := names[value]; ok {
		value = name
	}
	switch {
	case x.Key == textSetting && x.Value == "":
		return "text encoder from scratch"
	case x.Key == DataSetting && x.Value == "":
		return "made by the program"
	case x.Key == SeedSetting && !strings.Contains(value, " "):
		return "seed " + value
	case x.Key == DataSetting:
		return value
	case x.Key == textSetting, x.Key == SeedSetting:
		return x.Key + " " + value + x.Note
	case x.Key == "preset":
		return value + " preset"
	}
	return x.Key + "=" + value
}

// FileNames returns the last names of the files that settings name by their paths, for those that
// no other file shares.
func FileNames(lists [][]Setting) map[string]string {
	paths := map[string][]string{} // by last name
	for _, list := range lists {
		for _, x := range list {
			if name := lastName(x.Value); filepath.IsAbs(x.Value) && !slices.Contains(paths[name], x.Value) {
				paths[name] = append(paths[name], x.Value)
			}
		}
	}
	names := map[string]string{}
	for name, of := range paths {
		if len(of) == 1 {
			names[of[0]] = name
		}
	}
	return names
}

// lastName returns the last element of a path; of a folder models--A--B/snapshots/S in Hugging
// Face's cache, A/B.
func lastName(path string) string {
	if dir := filepath.Dir(path); filepath.Base(dir) == "snapshots" {
		if model, ok := strings.CutPrefix(filepath.Base(filepath.Dir(dir)), "models--"); ok {
			return strings.ReplaceAll(model, "--", "/")
		}
	}
	return filepath.Base(path)
}

// SharedSettings returns the settings that all lists have, in the first's order.
func SharedSettings(lists [][]Setting) []Setting {
	var all []Setting
	for _, x := range lists[0] {
		if !slices.ContainsFunc(lists, func(list []Setting) bool { return !slices.Contains(list, x) }) {
			all = append(all, x)
		}
	}
	return all
}

// Changes lists the settings that are neither the preset's nor the variant's, as --set takes them.
func (c *Config) Changes() []string {
	var list []string
	for _, x := range c.Settings() {
		if x.Key != DataSetting && x.Key != textSetting && x.Key != "preset" {
			list = append(list, x.Key+"="+x.Value)
		}
	}
	return list
}
