package settings

import (
	"strings"
	"testing"
	"time"
)

func TestYAMLIsLimited(t *testing.T) {
	for want, text := range map[string]string{
		"deep":             "a: " + strings.Repeat("[", 32_000),
		"32 deep":          strings.Repeat("{a: ", 20_000),
		"brackets more":    "a:\n" + strings.Repeat("[\n", 33) + strings.Repeat("]\n", 33),
		"more than 32":     "a: " + strings.Repeat("[", 33) + strings.Repeat("]", 33),
		"expected at most": strings.Repeat("a: 1\n", 60_000),
		"spaces":           "a:\n" + strings.Repeat(" ", 1000) + "b: 1",
		"dashes":           strings.Repeat("- ", 20_000) + "x",
		"begins with":      strings.Repeat("? ", 20_000) + "x",
		"128 spaces":       strings.Repeat(" ", 129) + "a: 1",
	} {
		began := time.Now()
		var v any
		if err := UnmarshalYAML([]byte(text), &v); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %s", text, err, want)
		}
		if s := time.Since(began).Seconds(); s > 1 {
			t.Errorf("%.20q: %g seconds", text, s)
		}
	}
	limits := strings.Repeat(" ", 128) + "a: " + strings.Repeat("[", 32) + strings.Repeat("]", 32)
	if err := UnmarshalYAML([]byte(limits), new(any)); err != nil {
		t.Error(err)
	}
	limits = "a: [" + strings.Repeat("[1], {b: 2}, ", 40) + "3]"
	if err := UnmarshalYAML([]byte(limits), new(any)); err != nil {
		t.Error(err)
	}
	for n, want := range map[int]bool{256 << 10: true, 256<<10 + 1: false} {
		text := "a: 1 #" + strings.Repeat("x", n-6)
		if err := UnmarshalYAML([]byte(text), new(any)); (err == nil) != want {
			t.Errorf("%d bytes: error %v", n, err)
		}
	}
	var v map[string][]int
	if err := UnmarshalYAML([]byte("\ufeffa: [1, 2]\nb:\n  - 3\n"), &v); err != nil ||
		v["b"][0] != 3 {
		t.Error(v, err)
	}
}

// TestOneDocument refuses a second document, which would be ignored.
func TestOneDocument(t *testing.T) {
	for text, want := range map[string]string{
		"a: 1": "", "---\na: 1\n": "", "a: 1\n...\n": "", "# nothing": "", "": "",
		"a: 1\n---\na: 2\n": "a second document", "a: 1\n---\n[": "sequence end",
	} {
		var v map[string]any
		err := UnmarshalYAML([]byte(text), &v)
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}
