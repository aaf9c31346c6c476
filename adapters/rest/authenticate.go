package rest

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/clientele-oauth/clientele/application"
)

// identifyCaller runs the checks that need the caller: authentication, permission and
// rate limit. An operation without a token has no caller and only a rate limit. A client
// that registers or manages itself has a token of its own.
func (s *server) identifyCaller(next http.Handler) http.Handler {
	known, unknown, self := s.authenticate(s.authorize(s.limitRate(next))), s.limitAddress(next), s.authenticateRegistration(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch op := requestStateOf(r.Context()).operation; {
		case op.registration:
			self.ServeHTTP(w, r)
		case op.public:
			unknown.ServeHTTP(w, r)
		default:
			known.ServeHTTP(w, r)
		}
	})
}

// authenticate identifies the caller by its bearer token (RFC 6750 §2.1). The use
// cases check what the caller may do.
func (s *server) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := bearerToken(r)
		if err == nil {
			var caller application.Caller
			if caller, err = s.tokens.Verify(r.Context(), token); err == nil {
				x := requestStateOf(r.Context())
				err = x.actIn(caller, r.Header.Get("X-Tenant-Id"), x.operation.inAll(r))
			}
		}
		if err != nil {
			s.rejectUnread(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// errNoToken rejects a request without credentials. Its challenge contains no
// error code (RFC 6750 §3.1).
var errNoToken = fmt.Errorf("%w: no Authorization header", application.ErrUnauthenticated)

func bearerToken(r *http.Request) (string, error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return "", errNoToken
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if len(values) > 1 || !ok || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", fmt.Errorf("%w: not a single bearer token", application.ErrUnauthenticated)
	}
	return token, nil
}
