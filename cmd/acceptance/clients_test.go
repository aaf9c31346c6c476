//go:build acceptance

package acceptance_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	document = "../../openapi.yaml"
	programs = "../../docs/clients"
)

// wantOutput is the output of the program in every language.
const wantOutput = `created "1"
updated "2" https://app.example.com/logo.png
record [code] 900 gold
rejected /redirect_uris/0 redirect-uri-fragment
rejected /grant_types/1 grant-type-unknown
listed 4
`

// project copies a program and openapi.yaml to a temporary folder.
func project(t *testing.T, language string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join(programs, language))))
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "openapi.yaml"), text, 0o600))
	return dir
}

// checkOutput runs a program against a service on each store and checks its output.
func checkOutput(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	onBothStores(t, func(t *testing.T, url, token string) {
		output := execute(t, dir, []string{"CLIENTELE_URL=" + url, "CLIENTELE_TOKEN=" + token}, name, args...)
		assert.Equal(t, wantOutput, strings.ReplaceAll(output, "\x1b[0m", "")) // Maven always resets colours
	})
}

// complaint matches warnings and errors of a generator or a compiler.
var complaint = regexp.MustCompile(`(?i)\b(warn|warning|warnings|error)\b`)

func assertNoComplaint(t *testing.T, output string) {
	t.Helper()
	for line := range strings.Lines(output) {
		assert.NotRegexp(t, complaint, line)
	}
}

func TestGo(t *testing.T) {
	dir := t.TempDir()
	execute(t, programs+"/go", nil, "go", "build", "-o", filepath.Join(dir, "example"), ".")
	checkOutput(t, dir, filepath.Join(dir, "example"))
}

func TestTypeScript(t *testing.T) {
	npm, npx := tool(t, "npm", "npm"), tool(t, "npx", "npm")
	dir := project(t, "typescript")
	execute(t, dir, nil, npm, "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
	assertNoComplaint(t, execute(t, dir, []string{"npm_config_loglevel=error"}, npx, "openapi-typescript", "openapi.yaml", "--output", "clientele.d.ts"))
	execute(t, dir, nil, npx, "tsc")
	checkOutput(t, dir, tool(t, "node", "nodejs"), "main.js")
}

func TestPython(t *testing.T) {
	bin := python(t, programs+"/python/requirements.txt")
	dir := project(t, "python")
	env := []string{"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"), "PYTHONPATH=" + filepath.Join(dir, "generated"), "MYPYPATH=" + filepath.Join(dir, "generated")}
	assertNoComplaint(t, execute(t, dir, env, filepath.Join(bin, "openapi-python-client"), "generate", "--config", "config.yaml", "--path", "openapi.yaml", "--output-path", "generated"))
	execute(t, dir, env, filepath.Join(bin, "mypy"), "--strict", "main.py")
	t.Setenv("PYTHONPATH", filepath.Join(dir, "generated"))
	checkOutput(t, dir, filepath.Join(bin, "python"), "main.py")
}

func TestJava(t *testing.T) {
	mvn := tool(t, "mvn", "maven default-jdk-headless")
	dir := project(t, "java")
	output := execute(t, dir, nil, mvn, "--batch-mode", "--no-transfer-progress", "compile")
	for line := range strings.Lines(output) {
		if strings.Contains(line, "[WARNING]") {
			assert.NotContains(t, line, "openapi", "a warning about openapi.yaml or the generated code")
		}
	}
	checkOutput(t, dir, mvn, "--batch-mode", "--quiet", "exec:java")
}
