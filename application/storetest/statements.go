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

// useStatement registers a client with the statement at a time.
func useStatement(t *testing.T, store Registrations, of domain.TenantID, id domain.ClientID, statement *domain.Statement, at time.Time) error {
	t.Helper()
	client := with(register(t, of, id), &domain.Registration{Via: domain.ViaStatement, Statement: statement})
	r := created(client)
	r.At = at
	return store.CommitRegistration(t.Context(), r, application.RegistrationClaim{Statement: statement}, nil)
}

func statementIsUsedOnce(t *testing.T, store Registrations) {
	n := 0
	use := func(of domain.TenantID, statement *domain.Statement, at time.Time) error {
		n++
		return useStatement(t, store, of, domain.ClientID(fmt.Sprintf("app-%d", n)), statement, at)
	}
	require.NoError(t, use(tenant, statementOf(1), now))
	require.ErrorIs(t, use(tenant, statementOf(1), now), application.ErrReplayed)
	longer := statementOf(1)
	longer.ExpiresAt = now.Add(time.Hour)
	require.ErrorIs(t, use(tenant, longer, now), application.ErrReplayed, "the identifier counts")
	require.NoError(t, use(tenant, statementOf(2), now))
	require.NoError(t, use("tenant_b", statementOf(1), now), "each tenant has its own list")
	other := statementOf(1)
	other.Issuer = "https://other.example"
	require.NoError(t, use(tenant, other, now), "each issuer has its own identifiers")
	repeatable := statementOf(1)
	repeatable.ID = nil
	require.NoError(t, use(tenant, repeatable, now))
	require.NoError(t, use(tenant, repeatable, now), "a statement without an identifier may be used again")

	late := statementOf(1)
	late.ExpiresAt = now.Add(2 * time.Minute)
	require.ErrorIs(t, use(tenant, late, now.Add(time.Minute-time.Microsecond)), application.ErrReplayed)
	require.NoError(t, use(tenant, late, now.Add(time.Minute)), "the record has expired")
	require.ErrorIs(t, use(tenant, late, now.Add(time.Minute)), application.ErrReplayed)
}

func concurrentStatementUses(t *testing.T, store Registrations) {
	for round := range byte(4) {
		made := race(t, 16, func(i int) error {
			return useStatement(t, store, tenant, domain.ClientID(fmt.Sprintf("app-%d-%d", round, i)), statementOf(round), now)
		}, application.ErrReplayed)
		assert.Equal(t, 1, made)
	}
}

// unique returns a statement whose software may have one client.
func unique(id byte, issuer, software string) *domain.Statement {
	statement := statementOf(id)
	statement.Issuer, statement.SoftwareID, statement.UniqueSoftware = issuer, software, true
	return statement
}

func uniqueSoftware(t *testing.T, store Registrations) {
	const issuer = "https://directory.example"
	require.NoError(t, useStatement(t, store, tenant, "app-1", unique(1, issuer, "a"), now))
	require.ErrorIs(t, useStatement(t, store, tenant, "app-2", unique(2, issuer, "a"), now), application.ErrSoftwareTaken)
	require.NoError(t, useStatement(t, store, tenant, "app-2", unique(2, issuer, "b"), now), "the statement was not used")
	require.NoError(t, useStatement(t, store, tenant, "app-3", unique(3, "https://other.example", "a"), now), "of another issuer")
	require.NoError(t, useStatement(t, store, "tenant_b", "app-1", unique(1, issuer, "a"), now), "in another tenant")
	several := unique(4, issuer, "a")
	several.UniqueSoftware = false
	require.NoError(t, useStatement(t, store, tenant, "app-4", several, now))
	for _, id := range []domain.ClientID{"app-1", "app-4"} {
		require.ErrorIs(t, useStatement(t, store, tenant, "app-5", unique(5, issuer, "a"), now), application.ErrSoftwareTaken)
		client, err := store.Find(t.Context(), tenant, id)
		require.NoError(t, err)
		require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, deleted(t, client, now))))
	}
	require.NoError(t, useStatement(t, store, tenant, "app-5", unique(5, issuer, "a"), now), "the others are deleted")
	client, err := store.Find(t.Context(), tenant, "app-5")
	require.NoError(t, err)
	moved := *client.Registration()
	moved.Statement = unique(6, issuer, "c")
	require.NoError(t, store.Commit(t.Context(), updated(next(client, &moved))))
	require.NoError(t, useStatement(t, store, tenant, "app-6", unique(7, issuer, "a"), now), "the client has another software now")
	require.ErrorIs(t, useStatement(t, store, tenant, "app-7", unique(8, issuer, "c"), now), application.ErrSoftwareTaken)
	client, err = store.Find(t.Context(), tenant, "app-5")
	require.NoError(t, err)
	renewed := *client.Registration()
	renewed.Statement = unique(9, issuer, "c")
	claim := application.RegistrationClaim{Statement: renewed.Statement}
	require.NoError(t, store.CommitRegistration(t.Context(), updated(next(client, &renewed)), claim, nil), "the client itself has the software")
}

func concurrentSoftware(t *testing.T, store Registrations) {
	made := race(t, 16, func(i int) error {
		return useStatement(t, store, tenant, domain.ClientID(fmt.Sprintf("app-%d", i)), unique(byte(i), "https://directory.example", "a"), now) //nolint:gosec // below 16
	}, application.ErrSoftwareTaken)
	assert.Equal(t, 1, made)
}

// restoration returns the restoration of a client of a software that is deleted, and what it
// claims.
func restoration(t *testing.T, store Registrations, id domain.ClientID) (domain.Revision, application.RegistrationClaim) {
	t.Helper()
	client, err := store.Find(t.Context(), tenant, id)
	require.NoError(t, err)
	client = deleted(t, client, now)
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, client)))
	restored, findings := restore(t, client, now)
	require.False(t, findings.HasViolations())
	statement := *client.Registration().Statement
	statement.ID = nil
	return revisionOf(domain.ActionRestore, restored), application.RegistrationClaim{Statement: &statement}
}

func restoredSoftware(t *testing.T, store Registrations) {
	const issuer = "https://directory.example"
	require.NoError(t, useStatement(t, store, tenant, "app-1", unique(1, issuer, "a"), now))
	revision, claim := restoration(t, store, "app-1")
	require.NoError(t, useStatement(t, store, tenant, "app-2", unique(2, issuer, "a"), now))
	require.ErrorIs(t, store.CommitRegistration(t.Context(), revision, claim, nil), application.ErrSoftwareTaken)
	found, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.True(t, found.Deleted())
	other, otherClaim := restoration(t, store, "app-2")
	require.NoError(t, store.CommitRegistration(t.Context(), revision, claim, nil), "the other one is deleted")
	require.ErrorIs(t, store.CommitRegistration(t.Context(), other, otherClaim, nil), application.ErrSoftwareTaken)
}

func concurrentRestorations(t *testing.T, store Registrations) {
	const clients, issuer = 8, "https://directory.example"
	var revisions []domain.Revision
	var claims []application.RegistrationClaim
	for i := range byte(clients) {
		id := domain.ClientID(fmt.Sprintf("app-%d", i))
		require.NoError(t, useStatement(t, store, tenant, id, unique(i, issuer, "a"), now))
		revision, claim := restoration(t, store, id)
		revisions, claims = append(revisions, revision), append(claims, claim)
	}
	made := race(t, 2*clients, func(i int) error {
		if i < clients {
			return store.CommitRegistration(t.Context(), revisions[i], claims[i], nil)
		}
		return useStatement(t, store, tenant, domain.ClientID(fmt.Sprintf("app-%d", i)), unique(byte(i), issuer, "a"), now) //nolint:gosec // below 16
	}, application.ErrSoftwareTaken)
	assert.Equal(t, 1, made)
}

func expiredStatements(t *testing.T, store Registrations) {
	for i := range byte(5) {
		require.NoError(t, useStatement(t, store, tenant, domain.ClientID(fmt.Sprintf("app-%d", i)), statementOf(i), now))
	}
	longer := statementOf(9)
	longer.ExpiresAt = now.Add(time.Minute + time.Microsecond)
	require.NoError(t, useStatement(t, store, "tenant_b", "app-9", longer, now))
	for _, want := range []int{2, 2, 1, 0} {
		deleted, err := store.DeleteStatementUses(t.Context(), now.Add(time.Minute), 2)
		require.NoError(t, err)
		assert.Equal(t, want, deleted)
	}
	require.NoError(t, useStatement(t, store, tenant, "again", statementOf(1), now), "the record was deleted")
	require.ErrorIs(t, useStatement(t, store, "tenant_b", "again", longer, now), application.ErrReplayed)
}
