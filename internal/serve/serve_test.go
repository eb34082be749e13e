package serve

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
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

// after returns the text after a mark, all of it if it does not contain the mark.
func after(text, mark string) string {
	_, rest, found := strings.Cut(text, mark)
	if !found {
		return text
	}
	return rest
}

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
