package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Damageable is a store with records that a test can damage.
type Damageable interface {
	application.Store
	application.Examiner
	application.SecretKeys
	application.RegistrationStore
	// Exec runs an SQL statement that is valid for every store.
	Exec(ctx context.Context, statement string) error
}

// RunUnreadable runs the part of the suite about stored records that cannot be decoded.
// Each subtest calls open for an empty store, which open must close when the test ends.
func RunUnreadable(t *testing.T, open func(t *testing.T) Damageable) {
	t.Helper()
	tests := []struct {
		name string
		test func(*testing.T, Damageable)
	}{
		{"a damaged client does not affect others", damagedClient},
		{"a damaged revision does not affect others", damagedRevision},
		{"a client with damaged secrets remains usable", damagedSecrets},
		{"a damaged registration does not affect other clients", damagedRegistration},
		{"damaged details of an actor do not affect other revisions", damagedActor},
		{"a damaged initial access token does not affect others", damagedInitialToken},
		{"Purgeable skips damaged clients", purgeSkipsDamaged},
		{"SecretEnds returns damaged clients and those of earlier releases", secretEndsOfOthers},
		{"ListAll returns damaged clients separately", listAllDamaged},
		{"values that could not be read again are not stored", unstorableValues},
		{"a damaged time does not affect other records", damagedTimes},
		{"every record is examined, and values of the first release are repaired", examineAndRepair},
		{"a damaged document is repaired from its copy", repairFromCopy},
		{"a repair does not overwrite a later change", repairAfterChange},
		{"MissingSecretKeys returns the unknown keys of live secrets", secretKeys},
		{"MissingSecretKeys returns the unknown keys of tokens", tokenKeys},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

// firstReleaseSecrets is the value that the first release stored for an expiry time of
// 9999-12-31T23:59:59-05:00, which RFC 3339 cannot represent in UTC.
const firstReleaseSecrets = `[{"id":"secret_1","hash":"AQID","key_id":"k","last_four":"cdef",` +
	`"created_at":"2026-04-15T10:30:00.123456Z","expires_at":"10000-01-01T04:59:59Z"}]`

func damage(t *testing.T, store Damageable, statement string) {
	t.Helper()
	require.NoError(t, store.Exec(t.Context(), statement))
}

// unreadableIDs returns the clients of the errors.
func unreadableIDs(list []*application.UnreadableError) []string {
	found := []string{}
	for _, e := range list {
		found = append(found, string(e.ClientID))
	}
	return found
}

func damagedClient(t *testing.T, store Damageable) {
	for i := range 5 {
		commitNew(t, store, tenant, domain.ClientID(fmt.Sprintf("app-%d", i)), domain.ChangeOf(domain.Settings{Scopes: []domain.Scope{"openid"}}))
	}
	commitNew(t, store, "tenant_b", "app-1", domain.Change{})
	damage(t, store, `UPDATE clients SET document = '{"name": 5}' WHERE tenant_id = 'tenant_a' AND client_id IN ('app-1', 'app-4')`)

	_, err := store.Find(t.Context(), tenant, "app-1")
	require.ErrorIs(t, err, application.ErrUnreadable)
	var unreadable *application.UnreadableError
	require.ErrorAs(t, err, &unreadable)
	assert.Equal(t, tenant, unreadable.TenantID)
	assert.Equal(t, domain.ClientID("app-1"), unreadable.ClientID)
	assert.Equal(t, domain.RevisionNumber(1), unreadable.Revision)
	assert.Equal(t, application.PartDocument, unreadable.Part)
	_, err = store.Find(t.Context(), "tenant_b", "app-1")
	require.NoError(t, err)

	var group sync.WaitGroup // finds that share a round trip
	for i := range 5 {
		group.Go(func() {
			_, err := store.Find(t.Context(), tenant, domain.ClientID(fmt.Sprintf("app-%d", i)))
			assert.Equal(t, i == 1 || i == 4, err != nil, "app-%d: %v", i, err)
		})
	}
	group.Wait()

	for name, q := range map[string]application.Query{
		"all": {}, "scope": {Scope: "openid"}, "status": {Status: domain.StatusActive}, "name": {Name: "App"},
	} {
		q.Count, q.Limit = true, 10
		page, err := store.List(t.Context(), tenant, q)
		require.NoError(t, err, name)
		assert.Equal(t, []string{"app-0", "app-2", "app-3"}, ids(page.Clients), name)
		assert.Equal(t, []string{"app-1", "app-4"}, unreadableIDs(page.Unreadable), name)
		assert.Equal(t, domain.ClientID("app-4"), page.Last(), name)
		assert.Equal(t, 5, page.Total, name)
		assert.False(t, page.More, name)
	}
	for _, size := range []int{1, 2, 3} {
		var readable, unreadable []string
		for q := (application.Query{Limit: size}); ; {
			page, err := store.List(t.Context(), tenant, q)
			require.NoError(t, err)
			readable = append(readable, ids(page.Clients)...)
			unreadable = append(unreadable, unreadableIDs(page.Unreadable)...)
			if !page.More {
				break
			}
			require.Equal(t, size, len(page.Clients)+len(page.Unreadable))
			q.After = page.Last()
		}
		assert.Equal(t, []string{"app-0", "app-2", "app-3"}, readable, "pages of %d", size)
		assert.Equal(t, []string{"app-1", "app-4"}, unreadable, "pages of %d", size)
	}
}

func damagedRevision(t *testing.T, store Damageable) {
	client := commitNew(t, store, tenant, "app-1", domain.Change{})
	for i := range 3 {
		client = commitChange(t, store, client, domain.ChangeOf(domain.Settings{Name: fmt.Sprintf("name %d", i)}))
	}
	commitNew(t, store, tenant, "app-2", domain.Change{})
	damage(t, store, `UPDATE revisions SET document = '{"created_at":"10000-01-01T00:00:00Z"}' WHERE client_id = 'app-1' AND number IN (2, 4)`)

	log, err := store.Revisions(t.Context(), tenant, "app-1", 0, 10)
	require.NoError(t, err)
	require.Len(t, log, 4)
	for i, r := range log {
		assert.Equal(t, domain.RevisionNumber(4-i), r.Client.Revision())
		assert.Equal(t, domain.Identity{ID: r.Client.Identity().ID, TenantID: tenant, ClientID: "app-1"}, r.Client.Identity())
		assert.Equal(t, i%2 == 0, r.Unreadable)
		assert.NotEmpty(t, r.Action)
		assert.False(t, r.At.IsZero())
	}
	for _, limit := range []int{1, 2, 100} {
		entries, _ := follow(t, store, "", limit)
		assert.Equal(t, []string{"app-1 1 create", "app-1 2 update", "app-1 3 update", "app-1 4 update", "app-2 1 create"}, entries)
	}
}

func damagedSecrets(t *testing.T, store Damageable) {
	commitNew(t, store, tenant, "app-1", domain.Change{})
	other := commitNew(t, store, tenant, "app-2", domain.Change{})
	damage(t, store, `UPDATE clients SET secrets = '`+firstReleaseSecrets+`' WHERE client_id = 'app-1'`)
	find := func() domain.Client {
		client, err := store.Find(t.Context(), tenant, "app-1")
		require.NoError(t, err)
		return client
	}
	client := find()
	assert.True(t, client.SecretsUnreadable())
	assert.Equal(t, []string{"app-1", "app-2"}, ids(list(t, store, application.Query{}).Clients))

	suspended, findings := revise(t, client, domain.ChangeOf(domain.Settings{Status: domain.StatusSuspended}), now)
	require.False(t, findings.HasViolations())
	var group sync.WaitGroup // commits that share a transaction
	group.Go(func() { assert.NoError(t, store.Commit(t.Context(), updated(suspended))) })
	group.Go(func() { assert.NoError(t, store.Commit(t.Context(), updated(rename(t, other, "Another")))) })
	group.Wait()
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, deleted(t, find(), now))))
	assert.Empty(t, ids(list(t, store, application.Query{Name: "My App"}).Clients))
	restored, findings := restore(t, find(), now)
	require.False(t, findings.HasViolations())
	require.NoError(t, store.CommitOnce(t.Context(), revisionOf(domain.ActionRestore, restored), attemptOf(restored, "k")))
	found := find()
	assert.Equal(t, domain.RevisionNumber(4), found.Revision())
	assert.Equal(t, domain.StatusSuspended, found.Settings().Status)

	examination, err := store.Examine(t.Context(), application.ClientRecords, "", 10)
	require.NoError(t, err)
	require.Len(t, examination.Faults, 1)
	assert.JSONEq(t, firstReleaseSecrets, string(examination.Faults[0].Stored), "the stored secrets do not change")

	public, findings := revise(t, find(), domain.ChangeOf(domain.Settings{
		AuthMethods: []domain.AuthMethod{domain.AuthNone},
	}, domain.FieldConfidential), now)
	require.False(t, findings.HasViolations(), "%v", findings)
	require.NoError(t, store.Commit(t.Context(), updated(public)))
	assert.False(t, find().SecretsUnreadable(), "secrets that no method uses are revoked, also damaged ones")
}

func purgeSkipsDamaged(t *testing.T, store Damageable) {
	for i := range 6 {
		client := commitNew(t, store, tenant, domain.ClientID(fmt.Sprintf("app-%d", i)), domain.Change{})
		require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, deleted(t, client, now.Add(time.Duration(i/2)*time.Second)))))
	}
	damage(t, store, `UPDATE clients SET document = '{"name": 5}' WHERE client_id IN ('app-0', 'app-1', 'app-2')`)
	damage(t, store, `UPDATE clients SET secrets = '`+firstReleaseSecrets+`' WHERE client_id = 'app-3'`)
	for limit, want := range map[int][]string{1: {"app-3"}, 2: {"app-3", "app-4"}, 10: {"app-3", "app-4", "app-5"}} {
		clients, skipped, err := store.Purgeable(t.Context(), now.Add(time.Minute), limit)
		require.NoError(t, err)
		assert.Equal(t, want, ids(clients))
		assert.Equal(t, []string{"app-0", "app-1", "app-2"}, unreadableIDs(skipped))
	}
	client, err := store.Find(t.Context(), tenant, "app-3")
	require.NoError(t, err)
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionPurge, purged(t, client, now))))
	client, err = store.Find(t.Context(), tenant, "app-3")
	require.NoError(t, err)
	assert.False(t, client.SecretsUnreadable(), "a purge removes the secrets")
}

func unstorableValues(t *testing.T, store Damageable) {
	other := commitNew(t, store, tenant, "other", domain.Change{})
	far := time.Date(10000, 1, 1, 4, 59, 59, 0, time.UTC)
	with := func(change func(*domain.State)) domain.Revision {
		state := register(t, tenant, "app-1").State()
		change(&state)
		r := created(domain.Restore(state))
		r.At = now
		return r
	}
	late := with(func(*domain.State) {})
	late.At = far
	wrong := with(func(*domain.State) {})
	wrong.Reason = "\xff"
	for i, r := range []domain.Revision{
		with(func(s *domain.State) { s.Secrets[0].ExpiresAt = far }),
		with(func(s *domain.State) { s.UpdatedAt = far }),
		with(func(s *domain.State) { s.Settings.Name = "a\xff" }),
		late, wrong,
	} {
		other = rename(t, other, fmt.Sprintf("name %d", i))
		var group sync.WaitGroup // commits that share a transaction
		group.Go(func() { assert.ErrorIs(t, store.Commit(t.Context(), r), application.ErrUnstorable) })
		group.Go(func() { assert.NoError(t, store.Commit(t.Context(), updated(other))) })
		group.Wait()
		require.ErrorIs(t, store.CommitOnce(t.Context(), r, attemptOf(r.Client, "key")), application.ErrUnstorable)
	}
	good := with(func(*domain.State) {})
	attempt := attemptOf(good.Client, "key")
	attempt.At = far
	require.ErrorIs(t, store.CommitOnce(t.Context(), good, attempt), application.ErrUnstorable)

	_, err := store.Find(t.Context(), tenant, "app-1")
	require.ErrorIs(t, err, application.ErrNotFound)
	log, err := store.Revisions(t.Context(), tenant, "app-1", 0, 10)
	require.NoError(t, err)
	assert.Empty(t, log)
	_, err = store.FindIdempotencyRecord(t.Context(), tenant, attempt.Subject, "key")
	require.ErrorIs(t, err, application.ErrNotFound)
}

// damagedTimes damages times that are stored in columns of their own.
func damagedTimes(t *testing.T, store Damageable) {
	commitNew(t, store, tenant, "app-1", domain.Change{})
	commitNew(t, store, tenant, "app-2", domain.Change{})
	require.NoError(t, store.NoteSecretUses(t.Context(), []application.SecretUse{
		{TenantID: tenant, ClientID: "app-1", SecretID: "s1", At: now}, {TenantID: tenant, ClientID: "app-1", SecretID: "s2", At: now},
	}))
	const wrong = `'10000-01-01T00:00:00.000000Z'`
	damage(t, store, `UPDATE revisions SET at = `+wrong+` WHERE client_id = 'app-1'`)
	damage(t, store, `UPDATE secret_uses SET last_used_at = `+wrong+` WHERE secret_id = 's1'`)
	entries, _ := follow(t, store, "", 1)
	assert.Equal(t, []string{"app-1 1 create", "app-2 1 create"}, entries)
	log, err := store.Revisions(t.Context(), tenant, "app-1", 0, 10)
	require.NoError(t, err)
	require.Len(t, log, 1)
	assert.True(t, log[0].Unreadable)
	used, err := store.SecretUses(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, map[string]time.Time{"s2": now}, used)

	for kind, part := range map[application.RecordKind]application.RecordPart{
		application.RevisionRecords: application.PartRevision, application.SecretUseRecords: application.PartSecretUse,
	} {
		examination, err := store.Examine(t.Context(), kind, "", 10)
		require.NoError(t, err)
		require.Len(t, examination.Faults, 1, kind)
		assert.Equal(t, part, examination.Faults[0].Part)
		assert.Equal(t, domain.ClientID("app-1"), examination.Faults[0].ClientID)
		assert.Empty(t, examination.Faults[0].Remedy)
	}
}

// examine examines all records in batches of that size.
func examine(t *testing.T, store Damageable, size int) (counts map[application.RecordKind]int, faults []application.Fault) {
	t.Helper()
	counts = map[application.RecordKind]int{}
	for _, kind := range application.RecordKinds() {
		for position := ""; ; {
			found, err := store.Examine(t.Context(), kind, position, size)
			require.NoError(t, err)
			require.LessOrEqual(t, found.Examined, size)
			counts[kind] += found.Examined
			faults = append(faults, found.Faults...)
			if position = found.Next; position == "" {
				break
			}
		}
	}
	return counts, faults
}

func examineAndRepair(t *testing.T, store Damageable) {
	for i := range 4 {
		client := register(t, tenant, domain.ClientID(fmt.Sprintf("app-%d", i)))
		require.NoError(t, store.CommitOnce(t.Context(), created(client), attemptOf(client, fmt.Sprintf(`k"%d`, i))))
		require.NoError(t, store.Commit(t.Context(), updated(rename(t, client, "Another"))))
	}
	commitNew(t, store, "tenant_b", "app-1", domain.Change{})
	require.NoError(t, store.NoteSecretUses(t.Context(), []application.SecretUse{
		{TenantID: tenant, ClientID: "app-1", SecretID: "s1", At: now}, {TenantID: tenant, ClientID: "app-2", SecretID: "s1", At: now},
	}))
	damage(t, store, `UPDATE clients SET secrets = '`+firstReleaseSecrets+`' WHERE tenant_id = 'tenant_a' AND client_id IN ('app-1', 'app-3')`)
	damage(t, store, `UPDATE clients SET secrets = '[{"id":5}]' WHERE client_id = 'app-2'`)

	for _, size := range []int{1, 2, 100} {
		counts, faults := examine(t, store, size)
		assert.Equal(t, map[application.RecordKind]int{
			application.ClientRecords: 5, application.RevisionRecords: 9, application.IdempotencyRecords: 4, application.SecretUseRecords: 2,
			application.InitialTokenRecords: 0,
		}, counts)
		require.Len(t, faults, 3)
		for i, fault := range faults {
			assert.Equal(t, tenant, fault.TenantID)
			assert.Equal(t, domain.ClientID(fmt.Sprintf("app-%d", i+1)), fault.ClientID)
			assert.Equal(t, domain.RevisionNumber(2), fault.Revision)
			assert.Equal(t, application.PartSecrets, fault.Part)
			assert.NotEmpty(t, fault.Reason)
			assert.Equal(t, i != 1, fault.Remedy != "")
		}
	}
	_, faults := examine(t, store, 100)
	for i, fault := range faults {
		repaired, err := store.Mend(t.Context(), fault)
		require.NoError(t, err)
		assert.Equal(t, i != 1, repaired)
	}
	client, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	require.Len(t, client.Secrets(), 1)
	assert.Equal(t, time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), client.Secrets()[0].ExpiresAt)
	assert.Equal(t, domain.RevisionNumber(2), client.Revision(), "a repair does not add a revision")
	client = commitChange(t, store, client, domain.ChangeOf(domain.Settings{Name: "later"}))
	assert.Len(t, client.Secrets(), 1)
	_, faults = examine(t, store, 100)
	assert.Len(t, faults, 1)
}

func repairFromCopy(t *testing.T, store Damageable) {
	client := commitNew(t, store, tenant, "app-1", domain.Change{})
	client = commitChange(t, store, client, domain.ChangeOf(domain.Settings{Name: "Another"}))
	damage(t, store, `UPDATE clients SET document = '{}'`)
	damage(t, store, `UPDATE revisions SET document = '{}' WHERE number = 1`)
	repairAll := func() (repaired int) {
		_, faults := examine(t, store, 10)
		for _, fault := range faults {
			done, err := store.Mend(t.Context(), fault)
			require.NoError(t, err)
			if done {
				repaired++
			}
		}
		return repaired
	}
	assert.Equal(t, 1, repairAll())
	found, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, client.State(), found.State())
	_, faults := examine(t, store, 10)
	require.Len(t, faults, 1, "revision 1 has no copy")
	assert.Equal(t, domain.RevisionNumber(1), faults[0].Revision)
	assert.Empty(t, faults[0].Remedy)

	damage(t, store, `UPDATE revisions SET document = '{}' WHERE number = 2`)
	assert.Equal(t, 1, repairAll(), "the history is repaired from the client")
	log, err := store.Revisions(t.Context(), tenant, "app-1", 0, 1)
	require.NoError(t, err)
	assert.False(t, log[0].Unreadable)
	assert.Equal(t, client.Settings(), log[0].Client.Settings())
}

func repairAfterChange(t *testing.T, store Damageable) {
	commitNew(t, store, tenant, "app-1", domain.Change{})
	damage(t, store, `UPDATE clients SET secrets = '`+firstReleaseSecrets+`'`)
	_, faults := examine(t, store, 10)
	require.Len(t, faults, 1)
	damage(t, store, `UPDATE clients SET secrets = '[]'`)
	repaired, err := store.Mend(t.Context(), faults[0])
	require.NoError(t, err)
	assert.False(t, repaired)
	client, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Empty(t, client.Secrets())

	damage(t, store, `UPDATE clients SET secrets = '`+firstReleaseSecrets+`'`)
	client, err = store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	commitChange(t, store, client, domain.ChangeOf(domain.Settings{Name: "Another"}))
	repaired, err = store.Mend(t.Context(), faults[0])
	require.NoError(t, err)
	assert.True(t, repaired, "a later revision with the same secrets is repaired")
}

func secretKeys(t *testing.T, store Damageable) {
	missing := func(known ...string) []string {
		found, err := store.MissingSecretKeys(t.Context(), known, now)
		require.NoError(t, err)
		return found
	}
	assert.Empty(t, missing())
	with := func(id domain.ClientID, keys ...string) domain.Client {
		state := register(t, tenant, id).State()
		state.Secrets = nil
		for i, key := range keys {
			secret, _ := domain.NewSecret(fmt.Sprintf("s%d", i), [domain.SecretEntropy]byte{byte(i)}, domain.Pepper{ID: key}, now)
			state.Secrets = append(state.Secrets, secret)
		}
		client := domain.Restore(state)
		require.NoError(t, store.Commit(t.Context(), created(client)))
		return client
	}
	one := with("app-1", "k1", "k2")
	two := with("app-2", "k3", "")
	for i := range 250 { // more than one batch of expired secrets
		state := register(t, tenant, domain.ClientID(fmt.Sprintf("aaa-%03d", i))).State()
		state.Secrets[0].KeyID, state.Secrets[0].ExpiresAt = "k4", now
		require.NoError(t, store.Commit(t.Context(), created(domain.Restore(state))))
	}
	assert.Equal(t, []string{"k1", "k2", "k3"}, missing())
	assert.Equal(t, []string{"k2"}, missing("k1", "k3", "k4"))
	assert.Empty(t, missing("k1", "k2", "k3"), "an expired secret does not need its key")
	with("bbb", "k4")
	assert.Equal(t, []string{"k4"}, missing("k1", "k2", "k3"))

	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, deleted(t, two, now))))
	assert.Equal(t, []string{"k1", "k2", "k4"}, missing(), "a deleted client does not need its keys")
	next, _ := domain.NewSecret("s9", [domain.SecretEntropy]byte{9}, domain.Pepper{ID: "k5"}, now)
	rotated, err := one.RotateSecret(next, 0, now)
	require.NoError(t, err)
	require.NoError(t, store.Commit(t.Context(), domain.Revision{Action: domain.ActionRotateSecret, At: now, Client: rotated}))
	assert.Equal(t, []string{"k4", "k5"}, missing())
	damage(t, store, `UPDATE clients SET secrets = '[{"key_id":"k6","id":5}]' WHERE client_id = 'app-1'`)
	assert.Equal(t, []string{"k4", "k6"}, missing(), "damaged secrets may be live")
}
