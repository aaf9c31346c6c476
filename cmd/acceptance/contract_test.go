//go:build acceptance

package acceptance_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Schemathesis makes requests of openapi.yaml, good and bad ones, and holds every
// answer against it. CONTRACT_SECONDS is how long it does so on each store,
// CONTRACT_SEED what it begins with.
func TestSchemathesisFindsNothing(t *testing.T) {
	setting := func(name, standard string) string {
		if value := os.Getenv(name); value != "" {
			return value
		}
		return standard
	}
	bin := python(t, "contract/requirements.txt")
	config, err := filepath.Abs("contract/schemathesis.toml")
	require.NoError(t, err)
	onBothStores(t, func(t *testing.T, url, token string) {
		report := filepath.Join(t.TempDir(), "report")
		command := exec.CommandContext(t.Context(), filepath.Join(bin, "schemathesis"), "--config-file", config,
			"run", url+"/openapi.yaml", "--url", url, "--header", "Authorization: Bearer "+token,
			"--phases", "examples,coverage,fuzzing,stateful", "--max-time", setting("CONTRACT_SECONDS", "45"),
			"--seed", setting("CONTRACT_SEED", "1"), "--continue-on-failure", "--no-color")
		command.Dir = filepath.Dir(report)
		output, err := command.CombinedOutput()
		t.Logf("%s", output)
		require.NoError(t, err)
	})
}
