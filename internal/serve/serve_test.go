package serve

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-6655bf3b/recap/internal/report"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/settings"
)

func TestMain(m *testing.M) {
	pollInterval, readTimeout = 5*time.Millisecond, 200*time.Millisecond
	os.Exit(m.Run())
}

// newRun creates the directory of a seed whose training has just started.
func newRun(t *testing.T, root, name string, seed int) (run, journal string) {
	t.Helper()
	run = filepath.Join(root, name)
	dir := filepath.Join(run, fmt.Sprintf("seed%d", seed))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("dataset: synthetic\nname: %s\nseed: %d\n", filepath.Base(name), seed)
	if err := rundir.WriteFile(filepath.Join(dir, rundir.ConfigFile), []byte(text)); err != nil {
		t.Fatal(err)
	}
	return run, filepath.Join(dir, rundir.JournalFile)
}

// put writes a file.
func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func record(phase string, epoch int) string {
	return fmt.Sprintf(`{"phase":%q,"epoch":%d,"lr":0.001,"terms":{"loss":%d},"seconds":1}`+"\n",
		phase, epoch, epoch)
}

func newServer(t *testing.T, dir string, samples int) *httptest.Server {
	t.Helper()
	h, err := newHandler(t.Context(), dir, report.Options{Samples: samples},
		slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(guard("127.0.0.1", h))
	t.Cleanup(s.Close)
	return s
}

// A client receives events.
type client struct {
	t      *testing.T
	events chan string // "name data"
	close  func()
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

func TestRunsInList(t *testing.T) {
	root := t.TempDir()
	s := newServer(t, root, 0)
	c := newClient(t, s.URL+"/events")
	c.expect("begin", "runs []")
	_, journal := newRun(t, root, "synthetic/recap/full", 7)
	c.expect(`runs [{"name":"synthetic/recap/full","seeds":"0 of 1","phase":"stopped",` +
		`"state":"seed 7: no epoch yet"}]`)
	release, err := rundir.Lock(filepath.Join(filepath.Dir(journal), rundir.LockFile))
	if err != nil {
		t.Fatal(err)
	}
	c.expect(`runs [{"name":"synthetic/recap/full","seeds":"0 of 1","phase":"running",`)
	appendTo(t, journal, record("stage1", 1))
	c.expect(`runs [{"name":"synthetic/recap/full","seeds":"0 of 1","phase":"running",` +
		`"state":"seed 7: stage1, epoch 1 of 4"}]`)
	if err := release(); err != nil {
		t.Fatal(err)
	}
	c.expect(`runs [{"name":"synthetic/recap/full","seeds":"0 of 1","phase":"stopped",`)

	newClient(t, s.URL+"/runs/synthetic/recap/full/events").expect("begin", "seeds",
		epochEvent(7, "stage1", 1))
	if status, text := get(t, s.URL+"/runs/synthetic/recap/full/", nil); status != http.StatusOK ||
		!strings.Contains(text, "RECAP on synthetic") ||
		!strings.Contains(text, "No seed is finished yet") {
		t.Errorf("page of the run: status %d\n%.300s", status, text)
	}
	if status, text := get(t, s.URL+"/", nil); status != http.StatusOK ||
		!strings.Contains(text, "synthetic/recap/full") {
		t.Errorf("list: status %d\n%.300s", status, text)
	}
	put(t, filepath.Join(root, "secret"), "secret")
	for _, path := range []string{"/runs/", "/runs/synthetic/", "/runs/synthetic/recap/full",
		"/runs/..%2f/", "/runs/%2e%2e/secret", "/secret", "/runs/synthetic/recap/full/seed7/",
		"/events/x"} {
		if status, text := get(t, s.URL+path, nil); status != http.StatusNotFound ||
			strings.Contains(text, "secret\n") {
			t.Errorf("%s: status %d, want 404", path, status)
		}
	}
	if status, _ := get(t, s.URL+"/", func(r *http.Request) {
		r.Method = http.MethodPost
	}); status != http.StatusMethodNotAllowed {
		t.Errorf("POST: status %d, want 405", status)
	}
}

func get(t *testing.T, url string, change func(*http.Request)) (status int, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// TestGuard sends requests with the Host and Origin headers of this server and of other sites.
func TestGuard(t *testing.T) {
	run, journal := newRun(t, t.TempDir(), "full", 7)
	appendTo(t, journal, record("stage1", 1))
	h, err := newHandler(t.Context(), run, report.Options{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		listenHost, host, origin string
		want                     int
	}{
		{"127.0.0.1", "127.0.0.1:7341", "", 200},
		{"127.0.0.1", "localhost:7341", "http://localhost:7341", 200},
		{"127.0.0.1", "LOCALHOST", "http://127.0.0.1:7341", 200},
		{"127.0.0.1", "[::1]:7341", "http://[::1]:7341", 200},
		{"127.0.0.1", "evil.example", "", 403},
		{"127.0.0.1", "evil.example:7341", "", 403},
		{"127.0.0.1", "localhost.evil.example:7341", "", 403},
		{"127.0.0.1", "192.0.2.1:7341", "", 403},
		{"127.0.0.1", "localhost:7341", "http://evil.example", 403},
		{"127.0.0.1", "localhost:7341", "null", 403},
		{"127.0.0.1", "localhost:7341", "https://localhost:7341", 403},
		{"gpu.example", "gpu.example:7341", "http://gpu.example:7341", 200},
		{"gpu.example", "other.example:7341", "", 403},
		{"0.0.0.0", "192.0.2.1:7341", "http://192.0.2.1:7341", 200},
		{"0.0.0.0", "evil.example:7341", "", 403},
		{"", "[2001:db8::1]:7341", "", 200},
		{"", "", "", 403},
	} {
		for _, path := range []string{"/", "/nothing"} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
			r.Host = c.host
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			w := httptest.NewRecorder()
			guard(c.listenHost, h).ServeHTTP(w, r)
			want := c.want
			if want == 200 && path != "/" {
				want = 404
			}
			if w.Code != want {
				t.Errorf("listening at %q: Host %q, Origin %q, %s: status %d, want %d",
					c.listenHost, c.host, c.origin, path, w.Code, want)
			}
		}
	}
}

// TestFinished serves a trained run.
func TestFinished(t *testing.T) {
	c, err := settings.Resolve(settings.Sources{Set: map[string]string{
		"data.limit": "12", "train.batch": "8", "train.epochs.stage1": "1",
		"train.epochs.stage2": "1", "eval.rates": "0,0.5",
		"width": "8", "heads": "2", "head_width": "4", "feed_forward": "8", "depth": "1",
		"text.width": "8", "text.heads": "2", "text.feed_forward": "8", "critic.width": "8"}})
	if err != nil {
		t.Fatal(err)
	}
	r := &runs.Runner{Out: t.TempDir(), Log: slog.New(slog.DiscardHandler),
		Progress: func(runs.Progress) {}}
	dir, _, err := r.Train(t.Context(), c, []uint64{7})
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, dir, 3)
	status, text := get(t, s.URL+"/", nil)
	if status != http.StatusOK || !strings.Contains(text, `id="explorer"`) ||
		!strings.Contains(text, "data-live") {
		t.Errorf("page of a finished run: status %d\n%.300s", status, text)
	}
	if _, again := get(t, s.URL+"/", nil); again != text {
		t.Error("the second request returns another page")
	}
	newClient(t, s.URL+"/events").expect("begin", `seeds [{"seed":7,"finished":true}]`,
		`epoch {"seed":7,"record":{"phase":"stage1","epoch":1`)

	// the explorer needs the parameters, the rest of the page only the header of the file
	best := rundir.Dir(filepath.Join(dir, "seed7")).File(rundir.BestFile)
	whole, err := os.ReadFile(best)
	if err != nil {
		t.Fatal(err)
	}
	const note = "The explorer of utterances is missing"
	changed := slices.Clone(whole)
	changed[len(changed)-1] ^= 1
	for _, c := range []struct {
		what       string
		checkpoint []byte
		status     int
	}{
		{"of other parameters", changed, http.StatusOK},
		{"cut off", whole[:100], http.StatusInternalServerError},
	} {
		put(t, best, string(c.checkpoint))
		status, text := get(t, newServer(t, dir, 3).URL+"/", nil)
		if status != c.status || strings.Contains(text, note) != (status == http.StatusOK) {
			t.Errorf("a checkpoint %s: status %d, want %d\n%.300s", c.what, status, c.status, text)
		}
	}
}

// TestCompare lists two finished runs with their scores and compares them.
func TestCompare(t *testing.T) {
	root := t.TempDir()
	for name, predictions := range map[string]string{
		"a":        "x,0,1,0.5,,,\ny,0,-1,-1,,,\nx,0.5,1,1,,,\ny,0.5,-1,0,,,\n",
		"b#%?&c/x": "x,0,1,1,,,\ny,0,-1,-1,,,\nx,0.5,1,1,,,\ny,0.5,-1,1,,,\n",
		"other":    "x,0,1,1,,,\nz,0,-1,-1,,,\n",
	} {
		_, journal := newRun(t, root, name, 7)
		dir := rundir.Dir(filepath.Dir(journal))
		put(t, dir.File(rundir.PredictionsFile),
			"id,rate,label,prediction,alpha_l,alpha_a,alpha_v\n"+predictions)
		dims := map[string]string{"dims": `{"Vocab":9,"TextT":4,"AudioT":4,"AudioD":2,` +
			`"VisionT":4,"VisionD":2,"Range":[-3,3]}`}
		if err := rundir.SaveTensors(dir.File(rundir.BestFile), nil, dims); err != nil {
			t.Fatal(err)
		}
	}
	newRun(t, root, "unfinished", 7)
	s := newServer(t, root, 0)
	// MAE of a: (0.25 + 0.5)/2; of b: (0 + 1)/2
	newClient(t, s.URL+"/events").expect("begin", `runs [{"name":"a","seeds":"1 of 1",`+
		`"phase":"finished","state":"",`+
		`"scores":[{"metric":"MAE ↓","value":0.375,"text":"0.3750"},`)
	_, page := get(t, s.URL+"/compare?run=a&run=b%23%25%3F%26c/x", nil)
	for _, want := range []string{"<bdi>b#%?&amp;c/x</bdi>",
		`<a href="compare?run=b%23%25%3f%26c%2fx&amp;run=a">`,
		`<th scope="row">0</th><td>0.2500</td><td>0.0000</td><td>-0.2500</td><td>B</td>`,
		`<th scope="row">0.5</th><td>0.5000</td><td>1.0000</td><td>&#43;0.5000</td><td>A</td>`,
		`<th scope="row">mean</th><td>0.3750</td><td>0.5000</td><td>&#43;0.1250</td><td>A</td>`} {
		if !strings.Contains(page, want) {
			t.Errorf("the comparison does not contain %s\n%s", want, after(page, "<main>"))
		}
	}
	if strings.Contains(page, "not comparable") {
		t.Error("two comparable runs are called not comparable")
	}
	if _, page := get(t, s.URL+"/compare?run=a&run=other", nil); !strings.Contains(page,
		"not comparable") || strings.Contains(page, `<th scope="row">mean`) ||
		!strings.Contains(page, "missing rates: [0 0.5] and [0]") ||
		!strings.Contains(page, "test splits: of 2 and 2 utterances, not the same ones") {
		t.Errorf("two runs that are not comparable: %s", after(page, "<main>"))
	}
	for query, want := range map[string]int{"": 400, "?run=a": 400, "?run=a&run=a": 400,
		"?run=a&run=none": 404, "?run=a&run=unfinished": 500} {
		if got, text := get(t, s.URL+"/compare"+query, nil); got != want {
			t.Errorf("/compare%s: status %d, want %d\n%s", query, got, want, text)
		}
	}
	if status, _ := get(t, s.URL+"/runs/b%23%25%3F&c/x/", nil); status != http.StatusOK {
		t.Errorf("page of a run with special characters in its name: status %d", status)
	}
}

// TestSharedLook checks that clients share a look, and that a file is read again only if its size
// or modification time has changed.
func TestSharedLook(t *testing.T) {
	old := pollInterval
	defer func() { pollInterval = old }()
	root := t.TempDir()
	_, journal := newRun(t, root, "full", 7)
	put(t, journal, record("stage1", 1))
	m := newMonitor(root)
	state := func() (*snapshot, string) {
		s, err := m.look()
		if err != nil {
			t.Fatal(err)
		}
		return s, s.runs[0].status.State
	}
	pollInterval = time.Hour
	first, _ := state()
	if second, _ := state(); second != first {
		t.Error("a second client looks at the files again")
	}
	info, err := os.Stat(journal)
	if err != nil {
		t.Fatal(err)
	}
	put(t, journal, record("stage1", 3))
	for _, c := range []struct {
		modified time.Time
		want     string
	}{
		{info.ModTime(), "seed 7: stage1, epoch 1 of 4"},
		{info.ModTime().Add(time.Second), "seed 7: stage1, epoch 3 of 4"},
	} {
		if err := os.Chtimes(journal, c.modified, c.modified); err != nil {
			t.Fatal(err)
		}
		m.due = time.Time{}
		if _, got := state(); got != c.want {
			t.Errorf("modified at %v: %q, want %q", c.modified, got, c.want)
		}
	}
	if err := os.RemoveAll(filepath.Join(root, "full")); err != nil {
		t.Fatal(err)
	}
	m.due = time.Time{}
	if s, err := m.look(); err != nil || len(s.runs) != 0 || len(m.runs) != 0 {
		t.Errorf("a removed run: %v, %d in memory, %v", s, len(m.runs), err)
	}
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

// TestSlowClients sends requests that never end. The server disconnects these clients, but not one
// that receives events.
func TestSlowClients(t *testing.T) {
	run, _ := newRun(t, t.TempDir(), "full", 7)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	url := make(chan string, 1)
	go Run(ctx, run, "127.0.0.1:0", report.Options{}, slog.New(slog.DiscardHandler),
		func(u string) { url <- u })
	at := <-url
	host := strings.Trim(strings.TrimPrefix(at, "http://"), "/")
	events := newClient(t, at+"events")
	events.expect("begin", "seeds", "phase")
	for sent, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: localhost\r\nX: ":                              "",
		"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx":       "HTTP/1.1 413",
		"GET /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx": "HTTP/1.1 413",
	} {
		c, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, sent); err != nil {
			t.Fatal(err)
		}
		if answer, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(answer), want) {
			t.Errorf("%q: answer %q, %v", sent, answer, err)
		}
	}
	time.Sleep(2 * readTimeout)
	select {
	case e, open := <-events.events:
		t.Errorf("after twice the time for a request: event %q, connected %v", e, open)
	default:
	}
}

// TestRun starts the server as the command does, and stops it.
func TestRun(t *testing.T) {
	run, journal := newRun(t, t.TempDir(), "full", 7)
	appendTo(t, journal, record("stage1", 1))
	ctx, stop := context.WithCancel(t.Context())
	url, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- Run(ctx, run, "127.0.0.1:0", report.Options{}, slog.New(slog.DiscardHandler),
			func(u string) { url <- u })
	}()
	at := <-url
	c := newClient(t, at+"events")
	c.expect("begin", "seeds", "epoch")
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(3 * time.Second):
		t.Fatal("with a connected client, the server did not stop within three seconds")
	}
	for range c.events { // the channel is closed when the stream ends
	}

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for address, want := range map[string]string{
		taken.Addr().String(): "choose another address with --addr", "7341": "expected HOST:PORT",
	} {
		err := Run(t.Context(), run, address, report.Options{}, slog.New(slog.DiscardHandler),
			func(string) {})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error that says %q", address, err, want)
		}
	}
}

// after returns the text after a mark, all of it if it does not contain the mark.
func after(text, mark string) string {
	_, rest, found := strings.Cut(text, mark)
	if !found {
		return text
	}
	return rest
}
