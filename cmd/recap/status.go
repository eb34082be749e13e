package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/seed-6655bf3b/recap/internal/train"
)

// A statusLine is the last line of a terminal, which says what a command is doing. What is written
// appears above it.
type statusLine struct {
	w     io.Writer
	width func() int // columns of the terminal

	mu    sync.Mutex
	text  string
	drawn time.Time
}

// eraseLine moves to the first column and erases the line.
const eraseLine = "\r\x1b[K"

// Write writes whole lines above the status line.
func (l *statusLine) Write(lines []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := string(lines)
	if l.text != "" {
		text = eraseLine + text + l.text
	}
	if _, err := io.WriteString(l.w, text); err != nil {
		return 0, err
	}
	return len(lines), nil
}

// drawInterval is the shortest time between two drawings. Tests change it.
var drawInterval = 200 * time.Millisecond

// show replaces the status line; text must have no control characters. It does nothing if the line
// was drawn a moment ago.
func (l *statusLine) show(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); now.Sub(l.drawn) >= drawInterval {
		l.text, l.drawn = text, now
		io.WriteString(l.w, eraseLine+text)
	}
}

// clear removes the status line.
func (l *statusLine) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text != "" {
		l.text = ""
		io.WriteString(l.w, eraseLine)
	}
}

// A status is what a long command is doing.
type status struct {
	doing    string
	details  string         // shown after the rest, as far as there is room
	done     float64        // fraction, from 0 to 1
	left     train.Estimate // for the rest
	measured bool           // whether left is known
}

// logInterval is the time between two lines of the log about the progress.
const logInterval = 30 * time.Second

// show shows what the command is doing: on a terminal in its last line, otherwise now and then in
// the log.
func (t *terminal) show(s status) {
	if t.line != nil {
		const ctrlC = len("^C") // which the terminal prints after the line
		t.line.show(s.line(t.line.width() - ctrlC - 1))
		return
	}
	now := time.Now()
	if t.logged.IsZero() {
		t.logged = now
	}
	if now.Sub(t.logged) < logInterval {
		return
	}
	t.logged = now
	attrs := []any{"doing", s.doing, "percent", int(100 * s.done)}
	if s.measured {
		key := "left"
		if s.left.AtLeast {
			key = "left_at_least"
		}
		attrs = append(attrs, key, s.left.Time.Round(time.Second))
	}
	t.log.Info("progress", attrs...)
}

// showSteps shows that some of the steps of a computation are done.
func (t *terminal) showSteps(doing string, done, total int) {
	t.show(status{doing: fmt.Sprintf("%s: %d of %d", doing, done, total),
		done: float64(done) / float64(total)})
}

// hide removes what show shows on a terminal.
func (t *terminal) hide() {
	if t.line != nil {
		t.line.clear()
	}
}

// line returns the status in at most width columns, with a bar before it if there is room.
func (s *status) line(width int) string {
	text := s.doing
	if s.measured {
		text += ", " + estimated(s.left) + " left"
	}
	if s.details != "" {
		text += "; " + s.details
	}
	text = oneLine(strings.Map(visible, text))
	const most, least = 20, 5 // columns inside of the bar
	n := utf8.RuneCountInString(text)
	if inside := min(most, width-n-len("[] 100% ")); inside >= least {
		full := int(s.done * float64(inside))
		return fmt.Sprintf("[%s%s] %3d%% %s", strings.Repeat("#", full),
			strings.Repeat(".", inside-full), int(100*s.done), text)
	}
	if n > width {
		return string([]rune(text)[:max(0, width-1)]) + "…"
	}
	return text
}

// estimated returns an estimate in words.
func estimated(e train.Estimate) string {
	if e.AtLeast {
		return "at least " + approximately(e.Time)
	}
	return "about " + approximately(e.Time)
}

// approximately returns a duration in words, with one or two digits.
func approximately(d time.Duration) string {
	switch s := max(1, int(d.Seconds()+0.5)); {
	case s < 10:
		return fmt.Sprintf("%d s", s)
	case s < 100:
		return fmt.Sprintf("%d s", (s+2)/5*5)
	case s < 6000:
		return fmt.Sprintf("%d min", (s+30)/60)
	default:
		minutes := (s + 300) / 600 * 10
		return fmt.Sprintf("%d h %d min", minutes/60, minutes%60)
	}
}
