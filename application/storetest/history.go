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

func revisionsAreComplete(t *testing.T, store application.Store) {
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
	assert.Equal(t, "as requested – Größe", log[0].Reason)
	assert.Equal(t, now.Add(time.Minute), log[0].At)
	assert.Equal(t, second.Settings(), log[0].Client.Settings())
	assert.Equal(t, second.Revision(), log[0].Client.Revision())
	assert.Equal(t, domain.ActionCreate, log[1].Action)
	assert.Equal(t, first.Settings(), log[1].Client.Settings())
}

func revisionsArePaged(t *testing.T, store application.Store) {
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

func revisionsWithoutSecrets(t *testing.T, store application.Store) {
	require.NoError(t, store.Commit(t.Context(), created(register(t, tenant, "app-1"))))

	log, err := store.Revisions(t.Context(), tenant, "app-1", 0, 10)
	require.NoError(t, err)
	require.Len(t, log, 1)
	assert.Empty(t, log[0].Client.State().Secrets)
}
