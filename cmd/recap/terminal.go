package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"
	"unicode"

	"golang.org/x/term"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"

	"github.com/seed-6655bf3b/recap/internal/typeset"
)

// A terminal is where a command writes: results to out, log and progress to err. Both are safe:
// see safeWriter. If standard error is a terminal, the log is written for people, and the progress
// is its last line; otherwise the log has keys and values, for programs.
type terminal struct {
	out   io.Writer
	err   io.Writer
	log   *slog.Logger
	width int // columns of standard output; 0 if it is not a terminal

	results *stickyWriter // out writes to it
	flush   func() error  // writes the rest of what was written to out
	line    *statusLine   // nil if standard error is not a terminal
	logged  time.Time     // when the progress was logged
	interrupts
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

// newTerminal returns a terminal that writes to standard output and standard error.
func newTerminal(stdout, stderr io.Writer) *terminal {
	t := &terminal{results: &stickyWriter{w: stdout}, width: columns(stdout)}
	out := safeWriter(t.results)
	t.out, t.flush = out, out.Close
	if width := columns(stderr); width > 0 {
		t.line = &statusLine{w: stderr, width: func() int { return columns(stderr) }}
		t.err = safeWriter(t.line)
		t.log = slog.New(&peopleHandler{w: t.err, width: t.line.width})
	} else {
		t.err = safeWriter(stderr)
		t.log = slog.New(slog.NewTextHandler(t.err, nil))
	}
	return t
}

// paragraph writes a text to out, on a terminal in lines that fit.
func (t *terminal) paragraph(text string) {
	if t.width > 0 {
		text = strings.TrimSuffix(typeset.Wrap(text, t.width), "\n")
	}
	fmt.Fprintln(t.out, text)
}

// columns returns the width of a terminal, 0 if w is not one.
func columns(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	switch {
	case err != nil:
		return 0
	case width == 0: // a terminal of unknown size
		return 80
	}
	return width
}

// run calls a command. If the command succeeds but not all of its results could be written, the
// error says so.
func (t *terminal) run(command func(t *terminal) error) error {
	err := command(t)
	t.flush()
	if err == nil && t.results.err != nil {
		return fmt.Errorf("standard output: expected to write the results, found %w", t.results.err)
	}
	return err
}
