package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/goccy/go-yaml"
)

// Limits of YAML. The parser needs time and memory that grow with the square of the depth.
const (
	maxYAML  = 256 << 10 // bytes; a configuration has a few thousand
	maxDepth = 32        // of brackets
	maxLead  = 128       // of spaces, dashes and question marks at the beginning of a line
)

// UnmarshalYAML decodes YAML or JSON, whose size and depth are limited. A byte order mark, which
// some editors write, is skipped. A second document is an error.
func UnmarshalYAML(text []byte, v any, options ...yaml.DecodeOption) error {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if len(text) > maxYAML {
		return fmt.Errorf("%d bytes, expected at most %d", len(text), maxYAML)
	}
	depth := 0
	for line := range bytes.Lines(text) {
		if len(line)-len(bytes.TrimLeft(line, " \t-?")) > maxLead {
			return fmt.Errorf("a line that begins with more than %d spaces and dashes", maxLead)
		}
		for _, c := range line {
			switch c {
			case '[', '{':
				depth++
			case ']', '}':
				depth--
			}
			if depth > maxDepth {
				return fmt.Errorf("brackets more than %d deep", maxDepth)
			}
		}
	}
	d := yaml.NewDecoder(bytes.NewReader(text), options...)
	if err := d.Decode(v); errors.Is(err, io.EOF) {
		return nil // empty
	} else if err != nil {
		return err
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		return errors.New("a second document after ---, expected one; remove it")
	}
	return nil
}
