package storetest

import (
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Registrations is a store that also keeps registrations from outside.
type Registrations interface {
	application.Store
	application.RegistrationStore
}

// RunRegistrations runs the part of the suite about registrations from outside. Each subtest
// calls open for an empty store, which open must close when the test ends.
func RunRegistrations(t *testing.T, open func(t *testing.T) Registrations) {
	t.Helper()
	tests := []struct {
		name string
		test func(*testing.T, Registrations)
	}{
		{"every read of a client returns its whole registration", registrationIsRead},
		{"the log and the feed contain no registration", registrationIsNotLogged},
		{"each commit stores the registration that the client has", registrationFollowsClient},
		{"a registration that could not be read again is not stored", unstorableRegistration},
		{"AdoptRegistration stores the registration of a revision and nothing else", adoptRegistration},
		{"List filters by the way of the registration and the initial access token", registrationFilters},
		{"the history and the feed contain how a change was authorized", actorDetails},
		{"the first revision may have any action", firstAction},

		{"CommitRegistration stores the client and takes what it claims, both or neither", claimIsTaken},
		{"CommitRegistration stores the idempotency record with the client", registrationOnce},
		{"a tenant has at most as many clients as the claim allows", tenantLimit},
		{"an initial access token has at most as many clients as the claim allows", tokenLimit},
		{"a full tenant reports whether clients were never seen", limitReportsUnseen},
		{"concurrent registrations take each place once", concurrentPlaces},
		{"registrations during deletions take each place once", placesDuringDeletions},

		{"an initial access token is found as it was created", initialTokenIsFound},
		{"InitialTokens returns pages in the order of the ids", initialTokensArePaged},
		{"CreateInitialToken stores the idempotency record with the token", initialTokenOnce},
		{"RevokeInitialToken keeps the first time", initialTokenIsRevoked},
		{"a token that was used up, revoked or has expired makes no client", endedTokens},
		{"tokens that ended long ago are deleted when another one is created", endedTokensAreDeleted},
		{"concurrent uses of a token make as many clients as it has uses", concurrentTokenUses},
		{"deleting a client does not give back the use of its token", usesSurviveDeletion},
		{"RegisteredWith returns the clients of a token in pages", registeredWith},

		{"a statement is used once until it expires", statementIsUsedOnce},
		{"one of several concurrent uses of a statement succeeds", concurrentStatementUses},
		{"a unique software has one client that is not deleted", uniqueSoftware},
		{"one of several concurrent registrations of a unique software succeeds", concurrentSoftware},
		{"a client of a unique software is restored unless another one has it", restoredSoftware},
		{"one of several concurrent restorations and registrations of a unique software succeeds", concurrentRestorations},
		{"DeleteStatementUses deletes expired records in batches", expiredStatements},

		{"SeenTimes returns the first and the last report", seenTimes},
		{"reports of unknown and deleted clients are rejected", seenUnknown},
		{"concurrent reports of the same clients succeed", concurrentReports},
		{"Unseen returns the clients that were never seen, the oldest first", unseen},
		{"CommitUnseen changes nothing for a client that was seen", commitUnseen},
		{"a deletion with CommitUnseen and a concurrent report exclude each other", deletionDuringReports},
		{"CountRegistered follows every change of a client", countRegistered},
		{"a call with an ended context returns ErrUnavailable", endedContextOfRegistrations},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

// filled returns a registration with a different value in every field, also in those that are
// added later.
func filled(t *testing.T) *domain.Registration {
	t.Helper()
	r := &domain.Registration{}
	n := 0
	fill(t, reflect.ValueOf(r).Elem(), &n)
	r.Via = domain.ViaInitialToken
	return r
}

// fill sets every exported field of v; n counts the values.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(now.Add(time.Duration(*n) * time.Second)))
		return
	case domain.Change:
		v.Set(reflect.ValueOf(fullChange(*n)))
		return
	case domain.FieldSet:
		v.Set(reflect.ValueOf(domain.FieldsOf(domain.FieldName, domain.FieldScopes, domain.LastField)))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
		if v.Type() == reflect.TypeFor[time.Duration]() {
			v.SetInt(int64(*n) * int64(time.Second))
		}
	case reflect.Uint8:
		v.SetUint(uint64(*n) % 256) //nolint:gosec // positive
	case reflect.String:
		v.SetString(fmt.Sprintf("Größe %d \"\\\x01😀", *n))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(t, v.Index(0), n)
		fill(t, v.Index(1), n)
	case reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i), n)
		}
	case reflect.Map:
		name, value := reflect.ValueOf(fmt.Sprint("name ", *n)), reflect.New(v.Type().Elem()).Elem()
		fill(t, value, n)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(name, value)
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(t, field, n)
		}
	default:
		require.Fail(t, "a field has a kind that this test does not support", v.Kind())
	}
}

// fullChange returns a change that sets every field but one, which it clears.
func fullChange(n int) (c domain.Change) {
	for f := range domain.Fields() {
		text := fmt.Sprintf("%s %d", f, n)
		switch v := c.Set(f).(type) {
		case *domain.Text:
			*v = domain.Text(text)
		case *domain.Flag:
			*v = true
		case domain.Texts:
			v.SetTexts([]string{text, "b"})
		case domain.Integer:
			v.SetInt(int64(n))
		case *domain.Map:
			*v = domain.Map{text: "value"}
		}
	}
	c = c.Without(domain.FieldScopes)
	c.Set(domain.FieldScopes)
	return c
}

// with returns the client with a registration.
func with(c domain.Client, r *domain.Registration) domain.Client {
	state := c.State()
	state.Registration = r
	return domain.Restore(state)
}

// next returns the next revision of the client, with a registration. It does not commit it.
func next(c domain.Client, r *domain.Registration) domain.Client {
	state := c.State()
	state.Revision, state.UpdatedAt, state.Registration = state.Revision+1, now.Add(time.Minute), r
	return domain.Restore(state)
}

// selfRegistered returns a new client that registered itself with the initial access token, or
// without one if it is empty. It does not commit it.
func selfRegistered(t *testing.T, of domain.TenantID, id domain.ClientID, token string) domain.Client {
	t.Helper()
	r := &domain.Registration{Via: domain.ViaOpen}
	if token != "" {
		r = &domain.Registration{Via: domain.ViaInitialToken, TokenID: token, IssuedBy: "alice"}
	}
	return with(register(t, of, id), r)
}

func registrationIsRead(t *testing.T, store Registrations) {
	client := with(register(t, tenant, "app-1"), filled(t))
	require.NoError(t, store.Commit(t.Context(), created(client)))
	plain := commitNew(t, store, tenant, "app-2", domain.Change{})

	for name, read := range map[string]func() ([]domain.Client, error){
		"Find": func() ([]domain.Client, error) {
			one, err := store.Find(t.Context(), tenant, "app-1")
			two, _ := store.Find(t.Context(), tenant, "app-2")
			return []domain.Client{one, two}, err
		},
		"List": func() ([]domain.Client, error) {
			page, err := store.List(t.Context(), tenant, application.Query{Limit: 10})
			return page.Clients, err
		},
		"List by a filter": func() ([]domain.Client, error) {
			page, err := store.List(t.Context(), tenant, application.Query{Limit: 10, Status: domain.StatusActive, UpdatedSince: now})
			return page.Clients, err
		},
		"ListAll": func() ([]domain.Client, error) {
			page, err := store.ListAll(t.Context(), application.ClientKey{}, 10)
			return page.Clients, err
		},
	} {
		clients, err := read()
		require.NoError(t, err, name)
		require.Len(t, clients, 2, name)
		assert.Equal(t, client.State(), clients[0].State(), name)
		assert.Equal(t, plain.State(), clients[1].State(), name)
		assert.Nil(t, clients[1].Registration(), name)
	}
	found, err := store.RegisteredWith(t.Context(), tenant, client.Registration().TokenID, "", 10)
	require.NoError(t, err)
	require.Len(t, found, 1)
	assert.Equal(t, client.State(), found[0].State())
	gone := deleted(t, client, now)
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, gone)))
	purgeable, _, err := store.Purgeable(t.Context(), now.Add(time.Hour), 1)
	require.NoError(t, err)
	require.Len(t, purgeable, 1)
	assert.Equal(t, gone.Registration(), purgeable[0].Registration())
}

func registrationIsNotLogged(t *testing.T, store Registrations) {
	client := with(register(t, tenant, "app-1"), filled(t))
	require.NoError(t, store.Commit(t.Context(), created(client)))
	log, err := store.Revisions(t.Context(), tenant, "app-1", 0, 10)
	require.NoError(t, err)
	changes := releasedChanges(t, store, tenant, "")
	all, err := store.AllChanges(t.Context(), "", 10)
	require.NoError(t, err)
	for _, list := range [][]domain.Revision{log, changes.Revisions, all.Revisions} {
		require.Len(t, list, 1)
		assert.False(t, list[0].Unreadable)
		assert.Nil(t, list[0].Client.Registration())
		assert.Equal(t, client.Settings(), list[0].Client.Settings())
	}
}

func registrationFollowsClient(t *testing.T, store Registrations) {
	registration := filled(t)
	client := with(register(t, tenant, "app-1"), registration)
	require.NoError(t, store.Commit(t.Context(), created(client)))
	require.NoError(t, store.NoteSeen(t.Context(), seenAt(tenant, client.Identity().ClientID, now)))
	stored := func() *domain.Registration {
		found, err := store.Find(t.Context(), tenant, "app-1")
		require.NoError(t, err)
		return found.Registration()
	}
	client = next(client, registration)
	require.NoError(t, store.Commit(t.Context(), updated(client)))
	assert.Equal(t, registration, stored())
	client = next(client, registration)
	require.NoError(t, store.CommitOnce(t.Context(), updated(client), attemptOf(client, "key")))
	assert.Equal(t, registration, stored())

	changed := *registration
	changed.AccessToken = nil
	client = next(client, &changed)
	other := commitNew(t, store, tenant, "app-2", domain.Change{})
	var group sync.WaitGroup // commits that share a transaction
	group.Go(func() { assert.NoError(t, store.Commit(t.Context(), updated(client))) })
	group.Go(func() { assert.NoError(t, store.Commit(t.Context(), updated(rename(t, other, "x")))) })
	group.Wait()
	assert.Equal(t, &changed, stored())
	client = next(client, nil)
	require.NoError(t, store.Commit(t.Context(), updated(client)))
	assert.Nil(t, stored())
	client = next(client, registration)
	require.NoError(t, store.Commit(t.Context(), updated(client)))
	assert.Equal(t, registration, stored())

	client = deleted(t, client, now)
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, client)))
	assert.Equal(t, client.Registration(), stored())
	client, findings := restore(t, client, now)
	require.False(t, findings.HasViolations())
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionRestore, client)))
	assert.Equal(t, client.Registration(), stored())
	client = deleted(t, client, now)
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, client)))
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionPurge, purged(t, client, now))))
	assert.Nil(t, stored(), "a purge removes the registration")
	first, _, err := store.SeenTimes(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Zero(t, first, "and when the client was seen")
}

func unstorableRegistration(t *testing.T, store Registrations) {
	far := time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, change := range map[string]func(*domain.Registration){
		"text":   func(r *domain.Registration) { r.IssuedBy = "\xff" },
		"list":   func(r *domain.Registration) { r.Policy.Scopes[1] = "\xff" },
		"map":    func(r *domain.Registration) { r.Policy.Labels["\xff"] = "a" },
		"time":   func(r *domain.Registration) { r.AccessToken.Previous.ExpiresAt = far },
		"claims": func(r *domain.Registration) { *r.Statement.Ceiling.Set(domain.FieldName).(*domain.Text) = "\xff" },
	} {
		registration := filled(t)
		change(registration)
		client := with(register(t, tenant, "app-1"), registration)
		require.ErrorIs(t, store.Commit(t.Context(), created(client)), application.ErrUnstorable, name)
		require.ErrorIs(t, store.CommitRegistration(t.Context(), created(client), application.RegistrationClaim{}, nil), application.ErrUnstorable, name)
	}
	token := tokenOf("token-1", 1)
	token.Description = "\xff"
	require.ErrorIs(t, store.CreateInitialToken(t.Context(), token, nil), application.ErrUnstorable)
	token = tokenOf("token-1", 1)
	token.Policy.Owner = "\xff"
	require.ErrorIs(t, store.CreateInitialToken(t.Context(), token, nil), application.ErrUnstorable)
	_, err := store.Find(t.Context(), tenant, "app-1")
	require.ErrorIs(t, err, application.ErrNotFound)

	client := register(t, tenant, "app-1")
	require.NoError(t, store.Commit(t.Context(), created(client)))
	require.ErrorIs(t, store.AdoptRegistration(t.Context(), with(client, &domain.Registration{IssuedBy: "\xff"})), application.ErrUnstorable)
}

func adoptRegistration(t *testing.T, store Registrations) {
	client := selfRegistered(t, tenant, "app-1", "")
	require.NoError(t, store.Commit(t.Context(), created(client)))
	adopted := with(client, filled(t))
	require.NoError(t, store.AdoptRegistration(t.Context(), adopted))
	found, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, adopted.State(), found.State())
	entries, _ := follow(t, store, "", 10)
	assert.Equal(t, []string{"app-1 1 create"}, entries, "there is no revision")

	after := rename(t, client, "Another")
	require.ErrorIs(t, store.AdoptRegistration(t.Context(), after), application.ErrConflict, "of a later revision")
	require.NoError(t, store.Commit(t.Context(), updated(after)))
	require.ErrorIs(t, store.AdoptRegistration(t.Context(), adopted), application.ErrConflict, "of an earlier revision")
	require.ErrorIs(t, store.AdoptRegistration(t.Context(), selfRegistered(t, "tenant_b", "app-1", "")), application.ErrConflict, "of another client")
	require.NoError(t, store.AdoptRegistration(t.Context(), with(after, nil)))
	found, err = store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Nil(t, found.Registration())
	count, err := store.CountRegistered(t.Context())
	require.NoError(t, err)
	assert.Zero(t, count)
}

func registrationFilters(t *testing.T, store Registrations) {
	commit := func(of domain.TenantID, id domain.ClientID, r *domain.Registration, software string) {
		state := with(register(t, of, id), r).State()
		state.Settings.SoftwareID = software
		require.NoError(t, store.Commit(t.Context(), created(domain.Restore(state))))
	}
	commit(tenant, "by-hand", nil, "a")
	commit(tenant, "managed", &domain.Registration{Via: domain.ViaAdmin}, "a")
	commit(tenant, "open", &domain.Registration{Via: domain.ViaOpen}, "a")
	commit(tenant, "token-1", &domain.Registration{Via: domain.ViaInitialToken, TokenID: "t-1"}, "b")
	commit(tenant, "token-2", &domain.Registration{Via: domain.ViaInitialToken, TokenID: "t-2"}, "a")
	commit(tenant, "url", &domain.Registration{Via: domain.ViaDocument, Document: &domain.ApprovedDocument{Digest: "d"}}, "a")
	commit("tenant_b", "open", &domain.Registration{Via: domain.ViaOpen}, "a")
	for _, tt := range []struct {
		q    application.Query
		want []string
	}{
		{application.Query{Via: domain.ViaOpen}, []string{"open"}},
		{application.Query{Via: domain.ViaInitialToken}, []string{"token-1", "token-2"}},
		{application.Query{Via: domain.ViaDocument}, []string{"url"}},
		{application.Query{Via: domain.ViaStatement}, []string{}},
		{application.Query{RegistrationToken: "t-1"}, []string{"token-1"}},
		{application.Query{RegistrationToken: "T-1"}, []string{}},
		{application.Query{SoftwareID: "a"}, []string{"by-hand", "managed", "open", "token-2", "url"}},
		{application.Query{SoftwareID: "a", Via: domain.ViaInitialToken}, []string{"token-2"}},
		{application.Query{RegistrationToken: "t-2", Via: domain.ViaInitialToken, Name: "app", UpdatedSince: now}, []string{"token-2"}},
		{application.Query{RegistrationToken: "t-2", Via: domain.ViaOpen}, []string{}},
	} {
		tt.q.Count = true
		page := list(t, store, tt.q)
		assert.Equal(t, tt.want, ids(page.Clients), "%+v", tt.q)
		assert.Equal(t, len(tt.want), page.Total, "%+v", tt.q)
	}
}

func actorDetails(t *testing.T, store Registrations) {
	client := register(t, tenant, "app-1")
	actor := domain.Actor{
		Subject: "registration", ClientID: "app-1", Via: domain.ViaStatement, TokenID: "token \"1\x00", IssuedBy: "alice", SoftwareID: "größe",
	}
	r := created(client)
	r.Actor = actor
	require.NoError(t, store.CommitRegistration(t.Context(), r, application.RegistrationClaim{}, nil))
	plain := updated(rename(t, client, "Another"))
	require.NoError(t, store.Commit(t.Context(), plain))
	some := revisionOf(domain.ActionDelete, deleted(t, plain.Client, now))
	some.Actor.Via = domain.ViaRegistrationToken
	require.NoError(t, store.CommitOnce(t.Context(), some, attemptOf(some.Client, "key")))

	want := []domain.Actor{actor, plain.Actor, some.Actor}
	log, err := store.Revisions(t.Context(), tenant, "app-1", 0, 10)
	require.NoError(t, err)
	require.Len(t, log, 3)
	assert.Equal(t, want, []domain.Actor{log[2].Actor, log[1].Actor, log[0].Actor})
	changes := releasedChanges(t, store, tenant, "")
	all, err := store.AllChanges(t.Context(), "", 10)
	require.NoError(t, err)
	for _, feed := range [][]domain.Revision{changes.Revisions, all.Revisions} {
		require.Len(t, feed, 3)
		assert.Equal(t, want, []domain.Actor{feed[0].Actor, feed[1].Actor, feed[2].Actor})
	}
}

func firstAction(t *testing.T, store Registrations) {
	for i, action := range domain.Actions() {
		client := register(t, tenant, domain.ClientID(fmt.Sprintf("app-%d", i)))
		r := created(client)
		r.Action = action
		if action == domain.ActionPurge || action == domain.ActionDelete {
			continue // of a client that exists
		}
		require.NoError(t, store.Commit(t.Context(), r), action)
		require.ErrorIs(t, store.Commit(t.Context(), r), application.ErrConflict, action)
		log, err := store.Revisions(t.Context(), tenant, client.Identity().ClientID, 0, 10)
		require.NoError(t, err)
		require.Len(t, log, 1)
		assert.Equal(t, action, log[0].Action)
	}
}
