package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/clientele-oauth/clientele/domain"
)

// foreignClientIDs are client_ids as other systems have them, and the ones that are
// most likely to be changed on the way or to share a file name.
func foreignClientIDs() []string {
	return []string{
		"urn:example:app:1", "app@example.com", "app+test@example.com", "team/app", "/team/app/", "//", "a/../b", "../a", "a/.", "...", "-rf", "--help",
		"my app", "a + b", "+", "a+b", ":", "~", "~root", "spiffe://example.com/ns/a", "nul", "con.d", "COM1", "::error::x", "- a", "? a", "a: b", "@a",
		"null", "yes", "1e3", "2026-01-01", "App", "APP", "app", "aPP", "a%", ".hidden", "client-1", strings.Repeat("a/", 127) + "a", strings.Repeat("A", 255),
		strings.Repeat("a", 255), strings.Repeat("a", 254) + "b",
	}
}

// export writes each client to a file of its own whose name is safe, and applying the
// files changes nothing: with client_ids of other systems, on both stores.
func TestClientIDsOfOtherSystemsAreAppliedAndExported(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		p := start(t, append(flags, "--dev", "--data", data)...)
		registry := pipeline{p.URL, adminToken(t, data)}
		var list []map[string]any
		want := map[string]bool{}
		for _, id := range foreignClientIDs() {
			if domain.CheckClientID(domain.ClientID(id)).HasViolations() {
				continue
			}
			want[id] = true
			list = append(list, map[string]any{"client_id": id, "name": "App", "grant_types": []string{"client_credentials"}})
		}
		text, err := json.Marshal(list)
		require.NoError(t, err)
		file := writeFile(t, data, "clients.json", string(text))
		require.Equal(t, 0, registry.run(t, "check", file).status)
		secrets := filepath.Join(data, "secrets.jsonl")
		applied := registry.run(t, "apply", "-f", file, "--yes", "--secrets-file", secrets)
		require.Equal(t, 0, applied.status, applied.errors)
		assert.NotContains(t, "\n"+applied.output+applied.errors, "\n::", "no line is a workflow command")
		lines, err := os.ReadFile(secrets)
		require.NoError(t, err)
		kept := map[string]bool{}
		for line := range strings.Lines(string(lines)) {
			var secret map[string]string
			require.NoError(t, json.Unmarshal([]byte(line), &secret))
			kept[secret["client_id"]] = true
		}
		assert.Equal(t, want, kept)

		dir := filepath.Join(data, "exported")
		exported := registry.run(t, "export", "-o", dir)
		require.Equal(t, 0, exported.status, exported.errors)
		assertSafeFileNames(t, files(t, dir), len(want))
		require.Equal(t, 0, registry.run(t, "check", dir).status)
		again := registry.run(t, "apply", "-f", dir, "--prune", "--dry-run")
		require.Equal(t, 0, again.status, again.output+again.errors)

		api := p.as(t, registry.token)
		for id := range want {
			found, err := api.GetClientWithResponse(t.Context(), id, nil)
			require.NoError(t, err)
			require.NotNil(t, found.JSON200, "%q: %s", id, found.Body)
			assert.Equal(t, id, *found.JSON200.Data.ClientID)
		}
		pruned := registry.run(t, "apply", "-f", writeFile(t, data, "one.yaml", "client_id: app\nname: App\ngrant_types: [client_credentials]\n"), "--prune", "--yes")
		require.Equal(t, 0, pruned.status, pruned.errors)
		assert.Contains(t, pruned.output, "- delete a/../b (in no file)\n")
	})
}

// assertSafeFileNames checks that n files have names that are safe on all file systems
// and command lines, and unique on those that ignore case.
func assertSafeFileNames(t require.TestingT, all map[string]string, n int) {
	seen := map[string]bool{}
	for name, text := range all {
		assert.Regexp(t, `^[A-Za-z0-9%_@][A-Za-z0-9%_@.~-]*\.yaml$`, name)
		assert.NotRegexp(t, `(?i)^(con|prn|aux|nul|com[0-9]|lpt[0-9])\.`, name)
		assert.LessOrEqual(t, len(name), 255, name)
		assert.False(t, seen[strings.ToLower(name)], "%s has the name of another client", name)
		seen[strings.ToLower(name)] = true
		assert.Contains(t, text, "client_id: ")
	}
	assert.Len(t, all, n)
}

// Each client of an import has its own file, whatever the client_ids are.
func TestFileNamesAreUnique(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfNDistinct(rapid.OneOf(
			rapid.SampledFrom(foreignClientIDs()),
			rapid.StringMatching(`[AaBb./ :-]{1,4}`),
			rapid.StringMatching(`[A-Za-z0-9._~:/@+ -]{1,60}`),
			rapid.StringMatching(`.{1,20}`),
		), 1, 200, rapid.ID).Draw(t, "client_ids")
		dir, err := os.MkdirTemp("", "clientele")
		require.NoError(t, err)
		defer os.RemoveAll(dir)
		var list []map[string]string
		for _, id := range ids {
			list = append(list, map[string]string{"client_id": id})
		}
		text, err := json.Marshal(list)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "in.json"), text, 0o600))
		output, err := pipeline{}.command("import", "--from", "rfc7591", filepath.Join(dir, "in.json"), "-o", filepath.Join(dir, "out")).CombinedOutput()
		require.NoError(t, err, "%s", output)
		all := map[string]string{}
		entries, err := os.ReadDir(filepath.Join(dir, "out"))
		require.NoError(t, err)
		for _, entry := range entries {
			text, err := os.ReadFile(filepath.Join(dir, "out", entry.Name()))
			require.NoError(t, err)
			all[entry.Name()] = string(text)
		}
		assertSafeFileNames(t, all, len(ids))
	})
}

// A client_id that ends like the hash in a file name gets a name of its own, although
// the name of another client ignores case.
func TestClientIDThatLooksLikeAFileNameGetsItsOwn(t *testing.T) {
	dir := t.TempDir()
	names := func(ids ...string) []string {
		var list []map[string]string
		for _, id := range ids {
			list = append(list, map[string]string{"client_id": id})
		}
		text, err := json.Marshal(list)
		require.NoError(t, err)
		out := filepath.Join(dir, "out")
		require.NoError(t, os.RemoveAll(out))
		imported := pipeline{}.run(t, "import", "--from", "rfc7591", writeFile(t, dir, "in.json", string(text)), "-o", out)
		require.Equal(t, 0, imported.status, imported.errors)
		var names []string
		for name := range files(t, out) {
			names = append(names, strings.ToLower(strings.TrimSuffix(name, ".yaml")))
		}
		return names
	}
	name := names("A")
	require.Len(t, name, 1)
	both := names("A", name[0])
	require.Len(t, both, 2)
	assert.NotEqual(t, both[0], both[1])
}
