package application_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/jwks"
	"github.com/clientele-oauth/clientele/adapters/ratelimit"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

const accepted = "https://as.example.com"

// signingKey is a key of a client for ES256.
type signingKey struct {
	*ecdsa.PrivateKey
	id string
}

func newSigningKey(t *testing.T, id string) signingKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return signingKey{key, id}
}

// jwks returns a JWK Set with the key.
func (k signingKey) jwks(t *testing.T) string {
	t.Helper()
	octets, err := k.PublicKey.Bytes()
	require.NoError(t, err)
	coordinate := base64.RawURLEncoding.EncodeToString
	return fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","kid":%q,"x":%q,"y":%q}]}`, k.id, coordinate(octets[1:33]), coordinate(octets[33:]))
}

// sign returns a client assertion of the client that expires a minute after the time.
func (k signingKey) sign(t *testing.T, id domain.ClientID, jti string, at time.Time) application.AuthenticationRequest {
	t.Helper()
	segment := func(members map[string]any) string {
		text, err := json.Marshal(members)
		require.NoError(t, err)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	signed := segment(map[string]any{"alg": "ES256", "kid": k.id}) + "." +
		segment(map[string]any{"iss": id, "sub": id, "aud": accepted, "exp": at.Unix() + 60, "jti": jti})
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, k.PrivateKey, digest[:])
	require.NoError(t, err)
	signature := append(new(big.Int).Set(r).FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return application.AuthenticationRequest{
		Form: domain.AuthForm{
			AssertionType: domain.AssertionTypeJWT,
			Assertion:     signed + "." + base64.RawURLEncoding.EncodeToString(signature),
		},
		Audiences: []string{accepted},
	}
}

// keyClient registers a client with private_key_jwt.
func keyClient(t *testing.T, r *registry, keys domain.KeySource) domain.ClientID {
	t.Helper()
	registered, err := r.Register(t.Context(), admin, "keys", domain.ChangeOf(domain.Settings{
		Name: "App", RedirectURIs: []domain.RedirectURI{"https://a.example/cb"},
		AuthMethods: []domain.AuthMethod{domain.AuthPrivateKeyJWT}, Keys: keys,
	}), application.Options{})
	require.NoError(t, err)
	return registered.Client.Identity().ClientID
}

// reasonOf returns why a client is not authenticated.
func reasonOf(t *testing.T, err error) domain.AuthFailure {
	t.Helper()
	failed, ok := errors.AsType[*application.AuthenticationError](err)
	require.True(t, ok, "%v", err)
	return failed.Reason
}

func TestAnAssertionIsAcceptedOnceByAllReplicas(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		const callers = 32
		key := newSigningKey(t, "k1")
		id := keyClient(t, r, domain.InlineKeys(key.jwks(t)))
		replicas := []*application.Registry{r.Registry, application.NewRegistry(r.Config)}
		request := key.sign(t, id, "1", now)
		errs := make([]error, callers)
		var group sync.WaitGroup
		for i := range callers {
			group.Go(func() { _, errs[i] = replicas[i%2].Authenticate(t.Context(), admin, request) })
		}
		group.Wait()
		succeeded := 0
		for _, err := range errs {
			if err == nil {
				succeeded++
			} else {
				assert.Equal(t, domain.FailureAssertionReplayed, reasonOf(t, err))
			}
		}
		assert.Equal(t, 1, succeeded)

		later, err := r.Authenticate(t.Context(), admin, key.sign(t, id, "2", now))
		require.NoError(t, err)
		assert.Equal(t, "k1", later.KeyID)
		assert.Zero(t, later.CacheableUntil)
		_, err = r.Authenticate(t.Context(), foreignCaller, key.sign(t, id, "3", now))
		assert.Equal(t, domain.FailureUnknown, reasonOf(t, err), "the client belongs to another tenant")

		advance(r, 60*time.Second+domain.AssertionSkew)
		require.NoError(t, r.DeleteExpiredUses(t.Context()))
		_, err = r.Authenticate(t.Context(), admin, request)
		assert.Equal(t, domain.FailureAssertionExpired, reasonOf(t, err))
		_, err = r.Authenticate(t.Context(), admin, key.sign(t, id, "1", r.Clock.Now()))
		require.NoError(t, err, "an identifier may be used again after it has expired")
	})
}

// hostedKeys are the keys at a jwks_uri: what Fetch returns, and Refetch.
type hostedKeys struct {
	application.KeyResolver
	known, current domain.Keys
	err            error
	refetched      int
}

func (k *hostedKeys) Fetch(context.Context, domain.TenantID, string) (domain.Keys, time.Time, error) {
	return k.known, now, k.err
}

func (k *hostedKeys) Refetch(context.Context, domain.TenantID, string) (domain.Keys, time.Time, error) {
	k.refetched++
	return k.current, now, k.err
}

func TestKeysAtAURIAreReadAgainForAnUnknownKey(t *testing.T) {
	r := newRegistry(t)
	before, after, strange := newSigningKey(t, "k1"), newSigningKey(t, "k2"), newSigningKey(t, "k3")
	id := keyClient(t, r, domain.KeysAt("https://keys.example/jwks"))
	keys := func(k signingKey) domain.Keys { return domain.KeysSeen(jwks.Parse(k.jwks(t))) }
	hosted := &hostedKeys{KeyResolver: r.Keys, known: keys(before), current: keys(after)}
	r.with(func(c *application.Config) { c.Keys = hosted })
	_, err := r.Authenticate(t.Context(), admin, before.sign(t, id, "1", now))
	require.NoError(t, err)
	assert.Zero(t, hosted.refetched)
	result, err := r.Authenticate(t.Context(), admin, after.sign(t, id, "2", now))
	require.NoError(t, err)
	assert.Equal(t, "k2", result.KeyID)
	_, err = r.Authenticate(t.Context(), admin, strange.sign(t, id, "3", now))
	assert.Equal(t, domain.FailureAssertionKey, reasonOf(t, err))
	assert.Equal(t, 2, hosted.refetched)

	for name, unknown := range map[string]hostedKeys{
		"not reachable":          {known: domain.KeysUnreachable("down")},
		"not reachable any more": {known: keys(before), current: domain.KeysUnreachable("down")},
		"not public":             {known: domain.KeysRefused()},
		"not a JWK Set":          {known: domain.KeysSeen(jwks.Parse("<html>"))},
		"too many fetches":       {err: application.ErrTooManyFetches},
	} {
		r.with(func(c *application.Config) { c.Keys = &unknown })
		_, err := r.Authenticate(t.Context(), admin, after.sign(t, id, "4", now))
		require.ErrorIs(t, err, application.ErrUnavailable, name)
	}
}

// bySecret is a request with a secret in the form.
func bySecret(id domain.ClientID, value string) application.AuthenticationRequest {
	return application.AuthenticationRequest{
		Authorization: "Basic " + base64.StdEncoding.EncodeToString([]byte(string(id)+":"+value)),
	}
}

// A server that authenticates one client 400 times at 200 a second is not limited.
func TestOneClientMayBeBusy(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		own, err := r.Register(t.Context(), admin, "own", validChange(), application.Options{})
		require.NoError(t, err)
		_, err = r.Import(t.Context(), admin, "weak", validChange(), weakHash, application.Options{})
		require.NoError(t, err)
		r.with(func(c *application.Config) {
			c.Verifications = ratelimit.PerSecond(1000, c.Clock.Now)
			c.Failures = ratelimit.FailuresPerMinute(60, c.Clock.Now)
		})
		for range 400 {
			advance(r, 5*time.Millisecond)
			for id, value := range map[domain.ClientID]string{"own": own.Secret, "weak": weakValue} {
				_, err := r.Authenticate(t.Context(), admin, bySecret(id, value))
				require.NoError(t, err)
				result, err := r.VerifySecret(t.Context(), admin, id, value)
				require.NoError(t, err)
				require.True(t, result.Valid)
			}
		}
	})
}

// The limit of verifications is the caller's.
func TestVerificationsAreLimitedByCaller(t *testing.T) {
	r := newRegistry(t)
	id := register(t, r)
	r.with(func(c *application.Config) { c.Verifications = ratelimit.PerSecond(2, c.Clock.Now) })
	other := admin
	other.Subject = "bob"
	for range 2 {
		assert.Empty(t, verify(t, r, id, "wrong"))
	}
	_, err := r.VerifySecret(t.Context(), admin, id, "wrong")
	require.ErrorIs(t, err, application.ErrTooManyRequests)
	_, err = r.Authenticate(t.Context(), admin, bySecret("another", "wrong"))
	require.ErrorIs(t, err, application.ErrTooManyRequests, "for any client")
	_, err = r.VerifySecret(t.Context(), other, id, "wrong")
	require.NoError(t, err)
}

// A hash of a value that could be guessed.
const (
	weakValue = "sommer2026"
	weakHash  = "$2a$04$P1d8K6lQ6tEJRsoie/SuZez9jWtGI8kubCroZm3kfWCMGWliFu6Xq"
)

// Failures are limited for each client. A right value that cannot have been guessed is
// never rejected; one that could be is, unless it has been right before.
func TestFailuresAreLimitedByClient(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		own, err := r.Register(t.Context(), admin, "own", validChange(), application.Options{})
		require.NoError(t, err)
		plain := sha256.Sum256([]byte(weakValue))
		for id, hash := range map[domain.ClientID]string{
			"weak": weakHash, "used": weakHash, "strong": importedHash, "plain": hex.EncodeToString(plain[:]),
		} {
			_, err = r.Import(t.Context(), admin, id, validChange(), hash, application.Options{})
			require.NoError(t, err)
		}
		values := map[domain.ClientID]string{"own": own.Secret, "weak": weakValue, "used": weakValue, "strong": importedValue, "plain": weakValue}
		assert.NotEmpty(t, verify(t, r, "strong", importedValue), "now it has a fast hash")
		r.with(func(c *application.Config) { c.Failures = ratelimit.FailuresPerMinute(6, c.Clock.Now) })
		assert.NotEmpty(t, verify(t, r, "used", weakValue))

		limited := func(id domain.ClientID, value string) time.Duration {
			_, err := r.Authenticate(t.Context(), admin, bySecret(id, value))
			retry, ok := errors.AsType[*application.RetryError](err)
			if !ok {
				return 0
			}
			require.ErrorIs(t, err, application.ErrTooManyRequests)
			_, err = r.VerifySecret(t.Context(), admin, id, value)
			if id != "nobody" {
				require.ErrorIs(t, err, application.ErrTooManyRequests, "the failures count together")
			}
			return retry.After
		}
		for _, id := range []domain.ClientID{"own", "weak", "used", "strong", "plain", "nobody"} {
			for range 6 {
				assert.Zero(t, limited(id, "wrong"), id)
			}
			assert.Equal(t, 10*time.Second, limited(id, "wrong"), id)
		}
		for _, id := range []domain.ClientID{"weak", "plain"} {
			assert.Equal(t, 10*time.Second, limited(id, weakValue), "it could be the lucky guess")
		}
		for _, id := range []domain.ClientID{"own", "used", "strong"} {
			for range 10 {
				assert.NotEmpty(t, verify(t, r, id, values[id]), "no caller can lock out %s", id)
			}
		}
		advance(r, 10*time.Second)
		assert.NotEmpty(t, verify(t, r, "weak", weakValue))
		assert.Zero(t, limited("weak", "wrong"), "the success did not count")
		assert.Equal(t, 10*time.Second, limited("weak", "wrong"))
		assert.NotEmpty(t, verify(t, r, "weak", weakValue), "it was right before")

		_, err = r.RotateSecret(t.Context(), admin, "weak", new(time.Duration(0)), application.Options{})
		require.NoError(t, err)
		assert.Equal(t, 10*time.Second, limited("weak", weakValue), "it is not valid any more")
	})
}

func TestWithoutALiveSecretNothingCanBeGuessed(t *testing.T) {
	r := newRegistry(t)
	registered, err := r.Register(t.Context(), admin, "app", validChange(), application.Options{})
	require.NoError(t, err)
	_, err = r.Revise(t.Context(), admin, "app", domain.ChangeOf(domain.Settings{Status: domain.StatusSuspended}), application.Options{})
	require.NoError(t, err)
	r.with(func(c *application.Config) { c.Failures = ratelimit.FailuresPerMinute(1, c.Clock.Now) })
	for range 3 {
		assert.Empty(t, verify(t, r, "app", registered.Secret))
		_, err := r.Authenticate(t.Context(), admin, bySecret("app", registered.Secret))
		assert.Equal(t, domain.FailureSuspended, reasonOf(t, err))
	}
}

func TestHowLongAnAuthenticationMayBeKept(t *testing.T) {
	r := newRegistry(t)
	id := register(t, r)
	end := now.Add(90*time.Second + 500*time.Millisecond)
	issued, err := r.CreateSecret(t.Context(), admin, id, application.SecretOptions{ExpiresAt: &end}, application.Options{})
	require.NoError(t, err)
	until := func() time.Time {
		result, err := r.Authenticate(t.Context(), admin, bySecret(id, issued.Value))
		require.NoError(t, err)
		assert.Equal(t, issued.Secret.ID, result.SecretID)
		return result.CacheableUntil
	}
	assert.Zero(t, until(), "not at all unless configured")
	r.with(func(c *application.Config) { c.VerificationAge = time.Minute })
	assert.Equal(t, now.Add(time.Minute), until())
	advance(r, time.Minute)
	assert.Equal(t, now.Add(90*time.Second), until(), "not beyond the end of the secret")
	advance(r, 30*time.Second)
	assert.Zero(t, until())
	states, err := r.ListSecrets(t.Context(), admin, id)
	require.NoError(t, err)
	assert.Equal(t, now.Add(90*time.Second), states[1].LastUsedAt, "it counts as a use of the secret")
}
