package importer_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/clientfile/importer"
	"github.com/clientele-oauth/clientele/domain"
)

func readFile(t *testing.T, from importer.System, name string) []importer.Client {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	export, err := importer.Read(from, text)
	require.NoError(t, err)
	assert.Empty(t, export.Problems)
	return export.Clients
}

func TestReadRFC7591(t *testing.T) {
	clients := readFile(t, importer.RFC7591, "rfc7591.json")
	require.Len(t, clients, 2)
	assert.Equal(t, domain.ClientID("s6BhdRkqt3"), clients[0].ID)
	assert.Equal(t, domain.ChangeOf(domain.Settings{
		Name: "My Example Client", Confidential: true, RedirectURIs: []domain.RedirectURI{"https://client.example.org/callback", "https://client.example.org/callback2"}, GrantTypes: []domain.GrantType{"authorization_code", "refresh_token"}, Scopes: []domain.Scope{"openid", "profile"}, AuthMethods: []domain.AuthMethod{"client_secret_basic"}, Keys: domain.InlineKeys(`{"keys":[{"crv":"P-256","kid":"1","kty":"EC","use":"sig","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`), Website: domain.Link("https://client.example.org/"), LogoURL: domain.Link("https://client.example.org/logo.png"), PrivacyPolicy: domain.Link("https://client.example.org/privacy"), TermsURL: domain.Link("https://client.example.org/terms"),
		ResponseTypes: []domain.ResponseType{"code"}, Contacts: []string{"ops@client.example.org"},
	}), clients[0].Change)
	assert.Equal(t, []string{
		"client_name#fr: values for one language are not supported by Clientele; client_name is for all",
		"client_secret: expires; create a new secret, and give it to the client",
		"client_secret_expires_at: expiry times of secrets are not imported",
		"software_statement: is not verified",
	}, clients[0].Lost)
	assert.Empty(t, clients[1].ID)
	assert.Equal(t, []domain.AuthMethod{"none"}, clients[1].Change.Values().AuthMethods)
	assert.True(t, clients[1].Change.Names(domain.FieldConfidential))
	assert.False(t, clients[1].Change.Values().Confidential)
}

func TestReadHydra(t *testing.T) {
	clients := readFile(t, importer.Hydra, "hydra.json")
	require.Len(t, clients, 2)
	assert.Equal(t, domain.ChangeOf(domain.Settings{
		Name: "Auth Code Client", Confidential: true, RedirectURIs: []domain.RedirectURI{"https://app.example.com/callback"}, GrantTypes: []domain.GrantType{"authorization_code", "refresh_token"}, Scopes: []domain.Scope{"openid", "offline"}, AuthMethods: []domain.AuthMethod{"private_key_jwt"}, Keys: domain.KeysAt("https://app.example.com/jwks.json"), CORSOrigins: []domain.Origin{"https://app.example.com"},
		ResponseTypes: []domain.ResponseType{"code"}, SubjectType: domain.SubjectPublic, AuthSigningAlg: "ES256",
		PostLogoutRedirectURIs: []domain.RedirectURI{"https://app.example.com/bye"}, UserInfo: domain.Algorithms{Signing: "none"},
		Resources: []string{"https://api.example.com"}, Owner: "team-a", SkipConsent: true,
	}), clients[0].Change)
	assert.Equal(t, []string{
		"metadata.team: cannot be a label: the name of a label is a prefix and a name, such as example.com/tier",
		"response_types: id_token needs the grant type implicit, which the client does not have",
	}, clients[0].Lost)
	assert.Equal(t, "machine", clients[1].Change.Values().Name)
	assert.Contains(t, clients[1].Lost, "client_name: is absent; the client_id is the name")
}

func TestReadKeycloak(t *testing.T) {
	clients := readFile(t, importer.Keycloak, "keycloak.json")
	require.Len(t, clients, 3, "built-in clients, SAML clients and resource servers are skipped")
	assert.Equal(t, importer.Client{
		ID: "shop",
		Change: domain.ChangeOf(domain.Settings{
			Name: "Shop", Confidential: true, RedirectURIs: []domain.RedirectURI{"https://shop.example.com/callback", "https://other.example.com/cb"}, GrantTypes: []domain.GrantType{"authorization_code", "client_credentials", "refresh_token"}, Scopes: []domain.Scope{"openid", "profile", "email", "offline_access"}, AuthMethods: []domain.AuthMethod{"private_key_jwt"}, Keys: domain.KeysAt("https://shop.example.com/jwks.json"), CORSOrigins: []domain.Origin{"https://shop.example.com", "https://other.example.com"}, LogoURL: domain.Link("https://shop.example.com/logo.png"), Website: domain.Link("https://shop.example.com/"),
			Description: "Where things are sold", RequirePKCE: true, SkipConsent: true,
			PostLogoutRedirectURIs: []domain.RedirectURI{"https://shop.example.com/callback", "https://other.example.com/cb"},
		}),
		Lost: []string{
			"protocolMappers: claims are configured in the authorization server",
			"redirectUris: https://shop.example.com/* is a pattern; name each redirect URI",
			"secret: is ignored: the client does not authenticate with a secret",
			"webOrigins: + is converted to the origins of the redirect URIs",
		},
	}, clients[0])
	assert.Equal(t, domain.ClientID("pocket"), clients[1].ID)
	assert.Equal(t, []domain.AuthMethod{"none"}, clients[1].Change.Values().AuthMethods)
	assert.Equal(t, []domain.GrantType{"authorization_code", "password", "urn:ietf:params:oauth:grant-type:device_code", "refresh_token"}, clients[1].Change.Values().GrantTypes)
	assert.Equal(t, domain.StatusSuspended, clients[1].Change.Values().Status)
	assert.Equal(t, []domain.AuthMethod{"tls_client_auth"}, clients[2].Change.Values().AuthMethods)
	assert.Equal(t, "CN=bank", clients[2].Change.Values().TLSSubject.DN)
}

func TestReadRejectsOtherFormats(t *testing.T) {
	for _, text := range []string{``, `{`, `1`, `[1]`, `"x"`, `[]`, `{"items": []}`, `null`} {
		for _, from := range []importer.System{importer.Hydra, importer.Keycloak, importer.RFC7591} {
			_, err := importer.Read(from, []byte(text))
			require.ErrorIs(t, err, importer.ErrFormat, "%s: %s", from, text)
		}
	}
}

func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(f, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, from := range []importer.System{importer.Hydra, importer.Keycloak, importer.RFC7591} {
			export, err := importer.Read(from, text)
			if err != nil {
				require.ErrorIs(t, err, importer.ErrFormat)
				continue
			}
			assert.NotEmpty(t, len(export.Clients)+len(export.Skipped))
		}
	})
}
