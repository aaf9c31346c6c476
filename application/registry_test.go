package application_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/credentials"
	"github.com/clientele-oauth/clientele/adapters/jwks"
	"github.com/clientele-oauth/clientele/adapters/memory"
	"github.com/clientele-oauth/clientele/adapters/secrethash"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

var now = time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)

// clock is a clock that advances only when a test calls advance.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(by)
}

// counter returns predictable identifiers and entropy.
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

// registry is a registry under test with its ports.
type registry struct {
	*application.Registry
	application.Config
}

// with changes the configuration of the registry.
func (r *registry) with(change func(*application.Config)) {
	change(&r.Config)
	r.Registry = application.NewRegistry(r.Config)
}

// newRegistry returns a registry with an empty store in memory.
func newRegistry(t *testing.T) *registry {
	t.Helper()
	return registryOver(t, yieldingStore{memory.New()})
}

// yieldingStore lets other goroutines run between a read and the commit that depends on
// it. Otherwise a store in memory is so fast that concurrent requests hardly ever
// overlap.
type yieldingStore struct{ application.Store }

func (s yieldingStore) Find(ctx context.Context, tenant domain.TenantID, id domain.ClientID) (domain.Client, error) {
	defer runtime.Gosched()
	return s.Store.Find(ctx, tenant, id)
}

func (s yieldingStore) FindIdempotencyRecord(
	ctx context.Context, tenant domain.TenantID, subject, key string,
) (application.IdempotencyRecord, error) {
	defer runtime.Gosched()
	return s.Store.FindIdempotencyRecord(ctx, tenant, subject, key)
}

func registryOver(t *testing.T, store application.Store) *registry {
	t.Helper()
	resolver := jwks.NewResolver(jwks.Options{})
	r := &registry{}
	r.with(func(c *application.Config) {
		*c = application.Config{
			Book: rulebook(t, domain.Policy{KeyPreflight: domain.PreflightOff}), Store: store, Keys: resolver, Sectors: resolver, Clock: &clock{at: now}, Random: &counter{},
			Grace: 4 * time.Hour, Hashes: secrethash.New(2), Credentials: credentials.Reader{},
		}
	})
	return r
}

func rulebook(t *testing.T, policy domain.Policy) *domain.Rulebook {
	t.Helper()
	book, err := domain.NewRulebook(policy)
	require.NoError(t, err)
	return book
}

// realStores open an empty store each, by name. They are empty unless the tests are
// built with the tag acceptance, see real_stores_test.go.
var realStores map[string]func(t *testing.T) application.Store

// onEachStore runs a test with a registry on a store in memory and on each of the
// realStores.
func onEachStore(t *testing.T, test func(t *testing.T, r *registry)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { test(t, newRegistry(t)) })
	for name, open := range realStores {
		t.Run(name, func(t *testing.T) { test(t, registryOver(t, open(t))) })
	}
}

var (
	admin                    = application.Caller{Subject: "alice", Tenant: "tenant_a", Permissions: application.Permissions(), Administrator: true}
	foreignCaller            = application.Caller{Subject: "eve", Tenant: "tenant_b", Permissions: application.Permissions()}
	callerWithoutPermissions = application.Caller{Subject: "noah", Tenant: "tenant_a"}
	callerWithoutTenant      = application.Caller{Subject: "hugo", Permissions: application.Permissions()}
)

func validChange() domain.Change {
	return domain.ChangeOf(domain.Settings{Name: "App", RedirectURIs: []domain.RedirectURI{"https://a.example/cb"}})
}

func register(t *testing.T, r *registry) domain.ClientID {
	t.Helper()
	registered, err := r.Register(t.Context(), admin, "", validChange(), application.Options{})
	require.NoError(t, err)
	return registered.Client.Identity().ClientID
}

func TestRegister(t *testing.T) {
	r := newRegistry(t)
	registered, err := r.Register(t.Context(), admin, "", validChange(), application.Options{})
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

func TestPublicClientsGetNoSecret(t *testing.T) {
	r := newRegistry(t)
	public := validChange().With(domain.FieldConfidential, domain.Settings{})
	registered, err := r.Register(t.Context(), admin, "", public, application.Options{})
	require.NoError(t, err)
	assert.Empty(t, registered.Secret)
	assert.Empty(t, registered.Client.State().Secrets)
}

func TestRejectedRegistrationStoresNothing(t *testing.T) {
	r := newRegistry(t)
	_, err := r.Register(t.Context(), admin, "", domain.Change{}, application.Options{})
	var invalid *application.InvalidError
	require.ErrorAs(t, err, &invalid)
	assert.Len(t, invalid.Findings.Violations(), 2)
	assert.Contains(t, err.Error(), "violations: 2")
	page, err := r.List(t.Context(), admin, application.Query{Limit: 1, Count: true})
	require.NoError(t, err)
	assert.Zero(t, page.Total)
	assert.Empty(t, page.Clients)
}

func TestDryRunChangesNothing(t *testing.T) {
	r := newRegistry(t)
	would, err := r.Register(t.Context(), admin, "", validChange(), application.Options{DryRun: true})
	require.NoError(t, err)
	assert.Empty(t, would.Secret)
	assert.Empty(t, would.Client.Identity().ClientID)
	assert.Empty(t, would.Client.State().Secrets)

	id := register(t, r)
	revised, err := r.Revise(t.Context(), admin, id, domain.ChangeOf(domain.Settings{Name: "Another"}), application.Options{DryRun: true})
	require.NoError(t, err)
	assert.Equal(t, "Another", revised.Client.Settings().Name)
	found, err := r.Find(t.Context(), admin, id)
	require.NoError(t, err)
	assert.Equal(t, "App", found.Settings().Name)
	assert.Equal(t, domain.RevisionNumber(1), found.Revision())

	var invalid *application.InvalidError
	_, err = r.Revise(t.Context(), admin, id, domain.ChangeOf(domain.Settings{}, domain.FieldName), application.Options{DryRun: true})
	require.ErrorAs(t, err, &invalid)
}

func TestIfMatch(t *testing.T) {
	r := newRegistry(t)
	id := register(t, r)
	rename := func(name string, ifMatch ...domain.RevisionNumber) error {
		_, err := r.Revise(t.Context(), admin, id, domain.ChangeOf(domain.Settings{Name: name}), application.Options{IfMatch: ifMatch})
		return err
	}
	require.NoError(t, rename("two", 1))
	require.ErrorIs(t, rename("three", 1), application.ErrPreconditionFailed)
	require.NoError(t, rename("three", 1, 2))
	_, err := r.Revise(t.Context(), admin, id, domain.Change{}, application.Options{IfMatch: []domain.RevisionNumber{}})
	require.ErrorIs(t, err, application.ErrPreconditionFailed, "an empty If-Match matches no revision")
}

func TestLogRecordsActorActionAndTime(t *testing.T) {
	r := newRegistry(t)
	id := register(t, r)
	_, err := r.Revise(t.Context(), admin, id, domain.ChangeOf(domain.Settings{Name: "Another"}), application.Options{})
	require.NoError(t, err)
	_, err = r.Revise(t.Context(), admin, id, domain.ChangeOf(domain.Settings{Name: "Another"}), application.Options{})
	require.NoError(t, err)

	log, err := r.Store.Revisions(t.Context(), "tenant_a", id, 0, 10)
	require.NoError(t, err)
	require.Len(t, log, 2, "an update without effect creates no revision")
	assert.Equal(t, domain.ActionUpdate, log[0].Action)
	assert.Equal(t, domain.Actor{Subject: "alice", Via: domain.ViaAdmin}, log[0].Actor)
	assert.Equal(t, now, log[0].At)
	assert.Equal(t, domain.ActionCreate, log[1].Action)
}

func TestConcurrentUpdatesOfDifferentFieldsAllSurvive(t *testing.T) {
	r := newRegistry(t)
	id := register(t, r)
	changes := []domain.Change{
		domain.ChangeOf(domain.Settings{Name: "Another"}),
		domain.ChangeOf(domain.Settings{Scopes: []domain.Scope{"openid"}}),
		domain.ChangeOf(domain.Settings{LogoURL: domain.Link("https://a.example/logo")}),
		domain.ChangeOf(domain.Settings{Website: domain.Link("https://a.example/")}),
		domain.ChangeOf(domain.Settings{PrivacyPolicy: domain.Link("https://a.example/privacy")}),
		domain.ChangeOf(domain.Settings{TermsURL: domain.Link("https://a.example/terms")}),
		domain.ChangeOf(domain.Settings{CORSOrigins: []domain.Origin{"https://a.example"}}),
		domain.ChangeOf(domain.Settings{Keys: domain.KeysAt("https://a.example/jwks")}),
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

func TestInlineKeysAreValidated(t *testing.T) {
	r := newRegistry(t)
	id := register(t, r)
	_, err := r.Revise(t.Context(), admin, id, domain.ChangeOf(domain.Settings{Keys: domain.InlineKeys(`{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`)}), application.Options{})
	var invalid *application.InvalidError
	require.ErrorAs(t, err, &invalid)
	violations := invalid.Findings.Violations()
	require.NotEmpty(t, violations)
	assert.Equal(t, "jwk-symmetric", violations[0].Rule)
	assert.NotContains(t, fmt.Sprint(violations), "c2VjcmV0")
}
