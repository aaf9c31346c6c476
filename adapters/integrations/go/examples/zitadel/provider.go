package main

import (
	"crypto/rand"
	"html/template"
	"log"
	"net/http"

	"github.com/zitadel/oidc/v3/pkg/op"

	clientele "github.com/clientele-oauth/clientele/adapters/integrations/go/zitadel"
)

// The user of the example.
const (
	username = "alice"
	password = "password"
)

// newProvider returns the endpoints of the provider, and the login.
func newProvider(issuer string, clients *clientele.Clients) (http.Handler, error) {
	s, err := newStorage(clients)
	if err != nil {
		return nil, err
	}
	config := &op.Config{
		CodeMethodS256: true, AuthMethodPost: true, AuthMethodPrivateKeyJWT: true, GrantTypeRefreshToken: true,
		SupportedScopes: []string{"openid", "profile", "email", "offline_access", "payments"},
	}
	_, _ = rand.Read(config.CryptoKey[:]) // a server with replicas shares the key
	provider, err := op.NewProvider(config, s, op.StaticIssuer(issuer), op.WithAllowInsecure())
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /login", http.HandlerFunc(showLogin))
	mux.Handle("POST /login", login(s, op.AuthCallbackURL(provider), issuer))
	mux.Handle("/", clientele.Handler(provider, clients))
	return mux, nil
}

// showLogin shows the form.
func showLogin(w http.ResponseWriter, r *http.Request) {
	form := template.Must(template.New("login").Parse(`<!doctype html><title>Log in</title>
<form method="post" action="/login"><input type="hidden" name="id" value="{{.}}">
<label>User <input name="username"></label> <label>Password <input name="password" type="password"></label>
<button>Log in</button></form>`))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := form.Execute(w, r.FormValue("id")); err != nil {
		log.Print(err)
	}
}
