// Package serve is an HTTP server that shows runs in a browser during the training. It only reads
// the run directories, so the training may be another process, started before or after the server.
//
//	/                   the page of the run (package report), or the list of runs
//	/events             its server-sent events
//	/runs/NAME/         the page of a run of the list
//	/runs/NAME/events   its server-sent events
//
// The goroutine of each event stream reads the files itself and sends all epochs from the
// beginning. So clients share no state, and no state is left when a client disconnects.
package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-6655bf3b/recap/internal/report"
	"github.com/seed-6655bf3b/recap/internal/rundir"
)

const (
	readHeaderTimeout = 5 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = time.Minute
	shutdownTimeout   = 5 * time.Second
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
		Handler: guard(host, h), ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout,
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

	mu    sync.Mutex
	pages map[string]page // cache of the pages of finished runs, by directory
}

// A page is a rendered page. It is valid as long as the run has the same seeds.
type page struct {
	seeds []rundir.SeedRun
	text  []byte
}

func newHandler(
	ctx context.Context, dir string, o report.Options, log *slog.Logger,
) (http.Handler, error) {
	o.Live = true
	h := &handler{ctx: ctx, dir: filepath.Clean(dir), options: o,
		log: log, pages: map[string]page{}}
	if runs, err := rundir.FindRuns(h.dir); err != nil {
		return nil, err
	} else if len(runs) == 0 {
		log.Info("no runs yet", "dir", h.dir)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", h.root)
	mux.HandleFunc("GET /events", h.rootEvents)
	mux.HandleFunc("GET /runs/{name...}", h.runByName)
	return mux, nil
}

// isRun reports whether the served directory is the directory of one run.
func (h *handler) isRun() bool {
	_, err := rundir.Read(h.dir)
	return err == nil
}

// root serves the page of the run or the list of runs.
func (h *handler) root(w http.ResponseWriter, r *http.Request) {
	if h.isRun() {
		h.page(w, h.dir)
		return
	}
	runs, err := h.runs()
	if err != nil {
		h.fail(w, err)
		return
	}
	var b bytes.Buffer
	if err := (&report.Index{Title: "Runs in " + h.dir, Runs: runs}).Write(&b); err != nil {
		h.fail(w, err)
		return
	}
	h.send(w, b.Bytes())
}

// rootEvents serves the events of the page that root serves.
func (h *handler) rootEvents(w http.ResponseWriter, r *http.Request) {
	if h.isRun() {
		h.runEvents(w, r, h.dir)
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
	runs, err := rundir.FindRuns(h.dir)
	if err != nil {
		h.fail(w, err)
		return
	}
	for _, dir := range runs {
		switch {
		case h.nameOf(dir) != name:
		case events:
			h.runEvents(w, r, dir)
			return
		default:
			h.page(w, dir)
			return
		}
	}
	http.NotFound(w, r)
}

// nameOf returns the name of a run in the list: its path relative to the served directory.
func (h *handler) nameOf(dir string) string {
	name, err := filepath.Rel(h.dir, dir)
	if err != nil {
		panic("serve: a run outside the directory in which it was found: " + err.Error())
	}
	return filepath.ToSlash(name)
}

// page sends the page of a run. Only one page is rendered at a time; other requests wait.
func (h *handler) page(w http.ResponseWriter, dir string) {
	h.mu.Lock()
	text, err := h.render(dir)
	h.mu.Unlock()
	if err != nil {
		h.fail(w, err)
		return
	}
	h.send(w, text)
}

// render returns the page of a run. The page of a finished run is cached. The page of an
// unfinished run has no explorer.
func (h *handler) render(dir string) ([]byte, error) {
	run, err := rundir.Read(dir)
	if err != nil {
		return nil, err
	}
	if cached := h.pages[dir]; run.Finished() && slices.Equal(cached.seeds, run.Seeds) {
		return cached.text, nil
	}
	o := h.options
	if !run.Finished() {
		o.Samples = 0
	}
	p, err := report.Build(h.ctx, dir, o, h.log)
	if err != nil && o.Samples > 0 {
		reason := err
		o.Samples = 0
		if p, err = report.Build(h.ctx, dir, o, h.log); err == nil {
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
	if run.Finished() {
		h.pages[dir] = page{run.Seeds, b.Bytes()}
	}
	return b.Bytes(), nil
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
