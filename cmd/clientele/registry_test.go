package main_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/postgres/pgtest"
	"github.com/clientele-oauth/clientele/api/client"
)

// The value of a secret is only in the response that created it: not in any other
// response, log line (of any level) or stored data.
func TestSecretsAreNeitherStoredNorLogged(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		p := start(t, append(flags, "--dev", "--data", data, "--log-level", "debug")...)
		admin := p.as(t, adminToken(t, data))
		created, err := admin.CreateClientWithResponse(t.Context(), &client.CreateClientParams{IdempotencyKey: new("k1")}, client.CreateClientRequest{
			Name: new("My App"), RedirectUris: &[]string{"https://app.example.com/callback"},
		})
		require.NoError(t, err)
		require.NotNil(t, created.JSON201, string(created.Body))
		id := *created.JSON201.Data.ClientID
		added, err := admin.CreateSecretWithResponse(t.Context(), id, nil, client.CreateSecretRequest{})
		require.NoError(t, err)
		require.NotNil(t, added.JSON201, string(added.Body))
		rotated, err := admin.RotateSecretWithResponse(t.Context(), id, &client.RotateSecretParams{IdempotencyKey: new("k2")}, client.RotateSecretRequest{})
		require.NoError(t, err)
		require.NotNil(t, rotated.JSON200, string(rotated.Body))
		values := []string{*created.JSON201.Data.ClientSecret, *added.JSON201.Data.SecretValue, *rotated.JSON200.Data.NewSecret}

		var responses strings.Builder
		for _, value := range values {
			verified, err := admin.VerifySecretWithResponse(t.Context(), id, nil, client.VerifySecretRequest{Secret: value})
			require.NoError(t, err)
			require.NotNil(t, verified.JSON200, string(verified.Body))
			assert.True(t, *verified.JSON200.Data.Valid)
			responses.Write(verified.Body)
			wrong, err := admin.VerifySecretWithResponse(t.Context(), id+"x", nil, client.VerifySecretRequest{Secret: value})
			require.NoError(t, err)
			responses.Write(wrong.Body)
		}
		_, err = admin.UpdateClientWithResponse(t.Context(), id, nil, client.UpdateClientRequest{Name: new("Another")})
		require.NoError(t, err)
		again, err := admin.RotateSecretWithResponse(t.Context(), id, &client.RotateSecretParams{IdempotencyKey: new("k2")}, client.RotateSecretRequest{})
		require.NoError(t, err)
		assert.Equal(t, "true", again.HTTPResponse.Header.Get("Idempotent-Replayed"))
		responses.Write(again.Body)
		for _, path := range []string{"", "/" + id, "/" + id + "/secrets", "/" + id + "/revisions", "/" + id + "/revisions/1"} {
			responses.WriteString(get(t, p.URL+"/admin/oauth/clients"+path, adminToken(t, data)))
		}
		responses.WriteString(get(t, p.URL+"/admin/oauth/changes", adminToken(t, data)))
		require.NoError(t, p.Command.Process.Signal(syscall.SIGTERM)) // the shutdown writes the last uses of secrets
		<-p.Ended

		for source, text := range map[string]string{"responses": responses.String(), "logs": p.Log.String(), "store": dump(t, data, flags)} {
			require.NotEmpty(t, text)
			for i, value := range values {
				body := strings.TrimPrefix(value, "clientele_")
				assert.NotContains(t, text, body[:len(body)-8], "value %d is in the %s", i, source)
			}
		}
	})
}

func get(t *testing.T, url, token string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	require.Equal(t, http.StatusOK, response.StatusCode, url)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return fmt.Sprint(response.Header, string(body))
}

// dump returns everything that the store of a test contains, with every column.
func dump(t *testing.T, data string, flags []string) string {
	t.Helper()
	if len(flags) == 0 {
		var all strings.Builder
		files, err := filepath.Glob(filepath.Join(data, "clientele.db*"))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			all.Write(text)
		}
		return all.String()
	}
	program, err := pgtest.Binary("pg_dump")
	require.NoError(t, err)
	output, err := exec.Command(program, "--data-only", "--inserts", flags[1]).Output()
	require.NoError(t, err)
	return string(output)
}

// A reader that uses several replicas, which are killed and replaced, sees every change
// once and in order.
func TestFollowingTheFeedWhileReplicasAreKilled(t *testing.T) {
	url, err := server.NewDatabase(t.Context())
	require.NoError(t, err)
	data := t.TempDir()
	flags := []string{"--dev", "--data", data, "--database-url", url}
	replicas := []*program{start(t, flags...), start(t, flags...)}
	admin := adminToken(t, data)
	ids := []string{create(t, replicas[0].as(t, admin)), create(t, replicas[1].as(t, admin))}

	var mu sync.Mutex
	replica := func(i int) *program {
		mu.Lock()
		defer mu.Unlock()
		return replicas[i%len(replicas)]
	}
	const rounds = 3
	acknowledged := make([]map[string]bool, len(ids))
	stop := make(chan struct{})
	var writing sync.WaitGroup
	for w, id := range ids {
		acknowledged[w] = map[string]bool{}
		writing.Go(func() {
			for k := 0; ; k++ {
				select {
				case <-stop:
					return
				default:
				}
				name := fmt.Sprintf("name %d %d", w, k)
				response, err := replica(k).as(t, admin).UpdateClientWithResponse(context.Background(), id, nil, client.UpdateClientRequest{Name: &name})
				if err == nil && response.JSON200 != nil {
					acknowledged[w][name] = true
				}
			}
		})
	}

	type change struct {
		revision int64
		name     string
	}
	seen := map[string][]change{}
	after := ""
	read := func(p *program, wait int32) (n int) {
		params := &client.ListChangesParams{WaitSeconds: &wait, Limit: new(int32(3))}
		if after != "" {
			params.After = &after
		}
		response, err := p.as(t, admin).ListChangesWithResponse(t.Context(), params)
		if err != nil || response.JSON200 == nil {
			return -1 // the replica was killed; the next call continues from the same cursor
		}
		for _, c := range *response.JSON200.Data.Changes {
			seen[*c.ClientID] = append(seen[*c.ClientID], change{*c.Revision, *c.Client.Name})
		}
		if response.JSON200.Data.Next != nil {
			after = *response.JSON200.Data.Next
		}
		return len(*response.JSON200.Data.Changes)
	}
	for round := range rounds {
		for k := range 20 {
			read(replica(k), 1)
		}
		victim := replica(round)
		victim.Kill()
		replacement := start(t, flags...)
		mu.Lock()
		replicas[round%len(replicas)] = replacement
		mu.Unlock()
	}
	close(stop)
	writing.Wait()
	for read(replica(0), 0) != 0 {
	}
	for w, id := range ids {
		names := map[string]bool{}
		for i, c := range seen[id] {
			require.EqualValues(t, i+1, c.revision, "client %d", w)
			names[c.name] = true
		}
		for name := range acknowledged[w] {
			assert.True(t, names[name], "%s was acknowledged and is not in the feed", name)
		}
		assert.NotEmpty(t, acknowledged[w])
	}
}

func TestAWaitingReaderDoesNotDelayShutdown(t *testing.T) {
	data := t.TempDir()
	p := start(t, "--dev", "--data", data, "--admin-listen", "127.0.0.1:0")
	admin := p.as(t, adminToken(t, data))
	statuses := make(chan int, 1)
	go func() {
		response, err := admin.ListChangesWithResponse(context.Background(), &client.ListChangesParams{WaitSeconds: new(int32(30))})
		if err != nil {
			t.Errorf("changes: %v", err)
			statuses <- 0
			return
		}
		statuses <- response.StatusCode()
	}()
	require.Eventually(t, func() bool {
		_, text := read(t, p.Operators+"/metrics")
		return strings.Contains(text, "\nclientele_feed_readers_waiting 1\n")
	}, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, p.Command.Process.Signal(syscall.SIGTERM))
	select {
	case status := <-statuses:
		assert.Equal(t, http.StatusOK, status)
	case <-time.After(15 * time.Second):
		assert.Fail(t, "the reader got no response")
	}
	<-p.Ended
	assert.True(t, p.Command.ProcessState.Success(), p.Log.String())
}

func TestPurge(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		p := start(t, append(flags, "--dev", "--data", data)...)
		admin := p.as(t, adminToken(t, data))
		kept, gone := create(t, admin), create(t, admin)
		_, err := admin.DeleteClientWithResponse(t.Context(), gone, nil)
		require.NoError(t, err)

		purge := func(retention string) string {
			output, err := exec.Command(binary, append([]string{"purge", "--data", data, "--retention", retention}, flags...)...).CombinedOutput()
			require.NoError(t, err, string(output))
			return string(output)
		}
		assert.Equal(t, "clients purged: 0\n", purge("1h"))
		assert.Equal(t, "clients purged: 1\n", purge("0s"))
		assert.Equal(t, "clients purged: 0\n", purge("0s"))
		log, err := admin.ListRevisionsWithResponse(t.Context(), gone, nil)
		require.NoError(t, err)
		require.NotNil(t, log.JSON200, string(log.Body))
		require.Len(t, *log.JSON200.Data.Revisions, 1)
		assert.Equal(t, "purge", *(*log.JSON200.Data.Revisions)[0].Action)
		read, err := admin.GetClientWithResponse(t.Context(), kept, nil)
		require.NoError(t, err)
		assert.NotNil(t, read.JSON200)
	})
}

// After a pepper is replaced, its secrets verify as long as its file is listed after the
// new one.
func TestReplacingThePepper(t *testing.T) {
	data := t.TempDir()
	pepper := func(name string) string {
		path := filepath.Join(data, name)
		require.NoError(t, os.WriteFile(path, []byte(strings.Repeat(name, 32)), 0o600))
		return path
	}
	first, second := pepper("a"), pepper("b")
	serve := func(files string) *client.ClientWithResponses {
		p := start(t, "--dev", "--data", data, "--pepper-file", files)
		return p.as(t, adminToken(t, data))
	}
	created, err := serve(first).CreateClientWithResponse(t.Context(), nil, client.CreateClientRequest{
		Name: new("App"), RedirectUris: &[]string{"https://app.example.com/callback"},
	})
	require.NoError(t, err)
	require.NotNil(t, created.JSON201, string(created.Body))
	for _, files := range []string{first, second + "," + first} {
		verified, err := serve(files).VerifySecretWithResponse(t.Context(), *created.JSON201.Data.ClientID, nil,
			client.VerifySecretRequest{Secret: *created.JSON201.Data.ClientSecret})
		require.NoError(t, err)
		require.NotNil(t, verified.JSON200, string(verified.Body))
		assert.True(t, *verified.JSON200.Data.Valid, files)
	}
}
