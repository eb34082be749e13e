// Package serve is an HTTP server that shows runs in a browser during the training. It only reads
// the run directories, so the training may be another process, started before or after the server.
//
//	/                   the page of the run (package report), or the list of runs
//	/events             its server-sent events
//	/runs/NAME/         the page of a run of the list
//	/runs/NAME/events   its server-sent events
//	/compare?run=A&run=B   two runs of the list side by side
//
// All clients share one look at the files (monitor.go). The goroutine of each event stream sends
// all epochs from the beginning, and no state is left when a client disconnects.
package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-6655bf3b/recap/internal/report"
	"github.com/seed-6655bf3b/recap/internal/tables"
)

// A client that has not sent its whole request after readTimeout is disconnected.
var readTimeout = 10 * time.Second

const (
	writeTimeout    = 30 * time.Second // of a page, or of an event
	idleTimeout     = time.Minute      // of a connection between two requests
	shutdownTimeout = 5 * time.Second  // of the answers under way when the server ends
)

// Run serves the run in the directory dir, or the list of runs below it, at an address such as
// 127.0.0.1:7000. When the server listens, Run calls ready with the URL of the page. Run returns
// nil after ctx is done, and an error if the address or the directory cannot be used.
func Run(
	ctx context.Context, dir, address string, o report.Options, log *slog.Logger,
	ready func(url string),
) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("serve: address: expected HOST:PORT, found %q: %w", address, err)
	}
	h, err := newHandler(ctx, dir, o, log)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf(
			"serve: %w; choose another address with --addr, with port 0 for any free port", err,
		)
	}
	s := &http.Server{
		Handler: guard(host, h), ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: 1 << 14,
		// when ctx is done, the event streams end
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	ready(pageURL(host, listener.Addr()))
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := s.Shutdown(shutdown); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// pageURL returns the URL for a browser on this machine.
func pageURL(host string, address net.Addr) string {
	if isUnspecified(host) {
		host = "localhost"
	}
	_, port, err := net.SplitHostPort(address.String())
	if err != nil {
		panic("serve: a listener's address has no port: " + err.Error())
	}
	return "http://" + net.JoinHostPort(host, port) + "/"
}

// A handler serves pages and event streams.
type handler struct {
	ctx     context.Context
	dir     string
	options report.Options
	log     *slog.Logger
	monitor *monitor
	streams atomic.Int64 // number of open event streams

	rendering sync.Mutex // held while a page is rendered
	mu        sync.Mutex
	pages     map[string]page // cache of pages, by directory
}

// A page is a rendered page. It is valid as long as the files of the run have the same stamps.
type page struct {
	stamps string
	text   []byte
}

func newHandler(
	ctx context.Context, dir string, o report.Options, log *slog.Logger,
) (http.Handler, error) {
	o.Live = true
	dir = filepath.Clean(dir)
	h := &handler{ctx: ctx, dir: dir, options: o, log: log, pages: map[string]page{},
		monitor: newMonitor(dir)}
	if now, err := h.monitor.look(); err != nil {
		return nil, err
	} else if len(now.runs) == 0 {
		log.Info("no runs yet", "dir", h.dir)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", h.root)
	mux.HandleFunc("GET /events", h.rootEvents)
	mux.HandleFunc("GET /compare", h.compare)
	mux.HandleFunc("GET /runs/{name...}", h.runByName)
	return mux, nil
}

// single returns the run if the served directory is the directory of one run, otherwise nil.
func (h *handler) single(s *snapshot) *runState {
	if len(s.runs) == 1 && s.runs[0].dir == h.dir && s.runs[0].err == nil {
		return s.runs[0]
	}
	return nil
}

// root serves the page of the run or the list of runs.
func (h *handler) root(w http.ResponseWriter, r *http.Request) {
	now, err := h.monitor.look()
	if err != nil {
		h.fail(w, err)
		return
	}
	if run := h.single(now); run != nil {
		h.page(w, run)
		return
	}
	index := report.Index{Title: "Runs in " + h.dir, Dir: h.dir, Runs: now.statuses()}
	h.write(w, index.Write)
}

// rootEvents serves the events of the page that root serves.
func (h *handler) rootEvents(w http.ResponseWriter, r *http.Request) {
	now, err := h.monitor.look()
	if err != nil {
		h.fail(w, err)
		return
	}
	if run := h.single(now); run != nil {
		h.runEvents(w, r, run.status.Name)
		return
	}
	h.listEvents(w, r)
}

// runByName serves a run of the list, and no other directory.
func (h *handler) runByName(w http.ResponseWriter, r *http.Request) {
	name, events := strings.CutSuffix(r.PathValue("name"), "/events")
	if !events {
		var slash bool
		if name, slash = strings.CutSuffix(name, "/"); !slash {
			http.NotFound(w, r)
			return
		}
	}
	now, err := h.monitor.look()
	if err != nil {
		h.fail(w, err)
		return
	}
	switch run := now.find(name); {
	case run == nil:
		http.NotFound(w, r)
	case events:
		h.runEvents(w, r, name)
	default:
		h.page(w, run)
	}
}

// compare serves the page that compares two runs.
func (h *handler) compare(w http.ResponseWriter, r *http.Request) {
	names := r.URL.Query()["run"]
	if len(names) != 2 || names[0] == names[1] {
		http.Error(w, "compare: expected two different runs, /compare?run=A&run=B; mark two runs "+
			"in the list", http.StatusBadRequest)
		return
	}
	now, err := h.monitor.look()
	if err != nil {
		h.fail(w, err)
		return
	}
	var summaries [2]*tables.Summary
	for i, name := range names {
		run := now.find(name)
		if run == nil {
			http.NotFound(w, r)
			return
		}
		if summaries[i], err = tables.Summarize(run.dir); err != nil {
			h.fail(w, err)
			return
		}
	}
	page := report.Comparison{Names: [2]string(names),
		Pair: tables.NewPair(summaries[0], summaries[1])}
	h.write(w, page.Write)
}

// page sends the page of a run. Only one page is rendered at a time; requests for other pages that
// are not in the cache wait.
func (h *handler) page(w http.ResponseWriter, run *runState) {
	text := h.cached(run)
	if text == nil {
		h.rendering.Lock()
		defer h.rendering.Unlock()
		if text = h.cached(run); text == nil { // another request may have rendered it
			var err error
			if text, err = h.render(run); err != nil {
				h.fail(w, err)
				return
			}
		}
	}
	h.send(w, text)
}

// cached returns the page of a run from the cache, nil if it is not there.
func (h *handler) cached(run *runState) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	if found := h.pages[run.dir]; found.stamps == run.stamps {
		return found.text
	}
	return nil
}

// render renders the page of a run and caches it. The page of an unfinished run has no explorer.
func (h *handler) render(run *runState) ([]byte, error) {
	o := h.options
	if !run.finished() {
		o.Samples = 0
	}
	p, err := report.Build(h.ctx, run.dir, o, h.log)
	if err != nil && o.Samples > 0 {
		reason := err
		o.Samples = 0
		if p, err = report.Build(h.ctx, run.dir, o, h.log); err == nil {
			p.Note("The explorer of utterances is missing: " + reason.Error())
		}
	}
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pages[run.dir] = page{run.stamps, b.Bytes()}
	return b.Bytes(), nil
}

// write sends the page that a function writes.
func (h *handler) write(w http.ResponseWriter, page func(w io.Writer) error) {
	var b bytes.Buffer
	if err := page(&b); err != nil {
		h.fail(w, err)
		return
	}
	h.send(w, b.Bytes())
}

func (h *handler) send(w http.ResponseWriter, text []byte) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := http.NewResponseController(w).SetWriteDeadline(
		time.Now().Add(writeTimeout),
	); err != nil {
		h.log.Warn("page", "err", err)
		return
	}
	if _, err := w.Write(text); err != nil {
		h.log.Info("client disconnected", "err", err)
	}
}

func (h *handler) fail(w http.ResponseWriter, err error) {
	h.log.Error("page", "err", err)
	http.Error(w, err.Error(), http.StatusInternalServerError)
}
