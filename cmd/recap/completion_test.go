package main

import (
	"testing"

	"github.com/alecthomas/kong"
)

// TestKnownValuesAreOfFlags checks that each name in knownValues is that of a flag or an argument that
// takes a value, and that the default model has values for it.
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
