//go:build acceptance

package acceptance_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Schemathesis generates valid and invalid requests from openapi.yaml, and validates every
// response against it. CONTRACT_SECONDS is the duration for each store, CONTRACT_SEED the
// seed of the random generator.
func TestSchemathesisFindsNothing(t *testing.T) {
	setting := func(name, defaultValue string) string {
		if value := os.Getenv(name); value != "" {
			return value
		}
		return defaultValue
	}
	bin := python(t, "contract/requirements.txt")
	config, err := filepath.Abs("contract/schemathesis.toml")
	require.NoError(t, err)
	hooks, err := filepath.Abs("contract/hooks.py")
	require.NoError(t, err)
	document := serveDocument(t)
	onBothStores(t, func(t *testing.T, url, token string) {
		report := filepath.Join(t.TempDir(), "report")
		command := exec.CommandContext(t.Context(), filepath.Join(bin, "schemathesis"), "--config-file", config,
			"run", url+"/openapi.yaml", "--url", url,
			"--phases", "examples,coverage,fuzzing,stateful", "--max-time", setting("CONTRACT_SECONDS", "45"),
			"--seed", setting("CONTRACT_SEED", "1"), "--continue-on-failure", "--no-color")
		command.Dir = filepath.Dir(report)
		command.Env = append(os.Environ(), "SCHEMATHESIS_HOOKS="+hooks, "CLIENTELE_URL="+url, "CLIENTELE_TOKEN="+token, "CLIENTELE_DOCUMENT="+document)
		output, err := command.CombinedOutput()
		t.Logf("%s", output)
		require.NoError(t, err)
	}, "--registration-file", "contract/registration.yaml", "--trusted-proxy", "127.0.0.1")
}

// serveDocument serves a client ID metadata document and returns its URL.
func serveDocument(t *testing.T) string {
	t.Helper()
	document := http.NewServeMux()
	server := httptest.NewServer(document)
	t.Cleanup(server.Close)
	at := server.URL + "/client.json"
	document.HandleFunc("GET /client.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"client_id":%q,"client_name":"App","redirect_uris":["%s/cb"],"token_endpoint_auth_method":"none"}`, at, server.URL)
	})
	return at
}
