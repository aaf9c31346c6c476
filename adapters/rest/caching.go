package rest

import (
	"net/http"
	"strings"
)

// forbidStoring keeps caches from storing responses of the administration, the
// errors among them: they are for one caller, and some hold secrets (RFC 9111
// §5.2.2.5). An ETag still serves the caller itself: a conditional request asks
// for what the caller holds, not a cache.
func forbidStoring(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/admin/") {
			w.Header().Set("Cache-Control", "no-store")
		}
		next.ServeHTTP(w, r)
	})
}
