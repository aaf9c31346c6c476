package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// statementOf returns a software statement with the identifier, which expires after a minute.
func statementOf(id byte) *domain.Statement {
	return &domain.Statement{Issuer: "https://directory.example", SoftwareID: "software", ID: &[32]byte{31: id}, ExpiresAt: now.Add(time.Minute)}
}

// claimIsTaken makes a claim fail in each of its parts, also in the last one, and requires that
// nothing was taken.
func claimIsTaken(t *testing.T, store Registrations) {
	token := tokenOf("token-1", 2)
	require.NoError(t, store.CreateInitialToken(t.Context(), token, nil))
	claim := application.RegistrationClaim{TokenID: "token-1", MaxClients: 1, MaxTokenClients: 1, Statement: statementOf(1)}
	first := created(selfRegistered(t, tenant, "app-1", "token-1"))
	require.NoError(t, store.CommitRegistration(t.Context(), first, claim, nil))
	found, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, first.Client.State(), found.State())

	second := created(selfRegistered(t, tenant, "app-2", "token-1"))
	var tooMany *application.TooManyRegisteredError
	for name, tt := range map[string]struct {
		claim application.RegistrationClaim
		want  error
	}{
		"unknown token":        {application.RegistrationClaim{TokenID: "token-2", Statement: statementOf(2)}, application.ErrTokenEnded},
		"statement used":       {application.RegistrationClaim{TokenID: "token-1", Statement: statementOf(1)}, application.ErrReplayed},
		"tenant is full":       {application.RegistrationClaim{TokenID: "token-1", Statement: statementOf(2), MaxClients: 1}, nil},
		"token is full":        {application.RegistrationClaim{TokenID: "token-1", Statement: statementOf(2), MaxTokenClients: 1}, nil},
		"identifier is in use": {application.RegistrationClaim{TokenID: "token-1", Statement: statementOf(2)}, application.ErrConflict},
	} {
		r := second
		if errors.Is(tt.want, application.ErrConflict) {
			r = first
		}
		err := store.CommitRegistration(t.Context(), r, tt.claim, new(attemptOf(r.Client, "key")))
		if tt.want == nil {
			require.ErrorAs(t, err, &tooMany, name)
		} else {
			require.ErrorIs(t, err, tt.want, name)
		}
		kept, err := store.FindInitialToken(t.Context(), tenant, "token-1")
		require.NoError(t, err)
		assert.Equal(t, 1, kept.Uses, name)
		_, err = store.FindIdempotencyRecord(t.Context(), tenant, "alice", "key")
		require.ErrorIs(t, err, application.ErrNotFound, name)
	}
	entries, _ := follow(t, store, "", 10)
	assert.Equal(t, []string{"app-1 1 create"}, entries)

	claim = application.RegistrationClaim{TokenID: "token-1", MaxClients: 2, MaxTokenClients: 2, Statement: statementOf(2)}
	require.NoError(t, store.CommitRegistration(t.Context(), second, claim, nil), "the statement was not used")
	require.NoError(t, store.CommitRegistration(t.Context(), created(selfRegistered(t, "tenant_b", "app-1", "")),
		application.RegistrationClaim{MaxClients: 1, Statement: statementOf(1)}, nil), "another tenant has its own limits and statements")
	require.ErrorIs(t, store.CommitRegistration(t.Context(), created(selfRegistered(t, "tenant_b", "app-2", "token-1")),
		application.RegistrationClaim{TokenID: "token-1"}, nil), application.ErrTokenEnded, "and its own tokens")
}

func registrationOnce(t *testing.T, store Registrations) {
	require.NoError(t, store.CreateInitialToken(t.Context(), tokenOf("token-1", 1), nil))
	claim := application.RegistrationClaim{TokenID: "token-1"}
	client := selfRegistered(t, tenant, "app-1", "token-1")
	attempt := attemptOf(client, "key")
	require.NoError(t, store.CommitRegistration(t.Context(), created(client), claim, &attempt))
	kept, err := store.FindIdempotencyRecord(t.Context(), tenant, "alice", "key")
	require.NoError(t, err)
	assert.Equal(t, attempt, kept)
	again := selfRegistered(t, tenant, "app-2", "token-1")
	require.ErrorIs(t, store.CommitRegistration(t.Context(), created(again), claim, new(attemptOf(again, "key"))), application.ErrAlreadyProcessed,
		"a repeated request is recognized even though the token is used up")
	require.ErrorIs(t, store.CommitRegistration(t.Context(), created(again), claim, new(attemptOf(again, "key-2"))), application.ErrTokenEnded)
}

// commitSelf registers a client without a token in a tenant with a limit.
func commitSelf(t *testing.T, store Registrations, id domain.ClientID, limit int) error {
	t.Helper()
	return store.CommitRegistration(t.Context(), created(selfRegistered(t, tenant, id, "")), application.RegistrationClaim{MaxClients: limit}, nil)
}

func tenantLimit(t *testing.T, store Registrations) {
	commitNew(t, store, tenant, "by-hand", domain.Change{})
	document := with(register(t, tenant, "url"), &domain.Registration{Via: domain.ViaDocument})
	require.NoError(t, store.Commit(t.Context(), created(document)))
	for i := range 3 {
		require.NoError(t, commitSelf(t, store, domain.ClientID(fmt.Sprintf("app-%d", i)), 3), "other clients do not count")
	}
	var tooMany *application.TooManyRegisteredError
	require.ErrorAs(t, commitSelf(t, store, "app-3", 3), &tooMany)
	require.NoError(t, commitSelf(t, store, "app-3", 0), "0 is no limit")
	require.ErrorAs(t, commitSelf(t, store, "app-4", 3), &tooMany)

	client, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	client = deleted(t, client, now)
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, client)))
	require.NoError(t, commitSelf(t, store, "app-4", 4), "a deleted client frees its place")
	restored, findings := restore(t, client, now)
	require.False(t, findings.HasViolations())
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionRestore, restored)))
	require.ErrorAs(t, commitSelf(t, store, "app-5", 5), &tooMany, "and takes one again when it is restored")
	client = deleted(t, restored, now)
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, client)))
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionPurge, purged(t, client, now))))
	require.NoError(t, commitSelf(t, store, "app-5", 5))
	require.ErrorAs(t, commitSelf(t, store, "app-6", 5), &tooMany, "a purge frees no second place")
}

func tokenLimit(t *testing.T, store Registrations) {
	for _, token := range []string{"token-1", "token-2"} {
		require.NoError(t, store.CreateInitialToken(t.Context(), tokenOf(token, 100), nil))
	}
	commit := func(id domain.ClientID, token string) error {
		return store.CommitRegistration(t.Context(), created(selfRegistered(t, tenant, id, token)),
			application.RegistrationClaim{TokenID: token, MaxTokenClients: 2}, nil)
	}
	require.NoError(t, commitSelf(t, store, "open", 0))
	require.NoError(t, commit("app-1", "token-1"))
	require.NoError(t, commit("app-2", "token-1"))
	var tooMany *application.TooManyRegisteredError
	require.ErrorAs(t, commit("app-3", "token-1"), &tooMany)
	require.NoError(t, commit("app-3", "token-2"))
	client, err := store.Find(t.Context(), tenant, "app-2")
	require.NoError(t, err)
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, deleted(t, client, now))))
	require.NoError(t, commit("app-4", "token-1"))
	require.ErrorAs(t, commit("app-5", "token-1"), &tooMany)
}

func limitReportsUnseen(t *testing.T, store Registrations) {
	require.NoError(t, store.CreateInitialToken(t.Context(), tokenOf("token-1", 100), nil))
	with := application.RegistrationClaim{TokenID: "token-1", MaxTokenClients: 1}
	require.NoError(t, store.CommitRegistration(t.Context(), created(selfRegistered(t, tenant, "app-1", "token-1")), with, nil))
	require.NoError(t, commitSelf(t, store, "app-2", 0))
	full := func(claim application.RegistrationClaim, token string) bool {
		err := store.CommitRegistration(t.Context(), created(selfRegistered(t, tenant, "app-3", token)), claim, nil)
		var tooMany *application.TooManyRegisteredError
		require.ErrorAs(t, err, &tooMany)
		return tooMany.Unseen
	}
	whole := application.RegistrationClaim{MaxClients: 2}
	note := func(id domain.ClientID) {
		require.NoError(t, store.NoteSeen(t.Context(), seenAt(tenant, id, now)))
	}
	assert.True(t, full(whole, ""))
	assert.True(t, full(with, "token-1"))
	note("app-1")
	assert.True(t, full(whole, ""))
	assert.False(t, full(with, "token-1"), "the client of the token was seen")
	note("app-2")
	assert.False(t, full(whole, ""))
}

// race calls do in as many goroutines, and returns how many succeeded. Every error must be one
// of those given, or a [*application.TooManyRegisteredError].
func race(t *testing.T, callers int, do func(i int) error, allowed ...error) (succeeded int) {
	t.Helper()
	errs := make([]error, callers)
	begin := make(chan struct{})
	var group sync.WaitGroup
	for i := range callers {
		group.Go(func() {
			<-begin
			errs[i] = do(i)
		})
	}
	close(begin)
	group.Wait()
	for _, err := range errs {
		if err == nil {
			succeeded++
			continue
		}
		expected := false
		for _, one := range allowed {
			expected = expected || errors.Is(err, one)
		}
		var tooMany *application.TooManyRegisteredError
		require.True(t, expected || len(allowed) == 0 && errors.As(err, &tooMany), "%v", err)
	}
	return succeeded
}

func concurrentPlaces(t *testing.T, store Registrations) {
	made := race(t, 32, func(i int) error { return commitSelf(t, store, domain.ClientID(fmt.Sprintf("app-%d", i)), 7) })
	assert.Equal(t, 7, made)
	count, err := store.CountRegistered(t.Context())
	require.NoError(t, err)
	assert.Equal(t, application.RegisteredCount{Clients: 7, Unseen: 7}, count)
}

// placesDuringDeletions deletes some clients while others register. No more clients can exist
// than there are places.
func placesDuringDeletions(t *testing.T, store Registrations) {
	const places = 8
	for i := range places {
		require.NoError(t, commitSelf(t, store, domain.ClientID(fmt.Sprintf("old-%d", i)), places))
	}
	made := race(t, 32, func(i int) error {
		if i < places {
			client, err := store.Find(t.Context(), tenant, domain.ClientID(fmt.Sprintf("old-%d", i)))
			if err != nil {
				return err
			}
			after, err := client.Delete(now)
			if err != nil {
				return err
			}
			return store.Commit(t.Context(), revisionOf(domain.ActionDelete, after))
		}
		return commitSelf(t, store, domain.ClientID(fmt.Sprintf("new-%d", i)), places)
	}) - places
	for i := 0; made < places; i++ { // those that came before the deletions
		require.NoError(t, commitSelf(t, store, domain.ClientID(fmt.Sprintf("late-%d", i)), places))
		made++
	}
	var tooMany *application.TooManyRegisteredError
	require.ErrorAs(t, commitSelf(t, store, "last", places), &tooMany)
	assert.Len(t, list(t, store, application.Query{Via: domain.ViaOpen}).Clients, places)
}

func endedContextOfRegistrations(t *testing.T, store Registrations) {
	client := selfRegistered(t, tenant, "app-1", "")
	require.NoError(t, store.Commit(t.Context(), created(client)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"CommitRegistration": func() error {
			return store.CommitRegistration(ctx, created(selfRegistered(t, tenant, "app-2", "")), application.RegistrationClaim{}, nil)
		},
		"AdoptRegistration":   func() error { return store.AdoptRegistration(ctx, client) },
		"CreateInitialToken":  func() error { return store.CreateInitialToken(ctx, tokenOf("token-1", 1), nil) },
		"FindInitialToken":    func() error { _, err := store.FindInitialToken(ctx, tenant, "token-1"); return err },
		"InitialTokens":       func() error { _, _, err := store.InitialTokens(ctx, tenant, "", 1); return err },
		"RevokeInitialToken":  func() error { return store.RevokeInitialToken(ctx, tenant, "token-1", now) },
		"RegisteredWith":      func() error { _, err := store.RegisteredWith(ctx, tenant, "token-1", "", 1); return err },
		"NoteSeen":            func() error { return store.NoteSeen(ctx, seenAt(tenant, "app-1", now)) },
		"CommitUnseen":        func() error { return store.CommitUnseen(ctx, revisionOf(domain.ActionDelete, deleted(t, client, now))) },
		"SeenTimes":           func() error { _, _, err := store.SeenTimes(ctx, tenant, "app-1"); return err },
		"Unseen":              func() error { _, err := store.Unseen(ctx, tenant, application.UnseenPosition{}, now, 1); return err },
		"CountRegistered":     func() error { _, err := store.CountRegistered(ctx); return err },
		"DeleteStatementUses": func() error { _, err := store.DeleteStatementUses(ctx, now, 1); return err },
	} {
		assert.ErrorIs(t, call(), application.ErrUnavailable, name)
	}
}
