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

	"github.com/seed-6655bf3b/recap/internal/rundir"
)

// pollInterval is the time between two checks of the files. A stream without events sends a
// comment after each keepAliveInterval; if the write fails, the client is disconnected.
var (
	pollInterval      = 300 * time.Millisecond
	keepAliveInterval = 15 * time.Second
)

// maxStreams is the largest number of event streams; a browser keeps one for each open page.
const maxStreams = 100

// A stream sends events to one client (server-sent events, HTML Living Standard 9.2).
type stream struct {
	w       http.ResponseWriter
	c       *http.ResponseController
	now     *snapshot // the last one that was sent
	last    time.Time // of the last write
	written bool      // since the last flush
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
	s.last, s.written = time.Now(), true
	if err := s.c.SetWriteDeadline(s.last.Add(writeTimeout)); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.w, format, a...)
	return err
}

// stream starts a stream of events. After each pollInterval it looks at the runs and calls update
// if their state has changed, until the client disconnects or the server ends. It answers with
// status 503 if there are too many streams.
func (h *handler) stream(
	w http.ResponseWriter, r *http.Request, update func(s *stream, now *snapshot) error,
) {
	if h.streams.Add(1) > maxStreams {
		h.streams.Add(-1)
		w.Header().Set("Retry-After", "10")
		http.Error(w, fmt.Sprintf("%d pages follow the runs already; close some of them",
			maxStreams), http.StatusServiceUnavailable)
		return
	}
	defer h.streams.Add(-1)
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return
	}
	s := &stream{w: w, c: http.NewResponseController(w)}
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	err := s.send("begin", struct{}{})
	for err == nil {
		if err = h.poll(s, update); err != nil {
			break
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
	h.log.Info("event stream ended", "err", err)
}

// poll calls update if the state of the runs has changed, and flushes what it has written.
func (h *handler) poll(s *stream, update func(s *stream, now *snapshot) error) error {
	now, err := h.monitor.look()
	if err == nil && now != s.now {
		s.now = now
		err = update(s, now)
	}
	if err == nil && time.Since(s.last) > keepAliveInterval {
		err = s.write(": keep-alive\n\n")
	}
	if err != nil || !s.written {
		return err
	}
	s.written = false
	return s.c.Flush()
}

// runEvents streams the events of a run: "seeds" with the list of seeds and "phase" with the phase
// of the run when they change, "epoch" for each line of a training journal, and "restart" if the
// journal of a seed was truncated or replaced.
func (h *handler) runEvents(w http.ResponseWriter, r *http.Request, name string) {
	var seeds []rundir.SeedRun
	phase, tails := "", map[uint64]*tail{}
	h.stream(w, r, func(s *stream, now *snapshot) error {
		run := now.find(name)
		if run == nil {
			return fmt.Errorf("serve: run %s: expected its directory, found none", name)
		}
		if run.err != nil {
			return run.err
		}
		if !slices.Equal(run.seeds, seeds) {
			seeds = run.seeds
			if err := s.send("seeds", seeds); err != nil {
				return err
			}
		}
		for i, seed := range seeds {
			t := tails[seed.Seed]
			if t == nil {
				t = &tail{path: seed.Dir.File(rundir.JournalFile)}
				tails[seed.Seed] = t
			}
			if t.stamp == run.journals[i] {
				continue
			}
			t.stamp = run.journals[i]
			if err := s.sendEpochs(seed.Seed, t); err != nil {
				return err
			}
		}
		if run.status.Phase == phase {
			return nil
		}
		phase = run.status.Phase
		return s.send("phase", phase)
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
	var sent []byte
	h.stream(w, r, func(s *stream, now *snapshot) error {
		if bytes.Equal(now.list, sent) {
			return nil
		}
		sent = now.list
		return s.write("event: runs\ndata: %s\n\n", now.list)
	})
}

// A tail reads the new lines of a file that grows.
type tail struct {
	path   string
	stamp  stamp       // when the last snapshot was taken
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
