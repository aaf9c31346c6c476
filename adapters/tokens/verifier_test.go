package tokens_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/tokens"
	"github.com/clientele-oauth/clientele/application"
)

var tokenNow = time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)

func clock() time.Time { return tokenNow }

func rules() tokens.SingleIssuer {
	return tokens.SingleIssuer{
		Issuer: "https://issuer.example", Audience: "clientele", Types: []string{"at+jwt", "JWT"},
		TenantClaim: "tenant_id", RoleClaim: "realm_access.roles", AdminRole: "admin", Keys: "keys.json",
	}
}

// verifierOf returns a verifier for a single issuer.
func verifierOf(t *testing.T, rules tokens.SingleIssuer, source tokens.KeySource, now func() time.Time) *tokens.Verifier {
	t.Helper()
	r, err := rules.Rules()
	require.NoError(t, err)
	verifier, err := tokens.NewVerifier([]tokens.Issuer{{Rules: r, Keys: tokens.NewIssuerKeys(source, tokens.KeySettings{}, now)}}, now)
	require.NoError(t, err)
	return verifier
}

// withoutSources returns the caller without its issuer and the sources of its claims.
func withoutSources(c application.Caller) application.Caller {
	c.Issuer, c.Sources = "", application.ClaimSources{}
	return c
}

// issuer is a token issuer with an RSA key and a symmetric one.
type issuer struct {
	key    jwk.Key
	shared jwk.Key
}

func newIssuer(t *testing.T) issuer {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	key, err := jwk.FromRaw(private)
	require.NoError(t, err)
	require.NoError(t, key.Set(jwk.KeyIDKey, "k1"))
	shared, err := jwk.FromRaw([]byte("0123456789abcdef0123456789abcdef"))
	require.NoError(t, err)
	require.NoError(t, shared.Set(jwk.KeyIDKey, "shared"))
	return issuer{key, shared}
}

// keys returns the issuer's published set.
func (i issuer) keys(t *testing.T) []byte {
	t.Helper()
	public, err := i.key.PublicKey()
	require.NoError(t, err)
	text, err := json.Marshal(map[string]any{"keys": []jwk.Key{public, i.shared}})
	require.NoError(t, err)
	return text
}

func (i issuer) source(t *testing.T) tokens.KeySource {
	t.Helper()
	text := i.keys(t)
	return func(context.Context) ([]byte, error) { return text, nil }
}

// sign returns a token with any header and claims.
func sign(t *testing.T, alg jwa.SignatureAlgorithm, key any, header, claims map[string]any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	require.NoError(t, err)
	headers := jws.NewHeaders()
	for name, value := range header {
		require.NoError(t, headers.Set(name, value))
	}
	signed, err := jws.Sign(payload, jws.WithKey(alg, key, jws.WithProtectedHeaders(headers)))
	require.NoError(t, err)
	return string(signed)
}

func claims() map[string]any {
	return map[string]any{
		"iss": "https://issuer.example", "aud": []string{"other", "clientele"}, "sub": "alice",
		"exp": tokenNow.Add(time.Minute).Unix(), "nbf": tokenNow.Unix(), "tenant_id": "tenant_a",
		"realm_access": map[string]any{"roles": []string{"user", "admin"}},
	}
}

func edited(edit func(map[string]any)) map[string]any {
	c := claims()
	edit(c)
	return c
}

func header() map[string]any { return map[string]any{"typ": "at+jwt", "kid": "k1"} }

func TestAcceptedTokens(t *testing.T) {
	is := newIssuer(t)
	verifier := verifierOf(t, rules(), is.source(t), clock)
	all := application.AdministratorPermissions()
	tests := map[string]struct {
		alg    jwa.SignatureAlgorithm
		header map[string]any
		claims map[string]any
		want   application.Caller
	}{
		"RS256":             {jwa.RS256, header(), claims(), application.Caller{Subject: "alice", Tenant: "tenant_a", Permissions: all, Administrator: true}},
		"PS256":             {jwa.PS256, header(), claims(), application.Caller{Subject: "alice", Tenant: "tenant_a", Permissions: all, Administrator: true}},
		"typ JWT":           {jwa.RS256, map[string]any{"typ": "JWT", "kid": "k1"}, claims(), application.Caller{Subject: "alice", Tenant: "tenant_a", Permissions: all, Administrator: true}},
		"a full media type": {jwa.RS256, map[string]any{"typ": "application/AT+JWT", "kid": "k1"}, claims(), application.Caller{Subject: "alice", Tenant: "tenant_a", Permissions: all, Administrator: true}},
		"expired within the clock skew": {jwa.RS256, header(), edited(func(c map[string]any) {
			c["exp"] = tokenNow.Add(-20 * time.Second).Unix()
			c["nbf"] = c["exp"].(int64) - 60
		}), application.Caller{Subject: "alice", Tenant: "tenant_a", Permissions: all, Administrator: true}},
		"no role":   {jwa.RS256, header(), edited(func(c map[string]any) { delete(c, "realm_access") }), application.Caller{Subject: "alice", Tenant: "tenant_a"}},
		"no tenant": {jwa.RS256, header(), edited(func(c map[string]any) { delete(c, "tenant_id") }), application.Caller{Subject: "alice", Permissions: all, Administrator: true}},
		"tenant is a number": {
			jwa.RS256, header(), edited(func(c map[string]any) { c["tenant_id"] = 7 }), application.Caller{Subject: "alice", Tenant: "7", Permissions: all, Administrator: true},
		},
		"scope": {
			jwa.RS256, header(),
			edited(func(c map[string]any) { delete(c, "realm_access"); c["scope"] = "openid clients:read" }),
			application.Caller{Subject: "alice", Tenant: "tenant_a", Permissions: []application.Permission{application.PermissionRead}},
		},
		"a claim named like the whole path": {
			jwa.RS256, header(),
			edited(func(c map[string]any) { delete(c, "realm_access"); c["realm_access.roles"] = "admin" }),
			application.Caller{Subject: "alice", Tenant: "tenant_a", Permissions: all, Administrator: true},
		},
		"roles as the keys of an object": {
			jwa.RS256, header(),
			edited(func(c map[string]any) { c["realm_access"] = map[string]any{"roles": map[string]any{"admin": true}} }),
			application.Caller{Subject: "alice", Tenant: "tenant_a", Permissions: all, Administrator: true},
		},
		"role keys with empty values": {
			jwa.RS256, header(),
			edited(func(c map[string]any) {
				c["realm_access"] = map[string]any{"roles": map[string]any{"admin": false, "x": nil, "y": []string{}, "z": map[string]any{}}}
			}),
			application.Caller{Subject: "alice", Tenant: "tenant_a"},
		},
		"a role with a space is one role": {
			jwa.RS256, header(),
			edited(func(c map[string]any) { c["realm_access"] = map[string]any{"roles": "billing admin"} }),
			application.Caller{Subject: "alice", Tenant: "tenant_a"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			caller, err := verifier.Verify(t.Context(), sign(t, tt.alg, is.key, tt.header, tt.claims))
			require.NoError(t, err)
			assert.Equal(t, tt.want, withoutSources(caller))
		})
	}
}

func TestRejectedTokens(t *testing.T) {
	is, other, unknown := newIssuer(t), newIssuer(t), newIssuer(t)
	require.NoError(t, unknown.key.Set(jwk.KeyIDKey, "k2"))
	verifier := verifierOf(t, rules(), is.source(t), clock)
	good := sign(t, jwa.RS256, is.key, header(), claims())
	parts := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt","kid":"k1"}`))
	public, err := is.key.PublicKey()
	require.NoError(t, err)
	tests := map[string]string{
		"empty":                     "",
		"not a JWS":                 "abc",
		"two parts":                 parts[0] + "." + parts[1],
		"truncated signature":       good[:len(good)-4],
		"another payload":           parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"mallory"}`)) + "." + parts[2],
		"JSON serialization":        `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"alg none":                  none + "." + parts[1] + ".",
		"alg none and signature":    none + "." + parts[1] + "." + parts[2],
		"an unaccepted algorithm":   sign(t, jwa.RS512, is.key, header(), claims()),
		"shared secret":             sign(t, jwa.HS256, is.shared, map[string]any{"typ": "at+jwt", "kid": "shared"}, claims()),
		"the key of another issuer": sign(t, jwa.RS256, other.key, header(), claims()),
		"unknown kid":               sign(t, jwa.RS256, unknown.key, map[string]any{"typ": "at+jwt"}, claims()),
		"a key in the header":       sign(t, jwa.RS256, other.key, map[string]any{"typ": "at+jwt", "kid": "k1", "jwk": public}, claims()),
		"another typ":               sign(t, jwa.RS256, is.key, map[string]any{"typ": "logout+jwt", "kid": "k1"}, claims()),
		"no typ":                    sign(t, jwa.RS256, is.key, map[string]any{"kid": "k1"}, claims()),
		"another issuer":            sign(t, jwa.RS256, is.key, header(), edited(func(c map[string]any) { c["iss"] = "https://issuer.example/" })),
		"no issuer":                 sign(t, jwa.RS256, is.key, header(), edited(func(c map[string]any) { delete(c, "iss") })),
		"another audience":          sign(t, jwa.RS256, is.key, header(), edited(func(c map[string]any) { c["aud"] = "other" })),
		"no audience":               sign(t, jwa.RS256, is.key, header(), edited(func(c map[string]any) { delete(c, "aud") })),
		"expired":                   sign(t, jwa.RS256, is.key, header(), edited(func(c map[string]any) { c["exp"] = tokenNow.Add(-time.Minute).Unix() })),
		"no expiry":                 sign(t, jwa.RS256, is.key, header(), edited(func(c map[string]any) { delete(c, "exp") })),
		"expiry is a string":        sign(t, jwa.RS256, is.key, header(), edited(func(c map[string]any) { c["exp"] = "never" })),
		"not yet valid":             sign(t, jwa.RS256, is.key, header(), edited(func(c map[string]any) { c["nbf"] = tokenNow.Add(time.Minute).Unix() })),
		"no subject":                sign(t, jwa.RS256, is.key, header(), edited(func(c map[string]any) { delete(c, "sub") })),
		"too long":                  good + strings.Repeat("A", 16<<10),
	}
	for name, token := range tests {
		t.Run(name, func(t *testing.T) {
			caller, err := verifier.Verify(t.Context(), token)
			require.ErrorIs(t, err, application.ErrUnauthenticated)
			assert.Empty(t, caller)
		})
	}
	nokid := verifierOf(t, rules(), is.source(t), clock)
	anonymous, err := is.key.Clone()
	require.NoError(t, err)
	require.NoError(t, anonymous.Remove(jwk.KeyIDKey))
	_, err = nokid.Verify(t.Context(), sign(t, jwa.RS256, anonymous, map[string]any{"typ": "at+jwt"}, claims()))
	require.ErrorIs(t, err, application.ErrUnauthenticated)
}

// manualClock is a clock that advances only when a test advances it.
type manualClock struct{ offset atomic.Int64 }

func (c *manualClock) now() time.Time          { return tokenNow.Add(time.Duration(c.offset.Load())) }
func (c *manualClock) advance(d time.Duration) { c.offset.Add(int64(d)) }

func TestConcurrentCallersShareOneReadOfTheKeys(t *testing.T) {
	is := newIssuer(t)
	text := is.keys(t)
	var reads atomic.Int64
	release := make(chan struct{})
	keys := tokens.NewIssuerKeys(func(context.Context) ([]byte, error) {
		reads.Add(1)
		<-release
		return text, nil
	}, tokens.KeySettings{}, clock)
	var group sync.WaitGroup
	errs := make([]error, 20)
	for i := range errs {
		group.Go(func() { _, errs[i] = keys.Has(t.Context(), "k1") })
	}
	close(release)
	group.Wait()
	require.NoError(t, errors.Join(errs...))
	assert.LessOrEqual(t, reads.Load(), int64(2))
	before := reads.Load()
	_, err := keys.Has(t.Context(), "k1")
	require.NoError(t, err)
	assert.Equal(t, before, reads.Load())
}

func TestAnUnknownKidCausesALimitedNumberOfReads(t *testing.T) {
	first, second := newIssuer(t), newIssuer(t)
	require.NoError(t, second.key.Set(jwk.KeyIDKey, "k2"))
	text := first.keys(t)
	reads := 0
	var c manualClock
	keys := tokens.NewIssuerKeys(func(context.Context) ([]byte, error) { reads++; return text, nil }, tokens.KeySettings{}, c.now)

	_, err := keys.Has(t.Context(), "k1")
	require.NoError(t, err)
	for range 10 {
		_, err = keys.Has(t.Context(), "k2")
		require.NoError(t, err)
	}
	assert.Equal(t, 1, reads, "tokens with invented kids cause a flood of requests")

	text = second.keys(t)
	c.advance(11 * time.Second)
	found, err := keys.Has(t.Context(), "k2")
	require.NoError(t, err)
	assert.True(t, found)
	assert.Equal(t, 2, reads)
}

func TestTheLastKeysAreUsedWhileTheIssuerIsDown(t *testing.T) {
	is := newIssuer(t)
	text := is.keys(t)
	var down atomic.Bool
	tried := make(chan struct{}, 10)
	var c manualClock
	keys := tokens.NewIssuerKeys(func(context.Context) ([]byte, error) {
		defer func() { tried <- struct{}{} }()
		if down.Load() {
			return nil, errors.New("down")
		}
		return text, nil
	}, tokens.KeySettings{}, c.now)
	_, err := keys.Has(t.Context(), "k1")
	require.NoError(t, err)
	<-tried
	down.Store(true)
	c.advance(time.Hour)
	found, err := keys.Has(t.Context(), "k1")
	require.NoError(t, err)
	<-tried
	assert.True(t, found)
}

func TestAnIssuerIsUnavailableUntilItsKeysAreRead(t *testing.T) {
	is := newIssuer(t)
	text := is.keys(t)
	var respond func() ([]byte, error)
	reads := 0
	var c manualClock
	keys := tokens.NewIssuerKeys(func(context.Context) ([]byte, error) { reads++; return respond() }, tokens.KeySettings{}, c.now)
	for name, text := range map[string]string{
		"an error": "", "not JSON": "x", "no keys": `{"keys":[]}`, "only symmetric keys": `{"keys":[{"kty":"oct","k":"AQ","kid":"k1"}]}`,
	} {
		respond = func() ([]byte, error) {
			if text == "" {
				return nil, errors.New("down")
			}
			return []byte(text), nil
		}
		_, err := keys.Has(t.Context(), "k1")
		require.ErrorIs(t, err, application.ErrUnavailable, name)
		before := reads
		_, err = keys.Has(t.Context(), "k1")
		require.ErrorIs(t, err, application.ErrUnavailable, name)
		assert.Equal(t, before, reads, "read again immediately")
		c.advance(2 * time.Second)
	}
	respond = func() ([]byte, error) { return text, nil }
	_, err := keys.Has(t.Context(), "k1")
	require.NoError(t, err)
}

func TestACachedTokenIsRejectedAfterItExpiresOrItsKeyIsRemoved(t *testing.T) {
	first, second := newIssuer(t), newIssuer(t)
	require.NoError(t, second.key.Set(jwk.KeyIDKey, "k2"))
	text := first.keys(t)
	var c manualClock
	verifier := verifierOf(t, rules(), func(context.Context) ([]byte, error) { return text, nil }, c.now)
	short := sign(t, jwa.RS256, first.key, header(), claims())
	long := sign(t, jwa.RS256, first.key, header(), edited(func(c map[string]any) { c["exp"] = tokenNow.Add(time.Hour).Unix() }))
	for range 2 {
		for _, token := range []string{short, long} {
			caller, err := verifier.Verify(t.Context(), token)
			require.NoError(t, err)
			assert.Equal(t, "alice", caller.Subject)
		}
	}
	c.advance(90 * time.Second)
	_, err := verifier.Verify(t.Context(), short)
	require.ErrorIs(t, err, application.ErrUnauthenticated)
	_, err = verifier.Verify(t.Context(), long)
	require.NoError(t, err)

	text = second.keys(t)
	c.advance(20 * time.Second)
	_, err = verifier.Verify(t.Context(), sign(t, jwa.RS256, second.key, map[string]any{"typ": "at+jwt"}, edited(func(c map[string]any) {
		c["exp"] = tokenNow.Add(time.Hour).Unix()
	})))
	require.NoError(t, err, "an unknown kid causes the keys to be read again")
	_, err = verifier.Verify(t.Context(), long)
	require.ErrorIs(t, err, application.ErrUnauthenticated)
}

func TestKeysFromURL(t *testing.T) {
	is := newIssuer(t)
	text := is.keys(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/valid":
			_, _ = w.Write(text)
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	read, err := tokens.KeysFromURL(server.URL + "/valid")(t.Context())
	require.NoError(t, err)
	assert.Equal(t, text, read)
	_, err = tokens.KeysFromURL(server.URL + "/endless")(t.Context())
	require.ErrorContains(t, err, "larger than")
	_, err = tokens.KeysFromURL(server.URL + "/none")(t.Context())
	require.ErrorContains(t, err, "404")
}

func TestSigner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.json")
	_, err := tokens.OpenSigner(path, rules())
	require.ErrorIs(t, err, os.ErrNotExist)

	signers := make([]*tokens.Signer, 8)
	errs := make([]error, len(signers))
	var group sync.WaitGroup
	for i := range signers {
		group.Go(func() { signers[i], errs[i] = tokens.OpenOrCreateSigner(path, rules()) })
	}
	group.Wait()
	require.NoError(t, errors.Join(errs...))

	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "temporary files are removed")

	r := rules()
	r.RoleClaim = "roles"
	verifier := verifierOf(t, r, tokens.KeysFromFile(path), clock)
	for _, signer := range signers {
		token, err := signer.Sign(tokens.Claims{Subject: "dev", Tenant: "t", Scope: "clients:read", TTL: time.Minute}, tokenNow)
		require.NoError(t, err)
		caller, err := verifier.Verify(t.Context(), token)
		require.NoError(t, err)
		assert.Equal(t, application.Caller{Subject: "dev", Tenant: "t", Permissions: []application.Permission{application.PermissionRead}}, withoutSources(caller))
	}

	require.NoError(t, os.WriteFile(path, []byte("not JSON"), 0o600))
	_, err = tokens.OpenOrCreateSigner(path, rules())
	require.ErrorContains(t, err, "remove it")
}
