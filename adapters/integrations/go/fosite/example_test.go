package fosite_test

import (
	"context"
	"os"

	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/storage"

	clientele "github.com/clientele-oauth/clientele/adapters/integrations/go/fosite"
	"github.com/clientele-oauth/clientele/api/client"
	"github.com/clientele-oauth/clientele/api/mirror"
)

// readme begin

// store is the store of the server. The methods of Clients hide those that yours may have
// for clients, because yours is one level deeper.
type store struct {
	*clientele.Clients // the clients of the registry
	rest
}

type rest struct{ *yours } // codes, tokens and users

func connect(ctx context.Context, config *fosite.Config, strategy any, mine *yours) (fosite.OAuth2Provider, *mirror.Mirror, error) {
	registry, err := client.Connect(os.Getenv("CLIENTELE_URL"), client.Settings{
		Token: client.FileToken(os.Getenv("CLIENTELE_TOKEN_FILE")),
	})
	if err != nil {
		return nil, nil, err
	}
	m, err := mirror.Open(ctx, mirror.Config{Client: registry, File: "/var/lib/server/mirror"})
	if err != nil {
		return nil, nil, err
	}
	clients := clientele.New(m, clientele.Options{})
	clients.Configure(config)
	provider := compose.Compose(config, &store{clients, rest{mine}}, strategy,
		compose.OAuth2AuthorizeExplicitFactory, compose.OAuth2ClientCredentialsGrantFactory,
		compose.OAuth2RefreshTokenGrantFactory, compose.OpenIDConnectExplicitFactory,
		compose.OpenIDConnectRefreshFactory, compose.OAuth2PKCEFactory,
		compose.OAuth2TokenIntrospectionFactory, compose.OAuth2TokenRevocationFactory,
	)
	return clients.Provider(provider), m, nil // close the mirror when the server ends
}

// readme end

// yours is a store of codes, tokens and users.
type yours = storage.MemoryStore

func Example() {
	config := &fosite.Config{TokenURL: "https://login.example.com/token", IDTokenIssuer: "https://login.example.com"}
	provider, m, err := connect(context.Background(), config, compose.NewOAuth2HMACStrategy(config), storage.NewMemoryStore())
	if err != nil {
		panic(err)
	}
	defer func() { _ = m.Close() }()
	_ = provider // your endpoints call it
}
