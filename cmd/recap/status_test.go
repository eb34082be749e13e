package main

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/train"
)

func TestStatusLine(t *testing.T) {
	s := status{doing: "seed 2 of 3, stage 2: epoch 13 of 25", done: 0.43,
		left: train.Estimate{Time: 40 * time.Second}, measured: true}
	for width, want := range map[int]string{
		20: "seed 2 of 3, stage …",
		59: "seed 2 of 3, stage 2: epoch 13 of 25, about 40 s left",
		79: "[#######...........]  43% seed 2 of 3, stage 2: epoch 13 of 25, about 40 s left",
		119: "[########............]  43% seed 2 of 3, stage 2: epoch 13 of 25, " +
			"about 40 s left",
	} {
		if got := s.line(width); got != want || utf8.RuneCountInString(got) > width {
			t.Errorf("%d columns: %q, want %q", width, got, want)
		}
	}
	s.left.AtLeast = true
	if got := s.line(59); !strings.HasSuffix(got, "13 of 25, at least 40 s left") {
		t.Error(got)
	}
	s = status{doing: "1 of 9 units done", details: "a\x1b[31m/seed1 test 1 of 2"}
	if got := s.line(79); got != "[....................]   0% 1 of 9 units done; "+
		"a␛[31m/seed1 test 1 of 2" {
		t.Errorf("with details: %q", got)
	}
	for seconds, want := range map[float64]string{0.2: "1 s", 9.4: "9 s", 11.9: "10 s",
		13: "15 s", 99: "100 s", 100: "2 min", 3540: "59 min", 7900: "2 h 10 min"} {
		if got := approximately(time.Duration(seconds * 1e9)); got != want {
			t.Errorf("%g s is %q, want %q", seconds, got, want)
		}
	}
}

// TestLogAboveStatusLine checks that lines of the log replace the status line, which is drawn
// below them again.
func TestLogAboveStatusLine(t *testing.T) {
	var b bytes.Buffer
	l := &statusLine{w: &b, width: func() int { return 80 }}
	l.Write([]byte("first\n"))
	l.show("half")
	l.show("too soon")
	l.Write([]byte("second\n"))
	l.clear()
	l.clear()
	want := "first\n" + eraseLine + "half" + eraseLine + "second\nhalf" + eraseLine
	if b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}

// TestProgressInALog shows the progress without a terminal: a line every 30 seconds.
func TestProgressInALog(t *testing.T) {
	var b bytes.Buffer
	term := newTerminal(io.Discard, &b)
	s := status{doing: "stage 1: epoch 1 of 5", done: 0.1,
		left: train.Estimate{Time: 99 * time.Second, AtLeast: true}}
	term.show(s)
	term.show(s)
	if b.Len() > 0 {
		t.Errorf("at once: %s", &b)
	}
	term.logged = time.Now().Add(-31 * time.Second)
	s.measured = true
	term.show(s)
	term.show(s)
	want := `level=INFO msg=progress doing="stage 1: epoch 1 of 5" percent=10 left_at_least=1m39s`
	if strings.Count(b.String(), "\n") != 1 || !strings.Contains(b.String(), want) {
		t.Errorf("after 31 s: %s, want %s", &b, want)
	}
}

func TestLogForPeople(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(&peopleHandler{w: &b, width: func() int { return 60 }}).With("of", "x")
	r := rundir.Record{Phase: "stage2", Epoch: 3, LR: 0.1, Seconds: 1.25,
		Terms: rundir.Numbers{"loss": 0.5}, Valid: rundir.Numbers{"MAE": 0.25, "Corr": 0.75}}
	log.Info("epoch", r.Attributes(25)...)
	log.Warn("careful", "parameters", 28432263, "in_checkpoint", 1000, "epochs", "5 of stage1")
	log.Debug("nothing")
	want := "of x, stage 2, epoch 3 of 25, loss 0.5, valid MAE 0.25, Corr\n  0.75, 1.25 s\n" +
		"warning: careful: of x, 28,432,263 parameters, 1,000 of them\n" +
		"  in the checkpoint, epochs: 5 of stage 1\n"
	if b.String() != want {
		t.Errorf("\n%swant\n%s", &b, want)
	}
}

// TestAnswers checks what a training says after the first Ctrl-C, and how it goes on.
func TestAnswers(t *testing.T) {
	var b bytes.Buffer
	w := &training{t: newTerminal(io.Discard, &b)}
	if got := w.answer(); !strings.HasPrefix(got, "stopping before the first epoch") {
		t.Errorf("before the first step: %s", got)
	}
	for _, c := range []struct {
		p    train.Progress
		want string
	}{
		{train.Progress{Phase: "stage1", Epoch: 1, EpochLeft: 12 * time.Second},
			"finishing epoch 1, about 10 s; press Ctrl-C again to stop now: no epoch is saved"},
		{train.Progress{Phase: "stage1", Epoch: 7, SavedPhase: "stage1", SavedEpoch: 6,
			Measured: true, Left: train.Estimate{Time: time.Minute, AtLeast: true}},
			"finishing epoch 7, about 1 s; press Ctrl-C again to stop now: " +
				"the last saved epoch is 6"},
		{train.Progress{Phase: "stage2", Epoch: 1, SavedPhase: "stage1", SavedEpoch: 5},
			"finishing epoch 1, about 1 s; press Ctrl-C again to stop now: " +
				"the last saved epoch is 5 of stage 1"},
		{train.Progress{Phase: train.TestPhase, Epoch: 3, Measured: true},
			"stopping; the training is saved, the test will be repeated"},
	} {
		w.update(runs.Progress{Progress: c.p, Dir: "runs/x/seed1", Number: 1, Count: 2})
		if got := w.answer(); got != c.want {
			t.Errorf("%+v: %s", c.p, got)
		}
	}
	for _, want := range []string{`"the rest takes at least 60 s"`, `"the rest takes about 1 s"`} {
		if strings.Count(b.String(), want) != 1 {
			t.Errorf("the log does not say once %s: %s", want, &b)
		}
	}
}

// TestSignals sends signals to commands: one that ends at the first, one that ends in good order.
func TestSignals(t *testing.T) {
	send := func(term *terminal, signals ...os.Signal) (cancelled int, exits []int) {
		queue := make(chan os.Signal, len(signals))
		for _, s := range signals {
			queue <- s
		}
		close(queue)
		term.watch(queue, func() { cancelled++ }, func(code int) { exits = append(exits, code) })
		return cancelled, exits
	}
	var b bytes.Buffer
	term := newTerminal(io.Discard, &b)
	if n, exits := send(term, syscall.SIGTERM); n != 0 || len(exits) != 1 || exits[0] != 143 ||
		b.String() != "recap: stopped\n" {
		t.Errorf("without an answer: cancelled %d times, exits %v, %q", n, exits, &b)
	}
	b.Reset()
	term = newTerminal(io.Discard, &b)
	term.onInterrupt(func() string { return "finishing" }, func() string { return "recap x" })
	if n, exits := send(term, os.Interrupt); n != 1 || exits != nil ||
		b.String() != "recap: finishing\n" || term.exitCode() != 130 {
		t.Errorf("the first: cancelled %d times, exits %v, %q", n, exits, &b)
	}
	if n, exits := send(term, os.Interrupt); n != 0 || len(exits) != 1 || exits[0] != 130 ||
		!strings.HasSuffix(b.String(), "recap: stopped; continue with: recap x\n") {
		t.Errorf("the second: cancelled %d times, exits %v, %q", n, exits, &b)
	}
	if code := newTerminal(io.Discard, io.Discard).exitCode(); code != exitFailure {
		t.Errorf("without a signal: exit code %d", code)
	}
}
