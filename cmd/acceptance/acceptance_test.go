//go:build acceptance

package acceptance_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/postgres/pgtest"
	"github.com/clientele-oauth/clientele/cmd/servicetest"
)

var (
	server *pgtest.Server
	binary string // the real program

	measured measurements // of authorization servers
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "clientele")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if binary, err = servicetest.Build(context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := pgtest.Main(m, &server)
	fmt.Print(&measured)
	return code
}

// onBothStores runs a test with a service on SQLite and with one on PostgreSQL, with these
// flags in addition.
func onBothStores(t *testing.T, test func(t *testing.T, url, token string), more ...string) {
	t.Helper()
	onEachStore(t, func(t *testing.T, flags []string) {
		data := t.TempDir()
		args := append([]string{
			"--dev", "--data", data, "--verify-rate", "1000000", "--verify-failures", "1000000", "--public-url", "https://clientele.example.com",
		}, slices.Concat(flags, more)...)
		p, err := servicetest.Start(context.WithoutCancel(t.Context()), binary, servicetest.Options{Quiet: true}, args...)
		require.NoError(t, err)
		t.Cleanup(p.Kill)
		// An administrator, who also needs a scope for the hashes of secrets.
		test(t, p.URL, adminToken(t, data, "--scope", "clients:verifiers"))
	})
}

// onEachStore runs a test with the flags of a service on SQLite, and with those of one on
// PostgreSQL.
func onEachStore(t *testing.T, test func(t *testing.T, flags []string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, nil) })
	t.Run("postgres", func(t *testing.T) {
		url, err := server.NewDatabase(t.Context())
		require.NoError(t, err)
		test(t, []string{"--database-url", url})
	})
}

// adminToken returns the token of an administrator of a service in development mode.
func adminToken(t *testing.T, data string, flags ...string) string {
	t.Helper()
	token, err := exec.CommandContext(t.Context(), binary, append([]string{"token", "--data", data}, flags...)...).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(token))
}

// tool returns the path of a program that must be installed.
func tool(t *testing.T, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	require.NoError(t, err, "%s is missing (Debian: %s)", name, debian)
	return path
}

// execute runs a command in a folder and returns its output.
func execute(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, args...)
	command.Dir = dir
	command.Env = append(os.Environ(), env...)
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%s %s: %s", name, strings.Join(args, " "), output)
	return string(output)
}

// python returns the folder with the programs of a virtual environment with the packages of
// a requirements file. The environment is kept in dist for the next run.
func python(t *testing.T, requirements string) string {
	t.Helper()
	text, err := os.ReadFile(requirements)
	require.NoError(t, err)
	sum := sha256.Sum256(text)
	dir, err := filepath.Abs("../../dist/python-" + hex.EncodeToString(sum[:6]))
	require.NoError(t, err)
	complete := filepath.Join(dir, "complete")
	if _, err := os.Stat(complete); err != nil {
		execute(t, ".", nil, tool(t, "python3", "python3-venv"), "-m", "venv", "--clear", dir)
		execute(t, ".", nil, filepath.Join(dir, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check", "--requirement", requirements)
		require.NoError(t, os.WriteFile(complete, nil, 0o600))
	}
	return filepath.Join(dir, "bin")
}
