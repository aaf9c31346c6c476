package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

const (
	importedHash  = "$pbkdf2-sha256$i=2500$MDEyMzQ1Njc4OWFiY2RlZvv/$NcPXZZEfugsHOW1ZLVhdYelAl57UDVUu0+NIKlGScM0"
	importedValue = "GeheimesWort-4711_fuer.Clientele"
)

// imported returns a new client with an imported secret. It does not commit it.
func imported(t *testing.T, of domain.TenantID, id domain.ClientID) domain.Client {
	t.Helper()
	return register(t, of, id).WithFirstSecret(domain.ImportSecret("secret_1", domain.ImportedHash{Slow: importedHash}, now))
}

// adopt returns the client with the registry's own hash of the imported secret. It does
// not store it.
func adopt(t *testing.T, c domain.Client) domain.Client {
	t.Helper()
	adopted, ok := c.AdoptSecret("secret_1", importedValue, domain.Pepper{ID: "k", Key: []byte("pepper")})
	require.True(t, ok)
	return adopted
}

func adoptSecrets(t *testing.T, store application.Store) {
	client, foreign := imported(t, tenant, "app-1"), imported(t, "tenant_b", "app-1")
	for _, c := range []domain.Client{client, foreign} {
		require.NoError(t, store.Commit(t.Context(), created(c)))
	}
	found, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, client.State(), found.State())
	before, err := store.Changes(t.Context(), tenant, "", 10)
	require.NoError(t, err)

	adopted := adopt(t, found)
	require.NoError(t, store.AdoptSecrets(t.Context(), adopted))
	found, err = store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, adopted.State(), found.State())
	if keys, ok := store.(application.SecretKeys); ok {
		missing, err := keys.MissingSecretKeys(t.Context(), nil, now)
		require.NoError(t, err)
		assert.Equal(t, []string{"k"}, missing, "the pepper is known to be needed")
	}
	found, err = store.Find(t.Context(), "tenant_b", "app-1")
	require.NoError(t, err)
	assert.Equal(t, foreign.State(), found.State(), "the client of another tenant")
	log, err := store.Revisions(t.Context(), tenant, "app-1", 0, 10)
	require.NoError(t, err)
	assert.Len(t, log, 1)
	after, err := store.Changes(t.Context(), tenant, before.Next, 10)
	require.NoError(t, err)
	assert.Empty(t, after.Revisions)

	renamed := rename(t, adopted, "Another")
	require.NoError(t, store.Commit(t.Context(), updated(renamed)))
	require.ErrorIs(t, store.AdoptSecrets(t.Context(), adopted), application.ErrConflict, "an earlier revision")
	require.ErrorIs(t, store.AdoptSecrets(t.Context(), rename(t, renamed, "A third")), application.ErrConflict, "a later revision")
	require.ErrorIs(t, store.AdoptSecrets(t.Context(), imported(t, tenant, "app-2")), application.ErrConflict, "an unknown client")
	found, err = store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, renamed.State(), found.State())

	state := renamed.State()
	state.Secrets, state.SecretsUnreadable = nil, true
	require.ErrorIs(t, store.AdoptSecrets(t.Context(), domain.Restore(state)), application.ErrUnstorable)
}

func adoptDuringCommits(t *testing.T, store application.Store) {
	client := imported(t, tenant, "app-1")
	require.NoError(t, store.Commit(t.Context(), created(client)))
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for n := range 10 {
				found, err := store.Find(t.Context(), tenant, "app-1")
				if err != nil {
					assert.Fail(t, err.Error())
					return
				}
				if i == 0 {
					err = store.Commit(t.Context(), updated(rename(t, found, fmt.Sprintf("App %d", n))))
				} else if adopted, ok := found.AdoptSecret("secret_1", importedValue, domain.Pepper{ID: "k", Key: []byte("pepper")}); ok {
					err = store.AdoptSecrets(t.Context(), adopted)
				}
				assert.True(t, err == nil || errors.Is(err, application.ErrConflict), "%v", err)
			}
		})
	}
	group.Wait()
	found, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	require.Len(t, found.Secrets(), 1)
	secret := found.Secrets()[0]
	assert.Equal(t, secret.SlowHash == "", len(secret.Hash) > 0, "one of the two hashes, whichever was written last")
	log, err := store.Revisions(t.Context(), tenant, "app-1", 0, 100)
	require.NoError(t, err)
	assert.Len(t, log, int(found.Revision()))
}
