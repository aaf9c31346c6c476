package mirror_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/clientele-oauth/clientele/api/client"
	"github.com/clientele-oauth/clientele/api/mirror"
	"github.com/clientele-oauth/clientele/cmd/servicetest"
)

// tokenEndpoint authenticates the client of a token request with client_secret_basic.
func tokenEndpoint(clients *mirror.Mirror) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		_, err := clients.VerifySecret(r.Context(), id, secret)
		switch {
		case errors.Is(err, mirror.ErrUnavailable): // unknown: not the client's fault
			w.WriteHeader(http.StatusServiceUnavailable)
			_ = json.NewEncoder(w).Encode(map[string]string{"error": "server_error"})
		case err != nil: // mirror.ErrNotFound or mirror.ErrWrongSecret
			w.WriteHeader(http.StatusUnauthorized)
			_ = json.NewEncoder(w).Encode(map[string]string{"error": "invalid_client"})
		default:
			_, _ = w.Write([]byte("tokens"))
		}
	}
}

// authorizationEndpoint checks the redirection URI before anything else.
func authorizationEndpoint(clients *mirror.Mirror) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := clients.Get(r.FormValue("client_id"))
		switch {
		case errors.Is(err, mirror.ErrUnavailable):
			http.Error(w, "try again later", http.StatusServiceUnavailable) // never a redirect
		case err != nil, !c.HasRedirectURI(r.FormValue("redirect_uri")):
			http.Error(w, "unknown client or redirect_uri", http.StatusBadRequest)
		case c.RequirePKCE && r.FormValue("code_challenge_method") != "S256":
			http.Redirect(w, r, r.FormValue("redirect_uri")+"?error=invalid_request", http.StatusFound)
		default:
			_, _ = fmt.Fprintf(w, "log in to %s", c.Name)
		}
	}
}

// An authorization server whose clients are in a registry.
func Example() {
	dir, stop := exampleRegistry()
	defer stop()

	registry, err := client.Connect(os.Getenv("CLIENTELE_URL"), client.Settings{
		Token: client.FileToken(filepath.Join(dir, "admin.token")), // read for each request
	})
	if err != nil {
		log.Print(err)
		return
	}
	clients, err := mirror.Open(context.Background(), mirror.Config{
		Client:       registry,
		File:         filepath.Join(dir, "mirror"), // to start while the registry is unavailable
		MaxStaleness: 12 * time.Hour,
	})
	if err != nil {
		log.Print(err)
		return
	}
	defer func() { _ = clients.Close() }()

	mux := http.NewServeMux()
	mux.Handle("/authorize", authorizationEndpoint(clients))
	mux.Handle("/token", tokenEndpoint(clients))
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if h := clients.Health(); !h.Synced || h.Stale {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})

	c, err := clients.Get("shop")
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println(c.Name, c.GrantTypes, c.ResponseTypes)
	_, err = clients.VerifySecret(context.Background(), "shop", "wrong")
	fmt.Println(err)
	_, err = clients.Get("nobody")
	fmt.Println(err)
	// Output:
	// Shop [authorization_code] [code]
	// the value is not a valid secret of the client
	// the client does not exist or is not active
}

// exampleRegistry starts a registry with the client "shop".
func exampleRegistry() (dir string, stop func()) {
	dir, err := os.MkdirTemp("", "clientele")
	if err != nil {
		log.Panic(err)
	}
	service, err := servicetest.Start(context.Background(), binary, servicetest.Options{Quiet: true}, "--dev", "--data", dir)
	if err != nil {
		log.Panic(err)
	}
	_ = os.Setenv("CLIENTELE_URL", service.URL)
	admin, err := client.Connect(service.URL, client.Settings{Token: client.FileToken(filepath.Join(dir, "admin.token"))})
	if err == nil {
		_, err = admin.CreateClientWithResponse(context.Background(), nil, client.CreateClientRequest{
			ClientID: new("shop"), Name: new("Shop"), RedirectUris: &[]string{"https://shop.example.com/callback"},
		})
	}
	if err != nil {
		log.Panic(err)
	}
	return dir, func() {
		service.Kill()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		_ = os.RemoveAll(dir)
	}
}
