package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

func secretUses(t *testing.T, store application.Store) {
	note := func(client domain.ClientID, secret string, at time.Time) {
		require.NoError(t, store.NoteSecretUses(t.Context(), []application.SecretUse{
			{TenantID: tenant, ClientID: client, SecretID: secret, At: at},
			{TenantID: "tenant_b", ClientID: client, SecretID: secret, At: at.Add(time.Hour)},
		}))
	}
	note("app-1", "s1", now)
	note("app-1", "s1", now.Add(time.Minute))
	note("app-1", "s1", now.Add(time.Second))
	note("app-1", "s2", now)
	note("app-2", "s3", now)
	used, err := store.SecretUses(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, map[string]time.Time{"s1": now.Add(time.Minute), "s2": now}, used)
	used, err = store.SecretUses(t.Context(), tenant, domain.ClientID(strings.Repeat("x", 10)))
	require.NoError(t, err)
	assert.Empty(t, used)
}
