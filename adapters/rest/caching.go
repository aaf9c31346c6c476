package rest

import (
	"net/http"
	"strings"
)

// forbidStoring forbids caches to store responses of the admin API, including
// errors: each response is for one caller, and some contain secrets (RFC 9111
// §5.2.2.5). ETags remain useful: a caller can still make conditional requests
// with the response it holds. Of the operations without a token, only a success may be
// stored, which replaces the header.
func forbidStoring(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/admin/") || strings.HasPrefix(r.URL.Path, "/oauth/") {
			w.Header().Set("Cache-Control", "no-store")
		}
		next.ServeHTTP(w, r)
	})
}
