// Package pushtest is the conformance suite of [push.Target]. Each subtest proves a
// sentence of its documentation. A target runs it in a test of its own, against a stand-in
// for its server or the real one:
//
//	func TestTarget(t *testing.T) {
//		pushtest.Run(t, func(t *testing.T) pushtest.Server { return start(t) })
//	}
package pushtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application/push"
	"github.com/clientele-oauth/clientele/domain"
)

// Server is an authorization server with a target for it. Functions that are nil leave
// out the sentences that need them; a stand-in has all of them.
type Server struct {
	Target push.Target
	// Plant creates a client at the server without the target, as its administrators do.
	Plant func(t *testing.T, id domain.ClientID)
	// Tamper changes an attribute of a client that the target manages, without the
	// target.
	Tamper func(t *testing.T, id domain.ClientID)
	// Extend sets an attribute of a client that the target does not manage, and
	// Extended reports whether it still has this value.
	Extend   func(t *testing.T, id domain.ClientID)
	Extended func(t *testing.T, id domain.ClientID) bool
	// Accepts reports whether a client can get a token with its secret, by the grant
	// client_credentials.
	Accepts func(t *testing.T, id domain.ClientID, secret string) bool
	// Refusable returns settings that the server refuses, and the target does not know
	// beforehand.
	Refusable func() domain.Settings
	// Fail makes the server answer every request with 503 from now on.
	Fail func(t *testing.T)
}

// Run runs the suite. Each subtest calls start for a server without clients of the suite.
func Run(t *testing.T, start func(t *testing.T) Server) {
	t.Helper()
	tests := []struct {
		name string
		test func(*testing.T, Server)
	}{
		{"List and Find return what Put created, with its mark", created},
		{"there are no differences right after Put, for every kind of client", noDifferences},
		{"Put creates no client twice", createdOnce},
		{"what the server does not hold is not found, replaced or disabled", notHeld},
		{"Put replaces what was changed at the server, and leaves other attributes alone", repaired},
		{"a client without a mark is not managed, and Put can take it over", takenOver},
		{"Put with other settings replaces the managed attributes", replaced},
		{"the server accepts the secret of the last Put that had one", secrets},
		{"a client that is not enabled gets no token, and keeps its secret", suspended},
		{"Disable keeps the client and its secret, until a Put", disabled},
		{"Delete removes the client, and does not mind if there is none", deleted},
		{"what the server refuses is a RefusedError without the secret", refused},
		{"a server that fails, or a context that has ended, is no refusal", failing},
		{"List returns many clients", many},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, start(t)) })
	}
}

const tenant domain.TenantID = "tenant_a"

// Secret returns a value that every server accepts.
func Secret(name string) string { return "clientele_secret_of_" + name + "_0123456789" }

// Kinds returns the settings of clients of different kinds, by name.
func Kinds() map[string]domain.Settings {
	const key = `{"keys":[{"kty":"EC","kid":"a","use":"sig","alg":"ES256","crv":"P-256",` +
		`"x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`
	public := domain.Settings{
		Name: "Public", Status: domain.StatusActive, RedirectURIs: []domain.RedirectURI{"https://app.example.com/callback", "http://127.0.0.1/callback"},
		GrantTypes: []domain.GrantType{domain.GrantAuthorizationCode, domain.GrantRefreshToken}, ResponseTypes: []domain.ResponseType{"code"},
		AuthMethods: []domain.AuthMethod{domain.AuthNone}, Scopes: []domain.Scope{"openid", "profile"}, RequirePKCE: true,
		CORSOrigins: []domain.Origin{"https://app.example.com"},
	}
	machine := Machine()
	web := public
	web.Name, web.Confidential, web.AuthMethods = "Ünïcode “quoted” \\ <b>", true, []domain.AuthMethod{domain.AuthSecretBasic}
	web.RequirePKCE, web.CORSOrigins = false, nil
	web.LogoURL, web.Website, web.PrivacyPolicy, web.TermsURL = "https://app.example.com/logo.png", "https://app.example.com", "https://app.example.com/privacy", "https://app.example.com/terms"
	web.PostLogoutRedirectURIs = []domain.RedirectURI{"https://app.example.com/bye"}
	web.AccessTokenLifetime, web.IDTokenLifetime, web.RefreshTokenLifetime = 600, 300, 86400
	web.Contacts, web.Owner, web.Labels = []string{"team@example.com"}, "team-a", map[string]string{"stage": "test"}
	web.BackchannelLogout = domain.Logout{URI: "https://app.example.com/logout", SessionRequired: true}
	inline := machine
	inline.Name, inline.AuthMethods, inline.Keys, inline.AuthSigningAlg = "Inline keys", []domain.AuthMethod{domain.AuthPrivateKeyJWT}, domain.InlineKeys(key), "ES256"
	remote := inline
	remote.Name, remote.Keys = "Remote keys", domain.KeysAt("https://app.example.com/jwks.json")
	suspended := web
	suspended.Name, suspended.Status = "Suspended", domain.StatusSuspended
	return map[string]domain.Settings{
		"public": public, "machine": machine, "web": web, "inline-keys": inline, "remote-keys": remote, "suspended": suspended,
	}
}

// Machine returns the settings of a client that uses client_credentials and a secret.
func Machine() domain.Settings {
	return domain.Settings{
		Name: "Machine", Status: domain.StatusActive, Confidential: true, GrantTypes: []domain.GrantType{domain.GrantClientCredentials},
		AuthMethods: []domain.AuthMethod{domain.AuthSecretBasic}, IDToken: domain.Algorithms{Signing: "RS256"}, SubjectType: domain.SubjectPublic,
	}
}

// Client returns a client with these settings and the defaults for those that are unset,
// and a secret if it uses one.
func Client(id domain.ClientID, s domain.Settings) push.Client {
	book, err := domain.NewRulebook(domain.Policy{})
	if err != nil {
		panic(err) // the empty policy is valid
	}
	s = book.Effective(s)
	at := time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)
	c := push.Client{
		Client: domain.Restore(domain.State{
			Identity: domain.Identity{ID: fmt.Sprintf("client_01a20a56-bc6d-7991-9e95-%012x", identity(id)), TenantID: tenant, ClientID: id},
			Settings: s, Revision: 3, CreatedAt: at, UpdatedAt: at,
		}),
		Mark: push.Mark{Tenant: tenant, Revision: 3},
	}
	if c.UsesSecret() {
		c.Secret, c.Mark.SecretID = Secret(string(id)), "secret_01a20a56-bc9d-765b-9f87-54068bbc09f0"
	}
	return c
}

// identity returns 48 bits that depend on the identifier.
func identity(id domain.ClientID) (sum uint64) {
	for _, b := range []byte(id) {
		sum = sum*31 + uint64(b)
	}
	return sum & (1<<48 - 1)
}

// deadline returns a context for the calls of a test.
func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// kept returns the client as it is pushed again, without a secret.
func kept(c push.Client) push.Client {
	c.Secret = ""
	return c
}

// put puts a client, and returns what the server holds then.
func put(t *testing.T, s Server, c push.Client, held *push.Held) push.Held {
	t.Helper()
	ctx := deadline(t)
	if s.Target.Traits().VerifiesSecrets {
		c.Secret, c.Mark.SecretID = "", ""
	}
	require.NoError(t, s.Target.Put(ctx, c, held))
	found, err := s.Target.Find(ctx, c.Identity().ClientID)
	require.NoError(t, err)
	return found
}

// listed returns the clients at the server by their identifiers.
func listed(t *testing.T, s Server) map[domain.ClientID]push.Held {
	t.Helper()
	all := map[domain.ClientID]push.Held{}
	for held, err := range s.Target.List(deadline(t)) {
		require.NoError(t, err)
		require.NotContains(t, all, held.ClientID)
		all[held.ClientID] = held
	}
	return all
}

func differences(t *testing.T, s Server, want push.Client, held push.Held) []push.Difference {
	t.Helper()
	found, err := s.Target.Differences(deadline(t), want, held)
	require.NoError(t, err)
	return found
}

func created(t *testing.T, s Server) {
	for name, settings := range Kinds() {
		want := Client(domain.ClientID("kind-"+name), settings)
		require.Empty(t, s.Target.Check(want).Violations())
		held := put(t, s, want, nil)
		if s.Target.Traits().VerifiesSecrets {
			want.Mark.SecretID = ""
		}
		for _, got := range []push.Held{held, listed(t, s)[held.ClientID]} {
			assert.Equal(t, want.Identity().ClientID, got.ClientID, name)
			assert.Equal(t, want.Mark, got.Mark, name)
			assert.Equal(t, want.Enabled(), got.Enabled, name)
			assert.True(t, got.Managed(), name)
		}
	}
}

func noDifferences(t *testing.T, s Server) {
	for name, settings := range Kinds() {
		want := Client(domain.ClientID("kind-"+name), settings)
		held := put(t, s, want, nil)
		assert.Empty(t, differences(t, s, want, held), name)
		assert.Empty(t, differences(t, s, want, listed(t, s)[held.ClientID]), name)
		held = put(t, s, kept(want), &held)
		assert.Empty(t, differences(t, s, want, held), "%s, put twice", name)
	}
}

func createdOnce(t *testing.T, s Server) {
	want := Client("twice", Machine())
	put(t, s, want, nil)
	require.ErrorIs(t, s.Target.Put(deadline(t), want, nil), push.ErrExists)
}

func notHeld(t *testing.T, s Server) {
	ctx := deadline(t)
	_, err := s.Target.Find(ctx, "nobody")
	require.ErrorIs(t, err, push.ErrNotHeld)
	want := Client("gone", Machine())
	held := put(t, s, want, nil)
	require.NoError(t, s.Target.Delete(ctx, held))
	require.ErrorIs(t, s.Target.Put(ctx, kept(want), &held), push.ErrNotHeld)
	require.ErrorIs(t, s.Target.Disable(ctx, held, want.Mark), push.ErrNotHeld)
	assert.NotContains(t, listed(t, s), want.Identity().ClientID)
}

func repaired(t *testing.T, s Server) {
	want := Client("tampered", Kinds()["web"])
	held := put(t, s, want, nil)
	s.Extend(t, held.ClientID)
	s.Tamper(t, held.ClientID)
	require.True(t, s.Extended(t, held.ClientID))

	found, err := s.Target.Find(deadline(t), held.ClientID)
	require.NoError(t, err)
	for _, got := range []push.Held{found, listed(t, s)[held.ClientID]} {
		drift := differences(t, s, want, got)
		require.Len(t, drift, 1)
		assert.NotEmpty(t, drift[0].Attribute)
		assert.NotEqual(t, drift[0].Want, drift[0].Held)
	}
	held = put(t, s, kept(want), &found)
	assert.Empty(t, differences(t, s, want, held))
	assert.True(t, s.Extended(t, held.ClientID))
	require.NoError(t, s.Target.Disable(deadline(t), held, want.Mark))
	assert.True(t, s.Extended(t, held.ClientID))
}

func takenOver(t *testing.T, s Server) {
	s.Plant(t, "planted")
	held, err := s.Target.Find(deadline(t), "planted")
	require.NoError(t, err)
	assert.False(t, held.Managed())
	assert.False(t, listed(t, s)["planted"].Managed())
	want := Client("planted", Machine())
	require.ErrorIs(t, s.Target.Put(deadline(t), want, nil), push.ErrExists)
	held = put(t, s, want, &held)
	assert.True(t, held.Managed())
	assert.Empty(t, differences(t, s, want, held))
}

func replaced(t *testing.T, s Server) {
	// Each kind becomes the next one, so that every attribute is set, changed and cleared.
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range Kinds() {
			if !yield(name) {
				return
			}
		}
	})
	var held *push.Held
	for _, name := range slices.Concat(names, names[:1]) {
		want := Client("changing", Kinds()[name])
		if held != nil {
			assert.NotEmpty(t, differences(t, s, want, *held), name)
		}
		after := put(t, s, want, held)
		assert.Empty(t, differences(t, s, want, after), name)
		held = &after
	}
}

func secrets(t *testing.T, s Server) {
	if s.Accepts == nil || s.Target.Traits().VerifiesSecrets {
		return
	}
	want := Client("secretive", Machine())
	first, second := Secret("first"), Secret("second")
	want.Secret = first
	held := put(t, s, want, nil)
	assert.True(t, s.Accepts(t, held.ClientID, first))
	held = put(t, s, kept(want), &held)
	assert.True(t, s.Accepts(t, held.ClientID, first), "a Put without a secret keeps it")
	want.Secret, want.Mark.SecretID = second, push.LockedSecret
	held = put(t, s, want, &held)
	assert.Equal(t, push.LockedSecret, held.Mark.SecretID)
	assert.True(t, s.Accepts(t, held.ClientID, second))
	assert.False(t, s.Accepts(t, held.ClientID, first))
}

// suspendedSettings returns the settings of the machine when it is suspended.
func suspendedSettings() domain.Settings {
	settings := Machine()
	settings.Status = domain.StatusSuspended
	return settings
}

func suspended(t *testing.T, s Server) {
	active, stopped := Client("paused", Machine()), Client("paused", suspendedSettings())
	held := put(t, s, active, nil)
	drift := differences(t, s, stopped, held)
	require.Condition(t, func() bool {
		return slices.ContainsFunc(drift, func(d push.Difference) bool { return d.Attribute == "enabled" })
	}, "%v", drift)
	held = put(t, s, kept(stopped), &held)
	assert.False(t, held.Enabled)
	accepts(t, s, active, false)
	held = put(t, s, kept(active), &held)
	assert.True(t, held.Enabled)
	accepts(t, s, active, true)
}

// accepts checks whether the client gets a token with its first secret.
func accepts(t *testing.T, s Server, c push.Client, want bool) {
	t.Helper()
	if s.Accepts != nil {
		assert.Equal(t, want, s.Accepts(t, c.Identity().ClientID, c.Secret))
	}
}

func disabled(t *testing.T, s Server) {
	ctx := deadline(t)
	want := Client("removed", Machine())
	held := put(t, s, want, nil)
	mark := held.Mark
	mark.Revision = 4
	for range 2 { // the second time it is disabled already
		require.NoError(t, s.Target.Disable(ctx, held, mark))
		var err error
		held, err = s.Target.Find(ctx, held.ClientID)
		require.NoError(t, err)
		assert.False(t, held.Enabled)
		assert.Equal(t, mark, held.Mark)
		assert.False(t, listed(t, s)[held.ClientID].Enabled)
		accepts(t, s, want, false)
	}
	assert.NotEmpty(t, differences(t, s, want, held))
	held = put(t, s, kept(want), &held)
	assert.True(t, held.Enabled)
	assert.Empty(t, differences(t, s, want, held))
	accepts(t, s, want, true)
}

func deleted(t *testing.T, s Server) {
	ctx := deadline(t)
	want := Client("purged", Machine())
	held := put(t, s, want, nil)
	for range 2 {
		require.NoError(t, s.Target.Delete(ctx, held))
		_, err := s.Target.Find(ctx, held.ClientID)
		require.ErrorIs(t, err, push.ErrNotHeld)
	}
	accepts(t, s, want, false)
	put(t, s, want, nil)
}

func refused(t *testing.T, s Server) {
	if s.Refusable == nil {
		return
	}
	want := Client("refusable", s.Refusable())
	err := s.Target.Put(deadline(t), want, nil)
	said, ok := errors.AsType[*push.RefusedError](err)
	require.True(t, ok, "%v", err)
	assert.NotEmpty(t, said.Reason)
	assert.Equal(t, push.Words(said.Reason), said.Reason)
	if want.Secret != "" {
		assert.NotContains(t, said.Reason, want.Secret)
	}
	_, err = s.Target.Find(deadline(t), want.Identity().ClientID)
	require.ErrorIs(t, err, push.ErrNotHeld)
}

func failing(t *testing.T, s Server) {
	want := Client("failing", Machine())
	held := put(t, s, want, nil)
	check := func(ctx context.Context) {
		_, err := s.Target.Find(ctx, held.ClientID)
		var listing error
		for _, err := range s.Target.List(ctx) {
			listing = err
		}
		for call, err := range map[string]error{
			"Find": err, "List": listing, "Put": s.Target.Put(ctx, kept(want), &held),
			"Disable": s.Target.Disable(ctx, held, held.Mark), "Delete": s.Target.Delete(ctx, held),
		} {
			require.Error(t, err, call)
			_, isRefusal := errors.AsType[*push.RefusedError](err)
			assert.False(t, isRefusal, "%s: %v", call, err)
			require.NotErrorIs(t, err, push.ErrNotHeld, call)
			assert.NotContains(t, err.Error(), want.Secret, call)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	check(ended)
	if s.Fail != nil {
		s.Fail(t)
		check(deadline(t))
	}
}

func many(t *testing.T, s Server) {
	const clients = 30
	for i := range clients {
		require.NoError(t, s.Target.Put(deadline(t), kept(Client(domain.ClientID(fmt.Sprintf("many-%02d", i)), Kinds()["public"])), nil))
	}
	all := listed(t, s)
	for i := range clients {
		assert.Contains(t, all, domain.ClientID(fmt.Sprintf("many-%02d", i)))
	}
}
