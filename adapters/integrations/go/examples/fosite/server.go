package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"html/template"
	"log"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v3"
	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/handler/openid"
	memory "github.com/ory/fosite/storage"
	"github.com/ory/fosite/token/jwt"

	clientele "github.com/clientele-oauth/clientele/adapters/integrations/go/fosite"
	"github.com/clientele-oauth/clientele/api/mirror"
)

// The user of the example.
const (
	username = "alice"
	password = "password"
)

// keyID is the id of the server's key.
const keyID = "1"

// rest is the part of the store that is not about clients, in memory.
type rest struct{ *memory.MemoryStore }

// store is the store of the server. The methods of Clients hide those that the store in
// memory has for clients, because that is embedded one level deeper.
type store struct {
	*clientele.Clients
	rest
}

// server is an authorization server.
type server struct {
	issuer   string
	key      *rsa.PrivateKey
	provider fosite.OAuth2Provider
	clients  *clientele.Clients

	mu     sync.Mutex
	logins map[string]pending
}

// newServer returns the endpoints of an authorization server.
func newServer(issuer string, clients *clientele.Clients) (http.Handler, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	secret := make([]byte, 32) // a server with replicas shares it
	_, _ = rand.Read(secret)
	config := &fosite.Config{
		GlobalSecret: secret, IDTokenIssuer: issuer, AccessTokenIssuer: issuer, TokenURL: issuer + "/token",
		AccessTokenLifespan: 5 * time.Minute, AuthorizeCodeLifespan: time.Minute, RefreshTokenScopes: []string{"offline_access"},
	}
	clients.Configure(config)
	getKey := func(context.Context) (any, error) {
		return &jose.JSONWebKey{Key: key, KeyID: keyID, Algorithm: "RS256", Use: "sig"}, nil
	}
	strategy := &compose.CommonStrategy{
		CoreStrategy:               compose.NewOAuth2HMACStrategy(config),
		OpenIDConnectTokenStrategy: compose.NewOpenIDConnectStrategy(getKey, config),
		Signer:                     &jwt.DefaultSigner{GetPrivateKey: getKey},
	}
	s := &server{issuer: issuer, key: key, clients: clients, logins: map[string]pending{}}
	s.provider = clients.Provider(compose.Compose(config, &store{clients, rest{memory.NewMemoryStore()}}, strategy,
		compose.OAuth2AuthorizeExplicitFactory, compose.OAuth2ClientCredentialsGrantFactory, compose.OAuth2RefreshTokenGrantFactory,
		compose.OpenIDConnectExplicitFactory, compose.OpenIDConnectRefreshFactory, compose.OAuth2PKCEFactory,
		compose.OAuth2TokenIntrospectionFactory, compose.OAuth2TokenRevocationFactory, compose.PushedAuthorizeHandlerFactory,
	))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", s.discovery)
	mux.HandleFunc("GET /jwks.json", s.keys)
	mux.HandleFunc("/authorize", s.authorize)
	mux.HandleFunc("POST /login", s.login)
	mux.HandleFunc("/token", s.token)
	mux.HandleFunc("/userinfo", s.userinfo)
	mux.HandleFunc("/introspect", s.introspect)
	mux.HandleFunc("/revoke", s.revoke)
	mux.HandleFunc("/par", s.push)
	return mux, nil
}

func (s *server) discovery(w http.ResponseWriter, r *http.Request) {
	metadata := map[string]any{
		"issuer":                                           s.issuer,
		"authorization_endpoint":                           s.issuer + "/authorize",
		"token_endpoint":                                   s.issuer + "/token",
		"jwks_uri":                                         s.issuer + "/jwks.json",
		"userinfo_endpoint":                                s.issuer + "/userinfo",
		"introspection_endpoint":                           s.issuer + "/introspect",
		"revocation_endpoint":                              s.issuer + "/revoke",
		"pushed_authorization_request_endpoint":            s.issuer + "/par",
		"response_types_supported":                         []string{"code"},
		"grant_types_supported":                            []string{"authorization_code", "refresh_token", "client_credentials"},
		"scopes_supported":                                 []string{"openid", "profile", "email", "offline_access", "payments"},
		"subject_types_supported":                          []string{"public"},
		"id_token_signing_alg_values_supported":            []string{"RS256"},
		"code_challenge_methods_supported":                 []string{"S256"},
		"token_endpoint_auth_methods_supported":            []string{"client_secret_basic", "client_secret_post", "private_key_jwt", "none"},
		"token_endpoint_auth_signing_alg_values_supported": []string{"ES256", "PS256", "RS256", "EdDSA"},
	}
	published := s.clients.ServerMetadata(r.Context())
	if published.RegistrationEndpoint != "" {
		metadata["registration_endpoint"] = published.RegistrationEndpoint
	}
	if published.DocumentsSupported {
		metadata["client_id_metadata_document_supported"] = true
	}
	respond(w, metadata)
}

func (s *server) keys(w http.ResponseWriter, _ *http.Request) {
	respond(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &s.key.PublicKey, KeyID: keyID, Algorithm: "RS256", Use: "sig"}}})
}

func respond(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(body); err != nil {
		log.Print(err)
	}
}

// loginTimeout is how long a user may take to log in.
const loginTimeout = 10 * time.Minute

// pending is an authorization request whose user has to log in. A pushed request can be read
// only once, so it is kept.
type pending struct {
	request fosite.AuthorizeRequester
	expires time.Time
}

// authorize checks the request, and shows the login.
func (s *server) authorize(w http.ResponseWriter, r *http.Request) {
	request, err := s.provider.NewAuthorizeRequest(r.Context(), r)
	if err != nil {
		s.provider.WriteAuthorizeError(r.Context(), w, request, err)
		return
	}
	id, now := rand.Text(), time.Now()
	s.mu.Lock()
	maps.DeleteFunc(s.logins, func(_ string, p pending) bool { return now.After(p.expires) })
	s.logins[id] = pending{request, now.Add(loginTimeout)}
	s.mu.Unlock()
	showLogin(w, id)
}

// login checks the password, and responds with a code.
func (s *server) login(w http.ResponseWriter, r *http.Request) {
	ctx, id := r.Context(), r.PostFormValue("id")
	s.mu.Lock()
	p, ok := s.logins[id]
	right := subtle.ConstantTimeCompare([]byte(r.PostFormValue("username")+"\x00"+r.PostFormValue("password")), []byte(username+"\x00"+password)) == 1
	if ok && right {
		delete(s.logins, id)
	}
	s.mu.Unlock()
	if !ok || !right || time.Now().After(p.expires) {
		w.WriteHeader(http.StatusForbidden)
		showLogin(w, id)
		return
	}
	if _, err := s.clients.Client(ctx, p.request.GetClient().GetID()); err != nil { // it may have been suspended since
		s.provider.WriteAuthorizeError(ctx, w, fosite.NewAuthorizeRequest(), err)
		return
	}
	for _, scope := range p.request.GetRequestedScopes() {
		p.request.GrantScope(scope)
	}
	for _, audience := range p.request.GetRequestedAudience() {
		p.request.GrantAudience(audience)
	}
	response, err := s.provider.NewAuthorizeResponse(ctx, p.request, s.session(username))
	if err != nil {
		s.provider.WriteAuthorizeError(ctx, w, p.request, err)
		return
	}
	s.provider.WriteAuthorizeResponse(ctx, w, p.request, response)
}

// showLogin shows the form.
func showLogin(w http.ResponseWriter, id string) {
	form := template.Must(template.New("login").Parse(`<!doctype html><title>Log in</title>
<form method="post" action="/login"><input type="hidden" name="id" value="{{.}}">
<label>User <input name="username"></label> <label>Password <input name="password" type="password"></label>
<button>Log in</button></form>`))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := form.Execute(w, id); err != nil {
		log.Print(err)
	}
}

// session returns a session of the user.
func (s *server) session(subject string) *openid.DefaultSession {
	now := time.Now()
	return &openid.DefaultSession{
		Subject: subject, Username: subject,
		Claims:  &jwt.IDTokenClaims{Issuer: s.issuer, Subject: subject, AuthTime: now, RequestedAt: now},
		Headers: &jwt.Headers{Extra: map[string]any{"kid": keyID}},
	}
}

func (s *server) token(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	request, err := s.provider.NewAccessRequest(ctx, r, s.session(""))
	if err != nil {
		s.provider.WriteAccessError(ctx, w, request, err)
		return
	}
	if request.GetGrantTypes().ExactOne("client_credentials") {
		request.SetSession(s.session(request.GetClient().GetID()))
		for _, scope := range request.GetRequestedScopes() {
			request.GrantScope(scope)
		}
	}
	response, err := s.provider.NewAccessResponse(ctx, request)
	if err != nil {
		s.provider.WriteAccessError(ctx, w, request, err)
		return
	}
	s.provider.WriteAccessResponse(ctx, w, request, response)
}

// userinfo responds with the claims of the user. The token of a suspended client is not
// valid.
func (s *server) userinfo(w http.ResponseWriter, r *http.Request) {
	_, request, err := s.provider.IntrospectToken(r.Context(), fosite.AccessTokenFromRequest(r), fosite.AccessToken, s.session(""))
	if err == nil {
		_, err = s.clients.Client(r.Context(), request.GetClient().GetID())
	}
	switch {
	case errors.Is(err, mirror.ErrUnavailable):
		s.provider.WriteAccessError(r.Context(), w, nil, err)
		return
	case err != nil || !request.GetGrantedScopes().Has("openid"):
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		http.Error(w, "the access token is not valid", http.StatusUnauthorized)
		return
	}
	claims := map[string]any{"sub": request.GetSession().GetSubject()}
	if scopes := request.GetGrantedScopes(); slices.Contains(scopes, "profile") {
		claims["name"] = "Alice"
	}
	if scopes := request.GetGrantedScopes(); slices.Contains(scopes, "email") {
		claims["email"], claims["email_verified"] = "alice@example.com", true
	}
	respond(w, claims)
}

func (s *server) introspect(w http.ResponseWriter, r *http.Request) {
	response, err := s.provider.NewIntrospectionRequest(r.Context(), r, s.session(""))
	if err != nil {
		s.provider.WriteIntrospectionError(r.Context(), w, err)
		return
	}
	s.provider.WriteIntrospectionResponse(r.Context(), w, response)
}

func (s *server) revoke(w http.ResponseWriter, r *http.Request) {
	s.provider.WriteRevocationResponse(r.Context(), w, s.provider.NewRevocationRequest(r.Context(), r))
}

func (s *server) push(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	request, err := s.provider.NewPushedAuthorizeRequest(ctx, r)
	if err != nil {
		s.provider.WritePushedAuthorizeError(ctx, w, request, err)
		return
	}
	response, err := s.provider.NewPushedAuthorizeResponse(ctx, request, s.session(""))
	if err != nil {
		s.provider.WritePushedAuthorizeError(ctx, w, request, err)
		return
	}
	s.provider.WritePushedAuthorizeResponse(ctx, w, request, response)
}
