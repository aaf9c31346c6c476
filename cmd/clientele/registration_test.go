package main_test

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const registrationFile = "tenants:\n  tenant_dev:\n    registration: {enabled: true}\n"

// failing runs the program, which must not start, and returns its error output.
func failing(t *testing.T, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), binary, args...)
	var output strings.Builder
	command.Stderr = &output
	require.Error(t, command.Run(), strings.Join(args, " "))
	return output.String()
}

func TestTheServiceDoesNotStartWithAnInvalidRegistrationFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "registration.yaml")
	serve := func(flags ...string) []string {
		return append([]string{"serve", "--dev", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--registration-file", file}, flags...)
	}
	public := "--public-url=https://registry.example.com"
	assert.Contains(t, failing(t, serve(public)...), "no such file")
	require.NoError(t, os.WriteFile(file, []byte(registrationFile+"    cimd: {mod: off}\n"), 0o600))
	assert.Contains(t, failing(t, serve(public)...), file+":4: /tenants/tenant_dev/cimd/mod: unknown key; did you mean mode?")
	require.NoError(t, os.WriteFile(file, []byte(registrationFile+"    registration: {}\n"), 0o600))
	assert.Contains(t, failing(t, serve(public)...), file+`:4: duplicate setting "registration"`)
	require.NoError(t, os.WriteFile(file, []byte(registrationFile), 0o600))
	assert.Contains(t, failing(t, serve()...), "--registration-file needs --public-url")
	for _, proxy := range []string{"proxy.example.com", "10.0.0.0/33", "fe80::1%eth0", "::ffff:10.0.0.0/104"} {
		assert.Contains(t, failing(t, serve(public, "--trusted-proxy", proxy)...), "is not an address or a network", proxy)
	}
}

func TestABrokenRegistrationFileIsANoteInReadyz(t *testing.T) {
	file := filepath.Join(t.TempDir(), "registration.yaml")
	write := func(text string) {
		require.NoError(t, os.WriteFile(file+".new", []byte(text), 0o600))
		require.NoError(t, os.Rename(file+".new", file))
	}
	write(registrationFile)
	p := start(t, "--dev", "--data", t.TempDir(), "--registration-file", file, "--public-url", "https://registry.example.com",
		"--trusted-proxy", "10.0.0.7,192.168.0.0/16,::1")
	noted := func() bool {
		ready, err := http.Get(p.URL + "/readyz")
		require.NoError(t, err)
		defer ready.Body.Close()
		text, err := io.ReadAll(ready.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, ready.StatusCode, "the service stays ready")
		return strings.Contains(string(text), "registration file: cannot be read or has faults")
	}
	assert.False(t, noted())
	write(registrationFile + "    cimd: {mode: on}\n")
	require.Eventually(t, noted, 10*time.Second, 20*time.Millisecond)
	fault := file + ":4: /tenants/tenant_dev/cimd/mode: must be one of off, allow, deny, any"
	require.Eventually(t, func() bool { return strings.Contains(p.Log.String(), fault) }, 10*time.Second, 20*time.Millisecond)
	assert.Equal(t, 1, strings.Count(p.Log.String(), "the registration file cannot be used"))
	write(registrationFile)
	require.Eventually(t, func() bool { return !noted() }, 10*time.Second, 20*time.Millisecond)
}

func TestReferencePrintsTheSchemaOfTheRegistrationFile(t *testing.T) {
	shipped, err := os.ReadFile("../../adapters/registrationfile/schema.json")
	require.NoError(t, err)
	output, status := clientele(t, t.TempDir(), "", "reference", "registration-file")
	assert.Equal(t, 0, status)
	assert.Equal(t, string(shipped), output)
	commands, status := clientele(t, t.TempDir(), "", "reference")
	assert.Equal(t, 0, status)
	assert.True(t, strings.HasPrefix(commands, "# Commands and configuration\n"), commands)
	_, status = clientele(t, t.TempDir(), "", "reference", "another")
	assert.Equal(t, 2, status)
}
