package application_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

var theService = domain.Actor{Subject: "clientele serve"}

// recordEnds makes a run that must succeed.
func recordEnds(t *testing.T, r *registry) application.SecretEndsRun {
	t.Helper()
	run, err := application.RecordSecretEnds(t.Context(), r.Store, r.Clock, theService)
	require.NoError(t, err)
	return run
}

// rotate rotates the secret of a client and returns the value of the new one.
func rotate(t *testing.T, r *registry, id domain.ClientID, grace time.Duration) string {
	t.Helper()
	issued, err := r.RotateSecret(t.Context(), admin, id, &grace, application.Options{})
	require.NoError(t, err)
	return issued.Value
}

// actionsOf returns the actions of a client's history, oldest first.
func actionsOf(t *testing.T, r *registry, id domain.ClientID) []domain.Action {
	t.Helper()
	log, _, err := r.History(t.Context(), admin, id, 0, 100)
	require.NoError(t, err)
	var actions []domain.Action
	for i := range log {
		actions = append(actions, log[len(log)-1-i].Action)
	}
	return actions
}

func TestTheEndOfASecretMakesARevision(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		at := r.Clock.(*clock)
		registered, err := r.Register(t.Context(), admin, "", validChange(), application.Options{})
		require.NoError(t, err)
		id := registered.Client.Identity().ClientID
		second := rotate(t, r, id, time.Hour)
		expires := at.Now().Add(2 * time.Hour)
		_, err = r.CreateSecret(t.Context(), admin, id, application.SecretOptions{ExpiresAt: &expires}, application.Options{})
		require.NoError(t, err)
		before, err := r.Find(t.Context(), admin, id)
		require.NoError(t, err)

		at.advance(time.Hour - time.Microsecond)
		assert.Zero(t, recordEnds(t, r), "before the end")
		at.advance(time.Microsecond)
		assert.Equal(t, application.SecretEndsRun{Ended: 1}, recordEnds(t, r))
		assert.Zero(t, recordEnds(t, r), "one end makes one revision")
		want := []domain.Action{domain.ActionCreate, domain.ActionRotateSecret, domain.ActionCreateSecret, domain.ActionExpireSecret}
		assert.Equal(t, want, actionsOf(t, r, id))
		after, err := r.Find(t.Context(), admin, id)
		require.NoError(t, err)
		assert.Equal(t, before.Revision()+1, after.Revision())
		assert.Equal(t, before.Settings(), after.Settings())
		log, _, err := r.History(t.Context(), admin, id, 0, 1)
		require.NoError(t, err)
		assert.Equal(t, theService, log[0].Actor)
		assert.Equal(t, at.Now(), log[0].At)
		assert.Empty(t, log[0].Differences)
		secrets, err := r.ListSecrets(t.Context(), admin, id)
		require.NoError(t, err)
		require.Len(t, secrets, 3, "the secret is still listed")
		assert.Equal(t, domain.SecretExpired, secrets[0].Status)
		verified, err := r.VerifySecret(t.Context(), admin, id, second)
		require.NoError(t, err)
		assert.NotEmpty(t, verified.SecretID)

		at.advance(time.Hour)
		assert.Equal(t, application.SecretEndsRun{Ended: 1}, recordEnds(t, r), "the expiry time")
		assert.Equal(t, append(want, domain.ActionExpireSecret), actionsOf(t, r, id))
		at.advance(1000 * time.Hour)
		assert.Zero(t, recordEnds(t, r))
		_, err = r.Revise(t.Context(), admin, id, domain.ChangeOf(domain.Settings{Name: "Another"}), application.Options{})
		require.NoError(t, err)
		assert.Zero(t, recordEnds(t, r))
	})
}

func TestSecretEndsOfSuspendedAndDeletedClients(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		at := r.Clock.(*clock)
		suspended, gone := register(t, r), register(t, r)
		for _, id := range []domain.ClientID{suspended, gone} {
			rotate(t, r, id, time.Hour+55*time.Minute)
		}
		_, err := r.Revise(t.Context(), admin, suspended, domain.ChangeOf(domain.Settings{Status: domain.StatusSuspended}), application.Options{})
		require.NoError(t, err)
		require.NoError(t, r.Delete(t.Context(), admin, gone, application.Options{}))
		at.advance(2 * time.Hour)
		assert.Equal(t, application.SecretEndsRun{Ended: 1}, recordEnds(t, r))
		assert.Equal(t, domain.ActionExpireSecret, actionsOf(t, r, suspended)[3])

		_, err = r.Restore(t.Context(), admin, gone, application.Options{})
		require.NoError(t, err)
		assert.Equal(t, application.SecretEndsRun{Ended: 1}, recordEnds(t, r), "a client that is restored soon after the end")
		again := register(t, r)
		rotate(t, r, again, time.Hour)
		require.NoError(t, r.Delete(t.Context(), admin, again, application.Options{}))
		at.advance(2 * time.Hour)
		_, err = r.Restore(t.Context(), admin, again, application.Options{})
		require.NoError(t, err)
		assert.Zero(t, recordEnds(t, r), "a client that is restored long after the end")
	})
}

// Several replicas record the ends of many clients, which others change at the same time.
func TestReplicasRecordEachSecretEndOnce(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		const clients, replicas = 30, 4
		at := r.Clock.(*clock)
		var list []domain.ClientID
		for range clients {
			id := register(t, r)
			rotate(t, r, id, time.Hour)
			list = append(list, id)
		}
		at.advance(time.Hour)
		var group sync.WaitGroup
		var total atomic.Int64
		for range replicas {
			group.Go(func() {
				for range 5 {
					run, err := application.RecordSecretEnds(t.Context(), r.Store, r.Clock, theService)
					if err != nil || run.Failed > 0 {
						t.Errorf("%+v: %v", run, err)
					}
					total.Add(int64(run.Ended))
				}
			})
		}
		group.Go(func() {
			for i, id := range list {
				_, err := r.Revise(t.Context(), admin, id, domain.ChangeOf(domain.Settings{Name: fmt.Sprint("name ", i)}), application.Options{})
				if err != nil {
					t.Errorf("update: %v", err)
				}
			}
		})
		group.Wait()
		total.Add(int64(recordEnds(t, r).Ended)) // of clients that were changed just then
		assert.EqualValues(t, clients, total.Load())
		for _, id := range list {
			ends, updates := 0, 0
			for _, action := range actionsOf(t, r, id) {
				if action == domain.ActionExpireSecret {
					ends++
				}
				if action == domain.ActionUpdate {
					updates++
				}
			}
			assert.Equal(t, []int{1, 1}, []int{ends, updates}, id)
		}
	})
}

// endsStore has clients of whom the end of a secret is due, and rejects commits of some.
type endsStore struct {
	application.Store
	fail map[domain.ClientID]error
	// unknown makes the store forget the ends.
	unknown bool

	mu        sync.Mutex
	reads     int
	scheduled map[domain.ClientID]time.Time
}

func (s *endsStore) SecretEnds(ctx context.Context, now time.Time, limit int) ([]application.SecretEnd, error) {
	s.mu.Lock()
	s.reads++
	s.mu.Unlock()
	ends, err := s.Store.SecretEnds(ctx, now, limit)
	for i := range ends {
		ends[i].Known = ends[i].Known && !s.unknown
	}
	return ends, err
}

func (s *endsStore) Commit(ctx context.Context, r domain.Revision) error {
	if err := s.fail[r.Client.Identity().ClientID]; err != nil && r.Action == domain.ActionExpireSecret {
		return err
	}
	return s.Store.Commit(ctx, r)
}

func (s *endsStore) ScheduleSecretEnd(ctx context.Context, key application.ClientKey, revision domain.RevisionNumber, at time.Time) error {
	s.mu.Lock()
	if s.scheduled == nil {
		s.scheduled = map[domain.ClientID]time.Time{}
	}
	s.scheduled[key.ClientID] = at
	s.mu.Unlock()
	return s.Store.ScheduleSecretEnd(ctx, key, revision, at)
}

// endsOver replaces the store of a registry.
func endsOver(r *registry) *endsStore {
	store := &endsStore{Store: r.Store, fail: map[domain.ClientID]error{}}
	r.with(func(c *application.Config) { c.Store = store })
	return store
}

func TestAClientThatCannotBeChangedDoesNotHoldUpOthers(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		at := r.Clock.(*clock)
		store := endsOver(r)
		damaged, conflicting, fine := register(t, r), register(t, r), register(t, r)
		for _, id := range []domain.ClientID{damaged, conflicting, fine} {
			rotate(t, r, id, time.Hour)
		}
		store.fail[damaged] = application.ErrUnstorable
		store.fail[conflicting] = application.ErrConflict
		at.advance(time.Hour)
		assert.Equal(t, application.SecretEndsRun{Ended: 1, Failed: 1}, recordEnds(t, r))
		assert.Equal(t, map[domain.ClientID]time.Time{damaged: at.Now().Add(time.Hour)}, store.scheduled)
		assert.Equal(t, 1, store.reads, "a run does not look again at what it could not change")
		assert.Zero(t, recordEnds(t, r), "the damaged client is looked at again later")
		delete(store.fail, conflicting)
		assert.Equal(t, application.SecretEndsRun{Ended: 1}, recordEnds(t, r))
		at.advance(time.Hour)
		assert.Equal(t, application.SecretEndsRun{Failed: 1}, recordEnds(t, r))
		delete(store.fail, damaged)
		at.advance(time.Hour)
		assert.Equal(t, application.SecretEndsRun{Ended: 1}, recordEnds(t, r))
	})
}

func TestRecordSecretEndsReturnsTheErrorOfTheStore(t *testing.T) {
	r := newRegistry(t)
	store := endsOver(r)
	for range 3 {
		id := register(t, r)
		rotate(t, r, id, time.Hour)
		store.fail[id] = application.ErrUnavailable
	}
	r.Clock.(*clock).advance(time.Hour)
	_, err := application.RecordSecretEnds(t.Context(), store, r.Clock, theService)
	require.ErrorIs(t, err, application.ErrUnavailable)
	assert.Empty(t, store.scheduled)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = application.RecordSecretEnds(ended, store, r.Clock, theService)
	require.ErrorIs(t, err, application.ErrUnavailable)
	clear(store.fail)
	assert.Equal(t, application.SecretEndsRun{Ended: 3}, recordEnds(t, r), "nothing is lost")
}

// A defect that shows with one client must not end the process, in which many are served.
func TestRecordSecretEndsSurvivesPanics(t *testing.T) {
	r := newRegistry(t)
	id := register(t, r)
	rotate(t, r, id, time.Hour)
	r.Clock.(*clock).advance(time.Hour)
	run, err := application.RecordSecretEnds(t.Context(), panickingStore{r.Store}, r.Clock, theService)
	require.NoError(t, err)
	assert.Equal(t, application.SecretEndsRun{Failed: 1}, run)
	assert.Zero(t, recordEnds(t, r), "it is looked at again later")
}

type panickingStore struct{ application.Store }

func (panickingStore) Commit(context.Context, domain.Revision) error {
	panic(errors.New("a defect"))
}

// After an upgrade, or a change by an earlier release, the store does not know the ends.
// Those that passed long ago make no revisions.
func TestSecretEndsThatAreNotKnown(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		at := r.Clock.(*clock)
		store := endsOver(r)
		old, recent := register(t, r), register(t, r)
		rotate(t, r, old, time.Hour)
		rotate(t, r, recent, time.Hour+time.Second)
		at.advance(time.Hour + 10*time.Minute)
		store.unknown = true
		assert.Equal(t, application.SecretEndsRun{Ended: 1}, recordEnds(t, r))
		assert.Equal(t, map[domain.ClientID]time.Time{old: {}}, store.scheduled, "it has no further end")
		assert.Equal(t, domain.ActionExpireSecret, actionsOf(t, r, recent)[2])
		assert.Len(t, actionsOf(t, r, old), 2)
		_, err := r.Revise(t.Context(), admin, old, domain.ChangeOf(domain.Settings{Name: "Another"}), application.Options{})
		require.NoError(t, err)
		store.unknown = false
		assert.Zero(t, recordEnds(t, r), "an update does not bring the old end back")
	})
}

// A run ends although more clients than it reads at once change at the same moment.
func TestARunEndsWhileAllClientsChange(t *testing.T) {
	r := newRegistry(t)
	store := endsOver(r)
	for range 250 {
		id := register(t, r)
		rotate(t, r, id, time.Hour)
		store.fail[id] = application.ErrConflict
	}
	r.Clock.(*clock).advance(time.Hour)
	assert.Zero(t, recordEnds(t, r))
	assert.Equal(t, 1, store.reads)
}

func TestManySecretEndsAreRecordedInOneRun(t *testing.T) {
	r := newRegistry(t)
	const clients = 450 // more than two batches
	for range clients {
		rotate(t, r, register(t, r), time.Hour)
	}
	r.Clock.(*clock).advance(time.Hour)
	assert.Equal(t, application.SecretEndsRun{Ended: clients}, recordEnds(t, r))
	assert.Zero(t, recordEnds(t, r))
}

func TestARunIsBounded(t *testing.T) {
	r := newRegistry(t)
	const clients = 4100
	for range clients {
		rotate(t, r, register(t, r), time.Hour)
	}
	r.Clock.(*clock).advance(time.Hour)
	assert.Equal(t, application.SecretEndsRun{Ended: 4000, More: true}, recordEnds(t, r))
	assert.Equal(t, application.SecretEndsRun{Ended: 100}, recordEnds(t, r))
}
