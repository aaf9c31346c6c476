// Command zitadel is an OpenID provider of github.com/zitadel/oidc/v3 whose clients are in
// a registry. It keeps codes and tokens in memory, and has one user: alice, whose password
// is "password".
//
// CLIENTELE_URL is the registry, CLIENTELE_TOKEN_FILE a file with an access token with the
// scopes clients:read and clients:verify, LISTEN the address (the issuer is http://LISTEN),
// and MIRROR_FILE optionally a file to start from while the registry is not available.
package main

import (
	"context"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	clientele "github.com/clientele-oauth/clientele/adapters/integrations/go/zitadel"
	"github.com/clientele-oauth/clientele/api/client"
	"github.com/clientele-oauth/clientele/api/mirror"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

// startTimeout is how long the start waits for the registry, if there is no file.
const startTimeout = 30 * time.Second

// run serves until the context ends.
func run(ctx context.Context) error {
	// connect begin
	registry, err := client.Connect(os.Getenv("CLIENTELE_URL"), client.Settings{
		Token: client.FileToken(os.Getenv("CLIENTELE_TOKEN_FILE")),
	})
	if err != nil {
		return err
	}
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	m, err := mirror.Open(starting, mirror.Config{Client: registry, File: os.Getenv("MIRROR_FILE"), Documents: true})
	if err != nil {
		return err
	}
	defer func() { _ = m.Close() }()
	clients := clientele.New(m, clientele.Options{
		LoginURL: func(id string) string { return "/login?id=" + id }, PublishRegistration: true,
	})
	// connect end: the storage embeds clients, and the handler is clientele.Handler
	handler, err := newProvider("http://"+os.Getenv("LISTEN"), clients)
	if err != nil {
		return err
	}
	return serve(ctx, os.Getenv("LISTEN"), handler)
}

// serve serves until the context ends.
func serve(ctx context.Context, address string, handler http.Handler) error {
	server := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
