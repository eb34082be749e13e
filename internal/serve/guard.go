package serve

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// guard rejects requests that web pages of other sites send, with status 403:
//
//   - requests whose Host header is not a name of this server, against DNS rebinding (another site
//     lets its own name resolve to the address of this machine);
//   - requests whose Origin header is another origin.
//
// It rejects requests with a body, with status 413, because nothing here reads one.
//
// The allowed hosts are localhost, 127.0.0.1, [::1] and listenHost, the host of the --addr flag.
// If listenHost stands for all addresses of the machine, every IP address is allowed too: DNS
// rebinding needs a name.
func guard(listenHost string, h http.Handler) http.Handler {
	allowed := func(hostport string) bool {
		host := hostport
		if name, _, err := net.SplitHostPort(hostport); err == nil {
			host = name
		}
		host = strings.ToLower(strings.Trim(host, "[]"))
		switch host {
		case "localhost", "127.0.0.1", "::1":
			return true
		case "":
			return false
		}
		return host == strings.ToLower(listenHost) || isUnspecified(listenHost) &&
			net.ParseIP(host) != nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !allowed(r.Host) {
			http.Error(w,
				"host "+r.Host+" is not allowed; use the address that the server printed",
				http.StatusForbidden)
			return
		}
		if origin := r.Header.Get("Origin"); origin != "" {
			if u, err := url.Parse(origin); err != nil || u.Scheme != "http" || !allowed(u.Host) {
				http.Error(w, "cross-origin requests are not allowed", http.StatusForbidden)
				return
			}
		}
		if r.ContentLength != 0 {
			w.Header().Set("Connection", "close")
			http.Error(w, "expected a request without a body", http.StatusRequestEntityTooLarge)
			return
		}
		header := w.Header()
		header.Set("Cache-Control", "no-store")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		h.ServeHTTP(w, r)
	})
}

// isUnspecified reports whether a host stands for all addresses of the machine: "", 0.0.0.0 or ::.
func isUnspecified(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}
