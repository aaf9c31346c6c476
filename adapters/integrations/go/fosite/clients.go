// Package fosite lets an authorization server of github.com/ory/fosite use the clients of a
// registry, through a mirror.
//
// Embed [Clients] in the store of the server, let [Clients.Configure] complete its
// configuration, and wrap its provider in [Clients.Provider]:
//
//	type store struct {
//		*fosite.Clients // the clients
//		// codes, tokens and users are yours
//	}
//
//	clients.Configure(config)
//	provider := clients.Provider(compose.Compose(config, &store{Clients: clients}, strategy, …))
//
// An outage is a server_error with status 503, never invalid_client and never a redirect.
// A suspended client does not exist. A client is also not served if it requires something
// that the library does not do; see [Options].Enforced.
package fosite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v3"
	"github.com/ory/fosite"

	"github.com/clientele-oauth/clientele/adapters/integrations/go/internal/assertion"
	"github.com/clientele-oauth/clientele/api/mirror"
)

// Replay remembers client assertions, so that each is accepted once.
type Replay = assertion.Replay

// Options configure [Clients]. The zero value is usable.
type Options struct {
	// Replay is needed by servers with several replicas; the default remembers the client
	// assertions of this process.
	Replay Replay
	// Enforced names the fields that the server enforces itself. The library cannot bind
	// access tokens, and accepts unsigned request objects, so that a client with one of
	// these is served only if it is named here: dpop_bound_access_tokens,
	// tls_client_certificate_bound_access_tokens, require_signed_request_object.
	Enforced []string
}

// Clients implements [fosite.ClientManager].
type Clients struct {
	mirror   *mirror.Mirror
	options  Options
	verifier assertion.Verifier
}

var _ fosite.ClientManager = (*Clients)(nil)

// New returns the clients of a mirror.
func New(m *mirror.Mirror, options Options) *Clients {
	if options.Replay == nil {
		options.Replay = assertion.NewMemory(time.Now)
	}
	return &Clients{m, options, assertion.Verifier{Mirror: m, Replay: options.Replay, Now: time.Now}}
}

// Configure sets the authentication of clients, and matches scopes exactly unless there is
// a strategy already.
func (c *Clients) Configure(config *fosite.Config) {
	config.ClientAuthenticationStrategy = func(ctx context.Context, r *http.Request, form url.Values) (fosite.Client, error) {
		return c.Authenticate(ctx, r, form, audiences(config))
	}
	config.ClientSecretsHasher = hasher{c}
	if config.ScopeStrategy == nil {
		config.ScopeStrategy = fosite.ExactScopeStrategy
	}
}

// audiences are what assertions may be for: the token endpoint, and the issuer.
func audiences(config *fosite.Config) []string {
	all := []string{config.TokenURL, config.AccessTokenIssuer, config.IDTokenIssuer}
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

// Client returns a client as the mirror has it. The registry is asked only about the client of
// a metadata document, see [mirror.Mirror.Resolve]. The error is one that the library responds
// to correctly.
func (c *Clients) Client(ctx context.Context, id string) (*mirror.Client, error) {
	found, err := c.mirror.Resolve(ctx, id)
	if err != nil {
		return nil, failure(err)
	}
	for field, required := range map[string]bool{
		"dpop_bound_access_tokens":                   found.DPoPBoundAccessTokens,
		"tls_client_certificate_bound_access_tokens": found.CertificateBoundTokens,
		"require_signed_request_object":              found.RequireSignedRequestObject,
	} {
		if required && !slices.Contains(c.options.Enforced, field) {
			return nil, failure(fmt.Errorf("the client requires %s, which this server does not do", field))
		}
	}
	return found, nil
}

// ServerMetadata returns what the metadata of the server should have about registration, see
// [mirror.Mirror.ServerMetadata].
func (c *Clients) ServerMetadata(ctx context.Context) mirror.ServerMetadata {
	return c.mirror.ServerMetadata(ctx)
}

// GetClient implements [fosite.ClientManager].
func (c *Clients) GetClient(ctx context.Context, id string) (fosite.Client, error) {
	found, err := c.Client(ctx, id)
	if err != nil {
		return nil, err
	}
	return &client{found, c.mirror}, nil
}

// ClientAssertionJWTValid implements [fosite.ClientManager], for servers that use the
// library's own authentication strategy. SetClientAssertionJWT reports what was used before.
func (c *Clients) ClientAssertionJWTValid(context.Context, string) error { return nil }

// SetClientAssertionJWT implements [fosite.ClientManager].
func (c *Clients) SetClientAssertionJWT(ctx context.Context, jti string, expires time.Time) error {
	fresh, err := c.options.Replay.Use(ctx, "", jti, expires)
	if err == nil && !fresh {
		err = fosite.ErrJTIKnown
	}
	return err
}

// Authenticate authenticates the client of a request, with any method that the client has:
// client_secret_basic, client_secret_post, private_key_jwt (for one of the audiences) and
// none.
func (c *Clients) Authenticate(ctx context.Context, r *http.Request, form url.Values, audiences []string) (fosite.Client, error) {
	id, err := c.authenticate(ctx, r, form, audiences)
	if err != nil {
		return nil, failure(err)
	}
	return c.GetClient(ctx, id)
}

// authenticate returns the id of the client that sent the request.
func (c *Clients) authenticate(ctx context.Context, r *http.Request, form url.Values, audiences []string) (string, error) {
	id, secret, basic := r.BasicAuth()
	signed, post := form.Get("client_assertion") != "", form.Get("client_secret") != ""
	if basic && (signed || post) || signed && post {
		return "", errors.New("the request has several authentication methods")
	}
	named := form.Get("client_id")
	switch {
	case signed:
		if form.Get("client_assertion_type") != assertion.Type {
			return "", errors.New("the type of the client assertion is not supported")
		}
		found, err := c.verifier.Verify(ctx, form.Get("client_assertion"), audiences)
		if err != nil {
			return "", err
		}
		if named != "" && named != found.ID {
			return "", errors.New("the client assertion is not that of the client")
		}
		return found.ID, nil
	case basic:
		var errID, errSecret error
		id, errID = url.QueryUnescape(id)
		secret, errSecret = url.QueryUnescape(secret)
		if err := errors.Join(errID, errSecret); err != nil {
			return "", err
		}
		if named != "" && named != id {
			return "", errors.New("the request names two clients")
		}
		return id, c.verify(ctx, id, "client_secret_basic", secret)
	case post:
		return named, c.verify(ctx, named, "client_secret_post", form.Get("client_secret"))
	default:
		return named, c.verify(ctx, named, "none", "")
	}
}

// verify checks that the client may use the method, and its secret if the method has one.
func (c *Clients) verify(ctx context.Context, id, method, secret string) error {
	found, err := c.mirror.Resolve(ctx, id)
	if err != nil {
		return err
	}
	if !found.HasAuthMethod(method) {
		return errors.New("the client may not use the method " + method)
	}
	if method != "none" {
		_, err = c.mirror.VerifySecret(ctx, id, secret)
	}
	return err
}

// failure returns an error that the library responds to correctly.
func failure(err error) error {
	if known, ok := errors.AsType[*fosite.RFC6749Error](err); ok {
		return known
	}
	if errors.Is(err, mirror.ErrUnavailable) {
		unavailable := *fosite.ErrServerError
		unavailable.CodeField = http.StatusServiceUnavailable
		return unavailable.WithHint("The clients are temporarily not available.").WithWrap(err).WithDebug(err.Error())
	}
	return fosite.ErrInvalidClient.WithWrap(err).WithDebug(err.Error())
}

// hasher verifies secrets where the library compares them with a hash itself, which is only
// at the introspection endpoint. The "hash" of a client is its id.
type hasher struct{ clients *Clients }

// Compare implements [fosite.Hasher].
func (h hasher) Compare(ctx context.Context, hash, data []byte) error {
	_, err := h.clients.mirror.VerifySecret(ctx, string(hash), string(data))
	return err
}

// Hash implements [fosite.Hasher]. Nothing is hashed here: the registry makes secrets.
func (hasher) Hash(context.Context, []byte) ([]byte, error) {
	return nil, errors.New("secrets of clients are made by the registry")
}

// client is a client of the mirror as the library sees it.
type client struct {
	client *mirror.Client
	mirror *mirror.Mirror
}

var (
	_ fosite.OpenIDConnectClient            = (*client)(nil)
	_ fosite.ResponseModeClient             = (*client)(nil)
	_ fosite.ClientWithCustomTokenLifespans = (*client)(nil)
)

// GetID implements [fosite.Client].
func (c *client) GetID() string { return c.client.ID }

// GetHashedSecret implements [fosite.Client].
func (c *client) GetHashedSecret() []byte { return []byte(c.client.ID) }

// GetRedirectURIs implements [fosite.Client].
func (c *client) GetRedirectURIs() []string { return c.client.RedirectURIs }

// GetGrantTypes implements [fosite.Client].
func (c *client) GetGrantTypes() fosite.Arguments { return c.client.GrantTypes }

// GetResponseTypes implements [fosite.Client].
func (c *client) GetResponseTypes() fosite.Arguments { return c.client.ResponseTypes }

// GetScopes implements [fosite.Client].
func (c *client) GetScopes() fosite.Arguments { return c.client.Scopes }

// IsPublic implements [fosite.Client].
func (c *client) IsPublic() bool { return !c.client.Confidential }

// GetAudience implements [fosite.Client].
func (c *client) GetAudience() fosite.Arguments { return c.client.Resources }

// GetTokenEndpointAuthMethod implements [fosite.OpenIDConnectClient].
func (c *client) GetTokenEndpointAuthMethod() string { return c.client.TokenEndpointAuthMethod }

// GetTokenEndpointAuthSigningAlgorithm implements [fosite.OpenIDConnectClient].
func (c *client) GetTokenEndpointAuthSigningAlgorithm() string {
	return c.client.TokenEndpointAuthSigningAlg
}

// GetRequestObjectSigningAlgorithm implements [fosite.OpenIDConnectClient].
func (c *client) GetRequestObjectSigningAlgorithm() string { return c.client.RequestObjectSigningAlg }

// GetRequestURIs implements [fosite.OpenIDConnectClient]. There are none: the library would
// fetch them without a guard against internal addresses.
func (c *client) GetRequestURIs() []string { return nil }

// GetJSONWebKeysURI implements [fosite.OpenIDConnectClient]. The registry fetches the keys.
func (c *client) GetJSONWebKeysURI() string { return "" }

// GetJSONWebKeys implements [fosite.OpenIDConnectClient]. The library accepts only keys with
// a use.
func (c *client) GetJSONWebKeys() *jose.JSONWebKeySet {
	text, err := c.mirror.Keys(context.Background(), c.client.ID)
	if err != nil {
		return &jose.JSONWebKeySet{}
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(text, &set) != nil {
		return &jose.JSONWebKeySet{}
	}
	keys := &jose.JSONWebKeySet{}
	for _, item := range set.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(item) != nil || !key.IsPublic() {
			continue // of an unknown type
		}
		if key.Use == "" {
			key.Use = "sig"
		}
		keys.Keys = append(keys.Keys, key)
	}
	return keys
}

// GetResponseModes implements [fosite.ResponseModeClient].
func (c *client) GetResponseModes() []fosite.ResponseModeType {
	if len(c.client.ResponseModes) == 0 {
		return []fosite.ResponseModeType{fosite.ResponseModeQuery, fosite.ResponseModeFragment, fosite.ResponseModeFormPost}
	}
	modes := make([]fosite.ResponseModeType, 0, len(c.client.ResponseModes))
	for _, mode := range c.client.ResponseModes {
		modes = append(modes, fosite.ResponseModeType(mode))
	}
	return modes
}

// GetEffectiveLifespan implements [fosite.ClientWithCustomTokenLifespans].
func (c *client) GetEffectiveLifespan(_ fosite.GrantType, t fosite.TokenType, fallback time.Duration) time.Duration {
	lifetime := map[fosite.TokenType]time.Duration{
		fosite.AccessToken: c.client.AccessTokenLifetime, fosite.RefreshToken: c.client.RefreshTokenLifetime, fosite.IDToken: c.client.IDTokenLifetime,
	}[t]
	if lifetime == 0 {
		return fallback
	}
	return lifetime
}
