package serve

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// guard refuses requests that a page of somebody else's made: those to a name that is not this
// machine's (a name that was made to mean this machine after its page was loaded, DNS rebinding),
// and those from another origin. Allowed are localhost, 127.0.0.1, [::1] and the host that the
// server was told to listen at; where that was all of the machine's addresses, also any address by
// number, which nobody can make mean another machine.
func guard(listening string, h http.Handler) http.Handler {
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
		return host == strings.ToLower(listening) || isUnspecified(listening) && net.ParseIP(host) != nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !allowed(r.Host) {
			http.Error(w, "this server does not answer to the name "+r.Host+"; open it at the address that it printed", http.StatusForbidden)
			return
		}
		if origin := r.Header.Get("Origin"); origin != "" {
			if u, err := url.Parse(origin); err != nil || u.Scheme != "http" || !allowed(u.Host) {
				http.Error(w, "requests from other sites are refused", http.StatusForbidden)
				return
			}
		}
		head := w.Header()
		head.Set("Cache-Control", "no-store")
		head.Set("Cross-Origin-Resource-Policy", "same-origin")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("X-Frame-Options", "DENY")
		h.ServeHTTP(w, r)
	})
}

// isUnspecified tells whether a host means all addresses of the machine.
func isUnspecified(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}
