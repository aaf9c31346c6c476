package application_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

func TestHistory(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		id := register(t, r)
		caller := admin
		caller.ClientID = "console"
		_, err := r.Revise(t.Context(), caller, id, domain.ChangeOf(domain.Settings{Name: "Another", Scopes: []domain.Scope{"openid"}}),
			application.Options{Reason: "ticket 1", RequestID: "r-1"})
		require.NoError(t, err)
		_, err = r.RotateSecret(t.Context(), admin, id, nil, application.Options{})
		require.NoError(t, err)
		require.NoError(t, r.Delete(t.Context(), admin, id, application.Options{}))

		log, more, err := r.History(t.Context(), admin, id, 0, 3)
		require.NoError(t, err)
		require.Len(t, log, 3)
		assert.True(t, more)
		assert.Equal(t, domain.ActionDelete, log[0].Action)
		assert.Empty(t, log[0].Differences)
		assert.Equal(t, domain.ActionRotateSecret, log[1].Action)
		assert.Empty(t, log[1].Differences, "secrets never appear")
		assert.Equal(t, domain.Actor{Subject: "alice", ClientID: "console", Via: domain.ViaAdmin}, log[2].Actor)
		assert.Equal(t, "ticket 1", log[2].Reason)
		assert.Equal(t, "r-1", log[2].RequestID)
		assert.Equal(t, []domain.Difference{
			{Field: domain.FieldName, Before: "App", After: "Another"},
			{Field: domain.FieldScopes, Before: []string{}, After: []string{"openid"}},
		}, log[2].Differences)

		log, more, err = r.History(t.Context(), admin, id, log[2].Client.Revision(), 3)
		require.NoError(t, err)
		assert.False(t, more)
		require.Len(t, log, 1)
		assert.Equal(t, domain.ActionCreate, log[0].Action)
		assert.NotEmpty(t, log[0].Differences)

		first, err := r.RevisionOf(t.Context(), admin, id, 1)
		require.NoError(t, err)
		assert.Equal(t, "App", first.Client.Settings().Name)
		_, err = r.RevisionOf(t.Context(), admin, id, 9)
		require.ErrorIs(t, err, application.ErrNoSuchRevision)
		_, err = r.RevisionOf(t.Context(), admin, "none", 1)
		require.ErrorIs(t, err, application.ErrNotFound)
		_, _, err = r.History(t.Context(), admin, "none", 0, 1)
		require.ErrorIs(t, err, application.ErrNotFound)
	})
}

func TestRestoreRevision(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		id := register(t, r)
		first, err := r.Find(t.Context(), admin, id)
		require.NoError(t, err)
		_, err = r.Revise(t.Context(), admin, id, domain.ChangeOf(domain.Settings{
			Name: "Another", RedirectURIs: []domain.RedirectURI{"https://b.example/cb"}, Keys: domain.KeysAt("https://a.example/jwks"),
		}), application.Options{})
		require.NoError(t, err)

		would, err := r.RestoreRevision(t.Context(), admin, id, 1, application.Options{DryRun: true})
		require.NoError(t, err)
		assert.Equal(t, first.Settings(), would.Client.Settings())
		_, err = r.RestoreRevision(t.Context(), admin, id, 1, application.Options{IfMatch: []domain.RevisionNumber{1}})
		require.ErrorIs(t, err, application.ErrPreconditionFailed)
		_, err = r.RestoreRevision(t.Context(), admin, id, 7, application.Options{})
		require.ErrorIs(t, err, application.ErrNoSuchRevision)

		restored, err := r.RestoreRevision(t.Context(), admin, id, 1, application.Options{})
		require.NoError(t, err)
		assert.Equal(t, first.Settings(), restored.Client.Settings())
		assert.Equal(t, first.Secrets(), restored.Client.Secrets(), "the secrets are unchanged")
		assert.Equal(t, domain.RevisionNumber(3), restored.Client.Revision())
		log, _, err := r.History(t.Context(), admin, id, 0, 1)
		require.NoError(t, err)
		assert.Equal(t, domain.ActionRevert, log[0].Action)

		strict := rulebook(t, domain.Policy{})
		lenient := rulebook(t, domain.Policy{GrantTypes: []domain.GrantType{"urn:example:grant"}})
		r.with(func(config *application.Config) { config.Book = lenient })
		_, err = r.Revise(t.Context(), admin, id, domain.ChangeOf(domain.Settings{GrantTypes: []domain.GrantType{"authorization_code", "urn:example:grant"}}), application.Options{})
		require.NoError(t, err)
		_, err = r.RestoreRevision(t.Context(), admin, id, 1, application.Options{})
		require.NoError(t, err)
		r.with(func(config *application.Config) { config.Book = strict })
		_, err = r.RestoreRevision(t.Context(), admin, id, 4, application.Options{})
		var invalid *application.InvalidError
		require.ErrorAs(t, err, &invalid, "the current rules apply")

		require.NoError(t, r.Delete(t.Context(), admin, id, application.Options{}))
		_, err = r.RestoreRevision(t.Context(), admin, id, 1, application.Options{})
		require.ErrorIs(t, err, application.ErrNotFound)
	})
}

func TestDeleteAndRestore(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		id := register(t, r)
		require.ErrorIs(t, r.Delete(t.Context(), admin, id, application.Options{IfMatch: []domain.RevisionNumber{9}}), application.ErrPreconditionFailed)
		require.NoError(t, r.Delete(t.Context(), admin, id, application.Options{IfMatch: []domain.RevisionNumber{1}}))
		require.ErrorIs(t, r.Delete(t.Context(), admin, id, application.Options{}), application.ErrNotFound)
		_, err := r.Find(t.Context(), admin, id)
		require.ErrorIs(t, err, application.ErrNotFound)
		_, err = r.Revise(t.Context(), admin, id, domain.ChangeOf(domain.Settings{Name: "x"}), application.Options{IfMatch: []domain.RevisionNumber{9}})
		require.ErrorIs(t, err, application.ErrNotFound)

		would, err := r.Restore(t.Context(), admin, id, application.Options{DryRun: true})
		require.NoError(t, err)
		assert.False(t, would.Client.Deleted())
		_, err = r.Find(t.Context(), admin, id)
		require.ErrorIs(t, err, application.ErrNotFound)
		restored, err := r.Restore(t.Context(), admin, id, application.Options{})
		require.NoError(t, err)
		assert.Equal(t, domain.RevisionNumber(3), restored.Client.Revision())
		_, err = r.Restore(t.Context(), admin, id, application.Options{})
		require.ErrorIs(t, err, domain.ErrNotDeleted)
		_, err = r.Restore(t.Context(), admin, "none", application.Options{})
		require.ErrorIs(t, err, application.ErrNotFound)
	})
}

func TestPurgeKeepsRecentlyDeletedClients(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		for i := range 3 {
			id := register(t, r)
			if i < 2 {
				require.NoError(t, r.Delete(t.Context(), admin, id, application.Options{}))
			}
			advance(r, time.Hour)
		}
		operator := domain.Actor{Subject: "operator"}
		purged, err := application.Purge(t.Context(), r.Store, r.Clock, operator, 150*time.Minute)
		require.NoError(t, err)
		assert.Equal(t, 1, purged)
		purged, err = application.Purge(t.Context(), r.Store, r.Clock, operator, time.Minute)
		require.NoError(t, err)
		assert.Equal(t, 1, purged)
		changes, err := r.Changes(t.Context(), admin, application.FeedQuery{Limit: 100}, application.WaitOptions{})
		require.NoError(t, err)
		var seen []string
		for _, entry := range changes.Revisions {
			seen = append(seen, fmt.Sprint(entry.Action, entry.Client.Revision()))
		}
		assert.Equal(t, []string{"create1", "purge3", "purge3"}, seen)
	})
}

func TestWaitForChanges(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		nothing, err := r.Changes(t.Context(), admin, application.FeedQuery{Limit: 10}, application.WaitOptions{})
		require.NoError(t, err)
		assert.Empty(t, nothing.Revisions)
		_, err = r.Changes(t.Context(), admin, application.FeedQuery{After: "magic", Limit: 10}, application.WaitOptions{})
		require.ErrorIs(t, err, application.ErrCursor)

		// A waiting reader gets the next change of its tenant.
		received := make(chan application.Changes, 1)
		go func() {
			changes, err := r.Changes(t.Context(), admin, application.FeedQuery{After: nothing.Next, Limit: 10}, application.WaitOptions{Max: application.MaxWait})
			if err != nil {
				t.Errorf("changes: %v", err)
			}
			received <- changes
		}()
		_, err = r.Register(t.Context(), foreignCaller, "", validChange(), application.Options{})
		require.NoError(t, err)
		id := register(t, r)
		changes := <-received
		require.Len(t, changes.Revisions, 1)
		assert.Equal(t, id, changes.Revisions[0].Client.Identity().ClientID)

		// A reader whose context ends gets no changes and no error.
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		rest, err := r.Changes(ctx, admin, application.FeedQuery{After: changes.Next, Limit: 10}, application.WaitOptions{Max: application.MaxWait})
		if err == nil { // otherwise the context ended during the read
			assert.Empty(t, rest.Revisions)
			assert.Equal(t, changes.Next, rest.Next)
		}
	})
}
