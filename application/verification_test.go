package application_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// A hash of passlib 1.7.4, and its value.
const (
	importedHash  = "$pbkdf2-sha256$i=2500$MDEyMzQ1Njc4OWFiY2RlZvv/$NcPXZZEfugsHOW1ZLVhdYelAl57UDVUu0+NIKlGScM0"
	importedValue = "GeheimesWort-4711_fuer.Clientele"
)

// adoptionStore counts the calls of AdoptSecrets, and may fail them.
type adoptionStore struct {
	application.Store
	mu     sync.Mutex
	adopts int
	fail   error
}

func (s *adoptionStore) AdoptSecrets(ctx context.Context, c domain.Client) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.adopts++
	if s.fail != nil {
		return s.fail
	}
	return s.Store.AdoptSecrets(ctx, c)
}

func TestImportedSecretIsReplacedAtItsFirstVerification(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		store := &adoptionStore{Store: r.Store}
		r.with(func(c *application.Config) {
			c.Store, c.Peppers = store, []domain.Pepper{{ID: "p", Key: []byte("0123456789abcdef0123456789abcdef")}}
		})
		registered, err := r.Import(t.Context(), admin, "app", validChange(), importedHash, application.Options{})
		require.NoError(t, err)
		assert.Empty(t, registered.Secret)
		assert.Equal(t, importedHash, registered.Client.Secrets()[0].SlowHash)
		id := registered.Client.Secrets()[0].ID

		assert.Empty(t, verify(t, r, "app", importedValue+"x"))
		assert.Zero(t, store.adopts)
		store.fail = application.ErrUnavailable
		assert.Equal(t, id, verify(t, r, "app", importedValue), "also if the hash cannot be replaced")
		store.fail = nil
		assert.Equal(t, id, verify(t, r, "app", importedValue))
		assert.Equal(t, 2, store.adopts)
		found, err := r.Find(t.Context(), admin, "app")
		require.NoError(t, err)
		secret := found.Secrets()[0]
		assert.Equal(t, []string{"hmac-sha-256", "p", "", "tele"}, []string{secret.Algorithm(), secret.KeyID, secret.SlowHash, secret.LastFour})
		assert.Equal(t, registered.Client.Revision(), found.Revision(), "no revision")
		assert.Equal(t, id, verify(t, r, "app", importedValue))
		assert.Empty(t, verify(t, r, "app", importedValue+"x"))
		assert.Equal(t, 2, store.adopts, "nothing is left to replace")

		log, _, err := r.History(t.Context(), admin, "app", 0, 10)
		require.NoError(t, err)
		assert.Len(t, log, 1)
		states, err := r.ListSecrets(t.Context(), admin, "app")
		require.NoError(t, err)
		assert.Equal(t, now, states[0].LastUsedAt)
	})
}

// The client is changed between the read and the replacement of the hash.
func TestReplacingAHashNeverUndoesAChange(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		_, err := r.Import(t.Context(), admin, "app", validChange(), importedHash, application.Options{})
		require.NoError(t, err)
		store := r.Store
		r.with(func(c *application.Config) {
			c.Store = interveningStore{store, func() {
				other := registryOver(t, store)
				_, err := other.RotateSecret(t.Context(), admin, "app", new(time.Duration(0)), application.Options{})
				assert.NoError(t, err)
			}}
		})
		assert.NotEmpty(t, verify(t, r, "app", importedValue), "it was valid when the client was read")
		r.with(func(c *application.Config) { c.Store = store })
		assert.Empty(t, verify(t, r, "app", importedValue), "the secret that was rotated away does not come back")
		states, err := r.ListSecrets(t.Context(), admin, "app")
		require.NoError(t, err)
		assert.Len(t, states, 1)
	})
}

// interveningStore does something else before it replaces secrets.
type interveningStore struct {
	application.Store
	before func()
}

func (s interveningStore) AdoptSecrets(ctx context.Context, c domain.Client) error {
	s.before()
	return s.Store.AdoptSecrets(ctx, c)
}

func TestConcurrentFirstVerificationsSucceed(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		_, err := r.Import(t.Context(), admin, "app", validChange(), importedHash, application.Options{})
		require.NoError(t, err)
		second, err := r.CreateSecret(t.Context(), admin, "app", application.SecretOptions{}, application.Options{})
		require.NoError(t, err)
		var group sync.WaitGroup
		for i := range 16 {
			group.Go(func() {
				value := importedValue
				if i%2 == 0 {
					value = second.Value
				}
				result, err := r.VerifySecret(t.Context(), admin, "app", value)
				assert.True(t, result.Valid && err == nil, "%v", err)
			})
		}
		group.Wait()
		found, err := r.Find(t.Context(), admin, "app")
		require.NoError(t, err)
		assert.Empty(t, found.SlowSecrets(now))
	})
}

func TestImportIsForAdministrators(t *testing.T) {
	r := newRegistry(t)
	id := register(t, r)
	writer := application.Caller{Subject: "will", Tenant: "tenant_a", Permissions: application.Permissions()}
	for name, attempt := range map[string]func(application.Caller) error{
		"a client": func(c application.Caller) error {
			_, err := r.Import(t.Context(), c, "", validChange(), importedHash, application.Options{})
			return err
		},
		"a dry run": func(c application.Caller) error {
			_, err := r.Import(t.Context(), c, "", validChange(), importedHash, application.Options{DryRun: true})
			return err
		},
		"a secret": func(c application.Caller) error {
			_, err := r.CreateSecret(t.Context(), c, id, application.SecretOptions{Hash: importedHash}, application.Options{})
			return err
		},
	} {
		err := attempt(writer)
		require.ErrorIs(t, err, application.ErrForbidden, name)
		assert.Contains(t, err.Error(), "only an administrator may use secret_hash", name)
		require.ErrorIs(t, attempt(callerWithoutPermissions), application.ErrForbidden, name)
		require.NoError(t, attempt(admin), name)
	}
}

func TestHashesAreCheckedAtImport(t *testing.T) {
	r := newRegistry(t)
	public := domain.ChangeOf(domain.Settings{
		Name: "App", RedirectURIs: []domain.RedirectURI{"https://a.example/cb"}, AuthMethods: []domain.AuthMethod{domain.AuthPrivateKeyJWT},
		Keys: domain.KeysAt("https://a.example/jwks"),
	})
	for name, tt := range map[string]struct {
		change domain.Change
		hash   string
		rules  []string
	}{
		"a plain value":           {validChange(), "secret", []string{domain.RuleSecretHashSyntax}},
		"too much work":           {validChange(), "$2a$31$9K0Gl4NmZcbkl6LbDKXIquYBM2Z2Tjne0lcLrVxyTL2HxYASyk1/K", []string{domain.RuleSecretHashBounds}},
		"no method that needs it": {public, importedHash, []string{domain.RuleSecretHashUnused}},
		"everything at once":      {public.With(domain.FieldName, domain.Settings{}), "secret", []string{"name-required", domain.RuleSecretHashSyntax, domain.RuleSecretHashUnused}},
	} {
		for _, dryRun := range []bool{false, true} {
			_, err := r.Import(t.Context(), admin, "app", tt.change, tt.hash, application.Options{DryRun: dryRun})
			var invalid *application.InvalidError
			require.ErrorAs(t, err, &invalid, name)
			var rules []string
			for _, f := range invalid.Findings.Violations() {
				rules = append(rules, f.Rule)
				assert.NotEqual(t, strings.HasPrefix(f.Rule, "secret-hash"), f.Pointer != "/secret_hash", name)
			}
			assert.Equal(t, tt.rules, rules, name)
		}
	}
	id := register(t, r)
	_, err := r.CreateSecret(t.Context(), admin, id, application.SecretOptions{Hash: "secret"}, application.Options{})
	var invalid *application.InvalidError
	require.ErrorAs(t, err, &invalid)
}

func TestSecondSecretCanBeImported(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		id := register(t, r)
		end := now.Add(time.Hour)
		options := application.SecretOptions{Description: "moved", Hash: importedHash, ExpiresAt: &end}
		issued, err := r.CreateSecret(t.Context(), admin, id, options, idempotent("k", 1))
		require.NoError(t, err)
		assert.Empty(t, issued.Value)
		repeated, err := r.CreateSecret(t.Context(), admin, id, options, idempotent("k", 1))
		require.NoError(t, err)
		assert.True(t, repeated.Repeated)
		assert.Equal(t, issued.Secret.ID, repeated.Secret.ID)
		assert.Equal(t, issued.Secret.ID, verify(t, r, id, importedValue))
		advance(r, time.Hour)
		assert.Empty(t, verify(t, r, id, importedValue), "it expired")
		_, err = r.CreateSecret(t.Context(), admin, id, application.SecretOptions{Hash: importedHash}, application.Options{})
		require.NoError(t, err)
		_, err = r.CreateSecret(t.Context(), admin, id, application.SecretOptions{Hash: importedHash}, application.Options{})
		require.ErrorIs(t, err, domain.ErrTooManySecrets)
	})
}

// failingHashes fails every verification.
type failingHashes struct {
	application.SecretHashes
	err error
}

func (h failingHashes) Verify(context.Context, domain.TenantID, domain.ClientID, string, string) (bool, error) {
	return false, h.err
}

func TestSlowVerificationsAreLimited(t *testing.T) {
	r := newRegistry(t)
	_, err := r.Import(t.Context(), admin, "app", validChange(), importedHash, application.Options{})
	require.NoError(t, err)
	own, err := r.CreateSecret(t.Context(), admin, "app", application.SecretOptions{}, application.Options{})
	require.NoError(t, err)
	for _, limit := range []error{application.ErrTooManyRequests, application.ErrTooManyVerifications} {
		r.with(func(c *application.Config) { c.Hashes = failingHashes{c.Hashes, limit} })
		_, err = r.VerifySecret(t.Context(), admin, "app", importedValue)
		require.ErrorIs(t, err, limit)
		assert.NotEmpty(t, verify(t, r, "app", own.Value), "secrets with own hashes do not need them")
	}
	r.with(func(c *application.Config) {
		c.Hashes, c.Verifications = failingHashes{c.Hashes, errors.New("computed")}, denyAll{}
	})
	_, err = r.VerifySecret(t.Context(), admin, "app", importedValue)
	require.ErrorIs(t, err, application.ErrTooManyRequests, "the rate limit comes first")
}

func TestHowLongAVerificationMayBeKept(t *testing.T) {
	r := newRegistry(t)
	id := register(t, r)
	end := now.Add(90*time.Second + 500*time.Millisecond)
	issued, err := r.CreateSecret(t.Context(), admin, id, application.SecretOptions{ExpiresAt: &end}, application.Options{})
	require.NoError(t, err)
	result := func(value string) application.Verification {
		result, err := r.VerifySecret(t.Context(), admin, id, value)
		require.NoError(t, err)
		return result
	}
	valid := application.Verification{Valid: true, SecretID: issued.Secret.ID, ExpiresAt: end}
	assert.Equal(t, valid, result(issued.Value), "not at all unless configured")
	r.with(func(c *application.Config) { c.VerificationAge = time.Minute })
	valid.MaxAge = time.Minute
	assert.Equal(t, valid, result(issued.Value))
	advance(r, time.Minute)
	valid.MaxAge = 30 * time.Second
	assert.Equal(t, valid, result(issued.Value), "not beyond the end of the secret")
	advance(r, 30*time.Second)
	valid.MaxAge = 0
	assert.Equal(t, valid, result(issued.Value))
	assert.Equal(t, application.Verification{}, result("wrong"), "a negative result must not be kept")

	rotated, err := r.RotateSecret(t.Context(), admin, id, new(10*time.Second), application.Options{})
	require.NoError(t, err)
	assert.Equal(t, application.Verification{Valid: true, SecretID: rotated.Secret.ID, MaxAge: time.Minute}, result(rotated.Value))
}

func TestSecretVerifiers(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		_, err := r.Import(t.Context(), admin, "app", validChange(), importedHash, application.Options{})
		require.NoError(t, err)
		verifiers := func() (algorithms []string) {
			secrets, err := r.SecretVerifiers(t.Context(), admin, "app")
			require.NoError(t, err)
			for _, s := range secrets {
				algorithms = append(algorithms, s.Algorithm())
			}
			return algorithms
		}
		assert.Equal(t, []string{"pbkdf2-sha256"}, verifiers())
		verify(t, r, "app", importedValue)
		assert.Equal(t, []string{"sha-256"}, verifiers())
		_, err = r.RotateSecret(t.Context(), admin, "app", new(time.Minute), application.Options{})
		require.NoError(t, err)
		assert.Equal(t, []string{"sha-256", "sha-256"}, verifiers(), "also in the grace period")
		advance(r, time.Minute)
		assert.Equal(t, []string{"sha-256"}, verifiers())
		_, err = r.Revise(t.Context(), admin, "app", domain.ChangeOf(domain.Settings{Status: domain.StatusSuspended}), application.Options{})
		require.NoError(t, err)
		assert.Empty(t, verifiers())
		_, err = r.SecretVerifiers(t.Context(), admin, "none")
		require.ErrorIs(t, err, application.ErrNotFound)
	})
}
