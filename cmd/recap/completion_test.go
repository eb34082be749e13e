package main

import (
	"regexp"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/seed-6655bf3b/recap/internal/settings"
)

// TestKnownValuesAreOfFlags checks that each name in knownValues is that of a flag or an argument
// that takes a value, and that the default model has values for it.
func TestKnownValuesAreOfFlags(t *testing.T) {
	found := map[string]bool{}
	err := kong.Visit(newParser().Model.Node, func(v kong.Visitable, next kong.Next) error {
		switch v := v.(type) {
		case *kong.Flag:
			found[v.Name] = !v.IsBool()
		case *kong.Value:
			found[v.Name] = true
		}
		return next(nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range knownValues {
		if !found[name] {
			t.Errorf("%s: no flag or argument has this name", name)
		}
		if len(values("")) == 0 {
			t.Errorf("%s: no values", name)
		}
	}
}

// TestGeneratedDataSetsAreInHelp checks that the help of recap train --dataset names each data set
// that is generated.
func TestGeneratedDataSetsAreInHelp(t *testing.T) {
	help := ""
	for _, c := range newParser().Model.Children {
		for _, f := range c.Flags {
			if c.Name == "train" && f.Name == "dataset" {
				help = f.Help
			}
		}
	}
	words := map[string]bool{}
	for _, w := range regexp.MustCompile(`[a-z-]+`).FindAllString(help, -1) {
		words[w] = true
	}
	for name := range settings.Generators {
		if !words[name] {
			t.Errorf("train --dataset: expected data set %s in the help, found %q", name, help)
		}
	}
}
