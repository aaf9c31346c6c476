package main_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	neturl "net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api/client"
)

// outcome is the exit status and the output of a command.
type outcome struct {
	status         int
	output, errors string
}

// pipeline runs commands of the program with a registry and a token in the environment.
type pipeline struct {
	url, token string
}

func (p pipeline) command(args ...string) *exec.Cmd {
	command := exec.Command(binary, args...)
	command.Env = append(os.Environ(), "CLIENTELE_URL="+p.url, "CLIENTELE_TOKEN="+p.token)
	return command
}

func (p pipeline) run(t *testing.T, args ...string) outcome {
	t.Helper()
	command := p.command(args...)
	var output, errors bytes.Buffer
	command.Stdout, command.Stderr = &output, &errors
	if err := command.Run(); err != nil {
		var failed *exec.ExitError
		require.ErrorAs(t, err, &failed)
	}
	return outcome{command.ProcessState.ExitCode(), output.String(), errors.String()}
}

// declareClients writes n client files, in YAML and JSON, into a folder.
func declareClients(t *testing.T, dir string, n int) {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o700))
	for i := range n {
		text := fmt.Sprintf("client_id: app-%04d\nname: App %d\nredirect_uris: ['https://app-%d.example.com/callback']\nscopes: [openid]\n", i, i, i)
		switch i % 4 {
		case 1:
			text = fmt.Sprintf("client_id: app-%04d\nname: 'Service: %d'\ngrant_types: [client_credentials]\nstatus: suspended\n", i, i)
		case 2:
			text = fmt.Sprintf(`{"client_id": "app-%04d", "name": "Signed %d", "redirect_uris": ["https://app-%d.example.com/callback"],
				"client_auth_methods": ["private_key_jwt"],
				"jwks": {"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "1", "alg": "EdDSA", "use": "sig", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}}`, i, i, i)
		}
		ending := ".yaml"
		if i%4 == 2 {
			ending = ".json"
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("app-%04d%s", i, ending)), []byte(text), 0o600))
	}
}

// files returns the content of each file in a folder.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		require.NoError(t, err)
		all[entry.Name()] = string(text)
	}
	return all
}

// lastLine returns the last line of the output: the summary of apply.
func lastLine(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	return lines[len(lines)-1]
}

// limitRegistrations starts a proxy for the registry at the address. It forwards at most
// the given number of registrations; later ones get no response.
func limitRegistrations(t *testing.T, address string, limit int64) (url string) {
	t.Helper()
	at, err := neturl.Parse(address)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(at)
	var seen atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Query().Get("dry_run") != "true" && seen.Add(1) > limit {
			_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the caller disconnected
			<-r.Context().Done()
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestApplyAndExportOfAThousandFiles(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		const n = 1000
		p := start(t, append(flags, "--dev", "--data", data)...)
		admin := p.as(t, adminToken(t, data))
		registry := pipeline{p.URL, adminToken(t, data)}
		dir, exported, again := filepath.Join(data, "clients"), filepath.Join(data, "exported"), filepath.Join(data, "again")
		declareClients(t, dir, n)
		total := func() int64 {
			found, err := admin.ListClientsWithResponse(t.Context(), nil)
			require.NoError(t, err)
			return *found.JSON200.Total
		}

		// The first run is killed halfway; the second one finishes.
		secrets := filepath.Join(data, "secrets.jsonl")
		half := pipeline{limitRegistrations(t, p.URL, n/2), registry.token}
		first := half.command("apply", "-f", dir, "--yes", "--secrets-file", secrets)
		require.NoError(t, first.Start())
		require.Eventually(t, func() bool { return total() == n/2 }, time.Minute, time.Millisecond)
		require.NoError(t, first.Process.Kill())
		require.Error(t, first.Wait(), "it must be killed before it ends")
		applied := registry.run(t, "apply", "-f", dir, "--yes", "--secrets-file", secrets)
		require.Equal(t, 0, applied.status, applied.errors)
		assert.Contains(t, lastLine(applied.output), fmt.Sprintf("%d to create", n/2))
		assert.EqualValues(t, n, total())
		info, err := os.Stat(secrets)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())

		applied = registry.run(t, "apply", "-f", dir, "--dry-run")
		assert.Equal(t, 0, applied.status)
		assert.Equal(t, fmt.Sprintf("0 to create, 0 to update, 0 to delete, %d unchanged\n", n), applied.output)

		for i := range 10 { // change ten of them
			name := filepath.Join(dir, fmt.Sprintf("app-%04d.yaml", i*4))
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(name, append(text, "website: https://app.example.com/\n"...), 0o600))
		}
		applied = registry.run(t, "apply", "-f", dir, "--dry-run")
		assert.Equal(t, 3, applied.status, "a dry run that found changes")
		applied = registry.run(t, "apply", "-f", dir, "--yes")
		assert.Equal(t, 0, applied.status, applied.errors)
		assert.Equal(t, fmt.Sprintf("0 to create, 10 to update, 0 to delete, %d unchanged", n-10), lastLine(applied.output))
		assert.Equal(t, 10, strings.Count(applied.output, `    website: "" -> "https://app.example.com/"`))

		require.Equal(t, 0, registry.run(t, "export", "-o", exported).status)
		assert.Len(t, files(t, exported), n)
		applied = registry.run(t, "apply", "-f", exported, "--dry-run", "--prune")
		assert.Equal(t, 0, applied.status, applied.output)
		assert.Contains(t, lastLine(applied.output), fmt.Sprintf("%d unchanged", n))

		// Applied to an empty registry and exported again, the files are the same.
		other := start(t, "--dev", "--data", filepath.Join(data, "other"))
		elsewhere := pipeline{other.URL, adminToken(t, filepath.Join(data, "other"))}
		require.Equal(t, 0, elsewhere.run(t, "apply", "-f", exported, "--yes").status)
		require.Equal(t, 0, elsewhere.run(t, "export", "-o", again).status)
		assert.Equal(t, files(t, exported), files(t, again))
	})
}

func TestApplyChangesNothingIfAClientIsRejected(t *testing.T) {
	data := t.TempDir()
	p := start(t, "--dev", "--data", data)
	registry := pipeline{p.URL, adminToken(t, data)}
	file := filepath.Join(data, "clients.yaml")
	require.NoError(t, os.WriteFile(file, []byte(`client_id: good
name: Good
grant_types: [client_credentials]
---
client_id: bad
name: Bad
redirect_uris:
  - https://bad.example.com/ok
  - https://bad.example.com/#top
`), 0o600))
	applied := registry.run(t, "apply", "-f", file, "--yes")
	assert.Equal(t, 1, applied.status)
	assert.Contains(t, applied.output, file+":9: rejected: ")
	assert.Contains(t, applied.output, "[redirect-uri-fragment, RFC 6749 §3.1.2]")
	assert.Contains(t, applied.output, "the registry rejects 1 of them")
	found, err := p.as(t, registry.token).GetClientWithResponse(t.Context(), "good", nil)
	require.NoError(t, err)
	assert.Equal(t, 404, found.StatusCode())
}

func TestPruneDeletesClientsInNoFile(t *testing.T) {
	data := t.TempDir()
	p := start(t, "--dev", "--data", data)
	registry := pipeline{p.URL, adminToken(t, data)}
	dir := filepath.Join(data, "clients")
	declareClients(t, dir, 5)
	applied := registry.run(t, "apply", "-f", dir, "--yes")
	require.Equal(t, 0, applied.status, applied.errors)
	assert.Contains(t, applied.errors, "secrets of new clients not saved: 4;")
	require.NoError(t, os.Remove(filepath.Join(dir, "app-0003.yaml")))
	applied = registry.run(t, "apply", "-f", dir, "--yes")
	assert.Contains(t, applied.output, "0 to delete, 4 unchanged", "deletes only with --prune")
	applied = registry.run(t, "apply", "-f", dir, "--prune")
	assert.Equal(t, 1, applied.status, "standard input is not a terminal")
	assert.Contains(t, applied.errors, "--yes")
	applied = registry.run(t, "apply", "-f", dir, "--prune", "--yes")
	assert.Equal(t, 0, applied.status)
	assert.Contains(t, applied.output, "- delete app-0003 (in no file)\n")
	found, err := p.as(t, registry.token).GetClientWithResponse(t.Context(), "app-0003", nil)
	require.NoError(t, err)
	assert.Equal(t, 404, found.StatusCode())
}

// A client that changes between the plan and the update is not overwritten.
func TestApplyDoesNotOverwriteConcurrentChanges(t *testing.T) {
	data := t.TempDir()
	p := start(t, "--dev", "--data", data)
	registry := pipeline{p.URL, adminToken(t, data)}
	admin := p.as(t, registry.token)
	_, err := admin.CreateClientWithResponse(t.Context(), nil, client.CreateClientRequest{
		ClientID: new("app"), Name: new("App"), GrantTypes: &[]string{"client_credentials"},
	})
	require.NoError(t, err)
	file := filepath.Join(data, "app.yaml")
	require.NoError(t, os.WriteFile(file, []byte("client_id: app\nname: Mine\n"), 0o600))

	// The plan is confirmed only after another caller has changed the client.
	command := registry.command("apply", "-f", file)
	terminal := startOnTerminal(t, command)
	terminal.await(t, "[y/N]")
	_, err = admin.UpdateClientWithResponse(context.Background(), "app", nil, client.UpdateClientRequest{Name: new("Theirs")})
	require.NoError(t, err)
	terminal.enter(t, "y\n")
	output := terminal.end(t)
	assert.Equal(t, 1, command.ProcessState.ExitCode())
	assert.Contains(t, output, "the client was changed in the meantime")
	found, err := admin.GetClientWithResponse(t.Context(), "app", nil)
	require.NoError(t, err)
	assert.Equal(t, "Theirs", *found.JSON200.Data.Name)
}

func TestApplyErrors(t *testing.T) {
	data := t.TempDir()
	p := start(t, "--dev", "--data", data)
	write := func(name, text string) string {
		path := filepath.Join(data, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	anonymous := write("anonymous.yaml", "name: App\n")
	misspelt := write("misspelt.yaml", "client_id: app\nlabel: App\n")
	twice := write("twice.yaml", "client_id: app\nname: App\n---\nclient_id: app\nname: App\n")
	broken := write("broken.json", "{")
	good := write("good.yaml", "client_id: app\nname: App\n")
	empty := filepath.Join(data, "empty")
	require.NoError(t, os.Mkdir(empty, 0o700))
	ok := pipeline{p.URL, adminToken(t, data)}
	for name, tt := range map[string]struct {
		in     pipeline
		args   []string
		status int
		want   string
	}{
		"no client_id":         {ok, []string{"-f", anonymous}, 2, "anonymous.yaml:1: apply needs a client_id for each client"},
		"a misspelt field":     {ok, []string{"-f", misspelt}, 2, "misspelt.yaml:2: at /label: "},
		"a duplicate client":   {ok, []string{"-f", twice}, 2, "twice.yaml:4: at /client_id: app is already declared at "},
		"invalid JSON":         {ok, []string{"-f", broken}, 2, "broken.json: cannot be read"},
		"a missing file":       {ok, []string{"-f", "none.yaml"}, 2, "none.yaml: cannot be read: no such file or directory"},
		"an empty folder":      {ok, []string{"-f", empty}, 2, "has no .yaml"},
		"no token":             {pipeline{p.URL, ""}, []string{"-f", good}, 1, "CLIENTELE_TOKEN"},
		"an invalid token":     {pipeline{p.URL, "x"}, []string{"-f", good}, 1, "a valid bearer token is required"},
		"not an administrator": {pipeline{p.URL, token(t, data, "--role", "user")}, []string{"-f", good}, 1, "administrator role required"},
		"no registry":          {pipeline{"http://127.0.0.1:1", "x"}, []string{"-f", good}, 1, "connect: connection refused"},
		"a wrong path":         {pipeline{p.URL + "/healthz", "x"}, []string{"-f", good, "--prune"}, 1, "no such endpoint"},
		"an unsupported URL":   {pipeline{"ftp://x", "x"}, []string{"-f", good}, 1, "CLIENTELE_URL"},
	} {
		t.Run(name, func(t *testing.T) {
			applied := tt.in.run(t, append([]string{"apply", "--yes"}, tt.args...)...)
			assert.Equal(t, tt.status, applied.status, applied.errors)
			assert.Contains(t, applied.errors, tt.want)
		})
	}
}

func TestImportWritesValidFiles(t *testing.T) {
	dir := t.TempDir()
	imported := pipeline{}.run(t, "import", "--from", "keycloak", "../../adapters/clientfile/importer/testdata/keycloak.json", "-o", dir)
	require.Equal(t, 0, imported.status, imported.errors)
	assert.Contains(t, imported.errors, "account: skipped: Keycloak makes this client for itself\n")
	assert.Contains(t, imported.errors, "shop: not converted: redirectUris: https://shop.example.com/* is a pattern; name each redirect URI\n")
	assert.Contains(t, imported.errors, "clients read: 3, ")
	assert.Len(t, files(t, dir), 3)
	checked := pipeline{}.run(t, "check", filepath.Join(dir, "shop.yaml"))
	assert.Equal(t, 0, checked.status, checked.output)
	imported = pipeline{}.run(t, "import", "--from", "hydra", "../../adapters/clientfile/importer/testdata/hydra.json")
	assert.Contains(t, imported.output, "---\nclient_id: auth-code-client\nname: Auth Code Client\n")
	imported = pipeline{}.run(t, "import", "--from", "hydra", "../../README.md")
	assert.Equal(t, 1, imported.status)
	assert.Contains(t, imported.errors, "not of the expected format")
}
