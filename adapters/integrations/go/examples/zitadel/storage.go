package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	clientele "github.com/clientele-oauth/clientele/adapters/integrations/go/zitadel"
)

// Lifetimes of tokens of clients that have none of their own.
const (
	codeLifetime    = time.Minute
	accessLifetime  = 5 * time.Minute
	refreshLifetime = 24 * time.Hour
)

// storage is the storage of the provider. The registry has the clients; the rest is in
// memory.
type storage struct {
	*clientele.Clients

	key signingKey

	mu       sync.Mutex
	requests map[string]*request
	codes    map[string]code
	access   map[string]token
	refresh  map[string]token
}

var (
	_ op.Storage                  = (*storage)(nil)
	_ op.ClientCredentialsStorage = (*storage)(nil)
)

// code is an authorization code.
type code struct {
	request string
	expires time.Time
}

// token is an access or refresh token.
type token struct {
	id, client, subject string
	audience, scopes    []string
	authenticated       time.Time
	expires             time.Time
	access              string // the access token that was issued with a refresh token
}

func newStorage(clients *clientele.Clients) (*storage, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	return &storage{
		Clients: clients, key: signingKey{rand.Text(), key},
		requests: map[string]*request{}, codes: map[string]code{}, access: map[string]token{}, refresh: map[string]token{},
	}, nil
}

var errNotFound = errors.New("not found, or expired")

// request is an authorization request.
type request struct {
	oidc.AuthRequest

	id            string
	subject       string
	authenticated time.Time
}

// Done, GetID and the following methods implement [op.AuthRequest].
func (r *request) Done() bool                         { return r.subject != "" }
func (r *request) GetID() string                      { return r.id }
func (r *request) GetACR() string                     { return "" }
func (r *request) GetAMR() []string                   { return []string{"pwd"} }
func (r *request) GetAudience() []string              { return []string{r.ClientID} }
func (r *request) GetAuthTime() time.Time             { return r.authenticated }
func (r *request) GetClientID() string                { return r.ClientID }
func (r *request) GetNonce() string                   { return r.Nonce }
func (r *request) GetRedirectURI() string             { return r.RedirectURI }
func (r *request) GetResponseType() oidc.ResponseType { return r.ResponseType }
func (r *request) GetResponseMode() oidc.ResponseMode { return r.ResponseMode }
func (r *request) GetScopes() []string                { return r.Scopes }
func (r *request) GetState() string                   { return r.State }
func (r *request) GetSubject() string                 { return r.subject }

// GetCodeChallenge implements [op.AuthRequest].
func (r *request) GetCodeChallenge() *oidc.CodeChallenge {
	if r.CodeChallenge == "" {
		return nil
	}
	return &oidc.CodeChallenge{Challenge: r.CodeChallenge, Method: r.CodeChallengeMethod}
}

// CreateAuthRequest implements [op.AuthStorage].
func (s *storage) CreateAuthRequest(_ context.Context, r *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	if slices.Contains(r.Prompt, oidc.PromptNone) {
		return nil, oidc.ErrLoginRequired()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	created := &request{AuthRequest: *r, id: rand.Text()}
	s.requests[created.id] = created
	return created, nil
}

// AuthRequestByID implements [op.AuthStorage].
func (s *storage) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.requests[id]
	if !ok {
		return nil, errNotFound
	}
	snapshot := *r // the login changes the stored one
	return &snapshot, nil
}

// login checks the password, and continues the authorization.
func login(s *storage, callback func(context.Context, string) string, issuer string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.PostFormValue("id")
		s.mu.Lock()
		pending, ok := s.requests[id]
		right := subtle.ConstantTimeCompare([]byte(r.PostFormValue("username")+"\x00"+r.PostFormValue("password")), []byte(username+"\x00"+password)) == 1
		if ok && right {
			pending.subject, pending.authenticated = username, time.Now()
		}
		s.mu.Unlock()
		if !ok || !right {
			w.WriteHeader(http.StatusForbidden)
			showLogin(w, r)
			return
		}
		http.Redirect(w, r, callback(op.ContextWithIssuer(r.Context(), issuer), id), http.StatusFound)
	})
}

// SaveAuthCode implements [op.AuthStorage].
func (s *storage) SaveAuthCode(_ context.Context, id, value string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes[value] = code{id, time.Now().Add(codeLifetime)}
	return nil
}

// AuthRequestByCode implements [op.AuthStorage].
func (s *storage) AuthRequestByCode(ctx context.Context, value string) (op.AuthRequest, error) {
	s.mu.Lock()
	c, ok := s.codes[value]
	s.mu.Unlock()
	if !ok || time.Now().After(c.expires) {
		return nil, errNotFound
	}
	return s.AuthRequestByID(ctx, c.request)
}

// DeleteAuthRequest implements [op.AuthStorage].
func (s *storage) DeleteAuthRequest(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.requests[id]; !ok {
		return errNotFound // another request has redeemed the code since
	}
	delete(s.requests, id)
	for value, c := range s.codes {
		if c.request == id {
			delete(s.codes, value)
		}
	}
	return nil
}

// clientOf returns the client of a request for tokens.
func clientOf(r op.TokenRequest) string {
	switch r := r.(type) {
	case interface{ GetClientID() string }:
		return r.GetClientID()
	case *oidc.JWTTokenRequest: // client_credentials
		return r.Issuer
	default:
		return ""
	}
}

// lifetimes returns the lifetimes of the client's tokens, and whether a refresh token is
// used again.
func (s *storage) lifetimes(ctx context.Context, id string) (access, refresh time.Duration, reuse bool, err error) {
	c, err := s.Client(ctx, id)
	if err != nil {
		return 0, 0, false, err
	}
	access, refresh = accessLifetime, refreshLifetime
	if c.AccessTokenLifetime > 0 {
		access = c.AccessTokenLifetime
	}
	if c.RefreshTokenLifetime > 0 {
		refresh = c.RefreshTokenLifetime
	}
	return access, refresh, c.RefreshTokenRotation == "reuse", nil
}

// CreateAccessToken implements [op.AuthStorage].
func (s *storage) CreateAccessToken(ctx context.Context, r op.TokenRequest) (string, time.Time, error) {
	client := clientOf(r)
	lifetime, _, _, err := s.lifetimes(ctx, client)
	if err != nil {
		return "", time.Time{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := token{
		id: rand.Text(), client: client, subject: r.GetSubject(), audience: r.GetAudience(), scopes: r.GetScopes(),
		expires: time.Now().Add(lifetime),
	}
	s.access[t.id] = t
	return t.id, t.expires, nil
}

// CreateAccessAndRefreshTokens implements [op.AuthStorage].
func (s *storage) CreateAccessAndRefreshTokens(ctx context.Context, r op.TokenRequest, current string) (string, string, time.Time, error) {
	client := clientOf(r)
	_, lifetime, reuse, err := s.lifetimes(ctx, client)
	if err != nil {
		return "", "", time.Time{}, err
	}
	s.mu.Lock()
	old, known := s.refresh[current]
	if current != "" && !known {
		s.mu.Unlock()
		return "", "", time.Time{}, oidc.ErrInvalidGrant()
	}
	if known && !reuse {
		delete(s.refresh, current)
		delete(s.access, old.access)
	}
	s.mu.Unlock()
	access, expires, err := s.CreateAccessToken(ctx, r)
	if err != nil {
		return "", "", time.Time{}, err
	}
	if known && reuse {
		return access, current, expires, nil
	}
	t := token{
		id: rand.Text(), client: client, subject: r.GetSubject(), audience: r.GetAudience(), scopes: r.GetScopes(),
		authenticated: time.Now(), expires: time.Now().Add(lifetime), access: access,
	}
	if known {
		t.scopes, t.authenticated = old.scopes, old.authenticated // a refresh may narrow the scopes of the access token only
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh[t.id] = t
	return access, t.id, expires, nil
}

// refreshRequest is a request with a refresh token.
type refreshRequest struct {
	token

	current []string // scopes
}

// GetAMR and the following methods implement [op.RefreshTokenRequest].
func (r *refreshRequest) GetAMR() []string                 { return []string{"pwd"} }
func (r *refreshRequest) GetAudience() []string            { return r.audience }
func (r *refreshRequest) GetAuthTime() time.Time           { return r.authenticated }
func (r *refreshRequest) GetClientID() string              { return r.client }
func (r *refreshRequest) GetScopes() []string              { return r.current }
func (r *refreshRequest) GetSubject() string               { return r.subject }
func (r *refreshRequest) SetCurrentScopes(scopes []string) { r.current = scopes }

// TokenRequestByRefreshToken implements [op.AuthStorage].
func (s *storage) TokenRequestByRefreshToken(_ context.Context, value string) (op.RefreshTokenRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.refresh[value]
	if !ok || time.Now().After(t.expires) {
		return nil, oidc.ErrInvalidGrant()
	}
	return &refreshRequest{t, t.scopes}, nil
}

// TerminateSession implements [op.AuthStorage].
func (s *storage) TerminateSession(_ context.Context, subject, client string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, tokens := range []map[string]token{s.access, s.refresh} {
		for id, t := range tokens {
			if t.subject == subject && t.client == client {
				delete(tokens, id)
			}
		}
	}
	return nil
}

// RevokeToken implements [op.AuthStorage].
func (s *storage) RevokeToken(_ context.Context, value, _, client string) *oidc.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.refresh[value]; ok && t.client == client {
		delete(s.refresh, value)
		delete(s.access, t.access)
	}
	if t, ok := s.access[value]; ok && t.client == client {
		delete(s.access, value)
	}
	return nil
}

// GetRefreshTokenInfo implements [op.AuthStorage].
func (s *storage) GetRefreshTokenInfo(_ context.Context, client, value string) (string, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.refresh[value]
	if !ok || t.client != client {
		return "", "", op.ErrInvalidRefreshToken
	}
	return t.subject, t.id, nil
}

// signingKey is the key of the provider.
type signingKey struct {
	id  string
	key *rsa.PrivateKey
}

// SignatureAlgorithm, Key and ID implement [op.SigningKey].
func (k signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k signingKey) Key() any                                    { return k.key }
func (k signingKey) ID() string                                  { return k.id }

// publicKey is the public half of a signing key.
type publicKey struct{ signingKey }

// Algorithm, Use and Key implement [op.Key].
func (k publicKey) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k publicKey) Use() string                        { return "sig" }
func (k publicKey) Key() any                           { return &k.key.PublicKey }

// SigningKey implements [op.AuthStorage].
func (s *storage) SigningKey(context.Context) (op.SigningKey, error) { return s.key, nil }

// SignatureAlgorithms implements [op.AuthStorage].
func (s *storage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256}, nil
}

// KeySet implements [op.AuthStorage].
func (s *storage) KeySet(context.Context) ([]op.Key, error) { return []op.Key{publicKey{s.key}}, nil }

// SetUserinfoFromScopes implements [op.OPStorage]; SetUserinfoFromRequest does it.
func (s *storage) SetUserinfoFromScopes(context.Context, *oidc.UserInfo, string, string, []string) error {
	return nil
}

// SetUserinfoFromRequest implements [op.CanSetUserinfoFromRequest].
func (s *storage) SetUserinfoFromRequest(_ context.Context, info *oidc.UserInfo, r op.IDTokenRequest, scopes []string) error { //nolint:unparam // the interface of the library
	setUserinfo(info, r.GetSubject(), scopes)
	return nil
}

// SetUserinfoFromToken implements [op.OPStorage].
func (s *storage) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, id, subject, _ string) error {
	t, err := s.validToken(ctx, id)
	if err != nil {
		return err
	}
	setUserinfo(info, subject, t.scopes)
	return nil
}

// SetIntrospectionFromToken implements [op.OPStorage].
func (s *storage) SetIntrospectionFromToken(ctx context.Context, r *oidc.IntrospectionResponse, id, subject, _ string) error {
	t, err := s.validToken(ctx, id)
	if err != nil {
		return err
	}
	r.Subject, r.ClientID, r.Scope, r.Audience, r.Expiration = subject, t.client, t.scopes, t.audience, oidc.FromTime(t.expires)
	return nil
}

// validToken returns an access token. That of a suspended client is not valid.
func (s *storage) validToken(ctx context.Context, id string) (token, error) {
	s.mu.Lock()
	t, ok := s.access[id]
	s.mu.Unlock()
	if !ok || time.Now().After(t.expires) {
		return token{}, errNotFound
	}
	_, err := s.Client(ctx, t.client)
	return t, err
}

// setUserinfo sets the claims of the user that belong to the scopes.
func setUserinfo(info *oidc.UserInfo, subject string, scopes []string) {
	info.Subject = subject
	if slices.Contains(scopes, oidc.ScopeProfile) {
		info.Name, info.PreferredUsername = "Alice", subject
	}
	if slices.Contains(scopes, oidc.ScopeEmail) {
		info.Email, info.EmailVerified = "alice@example.com", true
	}
}

// GetPrivateClaimsFromScopes implements [op.OPStorage].
func (s *storage) GetPrivateClaimsFromScopes(context.Context, string, string, []string) (map[string]any, error) {
	return map[string]any{}, nil
}

// Health implements [op.Storage].
func (s *storage) Health(context.Context) error { return nil }
