package main_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/clientele-oauth/clientele"

// list returns the words that "go list" prints: usually one package per line.
func list(t *testing.T, args ...string) []string {
	t.Helper()
	output, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	require.NoError(t, err)
	return strings.Fields(string(output))
}

// imports returns the direct imports of each package that matches the pattern.
func imports(t *testing.T, pattern string) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, pkg := range list(t, module+pattern) {
		all[strings.TrimPrefix(pkg, module)] = list(t, "-f", `{{join .Imports "\n"}}`, pkg)
	}
	return all
}

func TestTheDomainImportsOnlyTheStandardLibrary(t *testing.T) {
	outside := list(t, "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", module+"/domain/...")
	assert.Equal(t, []string{module + "/domain"}, outside)
	for _, pkg := range imports(t, "/domain/...")["/domain"] {
		assert.NotContains(t, []string{"context", "database/sql", "encoding/json", "log", "log/slog", "math/rand", "math/rand/v2", "net/http", "os"}, pkg,
			"the domain does no I/O")
	}
}

func TestTheApplicationImportsOnlyTheDomain(t *testing.T) {
	outside := list(t, "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", module+"/application", module+"/application/declare", module+"/application/push")
	assert.ElementsMatch(t, []string{module + "/application", module + "/application/declare", module + "/application/push", module + "/domain"}, outside)
	for suite, ports := range map[string][]string{
		"/application/storetest": {"/application", "/domain"}, "/application/push/pushtest": {"/application", "/application/push", "/domain"},
	} {
		for _, pkg := range imports(t, suite)[suite] {
			if ours, ok := strings.CutPrefix(pkg, module); ok {
				assert.Contains(t, ports, ours, "the conformance suite uses only the ports")
			}
		}
	}
	for _, user := range []string{"/application/declare", "/application/push"} {
		assert.NotContains(t, imports(t, "/application")["/application"], module+user, "it depends on application, not the reverse")
	}
}

// An adapter may import the application, the domain, the code that adapters share
// (adapters/internal) and its own packages.
func TestAdaptersDoNotImportEachOther(t *testing.T) {
	for pkg, imported := range imports(t, "/adapters/...") {
		adapter := strings.Join(strings.SplitN(pkg, "/", 4)[:3], "/")
		for _, path := range imported {
			ours, ok := strings.CutPrefix(path, module+"/adapters/")
			if !ok {
				continue
			}
			name, _, _ := strings.Cut(ours, "/")
			assert.True(t, name == "internal" || "/adapters/"+name == adapter, "%s imports adapters/%s", pkg, ours)
		}
	}
}

// Authorization servers import the mirror, so it brings nothing with it but the client.
func TestTheMirrorImportsOnlyTheClient(t *testing.T) {
	for _, pkg := range imports(t, "/api/mirror")["/api/mirror"] {
		if pkg != module+"/api/client" {
			assert.Equal(t, []string{pkg}, list(t, "-f", "{{if .Standard}}{{.ImportPath}}{{end}}", pkg), "the mirror imports %s", pkg)
		}
	}
}

func TestLibrariesAreUsedOnlyByTheirPackages(t *testing.T) {
	users := map[string][]string{
		"github.com/lestrrat-go/jwx":    {"/adapters/tokens"},
		"github.com/jackc/pgx":          {"/adapters/postgres", "/adapters/telemetry"},
		"modernc.org/sqlite":            {"/adapters/sqlite"},
		"github.com/go-chi/chi":         {"/adapters/rest", "/adapters/telemetry", "/api"},
		"github.com/prometheus":         {"/adapters/telemetry"},
		"go.opentelemetry.io":           {"/adapters/telemetry"},
		"github.com/getkin/kin-openapi": {"/adapters/rest", "/adapters/internal/contract", "/api"},
		module + "/api": {
			"/adapters/rest", "/adapters/clientfile", "/adapters/apiclient", "/adapters/report", "/adapters/statements", "/adapters/internal/contract",
			"/adapters/internal/metadata/self",
		},
		module + "/api/client":            {"/adapters/apiclient", "/api/mirror", "/cmd/", "/docs/clients/"},
		"github.com/alecthomas/kong":      {"/cmd/"},
		"github.com/pressly/goose":        {"/adapters/postgres", "/adapters/sqlite"},
		"github.com/oapi-codegen/runtime": {"/api"},
		"github.com/stretchr/testify":     {"/application/storetest", "/application/push/pushtest"},
		"github.com/go-json-experiment/json": {
			"/adapters/internal/", "/adapters/credentials", "/adapters/jwks", "/adapters/tokens", "/adapters/rest", "/adapters/clientfile", "/adapters/statements",
		},
		"github.com/mailru/easyjson": {"/adapters/internal/document"},
		"go.yaml.in/yaml":            {"/adapters/clientfile", "/adapters/secretsfile", "/adapters/internal/settingsfile"},
	}
	for pkg, imported := range imports(t, "/...") {
		for _, path := range imported {
			for library, allowed := range users {
				if path == module+"/api/client" && library == module+"/api" {
					continue // the generated client has its own entry
				}
				if path != library && !strings.HasPrefix(path, library+"/") || strings.HasPrefix(pkg, "/cmd/clientele-") { // test tools may use all of them
					continue
				}
				assert.True(t, slices.ContainsFunc(allowed, func(prefix string) bool { return strings.HasPrefix(pkg, prefix) }),
					"%s imports %s", pkg, path)
			}
		}
	}
}

func TestTheProgramContainsNoTestCode(t *testing.T) {
	for _, pkg := range list(t, "-deps", module+"/cmd/clientele") {
		assert.NotEqual(t, "testing", pkg)
		assert.NotContains(t, pkg, "testify")
		assert.NotContains(t, pkg, "storetest")
		assert.NotContains(t, pkg, "pushtest")
		assert.NotContains(t, pkg, "hydratest")
		assert.NotContains(t, pkg, "keycloaktest")
		assert.NotContains(t, pkg, "adapters/memory")
		assert.NotContains(t, pkg, "pgtest")
		assert.NotContains(t, pkg, "cmd/servicetest")
	}
}
