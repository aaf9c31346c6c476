// Package storetest is the conformance suite of [application.Store] and its optional
// ports. Each subtest proves a sentence of their documentation, so that the names of
// the subtests are a summary of what a store must do.
//
// A store runs the suite in a test of its own:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) application.Store { return openEmpty(t) })
//	}
//
// [RunRegistrations] is the part about registrations from outside. [RunForks] proves that
// cursors are rejected by another history, [RunUnreadable] what happens to damaged records,
// and [RunUpgrade] and [RunSecretKeysUpgrade] the migration of a database of the first
// version.
package storetest

import (
	"testing"
	"time"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Run runs the suite. Each subtest calls open for an empty store, which open must
// close when the test ends.
func Run(t *testing.T, open func(t *testing.T) application.Store) {
	t.Helper()
	tests := []struct {
		name string
		test func(*testing.T, application.Store)
	}{
		{"Find returns a client as it was committed", findCommitted},
		{"a client is found only in its own tenant", findWithinTenant},
		{"an update replaces the client", updateReplacesClient},
		{"a revision that does not follow the newest is a conflict", staleRevision},
		{"an identifier cannot be used again in its tenant", identifierIsUnique},
		{"an update of an unknown client is a conflict", updateOfUnknownClient},
		{"Revisions returns every revision, newest first", revisionsAreComplete},
		{"Revisions returns pages", revisionsArePaged},
		{"Revisions returns no secrets", revisionsWithoutSecrets},
		{"one of several concurrent commits of a revision succeeds", oneCommitSucceeds},
		{"concurrent writers of one client lose no update", noUpdateIsLost},
		{"concurrent commits and reads do not affect each other", concurrentCalls},
		{"a deleted client is found but not listed", deletedClient},
		{"a purge keeps only the tombstone", purgedClient},
		{"Purgeable returns the clients deleted before a time", purgeableClients},
		{"List returns pages in order", listIsPaged},
		{"paging by cursor during changes misses no client", pagingDuringChanges},
		{"List applies the filters of the query", listFilters},
		{"a page of a list ends by its size, and the next one continues", listPageSize},
		{"a page of revisions or changes ends by its size", historyPageSize},
		{"List applies every combination of filters", filterCombinations},
		{"names are searched case-insensitively and without wildcards", nameSearch},
		{"totals follow every change", totals},
		{"Changes returns every revision of the tenant once and in order", feedIsComplete},
		{"Changes continues from the cursor of a list", feedAfterList},
		{"pages of a list and the changes after the first one give the current clients", pagesAndFeed},
		{"Changes rejects an unknown cursor", unknownCursor},
		{"readers of the feed miss no concurrent commit", feedDuringCommits},
		{"Watch reports the next commit of the tenant", watch},
		{"AllChanges returns every revision of all tenants once and in order", allChangesAreComplete},
		{"AllChanges and Changes reject each other's cursors", cursorsOfAnotherKind},
		{"readers of all tenants miss no concurrent commit", allChangesDuringCommits},
		{"ListAll returns the clients of all tenants in pages", listAllIsPaged},
		{"pages of ListAll and the changes after the first one give the current clients", pagesOfAllAndFeed},
		{"a page of ListAll ends by its size, and the next one continues", listAllPageSize},
		{"WatchAll reports the next commit of any tenant", watchAll},
		{"SecretEnds returns the clients with secrets that have ended", secretEnds},
		{"SecretEnds follows every change of a client", secretEndsFollowChanges},
		{"ScheduleSecretEnd changes only the revision that it was called for", scheduleSecretEnd},
		{"CommitOnce stores the attempt and the revision, both or neither", attemptWithRevision},
		{"one of several concurrent attempts with a key succeeds", oneAttemptSucceeds},
		{"an attempt expires", attemptExpires},
		{"AdoptSecrets replaces the secrets of a revision and nothing else", adoptSecrets},
		{"concurrent calls of AdoptSecrets and Commit succeed or are a conflict", adoptDuringCommits},
		{"UseAssertion accepts an assertion of a client once, until it has expired", assertionIsUsedOnce},
		{"one of several concurrent uses of an assertion succeeds", oneUseSucceeds},
		{"DeleteAssertionUses deletes expired records in batches", expiredUsesAreDeleted},
		{"SecretUses returns the latest use of each secret", secretUses},
		{"Ping succeeds", ping},
		{"a call with an ended context returns ErrUnavailable", endedContext},
		{"a commit that exceeds its deadline is made once or not at all", commitDeadline},
		{"concurrent changes of all kinds succeed and are counted", concurrentChanges},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

const tenant domain.TenantID = "tenant_a"

var now = time.Date(2026, 4, 15, 10, 30, 0, 123456000, time.UTC)
