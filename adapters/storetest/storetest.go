// Package storetest is the conformance suite of [application.Store]: what the
// port's comments promise, sentence by sentence. Both stores run it.
package storetest

import (
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

// Run runs the suite over stores that open makes: empty, and closed when the
// test ends.
func Run(t *testing.T, open func(t *testing.T) application.Store) {
	t.Helper()
	tests := []struct {
		name string
		test func(*testing.T, application.Store)
	}{
		{"a committed client is found as it was committed", committedIsFound},
		{"a client is found in its own tenant only", foundInItsTenantOnly},
		{"an update replaces the client", updateReplaces},
		{"a revision that does not follow the newest is a conflict", staleCommit},
		{"an identifier is taken once in its tenant, for ever", identifierTaken},
		{"an update of a client that is not there is a conflict", updateOfNothing},
		{"the log holds every revision newest first", logIsComplete},
		{"the log is paged", logIsPaged},
		{"the log holds no secret", logHoldsNoSecret},
		{"concurrent commits of one revision have one winner", oneWinner},
		{"concurrent writers of one client lose nothing", writersLoseNothing},
		{"commits and readers at once each get their own answer", atOnce},
		{"a deleted client is found, and is in no list", deletedClient},
		{"a purge leaves the tombstone alone", purged},
		{"what can be purged is what was deleted before", purgeable},
		{"a list is walked in order and from page to page", listIsWalked},
		{"a walk under concurrent change misses no client", walkUnderChange},
		{"a list has what the query selects", listSelects},
		{"a page ends by its bytes, and the next one goes on behind it", pageEndsByBytes},
		{"a page of the log or of the feed ends by its bytes", historyEndsByBytes},
		{"a list has what every combination of filters selects", filtersCombine},
		{"a part of a name is found literally and in any case", namesAreLiteral},
		{"totals follow every change", totalsFollow},
		{"the feed has every revision of the tenant once and in order", feedIsComplete},
		{"the feed goes on where a list ends", feedFollowsList},
		{"a cursor that nobody gave out is refused", unknownCursor},
		{"readers of the feed miss nothing under concurrent commits", feedUnderLoad},
		{"who watches hears of a commit", watchers},
		{"an attempt is kept with its revision, both or neither", attemptKept},
		{"concurrent attempts of one key have one winner", oneAttempt},
		{"an attempt is forgotten after its time", attemptForgotten},
		{"the last use of a secret is the latest one", secretUses},
		{"a store that serves answers a ping", ping},
		{"a call whose context has ended is unavailable", endedContext},
		{"a commit that no caller waits for is made once or not at all", impatientWriters},
		{"changes of all kinds at once do not fail each other, and are counted", changeEverything},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

const tenant domain.TenantID = "tenant_a"

var now = time.Date(2026, 4, 15, 10, 30, 0, 123456000, time.UTC)

// book is the rulebook that the suite's clients are made with.
func book(t *testing.T) *domain.Rulebook {
	t.Helper()
	b, err := domain.NewRulebook(domain.Policy{})
	require.NoError(t, err)
	return b
}

// register makes a client with a secret, not yet committed.
func register(t *testing.T, of domain.TenantID, id domain.ClientID) domain.Client {
	t.Helper()
	wish := domain.ChangeOf(domain.Settings{
		Name: "My App – Größe 😀", RedirectURIs: []domain.RedirectURI{"https://app.example.com/cb?a=1&b=%22"}, Scopes: []domain.Scope{"openid", "profile"}, Keys: domain.KeysAt("https://app.example.com/jwks"),
	})
	identity := domain.Identity{ID: "client_" + string(id), TenantID: of, ClientID: id}
	outcome := book(t).Register(identity, wish).Decide(domain.KeysUnexamined(), now)
	client, findings := outcome.Client, outcome.Findings
	require.False(t, findings.HasViolations(), "%v", findings)
	secret, _ := domain.NewSecret("secret_1", [domain.SecretEntropy]byte{1, 2, 3}, domain.Pepper{ID: "k", Key: []byte("pepper")}, now)
	return client.WithFirstSecret(secret)
}

// rename makes the client's next revision, not yet committed.
func rename(t *testing.T, c domain.Client, name string) domain.Client {
	t.Helper()
	revised, findings := revise(t, c, domain.ChangeOf(domain.Settings{Name: name}), now.Add(time.Minute))
	require.False(t, findings.HasViolations(), "%v", findings)
	return revised
}

func created(c domain.Client) domain.Revision {
	return domain.Revision{Action: domain.ActionCreate, Actor: domain.Actor{Subject: "alice"}, At: c.UpdatedAt(), Client: c}
}

func updated(c domain.Client) domain.Revision {
	return domain.Revision{
		Action: domain.ActionUpdate, Actor: domain.Actor{Subject: "bob", ClientID: "console"}, At: c.UpdatedAt(), Client: c,
		RequestID: "r-1", Reason: "as asked for – Größe",
	}
}

func ended(action domain.Action, c domain.Client) domain.Revision {
	return domain.Revision{Action: action, Actor: domain.Actor{Subject: "carol"}, At: c.UpdatedAt(), Client: c}
}

func committedIsFound(t *testing.T, store application.Store) {
	client := register(t, tenant, "app-1")
	require.NoError(t, store.Commit(t.Context(), created(client)))

	found, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, client.State(), found.State())
}

func foundInItsTenantOnly(t *testing.T, store application.Store) {
	require.NoError(t, store.Commit(t.Context(), created(register(t, tenant, "app-1"))))

	_, err := store.Find(t.Context(), "tenant_b", "app-1")
	require.ErrorIs(t, err, application.ErrNotFound)
	_, err = store.Find(t.Context(), tenant, "app-2")
	require.ErrorIs(t, err, application.ErrNotFound)
	log, err := store.Revisions(t.Context(), "tenant_b", "app-1", 0, 10)
	require.NoError(t, err)
	assert.Empty(t, log)
}

// atOnce lets many commit and read at the same moment, some of them what cannot
// be: stores may carry that out together, but nobody may notice.
func atOnce(t *testing.T, store application.Store) {
	const several, rounds = 24, 8
	clients := make([]domain.Client, several)
	for i := range clients {
		clients[i] = register(t, tenant, domain.ClientID(fmt.Sprintf("app-%d", i)))
		require.NoError(t, store.Commit(t.Context(), created(clients[i])))
	}
	for round := range rounds {
		var group sync.WaitGroup
		for i, client := range clients {
			next := rename(t, client, fmt.Sprintf("name %d of %d", round, i))
			fresh := domain.ClientID(fmt.Sprintf("new-%d-%d", round, i))
			commits := []struct {
				revision domain.Revision
				wanted   error
			}{
				{updated(next), nil},
				{updated(rename(t, rename(t, next, "left out"), "too early")), application.ErrConflict},
				{created(register(t, tenant, client.Identity().ClientID)), application.ErrConflict},
				{created(register(t, tenant, fresh)), nil},
			}
			if i%3 == 0 { // some have no revision that could be, only two that cannot
				commits = commits[1:3]
				next = client
			}
			for _, c := range commits {
				group.Go(func() { assert.ErrorIs(t, store.Commit(t.Context(), c.revision), c.wanted) })
			}
			group.Go(func() {
				found, err := store.Find(t.Context(), tenant, client.Identity().ClientID)
				if assert.NoError(t, err) {
					assert.Equal(t, client.Identity(), found.Identity())
				}
			})
			group.Go(func() {
				_, err := store.Find(t.Context(), "tenant_b", client.Identity().ClientID)
				assert.ErrorIs(t, err, application.ErrNotFound)
			})
			group.Go(func() {
				page, err := store.Changes(t.Context(), tenant, "", i+1)
				if assert.NoError(t, err) {
					assert.Len(t, page.Revisions, i+1)
				}
			})
			clients[i] = next
		}
		group.Wait()
	}
	for _, client := range clients {
		found, err := store.Find(t.Context(), tenant, client.Identity().ClientID)
		require.NoError(t, err)
		assert.Equal(t, client.State(), found.State())
		log, err := store.Revisions(t.Context(), tenant, client.Identity().ClientID, 0, 100)
		require.NoError(t, err)
		assert.Len(t, log, int(client.Revision()))
	}
}

func updateReplaces(t *testing.T, store application.Store) {
	first := register(t, tenant, "app-1")
	second := rename(t, first, "Another")
	require.NoError(t, store.Commit(t.Context(), created(first)))
	require.NoError(t, store.Commit(t.Context(), updated(second)))

	found, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, second.State(), found.State())
}

func staleCommit(t *testing.T, store application.Store) {
	first := register(t, tenant, "app-1")
	second := rename(t, first, "second")
	third := rename(t, second, "third")
	require.NoError(t, store.Commit(t.Context(), created(first)))

	require.ErrorIs(t, store.Commit(t.Context(), updated(third)), application.ErrConflict, "a revision is left out")
	require.NoError(t, store.Commit(t.Context(), updated(second)))
	require.ErrorIs(t, store.Commit(t.Context(), updated(rename(t, first, "rival"))), application.ErrConflict)
	for _, stale := range []domain.Client{first, third} {
		require.ErrorIs(t, store.Commit(t.Context(), ended(domain.ActionDelete, deleted(t, stale, now))), application.ErrConflict)
	}

	found, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, "second", found.Settings().Name)
	log, err := store.Revisions(t.Context(), tenant, "app-1", 0, 10)
	require.NoError(t, err)
	assert.Len(t, log, 2)
}

func identifierTaken(t *testing.T, store application.Store) {
	require.NoError(t, store.Commit(t.Context(), created(register(t, tenant, "app-1"))))
	require.ErrorIs(t, store.Commit(t.Context(), created(register(t, tenant, "app-1"))), application.ErrConflict)
	require.NoError(t, store.Commit(t.Context(), created(register(t, "tenant_b", "app-1"))), "another tenant has its own")
	client, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	require.NoError(t, store.Commit(t.Context(), ended(domain.ActionDelete, deleted(t, client, now))))
	require.ErrorIs(t, store.Commit(t.Context(), created(register(t, tenant, "app-1"))), application.ErrConflict)

	log, err := store.Revisions(t.Context(), tenant, "app-1", 0, 10)
	require.NoError(t, err)
	assert.Len(t, log, 2)
}

func updateOfNothing(t *testing.T, store application.Store) {
	client := rename(t, register(t, tenant, "app-1"), "Another")
	require.ErrorIs(t, store.Commit(t.Context(), updated(client)), application.ErrConflict)

	log, err := store.Revisions(t.Context(), tenant, "app-1", 0, 10)
	require.NoError(t, err)
	assert.Empty(t, log)
}

func logIsComplete(t *testing.T, store application.Store) {
	first := register(t, tenant, "app-1")
	second := rename(t, first, "Another")
	require.NoError(t, store.Commit(t.Context(), created(first)))
	require.NoError(t, store.Commit(t.Context(), updated(second)))

	log, err := store.Revisions(t.Context(), tenant, "app-1", 0, 10)
	require.NoError(t, err)
	require.Len(t, log, 2)
	assert.Equal(t, domain.ActionUpdate, log[0].Action)
	assert.Equal(t, domain.Actor{Subject: "bob", ClientID: "console"}, log[0].Actor)
	assert.Equal(t, "r-1", log[0].RequestID)
	assert.Equal(t, "as asked for – Größe", log[0].Reason)
	assert.Equal(t, now.Add(time.Minute), log[0].At)
	assert.Equal(t, second.Settings(), log[0].Client.Settings())
	assert.Equal(t, second.Revision(), log[0].Client.Revision())
	assert.Equal(t, domain.ActionCreate, log[1].Action)
	assert.Equal(t, first.Settings(), log[1].Client.Settings())
}

func logIsPaged(t *testing.T, store application.Store) {
	client := register(t, tenant, "app-1")
	require.NoError(t, store.Commit(t.Context(), created(client)))
	for i := range 4 {
		client = rename(t, client, fmt.Sprintf("name %d", i))
		require.NoError(t, store.Commit(t.Context(), updated(client)))
	}

	var numbers []domain.RevisionNumber
	before := domain.RevisionNumber(0)
	for {
		page, err := store.Revisions(t.Context(), tenant, "app-1", before, 2)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			numbers = append(numbers, r.Client.Revision())
		}
		before = numbers[len(numbers)-1]
	}
	assert.Equal(t, []domain.RevisionNumber{5, 4, 3, 2, 1}, numbers)
}

func logHoldsNoSecret(t *testing.T, store application.Store) {
	require.NoError(t, store.Commit(t.Context(), created(register(t, tenant, "app-1"))))

	log, err := store.Revisions(t.Context(), tenant, "app-1", 0, 10)
	require.NoError(t, err)
	require.Len(t, log, 1)
	assert.Empty(t, log[0].Client.State().Secrets)
}

func oneWinner(t *testing.T, store application.Store) {
	const rivals = 16
	first := register(t, tenant, "app-1")
	require.NoError(t, store.Commit(t.Context(), created(first)))

	errs := make([]error, rivals)
	var group sync.WaitGroup
	for i := range rivals {
		rival := rename(t, first, fmt.Sprintf("rival %d", i))
		group.Go(func() { errs[i] = store.Commit(t.Context(), updated(rival)) })
	}
	group.Wait()

	winner := -1
	for i, err := range errs {
		if err == nil {
			assert.Equal(t, -1, winner, "two commits of one revision were acknowledged")
			winner = i
			continue
		}
		require.ErrorIs(t, err, application.ErrConflict)
	}
	found, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprintf("rival %d", winner), found.Settings().Name)
}

func writersLoseNothing(t *testing.T, store application.Store) {
	const writers, each = 8, 5
	require.NoError(t, store.Commit(t.Context(), created(register(t, tenant, "app-1"))))

	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			for k := 0; k < each; {
				client, err := store.Find(t.Context(), tenant, "app-1")
				if err != nil {
					t.Errorf("find: %v", err)
					return
				}
				err = store.Commit(t.Context(), updated(rename(t, client, fmt.Sprintf("writer %d, %d", i, k))))
				if err == nil {
					k++
				} else if !errors.Is(err, application.ErrConflict) {
					t.Errorf("commit: %v", err)
					return
				}
			}
		})
	}
	group.Wait()

	found, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, domain.RevisionNumber(1+writers*each), found.Revision())
	log, err := store.Revisions(t.Context(), tenant, "app-1", 0, 1000)
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, r := range log {
		seen[r.Client.Settings().Name] = true
	}
	for i := range writers {
		for k := range each {
			assert.True(t, seen[fmt.Sprintf("writer %d, %d", i, k)], "the log lacks change %d of writer %d", k, i)
		}
	}
}

func ping(t *testing.T, store application.Store) {
	require.NoError(t, store.Ping(t.Context()))
}
