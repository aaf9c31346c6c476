package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Loaded is a store whose database is a dump of an earlier release, not migrated yet.
type Loaded interface {
	application.Store
	application.SecretKeys
	Exec(ctx context.Context, statement string) error
	// Apply applies one step of the migration, regardless of which other steps were
	// applied.
	Apply(ctx context.Context, version int64) error
	Migrate(ctx context.Context) (int, error)
}

// Schema is a schema that the main branch had after the first release.
type Schema struct {
	Name string
	// Statement converts the schema of the first release to this one, before the
	// steps.
	Statement string
	// Steps are the migration steps that this schema includes in addition to those of
	// the first release.
	Steps []int64
}

// releasedTenants are the tenants of the dump of the first release.
var releasedTenants = []domain.TenantID{"acme", "globex", "damaged"}

// RunEarlierSchemas checks that the data of the first release is the same after a
// migration from each of the schemas as after a migration from the first release. Another
// test checks over HTTP that the latter loses nothing
// (cmd/clientele/first_release_test.go).
func RunEarlierSchemas(t *testing.T, schemas []Schema, open func(t *testing.T) Loaded) {
	t.Helper()
	store := open(t)
	_, err := store.Migrate(t.Context())
	require.NoError(t, err)
	want := readAll(t, store)
	require.Len(t, want["acme"].clients, 19)
	require.Len(t, want["acme"].changes, 45)
	require.NotEmpty(t, want["acme"].uses)
	require.NotEmpty(t, want["damaged"].unreadable)
	peppers := missingPeppers(t, store)
	require.Len(t, peppers, 2)
	for _, schema := range schemas {
		t.Run(schema.Name, func(t *testing.T) {
			store := open(t)
			require.NoError(t, store.Exec(t.Context(), schema.Statement))
			for _, step := range schema.Steps {
				require.NoError(t, store.Apply(t.Context(), step), "step %d", step)
			}
			_, err := store.Migrate(t.Context())
			require.NoError(t, err)
			got := readAll(t, store)
			for _, tenant := range releasedTenants {
				assert.Equal(t, want[tenant], got[tenant], tenant)
			}
			assert.Equal(t, peppers, missingPeppers(t, store))
			changeAll(t, store)
			assert.Equal(t, append([]string{newPepper}, peppers...), missingPeppers(t, store))
		})
	}
}

// newPepper is the id of a pepper that is not in the dump. It sorts before those in the
// dump.
const newPepper = "0000"

// missingPeppers returns the peppers that live secrets need.
func missingPeppers(t *testing.T, store application.SecretKeys) []string {
	t.Helper()
	missing, err := store.MissingSecretKeys(t.Context(), nil, time.Now())
	require.NoError(t, err)
	return missing
}

// changeAll checks that each client can be changed, and that the feed contains the
// changes. It also sets the pepper of one client's first secret to [newPepper].
func changeAll(t *testing.T, store application.Store) {
	t.Helper()
	for _, tenant := range releasedTenants {
		page, err := store.List(t.Context(), tenant, application.Query{Limit: 100})
		require.NoError(t, err)
		var want []string
		for _, c := range page.Clients {
			state := c.State()
			state.Revision++
			state.UpdatedAt = state.UpdatedAt.Add(time.Second)
			if c.Identity().ClientID == "peppered" {
				state.Secrets = c.Secrets()
				state.Secrets[0].KeyID = newPepper
			}
			changed := updated(domain.Restore(state))
			require.NoError(t, store.Commit(t.Context(), changed), c.Identity())
			want = append(want, entry(changed))
		}
		changes := releasedChanges(t, store, tenant, page.Changes)
		var got []string
		for _, r := range changes.Revisions {
			got = append(got, entry(r))
		}
		assert.Equal(t, want, got, tenant)
	}
}

// releasedChanges returns the changes after the cursor when none is held back any more.
// PostgreSQL holds changes back while another transaction is open, for example one of
// autovacuum in a database of another test.
func releasedChanges(t *testing.T, store application.Store, tenant domain.TenantID, after application.Cursor) (changes application.Changes) {
	t.Helper()
	var err error
	require.Eventually(t, func() bool {
		changes, err = store.Changes(t.Context(), tenant, after, 100)
		return err != nil || changes.HeldBack == 0
	}, time.Minute, 10*time.Millisecond)
	require.NoError(t, err)
	return changes
}

// everything is all data of a tenant in a store.
type everything struct {
	clients    []domain.State
	unreadable []string
	total      map[domain.Status]int
	found      map[string][]string // results of searches, by filter
	histories  map[domain.ClientID][]revision
	changes    []revision
	uses       map[domain.ClientID]map[string]time.Time
	attempts   []application.IdempotencyRecord
	purgeable  []string
}

// revision is a [domain.Revision] in a form that can be compared.
type revision struct {
	domain.Revision
	client domain.State
}

// revisions converts revisions to the form that can be compared.
func revisions(list []domain.Revision) []revision {
	compared := make([]revision, len(list))
	for i, r := range list {
		compared[i] = revision{r, r.Client.State()}
		compared[i].Client = domain.Client{}
	}
	return compared
}

// readAll reads all data of the tenants.
func readAll(t *testing.T, store application.Store) map[domain.TenantID]everything {
	t.Helper()
	all := map[domain.TenantID]everything{}
	for _, tenant := range releasedTenants {
		all[tenant] = readTenant(t, store, tenant)
	}
	return all
}

func readTenant(t *testing.T, store application.Store, tenant domain.TenantID) everything {
	t.Helper()
	ctx := t.Context()
	e := everything{
		total: map[domain.Status]int{}, found: map[string][]string{},
		histories: map[domain.ClientID][]revision{}, uses: map[domain.ClientID]map[string]time.Time{},
	}
	list := func(q application.Query) application.Page {
		q.Limit, q.Count = 100, true
		page, err := store.List(ctx, tenant, q)
		require.NoError(t, err)
		return page
	}
	for _, status := range []domain.Status{"", domain.StatusActive, domain.StatusSuspended} {
		e.total[status] = list(application.Query{Status: status}).Total
	}
	page := list(application.Query{})
	e.unreadable = unreadableIDs(page.Unreadable)
	for _, c := range page.Clients {
		e.clients = append(e.clients, c.State())
		e.found["scope"] = ids(list(application.Query{Scope: "openid"}).Clients)
		e.found["name "+c.Settings().Name] = ids(list(application.Query{Name: c.Settings().Name}).Clients)
		e.found["since "+string(c.Identity().ClientID)] = ids(list(application.Query{UpdatedSince: c.UpdatedAt()}).Clients)
	}
	changes := releasedChanges(t, store, tenant, "")
	e.changes = revisions(changes.Revisions)
	for _, r := range changes.Revisions {
		id := r.Client.Identity().ClientID
		history, err := store.Revisions(ctx, tenant, id, 0, 100)
		require.NoError(t, err)
		e.histories[id] = revisions(history)
		uses, err := store.SecretUses(ctx, tenant, id)
		require.NoError(t, err)
		if len(uses) > 0 {
			e.uses[id] = uses
		}
	}
	if tenant == "acme" {
		for _, key := range []string{"key-register-1", "key-secret-1", "key-rotate-1"} {
			attempt, err := store.FindIdempotencyRecord(ctx, tenant, "ci", key)
			require.NoError(t, err)
			e.attempts = append(e.attempts, attempt)
		}
	}
	purgeable, skipped, err := store.Purgeable(ctx, time.Now(), 100)
	require.NoError(t, err)
	require.Empty(t, skipped)
	e.purgeable = ids(purgeable)
	return e
}
