package storetest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// tokenOf returns an initial access token of the tenant, which expires after an hour.
func tokenOf(id string, uses int) domain.InitialToken {
	return domain.InitialToken{
		TenantID: tenant, ID: id, Hash: []byte{1, 2, 3}, KeyID: "k", Description: "for the portal – Größe", IssuedBy: "alice",
		CreatedAt: now, ExpiresAt: now.Add(time.Hour), MaxUses: uses,
	}
}

// useToken registers a client with the token at a time.
func useToken(t *testing.T, store Registrations, token string, id domain.ClientID, at time.Time) error {
	t.Helper()
	r := created(selfRegistered(t, tenant, id, token))
	r.At = at
	return store.CommitRegistration(t.Context(), r, application.RegistrationClaim{TokenID: token}, nil)
}

func initialTokenIsFound(t *testing.T, store Registrations) {
	var full domain.InitialToken
	n := 0
	fill(t, reflect.ValueOf(&full).Elem(), &n)
	narrow := tokenOf("narrow", 1)
	narrow.Policy = domain.RegistrationPolicy{Scopes: []domain.Scope{}, Labels: map[string]string{}}
	for _, token := range []domain.InitialToken{full, tokenOf("token-1", 5), narrow} {
		_, err := store.FindInitialToken(t.Context(), token.TenantID, token.ID)
		require.ErrorIs(t, err, application.ErrNotFound)
		require.NoError(t, store.CreateInitialToken(t.Context(), token, nil))
		found, err := store.FindInitialToken(t.Context(), token.TenantID, token.ID)
		require.NoError(t, err)
		assert.Equal(t, token, found)
		_, err = store.FindInitialToken(t.Context(), "tenant_b", token.ID)
		require.ErrorIs(t, err, application.ErrNotFound, "a token is found only in its own tenant")
	}
	require.ErrorIs(t, store.CreateInitialToken(t.Context(), tokenOf("token-1", 1), nil), application.ErrConflict)
	assert.Equal(t, 5, findToken(t, store, "token-1").MaxUses, "an identifier cannot be used again")
}

func findToken(t *testing.T, store Registrations, id string) domain.InitialToken {
	t.Helper()
	found, err := store.FindInitialToken(t.Context(), tenant, id)
	require.NoError(t, err)
	return found
}

func initialTokensArePaged(t *testing.T, store Registrations) {
	for _, i := range []int{3, 1, 4, 0, 2} {
		require.NoError(t, store.CreateInitialToken(t.Context(), tokenOf(fmt.Sprintf("token-%d", i), i+1), nil))
	}
	other := tokenOf("token-5", 1)
	other.TenantID = "tenant_b"
	require.NoError(t, store.CreateInitialToken(t.Context(), other, nil))
	for _, limit := range []int{1, 2, 4, 5, 6} {
		var uses []int
		for after, more := "", true; more; {
			var tokens []domain.InitialToken
			var err error
			tokens, more, err = store.InitialTokens(t.Context(), tenant, after, limit)
			require.NoError(t, err)
			require.LessOrEqual(t, len(tokens), limit)
			for _, token := range tokens {
				uses, after = append(uses, token.MaxUses), token.ID
			}
		}
		assert.Equal(t, []int{1, 2, 3, 4, 5}, uses, "pages of %d", limit)
	}
	tokens, more, err := store.InitialTokens(t.Context(), "tenant_c", "", 10)
	require.NoError(t, err)
	assert.Empty(t, tokens)
	assert.False(t, more)
}

func initialTokenOnce(t *testing.T, store Registrations) {
	attempt := application.IdempotencyRecord{Subject: "alice", Key: "key", At: now, CreatedID: "token-1"}
	require.NoError(t, store.CreateInitialToken(t.Context(), tokenOf("token-1", 1), &attempt))
	kept, err := store.FindIdempotencyRecord(t.Context(), tenant, "alice", "key")
	require.NoError(t, err)
	assert.Equal(t, attempt, kept)
	require.ErrorIs(t, store.CreateInitialToken(t.Context(), tokenOf("token-2", 1), &attempt), application.ErrAlreadyProcessed)
	_, err = store.FindInitialToken(t.Context(), tenant, "token-2")
	require.ErrorIs(t, err, application.ErrNotFound)
	attempt.Key = "key-2"
	require.ErrorIs(t, store.CreateInitialToken(t.Context(), tokenOf("token-1", 1), &attempt), application.ErrConflict)
	_, err = store.FindIdempotencyRecord(t.Context(), tenant, "alice", "key-2")
	require.ErrorIs(t, err, application.ErrNotFound)
}

func initialTokenIsRevoked(t *testing.T, store Registrations) {
	token := tokenOf("token-1", 1)
	require.NoError(t, store.CreateInitialToken(t.Context(), token, nil))
	require.ErrorIs(t, store.RevokeInitialToken(t.Context(), tenant, "token-2", now), application.ErrNotFound)
	require.ErrorIs(t, store.RevokeInitialToken(t.Context(), "tenant_b", "token-1", now), application.ErrNotFound)
	assert.Equal(t, token, findToken(t, store, "token-1"))
	for _, at := range []time.Time{now.Add(time.Minute), now.Add(2 * time.Minute), now} {
		require.NoError(t, store.RevokeInitialToken(t.Context(), tenant, "token-1", at))
		assert.Equal(t, now.Add(time.Minute), findToken(t, store, "token-1").RevokedAt)
	}
}

func endedTokens(t *testing.T, store Registrations) {
	require.NoError(t, store.CreateInitialToken(t.Context(), tokenOf("token-1", 2), nil))
	require.NoError(t, useToken(t, store, "token-1", "app-1", now))
	require.ErrorIs(t, useToken(t, store, "token-1", "app-2", now.Add(time.Hour)), application.ErrTokenEnded, "it has expired")
	require.NoError(t, useToken(t, store, "token-1", "app-2", now.Add(time.Hour-time.Microsecond)))
	require.ErrorIs(t, useToken(t, store, "token-1", "app-3", now), application.ErrTokenEnded, "it is used up")
	assert.Equal(t, 2, findToken(t, store, "token-1").Uses)
	require.NoError(t, store.CreateInitialToken(t.Context(), tokenOf("token-2", 2), nil))
	require.NoError(t, store.RevokeInitialToken(t.Context(), tenant, "token-2", now))
	require.ErrorIs(t, useToken(t, store, "token-2", "app-3", now), application.ErrTokenEnded, "it was revoked")
	_, err := store.Find(t.Context(), tenant, "app-3")
	require.ErrorIs(t, err, application.ErrNotFound)
}

func endedTokensAreDeleted(t *testing.T, store Registrations) {
	old, recent := tokenOf("old", 1), tokenOf("recent", 1)
	recent.ExpiresAt = recent.ExpiresAt.Add(time.Microsecond)
	require.NoError(t, store.CreateInitialToken(t.Context(), old, nil))
	require.NoError(t, store.CreateInitialToken(t.Context(), recent, nil))
	late := tokenOf("late", 1)
	late.CreatedAt = recent.ExpiresAt.Add(application.EndedTokenRetention)
	late.ExpiresAt = late.CreatedAt.Add(time.Hour)
	require.NoError(t, store.CreateInitialToken(t.Context(), late, nil))
	tokens, _, err := store.InitialTokens(t.Context(), tenant, "", 10)
	require.NoError(t, err)
	assert.Equal(t, []domain.InitialToken{late, recent}, tokens)
}

func concurrentTokenUses(t *testing.T, store Registrations) {
	require.NoError(t, store.CreateInitialToken(t.Context(), tokenOf("token-1", 5), nil))
	made := race(t, 32, func(i int) error {
		return useToken(t, store, "token-1", domain.ClientID(fmt.Sprintf("app-%d", i)), now)
	},
		application.ErrTokenEnded)
	assert.Equal(t, 5, made)
	assert.Equal(t, 5, findToken(t, store, "token-1").Uses)
	assert.Len(t, list(t, store, application.Query{RegistrationToken: "token-1"}).Clients, 5)
}

func usesSurviveDeletion(t *testing.T, store Registrations) {
	require.NoError(t, store.CreateInitialToken(t.Context(), tokenOf("token-1", 1), nil))
	require.NoError(t, useToken(t, store, "token-1", "app-1", now))
	client, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, deleted(t, client, now))))
	require.ErrorIs(t, useToken(t, store, "token-1", "app-2", now), application.ErrTokenEnded)
}

func registeredWith(t *testing.T, store Registrations) {
	require.NoError(t, store.CreateInitialToken(t.Context(), tokenOf("token-1", 100), nil))
	require.NoError(t, store.CreateInitialToken(t.Context(), tokenOf("token-2", 100), nil))
	for i := range 6 {
		require.NoError(t, useToken(t, store, "token-1", domain.ClientID(fmt.Sprintf("app-%d", 5-i)), now))
	}
	require.NoError(t, useToken(t, store, "token-2", "app-6", now))
	require.NoError(t, commitSelf(t, store, "app-7", 0))
	client, err := store.Find(t.Context(), tenant, "app-2")
	require.NoError(t, err)
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, deleted(t, client, now))))
	for _, limit := range []int{1, 2, 5, 10} {
		var found []string
		for after := domain.ClientID(""); ; {
			clients, err := store.RegisteredWith(t.Context(), tenant, "token-1", after, limit)
			require.NoError(t, err)
			require.LessOrEqual(t, len(clients), limit)
			if len(clients) == 0 {
				break
			}
			found = append(found, ids(clients)...)
			after = clients[len(clients)-1].Identity().ClientID
		}
		assert.Equal(t, []string{"app-0", "app-1", "app-3", "app-4", "app-5"}, found, "pages of %d", limit)
	}
	for _, other := range []struct {
		tenant domain.TenantID
		token  string
	}{{"tenant_b", "token-1"}, {tenant, "token-3"}, {tenant, ""}} {
		clients, err := store.RegisteredWith(t.Context(), other.tenant, other.token, "", 10)
		require.NoError(t, err)
		assert.Empty(t, clients)
	}
}
