//go:build acceptance

package acceptance_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestServerNodeOIDCProvider(t *testing.T) { conform(t, oidcProviderServer()) }

func oidcProviderServer() authorizationServer {
	return authorizationServer{name: "oidc-provider", limit: time.Second, deploy: func(t *testing.T, d deployment) *running {
		t.Helper()
		source, err := filepath.Abs(integrations + "/node")
		require.NoError(t, err)
		npm := tool(t, "npm", "npm")
		execute(t, source, nil, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
		execute(t, source, nil, npm, "run", "build", "--silent")
		return d.example("oidc-provider", 30*time.Second, nil, tool(t, "node", "nodejs"), filepath.Join(source, "example", "server.js"))
	}}
}
