//go:build integrations

package hydra_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/hydra"
	"github.com/clientele-oauth/clientele/application/push/pushtest"
	"github.com/clientele-oauth/clientele/domain"
)

// TestRealHydra runs the suite with a Hydra that runs already, and deletes all its clients.
// HYDRA_ADMIN and HYDRA_PUBLIC are its URLs; see adapters/integrations/hydra.
func TestRealHydra(t *testing.T) {
	admin, public := os.Getenv("HYDRA_ADMIN"), os.Getenv("HYDRA_PUBLIC")
	require.NotEmpty(t, admin, "HYDRA_ADMIN")
	require.NotEmpty(t, public, "HYDRA_PUBLIC")
	do := func(t *testing.T, method, path string, body any) map[string]any {
		t.Helper()
		text, err := json.Marshal(body)
		require.NoError(t, err)
		r, err := http.NewRequestWithContext(t.Context(), method, admin+path, bytes.NewReader(text))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Less(t, resp.StatusCode, http.StatusMultipleChoices, string(got))
		var client map[string]any
		require.NoError(t, json.Unmarshal(got, &client))
		return client
	}
	pushtest.Run(t, func(t *testing.T) pushtest.Server {
		target, err := hydra.New(hydra.Config{URL: admin})
		require.NoError(t, err)
		for held, err := range target.List(t.Context()) {
			require.NoError(t, err)
			require.NoError(t, target.Delete(t.Context(), held))
		}
		change := func(t *testing.T, id domain.ClientID, change func(map[string]any)) {
			c := do(t, http.MethodGet, "/admin/clients/"+string(id), nil)
			delete(c, "jwks")
			change(c)
			do(t, http.MethodPut, "/admin/clients/"+string(id), c)
		}
		return pushtest.Server{
			Target: target,
			Plant: func(t *testing.T, id domain.ClientID) {
				do(t, http.MethodPost, "/admin/clients", map[string]any{"client_id": id})
			},
			Tamper: func(t *testing.T, id domain.ClientID) {
				change(t, id, func(c map[string]any) { c["redirect_uris"] = []any{"https://app.example.com/*"} })
			},
			Extend: func(t *testing.T, id domain.ClientID) {
				change(t, id, func(c map[string]any) {
					c["access_token_strategy"] = "jwt"
					c["metadata"].(map[string]any)["theirs"] = map[string]any{"a": 1.5}
				})
			},
			Extended: func(t *testing.T, id domain.ClientID) bool {
				c := do(t, http.MethodGet, "/admin/clients/"+string(id), nil)
				theirs, _ := c["metadata"].(map[string]any)["theirs"].(map[string]any)
				return c["access_token_strategy"] == "jwt" && theirs["a"] == 1.5
			},
			Accepts: func(t *testing.T, id domain.ClientID, secret string) bool {
				form := strings.NewReader(url.Values{"grant_type": {"client_credentials"}}.Encode())
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, public+"/oauth2/token", form)
				require.NoError(t, err)
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.SetBasicAuth(string(id), secret)
				resp, err := http.DefaultClient.Do(r)
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				return resp.StatusCode == http.StatusOK
			},
			Refusable: func() domain.Settings {
				s := pushtest.Machine()
				s.SectorIdentifierURI = "https://127.0.0.1:1/none"
				return s
			},
		}
	})
}
