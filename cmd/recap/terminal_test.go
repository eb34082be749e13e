package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
)

func TestSafeWriter(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"│ größe ±\t1\n", "│ größe ±\t1\n"},
		{"\x1b[31mred\x07\r\x00\x7f", "␛[31mred␇␍␀␡"},
		{"\u009b31m \x9b31m \u202eevil", "\ufffd31m \ufffd31m \ufffdevil"},
	} {
		var b bytes.Buffer
		w := safeWriter(&b)
		for i := range len(c.text) { // characters arrive in parts
			if _, err := w.Write([]byte{c.text[i]}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil || b.String() != c.want {
			t.Errorf("%q is written as %q, want %q (%v)", c.text, b.String(), c.want, err)
		}
	}
	if got := oneLine("a\nb\tc"); got != "a␊b␉c" {
		t.Errorf("one line: %q", got)
	}
}

// A failingWriter fails at its first call only.
type failingWriter struct{ calls int }

func (f *failingWriter) Write(text []byte) (int, error) {
	if f.calls++; f.calls == 1 {
		return 0, io.ErrShortWrite
	}
	return len(text), nil
}

func TestFirstErrorOfStandardOutput(t *testing.T) {
	f := &failingWriter{}
	err := newTerminal(f, io.Discard).run(func(t *terminal) error {
		fmt.Fprintln(t.out, "first")
		fmt.Fprintln(t.out, "second")
		return nil
	})
	if !errors.Is(err, io.ErrShortWrite) || !strings.HasPrefix(err.Error(), "standard output: ") ||
		f.calls != 1 {
		t.Errorf("%v after %d calls", err, f.calls)
	}
	failed := errors.New("failed")
	if err := newTerminal(&failingWriter{}, io.Discard).run(func(t *terminal) error {
		fmt.Fprintln(t.out, "first")
		return failed
	}); err != failed {
		t.Errorf("the error of the command is replaced by %v", err)
	}
}

// TestFullDisk runs commands whose results cannot be written.
func TestFullDisk(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("no /dev/full")
	}
	dir := workDir(t)
	run := "runs/synthetic/recap/full"
	for _, line := range []string{
		"train --config tiny.yaml", "eval " + run, "table", "inspect " + run, "doctor",
		"plot losses " + run, "settings",
		"tune -n 1 --config tiny.yaml", "gradcheck Add",
	} {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Skip(err)
		}
		cmd, stderr := process(t, dir, strings.Fields(line)...)
		cmd.Stdout = full
		err = cmd.Run()
		full.Close()
		if err == nil || cmd.ProcessState.ExitCode() != exitFailure ||
			!strings.Contains(stderr.String(), "standard output: expected to write the results") {
			t.Errorf("%s: %v\n%s", line, err, stderr)
		}
	}
}
