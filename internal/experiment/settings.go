package experiment

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/recap"
)

// A setting is what sets a run apart from others of its data set, model and variant.
type setting struct{ key, value, more string }

// Keys of settings that are no keys of a configuration.
const (
	dataSetting = "data"
	textSetting = "text encoder"
	seedSetting = "seeds"
)

// settings returns the preset, the data's file, the encoder of words, and what is not as the
// preset and the variant have it. With model, variant, seed and conditions they determine the
// configuration but for its name.
func (c *Config) settings() []setting {
	words := c.Method.Words()
	text := setting{textSetting, words.BERT, ""}
	switch {
	case text.value != "" && words.Finetune:
		text.more = ", trained further"
	case text.value != "":
		text.more = ", frozen"
	}
	list := []setting{{dataSetting, c.Data.File, ""}, text, {"preset", c.Preset, ""}}
	base, _ := Preset(c.Preset, c.Model, c.Dataset)
	c.variant().Apply(base.Method)
	usual := map[string]string{}
	for _, f := range base.fields() {
		usual[f.key] = f.text()
	}
	for _, f := range c.fields() {
		if value := f.text(); value != usual[f.key] && !c.told(f.key) {
			list = append(list, setting{f.key, value, ""})
		}
	}
	return list
}

// told tells whether a table says a setting by other means.
func (c *Config) told(key string) bool {
	switch key {
	case "dataset", "model", "variant", "preset", "name", "seed", "select", "eval.valid_rate", "eval.rates", "data.file", "data.classes":
		return true
	case "generator.widths": // generator.file's
		return c.Method.(*recap.Config).Generator.File != ""
	}
	return strings.HasPrefix(key, "text.") && c.Method.Words().BERT != "" // whose sizes they are
}

// text returns the value of a setting.
func (f field) text() string { return fmt.Sprint(f.value.Interface()) }

// words returns the setting for people; files are called as in names.
func (x setting) words(names map[string]string) string {
	value := x.value
	if name, ok := names[value]; ok {
		value = name
	}
	switch {
	case x.key == textSetting && x.value == "":
		return "text encoder from scratch"
	case x.key == dataSetting && x.value == "":
		return "made by the program"
	case x.key == seedSetting && !strings.Contains(value, " "):
		return "seed " + value
	case x.key == dataSetting:
		return value
	case x.key == textSetting, x.key == seedSetting:
		return x.key + " " + value + x.more
	case x.key == "preset":
		return value + " preset"
	}
	return x.key + "=" + value
}

// fileNames returns the last names of the files that settings name by their paths, for those that
// no other file shares.
func fileNames(lists [][]setting) map[string]string {
	paths := map[string][]string{} // by last name
	for _, list := range lists {
		for _, x := range list {
			if name := lastName(x.value); filepath.IsAbs(x.value) && !slices.Contains(paths[name], x.value) {
				paths[name] = append(paths[name], x.value)
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

// shared returns the settings that all lists have, in the first's order.
func shared(lists [][]setting) []setting {
	var all []setting
	for _, x := range lists[0] {
		if !slices.ContainsFunc(lists, func(list []setting) bool { return !slices.Contains(list, x) }) {
			all = append(all, x)
		}
	}
	return all
}

// Changes lists the settings that are neither the preset's nor the variant's, as --set takes them.
func (c *Config) Changes() []string {
	var list []string
	for _, x := range c.settings() {
		if x.key != dataSetting && x.key != textSetting && x.key != "preset" {
			list = append(list, x.key+"="+x.value)
		}
	}
	return list
}
