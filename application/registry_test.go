package application_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/jose"
	"github.com/clientele-oauth/clientele/adapters/postgres"
	"github.com/clientele-oauth/clientele/adapters/postgres/pgtest"
	"github.com/clientele-oauth/clientele/adapters/sqlite"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

var now = time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)

// clock stands still until it is moved.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(by)
}

// counter makes ids that tests can foretell.
type counter struct {
	mu sync.Mutex
	n  int
}

func (c *counter) ID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return fmt.Sprintf("%04d", c.n)
}

func (c *counter) Entropy() [domain.SecretEntropy]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return [domain.SecretEntropy]byte{byte(c.n), byte(c.n >> 8)}
}

var server *pgtest.Server

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m, &server)) }

// newRegistry returns a registry over an empty embedded store.
func newRegistry(t *testing.T) *application.Registry {
	t.Helper()
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "test.db"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	_, err = store.Migrate(t.Context())
	require.NoError(t, err)
	return registryOver(t, store)
}

func registryOver(t *testing.T, store application.Store) *application.Registry {
	t.Helper()
	book, err := domain.NewRulebook(domain.Policy{KeyPreflight: domain.PreflightOff})
	require.NoError(t, err)
	return &application.Registry{
		Book: book, Store: store, Keys: jose.NewResolver(jose.FetchRules{}), Clock: &clock{at: now}, Random: &counter{},
		Grace: 4 * time.Hour,
	}
}

// onBothStores runs a test over a registry on each of the stores.
func onBothStores(t *testing.T, test func(t *testing.T, r *application.Registry)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, newRegistry(t)) })
	t.Run("postgres", func(t *testing.T) {
		url, err := server.NewDatabase(t.Context())
		require.NoError(t, err)
		store, err := postgres.Open(t.Context(), url, nil)
		require.NoError(t, err)
		t.Cleanup(store.Close)
		_, err = store.Migrate(t.Context())
		require.NoError(t, err)
		test(t, registryOver(t, store))
	})
}

var (
	admin    = application.Caller{Subject: "alice", Tenant: "tenant_a", Permissions: application.Permissions()}
	stranger = application.Caller{Subject: "eve", Tenant: "tenant_b", Permissions: application.Permissions()}
	nobody   = application.Caller{Subject: "noah", Tenant: "tenant_a"}
	homeless = application.Caller{Subject: "hugo", Permissions: application.Permissions()}
)

func wish() domain.Change {
	return domain.Change{Name: new("App"), RedirectURIs: &[]domain.RedirectURI{"https://a.example/cb"}}
}

func register(t *testing.T, r *application.Registry) domain.ClientID {
	t.Helper()
	registered, err := r.Register(t.Context(), admin, "", wish(), application.Options{})
	require.NoError(t, err)
	return registered.Client.Identity().ClientID
}

func TestRegister(t *testing.T) {
	r := newRegistry(t)
	registered, err := r.Register(t.Context(), admin, "", wish(), application.Options{})
	require.NoError(t, err)
	assert.NotEmpty(t, registered.Secret)

	found, err := r.Find(t.Context(), admin, registered.Client.Identity().ClientID)
	require.NoError(t, err)
	assert.Equal(t, registered.Client.State(), found.State())
	require.Len(t, found.State().Secrets, 1)
	_, valid := found.VerifySecret(registered.Secret, r.Peppers, now)
	assert.True(t, valid)
	assert.Equal(t, domain.TenantID("tenant_a"), found.Identity().TenantID)
}

func TestOnlyClientsThatUseASecretAreGivenOne(t *testing.T) {
	r := newRegistry(t)
	public := wish()
	public.Confidential = new(false)
	registered, err := r.Register(t.Context(), admin, "", public, application.Options{})
	require.NoError(t, err)
	assert.Empty(t, registered.Secret)
	assert.Empty(t, registered.Client.State().Secrets)
}

func TestARefusedRegistrationLeavesNothing(t *testing.T) {
	r := newRegistry(t)
	_, err := r.Register(t.Context(), admin, "", domain.Change{}, application.Options{})
	var invalid *application.InvalidError
	require.ErrorAs(t, err, &invalid)
	assert.Len(t, invalid.Findings.Violations(), 2)
	assert.Contains(t, err.Error(), "violations: 2")
}

func TestADryRunChangesNothing(t *testing.T) {
	r := newRegistry(t)
	would, err := r.Register(t.Context(), admin, "", wish(), application.Options{DryRun: true})
	require.NoError(t, err)
	assert.Empty(t, would.Secret)
	assert.Empty(t, would.Client.Identity().ClientID)
	assert.Empty(t, would.Client.State().Secrets)

	id := register(t, r)
	revised, err := r.Revise(t.Context(), admin, id, domain.Change{Name: new("Another")}, application.Options{DryRun: true})
	require.NoError(t, err)
	assert.Equal(t, "Another", revised.Client.Settings().Name)
	found, err := r.Find(t.Context(), admin, id)
	require.NoError(t, err)
	assert.Equal(t, "App", found.Settings().Name)
	assert.Equal(t, domain.RevisionNumber(1), found.Revision())

	var invalid *application.InvalidError
	_, err = r.Revise(t.Context(), admin, id, domain.Change{Name: new("")}, application.Options{DryRun: true})
	require.ErrorAs(t, err, &invalid)
}

func TestIfMatch(t *testing.T) {
	r := newRegistry(t)
	id := register(t, r)
	rename := func(name string, ifMatch ...domain.RevisionNumber) error {
		_, err := r.Revise(t.Context(), admin, id, domain.Change{Name: &name}, application.Options{IfMatch: ifMatch})
		return err
	}
	require.NoError(t, rename("two", 1))
	require.ErrorIs(t, rename("three", 1), application.ErrPreconditionFailed)
	require.NoError(t, rename("three", 1, 2))
	_, err := r.Revise(t.Context(), admin, id, domain.Change{}, application.Options{IfMatch: []domain.RevisionNumber{}})
	require.ErrorIs(t, err, application.ErrPreconditionFailed, "a header without a revision of ours matches none")
}

func TestTheLogTellsWhoDidWhat(t *testing.T) {
	r := newRegistry(t)
	id := register(t, r)
	_, err := r.Revise(t.Context(), admin, id, domain.Change{Name: new("Another")}, application.Options{})
	require.NoError(t, err)
	_, err = r.Revise(t.Context(), admin, id, domain.Change{Name: new("Another")}, application.Options{})
	require.NoError(t, err)

	log, err := r.Store.Revisions(t.Context(), "tenant_a", id, 0, 10)
	require.NoError(t, err)
	require.Len(t, log, 2, "a change that changes nothing makes no revision")
	assert.Equal(t, domain.ActionUpdate, log[0].Action)
	assert.Equal(t, domain.Actor{Subject: "alice"}, log[0].Actor)
	assert.Equal(t, now, log[0].At)
	assert.Equal(t, domain.ActionCreate, log[1].Action)
}

func TestUpdatesOfDifferentMembersAllSurvive(t *testing.T) {
	r := newRegistry(t)
	id := register(t, r)
	changes := []domain.Change{
		{Name: new("Another")},
		{Scopes: &[]domain.Scope{"openid"}},
		{LogoURL: new(domain.Link("https://a.example/logo"))},
		{Website: new(domain.Link("https://a.example/"))},
		{PrivacyPolicy: new(domain.Link("https://a.example/privacy"))},
		{TermsURL: new(domain.Link("https://a.example/terms"))},
		{CORSOrigins: &[]domain.Origin{"https://a.example"}},
		{JWKSURI: new("https://a.example/jwks")},
	}
	var group sync.WaitGroup
	errs := make([]error, len(changes))
	for i, change := range changes {
		group.Go(func() { _, errs[i] = r.Revise(t.Context(), admin, id, change, application.Options{}) })
	}
	group.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	found, err := r.Find(t.Context(), admin, id)
	require.NoError(t, err)
	settings := found.Settings()
	assert.Equal(t, domain.RevisionNumber(1+len(changes)), found.Revision())
	assert.Equal(t, "Another", settings.Name)
	assert.Equal(t, []domain.Scope{"openid"}, settings.Scopes)
	assert.Equal(t, []domain.Origin{"https://a.example"}, settings.CORSOrigins)
	assert.Equal(t, domain.KeysAt("https://a.example/jwks"), settings.Keys)
	for _, link := range []domain.Link{settings.LogoURL, settings.Website, settings.PrivacyPolicy, settings.TermsURL} {
		assert.NotEmpty(t, link)
	}
}

func TestInlineKeysAreJudged(t *testing.T) {
	r := newRegistry(t)
	id := register(t, r)
	_, err := r.Revise(t.Context(), admin, id, domain.Change{JWKS: new(`{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`)}, application.Options{})
	var invalid *application.InvalidError
	require.ErrorAs(t, err, &invalid)
	violations := invalid.Findings.Violations()
	require.NotEmpty(t, violations)
	assert.Equal(t, "jwk-symmetric", violations[0].Rule)
	assert.NotContains(t, fmt.Sprint(violations), "c2VjcmV0")
}
