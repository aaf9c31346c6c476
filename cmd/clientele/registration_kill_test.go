package main_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// portal registers clients with an initial access token, and repeats what got no response.
type portal struct {
	root, admin, token string
}

// send sends a request to the service; ok is false if it got no response.
func (p portal) send(t *testing.T, method, path, token, key, body string) (status int, found map[string]any, ok bool) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, p.root+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
		sum := sha256.Sum256([]byte(key)) // another address for each key, because of the limits by address
		request.Header.Set("X-Forwarded-For", fmt.Sprintf("198.18.%d.%d", sum[0], sum[1]))
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, false
	}
	defer response.Body.Close()
	return response.StatusCode, found, json.NewDecoder(response.Body).Decode(&found) == nil
}

// registrationsUntilKilled sends registrations with keys of their own, four at a time, until the
// service is killed, which is after the first responses. It returns the keys.
func (p portal) registrationsUntilKilled(t *testing.T, round int, kill func()) (keys []string) {
	t.Helper()
	var (
		group     sync.WaitGroup
		mu        sync.Mutex
		responses = make(chan struct{}, 1000)
	)
	for worker := range 4 {
		group.Go(func() {
			for i := 0; ; i++ {
				key := strings.Repeat("k", 1+worker) + fmt.Sprintf("-%d-%d", round, i)
				mu.Lock()
				keys = append(keys, key)
				mu.Unlock()
				if _, _, ok := p.register(t, key); !ok {
					return
				}
				responses <- struct{}{}
			}
		})
	}
	for range 3 + round {
		<-responses
	}
	kill()
	group.Wait()
	return keys
}

func (p portal) register(t *testing.T, key string) (status int, found map[string]any, ok bool) {
	t.Helper()
	return p.send(t, http.MethodPost, "/oauth/tenant_dev/register", p.token, key,
		`{"redirect_uris": ["https://app.example.com/cb"], "client_name": "`+key+`"}`)
}

// A process that is killed between the insertion of a client and its response neither loses
// nor doubles a use of the token: the repeated request finds the client.
func TestAKilledProcessNeitherLosesNorDoublesAUse(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		file := filepath.Join(filepath.Dir(data), "registration.yaml")
		require.NoError(t, os.WriteFile(file, []byte("tenants: {tenant_dev: {registration: {enabled: true}}}"), 0o600))
		args := slices.Concat(flags, []string{
			"--dev", "--data", data, "--public-url", "https://clientele.example.com", "--registration-file", file, "--trusted-proxy", "127.0.0.1",
		})
		var p portal
		var keys []string
		for round := range 3 {
			process := start(t, args...)
			p.root, p.admin = process.URL, adminToken(t, data)
			if p.token == "" {
				status, created, _ := p.send(t, http.MethodPost, "/admin/oauth/registration-tokens", p.admin, "", `{"max_uses": 1000}`)
				require.Equal(t, http.StatusCreated, status, created)
				p.token = created["data"].(map[string]any)["token"].(string)
			}
			keys = append(keys, p.registrationsUntilKilled(t, round, process.Kill)...)
		}

		p.root = start(t, args...).URL
		made := map[string]string{}
		for _, key := range keys {
			status, found, ok := p.registerPatiently(t, key)
			require.True(t, ok)
			require.Equal(t, http.StatusCreated, status, found)
			made[found["client_id"].(string)] = key
		}
		assert.Len(t, made, len(keys), "each key has a client of its own")
		_, clients, _ := p.send(t, http.MethodGet, "/admin/oauth/clients?page_size=1", p.admin, "", "")
		assert.InDelta(t, len(keys), clients["total"], 0, "no other clients exist")
		_, tokens, _ := p.send(t, http.MethodGet, "/admin/oauth/registration-tokens", p.admin, "", "")
		listed := tokens["data"].(map[string]any)["tokens"].([]any)[0].(map[string]any)
		assert.InDelta(t, len(keys), listed["uses"], 0)
	})
}

// registerPatiently waits while the address has sent too many registrations.
func (p portal) registerPatiently(t *testing.T, key string) (status int, found map[string]any, ok bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		status, found, ok = p.register(t, key)
		return status != http.StatusTooManyRequests
	}, time.Minute, 10*time.Millisecond)
	return status, found, ok
}
