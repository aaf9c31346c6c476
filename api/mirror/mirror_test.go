package mirror_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api/client"
	"github.com/clientele-oauth/clientele/api/mirror"
	"github.com/clientele-oauth/clientele/cmd/servicetest"
)

func TestAClientHasWhatAServerIsToApply(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	r.register("all", func(c *client.CreateClientRequest) {
		c.GrantTypes = &[]string{"authorization_code", "refresh_token"}
		c.RedirectUris = &[]string{"https://app.example.com/callback"}
		c.PostLogoutRedirectUris = &[]string{"https://app.example.com/bye"}
		c.Scopes = &[]string{"openid", "payments"}
		c.ClientAuthMethods = &[]string{"private_key_jwt"}
		c.Jwks = new(`{"keys":[{"kty":"EC","crv":"P-256","kid":"k","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`)
		c.TokenEndpointAuthSigningAlg = new("ES256")
		c.AccessTokenLifetime, c.RefreshTokenLifetime, c.IDTokenLifetime = new(int32(600)), new(int32(3600)), new(int32(300))
		c.RequirePkce, c.SkipConsent = new(true), new(true)
		c.DefaultMaxAge = new(int32(60))
	})
	m := open(t, mirror.Config{Client: connect(t, r.url, r.token())})
	c, err := m.Get("all")
	require.NoError(t, err)
	assert.Equal(t, "all", c.ID)
	assert.Equal(t, "tenant_dev", c.TenantID)
	assert.EqualValues(t, 1, c.Revision)
	assert.True(t, c.Active)
	assert.True(t, c.Confidential)
	assert.Equal(t, "web", c.ApplicationType)
	assert.Equal(t, []string{"https://app.example.com/callback"}, c.RedirectURIs)
	assert.Equal(t, []string{"https://app.example.com/bye"}, c.PostLogoutRedirectURIs)
	assert.Equal(t, []string{"code"}, c.ResponseTypes, "an effective value")
	assert.Equal(t, []string{"openid", "payments"}, c.Scopes)
	assert.Equal(t, []string{"private_key_jwt"}, c.AuthMethods)
	assert.Equal(t, "private_key_jwt", c.TokenEndpointAuthMethod)
	assert.Equal(t, "ES256", c.TokenEndpointAuthSigningAlg)
	assert.Equal(t, []time.Duration{10 * time.Minute, time.Hour, 5 * time.Minute}, []time.Duration{c.AccessTokenLifetime, c.RefreshTokenLifetime, c.IDTokenLifetime})
	assert.EqualValues(t, 60, *c.DefaultMaxAge)
	assert.True(t, c.RequirePKCE && c.SkipConsent)
	assert.False(t, c.RequirePAR || c.DPoPBoundAccessTokens)
	assert.True(t, c.HasGrantType("refresh_token") && c.HasScope("payments") && c.HasAuthMethod("private_key_jwt") && c.HasRedirectURI("https://app.example.com/callback"))
	assert.False(t, c.HasGrantType("implicit") || c.HasScope("open") || c.HasAuthMethod("none") || c.HasRedirectURI("https://app.example.com/callback/") || c.HasSecrets())
	keys, err := m.Keys(t.Context(), "all")
	require.NoError(t, err)
	assert.Contains(t, string(keys), "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")
	assert.True(t, json.Valid(c.Document))
	assert.Contains(t, string(c.Document), `"id_token_signed_response_alg"`)
}

// Every field of a client has a name that the registry uses, so that none is always empty.
func TestFieldsHaveTheNamesOfTheRegistry(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for f := range fields(reflect.TypeFor[client.ClientMetadata]()) {
		names[f] = true
	}
	for f := range fields(reflect.TypeFor[mirror.Client]()) {
		if f != "-" {
			assert.True(t, names[f], f)
		}
	}
}

func fields(t reflect.Type) func(func(string) bool) {
	return func(yield func(string) bool) {
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if !yield(name) {
				return
			}
		}
	}
}

func TestEachChangeArrives(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	r.register("app", func(c *client.CreateClientRequest) {
		c.GrantTypes = &[]string{"authorization_code"}
		c.RedirectUris = &[]string{"https://app.example.com/1"}
	})
	var seen changes
	m := open(t, mirror.Config{Client: connect(t, r.url, r.token()), OnChange: seen.add})
	_, err := m.Get("other")
	require.ErrorIs(t, err, mirror.ErrNotFound)

	r.register("later", nil)
	soon(t, func() bool { _, err := m.Get("later"); return err == nil }, "created")

	r.update("app", client.UpdateClientRequest{RedirectUris: &[]string{"https://app.example.com/2"}})
	soon(t, func() bool {
		c, err := m.Get("app")
		return err == nil && c.HasRedirectURI("https://app.example.com/2") && !c.HasRedirectURI("https://app.example.com/1")
	}, "updated")

	r.update("app", client.UpdateClientRequest{Status: new("suspended")})
	requireNotFound(t, m, "app")
	_, err = m.Keys(t.Context(), "app")
	require.ErrorIs(t, err, mirror.ErrNotFound)

	r.update("app", client.UpdateClientRequest{Status: new("active")})
	soon(t, func() bool { _, err := m.Get("app"); return err == nil }, "active again")

	_, err = r.admin.DeleteClientWithResponse(t.Context(), "app", nil)
	require.NoError(t, err)
	requireNotFound(t, m, "app")

	_, err = r.admin.RestoreClientWithResponse(t.Context(), "app", nil)
	require.NoError(t, err)
	soon(t, func() bool { return len(seen.actions()) >= 7 }, "restored")
	assert.Equal(t, []string{"resync", "create", "update", "update", "update", "delete", "restore"}, seen.actions())
	seen.mu.Lock()
	defer seen.mu.Unlock()
	assert.Nil(t, seen.all[3].Client, "suspended")
	assert.NotNil(t, seen.all[4].Client)
	assert.Equal(t, "app", seen.all[5].ClientID)
	assert.Nil(t, seen.all[5].Client, "deleted")
}

func TestKeysAtAURI(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	r.register("app", func(c *client.CreateClientRequest) {
		c.ClientAuthMethods = &[]string{"private_key_jwt"}
		c.JwksURI = new("https://keys.example.com/jwks.json")
	})
	p := newProxy(t, r.url)
	var clock shiftedClock
	m, err := tryOpenAt(t, mirror.Config{Client: connect(t, p.URL, r.token()), MaxStaleness: time.Hour}, clock.now)
	require.NoError(t, err)
	p.set(only("keys", respond(`{"data":{"state":"unreachable","detail":"no such host"}}`)))
	_, err = m.Keys(t.Context(), "app")
	require.ErrorIs(t, err, mirror.ErrUnavailable)
	require.ErrorContains(t, err, "no such host")

	// The registry has fetched them.
	seen := `{"data":{"state":"seen","keys":[{"kty":"EC","crv":"P-256","kid":"k","use":"sig","public_key":{"x":"eA","y":"eQ"}}]}}`
	p.set(only("keys", respond(seen)))
	clock.shift(2 * time.Second)
	for range 3 {
		keys, err := m.Keys(t.Context(), "app")
		require.NoError(t, err)
		assert.JSONEq(t, `{"keys":[{"kty":"EC","crv":"P-256","kid":"k","use":"sig","x":"eA","y":"eQ"}]}`, string(keys))
	}
	assert.Equal(t, 2, p.seen("keys"))
	p.set(only("keys", status(http.StatusServiceUnavailable)))
	clock.shift(time.Minute)
	keys, err := m.Keys(t.Context(), "app")
	require.NoError(t, err)
	assert.NotEmpty(t, keys, "the last ones remain in use")

	p.set(only("keys", respond(seen)))
	r.update("app", client.UpdateClientRequest{Jwks: new(`{"keys":[{"kty":"EC","crv":"P-256","kid":"inline","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`), JwksURI: new("")})
	soon(t, func() bool { keys, _ := m.Keys(t.Context(), "app"); return strings.Contains(string(keys), `"inline"`) }, "changed")
}

func TestARegistryThatIsKilledAndBack(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	r.register("app", nil)
	r.register("doomed", nil)
	m := open(t, mirror.Config{Client: connect(t, r.url, r.token())})
	r.kill()
	soon(t, func() bool { return m.Health().LastError != nil }, "the outage is reported")
	_, err := m.Get("app")
	require.NoError(t, err, "the copy remains in use")
	assert.False(t, m.Health().Stale)

	// Two changes while the mirror has no contact.
	address := r.address
	r.address = "127.0.0.1:0"
	r.start()
	admin := connect(t, r.url, must(servicetest.Token(r.data))(t))
	_, err = admin.UpdateClientWithResponse(t.Context(), "app", nil, client.UpdateClientRequest{Scopes: &[]string{"payments"}})
	require.NoError(t, err)
	_, err = admin.DeleteClientWithResponse(t.Context(), "doomed", nil)
	require.NoError(t, err)
	r.kill()
	r.address = address
	r.start()
	back := time.Now()
	requireNotFound(t, m, "doomed")
	c, err := m.Get("app")
	require.NoError(t, err)
	assert.Equal(t, []string{"payments"}, c.Scopes)
	t.Logf("first change %v after the return", time.Since(back).Round(time.Millisecond))
	soon(t, func() bool { return m.Health().LastError == nil }, "the return is reported")
}

func TestStaleness(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	r.register("app", nil)
	var clock shiftedClock
	m, err := tryOpenAt(t, mirror.Config{Client: connect(t, r.url, r.token()), MaxStaleness: time.Hour}, clock.now)
	require.NoError(t, err)
	_, err = mirror.Open(t.Context(), mirror.Config{Client: r.admin, MaxStaleness: time.Second})
	require.ErrorContains(t, err, "MaxStaleness")
	r.kill()
	soon(t, func() bool { return m.Health().LastError != nil }, "the outage is reported")
	clock.shift(59 * time.Minute)
	_, err = m.Get("app")
	require.NoError(t, err)
	clock.shift(2 * time.Minute)
	_, err = m.Get("app")
	require.ErrorIs(t, err, mirror.ErrStale)
	require.ErrorIs(t, err, mirror.ErrUnavailable)
	_, err = m.Get("nobody")
	require.ErrorIs(t, err, mirror.ErrStale, "even of what is unknown, the mirror cannot know")
	_, err = m.VerifySecret(t.Context(), "app", "x")
	require.ErrorIs(t, err, mirror.ErrStale)
	assert.True(t, m.Health().Stale)
	assert.InDelta(t, 61*time.Minute, m.Health().Age, float64(30*time.Second))
	r.start()
	soon(t, func() bool { _, err := m.Get("app"); return err == nil }, "usable again")
}

func TestNoLimitOfStaleness(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	r.register("app", nil)
	var clock shiftedClock
	m, err := tryOpenAt(t, mirror.Config{Client: connect(t, r.url, r.token()), MaxStaleness: -1}, clock.now)
	require.NoError(t, err)
	r.kill()
	clock.shift(1000 * time.Hour)
	_, err = m.Get("app")
	require.NoError(t, err)
}

// shiftedClock is the time, and an offset.
type shiftedClock struct {
	mu     sync.Mutex
	offset time.Duration
}

func (c *shiftedClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

func (c *shiftedClock) shift(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

func TestOpenWithoutARegistryAndAFileFails(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := mirror.Open(ctx, mirror.Config{Client: connect(t, "http://127.0.0.1:1", "x")})
	require.ErrorIs(t, err, mirror.ErrUnavailable)
	require.ErrorContains(t, err, "connection refused", "the reason is in it")
	_, err = mirror.Open(ctx, mirror.Config{})
	assert.ErrorContains(t, err, "Config.Client")
}

func TestAPeriodicSnapshotFindsWhatTheFeedDoesNotSay(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	r.register("app", nil)
	var seen changes
	var clock shiftedClock
	m, err := tryOpenAt(t, mirror.Config{Client: connect(t, r.url, r.token()), OnChange: seen.add, Resync: time.Hour, MaxStaleness: 3 * time.Hour}, clock.now)
	require.NoError(t, err)
	clock.shift(61 * time.Minute)
	r.register("next", nil) // ends the wait for changes, if the mirror waits already
	soon(t, func() bool { return strings.Count(strings.Join(seen.actions(), " "), "resync") == 2 }, "a second snapshot")
	soon(t, func() bool { return m.Health().Clients == 2 }, "the other client, by the feed or the snapshot")
}

func TestTenThousandClientsFromCold(t *testing.T) {
	const number = 10_000
	r := newRegistry(t, "--caller-rate", "100000")
	registerMany(t, r, number)
	started := time.Now()
	m := open(t, mirror.Config{Client: connect(t, r.url, r.token()), File: filepath.Join(t.TempDir(), "mirror")})
	took := time.Since(started)
	assert.Equal(t, number, m.Health().Clients)
	t.Logf("%d clients (%d KiB) from cold in %v", number, m.Health().Bytes>>10, took.Round(time.Millisecond))
	assert.Less(t, took, 10*time.Second)
}

// registerMany registers clients with a few requests at a time.
func registerMany(t *testing.T, r *registry, number int) {
	t.Helper()
	numbers := make(chan int)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for i := range numbers {
				_, err := r.admin.CreateClientWithResponse(t.Context(), nil, client.CreateClientRequest{
					ClientID: new(fmt.Sprintf("client-%05d", i)), Name: new("Client"), GrantTypes: &[]string{"authorization_code", "refresh_token"},
					RedirectUris: &[]string{fmt.Sprintf("https://app-%d.example.com/callback", i)}, Scopes: &[]string{"openid", "profile"},
				})
				assert.NoError(t, err)
			}
		})
	}
	for i := range number {
		numbers <- i
	}
	close(numbers)
	workers.Wait()
}
