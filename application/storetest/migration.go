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

// firstVersion is the data of a registry of the first version: two clients, one of
// which was changed once.
const firstVersion = `
	INSERT INTO clients (client_id, tenant_id, revision, document, secrets) VALUES
	('app-1', 'tenant_a', 2,
		'{"id":"client_1","tenant_id":"tenant_a","client_id":"app-1","revision":2,"created_at":"2026-04-15T10:30:00.5Z","updated_at":"2026-04-15T10:31:00Z","name":"My App","status":"active","is_confidential":true,"redirect_uris":["https://App.example.com/cb"],"grant_types":["authorization_code"],"scopes":["openid"],"client_auth_methods":["client_secret_basic"]}',
		'[{"id":"secret_1","hash":"AQID","last_four":"cdef","created_at":"2026-04-15T10:30:00.5Z"}]'),
	('app-2', 'tenant_a', 1,
		'{"id":"client_2","tenant_id":"tenant_a","client_id":"app-2","revision":1,"created_at":"2026-04-15T10:32:00Z","updated_at":"2026-04-15T10:32:00Z","name":"Other","status":"suspended","is_confidential":false}',
		'[]');
	INSERT INTO revisions (client_id, number, tenant_id, at, action, actor, document) VALUES
	('app-1', 1, 'tenant_a', '2026-04-15T10:30:00.5Z', 'create', 'alice', '{"client_id":"app-1","tenant_id":"tenant_a","revision":1,"name":"App"}'),
	('app-1', 2, 'tenant_a', '2026-04-15T10:31:00Z', 'update', 'alice', '{"client_id":"app-1","tenant_id":"tenant_a","revision":2,"name":"My App"}'),
	('app-2', 1, 'tenant_a', '2026-04-15T10:32:00Z', 'create', 'bob', '{"client_id":"app-2","tenant_id":"tenant_a","revision":1,"name":"Other"}')`

// Upgradable is a store that can be migrated to the schema of its first version, with
// the data that a statement inserts, and to the current schema.
type Upgradable interface {
	application.Store
	MigrateToFirst(ctx context.Context, statement string) error
	Migrate(ctx context.Context) (int, error)
}

// RunUpgrade requires that a registry of the first version keeps all its data when it is
// migrated, and finds its clients by every filter. The store must be empty and not
// migrated.
func RunUpgrade(t *testing.T, store Upgradable) {
	t.Helper()
	require.NoError(t, store.MigrateToFirst(t.Context(), firstVersion))
	_, err := store.Migrate(t.Context())
	require.NoError(t, err)

	client, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, "My App", client.Settings().Name)
	require.Len(t, client.Secrets(), 1)
	assert.Equal(t, client.Secrets()[0].CreatedAt, client.Secrets()[0].UpdatedAt)
	for name, q := range map[string]application.Query{
		"name": {Name: "MY a"}, "host": {RedirectHost: "app.example.com"}, "scope": {Scope: "openid"}, "status": {Status: domain.StatusActive},
	} {
		q.Count = true
		page := list(t, store, q)
		assert.Equal(t, []string{"app-1"}, ids(page.Clients), name)
		assert.Equal(t, 1, page.Total, name)
	}
	assert.Equal(t, 2, list(t, store, application.Query{Count: true}).Total)
	for since, want := range map[string][]string{
		"2026-04-15T10:31:00Z": {"app-1", "app-2"}, "2026-04-15T10:31:00.000001Z": {"app-2"}, "2026-04-15T10:32:00.000001Z": {},
	} {
		at, err := time.Parse(time.RFC3339Nano, since)
		require.NoError(t, err)
		assert.Equal(t, want, ids(list(t, store, application.Query{UpdatedSince: at}).Clients), since)
	}
	entries, next := follow(t, store, "", 100)
	assert.Equal(t, []string{"app-1 1 create", "app-1 2 update", "app-2 1 create"}, entries)
	commitChange(t, store, client, domain.ChangeOf(domain.Settings{Name: "Another"}))
	entries, _ = follow(t, store, next, 100)
	assert.Equal(t, []string{"app-1 3 update"}, entries)
	log, err := store.Revisions(t.Context(), tenant, "app-1", 0, 10)
	require.NoError(t, err)
	require.Len(t, log, 3)
	assert.Equal(t, client.CreatedAt(), log[2].At)
}

// RunSecretKeysUpgrade requires that a registry of the first version knows the keys of
// its secrets after it is migrated. The store must be empty and not migrated.
func RunSecretKeysUpgrade(t *testing.T, store interface {
	Upgradable
	application.SecretKeys
},
) {
	t.Helper()
	const data = `
		INSERT INTO clients (client_id, tenant_id, revision, document, secrets) VALUES
		('app-1', 'tenant_a', 1, '{"tenant_id":"tenant_a","client_id":"app-1","revision":1,"status":"active"}',
			'[{"id":"secret_1","hash":"AQID","key_id":"k1"},{"id":"secret_2","hash":"AQID","key_id":"k2"},{"id":"secret_3","hash":"AQID"}]'),
		('app-2', 'tenant_a', 1, '{"tenant_id":"tenant_a","client_id":"app-2","revision":1,"status":"active"}', '[]')`
	require.NoError(t, store.MigrateToFirst(t.Context(), data))
	_, err := store.Migrate(t.Context())
	require.NoError(t, err)
	missing, err := store.MissingSecretKeys(t.Context(), []string{"k2"}, now)
	require.NoError(t, err)
	assert.Equal(t, []string{"k1"}, missing)
}
