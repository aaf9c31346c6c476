package push_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/jwks"
	"github.com/clientele-oauth/clientele/adapters/memory"
	"github.com/clientele-oauth/clientele/adapters/secrethash"
	"github.com/clientele-oauth/clientele/adapters/sqlite"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/application/push"
	"github.com/clientele-oauth/clientele/domain"
)

// store is what the tests need of a store.
type store interface {
	application.Store
	push.Ledger
}

// postgresStore opens an empty store; nil unless the tests are built with the tag
// acceptance.
var postgresStore func(t *testing.T) store

// onEachStore runs a test on each store.
func onEachStore(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { test(t, newFixture(t, memory.New())) })
	t.Run("sqlite", func(t *testing.T) {
		store, err := sqlite.Open(filepath.Join(t.TempDir(), "test.db"))
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, store.Close()) })
		_, err = store.Migrate(t.Context())
		require.NoError(t, err)
		test(t, newFixture(t, store))
	})
	if postgresStore != nil {
		t.Run("postgres", func(t *testing.T) { test(t, newFixture(t, postgresStore(t))) })
	}
}

// clock is the machine's clock.
type clock struct{}

func (clock) Now() time.Time { return time.Now() }

// source is a source of identifiers and random bytes that are all different.
type source struct {
	mu sync.Mutex
	n  int
}

func (s *source) next() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	return s.n
}

func (s *source) ID() string { return fmt.Sprintf("%06d", s.next()) }

func (s *source) Entropy() (e [domain.SecretEntropy]byte) {
	n := s.next()
	e[0], e[1], e[2] = byte(n), byte(n>>8), byte(n>>16)
	return e
}

// secrets are values of secrets that a test sets.
type secrets struct {
	mu      sync.Mutex
	values  map[domain.ClientID]string
	changed []domain.ClientID
}

func (s *secrets) Secret(id domain.ClientID) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, ok := s.values[id]
	return value, ok
}

func (s *secrets) Changed() []domain.ClientID {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := s.changed
	s.changed = nil
	return changed
}

func (s *secrets) set(id domain.ClientID, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[id] = value
	s.changed = append(s.changed, id)
}

// fixture is a registry, an authorization server, and workers between them.
type fixture struct {
	*testing.T

	store    store
	registry *application.Registry
	server   *server
	clock    clock
	random   *source
	secrets  *secrets
	workers  int
}

const tenant domain.TenantID = "tenant_a"

var (
	admin = application.Caller{Subject: "alice", Tenant: tenant, Permissions: application.Permissions(), Administrator: true}
	key   = push.Key{Tenant: tenant, Target: "memory"}
)

func newFixture(t *testing.T, s store) *fixture {
	t.Helper()
	book, err := domain.NewRulebook(domain.Policy{KeyPreflight: domain.PreflightOff})
	require.NoError(t, err)
	f := &fixture{T: t, store: s, server: newServer(), random: &source{}, secrets: &secrets{values: map[domain.ClientID]string{}}}
	resolver := jwks.NewResolver(jwks.Options{})
	f.registry = application.NewRegistry(application.Config{
		Book: book, Store: s, Keys: resolver, Sectors: resolver, Clock: f.clock, Random: f.random, Hashes: secrethash.New(2),
	})
	return f
}

// worker returns a worker with short times; change can change its configuration.
func (f *fixture) worker(change func(*push.Config)) *push.Worker {
	f.workers++
	config := push.Config{
		Registry: f.registry, Tenant: tenant, Target: f.server, Ledger: f.store, Key: key, Holder: fmt.Sprintf("worker %d", f.workers),
		Secrets: f.secrets, Clock: f.clock, Random: f.random, Log: slog.New(slog.DiscardHandler), Reconcile: time.Hour,
		Timing: push.Timing{
			Attempt: 500 * time.Millisecond, MinPause: 5 * time.Millisecond, MaxPause: 20 * time.Millisecond,
			Lease: time.Second, Save: 5 * time.Millisecond, Probe: 5 * time.Millisecond, Secrets: 5 * time.Millisecond,
		},
	}
	if change != nil {
		change(&config)
	}
	return push.NewWorker(config)
}

// run runs a worker until the test ends or stop is called, which waits for its end.
func (f *fixture) run(w *push.Worker) (stop func()) {
	ctx, cancel := context.WithCancel(f.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		assert.NoError(f, w.Run(ctx))
	}()
	stop = func() {
		cancel()
		<-ended
	}
	f.Cleanup(stop)
	return stop
}

// register registers a client that uses a secret, and returns the secret.
func (f *fixture) register(id domain.ClientID) string {
	f.Helper()
	registered, err := f.registry.Register(f.Context(), admin, id, domain.ChangeOf(domain.Settings{
		Name: "App", GrantTypes: []domain.GrantType{domain.GrantClientCredentials},
	}), application.Options{})
	require.NoError(f, err)
	return registered.Secret
}

// registerPublic registers a client without a secret.
func (f *fixture) registerPublic(id domain.ClientID) {
	f.Helper()
	_, err := f.registry.Register(f.Context(), admin, id, domain.ChangeOf(domain.Settings{
		Name: "App", RedirectURIs: []domain.RedirectURI{"https://app.example.com/cb"},
	}, domain.FieldConfidential), application.Options{})
	require.NoError(f, err)
}

func (f *fixture) revise(id domain.ClientID, s domain.Settings) {
	f.Helper()
	_, err := f.registry.Revise(f.Context(), admin, id, domain.ChangeOf(s), application.Options{})
	require.NoError(f, err)
}

// eventually waits until a condition is met.
func (f *fixture) eventually(condition func() bool, format string, args ...any) {
	f.Helper()
	require.Eventually(f, condition, 20*time.Second, 2*time.Millisecond, append([]any{format}, args...)...)
}

// named waits until the server holds the client with that name, and serves it or not.
func (f *fixture) named(id domain.ClientID, name string, enabled bool) {
	f.Helper()
	f.eventually(func() bool {
		r, ok := f.server.get(id)
		return ok && r.settings.Name == name && r.enabled == enabled
	}, "%s", id)
}

// state returns what is stored.
func (f *fixture) state() push.State {
	f.Helper()
	states, err := f.store.PushStates(f.Context(), tenant)
	require.NoError(f, err)
	if len(states) == 0 {
		return push.State{}
	}
	return states[0]
}

// problem waits for a problem of a client, and returns it.
func (f *fixture) problem(id domain.ClientID, kind push.ProblemKind) (found push.Problem) {
	f.Helper()
	f.eventually(func() bool {
		for _, p := range f.state().Problems {
			if p.ClientID == id && p.Kind == kind {
				found = p
				return true
			}
		}
		return false
	}, "%s %s", id, kind)
	return found
}

// solved waits until a client has no problem.
func (f *fixture) solved(id domain.ClientID) {
	f.Helper()
	f.eventually(func() bool {
		return !slices.ContainsFunc(f.state().Problems, func(p push.Problem) bool { return p.ClientID == id })
	}, "%s", id)
}

// once runs a worker once.
func (f *fixture) once(change func(*push.Config)) *push.Worker {
	f.Helper()
	w := f.worker(change)
	require.NoError(f, w.RunOnce(f.Context()))
	return w
}

func TestTheServerFollowsTheRegistry(t *testing.T) {
	onEachStore(t, func(t *testing.T, f *fixture) {
		f.registerPublic("early")
		w := f.worker(nil)
		f.run(w)
		f.named("early", "App", true)

		f.registerPublic("late")
		f.named("late", "App", true)
		f.revise("late", domain.Settings{Name: "Renamed"})
		f.named("late", "Renamed", true)
		f.revise("late", domain.Settings{Status: domain.StatusSuspended})
		f.named("late", "Renamed", false)
		f.revise("late", domain.Settings{Status: domain.StatusActive})
		f.named("late", "Renamed", true)

		require.NoError(t, f.registry.Delete(t.Context(), admin, "late", application.Options{}))
		f.named("late", "Renamed", false)
		_, err := f.registry.Restore(t.Context(), admin, "late", application.Options{})
		require.NoError(t, err)
		f.named("late", "Renamed", true)
		r, _ := f.server.get("late")
		assert.Equal(t, push.Mark{Tenant: tenant, Revision: 6}, r.mark)

		require.NoError(t, f.registry.Delete(t.Context(), admin, "late", application.Options{}))
		f.named("late", "Renamed", false)
		_, err = application.Purge(t.Context(), f.store, f.clock, domain.Actor{}, -time.Minute)
		require.NoError(t, err)
		f.eventually(func() bool { _, ok := f.server.get("late"); return !ok }, "purged")
		f.named("early", "App", true)
		f.eventually(func() bool { return w.Stats().Queue == 0 && w.Stats().Lag == 0 }, "idle")
		assert.True(t, w.Stats().Active)
		assert.Empty(t, f.state().Problems)
		assert.Empty(t, f.server.overlap)
	})
}

func TestARefusedClientHoldsUpNoOther(t *testing.T) {
	onEachStore(t, func(t *testing.T, f *fixture) {
		f.server.setFault("bad", fault{refuse: "400: no\n\x1b[31m such   scope"})
		f.registerPublic("bad")
		w := f.worker(nil)
		f.run(w)
		assert.Equal(t, "400: no [31m such scope", f.problem("bad", push.ProblemRefused).Reason)
		f.registerPublic("good")
		f.named("good", "App", true)
		f.eventually(func() bool { return w.Stats().Refused == 1 && w.Stats().Queue == 0 }, "counted")
		assert.Zero(t, w.Stats().Lag, "a refusal is not a lag")
		puts := f.server.putsOf("bad")
		f.registerPublic("another")
		f.named("another", "App", true)
		assert.Equal(t, puts, f.server.putsOf("bad"), "a refused client is not repeated")

		f.server.setFault("bad", fault{})
		f.revise("bad", domain.Settings{Name: "Better"})
		f.named("bad", "Better", true)
		f.solved("bad")
		f.eventually(func() bool { return w.Stats().Refused == 0 }, "counted")
	})
}

func TestAClientThatTheTargetDoesNotTakeIsNotPushed(t *testing.T) {
	f := newFixture(t, memory.New())
	f.registerPublic("app")
	f.once(nil)
	f.revise("app", domain.Settings{Description: "too long", Name: "New"})
	f.once(nil)
	assert.Equal(t, "too long for the server (/description)", f.problem("app", push.ProblemRefused).Reason)
	r, _ := f.server.get("app")
	assert.Equal(t, "App", r.settings.Name)
	assert.Equal(t, 1, f.server.putsOf("app"))
	assert.True(t, r.enabled, "it goes on with the configuration of before")

	// A suspension is enforced all the same.
	f.revise("app", domain.Settings{Status: domain.StatusSuspended})
	f.once(nil)
	r, _ = f.server.get("app")
	assert.False(t, r.enabled)
	f.problem("app", push.ProblemRefused)
	f.revise("app", domain.Settings{Status: domain.StatusActive, Description: "short"})
	f.once(nil)
	r, _ = f.server.get("app")
	assert.True(t, r.enabled)
	f.solved("app")
}

func TestAClientThatHangsHoldsUpNoOther(t *testing.T) {
	onEachStore(t, func(t *testing.T, f *fixture) {
		for i := range 8 { // more than are pushed at the same time
			id := domain.ClientID(fmt.Sprintf("stuck-%d", i))
			f.server.setFault(id, fault{hang: true})
			f.registerPublic(id)
		}
		w := f.worker(nil)
		f.run(w)
		f.eventually(func() bool { return len(f.state().Problems) == 8 }, "each was tried once")
		for i := range 5 {
			id := domain.ClientID(fmt.Sprintf("quick-%d", i))
			f.registerPublic(id)
			started := time.Now()
			f.named(id, "App", true)
			assert.Less(t, time.Since(started), 3*time.Second)
		}
		assert.Positive(t, w.Stats().Lag)
		assert.Equal(t, push.ProblemPending, f.problem("stuck-0", push.ProblemPending).Kind)
		for i := range 8 {
			f.server.setFault(domain.ClientID(fmt.Sprintf("stuck-%d", i)), fault{})
		}
		for i := range 8 {
			f.named(domain.ClientID(fmt.Sprintf("stuck-%d", i)), "App", true)
		}
		f.eventually(func() bool { return len(f.state().Problems) == 0 && w.Stats().Lag == 0 }, "solved")
	})
}

func TestTheCursorMovesOnlyAfterEveryChangeBeforeItWasTried(t *testing.T) {
	onEachStore(t, func(t *testing.T, f *fixture) {
		f.registerPublic("a")
		w := f.worker(func(c *push.Config) { c.Timing.Attempt = time.Second })
		f.run(w)
		f.eventually(func() bool { return f.state().Cursor != "" && !f.state().ReconciledAt.IsZero() }, "reconciled")
		before := f.state().Cursor

		f.server.setFault("stuck", fault{hang: true})
		f.registerPublic("stuck")
		f.eventually(func() bool { return w.Stats().Queue == 1 }, "it hangs")
		f.registerPublic("b")
		f.named("b", "App", true)
		assert.Equal(t, before, f.state().Cursor, "a crash now must see the change of the client that hangs again")
		f.problem("stuck", push.ProblemPending)
		f.eventually(func() bool { return f.state().Cursor != before }, "the change is stored as pending")
	})
}

func TestAWorkerContinuesWhereTheLastOneWas(t *testing.T) {
	onEachStore(t, func(t *testing.T, f *fixture) {
		stop := f.run(f.worker(nil))
		f.registerPublic("a")
		f.named("a", "App", true)
		f.eventually(func() bool { return f.state().Cursor != "" }, "saved")
		f.server.setFault("failed", fault{fail: true})
		f.registerPublic("failed")
		f.problem("failed", push.ProblemPending)
		stop()
		assert.Empty(t, f.state().Holder, "the lease is released")
		f.registerPublic("b")
		f.server.setFault("failed", fault{})

		f.run(f.worker(nil))
		f.named("b", "App", true)
		f.named("failed", "App", true)
		f.solved("failed")
	})
}

func TestACursorOfAnotherHistoryStartsFromTheBeginning(t *testing.T) {
	onEachStore(t, func(t *testing.T, f *fixture) {
		f.registerPublic("a")
		lease, err := f.store.AcquireLease(t.Context(), key, "another", time.Minute)
		require.NoError(t, err)
		require.NoError(t, f.store.SaveProgress(t.Context(), lease, push.Progress{Cursor: "s99.0123456789abcdef0123"}))
		require.NoError(t, f.store.ReleaseLease(t.Context(), lease))
		f.run(f.worker(nil))
		f.named("a", "App", true)
		f.registerPublic("b")
		f.named("b", "App", true)
	})
}

func TestAReconciliationRepairsWhatWasChangedAtTheServer(t *testing.T) {
	onEachStore(t, func(t *testing.T, f *fixture) {
		for _, id := range []domain.ClientID{"widened", "removed", "enabled", "deleted", "fine"} {
			f.registerPublic(id)
		}
		f.revise("enabled", domain.Settings{Status: domain.StatusSuspended})
		w := f.once(nil)
		assert.Zero(t, w.Stats().Drift, "a first push is no drift")
		require.NoError(t, f.registry.Delete(t.Context(), admin, "deleted", application.Options{}))
		f.once(nil)
		f.named("deleted", "App", false)

		evil := []domain.RedirectURI{"https://evil.example.com/*"}
		f.server.change("widened", func(r *record) { r.settings.RedirectURIs, r.theirs = evil, "theirs" })
		f.server.change("enabled", func(r *record) { r.enabled = true })
		f.server.change("deleted", func(r *record) { r.enabled = true })
		f.server.change("planted", func(r *record) { r.enabled, r.mark = true, push.Mark{Tenant: tenant, Revision: 1} })
		f.server.change("theirs", func(r *record) { r.enabled = true })
		f.server.change("other tenant", func(r *record) { r.enabled, r.mark = true, push.Mark{Tenant: "tenant_b", Revision: 1} })
		f.server.mu.Lock()
		delete(f.server.clients, "removed")
		f.server.mu.Unlock()

		plan, err := f.worker(nil).Plan(t.Context())
		require.NoError(t, err)
		assert.True(t, plan.Drifted())
		assert.Equal(t, 4, plan.Clients)
		steps := map[domain.ClientID]push.Step{}
		for _, d := range plan.Decisions {
			if d.Step != push.StepNone {
				steps[d.ClientID] = d.Step
			}
			if d.ClientID == "widened" {
				require.Len(t, d.Differences, 1)
				assert.Equal(t, push.Difference{
					Attribute: "redirect_uris", Held: "[https://evil.example.com/*]", Want: "[https://app.example.com/cb]",
				}, d.Differences[0])
			}
		}
		assert.Equal(t, map[domain.ClientID]push.Step{
			"widened": push.StepReplace, "removed": push.StepCreate, "enabled": push.StepReplace,
			"deleted": push.StepDisable, "planted": push.StepDisable,
		}, steps)
		r, _ := f.server.get("widened")
		assert.Equal(t, evil, r.settings.RedirectURIs, "a plan changes nothing")

		stop := f.run(f.worker(func(c *push.Config) { c.Reconcile = 10 * time.Millisecond }))
		f.named("removed", "App", true)
		f.named("enabled", "App", false)
		f.named("deleted", "App", false)
		f.eventually(func() bool { r, _ := f.server.get("planted"); return !r.enabled }, "planted")
		f.eventually(func() bool {
			r, _ := f.server.get("widened")
			return r.settings.RedirectURIs[0] == "https://app.example.com/cb"
		}, "widened")
		r, _ = f.server.get("widened")
		assert.Equal(t, "theirs", r.theirs)
		f.eventually(func() bool {
			plan, err := f.worker(nil).Plan(t.Context())
			return err == nil && !plan.Drifted()
		}, "repaired")
		for _, id := range []domain.ClientID{"theirs", "other tenant"} {
			r, _ := f.server.get(id)
			assert.True(t, r.enabled, id)
		}
		f.server.change("widened", func(r *record) { r.settings.RedirectURIs = evil })
		f.eventually(func() bool {
			r, _ := f.server.get("widened")
			return r.settings.RedirectURIs[0] == "https://app.example.com/cb"
		}, "widened again")
		stop()
	})
}

func TestDriftIsCounted(t *testing.T) {
	f := newFixture(t, memory.New())
	f.registerPublic("widened")
	f.registerPublic("removed")
	w := f.worker(func(c *push.Config) { c.Reconcile = 10 * time.Millisecond })
	f.run(w)
	f.named("removed", "App", true)
	f.eventually(func() bool { return !f.state().ReconciledAt.IsZero() && w.Stats().Queue == 0 }, "reconciled")
	f.revise("widened", domain.Settings{Name: "New"})
	f.named("widened", "New", true)
	assert.Zero(t, w.Stats().Drift)
	f.server.change("widened", func(r *record) { r.settings.Name = "Evil" })
	f.named("widened", "New", true)
	f.eventually(func() bool { return w.Stats().Drift == 1 }, "changed")
	f.server.mu.Lock()
	delete(f.server.clients, "removed")
	f.server.mu.Unlock()
	f.named("removed", "App", true)
	f.eventually(func() bool { return w.Stats().Drift == 2 }, "removed")
}

func TestAServerThatLiesIsFoundOut(t *testing.T) {
	f := newFixture(t, memory.New())
	f.registerPublic("a")
	f.server.setFault("a", fault{lie: true})
	f.run(f.worker(func(c *push.Config) { c.Reconcile = 10 * time.Millisecond }))
	f.eventually(func() bool { return f.server.putsOf("a") > 3 }, "it is pushed again and again")
	f.server.setFault("a", fault{})
	f.named("a", "App", true)
}

func TestClientsThatAreNotManagedAreLeftAlone(t *testing.T) {
	f := newFixture(t, memory.New())
	f.registerPublic("theirs")
	f.registerPublic("other")
	f.server.change("theirs", func(r *record) { r.enabled, r.settings.Name = true, "Theirs" })
	f.server.change("other", func(r *record) { r.enabled, r.mark = true, push.Mark{Tenant: "tenant_b", Revision: 1} })
	f.once(nil)
	assert.Contains(t, f.problem("theirs", push.ProblemRefused).Reason, "--adopt")
	assert.Contains(t, f.problem("other", push.ProblemRefused).Reason, "tenant_b")
	require.NoError(t, f.registry.Delete(t.Context(), admin, "theirs", application.Options{}))
	f.once(nil)
	r, _ := f.server.get("theirs")
	assert.True(t, r.enabled)
	assert.Equal(t, "Theirs", r.settings.Name)
	assert.Zero(t, f.server.putsOf("theirs"))

	_, err := f.registry.Restore(t.Context(), admin, "theirs", application.Options{})
	require.NoError(t, err)
	f.once(func(c *push.Config) { c.Adopt = true })
	f.named("theirs", "App", true)
	f.solved("theirs")
	f.problem("other", push.ProblemRefused)
}

func TestAWrongDatabaseDisablesNothing(t *testing.T) {
	f := newFixture(t, memory.New())
	for i := range 11 {
		f.server.change(domain.ClientID(strconv.Itoa(i)), func(r *record) { r.enabled, r.mark = true, push.Mark{Tenant: tenant, Revision: 1} })
	}
	w := f.worker(nil)
	require.ErrorIs(t, w.RunOnce(t.Context()), push.ErrUnknownClients)
	r, _ := f.server.get("0")
	assert.True(t, r.enabled)
	f.once(func(c *push.Config) { c.DisableUnknown = true })
	for i := range 11 {
		r, _ := f.server.get(domain.ClientID(strconv.Itoa(i)))
		assert.False(t, r.enabled)
	}
}

func TestSecrets(t *testing.T) {
	onEachStore(t, func(t *testing.T, f *fixture) {
		first := f.register("app")
		// The value is not known: the server gets a random one, which no client has.
		f.run(f.worker(nil))
		assert.Contains(t, f.problem("app", push.ProblemSecret).Reason, "unknown to the server")
		r, _ := f.server.get("app")
		assert.Equal(t, push.LockedSecret, r.mark.SecretID)
		assert.NotEmpty(t, r.secret)
		assert.NotEqual(t, first, r.secret)

		f.secrets.set("app", "wrong")
		f.eventually(func() bool { return strings.Contains(f.problem("app", push.ProblemSecret).Reason, "not valid") }, "a wrong value")
		f.secrets.set("app", first)
		f.eventually(func() bool { return f.server.accepts("app", first) }, "the value is pushed")
		f.solved("app")
		plan, err := f.worker(nil).Plan(t.Context())
		require.NoError(t, err)
		assert.False(t, plan.Drifted(), "it is pushed once")

		// A rotation with a grace period: the old secret goes on working until its end.
		grace := time.Hour
		rotated, err := f.registry.RotateSecret(t.Context(), admin, "app", &grace, application.Options{})
		require.NoError(t, err)
		assert.Contains(t, f.problem("app", push.ProblemSecret).Reason, "ends at")
		assert.True(t, f.server.accepts("app", first))
		f.secrets.set("app", rotated.Value)
		f.eventually(func() bool { return f.server.accepts("app", rotated.Value) }, "the new value")
		f.solved("app")

		// Without the new value, the old one is locked out at once.
		none := time.Duration(0)
		_, err = f.registry.RotateSecret(t.Context(), admin, "app", &none, application.Options{})
		require.NoError(t, err)
		f.eventually(func() bool { r, _ := f.server.get("app"); return r.mark.SecretID == push.LockedSecret }, "locked")
		assert.False(t, f.server.accepts("app", rotated.Value))
		assert.Contains(t, f.problem("app", push.ProblemSecret).Reason, "ended; its successor is unknown to the server")
		r, _ = f.server.get("app")
		assert.True(t, r.enabled)
	})
}

// The end of a grace period is no change of the client.
func TestTheEndOfAGracePeriodLocksTheOldSecret(t *testing.T) {
	f := newFixture(t, memory.New())
	first := f.register("app")
	f.secrets.set("app", first)
	f.run(f.worker(nil))
	f.eventually(func() bool { return f.server.accepts("app", first) }, "pushed")
	grace := 300 * time.Millisecond
	_, err := f.registry.RotateSecret(t.Context(), admin, "app", &grace, application.Options{})
	require.NoError(t, err)
	f.eventually(func() bool { r, _ := f.server.get("app"); return r.mark.Revision == 2 }, "the rotation is seen")
	f.eventually(func() bool { return !f.server.accepts("app", first) }, "the secret has ended")
	f.problem("app", push.ProblemSecret)
}

func TestEndedSecretsCanBeKept(t *testing.T) {
	f := newFixture(t, memory.New())
	first := f.register("app")
	f.secrets.set("app", first)
	keep := func(c *push.Config) { c.KeepEndedSecrets = true }
	f.once(keep)
	none := time.Duration(0)
	_, err := f.registry.RotateSecret(t.Context(), admin, "app", &none, application.Options{})
	require.NoError(t, err)
	f.once(keep)
	assert.True(t, f.server.accepts("app", first))
	assert.Contains(t, f.problem("app", push.ProblemSecret).Reason, "still works")
	f.once(nil)
	assert.False(t, f.server.accepts("app", first))
}

func TestAnEndedSecretIsLockedAlsoWhereTheServerRefusesTheClient(t *testing.T) {
	f := newFixture(t, memory.New())
	first := f.register("app")
	f.secrets.set("app", first)
	f.once(nil)
	require.True(t, f.server.accepts("app", first))
	f.revise("app", domain.Settings{Description: "too long"})
	none := time.Duration(0)
	_, err := f.registry.RotateSecret(t.Context(), admin, "app", &none, application.Options{})
	require.NoError(t, err)
	for range 2 { // the reason stays, although the second time nothing has to be disabled
		f.once(nil)
		assert.False(t, f.server.accepts("app", first))
		assert.Contains(t, f.problem("app", push.ProblemRefused).Reason, "disabled there")
	}
}

func TestASecretThatBecameUnusedIsNotUsedAgain(t *testing.T) {
	f := newFixture(t, memory.New())
	first := f.register("app")
	f.secrets.set("app", first)
	f.once(nil)
	_, err := f.registry.Revise(t.Context(), admin, "app", domain.ChangeOf(domain.Settings{
		AuthMethods: []domain.AuthMethod{domain.AuthPrivateKeyJWT}, Keys: domain.KeysAt("https://app.example.com/jwks.json"),
	}), application.Options{})
	require.NoError(t, err)
	f.once(nil)
	r, _ := f.server.get("app")
	assert.Empty(t, r.mark.SecretID)
	f.revise("app", domain.Settings{AuthMethods: []domain.AuthMethod{domain.AuthSecretBasic}})
	f.once(nil)
	assert.False(t, f.server.accepts("app", first), "the registry has revoked it")
}

func TestATakenOverClientKeepsItsSecret(t *testing.T) {
	f := newFixture(t, memory.New())
	f.register("app")
	f.server.change("app", func(r *record) { r.enabled, r.secret = true, "theirs" })
	adopt := func(c *push.Config) { c.Adopt = true }
	for range 2 {
		f.once(adopt)
		assert.True(t, f.server.accepts("app", "theirs"))
		f.solved("app")
	}
	none := time.Duration(0)
	_, err := f.registry.RotateSecret(t.Context(), admin, "app", &none, application.Options{})
	require.NoError(t, err)
	f.once(adopt)
	assert.False(t, f.server.accepts("app", "theirs"), "it follows the secret that the client had then")
}

func TestASuspendedClientGetsItsSecret(t *testing.T) {
	f := newFixture(t, memory.New())
	first := f.register("app")
	f.revise("app", domain.Settings{Status: domain.StatusSuspended})
	f.secrets.set("app", first)
	f.once(nil)
	f.solved("app")
	r, _ := f.server.get("app")
	assert.False(t, r.enabled)
	f.revise("app", domain.Settings{Status: domain.StatusActive})
	f.once(nil)
	assert.True(t, f.server.accepts("app", first))
}

// A server that asks the registry gets no secrets, and has no problem with rotations.
func TestAServerThatVerifiesSecretsGetsNone(t *testing.T) {
	f := newFixture(t, memory.New())
	f.server.traits.VerifiesSecrets = true
	f.secrets.set("app", f.register("app"))
	f.once(nil)
	r, _ := f.server.get("app")
	assert.Empty(t, r.secret)
	assert.Empty(t, f.state().Problems)
	plan, err := f.worker(nil).Plan(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[push.Rotation]int{push.RotationFollows: 1}, plan.ByRotation)
	f.server.traits.VerifiesSecrets = false
	plan, err = f.worker(nil).Plan(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[push.Rotation]int{push.RotationNeedsValue: 1}, plan.ByRotation)
}

func TestAnOutageOfTheServerEndsForAllClientsAtOnce(t *testing.T) {
	onEachStore(t, func(_ *testing.T, f *fixture) {
		w := f.worker(func(c *push.Config) { c.Timing.MinPause, c.Timing.MaxPause = time.Minute, time.Hour })
		f.run(w)
		f.eventually(func() bool { return !f.state().ReconciledAt.IsZero() }, "reconciled")
		f.server.setDown(true)
		for i := range 30 {
			f.registerPublic(domain.ClientID(fmt.Sprintf("app-%d", i)))
		}
		f.eventually(func() bool { return len(f.state().Problems) == 30 }, "all were tried")
		f.eventually(func() bool { return w.Stats().Lag > 0 }, "lag")
		f.server.setDown(false)
		f.registerPublic("after")
		for i := range 30 {
			f.named(domain.ClientID(fmt.Sprintf("app-%d", i)), "App", true)
		}
		f.eventually(func() bool { return len(f.state().Problems) == 0 }, "solved")
	})
}

// A server that was away for long is not left alone for as long again, although no other
// client changes.
func TestOneClientIsTriedRegularlyDuringAnOutage(t *testing.T) {
	f := newFixture(t, memory.New())
	f.run(f.worker(func(c *push.Config) { c.Timing.MinPause, c.Timing.MaxPause = 20*time.Millisecond, time.Hour }))
	f.eventually(func() bool { return !f.state().ReconciledAt.IsZero() }, "reconciled")
	f.server.setDown(true)
	f.registerPublic("app")
	f.eventually(func() bool { return f.server.called() > 100 }, "tried again and again")
	f.server.setDown(false)
	f.named("app", "App", true)
}

// deadLedger is the ledger of a process that has lost the connection to the database, or
// is killed.
type deadLedger struct {
	push.Ledger

	mu   sync.Mutex
	dead bool
}

func (l *deadLedger) kill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
}

func (l *deadLedger) isDead() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dead
}

func (l *deadLedger) AcquireLease(ctx context.Context, of push.Key, holder string, ttl time.Duration) (push.Lease, error) {
	if l.isDead() {
		return push.Lease{}, application.ErrUnavailable
	}
	return l.Ledger.AcquireLease(ctx, of, holder, ttl)
}

func (l *deadLedger) ReleaseLease(ctx context.Context, lease push.Lease) error {
	if l.isDead() {
		return application.ErrUnavailable
	}
	return l.Ledger.ReleaseLease(ctx, lease)
}

func (l *deadLedger) SaveProgress(ctx context.Context, lease push.Lease, p push.Progress) error {
	if l.isDead() {
		return application.ErrUnavailable
	}
	return l.Ledger.SaveProgress(ctx, lease, p)
}

func TestOneOfSeveralWorkersPushes(t *testing.T) {
	onEachStore(t, func(t *testing.T, f *fixture) {
		ledger := &deadLedger{Ledger: f.store}
		first := f.worker(func(c *push.Config) { c.Ledger = ledger })
		second := f.worker(nil)
		f.run(first)
		f.eventually(func() bool { return first.Stats().Active }, "the first has the lease")
		f.run(second)
		f.registerPublic("a")
		f.named("a", "App", true)
		assert.False(t, second.Stats().Active)
		assert.Equal(t, "worker 1", f.state().Holder)
		require.ErrorIs(t, f.worker(nil).RunOnce(t.Context()), push.ErrLeaseHeld)

		killed := time.Now()
		ledger.kill()
		f.registerPublic("b")
		f.eventually(func() bool { return second.Stats().Active }, "the second takes over")
		assert.False(t, first.Stats().Active, "the first stopped before")
		assert.Less(t, time.Since(killed), 5*time.Second)
		f.named("b", "App", true)
		f.eventually(func() bool { return f.state().Holder == "worker 2" }, "stored")
	})
}

func TestAWorkerWithoutTheLeaseDoesNotPush(t *testing.T) {
	onEachStore(t, func(t *testing.T, f *fixture) {
		w := f.worker(nil)
		f.run(w)
		f.eventually(func() bool { return !f.state().ReconciledAt.IsZero() }, "reconciled")
		require.NoError(t, f.store.ReleaseLease(t.Context(), push.Lease{Key: key, Holder: "worker 1", Fence: 1}))
		_, err := f.store.AcquireLease(t.Context(), key, "another", time.Minute)
		require.NoError(t, err)
		f.eventually(func() bool { return !w.Stats().Active }, "it notices although it has nothing to store")
		f.registerPublic("a")
		assert.Equal(t, "another", f.state().Holder)
		_, held := f.server.get("a")
		assert.False(t, held)
	})
}

func TestAProblemThatIsOverIsForgotten(t *testing.T) {
	f := newFixture(t, memory.New())
	lease, err := f.store.AcquireLease(t.Context(), key, "another", time.Minute)
	require.NoError(t, err)
	require.NoError(t, f.store.SaveProgress(t.Context(), lease, push.Progress{
		Problems: []push.Problem{{ClientID: "ghost", Kind: push.ProblemRefused, Reason: "no"}},
	}))
	require.NoError(t, f.store.ReleaseLease(t.Context(), lease))
	f.once(nil)
	assert.Empty(t, f.state().Problems)
}

// Whatever happens to the workers and to the server: when the server works again, it holds
// what the registry has.
func TestNoChangeIsLost(t *testing.T) {
	onEachStore(t, func(t *testing.T, f *fixture) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		ids := make([]domain.ClientID, 12)
		for i := range ids {
			ids[i] = domain.ClientID(fmt.Sprintf("app-%02d", i))
			f.registerPublic(ids[i])
		}
		faults := []fault{{}, {}, {fail: true}, {refuse: "no"}, {hang: true}, {lie: true}}
		var kill func()
		for round := range 60 {
			if round%10 == 0 { // the worker is killed without saving anything, and another one starts
				if kill != nil {
					kill()
				}
				ledger := &deadLedger{Ledger: f.store}
				stop := f.run(f.worker(func(c *push.Config) {
					c.Ledger, c.Reconcile, c.Timing.Attempt, c.Timing.Lease = ledger, 50*time.Millisecond, 30*time.Millisecond, 200*time.Millisecond
				}))
				kill = func() { ledger.kill(); stop() }
			}
			id := ids[random.IntN(len(ids))]
			f.server.setFault(ids[random.IntN(len(ids))], faults[random.IntN(len(faults))])
			f.server.setDown(random.IntN(10) == 0)
			switch _, err := f.registry.Find(t.Context(), admin, id); {
			case err != nil:
				_, err = f.registry.Restore(t.Context(), admin, id, application.Options{})
				require.NoError(t, err)
			case random.IntN(4) == 0:
				require.NoError(t, f.registry.Delete(t.Context(), admin, id, application.Options{}))
			case random.IntN(3) == 0:
				status := []domain.Status{domain.StatusActive, domain.StatusSuspended}[random.IntN(2)]
				f.revise(id, domain.Settings{Status: status})
			default:
				f.revise(id, domain.Settings{Name: fmt.Sprintf("Round %d", round)})
			}
			calls := f.server.called() + random.IntN(6)
			f.eventually(func() bool { return f.server.called() >= calls }, "the worker works")
		}
		f.server.setDown(false)
		for _, id := range ids {
			f.server.setFault(id, fault{})
		}
		f.eventually(func() bool {
			plan, err := f.worker(nil).Plan(t.Context())
			return err == nil && !plan.Drifted()
		}, "seed %d", seed)
		f.eventually(func() bool { return len(f.state().Problems) == 0 }, "seed %d", seed)
		kill()
	})
}
