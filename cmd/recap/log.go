package main

import (
	"context"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"
)

// A peopleHandler writes the log for people: a record is a sentence without time, key names where
// they help, and lines that fit the terminal.
type peopleHandler struct {
	w     io.Writer
	width func() int // columns of the terminal
	attrs []slog.Attr
	mu    sync.Mutex
}

// Enabled reports whether a record of this level is written.
func (h *peopleHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo
}

// Handle writes a record.
func (h *peopleHandler) Handle(_ context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := io.WriteString(h.w, wrapped(sentence(r, h.attrs), h.width()))
	return err
}

// WithAttrs returns a handler that adds the attributes to each record.
func (h *peopleHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &peopleHandler{w: h.w, width: h.width, attrs: append(h.attrs[:len(h.attrs):len(h.attrs)],
		attrs...)}
}

// WithGroup returns the handler itself: names of groups do not help people.
func (h *peopleHandler) WithGroup(string) slog.Handler { return h }

// sentence returns a record as text: the level if it is not Info, the message, the attributes.
func sentence(r slog.Record, attrs []slog.Attr) string {
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs[:len(attrs):len(attrs)], a)
		return true
	})
	var parts []string
	validated := false
	for _, a := range attrs {
		key, score := strings.CutPrefix(a.Key, "valid_")
		if score && !validated {
			key, validated = "valid "+key, true
		}
		if part := phrase(key, a.Value.String()); part != "" {
			parts = append(parts, part)
		}
	}
	text := strings.Join(parts, ", ")
	if r.Message != "epoch" { // its phase and number are attributes
		text = strings.TrimSuffix(r.Message+": "+text, ": ")
	}
	if r.Level > slog.LevelInfo {
		level := map[slog.Level]string{slog.LevelWarn: "warning", slog.LevelError: "error"}
		text = level[r.Level] + ": " + text
	}
	return text
}

// phrase returns an attribute as words, "" for one that people do not need.
func phrase(key, value string) string {
	switch key {
	case "phase", "doing":
		return phaseName(value)
	case "epoch":
		return "epoch " + strings.Replace(value, "/", " of ", 1)
	case "epochs":
		return "epochs: " + phaseName(value)
	case "seconds":
		return value + " s"
	case "parameters":
		return thousands(value) + " parameters"
	case "in_checkpoint":
		return thousands(value) + " of them in the checkpoint"
	case "utterances":
		return value + " utterances"
	case "lr":
		return ""
	}
	return key + " " + value
}

var (
	stageNumber = regexp.MustCompile(`\bstage(\d)`)
	thousand    = regexp.MustCompile(`(\d)((?:\d{3})+)$`)
)

// phaseName returns the name of a phase for people: stage 1 for stage1.
func phaseName(phase string) string { return stageNumber.ReplaceAllString(phase, "stage $1") }

// thousands separates groups of three digits of a whole number.
func thousands(number string) string {
	m := thousand.FindStringSubmatchIndex(number)
	if m == nil {
		return number
	}
	text := number[:m[3]]
	for i := m[4]; i < m[5]; i += 3 {
		text += "," + number[i:i+3]
	}
	return text
}

// wrapped breaks a text at spaces into lines of at most width columns; all but the first are
// indented. A longer word has a line for itself.
func wrapped(text string, width int) string {
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case column == 0:
		case column+1+n > width:
			b.WriteString("\n  ")
			column = 2
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
	}
	b.WriteByte('\n')
	return b.String()
}
