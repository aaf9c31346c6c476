package main_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// clientele runs a subcommand in dir and returns its standard output and its exit
// status.
func clientele(t *testing.T, dir, input string, args ...string) (output string, status int) {
	t.Helper()
	command := exec.Command(binary, args...)
	command.Dir = dir
	command.Stdin = strings.NewReader(input)
	printed, err := command.Output()
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(printed), ended.ExitCode()
	}
	require.NoError(t, err)
	return string(printed), 0
}

const (
	validClient    = `{"name": "Shop", "redirect_uris": ["https://shop.example.com/callback"]}`
	rejectedClient = "name: Shop\nredirect_uris:\n  - https://shop.example.com/callback#\n"
	fapiClient     = `{"name": "Shop", "redirect_uris": ["https://shop.example.com/callback"], "client_auth_methods": ["tls_client_auth"],
		"tls_client_auth_san_dns": "shop.example.com", "fapi_profile": "fapi2-security"}`
	warnedClient = `{"name": "Shop", "is_confidential": false, "redirect_uris": ["http://localhost/callback"]}`
)

func TestCheckExitStatus(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("valid.json", validClient)
	write("rejected.yaml", rejectedClient)
	write("broken.json", `{"name": `)
	write("warned.json", warnedClient)
	tests := []struct {
		name   string
		input  string
		args   []string
		status int
		want   string
	}{
		{"a valid client", "", []string{"valid.json"}, 0, "1 client checked, 0 rejected: 0 violations, 0 warnings"},
		{"a warning only", "", []string{"warned.json"}, 0, "warned.json:1: warning at /redirect_uris/0: "},
		{"a rejected client", "", []string{"valid.json", "rejected.yaml"}, 1, "rejected.yaml:3: violation at /redirect_uris/0: "},
		{"a broken file", "", []string{"rejected.yaml", "broken.json"}, 2, "broken.json:1: cannot be read: this is not JSON"},
		{"a missing file", "", []string{"valid.json", "none.json"}, 2, "none.json: cannot be read: no such file or directory"},
		{"standard input", rejectedClient, []string{"-"}, 1, "-:3: violation at /redirect_uris/0: "},
		{"a profile", validClient, []string{"-", "--profile", "fapi2-security"}, 1, "auth-method-fapi"},
		{"an unknown profile", validClient, []string{"-", "--profile", "fapi3"}, 2, ""},
		{"no file", "", nil, 2, ""},
		{"declarations", fapiClient, []string{"-"}, 0, "warning at /require_pkce: "},
		{"required declarations", fapiClient, []string{"-", "--declarations", "require"}, 1, "violation at /require_pkce: "},
		{"an unknown policy for declarations", fapiClient, []string{"-", "--declarations", "maybe"}, 2, ""},
		{"an extension grant", `{"name": "Shop", "grant_types": ["urn:example:grant"]}`, []string{"-", "--grant-type", "urn:example:grant"}, 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			output, status := clientele(t, dir, tt.input, append([]string{"check"}, tt.args...)...)
			assert.Equal(t, tt.status, status, output)
			assert.Contains(t, output, tt.want)
		})
	}
}

func TestCheckUsesTheNetworkOnlyWithFetchKeys(t *testing.T) {
	input := `{"name": "Shop", "redirect_uris": ["https://shop.example.com/cb"], "client_auth_methods": ["private_key_jwt"],
		"fapi_profile": "fapi2-security", "jwks_uri": "https://keys.invalid/jwks.json"}`
	output, status := clientele(t, t.TempDir(), input, "check", "-")
	assert.Equal(t, 0, status, output)
	output, status = clientele(t, t.TempDir(), input, "check", "-", "--fetch-keys")
	assert.Equal(t, 1, status, output)
	assert.Contains(t, output, "jwks-uri-unreachable")
}

func TestCheckJSON(t *testing.T) {
	input := warnedClient + "\n" + `{"client_id": "app-1", "name": "Two", "redirect_uris": ["https://a.example/#x"]}`
	output, status := clientele(t, t.TempDir(), input, "check", "-", "--format", "json")
	assert.Equal(t, 1, status)
	var found struct {
		Clients []struct {
			File                 string
			Line                 int
			ClientID             string `json:"client_id"`
			Compliant            bool
			Violations, Warnings []struct {
				Field, Rule, Message, Source string
				Line                         int
			}
		}
		Summary map[string]int
	}
	require.NoError(t, json.Unmarshal([]byte(output), &found))
	require.Len(t, found.Clients, 2)
	assert.True(t, found.Clients[0].Compliant)
	assert.NotEmpty(t, found.Clients[0].Warnings)
	assert.Equal(t, "app-1", found.Clients[1].ClientID)
	require.Len(t, found.Clients[1].Violations, 1)
	assert.Equal(t, "redirect-uri-fragment", found.Clients[1].Violations[0].Rule)
	assert.Equal(t, 2, found.Clients[1].Violations[0].Line)
	assert.Equal(t, 1, found.Summary["refused"])
}

// Code scanning reads these parts of SARIF 2.1.0: the rules, and results with their rule
// and location.
func TestCheckSARIF(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a client.yaml"), []byte(rejectedClient+"surprise: 1\n"), 0o600))
	contract, status := clientele(t, dir, "", "check", "a client.yaml", "--format", "sarif")
	assert.Equal(t, 1, status)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a client.yaml"), []byte(rejectedClient), 0o600))
	rules, _ := clientele(t, dir, "{", "check", "a client.yaml", "-", "--format", "sarif")

	for text, want := range map[string]string{contract: "contract", rules: "redirect-uri-fragment"} {
		var log struct {
			Version string
			Runs    []struct {
				Tool struct {
					Driver struct {
						Name  string
						Rules []struct{ ID string }
					}
				}
				Invocations []struct{ ExecutionSuccessful bool }
				Results     []struct {
					RuleID    string
					RuleIndex int
					Level     string
					Message   struct{ Text string }
					Locations []struct {
						PhysicalLocation struct {
							ArtifactLocation struct{ URI string }
							Region           struct{ StartLine int }
						}
					}
				}
			}
		}
		require.NoError(t, json.Unmarshal([]byte(text), &log))
		assert.Equal(t, "2.1.0", log.Version)
		require.Len(t, log.Runs, 1)
		run := log.Runs[0]
		require.Len(t, run.Results, 1)
		result := run.Results[0]
		assert.Equal(t, want, result.RuleID)
		assert.Equal(t, want, run.Tool.Driver.Rules[result.RuleIndex].ID)
		assert.Equal(t, "error", result.Level)
		assert.NotEmpty(t, result.Message.Text)
		location := result.Locations[0].PhysicalLocation
		assert.Equal(t, "a%20client.yaml", location.ArtifactLocation.URI)
		assert.Equal(t, map[string]int{"contract": 4, "redirect-uri-fragment": 3}[want], location.Region.StartLine)
		assert.Equal(t, want == "contract", run.Invocations[0].ExecutionSuccessful)
	}
}

// The rules are published in three places, with the same content.
func TestTheRulesAreTheSameEverywhere(t *testing.T) {
	dir := t.TempDir()
	type list struct{ Rules []map[string]any }

	printed, status := clientele(t, dir, "", "rules", "--format", "json")
	require.Zero(t, status)
	var fromCommand list
	require.NoError(t, json.Unmarshal([]byte(printed), &fromCommand))
	require.NotEmpty(t, fromCommand.Rules)

	data := filepath.Join(dir, "data")
	p := start(t, "--dev", "--data", data)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+"/admin/oauth/rules", nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+adminToken(t, data))
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	var fromAPI struct{ Data list }
	require.NoError(t, json.NewDecoder(response.Body).Decode(&fromAPI))
	assert.Equal(t, fromCommand.Rules, fromAPI.Data.Rules)

	page, err := os.ReadFile("../../docs/rules.md")
	require.NoError(t, err)
	table, _ := clientele(t, dir, "", "rules")
	inPage := regexp.MustCompile("(?m)^\\| `([a-z0-9_-]+)`").FindAllStringSubmatch(string(page), -1)
	inTable := strings.Split(strings.TrimSpace(table), "\n")[1:]
	require.Len(t, inPage, len(fromCommand.Rules))
	require.Len(t, inTable, len(fromCommand.Rules))
	for i, rule := range fromCommand.Rules {
		assert.Equal(t, rule["id"], inPage[i][1])
		assert.Equal(t, rule["id"], strings.Fields(inTable[i])[0])
	}
}
