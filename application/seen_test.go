package application_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// lateReports is a store in which something happens after each search for unused clients.
type lateReports struct {
	application.RegistrationStore
	happens func()
}

func (s lateReports) Unseen(
	ctx context.Context, tenant domain.TenantID, after application.UnseenPosition, before time.Time, limit int,
) ([]domain.Client, error) {
	clients, err := s.RegistrationStore.Unseen(ctx, tenant, after, before, limit)
	s.happens()
	return clients, err
}

// Nothing reads the reports of clients without a registration.
func TestReportsOfClientsWithoutARegistrationAreNotStored(t *testing.T) {
	onEachStoreRegistering(t, domain.RegistrationPolicy{}, func(t *testing.T, r *registry) {
		byHand, self := register(t, r), idOf(selfRegister(t, r, metadata("App")))
		for id, stored := range map[domain.ClientID]bool{byHand: false, self: true} {
			require.NoError(t, r.NoteSeen(t.Context(), admin, id))
			first, _, err := r.Registrations.Store.SeenTimes(t.Context(), "tenant_a", id)
			require.NoError(t, err)
			assert.Equal(t, stored, !first.IsZero(), id)
		}
	})
}

// A report that was acknowledged counts, also if the search for unused clients came before it.
func TestAClientThatIsReportedDuringTheDeletionOfUnusedOnesStays(t *testing.T) {
	onEachStoreRegistering(t, domain.RegistrationPolicy{UnusedTTL: 24 * time.Hour}, func(t *testing.T, r *registry) {
		used, unused := selfRegister(t, r, metadata("Used")), selfRegister(t, r, metadata("Unused"))
		advance(r, 25*time.Hour)
		r.with(func(c *application.Config) {
			c.Registrations.Store = lateReports{c.Registrations.Store, func() { require.NoError(t, r.NoteSeen(t.Context(), admin, idOf(used))) }}
		})
		deleted, err := r.DeleteUnused(t.Context(), domain.Actor{Subject: "service"})
		require.NoError(t, err)
		assert.Equal(t, 1, deleted)
		_, err = r.FindSelf(t.Context(), "tenant_a", idOf(used), used.Token)
		require.NoError(t, err)
		require.ErrorIs(t, r.NoteSeen(t.Context(), admin, idOf(unused)), application.ErrNotFound)
	})
}

// Clients that may not be deleted do not keep later ones from being deleted.
func TestTheSearchForUnusedClientsReachesAllClients(t *testing.T) {
	onEachStoreRegistering(t, domain.RegistrationPolicy{UnusedTTL: 24 * time.Hour}, func(t *testing.T, r *registry) {
		suspended := domain.ChangeOf(domain.Settings{Status: domain.StatusSuspended})
		token := initialToken(t, r, domain.InitialTokenProperties{MaxUses: 250})
		const kept = 201 // more than the clients of one call
		for i := range kept + 1 {
			registered, err := r.RegisterSelf(t.Context(), request(token.Value, metadata("App")))
			require.NoError(t, err)
			if i < kept {
				_, err = r.Revise(t.Context(), admin, idOf(registered), suspended, application.Options{})
				require.NoError(t, err)
			}
			advance(r, time.Second)
		}
		advance(r, 25*time.Hour)
		for call, want := range []int{0, 1, 0, 0} {
			deleted, err := r.DeleteUnused(t.Context(), domain.Actor{Subject: "service"})
			require.NoError(t, err)
			assert.Equal(t, want, deleted, "call %d", call)
		}
	})
}
