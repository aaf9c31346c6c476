//go:build integrations

package keycloak_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/keycloak"
	"github.com/clientele-oauth/clientele/application/push"
	"github.com/clientele-oauth/clientele/application/push/pushtest"
	"github.com/clientele-oauth/clientele/domain"
)

// The suite runs against the server that adapters/integrations/keycloak/run started:
// KEYCLOAK_URL is its base URL, and KC_SYNC_SECRET_FILE as for that script.
func TestRealKeycloak(t *testing.T) {
	base := os.Getenv("KEYCLOAK_URL")
	require.NotEmpty(t, base, "set KEYCLOAK_URL and KC_SYNC_SECRET_FILE")
	for name, authenticator := range map[string]bool{"with its own secrets": false, "with the authenticator": true} {
		t.Run(name, func(t *testing.T) {
			pushtest.Run(t, func(t *testing.T) pushtest.Server { return realServer(t, base, authenticator) })
		})
	}
}

func realServer(t *testing.T, base string, authenticator bool) pushtest.Server {
	t.Helper()
	target, err := keycloak.New(keycloak.Config{
		URL: base, Realm: "test", ClientID: "clientele-sync", Authenticator: authenticator, SetUpFlow: true,
		ClientSecret: func() (string, error) {
			secret, err := os.ReadFile(os.Getenv("KC_SYNC_SECRET_FILE"))
			return strings.TrimSpace(string(secret)), err
		},
	})
	require.NoError(t, err)
	var left []push.Held // by another test; deleting moves others to pages that were read
	for held, err := range target.List(t.Context()) {
		require.NoError(t, err)
		if held.Mark.Tenant == "tenant_a" || held.ClientID == "planted" {
			left = append(left, held)
		}
	}
	for _, held := range left {
		require.NoError(t, target.Delete(t.Context(), held))
	}
	_, err = target.Prepare(t.Context(), false)
	require.NoError(t, err)
	differences, err := target.Prepare(t.Context(), false)
	require.NoError(t, err)
	require.Empty(t, differences)
	admin := admin{base: base, token: token(t, base)}
	server := pushtest.Server{
		Target: target,
		Plant: func(t *testing.T, id domain.ClientID) {
			admin.call(t, http.MethodPost, "/clients", map[string]any{"clientId": id, "publicClient": true, "redirectUris": []string{"https://planted.example.com/*"}})
		},
		Tamper: func(t *testing.T, id domain.ClientID) {
			admin.change(t, id, map[string]any{"redirectUris": []string{"https://attacker.example.com/*"}, "webOrigins": []string{}})
		},
		Extend: func(t *testing.T, id domain.ClientID) {
			admin.change(t, id, map[string]any{
				"attributes": map[string]string{"client.session.idle.timeout": "77"},
				"protocolMappers": []map[string]any{{
					"name": "extra", "protocol": "openid-connect", "protocolMapper": "oidc-hardcoded-claim-mapper",
					"config": map[string]string{"claim.name": "extra", "claim.value": "1", "access.token.claim": "true"},
				}},
			})
		},
		Extended: func(t *testing.T, id domain.ClientID) bool {
			client := admin.find(t, id)
			attributes, _ := client["attributes"].(map[string]any)
			mappers, _ := client["protocolMappers"].([]any)
			return attributes["client.session.idle.timeout"] == "77" && len(mappers) == 1
		},
		Accepts: func(t *testing.T, id domain.ClientID, secret string) bool {
			form := url.Values{"grant_type": {"client_credentials"}}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/realms/test/protocol/openid-connect/token", strings.NewReader(form.Encode()))
			require.NoError(t, err)
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.SetBasicAuth(url.QueryEscape(string(id)), secret)
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			defer resp.Body.Close()
			return resp.StatusCode == http.StatusOK
		},
		Refusable: func() domain.Settings {
			settings := pushtest.Kinds()["public"]
			settings.RedirectURIs = []domain.RedirectURI{"javascript:alert(1)"}
			return settings
		},
	}
	if authenticator {
		server.Accepts = nil // the registry of the test does not have the clients
	}
	return server
}

// What was found out about Keycloak, which the target relies on.
func TestRealKeycloakRefuses(t *testing.T) {
	base := os.Getenv("KEYCLOAK_URL")
	target := realServer(t, base, false).Target
	long := pushtest.Kinds()["public"]
	long.RedirectURIs = []domain.RedirectURI{domain.RedirectURI("https://app.example.com/" + strings.Repeat("x", 232))}
	unknown := pushtest.Kinds()["public"]
	unknown.Scopes = []domain.Scope{"openid", "no-such-scope"}
	for name, test := range map[string]struct {
		settings domain.Settings
		said     string
	}{
		"a redirect URI of 256 characters": {long, "status 500: unknown_error: For more on this error consult the server log."},
		"an unknown scope":                 {unknown, `the realm has no client scope "no-such-scope"`},
	} {
		t.Run(name, func(t *testing.T) {
			want := pushtest.Client("refusable", test.settings)
			require.Equal(t, push.Refused(test.said), target.Put(t.Context(), want, nil))
			require.NoError(t, target.Put(t.Context(), pushtest.Client("refusable", pushtest.Kinds()["public"]), nil))
			held, err := target.Find(t.Context(), "refusable")
			require.NoError(t, err)
			require.Equal(t, push.Refused(test.said), target.Put(t.Context(), want, &held))
			require.NoError(t, target.Delete(t.Context(), held))
		})
	}
}

// admin uses the Admin REST API as an administrator does.
type admin struct{ base, token string }

func token(t *testing.T, base string) string {
	t.Helper()
	secret, err := os.ReadFile(os.Getenv("KC_SYNC_SECRET_FILE"))
	require.NoError(t, err)
	resp, err := http.PostForm(base+"/realms/test/protocol/openid-connect/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {"clientele-sync"}, "client_secret": {strings.TrimSpace(string(secret))},
	})
	require.NoError(t, err)
	defer resp.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
	}
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
	return answer.Token
}

func (a admin) call(t *testing.T, method, path string, body any) []byte {
	t.Helper()
	content, err := json.Marshal(body)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), method, a.base+"/admin/realms/test"+path, strings.NewReader(string(content)))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+a.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Less(t, resp.StatusCode, 300, "%s", answer)
	return answer
}

func (a admin) find(t *testing.T, id domain.ClientID) map[string]any {
	t.Helper()
	var list []map[string]any
	require.NoError(t, json.Unmarshal(a.call(t, http.MethodGet, "/clients?clientId="+url.QueryEscape(string(id)), nil), &list))
	require.Len(t, list, 1)
	return list[0]
}

func (a admin) change(t *testing.T, id domain.ClientID, members map[string]any) {
	t.Helper()
	a.call(t, http.MethodPut, "/clients/"+a.find(t, id)["id"].(string), members)
}

var _ push.Preparer = (*keycloak.Target)(nil)
