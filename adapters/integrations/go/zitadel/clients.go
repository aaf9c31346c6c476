// Package zitadel lets an OpenID provider of github.com/zitadel/oidc/v3 use the clients of
// a registry, through a mirror.
//
// Embed [Clients] in the storage of the provider, and serve the provider with [Handler]:
//
//	type storage struct {
//		*zitadel.Clients // the clients
//		// codes, tokens, users and keys are yours
//	}
//
//	http.ListenAndServe(address, zitadel.Handler(provider, clients))
//
// An outage is a server_error with status 503, never invalid_client and never a redirect.
// A suspended client does not exist. A client is also not served if it requires something
// that the library does not do; see [Options].Enforced.
package zitadel

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/clientele-oauth/clientele/adapters/integrations/go/internal/assertion"
	"github.com/clientele-oauth/clientele/api/mirror"
)

// Replay remembers client assertions, so that each is accepted once.
type Replay = assertion.Replay

// Options configure [Clients]. Only LoginURL is required.
type Options struct {
	// LoginURL returns where a user logs in for an authorization request.
	LoginURL func(authRequestID string) string
	// AccessTokenType is the form of access tokens; the default is opaque.
	AccessTokenType op.AccessTokenType
	// IDTokenLifetime is the lifetime of ID tokens of clients that have none of their own;
	// the default is an hour.
	IDTokenLifetime time.Duration
	// ClockSkew is taken off the time of issue of tokens.
	ClockSkew time.Duration
	// Replay is needed by servers with several replicas; the default remembers the client
	// assertions of this process.
	Replay Replay
	// Enforced names the fields that the server enforces itself. The library cannot bind
	// access tokens, and has no pushed authorization requests, so that a client with one of
	// these is served only if it is named here: dpop_bound_access_tokens,
	// tls_client_certificate_bound_access_tokens, require_pushed_authorization_requests.
	Enforced []string
	// PublishRegistration lets [Handler] add to the discovery document what the registry says
	// about registration: registration_endpoint and client_id_metadata_document_supported.
	PublishRegistration bool
}

// Clients implements the part of [op.Storage] that is about clients, and
// [op.ClientCredentialsStorage].
type Clients struct {
	mirror   *mirror.Mirror
	options  Options
	verifier assertion.Verifier
}

// New returns the clients of a mirror.
func New(m *mirror.Mirror, options Options) *Clients {
	if options.IDTokenLifetime == 0 {
		options.IDTokenLifetime = time.Hour
	}
	if options.Replay == nil {
		options.Replay = assertion.NewMemory(time.Now)
	}
	return &Clients{m, options, assertion.Verifier{Mirror: m, Replay: options.Replay, Now: time.Now}}
}

// Client returns a client as the mirror has it, for example for the lifetimes of tokens.
// The registry is asked only about the client of a metadata document, see [mirror.Mirror.Resolve].
// The error is one that the library responds to correctly.
func (c *Clients) Client(ctx context.Context, id string) (*mirror.Client, error) {
	found, err := c.mirror.Resolve(ctx, id)
	if err != nil {
		return nil, failure(err)
	}
	for field, required := range map[string]bool{
		"dpop_bound_access_tokens":                   found.DPoPBoundAccessTokens,
		"tls_client_certificate_bound_access_tokens": found.CertificateBoundTokens,
		"require_pushed_authorization_requests":      found.RequirePAR,
	} {
		if required && !slices.Contains(c.options.Enforced, field) {
			return nil, failure(fmt.Errorf("the client requires %s, which this server does not do", field))
		}
	}
	return found, nil
}

// GetClientByClientID implements [op.OPStorage].
func (c *Clients) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	found, err := c.Client(ctx, id)
	if err != nil {
		return nil, err
	}
	return client{found, &c.options, oidc.AuthMethod(found.TokenEndpointAuthMethod)}, nil
}

// AuthorizeClientIDSecret implements [op.OPStorage].
func (c *Clients) AuthorizeClientIDSecret(ctx context.Context, id, secret string) error {
	found, err := c.Client(ctx, id)
	if err != nil {
		return err
	}
	if !found.HasSecrets() {
		return failure(errors.New("the client does not authenticate with a secret"))
	}
	if _, err := c.mirror.VerifySecret(ctx, id, secret); err != nil {
		return failure(err)
	}
	return nil
}

// GetKeyByIDAndClientID implements [op.OPStorage]. Without a key id, the client must have
// exactly one key.
func (c *Clients) GetKeyByIDAndClientID(ctx context.Context, keyID, clientID string) (*jose.JSONWebKey, error) {
	if _, err := c.Client(ctx, clientID); err != nil {
		return nil, err
	}
	text, err := c.mirror.Keys(ctx, clientID)
	if err != nil {
		return nil, failure(err)
	}
	keys := slices.DeleteFunc(assertion.Keys(text), func(key jose.JSONWebKey) bool {
		return key.Use == "enc" || keyID != "" && key.KeyID != keyID
	})
	if len(keys) != 1 {
		return nil, fmt.Errorf("the client has %d keys with the id %q", len(keys), keyID)
	}
	return &keys[0], nil
}

// ValidateJWTProfileScopes implements [op.OPStorage]: it returns the scopes that the client
// has.
func (c *Clients) ValidateJWTProfileScopes(ctx context.Context, clientID string, scopes []string) ([]string, error) {
	found, err := c.Client(ctx, clientID)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(scopes), func(scope string) bool { return !found.HasScope(scope) }), nil
}

// ClientCredentials implements [op.ClientCredentialsStorage].
func (c *Clients) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	if err := c.AuthorizeClientIDSecret(ctx, id, secret); err != nil {
		return nil, err
	}
	return c.GetClientByClientID(ctx, id)
}

// ClientCredentialsTokenRequest implements [op.ClientCredentialsStorage]. The audience is
// the resources of the client, or the client itself.
func (c *Clients) ClientCredentialsTokenRequest(ctx context.Context, id string, scopes []string) (op.TokenRequest, error) {
	found, err := c.Client(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, scope := range scopes {
		if !found.HasScope(scope) {
			return nil, oidc.ErrInvalidScope().WithDescription("the client may not request one of the scopes")
		}
	}
	audience := found.Resources
	if len(audience) == 0 {
		audience = []string{id}
	}
	return &oidc.JWTTokenRequest{Issuer: id, Subject: id, Audience: audience, Scopes: scopes}, nil
}

// CheckAuthRequest checks what the client requires of an authorization request and the
// library does not check: PKCE with S256, request objects, response modes, and that the
// client has the scopes; others are removed. [Handler] calls it. If the provider is served
// in another way, call it in CreateAuthRequest and return its error.
func (c *Clients) CheckAuthRequest(ctx context.Context, r *oidc.AuthRequest) error {
	found, err := c.Client(ctx, r.ClientID)
	if err != nil {
		return err
	}
	public := !found.Confidential
	switch {
	case (found.RequirePKCE || public) && r.ResponseType == oidc.ResponseTypeCode && r.CodeChallenge == "":
		return oidc.ErrInvalidRequest().WithDescription("the client must use PKCE")
	case r.CodeChallenge != "" && r.CodeChallengeMethod != oidc.CodeChallengeMethodS256:
		return oidc.ErrInvalidRequest().WithDescription("the code_challenge_method must be S256")
	case found.RequireSignedRequestObject:
		return oidc.ErrInvalidRequest().WithDescription("the client must use signed request objects, which are not supported")
	case r.ResponseMode != "" && len(found.ResponseModes) > 0 && !slices.Contains(found.ResponseModes, string(r.ResponseMode)):
		return oidc.ErrInvalidRequest().WithDescription("the client may not use this response_mode")
	}
	r.Scopes = slices.DeleteFunc(slices.Clone(r.Scopes), func(scope string) bool { return !found.HasScope(scope) })
	if len(r.Scopes) == 0 {
		return oidc.ErrInvalidScope().WithDescription("the client may not request these scopes")
	}
	return nil
}

// failure returns an error that the library responds to correctly: a server_error with
// status 503 for an outage, and otherwise an invalid_client that is never redirected.
func failure(err error) error {
	e := oidc.ErrInvalidRequestRedirectURI().WithParent(err) // only this one is not redirected
	if errors.Is(err, mirror.ErrUnavailable) {
		e.ErrorType = oidc.ServerError
		return op.NewStatusError(e.WithDescription("the clients are temporarily not available"), http.StatusServiceUnavailable)
	}
	e.ErrorType = oidc.InvalidClient
	return e.WithDescription("the client is unknown or not authenticated")
}

// client is a client of the mirror as the library sees it.
type client struct {
	client  *mirror.Client
	options *Options
	method  oidc.AuthMethod
}

var _ op.Client = client{}

// GetID implements [op.Client].
func (c client) GetID() string { return c.client.ID }

// RedirectURIs implements [op.Client].
func (c client) RedirectURIs() []string { return c.client.RedirectURIs }

// PostLogoutRedirectURIs implements [op.Client].
func (c client) PostLogoutRedirectURIs() []string { return c.client.PostLogoutRedirectURIs }

// LoginURL implements [op.Client].
func (c client) LoginURL(id string) string { return c.options.LoginURL(id) }

// IsScopeAllowed implements [op.Client].
func (c client) IsScopeAllowed(scope string) bool { return c.client.HasScope(scope) }

// AuthMethod implements [op.Client].
func (c client) AuthMethod() oidc.AuthMethod { return c.method }

// ClockSkew implements [op.Client].
func (c client) ClockSkew() time.Duration { return c.options.ClockSkew }

// DevMode implements [op.Client].
func (c client) DevMode() bool { return false }

// AccessTokenType implements [op.Client].
func (c client) AccessTokenType() op.AccessTokenType {
	return c.options.AccessTokenType
}

// ApplicationType implements [op.Client]. The library refuses private-use schemes of clients that are not
// native, and ignores ports of loopback addresses of those that are (RFC 8252 §7.3).
func (c client) ApplicationType() op.ApplicationType {
	private := func(uri string) bool {
		return !strings.HasPrefix(uri, "https://") && !strings.HasPrefix(uri, "http://")
	}
	if c.client.ApplicationType == "native" || slices.ContainsFunc(c.client.RedirectURIs, private) {
		return op.ApplicationTypeNative
	}
	return op.ApplicationTypeWeb
}

// ResponseTypes implements [op.Client].
func (c client) ResponseTypes() []oidc.ResponseType {
	types := make([]oidc.ResponseType, 0, len(c.client.ResponseTypes))
	for _, t := range c.client.ResponseTypes {
		types = append(types, oidc.ResponseType(t))
	}
	return types
}

// GrantTypes implements [op.Client].
func (c client) GrantTypes() []oidc.GrantType {
	types := make([]oidc.GrantType, 0, len(c.client.GrantTypes))
	for _, t := range c.client.GrantTypes {
		types = append(types, oidc.GrantType(t))
	}
	return types
}

// IDTokenLifetime implements [op.Client].
func (c client) IDTokenLifetime() time.Duration {
	if c.client.IDTokenLifetime > 0 {
		return c.client.IDTokenLifetime
	}
	return c.options.IDTokenLifetime
}

// RestrictAdditionalIdTokenScopes implements [op.Client].
func (c client) RestrictAdditionalIdTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}

// RestrictAdditionalAccessTokenScopes implements [op.Client].
func (c client) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}

// IDTokenUserinfoClaimsAssertion implements [op.Client].
func (c client) IDTokenUserinfoClaimsAssertion() bool { return false }
