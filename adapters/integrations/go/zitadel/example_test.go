package zitadel_test

import (
	"context"
	"log"
	"net/http"
	"os"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/clientele-oauth/clientele/adapters/integrations/go/zitadel"
	"github.com/clientele-oauth/clientele/api/client"
	"github.com/clientele-oauth/clientele/api/mirror"
)

// readme begin

// storage is the storage of the provider.
type storage struct {
	*zitadel.Clients // the clients of the registry
	yours            // codes, tokens, users and keys
}

func serve(ctx context.Context, address, issuer string, config *op.Config, rest yours) error {
	registry, err := client.Connect(os.Getenv("CLIENTELE_URL"), client.Settings{
		Token: client.FileToken(os.Getenv("CLIENTELE_TOKEN_FILE")),
	})
	if err != nil {
		return err
	}
	m, err := mirror.Open(ctx, mirror.Config{Client: registry, File: "/var/lib/provider/mirror"})
	if err != nil {
		return err
	}
	defer func() { _ = m.Close() }()
	clients := zitadel.New(m, zitadel.Options{
		LoginURL: func(id string) string { return "/login?id=" + id },
	})
	provider, err := op.NewProvider(config, &storage{clients, rest}, op.StaticIssuer(issuer))
	if err != nil {
		return err
	}
	return http.ListenAndServe(address, zitadel.Handler(provider, clients))
}

// readme end

// yours is what the storage of a provider has in addition to the clients.
type yours interface {
	op.AuthStorage
	SetUserinfoFromScopes(ctx context.Context, userinfo *oidc.UserInfo, userID, clientID string, scopes []string) error
	SetUserinfoFromToken(ctx context.Context, userinfo *oidc.UserInfo, tokenID, subject, origin string) error
	SetIntrospectionFromToken(ctx context.Context, userinfo *oidc.IntrospectionResponse, tokenID, subject, clientID string) error
	GetPrivateClaimsFromScopes(ctx context.Context, userID, clientID string, scopes []string) (map[string]any, error)
	Health(ctx context.Context) error
}

func Example() {
	var rest yours // your implementation
	config := &op.Config{CodeMethodS256: true, AuthMethodPost: true, AuthMethodPrivateKeyJWT: true, GrantTypeRefreshToken: true}
	log.Fatal(serve(context.Background(), ":443", "https://login.example.com", config, rest))
}
