package serve

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6655bf3b/recap/internal/report"
	"github.com/seed-6655bf3b/recap/internal/rundir"
)

// TestHeaders compares the headers of a page and of an event stream, and the answers of the guard.
func TestHeaders(t *testing.T) {
	run, _ := newRun(t, t.TempDir(), "full", 7)
	h, err := newHandler(t.Context(), run, report.Options{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	safe := http.Header{"Cache-Control": {"no-store"}, "X-Frame-Options": {"DENY"},
		"Cross-Origin-Resource-Policy": {"same-origin"}, "Referrer-Policy": {"no-referrer"},
		"X-Content-Type-Options": {"nosniff"}}
	refused := http.Header{"X-Content-Type-Options": {"nosniff"},
		"Content-Type": {"text/plain; charset=utf-8"}}
	with := func(header http.Header, name, value string) http.Header {
		header = header.Clone()
		header.Set(name, value)
		return header
	}
	for _, c := range []struct {
		method, path, host, origin, body string
		status                           int
		header                           http.Header
		text                             string
	}{
		{"HEAD", "/events", "localhost", "", "", 200,
			with(safe, "Content-Type", "text/event-stream"), ""},
		{"HEAD", "/", "localhost", "", "", 200,
			with(safe, "Content-Type", "text/html; charset=utf-8"), ""},
		{"GET", "/", "evil.example", "", "", 403, refused,
			"host evil.example is not allowed; use the address that the server printed\n"},
		{"GET", "/", "localhost", "http://evil.example", "", 403, refused,
			"cross-origin requests are not allowed\n"},
		{"GET", "/", "localhost", "http://[", "", 403, refused,
			"cross-origin requests are not allowed\n"},
		{"GET", "/", "localhost", "", "x", 413, with(refused, "Connection", "close"),
			"expected a request without a body\n"},
		{"GET", "/compare?run=a", "localhost", "", "", 400,
			with(safe, "Content-Type", "text/plain; charset=utf-8"), "compare: expected two " +
				"different runs, /compare?run=A&run=B; mark two runs in the list\n"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), c.method, c.path,
			strings.NewReader(c.body))
		r.Host = c.host
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		w := httptest.NewRecorder()
		guard("127.0.0.1", h).ServeHTTP(deadlines{w}, r)
		if diff := cmp.Diff(c.header, w.Result().Header); diff != "" || w.Code != c.status {
			t.Errorf("%s %s: status %d, want %d; %s", c.method, c.path, w.Code, c.status, diff)
		}
		if got := w.Body.String(); c.method == "GET" && got != c.text {
			t.Errorf("%s %s: %q, want %q", c.method, c.path, got, c.text)
		}
	}
}

// deadlines is a recorder that accepts deadlines.
type deadlines struct{ *httptest.ResponseRecorder }

func (deadlines) SetWriteDeadline(time.Time) error { return nil }

func TestPageURL(t *testing.T) {
	at := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 7341}
	for host, want := range map[string]string{"": "http://localhost:7341/",
		"0.0.0.0": "http://localhost:7341/", "::": "http://localhost:7341/",
		"127.0.0.1": "http://127.0.0.1:7341/", "gpu.example": "http://gpu.example:7341/",
		"::1": "http://[::1]:7341/"} {
		if got := pageURL(host, at); got != want {
			t.Errorf("%q: %s, want %s", host, got, want)
		}
	}
}

// TestStatesOfRuns lists runs with several seeds: the state is that of the first seed that a
// process trains, or else of the first that is not finished; and runs whose files are damaged.
func TestStatesOfRuns(t *testing.T) {
	root := t.TempDir()
	file := func(run string, seed int, name, text string) {
		t.Helper()
		_, journal := newRun(t, root, run, seed)
		if name != "" {
			put(t, filepath.Join(filepath.Dir(journal), name), text)
		}
	}
	lock := func(run string) {
		t.Helper()
		release, err := rundir.Lock(filepath.Join(root, run, rundir.LockFile))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := release(); err != nil {
				t.Error(err)
			}
		})
	}
	file("a-stopped", 1, rundir.JournalFile, record("stage1", 1)+record("stage1", 2))
	file("a-stopped", 2, "", "")
	file("b-second-runs", 1, "", "")
	file("b-second-runs", 2, rundir.JournalFile, record("stage2", 1))
	file("b-second-runs", 3, "", "")
	lock("b-second-runs/seed2")
	lock("b-second-runs/seed3")
	file("c-journal", 1, rundir.JournalFile, "x\n")
	file("d-config", 1, "", "")
	file("d-config", 2, rundir.ConfigFile, "seed: [")
	file("e-lock", 1, rundir.LockFile, "x\n")
	file("f-predictions", 1, rundir.PredictionsFile, "x")
	file("g-unknown", 1, rundir.LockFile, `{"host":"elsewhere","pid":1}`)
	m := newMonitor(root)
	if _, err := m.look(); err != nil {
		t.Fatal(err)
	}
	m.due = time.Time{} // the scores of a slow machine
	s, err := m.look()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		"a-stopped|0 of 2|stopped|seed 1: stage1, epoch 2 of 4",
		"b-second-runs|0 of 3|running|seed 2: stage2, epoch 1 of ",
		"c-journal|0 of 1|stopped|rundir: ",
		"d-config||error|settings: ",
		"e-lock|0 of 1|error|rundir: ",
		"f-predictions|1 of 1|error|results: ",
		"g-unknown|0 of 1|locked|seed 1: no epoch yet",
	} {
		r := s.runs[i].status
		got := strings.Join([]string{r.Name, r.Seeds, r.Phase, r.State}, "|")
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for i, name := range map[int]string{2: rundir.JournalFile, 3: rundir.ConfigFile,
		4: rundir.LockFile, 5: rundir.BestFile} {
		if state := s.runs[i].status.State; !strings.Contains(state, name) {
			t.Errorf("run %d: the state %q does not name %s", i, state, name)
		}
	}
	if s.find("b-second-runs") != s.runs[1] || s.find("b") != nil {
		t.Error("another run is found")
	}
	if broken := s.runs[3]; broken.err == nil || broken.seeds != nil {
		t.Errorf("a run with a damaged-configuration: %+v", broken)
	}
	h := &handler{dir: filepath.Join(root, "d-config")}
	alone := &snapshot{runs: []*runState{{dir: h.dir, err: errors.New("damaged")}}}
	if h.single(alone) != nil {
		t.Error("a damaged run has a page")
	}
	alone.runs[0].err = nil
	if h.single(alone) != alone.runs[0] || h.single(&snapshot{}) != nil ||
		h.single(&snapshot{runs: append(alone.runs, s.runs[0])}) != nil {
		t.Error("the page of one run is not that of the run alone")
	}
}

// TestTail reads a file that grows, is truncated, disappears, and is a folder.
func TestTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	tail := &tail{path: path}
	next := func(what string, wantRestarted bool, want ...string) {
		t.Helper()
		lines, restarted, err := tail.next()
		got := string(bytes.Join(lines, []byte("|")))
		if err != nil || restarted != wantRestarted || got != strings.Join(want, "|") {
			t.Errorf("%s: %q, restarted %v, %v; want %q", what, got, restarted, err, want)
		}
	}
	next("no file", false)
	put(t, path, "")
	next("empty", false)
	put(t, path, "a\nb\nc")
	next("two lines and a half", false, "a", "b")
	next("the same", false)
	put(t, path, "a\nb\ncd\n")
	next("a line more", false, "cd")
	put(t, path, "x\n")
	next("truncated", true, "x")
	put(t, path+"2", "x\ny\n")
	if err := os.Rename(path+"2", path); err != nil {
		t.Fatal(err)
	}
	next("replaced by a longer one", true, "x", "y")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	next("removed", true)
	next("removed before", false)
	put(t, path, "new\n")
	next("a new one", false, "new")
	if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := tail.next(); err == nil || !strings.HasPrefix(err.Error(), "serve: ") ||
		!strings.Contains(err.Error(), path) {
		t.Errorf("a folder: %v", err)
	}
}

// TestKeepAlive sends a comment if there was no event for a while, and flushes only what was
// written.
func TestKeepAlive(t *testing.T) {
	old := keepAliveInterval
	defer func() { keepAliveInterval = old }()
	root := t.TempDir()
	h := &handler{monitor: newMonitor(root)}
	w := deadlines{httptest.NewRecorder()}
	s := &stream{w: w, c: http.NewResponseController(w)}
	polls := 0
	poll := func(s *stream, now *snapshot) error {
		polls++
		return s.send("list", now.statuses())
	}
	const first = "event: list\ndata: []\n\n"
	step := func(want string) {
		t.Helper()
		if err := h.poll(s, poll); err != nil || w.Body.String() != want || polls != 1 {
			t.Errorf("%q, want %q; %d calls, %v", w.Body, want, polls, err)
		}
	}
	step(first)
	h.monitor.due = time.Now().Add(time.Hour) // nothing changes
	w.Flushed = false
	step(first)
	if w.Flushed {
		t.Error("nothing is flushed")
	}
	keepAliveInterval = 0
	step(first + ": keep-alive\n\n")
	if !w.Flushed || s.written {
		t.Error("the comment is not flushed")
	}
	failed := errors.New("failed")
	s.now = nil
	if err := h.poll(s, func(*stream, *snapshot) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("error %v", err)
	}
}

// TestPagesAreKept renders the page of a run again only if its files have changed. That of an
// unfinished run is without the explorer.
func TestPagesAreKept(t *testing.T) {
	run, journal := newRun(t, t.TempDir(), "full", 7)
	appendTo(t, journal, record("stage1", 1))
	h := &handler{ctx: context.Background(), dir: run, log: slog.New(slog.DiscardHandler),
		options: report.Options{Samples: 3, Live: true}, pages: map[string]page{},
		monitor: newMonitor(run)}
	state := func() *runState {
		h.monitor.due = time.Time{}
		now, err := h.monitor.look()
		if err != nil {
			t.Fatal(err)
		}
		return now.runs[0]
	}
	first := state()
	if h.cached(first) != nil {
		t.Error("a page that was not rendered")
	}
	text, err := h.render(first)
	if err != nil || !bytes.Equal(h.cached(first), text) || !bytes.Equal(h.cached(state()), text) {
		t.Errorf("the page is not kept: %v", err)
	}
	if bytes.Contains(text, []byte("The explorer of utterances is missing")) {
		t.Error("an unfinished run is to have no explorer")
	}
	appendTo(t, journal, record("stage1", 2))
	if h.cached(state()) != nil {
		t.Error("the page of old files")
	}
	w := deadlines{httptest.NewRecorder()}
	h.page(w, state())
	if w.Code != 200 || h.cached(state()) == nil ||
		!bytes.Equal(w.Body.Bytes(), h.cached(state())) {
		t.Errorf("status %d", w.Code)
	}
	put(t, filepath.Join(run, "seed7", rundir.PredictionsFile), "x")
	w = deadlines{httptest.NewRecorder()}
	h.page(w, state())
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), run) {
		t.Errorf("damaged predictions: status %d, %s", w.Code, w.Body)
	}
}

// TestLog says that there are no runs yet, and which page or stream failed.
func TestLog(t *testing.T) {
	root := t.TempDir()
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	h, err := newHandler(t.Context(), root+"/.", report.Options{}, logger)
	if err != nil || !strings.HasSuffix(log.String(), "msg=\"no runs yet\" dir="+root+"\n") {
		t.Errorf("%v, log %s", err, &log)
	}
	if _, err := newHandler(t.Context(), filepath.Join(root, "nowhere"), report.Options{},
		logger); err == nil {
		t.Error("a folder that is not there")
	}
	newRun(t, root, "full", 7)
	log.Reset()
	if _, err := newHandler(t.Context(), root, report.Options{}, logger); err != nil ||
		log.Len() > 0 {
		t.Errorf("%v, log %s", err, &log)
	}
	w := deadlines{httptest.NewRecorder()}
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	if !strings.Contains(w.Body.String(), "Runs in "+root) {
		t.Errorf("list: status %d, %s", w.Code, w.Body)
	}
	nowhere := filepath.Join(root, "nowhere")
	gone := &handler{ctx: t.Context(), dir: nowhere, log: logger,
		monitor: newMonitor(nowhere)}
	for what, serve := range map[string]http.HandlerFunc{"/": gone.root, "/events": gone.rootEvents,
		"/runs/": gone.runByName, "/compare?run=a&run=b": gone.compare} {
		log.Reset()
		w := deadlines{httptest.NewRecorder()}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, what, nil)
		r.SetPathValue("name", "full/")
		serve(w, r)
		if w.Code != http.StatusInternalServerError ||
			!strings.Contains(w.Body.String(), nowhere) ||
			!strings.Contains(log.String(), "level=ERROR") {
			t.Errorf("%s without the folder: status %d, %s; log %s", what, w.Code, w.Body, &log)
		}
	}
}
