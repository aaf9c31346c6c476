package main_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// dryMake returns the commands that make would run.
func dryMake(t *testing.T, args ...string) []string {
	t.Helper()
	command := exec.Command("make", append([]string{"-n", "-C", "../.."}, args...)...)
	output, err := command.CombinedOutput()
	require.NoError(t, err, string(output))
	return strings.Split(string(output), "\n")
}

func TestMakeRunPassesListenAndData(t *testing.T) {
	assert.Contains(t, dryMake(t, "run"), "go run ./cmd/clientele serve --dev --listen 127.0.0.1:8080 --data ./data")
	assert.Contains(t, dryMake(t, "run", "LISTEN=127.0.0.1:9000", "DATA=/tmp/x"), "go run ./cmd/clientele serve --dev --listen 127.0.0.1:9000 --data /tmp/x")
}

// "make test" prints a line before each stage. It downloads modules first, because other
// commands would print a line for each download.
func TestMakeTestAnnouncesEachStage(t *testing.T) {
	stage, downloaded := "", false
	seen := map[string]bool{}
	for _, line := range dryMake(t, "test") {
		if _, text, ok := strings.Cut(line, `echo "[`); ok {
			stage = text
		}
		downloaded = downloaded || strings.HasPrefix(line, "go mod download && go mod download -modfile=tools.mod")
		for _, command := range []string{"go generate ", "go mod tidy", "go tool ", "go vet ", "go test "} {
			if strings.Contains(line, command) && !strings.Contains(line, "echo ") {
				assert.True(t, downloaded, line)
				assert.NotEmpty(t, stage, line)
				seen[stage] = true
			}
		}
	}
	assert.Len(t, seen, 6, "each stage after the download prints its own line")
}
