package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/seed-6655bf3b/recap/internal/experiment"
	"github.com/seed-6655bf3b/recap/internal/report"
)

// How often the files are looked at, and how often a client of which nothing is known is sent a
// comment, to learn whether it is there.
var (
	lookTime  = 300 * time.Millisecond
	aliveTime = 15 * time.Second
)

// A stream sends events to one client (server-sent events, HTML Living Standard 9.2).
type stream struct {
	w    http.ResponseWriter
	c    *http.ResponseController
	last time.Time // something was sent
}

// send writes an event and the data's JSON, which has no line breaks.
func (s *stream) send(event string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return s.write("event: %s\ndata: %s\n\n", event, text)
}

func (s *stream) write(format string, a ...any) error {
	s.last = time.Now()
	if err := s.c.SetWriteDeadline(s.last.Add(writeTime)); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.w, format, a...)
	return err
}

// stream calls look again and again, and sends what it writes, until the client or the server
// ends.
func (h *handler) stream(w http.ResponseWriter, r *http.Request, look func(s *stream) error) {
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return
	}
	s := &stream{w: w, c: http.NewResponseController(w)}
	tick := time.NewTicker(lookTime)
	defer tick.Stop()
	err := s.send("begin", struct{}{})
	for err == nil {
		if err = look(s); err == nil && time.Since(s.last) > aliveTime {
			err = s.write(": still here\n\n")
		}
		if err == nil {
			err = s.c.Flush()
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
	h.log.Info("a stream of events has ended", "err", err)
}

// follow sends what happens to a run: the list "seeds", of each seed an "epoch" for each line of
// the journal, and "restart" where a journal begins anew.
func (h *handler) follow(w http.ResponseWriter, r *http.Request, dir string) {
	var seeds []experiment.SeedRun
	tails := map[uint64]*tail{}
	h.stream(w, r, func(s *stream) error {
		run, err := experiment.LookAtRun(dir)
		if err != nil {
			return err
		}
		if !slices.Equal(run.Seeds, seeds) {
			seeds = run.Seeds
			if err := s.send("seeds", seeds); err != nil {
				return err
			}
		}
		for _, seed := range seeds {
			t := tails[seed.Seed]
			if t == nil {
				t = &tail{path: seed.Journal()}
				tails[seed.Seed] = t
			}
			if err := s.epochs(seed.Seed, t); err != nil {
				return err
			}
		}
		return nil
	})
}

// epochs sends what a journal has gained.
func (s *stream) epochs(seed uint64, t *tail) error {
	lines, anew, err := t.next()
	if err != nil {
		return err
	}
	if anew {
		if err := s.send("restart", map[string]uint64{"seed": seed}); err != nil {
			return err
		}
	}
	for _, line := range lines {
		epoch := struct {
			Seed   uint64          `json:"seed"`
			Record json.RawMessage `json:"record"`
		}{seed, line}
		if err := s.send("epoch", epoch); err != nil {
			return fmt.Errorf("%s: %w", t.path, err)
		}
	}
	return nil
}

// followAll sends the list of runs where it has changed.
func (h *handler) followAll(w http.ResponseWriter, r *http.Request) {
	var sent []report.Line
	h.stream(w, r, func(s *stream) error {
		lines, err := h.lines()
		if err != nil || sent != nil && slices.Equal(lines, sent) {
			return err
		}
		sent = lines
		return s.send("runs", lines)
	})
}

// lines returns the list of runs.
func (h *handler) lines() ([]report.Line, error) {
	runs, err := experiment.FindRuns(h.dir)
	if err != nil {
		return nil, err
	}
	lines := []report.Line{}
	for _, dir := range runs {
		lines = append(lines, h.line(dir))
	}
	return lines, nil
}

// line tells how a run stands.
func (h *handler) line(dir string) report.Line {
	line := report.Line{Name: h.nameOf(dir), State: "finished"}
	run, err := experiment.LookAtRun(dir)
	if err != nil {
		line.State = err.Error()
		return line
	}
	finished := 0
	for _, seed := range run.Seeds {
		if seed.Finished {
			finished++
		}
	}
	line.Seeds = fmt.Sprintf("%d of %d", finished, len(run.Seeds))
	if i := slices.IndexFunc(run.Seeds, func(s experiment.SeedRun) bool { return !s.Finished }); i >= 0 { // seeds are trained in turn
		if line.State, err = state(run.Seeds[i], &run.Config); err != nil {
			line.State = err.Error()
		}
	}
	return line
}

// state says how far a seed's training is.
func state(seed experiment.SeedRun, c *experiment.Config) (string, error) {
	records, err := seed.Records()
	if err != nil {
		return "", err
	}
	if len(records) == 0 {
		return fmt.Sprintf("seed %d: not begun", seed.Seed), nil
	}
	var last struct {
		Phase string
		Epoch int
	}
	if err := json.Unmarshal(records[len(records)-1], &last); err != nil {
		return "", fmt.Errorf("serve: %s: last line: expected a phase and an epoch, found %w", seed.Journal(), err)
	}
	return fmt.Sprintf("seed %d: %s, epoch %d of %d", seed.Seed, last.Phase, last.Epoch, c.Train.Epochs[last.Phase]), nil
}

// A tail reads a file of lines that grows.
type tail struct {
	path string
	file os.FileInfo // nil until it is there
	at   int64       // what has been read
}

// next returns the lines that were finished since the last call. anew says that the file is
// another than before or shorter, and that these lines are all of it: a resumed run cuts its
// journal.
func (t *tail) next() (lines [][]byte, anew bool, err error) {
	f, err := os.Open(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		anew = t.at > 0
		t.file, t.at = nil, 0
		return nil, anew, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("serve: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, false, fmt.Errorf("serve: %w", err)
	}
	if t.file != nil && (!os.SameFile(t.file, info) || info.Size() < t.at) {
		anew = t.at > 0
		t.at = 0
	}
	t.file = info
	text, err := io.ReadAll(io.NewSectionReader(f, t.at, info.Size()-t.at))
	if err != nil {
		return nil, false, fmt.Errorf("serve: %s: %w", t.path, err)
	}
	whole := text[:bytes.LastIndexByte(text, '\n')+1]
	t.at += int64(len(whole))
	for line := range bytes.Lines(whole) {
		lines = append(lines, bytes.TrimSuffix(line, []byte("\n")))
	}
	return lines, anew, nil
}
