package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"unicode/utf8"

	"github.com/seed-6655bf3b/recap/internal/typeset"
)

// interrupts answers Ctrl-C and SIGTERM. A command that can end in good order says so by
// onInterrupt; any other is ended by the first signal.
type interrupts struct {
	mu     sync.Mutex
	answer func() string // what the first signal makes the command do
	resume func() string // the command that continues after the second signal
	signal syscall.Signal
}

// onInterrupt says that the command ends in good order after the first signal, when its context is
// done. answer says what it does until then, resume how to continue if it is stopped before; both
// may return "".
func (i *interrupts) onInterrupt(answer, resume func() string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer, i.resume = answer, resume
}

// exitCode returns the exit code of a command that failed: 128 and the number of the signal that
// it got, as of shells, or exitFailure.
func (i *interrupts) exitCode() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.signal == 0 {
		return exitFailure
	}
	return 128 + int(i.signal)
}

// watch answers signals. The first cancels the command's context if the command has called
// onInterrupt; otherwise, and at the second, it calls exit.
func (t *terminal) watch(signals <-chan os.Signal, cancel context.CancelFunc, exit func(int)) {
	for s := range signals {
		t.mu.Lock()
		first, answer, resume := t.signal == 0, t.answer, t.resume
		t.signal, _ = s.(syscall.Signal)
		t.mu.Unlock()
		if first && answer != nil {
			cancel()
			if text := answer(); text != "" {
				t.say(text)
			}
			continue
		}
		t.hide()
		text := "stopped"
		if resume != nil && resume() != "" {
			text += "; continue with: " + resume()
		}
		t.say(text)
		exit(t.exitCode())
	}
}

// say prints a message for people. On a terminal, its lines that are too long are wrapped.
func (t *terminal) say(text string) {
	text = "recap: " + strings.TrimPrefix(text, "recap: ") // the model's errors begin with its name
	if t.line == nil {
		fmt.Fprintln(t.err, text)
		return
	}
	width := t.line.width()
	for line := range strings.SplitSeq(text, "\n") {
		if utf8.RuneCountInString(line) > width {
			line = strings.TrimSuffix(wrapped(line, width), "\n")
		}
		fmt.Fprintln(t.err, line)
	}
}

// thisCommand returns the command line of this process.
func thisCommand() string {
	words := []string{"recap"}
	for _, word := range os.Args[1:] {
		words = append(words, typeset.ShellWord(word))
	}
	return strings.Join(words, " ")
}

// continueError adds to the error of an interrupted command how to continue.
func continueError(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	return fmt.Errorf("%w\ncontinue with: %s", err, thisCommand())
}
