//go:build acceptance && integrations

package acceptance_test

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestServerKeycloak(t *testing.T) { conform(t, keycloakServer()) }

// keycloakServer has the client authenticator that asks the registry about secrets.
func keycloakServer() authorizationServer {
	return authorizationServer{
		name: "Keycloak", limit: 5 * time.Second, alsoRefuses: []string{"unauthorized_client"},
		deploy: func(t *testing.T, d deployment) *running {
			t.Helper()
			run, err := filepath.Abs(integrations + "/keycloak/run")
			require.NoError(t, err)
			for program, debian := range map[string]string{"java": "default-jre-headless", "mvn": "maven", "flock": "util-linux"} {
				tool(t, program, debian)
			}
			execute(t, ".", nil, run, "prepare")
			_, port, err := net.SplitHostPort(d.listen)
			require.NoError(t, err)
			management := freeAddress(t)
			_, managementPort, err := net.SplitHostPort(management)
			require.NoError(t, err)
			secret := filepath.Join(d.dir, "sync-secret")
			server := d.process("keycloak", "http://"+management+"/health/ready", 5*time.Minute, []string{
				"KC_PORT=" + port, "KC_MANAGEMENT_PORT=" + managementPort, "KC_DATA=" + d.dir, "KC_SYNC_SECRET_FILE=" + secret,
				"CLIENTELE_URL=" + d.origin.root, "CLIENTELE_TOKEN_FILE=" + d.origin.readers,
			}, run)
			companion := d.sync(t, "--to", "keycloak", "--target", d.issuer, "--realm", "test", "--keycloak-secret-file", secret,
				"--keycloak-authenticator", "--keycloak-set-up-flow")
			return &running{issuer: d.issuer + "/realms/test", server: server, companion: companion}
		},
	}
}
