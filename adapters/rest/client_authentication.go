package rest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// AuthenticateClient implements POST /admin/oauth/authenticate.
func (s *server) AuthenticateClient(
	ctx context.Context, r api.AuthenticateClientRequestObject,
) (api.AuthenticateClientResponseObject, error) {
	request := application.AuthenticationRequest{
		Authorization:         valueOr(r.Body.Authorization, ""),
		Certificate:           valueOr(r.Body.Certificate, ""),
		CertificateUnverified: !valueOr(r.Body.CertificateVerified, true),
		Audiences:             valueOr(r.Body.Audiences, nil),
	}
	if form := r.Body.Form; form != nil {
		request.Form = domain.AuthForm{
			ClientID:      domain.ClientID(valueOr(form.ClientID, "")),
			ClientSecret:  valueOr(form.ClientSecret, ""),
			AssertionType: valueOr(form.ClientAssertionType, ""),
			Assertion:     valueOr(form.ClientAssertion, ""),
		}
	}
	result, err := s.registry.Authenticate(ctx, requestStateOf(ctx).caller, request)
	s.observer.ClientAuthenticated(resultOf(err))
	if err != nil {
		return nil, err
	}
	form := clientForm{standard: true, effective: valueOr(r.Params.Effective, false)}
	return s.success(http.StatusOK, "the client is authenticated", func(w *jsonobject.Writer) {
		w.Object("data", func() {
			writeTime(w, "cacheable_until", result.CacheableUntil)
			w.Object("client", func() { s.writeClient(w, &result.Client, s.clock.Now(), form) })
			w.Text("client_id", string(result.Client.Identity().ClientID))
			w.TextUnlessEmpty("kid", result.KeyID)
			w.Text("method", string(result.Method))
			w.TextUnlessEmpty("secret_id", result.SecretID)
		})
	}), nil
}

// resultOf returns the result of an authentication for the metrics.
func resultOf(err error) string {
	failure, failed := errors.AsType[*application.AuthenticationError](err)
	switch {
	case failed:
		return string(failure.Reason)
	case err != nil:
		return "undecided"
	default:
		return "authenticated"
	}
}

// logUnauthenticated logs why a client was not authenticated. This is not a warning,
// because anyone can cause it at an authorization server.
func (s *server) logUnauthenticated(r *http.Request, err error) {
	failure, ok := errors.AsType[*application.AuthenticationError](err)
	if !ok {
		return
	}
	x := requestStateOf(r.Context())
	id := failure.ClientID
	if !id.IsPossible() {
		id = "" // anything, of any length
	}
	s.log.LogAttrs(r.Context(), slog.LevelInfo, "client not authenticated",
		slog.String("request_id", x.requestID),
		slog.String("reason", string(failure.Reason)),
		slog.String("client_id", string(id)),
		slog.String("subject", x.caller.Subject),
		slog.String("tenant", string(x.caller.Tenant)),
	)
}
