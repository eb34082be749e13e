package serve

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seed-6655bf3b/recap/internal/rundir"
)

// A client receives events.
type client struct {
	t      *testing.T
	events chan string // "name data"
	close  func()
}

// expect waits for events and checks how they begin.
func (c *client) expect(wants ...string) {
	c.t.Helper()
	for _, want := range wants {
		select {
		case got := <-c.events:
			if !strings.HasPrefix(got, want) {
				c.t.Fatalf("event %.200s, want %s", got, want)
			}
		case <-time.After(5 * time.Second):
			c.t.Fatalf("no event within 5 s, want %s", want)
		}
	}
}

// skipTo waits for an event.
func (c *client) skipTo(want string) {
	c.t.Helper()
	late := time.After(5 * time.Second)
	for {
		select {
		case got, open := <-c.events:
			if !open {
				c.t.Fatalf("the stream has ended, want %s", want)
			}
			if got == want {
				return
			}
		case <-late:
			c.t.Fatalf("no such event within 5 s, want %s", want)
		}
	}
}

// expectNone checks that no event arrives during 20 polls.
func (c *client) expectNone() {
	c.t.Helper()
	select {
	case got := <-c.events:
		c.t.Fatalf("event %.200s, want none", got)
	case <-time.After(20 * pollInterval):
	}
}

func newClient(t *testing.T, url string) *client {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK ||
		response.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatal(response.Status, response.Header)
	}
	c := &client{t, make(chan string, 1000), cancel}
	go func() {
		defer close(c.events)
		defer response.Body.Close()
		name := ""
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			if text, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				name = text
			} else if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				c.events <- name + " " + text
			}
		}
	}()
	t.Cleanup(cancel)
	return c
}

func epochEvent(seed int, phase string, epoch int) string {
	return fmt.Sprintf(
		`epoch {"seed":%d,"record":{"phase":%q,"epoch":%d,"lr":0.001,"terms":{"loss":%d},"seconds":1}}`,
		seed, phase, epoch, epoch,
	)
}

func TestEvents(t *testing.T) {
	run, journal := newRun(t, t.TempDir(), "full", 7)
	s := newServer(t, run, 0)

	early := newClient(t, s.URL+"/events")
	early.expect("begin {}", `seeds [{"seed":7,"finished":false}]`, `phase "stopped"`)
	early.expectNone() // no journal yet
	appendTo(t, journal, record("stage1", 1)+record("stage1", 2))
	early.expect(epochEvent(7, "stage1", 1), epochEvent(7, "stage1", 2))

	line := record("stage1", 3)
	appendTo(t, journal, line[:20])
	early.expectNone() // half a line
	appendTo(t, journal, line[20:])
	early.expect(epochEvent(7, "stage1", 3))

	late := newClient(t, s.URL+"/events")
	late.expect("begin {}", "seeds ", epochEvent(7, "stage1", 1), epochEvent(7, "stage1", 2),
		epochEvent(7, "stage1", 3), `phase "stopped"`)

	// A resumed run replaces its journal with a truncated one.
	for _, epochs := range []int{1, 2} { // shorter than before, and longer
		text := ""
		for epoch := range epochs {
			text += record("stage1", epoch+1)
		}
		if err := rundir.WriteFile(journal, []byte(text)); err != nil {
			t.Fatal(err)
		}
		for _, c := range []*client{early, late} {
			c.expect(`restart {"seed":7}`, epochEvent(7, "stage1", 1))
			if epochs == 2 {
				c.expect(epochEvent(7, "stage1", 2))
			}
		}
	}
	_, second := newRun(t, filepath.Dir(run), "full", 8) // of another seed
	appendTo(t, second, record("stage2", 1))
	put(t, filepath.Join(run, "seed7", rundir.PredictionsFile), "")
	for _, c := range []*client{early, late} {
		c.skipTo(epochEvent(8, "stage2", 1)) // before it the list of seeds, sent once or twice
	}
	newClient(t, s.URL+"/events").expect("begin",
		`seeds [{"seed":7,"finished":true},{"seed":8,"finished":false}]`)
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

// TestClientsDisconnect checks that no goroutine is left after the clients disconnect.
func TestClientsDisconnect(t *testing.T) {
	run, journal := newRun(t, t.TempDir(), "full", 7)
	appendTo(t, journal, record("stage1", 1))
	s := newServer(t, run, 0)
	before := runtime.NumGoroutine()
	var clients []*client
	for range 8 {
		c := newClient(t, s.URL+"/events")
		c.expect("begin", "seeds", "epoch")
		clients = append(clients, c)
	}
	if n := runtime.NumGoroutine(); n < before+8 {
		t.Fatalf("%d goroutines with eight clients, %d before: the test counts wrong", n, before)
	}
	for _, c := range clients {
		c.close()
	}
	for range 500 {
		http.DefaultClient.CloseIdleConnections()
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	stacks := make([]byte, 1<<16)
	t.Fatalf("%d goroutines five seconds after the clients disconnected, %d before\n%s",
		runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
}

// TestTooManyStreams opens as many event streams as are allowed and one more.
func TestTooManyStreams(t *testing.T) {
	s := newServer(t, t.TempDir(), 0)
	var clients []*client
	for range maxStreams {
		c := newClient(t, s.URL+"/events")
		c.expect("begin")
		clients = append(clients, c)
	}
	if status, text := get(t, s.URL+"/events", nil); status != http.StatusServiceUnavailable ||
		!strings.Contains(text, "100 pages follow the runs already") {
		t.Errorf("one stream too many: status %d, %s", status, text)
	}
	if status, _ := get(t, s.URL+"/", nil); status != http.StatusOK {
		t.Errorf("page beside too many streams: status %d", status)
	}
	clients[0].close()
	for range clients[0].events { // the channel is closed when the stream ends
	}
	for range 500 {
		r, err := http.Get(s.URL + "/events")
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode == http.StatusOK {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("no new stream is possible after a client has disconnected")
}
