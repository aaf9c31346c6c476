package application_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/jwks"
	"github.com/clientele-oauth/clientele/adapters/statements"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// policies are the policies of an operator's file.
type policies map[domain.TenantID]application.TenantRegistration

func (p policies) Registration(tenant domain.TenantID) application.TenantRegistration {
	return p[tenant]
}

func (p policies) Tenants() (tenants []domain.TenantID) {
	for tenant := range p {
		tenants = append(tenants, tenant)
	}
	return tenants
}

// registrationPorts returns the ports for registrations from outside over the store of the
// registry.
func registrationPorts(
	t *testing.T, r *registry, policies application.RegistrationPolicies, resolver *jwks.Resolver,
) application.RegistrationConfig {
	t.Helper()
	over := r.Store
	if yielding, ok := over.(yieldingStore); ok {
		over = yielding.Store
	}
	store, ok := over.(application.RegistrationStore)
	require.True(t, ok, "the store keeps registrations")
	verifier, err := statements.New(statements.Options{Keys: resolver})
	require.NoError(t, err)
	return application.RegistrationConfig{Store: store, Policies: policies, Statements: verifier, Documents: resolver}
}

// allowRegistration switches registration on for the tenant of [admin].
func allowRegistration(t *testing.T, r *registry, policy domain.RegistrationPolicy) {
	t.Helper()
	r.with(func(c *application.Config) {
		c.Registrations = registrationPorts(t, r,
			policies{"tenant_a": {Enabled: true, Policy: policy.WithDefaults()}}, jwks.NewResolver(jwks.Options{}))
		c.Registrations.PublicURL = "https://clientele.example.com"
	})
}

// onEachStoreRegistering is onEachStore with registration switched on.
func onEachStoreRegistering(t *testing.T, policy domain.RegistrationPolicy, test func(t *testing.T, r *registry)) {
	t.Helper()
	onEachStore(t, func(t *testing.T, r *registry) {
		allowRegistration(t, r, policy)
		test(t, r)
	})
}

// initialToken returns the value of a new initial access token.
func initialToken(t *testing.T, r *registry, token domain.InitialTokenProperties) application.IssuedInitialToken {
	t.Helper()
	issued, err := r.CreateInitialToken(t.Context(), admin, token, application.Options{})
	require.NoError(t, err)
	return issued
}

// metadata are the metadata of a client that registers itself.
func metadata(name string, methods ...domain.AuthMethod) domain.Change {
	return domain.ChangeOf(domain.Settings{
		Name: name, RedirectURIs: []domain.RedirectURI{"https://app.example.com/cb"}, AuthMethods: methods,
	})
}

func request(token string, change domain.Change) application.SelfRequest {
	return application.SelfRequest{Tenant: "tenant_a", Token: token, Metadata: change}
}

// selfRegister registers a client with a new initial access token.
func selfRegister(t *testing.T, r *registry, change domain.Change) application.SelfRegistered {
	t.Helper()
	token := initialToken(t, r, domain.InitialTokenProperties{})
	registered, err := r.RegisterSelf(t.Context(), request(token.Value, change))
	require.NoError(t, err)
	return registered
}

func idOf(registered application.SelfRegistered) domain.ClientID {
	return registered.Client.Identity().ClientID
}

// update returns an update of the registration.
func update(registered application.SelfRegistered, change domain.Change) application.SelfRequest {
	r := request(registered.Token, change)
	r.ClientID = idOf(registered)
	return r
}

func TestAClientRegistersReadsUpdatesAndDeletesItself(t *testing.T) {
	onEachStoreRegistering(t, domain.RegistrationPolicy{}, func(t *testing.T, r *registry) {
		token := initialToken(t, r, domain.InitialTokenProperties{Description: "portal"})
		registered, err := r.RegisterSelf(t.Context(), request(token.Value, metadata("App")))
		require.NoError(t, err)
		id := idOf(registered)
		assert.NotEmpty(t, registered.Secret)
		assert.NotEmpty(t, registered.Token)

		found, err := r.FindSelf(t.Context(), "tenant_a", id, registered.Token)
		require.NoError(t, err)
		assert.Equal(t, registered.Client.State(), found.Client.State())
		assert.Equal(t, registered.Token, found.Token, "the presented token, because only its hash is kept")
		assert.Empty(t, found.Secret)

		revised, err := r.ReviseSelf(t.Context(), id, update(registered, metadata("Renamed")))
		require.NoError(t, err)
		assert.Equal(t, "Renamed", revised.Client.Settings().Name)
		assert.Equal(t, registered.Token, revised.Token, "the token is not rotated")
		assert.Empty(t, revised.Secret)

		log, _, err := r.History(t.Context(), admin, id, 0, 100)
		require.NoError(t, err)
		require.Len(t, log, 2)
		assert.Equal(t, domain.Actor{
			Subject: "registration", ClientID: id, Via: domain.ViaRegistrationToken, TokenID: token.ID, IssuedBy: "alice",
		}, log[0].Actor)
		assert.Equal(t, domain.ViaInitialToken, log[1].Actor.Via)

		require.NoError(t, r.DeleteSelf(t.Context(), "tenant_a", id, registered.Token, application.Options{}))
		_, err = r.FindSelf(t.Context(), "tenant_a", id, registered.Token)
		require.ErrorIs(t, err, application.ErrInvalidToken)
		_, err = r.Restore(t.Context(), admin, id, application.Options{})
		require.NoError(t, err)
		_, err = r.FindSelf(t.Context(), "tenant_a", id, registered.Token)
		require.ErrorIs(t, err, application.ErrInvalidToken, "restoring does not revive the token")
	})
}

func TestWhoIsNotLetIn(t *testing.T) {
	onEachStoreRegistering(t, domain.RegistrationPolicy{}, func(t *testing.T, r *registry) {
		one, other := selfRegister(t, r, metadata("One")), selfRegister(t, r, metadata("Other"))
		used := initialToken(t, r, domain.InitialTokenProperties{})
		_, err := r.RegisterSelf(t.Context(), request(used.Value, metadata("Used")))
		require.NoError(t, err)
		revoked := initialToken(t, r, domain.InitialTokenProperties{})
		require.NoError(t, r.RevokeInitialToken(t.Context(), admin, revoked.ID, false, application.Options{}))
		brief := initialToken(t, r, domain.InitialTokenProperties{ExpiresIn: time.Second})
		advance(r, 2*time.Second)

		for name, token := range map[string]string{
			"a used token": used.Value, "a revoked token": revoked.Value, "an expired token": brief.Value, "garbage": "clientele_iat_x",
			"a registration access token": one.Token, "no token": "",
		} {
			_, err := r.RegisterSelf(t.Context(), request(token, metadata("Again")))
			require.ErrorIs(t, err, application.ErrInvalidToken, name)
		}
		for name, token := range map[string]string{
			"the token of another client": other.Token, "an initial access token": brief.Value, "garbage": "x", "no token": "",
		} {
			_, err := r.FindSelf(t.Context(), "tenant_a", idOf(one), token)
			require.ErrorIs(t, err, application.ErrInvalidToken, name)
		}
		_, err = r.FindSelf(t.Context(), "tenant_a", "unknown", one.Token)
		require.ErrorIs(t, err, application.ErrInvalidToken)
		_, err = r.FindSelf(t.Context(), "tenant_b", idOf(one), one.Token)
		require.ErrorIs(t, err, application.ErrRegistrationOff, "another tenant")

		_, err = r.Revise(t.Context(), admin, idOf(one), domain.ChangeOf(domain.Settings{Status: domain.StatusSuspended}), application.Options{})
		require.NoError(t, err)
		_, err = r.FindSelf(t.Context(), "tenant_a", idOf(one), one.Token)
		require.ErrorIs(t, err, application.ErrManagementDenied)
		require.NotErrorIs(t, err, application.ErrInvalidToken)
	})
}

func TestConcurrentUsesOfATokenMakeAsManyClientsAsItAllows(t *testing.T) {
	onEachStoreRegistering(t, domain.RegistrationPolicy{}, func(t *testing.T, r *registry) {
		token := initialToken(t, r, domain.InitialTokenProperties{MaxUses: 5})
		var group sync.WaitGroup
		errs := make([]error, 32)
		for i := range errs {
			group.Go(func() { _, errs[i] = r.RegisterSelf(t.Context(), request(token.Value, metadata("App"))) })
		}
		group.Wait()
		succeeded := 0
		for _, err := range errs {
			if err == nil {
				succeeded++
			} else {
				require.ErrorIs(t, err, application.ErrTokenEnded)
			}
		}
		assert.Equal(t, 5, succeeded)
		page, err := r.List(t.Context(), admin, application.Query{Limit: 100, Count: true})
		require.NoError(t, err)
		assert.Equal(t, 5, page.Total)
	})
}

// interruptedStore commits, and then reports that it could not be reached, as if the process
// had been killed before it could respond.
type interruptedStore struct {
	application.RegistrationStore
	interrupt bool
}

func (s *interruptedStore) CommitRegistration(
	ctx context.Context, r domain.Revision, claim application.RegistrationClaim, record *application.IdempotencyRecord,
) error {
	err := s.RegistrationStore.CommitRegistration(ctx, r, claim, record)
	if s.interrupt && err == nil {
		err = application.ErrUnavailable
	}
	return err
}

func TestARepeatedRegistrationTakesNoSecondUse(t *testing.T) {
	onEachStoreRegistering(t, domain.RegistrationPolicy{}, func(t *testing.T, r *registry) {
		store := &interruptedStore{RegistrationStore: r.Registrations.Store, interrupt: true}
		r.with(func(c *application.Config) { c.Registrations.Store = store })
		token := initialToken(t, r, domain.InitialTokenProperties{})
		again := request(token.Value, metadata("App"))
		again.Options = idempotent("k", 1)
		_, err := r.RegisterSelf(t.Context(), again)
		if err != nil { // unless the store found the record at once
			require.ErrorIs(t, err, application.ErrUnavailable)
		}
		store.interrupt = false
		repeated, err := r.RegisterSelf(t.Context(), again)
		require.NoError(t, err)
		assert.True(t, repeated.Repeated)
		assert.Empty(t, repeated.Secret)
		assert.Empty(t, repeated.Token)
		kept, err := store.FindInitialToken(t.Context(), "tenant_a", token.ID)
		require.NoError(t, err)
		assert.Equal(t, 1, kept.Uses)
		page, err := r.List(t.Context(), admin, application.Query{Limit: 10, Count: true})
		require.NoError(t, err)
		assert.Equal(t, 1, page.Total)

		other := again
		other.Options = idempotent("other", 2)
		_, err = r.RegisterSelf(t.Context(), other)
		require.ErrorIs(t, err, application.ErrTokenEnded)
	})
}

func TestRejectedRegistrationsAndDryRunsTakeNoUse(t *testing.T) {
	onEachStoreRegistering(t, domain.RegistrationPolicy{}, func(t *testing.T, r *registry) {
		token := initialToken(t, r, domain.InitialTokenProperties{})
		dry := request(token.Value, metadata("App"))
		dry.Options.DryRun = true
		would, err := r.RegisterSelf(t.Context(), dry)
		require.NoError(t, err)
		assert.Empty(t, would.Secret)
		assert.Empty(t, would.Token)
		assert.Empty(t, idOf(would))
		_, err = r.RegisterSelf(t.Context(), request(token.Value,
			domain.ChangeOf(domain.Settings{RedirectURIs: []domain.RedirectURI{"javascript:alert(1)"}})))
		var invalid *application.InvalidError
		require.ErrorAs(t, err, &invalid)
		_, err = r.RegisterSelf(t.Context(), request(token.Value, metadata("App")))
		require.NoError(t, err)
	})
}

func TestAnUpdateAndAnAdministratorBothSurvive(t *testing.T) {
	onEachStoreRegistering(t, domain.RegistrationPolicy{}, func(t *testing.T, r *registry) {
		registered := selfRegister(t, r, metadata("App"))
		id := idOf(registered)
		_, err := r.Revise(t.Context(), admin, id, domain.ChangeOf(domain.Settings{Name: "Chosen", Owner: "payments"}), application.Options{})
		require.NoError(t, err)

		revised, err := r.ReviseSelf(t.Context(), id, update(registered, metadata("Mine")))
		require.NoError(t, err)
		assert.Equal(t, "Chosen", revised.Client.Settings().Name, "the administrator changed it")
		assert.Equal(t, "payments", revised.Client.Settings().Owner)
		assert.True(t, revised.Client.Registration().Locks.Has(domain.FieldName))

		require.NoError(t, r.DeleteLocks(t.Context(), admin, id, application.Options{}))
		revised, err = r.ReviseSelf(t.Context(), id, update(registered, metadata("Mine")))
		require.NoError(t, err)
		assert.Equal(t, "Mine", revised.Client.Settings().Name)

		same, err := r.ReviseSelf(t.Context(), id, update(registered, metadata("Mine")))
		require.NoError(t, err)
		assert.Equal(t, revised.Client.Revision(), same.Client.Revision(), "an update without effect makes no revision")

		behind := update(registered, metadata("Late"))
		behind.Options.IfMatch = []domain.RevisionNumber{1}
		_, err = r.ReviseSelf(t.Context(), id, behind)
		require.ErrorIs(t, err, application.ErrPreconditionFailed)
	})
}

func TestAnUpdateRepeatsItsIdentifierAndSecret(t *testing.T) {
	onEachStoreRegistering(t, domain.RegistrationPolicy{}, func(t *testing.T, r *registry) {
		registered := selfRegister(t, r, metadata("App"))
		pointers := func(change func(*application.SelfRequest)) (pointers []string) {
			request := update(registered, metadata("Renamed"))
			change(&request)
			_, err := r.ReviseSelf(t.Context(), idOf(registered), request)
			invalid, _ := errors.AsType[*application.InvalidError](err)
			if invalid != nil {
				for _, v := range invalid.Findings.Violations() {
					pointers = append(pointers, v.Pointer)
				}
			}
			return pointers
		}
		wrong := "wrong"
		assert.Equal(t, []string{"/client_id"}, pointers(func(r *application.SelfRequest) { r.ClientID = "other" }))
		assert.Equal(t, []string{"/client_id"}, pointers(func(r *application.SelfRequest) { r.ClientID = "" }))
		assert.Equal(t, []string{"/client_secret"}, pointers(func(r *application.SelfRequest) { r.Secret = &wrong }))
		assert.Empty(t, pointers(func(r *application.SelfRequest) { r.Secret = &registered.Secret }))
	})
}

func TestAnUpdateRenewsAnExpiredSecret(t *testing.T) {
	onEachStoreRegistering(t, domain.RegistrationPolicy{SecretTTL: time.Hour}, func(t *testing.T, r *registry) {
		registered := selfRegister(t, r, metadata("App"))
		assert.Equal(t, now.Add(time.Hour), registered.SecretExpires)
		advance(r, 2*time.Hour)
		renewed, err := r.ReviseSelf(t.Context(), idOf(registered), update(registered, metadata("App")))
		require.NoError(t, err)
		assert.NotEmpty(t, renewed.Secret)
		assert.Equal(t, now.Add(3*time.Hour), renewed.SecretExpires)
		verified, err := r.VerifySecret(t.Context(), admin, idOf(registered), renewed.Secret)
		require.NoError(t, err)
		assert.True(t, verified.Valid)

		public, err := r.ReviseSelf(t.Context(), idOf(registered), update(registered, metadata("App", domain.AuthNone)))
		require.NoError(t, err)
		assert.Empty(t, public.Client.Secrets(), "leaving the secret methods revokes the secrets")
	})
}

func TestARotatedTokenLivesUntilTheNewOneIsUsed(t *testing.T) {
	onEachStoreRegistering(t, domain.RegistrationPolicy{RotateOnUpdate: true}, func(t *testing.T, r *registry) {
		registered := selfRegister(t, r, metadata("App"))
		id := idOf(registered)
		first, err := r.ReviseSelf(t.Context(), id, update(registered, metadata("Two")))
		require.NoError(t, err)
		require.NotEqual(t, registered.Token, first.Token)
		require.NoError(t, r.MayManage(t.Context(), "tenant_a", id, first.Token))
		_, err = r.FindSelf(t.Context(), "tenant_a", id, registered.Token)
		require.NoError(t, err, "the new one was not used yet")
		_, err = r.FindSelf(t.Context(), "tenant_a", id, first.Token)
		require.NoError(t, err)
		_, err = r.FindSelf(t.Context(), "tenant_a", id, registered.Token)
		require.ErrorIs(t, err, application.ErrInvalidToken, "the new one was used")

		again, err := r.ReviseSelf(t.Context(), id, update(first, metadata("Four")))
		require.NoError(t, err)
		advance(r, 10*time.Minute+time.Second)
		_, err = r.FindSelf(t.Context(), "tenant_a", id, first.Token)
		require.ErrorIs(t, err, application.ErrInvalidToken, "after ten minutes")
		_, err = r.FindSelf(t.Context(), "tenant_a", id, again.Token)
		require.NoError(t, err)
	})
}

// A client whose responses are lost repeats its update with the token that it has.
func TestNoNumberOfLostResponsesLocksAClientOut(t *testing.T) {
	for name, names := range map[string][]string{"the same update": {"Two", "Two", "Two"}, "other updates": {"Two", "Three", "Four"}} {
		t.Run(name, func(t *testing.T) {
			onEachStoreRegistering(t, domain.RegistrationPolicy{RotateOnUpdate: true}, func(t *testing.T, r *registry) {
				registered := selfRegister(t, r, metadata("App"))
				id := idOf(registered)
				var last application.SelfRegistered
				for _, name := range names {
					var err error
					last, err = r.ReviseSelf(t.Context(), id, update(registered, metadata(name)))
					require.NoError(t, err)
					advance(r, 6*time.Minute)
				}
				advance(r, time.Hour)
				_, err := r.FindSelf(t.Context(), "tenant_a", id, last.Token)
				require.NoError(t, err, "the token of the only response that arrived")
			})
		})
	}
}

func TestATokenForAClientMadeByHand(t *testing.T) {
	onEachStoreRegistering(t, domain.RegistrationPolicy{}, func(t *testing.T, r *registry) {
		id := register(t, r)
		issued, err := r.IssueRegistrationToken(t.Context(), admin, id, application.Options{})
		require.NoError(t, err)
		_, err = r.FindSelf(t.Context(), "tenant_a", id, issued.Token)
		require.NoError(t, err)
		replaced, err := r.IssueRegistrationToken(t.Context(), admin, id, application.Options{})
		require.NoError(t, err)
		_, err = r.FindSelf(t.Context(), "tenant_a", id, issued.Token)
		require.ErrorIs(t, err, application.ErrInvalidToken)
		_, err = r.FindSelf(t.Context(), "tenant_a", id, replaced.Token)
		require.NoError(t, err)
		require.NoError(t, r.RevokeRegistrationToken(t.Context(), admin, id, application.Options{}))
		_, err = r.FindSelf(t.Context(), "tenant_a", id, replaced.Token)
		require.ErrorIs(t, err, application.ErrInvalidToken)
		require.ErrorIs(t, r.RevokeRegistrationToken(t.Context(), admin, id, application.Options{}), domain.ErrNoRegistrationToken)

		log, _, err := r.History(t.Context(), admin, id, 0, 100)
		require.NoError(t, err)
		var actions []domain.Action
		for _, revision := range log {
			actions = append(actions, revision.Action)
		}
		assert.Equal(t, []domain.Action{
			domain.ActionRevokeRegistrationToken, domain.ActionRotateRegistrationToken, domain.ActionIssueRegistrationToken, domain.ActionCreate,
		}, actions)
	})
}

func TestRevokingATokenCanSuspendItsClients(t *testing.T) {
	onEachStoreRegistering(t, domain.RegistrationPolicy{}, func(t *testing.T, r *registry) {
		token := initialToken(t, r, domain.InitialTokenProperties{MaxUses: 3})
		var ids []domain.ClientID
		for range 2 {
			registered, err := r.RegisterSelf(t.Context(), request(token.Value, metadata("App")))
			require.NoError(t, err)
			ids = append(ids, idOf(registered))
		}
		bystander := idOf(selfRegister(t, r, metadata("Other")))
		require.NoError(t, r.RevokeInitialToken(t.Context(), admin, token.ID, true, application.Options{}))
		for _, id := range ids {
			found, err := r.Find(t.Context(), admin, id)
			require.NoError(t, err)
			assert.Equal(t, domain.StatusSuspended, found.Settings().Status)
		}
		found, err := r.Find(t.Context(), admin, bystander)
		require.NoError(t, err)
		assert.Equal(t, domain.StatusActive, found.Settings().Status)
		require.ErrorIs(t, r.RevokeInitialToken(t.Context(), admin, "iat_unknown", false, application.Options{}), application.ErrNoSuchToken)
	})
}

func TestOnlyAdministratorsDelegate(t *testing.T) {
	r := newRegistry(t)
	allowRegistration(t, r, domain.RegistrationPolicy{})
	writer := admin
	writer.Administrator = false
	_, err := r.CreateInitialToken(t.Context(), writer, domain.InitialTokenProperties{}, application.Options{})
	require.ErrorIs(t, err, application.ErrForbidden)
	_, err = r.IssueRegistrationToken(t.Context(), writer, "x", application.Options{})
	require.ErrorIs(t, err, application.ErrForbidden)
	require.ErrorIs(t, r.DeleteLocks(t.Context(), writer, "x", application.Options{}), application.ErrForbidden)
}

func TestBoundsOfInitialTokens(t *testing.T) {
	r := newRegistry(t)
	allowRegistration(t, r, domain.RegistrationPolicy{Scopes: []domain.Scope{"openid"}})
	for pointer, token := range map[string]domain.InitialTokenProperties{
		"/expires_in":    {ExpiresIn: domain.MaxInitialTokenLifetime + time.Second},
		"/max_uses":      {MaxUses: domain.MaxInitialTokenUses + 1},
		"/description":   {Description: "a\x00b"},
		"/policy/scopes": {Policy: domain.RegistrationPolicy{Scopes: []domain.Scope{"openid", "admin"}}},
	} {
		_, err := r.CreateInitialToken(t.Context(), admin, token, application.Options{})
		var invalid *application.InvalidError
		require.ErrorAs(t, err, &invalid, pointer)
		assert.Equal(t, pointer, invalid.Findings[0].Pointer)
	}
	first, err := r.CreateInitialToken(t.Context(), admin, domain.InitialTokenProperties{}, idempotent("k", 1))
	require.NoError(t, err)
	again, err := r.CreateInitialToken(t.Context(), admin, domain.InitialTokenProperties{}, idempotent("k", 1))
	require.NoError(t, err)
	assert.True(t, again.Repeated)
	assert.Equal(t, first.ID, again.ID)
	assert.Empty(t, again.Value)
}

func TestUnusedClientsAreDeletedAndUsedOnesStay(t *testing.T) {
	onEachStoreRegistering(t, domain.RegistrationPolicy{UnusedTTL: 24 * time.Hour}, func(t *testing.T, r *registry) {
		used, unused, byHand := selfRegister(t, r, metadata("Used")), selfRegister(t, r, metadata("Unused")), register(t, r)
		require.NoError(t, r.NoteSeen(t.Context(), admin, idOf(used)))
		require.ErrorIs(t, r.NoteSeen(t.Context(), admin, "unknown"), application.ErrNotFound)
		deleted, err := r.DeleteUnused(t.Context(), domain.Actor{Subject: "service"})
		require.NoError(t, err)
		assert.Zero(t, deleted)
		advance(r, 25*time.Hour)
		deleted, err = r.DeleteUnused(t.Context(), domain.Actor{Subject: "service"})
		require.NoError(t, err)
		assert.Equal(t, 1, deleted)
		_, err = r.Find(t.Context(), admin, idOf(unused))
		require.ErrorIs(t, err, application.ErrNotFound)
		for _, id := range []domain.ClientID{idOf(used), byHand} {
			_, err = r.Find(t.Context(), admin, id)
			require.NoError(t, err)
		}
	})
}

func TestClientsBeyondTheLimitAreRejected(t *testing.T) {
	onEachStoreRegistering(t, domain.RegistrationPolicy{MaxClients: 1}, func(t *testing.T, r *registry) {
		first := selfRegister(t, r, metadata("One"))
		token := initialToken(t, r, domain.InitialTokenProperties{})
		_, err := r.RegisterSelf(t.Context(), request(token.Value, metadata("Two")))
		var tooMany *application.TooManyRegisteredError
		require.ErrorAs(t, err, &tooMany)
		assert.True(t, tooMany.Unseen)
		require.NoError(t, r.NoteSeen(t.Context(), admin, idOf(first)))
		_, err = r.RegisterSelf(t.Context(), request(token.Value, metadata("Two")))
		require.ErrorAs(t, err, &tooMany)
		assert.False(t, tooMany.Unseen)
		require.NoError(t, r.Delete(t.Context(), admin, idOf(first), application.Options{}))
		_, err = r.RegisterSelf(t.Context(), request(token.Value, metadata("Two")))
		require.NoError(t, err, "a deleted client frees its place, and rejections took no use")
	})
}
