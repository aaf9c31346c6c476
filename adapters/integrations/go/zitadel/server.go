package zitadel

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/clientele-oauth/clientele/api/mirror"
)

// Handler returns the endpoints of the provider, whose storage must embed the clients. It
// differs from the handler of the provider in that
//
//   - a client may use each of its authentication methods and no other, private_key_jwt
//     also for client_credentials, and each client assertion once;
//   - what a client requires of an authorization request is enforced (see
//     [Clients.CheckAuthRequest]);
//   - a code that was requested with PKCE is never redeemed without it;
//   - an outage is a 503 at the authorization endpoint as well;
//   - with [Options].PublishRegistration the discovery document says how clients register.
//
// The endpoints are those of the options of [op.NewProvider]. Further options are those of
// [op.RegisterServer].
func Handler(provider *op.Provider, clients *Clients, options ...op.ServerOption) http.Handler {
	endpoints := op.Endpoints{
		Authorization: provider.AuthorizationEndpoint(), Token: provider.TokenEndpoint(), Introspection: provider.IntrospectionEndpoint(),
		Userinfo: provider.UserinfoEndpoint(), Revocation: provider.RevocationEndpoint(), EndSession: provider.EndSessionEndpoint(),
		JwksURI: provider.KeysEndpoint(), DeviceAuthorization: provider.DeviceAuthorizationEndpoint(),
		CheckSessionIframe: provider.CheckSessionIframe(),
	}
	s := &server{op.NewLegacyServer(provider, endpoints), clients}
	return op.RegisterLegacyServer(s, s.callback, options...)
}

// server is the server of the library with the checks that it lacks.
type server struct {
	*op.LegacyServer
	clients *Clients
}

// callback continues after the login, unless the client cannot be known: the library would
// redirect that.
func (s *server) callback(w http.ResponseWriter, r *http.Request) {
	if id := r.FormValue("id"); id != "" {
		if request, err := s.Provider().Storage().AuthRequestByID(r.Context(), id); err == nil {
			if _, err := s.clients.Client(r.Context(), request.GetClientID()); errors.Is(err, mirror.ErrUnavailable) {
				op.WriteError(w, r, err, nil)
				return
			}
		}
	}
	op.AuthorizeCallback(w, r, s.Provider())
}

// VerifyAuthRequest implements [op.Server]. The library takes an outage for another error
// where it verifies a request object, and loses its status.
func (s *server) VerifyAuthRequest(ctx context.Context, r *op.Request[oidc.AuthRequest]) (*op.ClientRequest[oidc.AuthRequest], error) {
	request, err := s.LegacyServer.VerifyAuthRequest(ctx, r)
	if errors.Is(err, mirror.ErrUnavailable) {
		err = failure(err)
	}
	return request, err
}

// discovery is a discovery document with what the library does not know.
type discovery struct {
	*oidc.DiscoveryConfiguration
	DocumentsSupported bool `json:"client_id_metadata_document_supported,omitempty"`
}

// Discovery implements [op.Server].
func (s *server) Discovery(ctx context.Context, r *op.Request[struct{}]) (*op.Response, error) {
	response, err := s.LegacyServer.Discovery(ctx, r)
	if err != nil || !s.clients.options.PublishRegistration {
		return response, err
	}
	if own, ok := response.Data.(*oidc.DiscoveryConfiguration); ok {
		published := s.clients.mirror.ServerMetadata(ctx)
		if published.RegistrationEndpoint != "" {
			own.RegistrationEndpoint = published.RegistrationEndpoint
		}
		response.Data = discovery{own, published.DocumentsSupported}
	}
	return response, nil
}

// Authorize implements [op.Server].
func (s *server) Authorize(ctx context.Context, r *op.ClientRequest[oidc.AuthRequest]) (*op.Redirect, error) {
	if err := s.clients.CheckAuthRequest(ctx, r.Data); err != nil {
		return nil, err
	}
	return s.LegacyServer.Authorize(ctx, r)
}

// VerifyClient implements [op.Server].
func (s *server) VerifyClient(ctx context.Context, r *op.Request[op.ClientCredentials]) (op.Client, error) {
	found, method, err := s.authenticate(ctx, r)
	if err != nil {
		return nil, failure(err)
	}
	if _, err := s.clients.Client(ctx, found.ID); err != nil {
		return nil, err
	}
	return client{found, &s.clients.options, method}, nil
}

// authenticate returns the client and the method that it used.
func (s *server) authenticate(ctx context.Context, r *op.Request[op.ClientCredentials]) (*mirror.Client, oidc.AuthMethod, error) {
	c, data := s.clients, r.Data
	if named := r.Form.Get("client_id"); named != "" && data.ClientID != "" && named != data.ClientID {
		return nil, "", errors.New("the request names two clients")
	}
	if data.ClientAssertion != "" {
		issuer := op.IssuerFromContext(ctx)
		audiences := []string{issuer, s.Endpoints().Token.Absolute(issuer)}
		found, err := c.verifier.Verify(ctx, data.ClientAssertion, audiences)
		if err == nil && data.ClientID != "" && data.ClientID != found.ID {
			err = errors.New("the client assertion is not that of the client")
		}
		return found, oidc.AuthMethodPrivateKeyJWT, err
	}
	found, err := c.mirror.Resolve(ctx, data.ClientID)
	if err != nil {
		return nil, "", err
	}
	method := oidc.AuthMethodNone
	if basic(r.Header) {
		method = oidc.AuthMethodBasic
	} else if data.ClientSecret != "" {
		method = oidc.AuthMethodPost
	}
	if !found.HasAuthMethod(string(method)) {
		return nil, "", errors.New("the client may not use the method " + string(method))
	}
	if method != oidc.AuthMethodNone {
		_, err = c.mirror.VerifySecret(ctx, found.ID, data.ClientSecret)
	}
	return found, method, err
}

// basic reports whether the request has credentials in its header.
func basic(header http.Header) bool {
	scheme, _, _ := strings.Cut(header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "Basic")
}

// CodeExchange implements [op.Server]. The library skips PKCE for a confidential client
// that sends no code_verifier.
func (s *server) CodeExchange(ctx context.Context, r *op.ClientRequest[oidc.AccessTokenRequest]) (*op.Response, error) {
	request, err := op.AuthRequestByCode(ctx, s.Provider().Storage(), r.Data.Code)
	if err != nil {
		return nil, err
	}
	if err := op.AuthorizeCodeChallenge(r.Data.CodeVerifier, request.GetCodeChallenge()); err != nil {
		return nil, err
	}
	return s.LegacyServer.CodeExchange(ctx, r)
}

// Introspect implements [op.Server]. A secret is verified here first, with the methods of
// the client; the library then verifies it again, which the mirror has kept.
func (s *server) Introspect(ctx context.Context, r *op.Request[op.IntrospectionRequest]) (*op.Response, error) {
	if r.Data.ClientAssertion == "" {
		form := url.Values{"client_id": {r.Form.Get("client_id")}}
		credentials := &op.Request[op.ClientCredentials]{Header: r.Header, Form: form, Data: r.Data.ClientCredentials}
		if _, err := s.VerifyClient(ctx, credentials); err != nil {
			return nil, err
		}
	}
	return s.LegacyServer.Introspect(ctx, r)
}
