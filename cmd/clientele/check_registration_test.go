package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	oneTenant = `tenants:
  tenant_dev:
    registration: {enabled: true, grants: [authorization_code, client_credentials], scopes: [openid, profile], redirect_hosts: ["*.example.com"]}
    cimd: {mode: allow, hosts: [app.example.com], max_bytes: 200}
`
	twoTenants = `tenants:
  one: {registration: {enabled: true, open: true, statement: optional, issuers: [{iss: i, jwks_uri: "https://keys.example.com"}]}}
  two: {cimd: {mode: any}}
`
	validRequest     = `{"client_name": "Shop", "redirect_uris": ["https://shop.example.com/callback"], "scope": "openid email"}`
	validDocument    = `{"client_id": "https://app.example.com/client", "client_name": "App", "redirect_uris": ["https://app.example.com/cb"]}`
	documentURL      = "--url=https://app.example.com/client"
	machineRequest   = `{"client_name": "Job", "grant_types": ["client_credentials"]}`
	statementRequest = `{"client_name": "Shop", "redirect_uris": ["https://shop.example.com/"], "token_endpoint_auth_method": "none", "software_statement": "x.y.z"}`
)

// folderWith writes files into a new folder and returns it.
func folderWith(t *testing.T, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

func TestCheckRegistration(t *testing.T) {
	dir := folderWith(t, map[string]string{
		"one.yaml": oneTenant, "two.yaml": twoTenants, "broken.yaml": oneTenant + "    x: 1\n", "none.yaml": "tenants: {}\n", "text": "not JSON",
		"request.json": validRequest, "machine.json": machineRequest, "statement.json": statementRequest, "document.json": validDocument,
		"evil.json":    `{"client_name": "Shop",` + "\n" + `"redirect_uris": ["https://shop.example.com.evil.example/"]}`,
		"invalid.json": `{"client_name": 1, "redirect_uris": ["https://shop.example.com/#"]}`,
		"large.json":   strings.Replace(validDocument, "{", "{"+strings.Repeat(" ", 200), 1),
		"secret.json":  strings.Replace(validDocument, "{", `{"client_secret": "s", `, 1),
		"narrow.yaml":  "scopes: [profile]\n", "wide.yaml": "max_clients: 5\nscopes: [email]\n", "unknown.yaml": "max_clients: 5\nopen: true\n", "list.yaml": "[]",
	})
	for name, row := range map[string]struct {
		args   string
		status int
		want   string // in the output
	}{
		"a valid file":                 {"one.yaml", 0, "one.yaml: valid, 1 tenant\ntenant_dev: registration with an initial access token, 0 issuers of software statements, client ID metadata documents allow\n"},
		"two tenants":                  {"two.yaml", 0, "one: open registration, 1 issuer of software statements, client ID metadata documents off\ntwo: registration off"},
		"a file with a fault":          {"broken.yaml", 1, ""},
		"a missing file":               {"missing.yaml", 2, ""},
		"standard input":               {"-", 0, "-: valid, 1 tenant"},
		"a request":                    {"one.yaml --request request.json", 0, `"scope": "openid"`},
		"a value that is left out":     {"one.yaml --request request.json", 0, "request.json:1: warning at /scope: \"email\" is left out"},
		"a request without redirects":  {"one.yaml --request machine.json", 0, "machine.json: accepted for tenant_dev"},
		"a host beyond the policy":     {"one.yaml --request evil.json", 1, "evil.json:2: violation at /redirect_uris/0: "},
		"violations of two kinds":      {"one.yaml --request invalid.json", 1, "violation at /client_name: "},
		"a text that is not JSON":      {"one.yaml --request text", 1, "violation at /: the request is not"},
		"a missing request":            {"one.yaml --request missing.json", 2, ""},
		"a token":                      {"one.yaml --request request.json --token-policy narrow.yaml", 1, "violation at /scope"},
		"a token beyond the tenant":    {"one.yaml --request request.json --token-policy wide.yaml", 1, ""},
		"a token with an unknown key":  {"one.yaml --request request.json --token-policy unknown.yaml", 1, ""},
		"a token that is a list":       {"one.yaml --request request.json --token-policy list.yaml", 1, ""},
		"a missing token":              {"one.yaml --request request.json --token-policy missing", 2, ""},
		"a statement without issuers":  {"one.yaml --request statement.json", 1, "violation at /software_statement: software statements are not accepted"},
		"a statement":                  {"two.yaml --tenant one --request statement.json", 0, "warning at /software_statement: the software statement is not verified here"},
		"an open registration":         {"two.yaml --tenant one --request machine.json", 1, "violation at /grant_types"},
		"a tenant that is off":         {"two.yaml --tenant two --request request.json", 1, "registration is switched off"},
		"no choice of the tenant":      {"two.yaml --request request.json", 2, ""},
		"no tenant":                    {"none.yaml --request request.json", 2, ""},
		"an unknown tenant":            {"two.yaml --tenant three --request request.json", 2, ""},
		"a document":                   {"one.yaml --document document.json " + documentURL, 0, `"client_id": "https://app.example.com/client"`},
		"a document of another host":   {"one.yaml --document document.json --url https://other.example.com/client", 1, "the tenant does not admit"},
		"a document of another URL":    {"one.yaml --document document.json --url https://app.example.com/other", 1, "violation at /client_id: "},
		"a malformed URL":              {"one.yaml --document document.json --url http://app.example.com/client", 1, "cimd-url"},
		"a document that is too large": {"one.yaml --document large.json " + documentURL, 1, "at most 200 are allowed"},
		"a document with a secret":     {"one.yaml --document secret.json " + documentURL, 1, "cimd-secret"},
		"a document that is not JSON":  {"one.yaml --document text " + documentURL, 1, "violation at /: the document"},
		"a document without cimd":      {"two.yaml --tenant one --document document.json " + documentURL, 1, "the tenant does not admit"},
		"a request and a document":     {"one.yaml --request request.json --document document.json " + documentURL, 0, "document.json: accepted"},

		"a document without a URL":      {"one.yaml --document document.json", 2, ""},
		"a URL without a document":      {"one.yaml " + documentURL, 2, ""},
		"a tenant without effect":       {"one.yaml --tenant tenant_dev", 2, ""},
		"a token without effect":        {"one.yaml --token-policy narrow.yaml", 2, ""},
		"two files from standard input": {"- --request -", 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			output, status := clientele(t, dir, oneTenant, append([]string{"check-registration"}, strings.Fields(row.args)...)...)
			assert.Equal(t, row.status, status, output)
			assert.Contains(t, output, row.want)
		})
	}
}

func TestCheckRegistrationNamesTheLineAndTheKey(t *testing.T) {
	dir := folderWith(t, map[string]string{"one.yaml": oneTenant, "broken.yaml": oneTenant + "    x: 1\n", "request.json": validRequest, "wide.yaml": "max_clients: 5\nscopes: [email]\n"})
	for args, want := range map[string]string{
		"broken.yaml": "clientele: broken.yaml:5: /tenants/tenant_dev/x: unknown key; known: registration, cimd\n",
		"one.yaml --request request.json --token-policy wide.yaml": "clientele: wide.yaml:2: /scopes: ",
	} {
		t.Chdir(dir)
		assert.Contains(t, failing(t, append([]string{"check-registration"}, strings.Fields(args)...)...), want)
	}
}

func TestCheckRegistrationPrintsJSON(t *testing.T) {
	dir := folderWith(t, map[string]string{"one.yaml": oneTenant, "request.json": validRequest, "document.json": "{}"})
	output, status := clientele(t, dir, "", "check-registration", "one.yaml", "--format", "json", "--request", "request.json", "--document", "document.json", documentURL)
	assert.Equal(t, 1, status)
	var result struct {
		File    string
		Tenants []map[string]any
		Checks  []struct {
			File                 string
			Compliant            bool
			Violations, Warnings []struct {
				Field, Rule string
				Line        int
			}
			Client map[string]any
		}
	}
	require.NoError(t, json.Unmarshal([]byte(output), &result), output)
	assert.Equal(t, "one.yaml", result.File)
	assert.Equal(t, []map[string]any{{"tenant_id": "tenant_dev", "registration": true, "open": false, "issuers": 0.0, "cimd": "allow"}}, result.Tenants)
	require.Len(t, result.Checks, 2)
	assert.True(t, result.Checks[0].Compliant)
	assert.Equal(t, "Shop", result.Checks[0].Client["client_name"])
	assert.Equal(t, "openid", result.Checks[0].Client["scope"])
	assert.Equal(t, []any{"code"}, result.Checks[0].Client["response_types"], "as in a response")
	require.Len(t, result.Checks[0].Warnings, 1)
	assert.Equal(t, "/scope", result.Checks[0].Warnings[0].Field)
	assert.False(t, result.Checks[1].Compliant)
	assert.Nil(t, result.Checks[1].Client)
	assert.NotEmpty(t, result.Checks[1].Violations)
}
