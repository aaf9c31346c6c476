package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/domain"
)

// revise returns a client with a change applied. Its keys are not examined.
func revise(t *testing.T, c domain.Client, change domain.Change, at time.Time) (domain.Client, domain.Findings) {
	t.Helper()
	draft, err := book(t).Revise(c, change)
	require.NoError(t, err)
	outcome := draft.Decide(domain.Facts{}, at)
	return outcome.Client, outcome.Findings
}

// restore returns a deleted client as restored. Its keys are not examined.
func restore(t *testing.T, c domain.Client, at time.Time) (domain.Client, domain.Findings) {
	t.Helper()
	draft, err := book(t).Restore(c)
	require.NoError(t, err)
	outcome := draft.Decide(domain.Facts{}, at)
	return outcome.Client, outcome.Findings
}

// deleted returns the client as deleted.
func deleted(t *testing.T, c domain.Client, at time.Time) domain.Client {
	t.Helper()
	after, err := c.Delete(at)
	require.NoError(t, err)
	return after
}

// purged returns the tombstone of a deleted client.
func purged(t *testing.T, c domain.Client, at time.Time) domain.Client {
	t.Helper()
	after, err := c.Purge(at)
	require.NoError(t, err)
	return after
}
