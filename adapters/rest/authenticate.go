package rest

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// authenticate finds out who calls (RFC 6750 §2.1); what the caller may do is
// for the use cases to say.
func (s *server) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := bearerToken(r)
		if err == nil {
			x := exchangeOf(r.Context())
			x.caller, err = s.tokens.Verify(r.Context(), token)
			if tenant := r.Header.Get("X-Tenant-Id"); tenant != "" && err == nil {
				x.caller, err = x.caller.In(domain.TenantID(tenant))
			}
		}
		if err != nil {
			s.writeError(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// errNoToken is the refusal of a request that does not even try; its challenge
// tells no error (RFC 6750 §3.1).
var errNoToken = fmt.Errorf("%w: no Authorization header", application.ErrUnauthenticated)

func bearerToken(r *http.Request) (string, error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return "", errNoToken
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if len(values) > 1 || !ok || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", fmt.Errorf("%w: not one bearer token", application.ErrUnauthenticated)
	}
	return token, nil
}
