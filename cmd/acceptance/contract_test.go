//go:build acceptance

package acceptance_test

import (
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
