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

	"github.com/seed-6655bf3b/recap/internal/report"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
)

// pollInterval is the time between two checks of the files. A stream without events sends a
// comment after each keepAliveInterval; if the write fails, the client is disconnected.
var (
	pollInterval      = 300 * time.Millisecond
	keepAliveInterval = 15 * time.Second
)

// A stream sends events to one client (server-sent events, HTML Living Standard 9.2).
type stream struct {
	w    http.ResponseWriter
	c    *http.ResponseController
	last time.Time // of the last write
}

// send writes an event with data as JSON. The JSON has no line breaks, as the format requires.
func (s *stream) send(event string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return s.write("event: %s\ndata: %s\n\n", event, text)
}

// write writes to the client, within writeTimeout.
func (s *stream) write(format string, a ...any) error {
	s.last = time.Now()
	if err := s.c.SetWriteDeadline(s.last.Add(writeTimeout)); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.w, format, a...)
	return err
}

// stream starts a stream of events. It calls poll after each pollInterval and flushes what poll
// has written, until the client disconnects or the server ends.
func (h *handler) stream(w http.ResponseWriter, r *http.Request, poll func(s *stream) error) {
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return
	}
	s := &stream{w: w, c: http.NewResponseController(w)}
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	err := s.send("begin", struct{}{})
	for err == nil {
		if err = poll(s); err == nil && time.Since(s.last) > keepAliveInterval {
			err = s.write(": keep-alive\n\n")
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
	h.log.Info("event stream ended", "err", err)
}

// runEvents streams the events of a run: "seeds" with the list of seeds when it changes, "epoch"
// for each line of a training journal, and "restart" if the journal of a seed was truncated or
// replaced.
func (h *handler) runEvents(w http.ResponseWriter, r *http.Request, dir string) {
	var seeds []rundir.SeedRun
	tails := map[uint64]*tail{}
	h.stream(w, r, func(s *stream) error {
		run, err := rundir.Read(dir)
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
				t = &tail{path: seed.Dir.File(rundir.JournalFile)}
				tails[seed.Seed] = t
			}
			if err := s.sendEpochs(seed.Seed, t); err != nil {
				return err
			}
		}
		return nil
	})
}

// sendEpochs sends the new lines of the journal of a seed.
func (s *stream) sendEpochs(seed uint64, t *tail) error {
	lines, restarted, err := t.next()
	if err != nil {
		return err
	}
	if restarted {
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

// listEvents streams the list of runs, each time it changes, as the event "runs".
func (h *handler) listEvents(w http.ResponseWriter, r *http.Request) {
	var sent []report.RunStatus
	h.stream(w, r, func(s *stream) error {
		runs, err := h.runs()
		if err != nil || sent != nil && slices.Equal(runs, sent) {
			return err
		}
		sent = runs
		return s.send("runs", runs)
	})
}

// runs returns the list of runs.
func (h *handler) runs() ([]report.RunStatus, error) {
	dirs, err := rundir.FindRuns(h.dir)
	if err != nil {
		return nil, err
	}
	list := []report.RunStatus{}
	for _, dir := range dirs {
		list = append(list, h.status(dir))
	}
	return list, nil
}

// status returns the status of a run.
func (h *handler) status(dir string) report.RunStatus {
	status := report.RunStatus{Name: h.nameOf(dir), State: "finished"}
	run, err := rundir.Read(dir)
	if err != nil {
		status.State = err.Error()
		return status
	}
	finished := 0
	for _, seed := range run.Seeds {
		if seed.Finished {
			finished++
		}
	}
	status.Seeds = fmt.Sprintf("%d of %d", finished, len(run.Seeds))
	// the seeds are trained one after the other
	if i := slices.IndexFunc(run.Seeds, func(s rundir.SeedRun) bool {
		return !s.Finished
	}); i >= 0 {
		if status.State, err = trainingState(run.Seeds[i], &run.Config); err != nil {
			status.State = err.Error()
		}
	}
	return status
}

// trainingState returns the progress of the training of a seed, such as "seed 7: stage1, epoch 1
// of 5".
func trainingState(seed rundir.SeedRun, c *settings.Config) (string, error) {
	records, err := seed.Dir.Records()
	if err != nil {
		return "", err
	}
	if len(records) == 0 {
		return fmt.Sprintf("seed %d: not started", seed.Seed), nil
	}
	last := records[len(records)-1]
	return fmt.Sprintf("seed %d: %s, epoch %d of %d", seed.Seed, last.Phase, last.Epoch,
		c.Train.Epochs[last.Phase]), nil
}

// A tail reads the new lines of a file that grows.
type tail struct {
	path   string
	file   os.FileInfo // nil while the file does not exist
	offset int64       // number of bytes read
}

// next returns the lines that are complete since the last call. restarted reports that the file
// was truncated or replaced, which happens when a run is resumed; lines are then all lines of the
// file.
func (t *tail) next() (lines [][]byte, restarted bool, err error) {
	f, err := os.Open(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		restarted = t.offset > 0
		t.file, t.offset = nil, 0
		return nil, restarted, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("serve: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, false, fmt.Errorf("serve: %w", err)
	}
	if t.file != nil && (!os.SameFile(t.file, info) || info.Size() < t.offset) {
		restarted = t.offset > 0
		t.offset = 0
	}
	t.file = info
	text, err := io.ReadAll(io.NewSectionReader(f, t.offset, info.Size()-t.offset))
	if err != nil {
		return nil, false, fmt.Errorf("serve: %s: %w", t.path, err)
	}
	complete := text[:bytes.LastIndexByte(text, '\n')+1]
	t.offset += int64(len(complete))
	for line := range bytes.Lines(complete) {
		lines = append(lines, bytes.TrimSuffix(line, []byte("\n")))
	}
	return lines, restarted, nil
}
