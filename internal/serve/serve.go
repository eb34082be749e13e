// Package serve shows runs in a browser while they train, from their directories alone: the
// training may be another process's, of before or after.
//
//	/                 the page of the run (package report), or the list of runs
//	/events           what changes in it
//	/runs/NAME/       a run of the list, and /runs/NAME/events
//
// Every client reads the files itself, in the goroutine of its request, and is told all from the
// beginning: there is nothing that clients share, or that outlives them.
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

	"github.com/seed-6655bf3b/recap/internal/experiment"
	"github.com/seed-6655bf3b/recap/internal/report"
)

// Limits of time: to send a request's head, to take what is sent, between requests, and to end.
const (
	headTime  = 5 * time.Second
	writeTime = 30 * time.Second
	idleTime  = time.Minute
	endTime   = 5 * time.Second
)

// Run serves the run in a directory, or the runs under it, at an address such as 127.0.0.1:7000,
// until the context ends. When it listens it calls ready with the address of the page.
func Run(ctx context.Context, dir, address string, o report.Options, log *slog.Logger, ready func(url string)) error {
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
		return fmt.Errorf("serve: %w; choose another address with --addr, port 0 for any that is free", err)
	}
	s := &http.Server{
		Handler: guard(host, h), ReadHeaderTimeout: headTime, IdleTimeout: idleTime, MaxHeaderBytes: 1 << 14,
		BaseContext: func(net.Listener) context.Context { return ctx }, // its end ends the streams
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(listener) }()
	ready(pageAddress(host, listener.Addr()))
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	if err := s.Shutdown(last); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// pageAddress returns the URL for a browser on this machine.
func pageAddress(host string, at net.Addr) string {
	if isUnspecified(host) {
		host = "localhost"
	}
	_, port, err := net.SplitHostPort(at.String())
	if err != nil {
		panic("serve: a listener's address has no port: " + err.Error())
	}
	return "http://" + net.JoinHostPort(host, port) + "/"
}

// A handler answers requests for pages and events.
type handler struct {
	ctx     context.Context
	dir     string
	options report.Options
	log     *slog.Logger

	mu    sync.Mutex
	pages map[string]page // of finished runs, by directory
}

// A page is rendered once while the seeds are the same.
type page struct {
	seeds []experiment.SeedRun
	text  []byte
}

func newHandler(ctx context.Context, dir string, o report.Options, log *slog.Logger) (http.Handler, error) {
	o.Live = true
	h := &handler{ctx: ctx, dir: filepath.Clean(dir), options: o, log: log, pages: map[string]page{}}
	if runs, err := experiment.FindRuns(h.dir); err != nil {
		return nil, err
	} else if len(runs) == 0 {
		log.Info("no runs yet", "dir", h.dir)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", h.root)
	mux.HandleFunc("GET /events", h.rootEvents)
	mux.HandleFunc("GET /runs/{name...}", h.listed)
	return mux, nil
}

// single tells whether the directory is that of one run.
func (h *handler) single() bool {
	_, err := experiment.LookAtRun(h.dir)
	return err == nil
}

func (h *handler) root(w http.ResponseWriter, r *http.Request) {
	if h.single() {
		h.page(w, h.dir)
		return
	}
	lines, err := h.lines()
	if err != nil {
		h.fail(w, err)
		return
	}
	var b bytes.Buffer
	if err := (&report.Index{Title: "Runs in " + h.dir, Lines: lines}).Write(&b); err != nil {
		h.fail(w, err)
		return
	}
	h.send(w, b.Bytes())
}

func (h *handler) rootEvents(w http.ResponseWriter, r *http.Request) {
	if h.single() {
		h.follow(w, r, h.dir)
		return
	}
	h.followAll(w, r)
}

// listed answers for a run of the list, and for no other directory.
func (h *handler) listed(w http.ResponseWriter, r *http.Request) {
	name, events := strings.CutSuffix(r.PathValue("name"), "/events")
	if !events {
		var slash bool
		if name, slash = strings.CutSuffix(name, "/"); !slash {
			http.NotFound(w, r)
			return
		}
	}
	runs, err := experiment.FindRuns(h.dir)
	if err != nil {
		h.fail(w, err)
		return
	}
	for _, dir := range runs {
		switch {
		case h.nameOf(dir) != name:
		case events:
			h.follow(w, r, dir)
			return
		default:
			h.page(w, dir)
			return
		}
	}
	http.NotFound(w, r)
}

// nameOf returns the name of a run in the list, its path below the directory that is served.
func (h *handler) nameOf(dir string) string {
	name, err := filepath.Rel(h.dir, dir)
	if err != nil {
		panic("serve: a run outside the directory in which it was found: " + err.Error())
	}
	return filepath.ToSlash(name)
}

// page sends the page of a run. Those who ask while it is made wait for it.
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

// render makes the page of a run, of a finished one once. An unfinished one has no explorer yet.
func (h *handler) render(dir string) ([]byte, error) {
	run, err := experiment.LookAtRun(dir)
	if err != nil {
		return nil, err
	}
	if old := h.pages[dir]; run.Finished() && slices.Equal(old.seeds, run.Seeds) {
		return old.text, nil
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
			p.Note("There are no utterances to explore: " + reason.Error())
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
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		h.log.Warn("page", "err", err)
		return
	}
	if _, err := w.Write(text); err != nil {
		h.log.Info("a client is gone", "err", err)
	}
}

func (h *handler) fail(w http.ResponseWriter, err error) {
	h.log.Error("page", "err", err)
	http.Error(w, err.Error(), http.StatusInternalServerError)
}
