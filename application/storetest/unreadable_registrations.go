package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

func damagedRegistration(t *testing.T, store Damageable) {
	for i := range 4 {
		r := created(selfRegistered(t, tenant, domain.ClientID(fmt.Sprintf("app-%d", i)), "token-1"))
		require.NoError(t, store.Commit(t.Context(), r))
	}
	damage(t, store, `UPDATE clients SET registration = '{"via": 5}' WHERE client_id IN ('app-0', 'app-2')`)
	_, err := store.Find(t.Context(), tenant, "app-0")
	var unreadable *application.UnreadableError
	require.ErrorAs(t, err, &unreadable)
	assert.Equal(t, application.PartRegistration, unreadable.Part)
	assert.Equal(t, domain.RevisionNumber(1), unreadable.Revision)
	page := list(t, store, application.Query{})
	assert.Equal(t, []string{"app-1", "app-3"}, ids(page.Clients))
	assert.Equal(t, []string{"app-0", "app-2"}, unreadableIDs(page.Unreadable))
	for _, limit := range []int{1, 2, 3} {
		clients, err := store.RegisteredWith(t.Context(), tenant, "token-1", "", limit)
		require.NoError(t, err)
		assert.Equal(t, []string{"app-1", "app-3"}[:min(limit, 2)], ids(clients))
		clients, err = store.Unseen(t.Context(), tenant, application.UnseenPosition{}, now.Add(time.Hour), limit)
		require.NoError(t, err)
		assert.Equal(t, []string{"app-1", "app-3"}[:min(limit, 2)], ids(clients))
	}
	_, faults := examine(t, store, 1)
	require.Len(t, faults, 2)
	for _, fault := range faults {
		assert.Equal(t, application.PartRegistration, fault.Part)
		mended, err := store.Mend(t.Context(), fault)
		require.NoError(t, err)
		assert.False(t, mended, "there is no copy")
	}
}

func damagedActor(t *testing.T, store Damageable) {
	client := register(t, tenant, "app-1")
	r := created(client)
	r.Actor.Via = domain.ViaOpen
	require.NoError(t, store.Commit(t.Context(), r))
	require.NoError(t, store.Commit(t.Context(), updated(rename(t, client, "Another"))))
	damage(t, store, `UPDATE revisions SET actor_details = '{"via": 5}' WHERE number = 1`)
	log, err := store.Revisions(t.Context(), tenant, "app-1", 0, 10)
	require.NoError(t, err)
	require.Len(t, log, 2)
	assert.False(t, log[0].Unreadable)
	assert.True(t, log[1].Unreadable)
	assert.Equal(t, domain.RevisionNumber(1), log[1].Client.Revision())
	entries, _ := follow(t, store, "", 10)
	assert.Equal(t, []string{"app-1 1 create", "app-1 2 update"}, entries)
}

func damagedInitialToken(t *testing.T, store Damageable) {
	for i := range 6 {
		require.NoError(t, store.CreateInitialToken(t.Context(), tokenOf(fmt.Sprintf("token-%d", i), 1), nil))
	}
	damage(t, store, `UPDATE initial_tokens SET policy = '{"scopes": 5}' WHERE token_id IN ('token-0', 'token-3', 'token-5')`)
	damage(t, store, `UPDATE initial_tokens SET expires_at = '10000-01-01T00:00:00.000000Z' WHERE token_id = 'token-1'`)
	_, err := store.FindInitialToken(t.Context(), tenant, "token-0")
	require.ErrorIs(t, err, application.ErrUnreadable)
	_, err = store.FindInitialToken(t.Context(), tenant, "token-1")
	require.ErrorIs(t, err, application.ErrUnreadable)
	for _, limit := range []int{1, 2, 3} {
		tokens, more, err := store.InitialTokens(t.Context(), tenant, "", limit)
		require.NoError(t, err)
		require.Len(t, tokens, min(limit, 2))
		assert.Equal(t, "token-2", tokens[0].ID)
		assert.Equal(t, limit == 1, more)
	}
	require.NoError(t, store.RevokeInitialToken(t.Context(), tenant, "token-0", now), "it can be revoked all the same")
	counts, faults := examine(t, store, 2)
	assert.Equal(t, 6, counts[application.InitialTokenRecords])
	require.Len(t, faults, 4)
	for i, id := range []string{"token-0", "token-1", "token-3", "token-5"} {
		assert.Equal(t, application.PartInitialToken, faults[i].Part)
		assert.Equal(t, tenant, faults[i].TenantID)
		assert.Contains(t, faults[i].Reason, id)
		assert.Empty(t, faults[i].Remedy)
	}
}

func tokenKeys(t *testing.T, store Damageable) {
	missing := func(at time.Time) []string {
		found, err := store.MissingSecretKeys(t.Context(), []string{"k"}, at)
		require.NoError(t, err)
		return found
	}
	client := with(register(t, tenant, "app-1"), &domain.Registration{AccessToken: &domain.RegistrationToken{KeyID: "k1"}})
	require.NoError(t, store.Commit(t.Context(), created(client)))
	assert.Equal(t, []string{"k1"}, missing(now))
	client = next(client, &domain.Registration{AccessToken: &domain.RegistrationToken{
		KeyID: "k2", Previous: &domain.PreviousToken{KeyID: "k1", ExpiresAt: now.Add(time.Minute)},
	}})
	require.NoError(t, store.Commit(t.Context(), updated(client)))
	assert.Equal(t, []string{"k1", "k2"}, missing(now))
	assert.Equal(t, []string{"k2"}, missing(now.Add(time.Minute)), "the previous token has expired")
	client = next(client, &domain.Registration{})
	require.NoError(t, store.Commit(t.Context(), updated(client)))
	assert.Empty(t, missing(now))

	token := tokenOf("token-1", 1)
	token.KeyID = "k3"
	require.NoError(t, store.CreateInitialToken(t.Context(), token, nil))
	assert.Equal(t, []string{"k3"}, missing(now))
	assert.Empty(t, missing(token.ExpiresAt), "the token has expired")
	other := tokenOf("token-2", 1)
	other.KeyID = "k4"
	require.NoError(t, store.CreateInitialToken(t.Context(), other, nil))
	assert.Equal(t, []string{"k3", "k4"}, missing(now))
	require.NoError(t, store.RevokeInitialToken(t.Context(), tenant, "token-1", now))
	require.NoError(t, store.CommitRegistration(t.Context(), created(selfRegistered(t, tenant, "app-2", "token-2")),
		application.RegistrationClaim{TokenID: "token-2"}, nil))
	assert.Empty(t, missing(now), "one was revoked, and the other one is used up")
}
