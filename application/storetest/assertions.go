package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// useOf is the use of the assertion with that number, which expires after a minute.
func useOf(n byte) application.AssertionUse {
	return application.AssertionUse{
		TenantID: tenant, ClientID: "app-1", Digest: [32]byte{31: n}, At: now, ExpiresAt: now.Add(time.Minute),
	}
}

func assertionIsUsedOnce(t *testing.T, store application.Store) {
	require.NoError(t, store.UseAssertion(t.Context(), useOf(1)))
	require.ErrorIs(t, store.UseAssertion(t.Context(), useOf(1)), application.ErrReplayed)
	longer := useOf(1)
	longer.ExpiresAt = now.Add(time.Hour)
	require.ErrorIs(t, store.UseAssertion(t.Context(), longer), application.ErrReplayed, "the identifier counts")
	require.NoError(t, store.UseAssertion(t.Context(), useOf(2)))
	for _, other := range []struct {
		tenant domain.TenantID
		client domain.ClientID
	}{{"tenant_b", "app-1"}, {tenant, "app-2"}} {
		use := useOf(1)
		use.TenantID, use.ClientID = other.tenant, other.client
		require.NoError(t, store.UseAssertion(t.Context(), use), "each client has its own identifiers")
	}
	late := useOf(1)
	late.At, late.ExpiresAt = now.Add(time.Minute), now.Add(2*time.Minute)
	require.NoError(t, store.UseAssertion(t.Context(), late), "the record has expired")
	late.At = late.ExpiresAt.Add(-time.Microsecond)
	require.ErrorIs(t, store.UseAssertion(t.Context(), late), application.ErrReplayed)
}

func oneUseSucceeds(t *testing.T, store application.Store) {
	const callers, rounds = 32, 8
	for round := range byte(rounds) {
		errs := make([]error, callers)
		begin := make(chan struct{})
		var group sync.WaitGroup
		for i := range callers {
			group.Go(func() {
				<-begin
				errs[i] = store.UseAssertion(t.Context(), useOf(round))
			})
		}
		close(begin)
		group.Wait()
		succeeded := 0
		for _, err := range errs {
			if err == nil {
				succeeded++
			} else {
				require.ErrorIs(t, err, application.ErrReplayed)
			}
		}
		assert.Equal(t, 1, succeeded, "round %d", round)
	}
}

func expiredUsesAreDeleted(t *testing.T, store application.Store) {
	const kept, expired = 3, 10
	for n := range byte(expired + kept) {
		use := useOf(n)
		use.ClientID = domain.ClientID(fmt.Sprintf("app-%d", n%2))
		if n >= expired {
			use.ExpiresAt = now.Add(time.Hour)
		}
		require.NoError(t, store.UseAssertion(t.Context(), use))
	}
	remove := func(at time.Time) int {
		deleted, err := store.DeleteAssertionUses(t.Context(), at, 4)
		require.NoError(t, err)
		return deleted
	}
	end := now.Add(time.Minute)
	assert.Zero(t, remove(end.Add(-time.Microsecond)))
	assert.Equal(t, []int{4, 4, 2, 0}, []int{remove(end), remove(end), remove(end), remove(end)})
	use := useOf(expired)
	use.ClientID, use.At = "app-0", end
	require.ErrorIs(t, store.UseAssertion(t.Context(), use), application.ErrReplayed, "a record that has not expired is kept")
}
