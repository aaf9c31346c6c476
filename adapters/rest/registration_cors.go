package rest

import (
	"net/http"

	"github.com/go-chi/chi/v5"
)

// allowOrigins lets web pages of any origin read the response. They cannot use the
// credentials of the browser, and a token is no such credential.
func allowOrigins(w http.ResponseWriter) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Expose-Headers", "ETag, Location, Retry-After, WWW-Authenticate")
}

// servePreflight responds to the preflight requests of web pages that register clients
// (Fetch §4.8), for tenants whose policy allows them. For all others, the method is not
// allowed, as for any other path.
func (s *server) servePreflight(r chi.Router, notAllowed http.HandlerFunc) {
	const path = "/oauth/{tenant}/register"
	for pattern, methods := range map[string]string{path: "POST", path + "/{client_id}": "GET, PUT, DELETE"} {
		r.Options(pattern, func(w http.ResponseWriter, r *http.Request) {
			policy, ok := s.readRegistrationPath(r, requestStateOf(r.Context()))
			if !ok || !policy.Policy.CORS {
				notAllowed(w, r)
				return
			}
			allowOrigins(w)
			w.Header().Set("Access-Control-Allow-Methods", methods)
			w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match")
			w.Header().Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
		})
	}
}
