package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api/client"
)

// Without --force, export and import do not replace a file with different content. They
// never follow or replace a symbolic link.
func TestFilesAreNotOverwritten(t *testing.T) {
	data := t.TempDir()
	p := start(t, "--dev", "--data", data)
	registry := pipeline{p.URL, adminToken(t, data)}
	_, err := p.as(t, registry.token).CreateClientWithResponse(t.Context(), nil, client.CreateClientRequest{
		ClientID: new("app"), Name: new("App"), GrantTypes: &[]string{"client_credentials"},
	})
	require.NoError(t, err)
	hydra := filepath.Join(data, "hydra.json")
	require.NoError(t, os.WriteFile(hydra, []byte(`[{"client_id": "app"}]`), 0o600))
	for name, args := range map[string][]string{"export": {"export"}, "import": {"import", "--from", "hydra", hydra}} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(data, name)
			args = append(args, "-o", dir)
			require.Equal(t, 0, registry.run(t, args...).status)
			path := filepath.Join(dir, "app.yaml")
			info, err := os.Stat(path)
			require.NoError(t, err)
			assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
			require.Equal(t, 0, registry.run(t, args...).status, "the same content is no conflict")

			require.NoError(t, os.WriteFile(path, []byte("mine"), 0o600))
			ended := registry.run(t, args...)
			assert.Equal(t, 1, ended.status)
			assert.Contains(t, ended.errors, path+": exists with different content; use --force to replace it")
			assert.Equal(t, map[string]string{"app.yaml": "mine"}, files(t, dir))
			ended = registry.run(t, append(args, "--force")...)
			assert.Equal(t, 0, ended.status, ended.errors)
			assert.Contains(t, files(t, dir)["app.yaml"], "client_id: app\n")

			outside := filepath.Join(data, name+"-outside")
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.Symlink(outside, path))
			for _, args := range [][]string{args, append(args, "--force")} {
				ended = registry.run(t, args...)
				assert.Equal(t, 1, ended.status)
				assert.Contains(t, ended.errors, path+": exists and is not a regular file")
				assert.NoFileExists(t, outside)
			}
		})
	}
}

// A client without a client_id gets a file name that no other client of the export has.
func TestClientsWithoutAnIDGetUniqueFileNames(t *testing.T) {
	dir := t.TempDir()
	input := filepath.Join(dir, "in.json")
	require.NoError(t, os.WriteFile(input, []byte(`[{"client_name": "unnamed"}, {"client_id": "client-1", "client_name": "named"}, {"client_name": "unnamed"}, {"client_id": "client-1"}]`), 0o600))
	imported := pipeline{}.run(t, "import", "--from", "rfc7591", input, "-o", filepath.Join(dir, "out"))
	assert.Equal(t, 1, imported.status)
	assert.Contains(t, imported.errors, "error: client-1: the client_id is there twice; only the first client is converted\n")
	all := files(t, filepath.Join(dir, "out"))
	assert.Len(t, all, 3)
	assert.Contains(t, all["client-1.yaml"], "name: named")
	page := pipeline{}.run(t, "import", "--from", "hydra", writeFile(t, dir, "page.json", `{"items": [{"client_id": "a"}], "next_page_token": "x"}`))
	assert.Equal(t, 1, page.status)
	assert.Contains(t, page.errors, "error: this is one page of several (next_page_token); export the other pages as well\n")
}

func writeFile(t *testing.T, dir, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// Secrets are not written to a file that others can read, or through a link.
func TestSecretsAreWrittenOnlyToPrivateFiles(t *testing.T) {
	data := t.TempDir()
	p := start(t, "--dev", "--data", data)
	registry := pipeline{p.URL, adminToken(t, data)}
	file := writeFile(t, data, "app.yaml", "client_id: app\nname: App\ngrant_types: [client_credentials]\n")
	readable := writeFile(t, data, "readable", "")
	require.NoError(t, os.Chmod(readable, 0o644))
	link := filepath.Join(data, "link")
	require.NoError(t, os.Symlink(filepath.Join(data, "elsewhere"), link))
	for path, want := range map[string]string{
		readable: "can be read by others (mode 0644); run chmod 600 on it", link: "is a symbolic link", data: "is a directory",
	} {
		applied := registry.run(t, "apply", "-f", file, "--yes", "--secrets-file", path)
		assert.Equal(t, 1, applied.status)
		assert.Contains(t, applied.errors, want)
		found, err := p.as(t, registry.token).GetClientWithResponse(t.Context(), "app", nil)
		require.NoError(t, err)
		assert.Equal(t, 404, found.StatusCode(), "nothing is changed if the secrets cannot be saved")
	}
	assert.NoFileExists(t, filepath.Join(data, "elsewhere"))
}

// Only their owner can access the files in a data directory, with any umask and even if an
// older version created them with another mode.
func TestTheDataDirectoryIsPrivate(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	modes := func() map[string]string {
		found := map[string]string{}
		require.NoError(t, filepath.WalkDir(data, func(_ string, entry os.DirEntry, err error) error {
			require.NoError(t, err)
			info, err := entry.Info()
			require.NoError(t, err)
			found[entry.Name()] = info.Mode().Perm().String()
			return nil
		}))
		return found
	}
	want := map[string]string{
		"data": "-rwx------", "clientele.db": "-rw-------", "clientele.db-wal": "-rw-------", "clientele.db-shm": "-rw-------", "clientele.db.migrating": "-rw-------",
		"signing-key.json": "-rw-------", "admin.token": "-rw-------",
	}
	run := func() map[string]string {
		p := start(t, "--dev", "--data", data)
		create(t, p.as(t, adminToken(t, data)))
		defer p.Kill() // not a shutdown, which would remove the write-ahead log
		return modes()
	}
	assert.Equal(t, want, run())
	for name := range want {
		if name != "data" {
			require.NoError(t, os.Chmod(filepath.Join(data, name), 0o644))
		}
	}
	assert.Equal(t, want, run())

	other := filepath.Join(t.TempDir(), "other")
	output, err := exec.Command("sh", "-c", `umask 0; "$0" migrate --data "$1"`, binary, other).CombinedOutput()
	require.NoError(t, err, string(output))
	info, err := os.Stat(filepath.Join(other, "clientele.db"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

// Text from files, other systems and servers cannot control a terminal or the log of a
// pipeline.
func TestCommandsEscapeUntrustedText(t *testing.T) {
	data := t.TempDir()
	p := start(t, "--dev", "--data", data)
	registry := pipeline{p.URL, adminToken(t, data)}
	hostile := "::error::\x1b[31m##[error]"
	encoded := `::error::\u001b[31m##[error]\n::error::x`
	dir := filepath.Join(data, hostile)
	require.NoError(t, os.Mkdir(dir, 0o700))
	hydra := writeFile(t, data, "hydra.json", `{"client_id": "`+encoded+`", "client_name": "`+encoded+`", "`+encoded+`": "x"}`)
	bad := writeFile(t, dir, hostile+".json", `{"client_id": "`+encoded+`", "name": "`+encoded+`", "`+encoded+`": 1}`)
	good := writeFile(t, dir, "good.json", `{"client_id": "a", "name": "`+strings.ReplaceAll(encoded, `\n`, " ")+`", "grant_types": ["`+encoded+`"]}`)
	for _, args := range [][]string{
		{"check", bad, good},
		{"check", "--format", "json", bad, good},
		{"check", "--format", "sarif", bad, good},
		{"apply", "-f", bad, "--yes"},
		{"apply", "-f", good, "--yes"},
		{"apply", "-f", filepath.Join(dir, hostile)},
		{"import", "--from", "hydra", hydra},
		{"import", "--from", "hydra", hydra, "-o", dir},
		{"import", "--from", "hydra", bad + "x"},
		{"export", "-o", bad},
		{hostile},
		{"check", "--" + hostile},
		{"apply", "-f", good, "--url", hostile},
		{"apply", "-f", good, "--token-file", bad + "x"},
		{"token", "--data", dir},
		{"check", "--format", hostile, good},
	} {
		command := registry.command(args...)
		command.Dir = data
		output, _ := command.CombinedOutput()
		require.NotEmpty(t, output, args)
		for _, dangerous := range []string{"\x1b", "##["} {
			assert.NotContains(t, string(output), dangerous, args)
		}
		for line := range strings.Lines(string(output)) {
			assert.False(t, strings.HasPrefix(strings.TrimSpace(line), "::"), "%q: %s", args, line)
		}
	}
}

// If the connection or the token prevents a plan, the error names no client.
func TestConnectionErrorsNameNoClient(t *testing.T) {
	data := t.TempDir()
	p := start(t, "--dev", "--data", data)
	file := writeFile(t, data, "app.yaml", "client_id: unaffected\nname: App\ngrant_types: [client_credentials]\n")
	for name, registry := range map[string]pipeline{
		"no registry":          {"http://127.0.0.1:1", "x"},
		"an invalid token":     {p.URL, "x"},
		"not an administrator": {p.URL, token(t, data, "--role", "user")},
		"a wrong path":         {p.URL + "/healthz", "x"},
	} {
		applied := registry.run(t, "apply", "-f", file, "--yes")
		assert.Equal(t, 1, applied.status, name)
		assert.NotContains(t, strings.ReplaceAll(applied.errors, "/clients/unaffected", ""), "unaffected", name)
	}
}
