//go:build acceptance

package acceptance_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/cmd/servicetest"
)

// replace edits a file of the copy.
func replace(t *testing.T, path string, edits ...string) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	content := string(text)
	for i := 0; i < len(edits); i += 2 {
		require.Contains(t, content, edits[i], path)
		content = strings.ReplaceAll(content, edits[i], edits[i+1])
	}
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}

// A new field needs only a field of Settings, a row of the table and its schema. The test
// adds one to a copy of the source code. Requests, responses, history, stored documents,
// exports and applied files then have it.
func TestANewFieldAppearsEverywhere(t *testing.T) {
	copied := t.TempDir()
	for name := range strings.FieldsSeq(execute(t, "../..", nil, tool(t, "git", "git"), "ls-files", "--cached", "--others", "--exclude-standard", "*.go", "go.mod", "go.sum", "openapi.yaml", "api/", "adapters/")) {
		text, err := os.ReadFile(filepath.Join("../..", name))
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(copied, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(copied, name), text, 0o600))
	}
	replace(t, filepath.Join(copied, "domain/settings.go"), "\tLogoURL ", "\tSlogan        string\n\tLogoURL ")
	replace(t, filepath.Join(copied, "domain/field.go"), "\tFieldLogoURL\n", "\tFieldSlogan\n\tFieldLogoURL\n")
	replace(t, filepath.Join(copied, "domain/field_table.go"),
		"\tFieldLogoURL: {", "\tFieldSlogan: {name: \"slogan\", about: \"a few words\", at: func(s *Settings) Value { return (*Text)(&s.Slogan) }},\n\tFieldLogoURL: {")
	const logo = "        logo_url:\n"
	replace(t, filepath.Join(copied, "api/openapi.gen.yaml"), logo, "        slogan: {type: string, maxLength: 100}\n"+logo)

	binary := filepath.Join(t.TempDir(), "clientele")
	execute(t, copied, nil, tool(t, "go", "golang"), "build", "-o", binary, "./cmd/clientele")
	data := t.TempDir()
	p, err := servicetest.Start(t.Context(), binary, servicetest.Options{}, "--dev", "--data", data)
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	token, err := servicetest.Token(data)
	require.NoError(t, err)
	do := func(method, path, body string) map[string]any {
		t.Helper()
		request, err := http.NewRequestWithContext(context.Background(), method, p.URL+"/admin/oauth/clients"+path, strings.NewReader(body))
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer "+token)
		if body != "" {
			request.Header.Set("Content-Type", "application/json")
		}
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Less(t, response.StatusCode, 300, string(text))
		var envelope struct{ Data map[string]any }
		require.NoError(t, json.Unmarshal(text, &envelope))
		return envelope.Data
	}
	created := do(http.MethodPost, "", `{"client_id":"app","name":"App","slogan":"one","redirect_uris":["https://a.example/cb"]}`)
	assert.Equal(t, "one", created["slogan"])
	assert.Equal(t, "two", do(http.MethodPut, "/app", `{"slogan":"two"}`)["slogan"])
	assert.Equal(t, "two", do(http.MethodGet, "/app", "")["slogan"])
	history, err := json.Marshal(do(http.MethodGet, "/app/revisions", ""))
	require.NoError(t, err)
	assert.Contains(t, string(history), `{"after":["two"],"before":["one"],"field":"/slogan"}`)

	env := []string{"CLIENTELE_URL=" + p.URL, "CLIENTELE_TOKEN=" + token}
	files := t.TempDir()
	execute(t, ".", env, binary, "export", "--output", files)
	exported := filepath.Join(files, "app.yaml")
	text, err := os.ReadFile(exported)
	require.NoError(t, err)
	assert.Contains(t, string(text), "slogan: two\n")
	replace(t, exported, "slogan: two", "slogan: three")
	execute(t, ".", env, binary, "check", exported)
	execute(t, ".", env, binary, "apply", "--yes", "--file", exported)
	assert.Equal(t, "three", do(http.MethodGet, "/app", "")["slogan"])
	assert.NotContains(t, do(http.MethodPut, "/app", `{"slogan":""}`), "slogan", "an empty field is omitted")
}
