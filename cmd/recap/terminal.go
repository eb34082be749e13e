package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
)

// A terminal is where a command writes: results to out, log and progress to err. Both are safe:
// see safeWriter.
type terminal struct {
	out io.Writer
	err io.Writer
	log *slog.Logger
}

// safeWriter returns a writer of UTF-8 text that makes control characters visible. Names in files
// may have been chosen to control the terminal.
func safeWriter(w io.Writer) *transform.Writer {
	return transform.NewWriter(w, runes.Map(visible))
}

// visible returns the symbol of a control character (U+2400 to U+2421), the replacement character
// for one without a symbol and for one that changes the direction of the text, and any other
// character as it is. Tabs and ends of lines are no control characters here.
func visible(r rune) rune {
	switch {
	case r == '\n' || r == '\t':
		return r
	case r < ' ':
		return '\u2400' + r
	case r == 0x7f:
		return '\u2421'
	case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
		return unicode.ReplacementChar
	}
	return r
}

// oneLine returns a name from a file as one line.
func oneLine(name string) string {
	return strings.NewReplacer("\n", "\u240a", "\t", "\u2409").Replace(name)
}

// A stickyWriter remembers the first error of w and writes nothing after it, so that commands need
// not check each line that they print.
type stickyWriter struct {
	w   io.Writer
	err error
}

func (s *stickyWriter) Write(text []byte) (n int, err error) {
	if s.err == nil {
		n, s.err = s.w.Write(text)
	}
	return n, s.err
}

// runOn calls a command with standard output and standard error. If the command succeeds but not
// all of its results could be written, the error says so.
func runOn(stdout, stderr io.Writer, command func(t *terminal) error) error {
	results := &stickyWriter{w: stdout}
	out, log := safeWriter(results), safeWriter(stderr)
	err := command(&terminal{out, log, slog.New(slog.NewTextHandler(log, nil))})
	out.Close()
	if err == nil && results.err != nil {
		return fmt.Errorf("standard output: expected to write the results, found %w", results.err)
	}
	return err
}
