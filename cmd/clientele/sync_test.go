package main_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/hydra/hydratest"
	"github.com/clientele-oauth/clientele/api/client"
)

// startHydra starts a stand-in for Hydra.
func startHydra(t *testing.T) *hydratest.Server {
	t.Helper()
	server := hydratest.Start()
	t.Cleanup(server.Close)
	return server
}

// synced runs "clientele sync", and returns what it prints on both outputs.
func synced(t *testing.T, args ...string) (output, errors string, status int) {
	t.Helper()
	command := exec.Command(binary, append([]string{"sync"}, args...)...)
	var out, failed strings.Builder
	command.Stdout, command.Stderr = &out, &failed
	_ = command.Run()
	return out.String(), failed.String(), command.ProcessState.ExitCode()
}

// backgroundSync runs "clientele sync" until the test ends.
type backgroundSync struct {
	*exec.Cmd

	admin string // the URL of the admin listener
}

func startSync(t *testing.T, args ...string) *backgroundSync {
	t.Helper()
	s := &backgroundSync{Cmd: exec.Command(binary, append([]string{"sync", "--admin-listen", "127.0.0.1:0"}, args...)...)}
	log, err := s.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, s.Start())
	t.Cleanup(func() {
		_ = s.Process.Kill()
		_ = s.Wait()
	})
	address := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(log)
		for lines.Scan() {
			var line struct{ Operators string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Operators != "" {
				address <- "http://" + line.Operators
			}
		}
	}()
	select {
	case s.admin = <-address:
	case <-time.After(time.Minute):
		require.Fail(t, "the admin listener did not start")
	}
	return s
}

// metrics returns the metrics of a process that pushes.
func (s *backgroundSync) metrics(t *testing.T) string {
	t.Helper()
	response, err := http.Get(s.admin + "/metrics")
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(text)
}

func eventually(t *testing.T, condition func() bool, what string) {
	t.Helper()
	require.Eventually(t, condition, 30*time.Second, 10*time.Millisecond, what)
}

// registerMachine registers a client that uses a secret, and returns the secret.
func registerMachine(t *testing.T, c *client.ClientWithResponses, id string) string {
	t.Helper()
	created, err := c.CreateClientWithResponse(t.Context(), nil, client.CreateClientRequest{
		ClientID: &id, Name: new("Machine"), GrantTypes: &[]string{"client_credentials"}, Scopes: &[]string{"payments"},
	})
	require.NoError(t, err)
	require.NotNil(t, created.JSON201, string(created.Body))
	return *created.JSON201.Data.ClientSecret
}

func TestSync(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		hydra := startHydra(t)
		p := start(t, append(flags, "--dev", "--data", data)...)
		admin := p.as(t, adminToken(t, data))
		secret := registerMachine(t, admin, "batch")
		flags = append(flags, "--data", data, "--tenant", "tenant_dev")
		target := append(slices.Clone(flags), "--to", "hydra", "--target", hydra.URL)

		output, _, status := synced(t, append(target, "--dry-run")...)
		assert.Equal(t, 3, status)
		assert.Contains(t, output, "+ create batch\n")
		assert.Contains(t, output, "no hash. After a rotation these keep the old secret until its grace period ends, and stop working then unless the new value is in the secrets file: 1 client (batch)\n")
		assert.Zero(t, hydra.Len(), "a dry run pushes nothing")

		// Without the value of its secret, the client is there, and cannot use it.
		_, errors, status := synced(t, append(target, "--once")...)
		assert.Equal(t, 1, status)
		assert.Contains(t, errors, "! batch (secret): its secret is unknown to the server, which accepts none\n")
		assert.False(t, hydra.Accepts("batch", secret))

		secrets := filepath.Join(t.TempDir(), "secrets.yaml")
		require.NoError(t, os.WriteFile(secrets, []byte("batch: "+secret+"\n"), 0o600))
		_, errors, status = synced(t, append(target, "--once", "--secrets-file", secrets)...)
		assert.Equal(t, 0, status, errors)
		assert.True(t, hydra.Accepts("batch", secret))
		output, _, status = synced(t, append(target, "--dry-run")...)
		assert.Equal(t, 0, status, output)
		assert.Contains(t, output, "1 client compared with hydra "+hydra.URL+", 0 differ\n")

		// What was changed at the server is reported and repaired.
		hydra.Change("batch", func(c map[string]any) { c["redirect_uris"] = []any{"https://evil.example.com/"} })
		output, _, status = synced(t, append(target, "--dry-run")...)
		assert.Equal(t, 3, status)
		assert.Contains(t, output, "~ change batch\n    redirect_uris: [\"https://evil.example.com/\"] -> (none)\n")
		output, _, status = synced(t, append(target, "--dry-run", "--format", "json")...)
		assert.Equal(t, 3, status)
		var plan struct {
			Drifted   bool
			Decisions []struct {
				Step        string
				Differences []struct{ Attribute string }
			}
		}
		require.NoError(t, json.Unmarshal([]byte(output), &plan))
		assert.True(t, plan.Drifted)
		require.Len(t, plan.Decisions, 1)
		assert.Equal(t, "replace", plan.Decisions[0].Step)
		assert.Equal(t, "redirect_uris", plan.Decisions[0].Differences[0].Attribute)

		// A worker follows the changes.
		worker := startSync(t, append(target, "--secrets-file", secrets)...)
		eventually(t, func() bool { return len(hydra.Client("batch")["redirect_uris"].([]any)) == 0 }, "repaired")
		second := registerMachine(t, admin, "second")
		eventually(t, func() bool { return hydra.Client("second") != nil }, "created")
		require.NoError(t, os.WriteFile(secrets, fmt.Appendf(nil, `{"batch": %q, "second": %q}`, secret, second), 0o600))
		eventually(t, func() bool { return hydra.Accepts("second", second) }, "the file is read again")

		suspended, err := admin.UpdateClientWithResponse(t.Context(), "batch", nil, client.UpdateClientRequest{Status: new("suspended")})
		require.NoError(t, err)
		require.NotNil(t, suspended.JSON200, string(suspended.Body))
		eventually(t, func() bool { return !hydra.Accepts("batch", secret) }, "suspended")
		_, err = admin.UpdateClientWithResponse(t.Context(), "batch", nil, client.UpdateClientRequest{Status: new("active")})
		require.NoError(t, err)
		eventually(t, func() bool { return hydra.Accepts("batch", secret) }, "active again")
		_, err = admin.DeleteClientWithResponse(t.Context(), "batch", nil)
		require.NoError(t, err)
		eventually(t, func() bool { return !hydra.Accepts("batch", secret) && hydra.Client("batch") != nil }, "disabled")
		_, err = admin.RestoreClientWithResponse(t.Context(), "batch", nil)
		require.NoError(t, err)
		eventually(t, func() bool { return hydra.Accepts("batch", secret) }, "restored with its secret")
		_, err = admin.RotateSecretWithResponse(t.Context(), "batch", nil, client.RotateSecretRequest{GraceSeconds: new(int32(0))})
		require.NoError(t, err)
		eventually(t, func() bool { return !hydra.Accepts("batch", secret) }, "the old secret is locked out")

		eventually(t, func() bool {
			output, _, _ := synced(t, append(flags, "--status")...)
			return strings.Contains(output, "ended; its successor is unknown to the server")
		}, "the status shows it")
		eventually(t, func() bool {
			return strings.Contains(worker.metrics(t), `clientele_sync_secrets_unknown{target="hydra `+hydra.URL+`"} 1`)
		}, "counted")
		for _, metric := range []string{"active", "lag_seconds", "queue", "refused", "pushed_total", "drift_total", "retried"} {
			assert.Contains(t, worker.metrics(t), "clientele_sync_"+metric+`{target="hydra `)
		}
		output, _, status = synced(t, append(flags, "--status", "--format", "json")...)
		assert.Equal(t, 0, status)
		var states []struct {
			Target, Holder string
			Problems       []struct {
				ClientID string `json:"client_id"`
				Problem  string
			}
		}
		require.NoError(t, json.Unmarshal([]byte(output), &states))
		require.Len(t, states, 1)
		assert.NotEmpty(t, states[0].Holder)
		require.Len(t, states[0].Problems, 1)
		assert.Equal(t, "batch", states[0].Problems[0].ClientID)
		assert.Equal(t, "secret", states[0].Problems[0].Problem)
	})
}

// Of two processes one pushes, and the other one takes over when it is killed.
func TestSyncTakesOver(t *testing.T) {
	hydra := startHydra(t)
	url, err := server.NewDatabase(t.Context())
	require.NoError(t, err)
	data := t.TempDir()
	p := start(t, "--dev", "--data", data, "--database-url", url)
	admin := p.as(t, adminToken(t, data))
	flags := []string{"--database-url", url, "--tenant", "tenant_dev", "--to", "hydra", "--target", hydra.URL}
	isActive := func(s *backgroundSync) bool {
		return strings.Contains(s.metrics(t), `clientele_sync_active{target="hydra `+hydra.URL+`"} 1`)
	}
	first := startSync(t, flags...)
	eventually(t, func() bool { return isActive(first) }, "the first pushes")
	second := startSync(t, flags...)
	registerMachine(t, admin, "before")
	eventually(t, func() bool { return hydra.Client("before") != nil }, "pushed")
	assert.False(t, isActive(second))

	require.NoError(t, first.Process.Signal(syscall.SIGKILL))
	killed := time.Now()
	registerMachine(t, admin, "after")
	eventually(t, func() bool { return hydra.Client("after") != nil }, "taken over")
	t.Logf("taken over in %s", time.Since(killed))
	assert.True(t, isActive(second))
}

func TestSyncUsesCredentialsFromAFile(t *testing.T) {
	hydra := startHydra(t)
	data := t.TempDir()
	p := start(t, "--dev", "--data", data)
	registerMachine(t, p.as(t, adminToken(t, data)), "batch")
	file := filepath.Join(t.TempDir(), "credentials")
	flags := []string{"--data", data, "--tenant", "tenant_dev", "--to", "hydra", "--target", hydra.URL, "--once"}
	for flag, tt := range map[string]struct{ content, header string }{
		"--token-file": {"abc.def\n", "Bearer abc.def"},
		"--basic-file": {"admin:pass word\n", "Basic YWRtaW46cGFzcyB3b3Jk"},
	} {
		hydra.Require(tt.header)
		_, errors, status := synced(t, flags...)
		assert.Equal(t, 1, status)
		assert.Contains(t, errors, "401 Unauthorized")
		require.NoError(t, os.WriteFile(file, []byte(tt.content), 0o600))
		_, errors, _ = synced(t, append(flags, flag, file)...)
		assert.Contains(t, errors, "clients with problems: 1\n", "only its secret is unknown")
		assert.NotContains(t, errors, "401")
	}
	assert.NotNil(t, hydra.Client("batch"))
}

func TestSyncRejectsWrongFlags(t *testing.T) {
	open := filepath.Join(t.TempDir(), "open.json")
	require.NoError(t, os.WriteFile(open, []byte(`{}`), 0o644))
	empty := t.TempDir()
	data := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(data, "clientele.db"), nil, 0o600))
	tests := map[string]struct {
		args   []string
		status int
		want   string
	}{
		"no tenant":                {[]string{"--to", "hydra", "--target", "https://h.example.com"}, 2, "--tenant"},
		"unknown product":          {[]string{"--tenant", "t", "--to", "nobody", "--target", "https://h.example.com"}, 2, "--to must be one of"},
		"http elsewhere":           {[]string{"--tenant", "t", "--to", "hydra", "--target", "http://h.example.com"}, 2, "--allow-http"},
		"http at a public address": {[]string{"--tenant", "t", "--to", "hydra", "--target", "http://203.0.113.1"}, 2, "--allow-http"},
		"credentials in it":        {[]string{"--tenant", "t", "--to", "hydra", "--target", "https://a:b@h.example.com"}, 2, "must not have a user name"},
		"two modes":                {[]string{"--tenant", "t", "--to", "hydra", "--target", "https://h.example.com", "--once", "--dry-run"}, 2, "exclude each other"},
		"two credentials":          {[]string{"--tenant", "t", "--to", "hydra", "--target", "https://h.example.com", "--token-file", open, "--basic-file", open}, 2, "exclude each other"},
		"an empty folder":          {[]string{"--tenant", "t", "--to", "hydra", "--target", "http://127.0.0.1:1", "--data", empty}, 1, "no database found"},
		"readable by others":       {[]string{"--tenant", "t", "--to", "hydra", "--target", "http://10.0.0.1:1", "--data", data, "--secrets-file", open}, 1, "can be read by others (mode 0644)"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, errors, status := synced(t, tt.args...)
			assert.Equal(t, tt.status, status)
			assert.Contains(t, errors, tt.want)
		})
	}
}

// A long push reports its progress.
func TestSyncReportsProgress(t *testing.T) {
	hydra := startHydra(t)
	data := t.TempDir()
	p := start(t, "--dev", "--data", data)
	admin := p.as(t, adminToken(t, data))
	for i := range 150 {
		registerMachine(t, admin, fmt.Sprintf("app-%03d", i))
	}
	hydra.DelayCreation(200 * time.Millisecond)
	terminal := startOnTerminal(t, exec.Command(binary, "sync", "--data", data, "--tenant", "tenant_dev", "--to", "hydra", "--target", hydra.URL, "--once"))
	terminal.await(t, " left (")
	assert.Contains(t, terminal.end(t), "changes pushed: 150")
}

func TestCheckTarget(t *testing.T) {
	dir := t.TempDir()
	long := "https://app.example.com/" + strings.Repeat("a", 240)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "app.yaml"), []byte("client_id: app\nname: App\nredirect_uris:\n  - https://app.example.com/\n  - "+long+"\nscopes: [openid]\n"), 0o600))
	output, status := clientele(t, dir, "", "check", "app.yaml")
	assert.Equal(t, 0, status, output)
	output, status = clientele(t, dir, "", "check", "--target", "keycloak", "app.yaml")
	assert.Equal(t, 1, status)
	assert.Contains(t, output, "app.yaml:5: violation at /redirect_uris/1: the server takes at most 255 characters; this URI has 264 [keycloak-redirect-uri-length, Keycloak 26.7.3, measured]\n")
	output, status = clientele(t, dir, "", "check", "--target", "hydra", "app.yaml")
	assert.Equal(t, 0, status, "what is only ignored rejects nothing")
	assert.Contains(t, output, "warning at /client_auth_methods: the server has one secret for each client")
	output, status = clientele(t, dir, "", "check", "--target", "keycloak", "--target", "spring", "--format", "sarif", "app.yaml")
	assert.Equal(t, 1, status)
	assert.Contains(t, output, `"id": "spring-grant-type"`)
	assert.Contains(t, output, `"ruleId": "keycloak-redirect-uri-length"`)
	_, status = clientele(t, dir, "", "check", "--target", "nobody", "app.yaml")
	assert.Equal(t, 2, status)
}
