package application_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

func verify(t *testing.T, r *registry, id domain.ClientID, value string) string {
	t.Helper()
	result, err := r.VerifySecret(t.Context(), admin, id, value)
	require.NoError(t, err)
	assert.Equal(t, result.Valid, result.SecretID != "")
	return result.SecretID
}

func TestSecretLifecycle(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		first, err := r.Register(t.Context(), admin, "app", validChange(), application.Options{})
		require.NoError(t, err)
		assert.NotEmpty(t, verify(t, r, "app", first.Secret))
		assert.Empty(t, verify(t, r, "app", first.Secret+"x"))

		second, err := r.CreateSecret(t.Context(), admin, "app", application.SecretOptions{Description: "Frankfurt"}, application.Options{})
		require.NoError(t, err)
		assert.Equal(t, second.Secret.ID, verify(t, r, "app", second.Value))
		_, err = r.CreateSecret(t.Context(), admin, "app", application.SecretOptions{}, application.Options{})
		require.ErrorIs(t, err, domain.ErrTooManySecrets)

		third, err := r.RotateSecret(t.Context(), admin, "app", nil, application.Options{})
		require.NoError(t, err)
		for _, value := range []string{first.Secret, second.Value, third.Value} {
			assert.NotEmpty(t, verify(t, r, "app", value))
		}
		advance(r, 4*time.Hour-time.Second)
		assert.NotEmpty(t, verify(t, r, "app", first.Secret), "the grace period is not over")
		advance(r, time.Second)
		assert.Empty(t, verify(t, r, "app", first.Secret), "the grace period is over")
		assert.NotEmpty(t, verify(t, r, "app", third.Value))

		fourth, err := r.RotateSecret(t.Context(), admin, "app", new(time.Duration(0)), application.Options{})
		require.NoError(t, err)
		assert.Empty(t, verify(t, r, "app", third.Value), "the grace period is zero")

		require.ErrorIs(t, r.DeleteSecret(t.Context(), admin, "app", fourth.Secret.ID, application.Options{}), domain.ErrLastSecret)
		require.ErrorIs(t, r.DeleteSecret(t.Context(), admin, "app", "other", application.Options{}), domain.ErrNoSuchSecret)

		revised, err := r.Revise(t.Context(), admin, "app", domain.ChangeOf(domain.Settings{
			AuthMethods: []domain.AuthMethod{domain.AuthPrivateKeyJWT}, Keys: domain.KeysAt("https://a.example/jwks"),
		}), application.Options{})
		require.NoError(t, err)
		assert.Equal(t, 1, revised.RevokedSecrets)
		assert.Empty(t, verify(t, r, "app", fourth.Value))
		_, err = r.RotateSecret(t.Context(), admin, "app", nil, application.Options{})
		require.ErrorIs(t, err, domain.ErrNoSecretUse)
	})
}

func TestLastUseOfASecretIsVisibleAtOnceAndStoredLater(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		registered, err := r.Register(t.Context(), admin, "app", validChange(), application.Options{})
		require.NoError(t, err)
		lastUsed := func(r *registry) time.Time {
			states, err := r.ListSecrets(t.Context(), admin, "app")
			require.NoError(t, err)
			require.Len(t, states, 1)
			assert.Equal(t, domain.SecretActive, states[0].Status)
			return states[0].LastUsedAt
		}
		assert.Zero(t, lastUsed(r))
		verify(t, r, "app", "wrong")
		assert.Zero(t, lastUsed(r), "a wrong value does not count as a use")
		verify(t, r, "app", registered.Secret)
		assert.Equal(t, now, lastUsed(r))

		replica := registryOver(t, r.Store)
		assert.Zero(t, lastUsed(replica))
		require.NoError(t, r.FlushSecretUses(t.Context()))
		assert.Equal(t, now, lastUsed(replica))
		assert.Equal(t, now, lastUsed(r))
		require.NoError(t, r.FlushSecretUses(t.Context()), "nothing is left to store")

		found, err := r.Find(t.Context(), admin, "app")
		require.NoError(t, err)
		assert.Equal(t, domain.RevisionNumber(1), found.Revision(), "a use creates no revision")
	})
}

func idempotent(key string, fingerprint byte) application.Options {
	return application.Options{Idempotency: &application.Idempotency{Key: key, Fingerprint: [32]byte{fingerprint}}}
}

func TestRepeatedRequestTakesEffectOnce(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		first, err := r.Register(t.Context(), admin, "", validChange(), idempotent("k1", 1))
		require.NoError(t, err)
		require.NotEmpty(t, first.Secret)
		id := first.Client.Identity().ClientID
		_, err = r.Revise(t.Context(), admin, id, domain.ChangeOf(domain.Settings{Name: "Another"}), application.Options{})
		require.NoError(t, err)

		again, err := r.Register(t.Context(), admin, "", validChange(), idempotent("k1", 1))
		require.NoError(t, err)
		assert.True(t, again.Repeated)
		assert.Empty(t, again.Secret)
		assert.Equal(t, first.Client.Identity(), again.Client.Identity())
		assert.Equal(t, first.Client.Settings(), again.Client.Settings(), "the client as it was registered")
		_, err = r.Register(t.Context(), admin, "", validChange(), idempotent("k1", 2))
		require.ErrorIs(t, err, application.ErrKeyReused)
		_, err = r.RotateSecret(t.Context(), admin, id, nil, idempotent("k1", 3))
		require.ErrorIs(t, err, application.ErrKeyReused)
		other, err := r.Register(t.Context(), foreignCaller, "", validChange(), idempotent("k1", 1))
		require.NoError(t, err)
		assert.False(t, other.Repeated, "keys are separate per caller")

		rotated, err := r.RotateSecret(t.Context(), admin, id, nil, idempotent("k2", 1))
		require.NoError(t, err)
		repeated, err := r.RotateSecret(t.Context(), admin, id, nil, idempotent("k2", 1))
		require.NoError(t, err)
		assert.True(t, repeated.Repeated)
		assert.Empty(t, repeated.Value)
		assert.Equal(t, rotated.Secret.ID, repeated.Secret.ID)
		assert.NotEmpty(t, verify(t, r, id, rotated.Value))

		added, err := r.CreateSecret(t.Context(), admin, id, application.SecretOptions{}, idempotent("k3", 1))
		require.NoError(t, err)
		repeated, err = r.CreateSecret(t.Context(), admin, id, application.SecretOptions{}, idempotent("k3", 1))
		require.NoError(t, err)
		assert.Equal(t, added.Secret, repeated.Secret)
		require.NoError(t, r.DeleteSecret(t.Context(), admin, id, added.Secret.ID, application.Options{}))
		repeated, err = r.CreateSecret(t.Context(), admin, id, application.SecretOptions{}, idempotent("k3", 1))
		require.NoError(t, err)
		assert.Equal(t, added.Secret.ID, repeated.Secret.ID, "even if the secret was deleted in the meantime")

		log, _, err := r.History(t.Context(), admin, id, 0, 100)
		require.NoError(t, err)
		assert.Len(t, log, 5)

		_, err = r.Register(t.Context(), admin, "", domain.Change{}, idempotent("k4", 1))
		var invalid *application.InvalidError
		require.ErrorAs(t, err, &invalid)
		mended, err := r.Register(t.Context(), admin, "", validChange(), idempotent("k4", 2))
		require.NoError(t, err, "a rejected request does not use up the key")
		assert.False(t, mended.Repeated)

		advance(r, application.IdempotencyRetention+time.Second)
		late, err := r.Register(t.Context(), admin, "", validChange(), idempotent("k1", 1))
		require.NoError(t, err)
		assert.False(t, late.Repeated, "the key can be reused after a day")
	})
}

func TestConcurrentRepeatedRequestsTakeEffectOnce(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		const callers = 16
		outcomes := make([]application.Registered, callers)
		errs := make([]error, callers)
		var group sync.WaitGroup
		for i := range callers {
			group.Go(func() { outcomes[i], errs[i] = r.Register(t.Context(), admin, "", validChange(), idempotent("k", 1)) })
		}
		group.Wait()
		secrets := 0
		for i, outcome := range outcomes {
			require.NoError(t, errs[i])
			assert.Equal(t, outcomes[0].Client.Identity(), outcome.Client.Identity())
			if outcome.Secret != "" {
				secrets++
			}
		}
		assert.Equal(t, 1, secrets, "exactly one response contains the secret")
		page, err := r.List(t.Context(), admin, application.Query{Limit: 10, Count: true})
		require.NoError(t, err)
		assert.Equal(t, 1, page.Total)
	})
}

// One of several equal requests takes effect. The others meet a conflict with its result,
// and must recognise that result as their own.
func TestConcurrentRepeatedRequestsAllSucceed(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		_, err := r.Register(t.Context(), admin, "app", validChange(), application.Options{})
		require.NoError(t, err)
		requests := map[string]func(key string) error{
			"a registration with an identifier": func(key string) error {
				_, err := r.Register(t.Context(), admin, domain.ClientID("own-"+key), validChange(), idempotent("r"+key, 1))
				return err
			},
			"a second secret": func(key string) error {
				_, err := r.CreateSecret(t.Context(), admin, "app", application.SecretOptions{}, idempotent("s"+key, 1))
				return err
			},
			"a rotation with a precondition": func(key string) error {
				opts := idempotent("m"+key, 1)
				opts.IfMatch = []domain.RevisionNumber{2}
				_, err := r.RotateSecret(t.Context(), admin, "app", nil, opts)
				return err
			},
		}
		for _, name := range []string{"a registration with an identifier", "a second secret", "a rotation with a precondition"} {
			errs := make([]error, 24)
			var group sync.WaitGroup
			for i := range errs {
				group.Go(func() { errs[i] = requests[name]("k") })
			}
			group.Wait()
			for _, err := range errs {
				require.NoError(t, err, name)
			}
		}
	})
}

func TestIdentifierStaysReserved(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		_, err := r.Register(t.Context(), admin, "app-1", validChange(), application.Options{})
		require.NoError(t, err)
		taken := func() {
			for _, dryRun := range []bool{false, true} {
				_, err = r.Register(t.Context(), admin, "app-1", validChange(), application.Options{DryRun: dryRun})
				require.ErrorIs(t, err, application.ErrTaken)
			}
		}
		taken()
		require.NoError(t, r.Delete(t.Context(), admin, "app-1", application.Options{}))
		taken()
		advance(r, time.Hour)
		purged, err := application.Purge(t.Context(), r.Store, r.Clock, domain.Actor{Subject: "operator"}, time.Minute)
		require.NoError(t, err)
		assert.Equal(t, 1, purged)
		taken()
		_, err = r.Restore(t.Context(), admin, "app-1", application.Options{})
		require.ErrorIs(t, err, application.ErrNotFound)
		log, _, err := r.History(t.Context(), admin, "app-1", 0, 10)
		require.NoError(t, err)
		require.Len(t, log, 1)
		assert.Equal(t, domain.ActionPurge, log[0].Action)

		errs := make([]error, 8)
		var group sync.WaitGroup
		for i := range errs {
			group.Go(func() { _, errs[i] = r.Register(t.Context(), admin, "app-2", validChange(), application.Options{}) })
		}
		group.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, application.ErrTaken) {
				require.NoError(t, err)
			}
		}
		assert.Equal(t, 1, won)
	})
}
