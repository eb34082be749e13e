package serve

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6655bf3b/recap/internal/report"
)

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
