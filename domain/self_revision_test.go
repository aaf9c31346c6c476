package domain

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// selfClient returns a client that registered itself.
func selfClient(t *testing.T, policy RegistrationPolicy, edits ...func(*Settings)) Client {
	t.Helper()
	outcome := registered(t, SelfRegistration{
		Metadata: sent(append([]func(*Settings){app}, edits...)...), Policy: policy, Via: ViaOpen,
	})
	require.Empty(t, outcome.Findings.Violations())
	return outcome.Client
}

// put returns the outcome of an update by the client itself.
func put(t *testing.T, c Client, edits ...func(*Settings)) Outcome {
	t.Helper()
	draft, err := testBook(t, Policy{}).ReviseSelf(c, sent(append([]func(*Settings){app}, edits...)...), nil)
	require.NoError(t, err)
	return draft.Decide(Facts{Keys: KeysSeen(*keySet(ecKey()))}, testNow.Add(time.Hour))
}

// administered returns the client after a change of an administrator.
func administered(t *testing.T, c Client, change Change) Client {
	t.Helper()
	outcome := must(testBook(t, Policy{}).Revise(c, change)).Decide(Facts{Keys: KeysSeen(*keySet(ecKey()))}, testNow)
	require.Empty(t, outcome.Findings.Violations())
	return outcome.Client
}

func TestAnUpdateReplacesTheClientsHalf(t *testing.T) {
	client := selfClient(t, RegistrationPolicy{}, scopes("openid"), func(s *Settings) { s.Website = "https://app.example.com/" })
	outcome := put(t, client, func(s *Settings) { s.Description = "new" })
	settings := outcome.Client.Settings()
	assert.Empty(t, settings.Scopes, "absent is unset")
	assert.Empty(t, settings.Website, "absent is unset")
	assert.Equal(t, "new", settings.Description)
	assert.Equal(t, FieldsOf(FieldScopes, FieldWebsite, FieldDescription), outcome.Changed)
	assert.Equal(t, RevisionNumber(2), outcome.Client.Revision())
}

func TestAnUpdateKeepsTheAdministratorsHalf(t *testing.T) {
	change := ChangeOf(Settings{
		Status: StatusSuspended, Owner: "platform", Labels: map[string]string{"example.com/tier": "b"}, RequirePKCE: true, AccessTokenLifetime: 60,
		Resources: []string{"https://api.example.com"}, CORSOrigins: []Origin{"https://app.example.com"}, SkipConsent: true,
	})
	client := administered(t, selfClient(t, RegistrationPolicy{Owner: "self"}), change)
	settings := put(t, client, scopes("openid")).Client.Settings()
	for f := range change.Named().All() {
		assert.Equal(t, Plain(client.Value(f)), Plain(f.Of(&settings)), f.String())
	}
	assert.Equal(t, []Scope{"openid"}, settings.Scopes)
}

func TestAnUpdateThatChangesNothingMakesNoRevision(t *testing.T) {
	client := selfClient(t, RegistrationPolicy{DefaultScopes: []Scope{"openid"}})
	outcome := put(t, client)
	assert.Equal(t, client, outcome.Client)
	assert.Same(t, client.Registration(), outcome.Client.Registration())
	assert.True(t, outcome.Changed.IsEmpty())
}

func TestThePinnedPolicyAppliesToUpdates(t *testing.T) {
	client := selfClient(t, RegistrationPolicy{RedirectHosts: []string{"*.example.com"}, Scopes: []Scope{"openid"}, PAR: true})
	outcome := put(t, client, redirect("https://evil.example/cb"))
	assert.Equal(t, client, outcome.Client)
	assert.Equal(t, []string{"violation registration-redirect-host /redirect_uris/0"}, fromOutside(outcome.Findings))

	outcome = put(t, client, scopes("openid", "admin"), listed(GrantAuthorizationCode, GrantClientCredentials))
	settings := outcome.Client.Settings()
	assert.Equal(t, []Scope{"openid"}, settings.Scopes)
	assert.Equal(t, []GrantType{GrantAuthorizationCode}, settings.GrantTypes)
	assert.True(t, settings.RequirePAR)
}

func TestTheTypeOfAClientFollowsFromTheMethodOfAnUpdate(t *testing.T) {
	client := selfClient(t, RegistrationPolicy{}).WithFirstSecret(Secret{ID: "s"})
	outcome := put(t, client, methods(AuthNone))
	assert.False(t, outcome.Client.Settings().Confidential)
	assert.Empty(t, outcome.Client.Secrets(), "leaving the secret methods revokes")

	outcome = put(t, outcome.Client, methods(AuthSecretPost))
	assert.True(t, outcome.Client.Settings().Confidential)
}

func TestAFieldThatAnAdministratorChangedIsLocked(t *testing.T) {
	client := selfClient(t, RegistrationPolicy{}, scopes("openid", "admin"))
	before := *client.Registration()
	locked := administered(t, client, ChangeOf(Settings{Scopes: []Scope{"openid"}, Owner: "platform"}))
	assert.Equal(t, FieldsOf(FieldScopes), locked.Registration().Locks)
	assert.Equal(t, before, *client.Registration(), "the registration of the earlier revision is not changed")

	outcome := put(t, locked, scopes("openid", "admin"), func(s *Settings) { s.Description = "new" })
	assert.Equal(t, []Scope{"openid"}, outcome.Client.Settings().Scopes)
	assert.Equal(t, "new", outcome.Client.Settings().Description)
	assert.Equal(t, []string{"warning registration-locked /scopes"}, fromOutside(outcome.Findings))
	assert.Equal(t, FieldsOf(FieldScopes), outcome.Client.Registration().Locks, "an update locks nothing")

	assert.Empty(t, fromOutside(put(t, locked, scopes("openid")).Findings), "the same value is no substitution")
	absent := put(t, locked)
	assert.Equal(t, locked, absent.Client, "an absent value is the stored one")

	free := must(locked.DeleteLocks(testNow))
	outcome = put(t, free, scopes("openid", "admin"))
	assert.Equal(t, []Scope{"openid", "admin"}, outcome.Client.Settings().Scopes)
}

func TestAnAdministratorMayGoBeyondThePinnedPolicy(t *testing.T) {
	client := selfClient(t, RegistrationPolicy{RedirectHosts: []string{"app.example.com"}, PAR: true, Scopes: []Scope{"openid"}})
	wider := Settings{RedirectURIs: []RedirectURI{"https://other.example/cb"}, Scopes: []Scope{"openid", "admin"}}
	locked := administered(t, client, ChangeOf(wider, FieldRequirePAR))
	outcome := put(t, locked, func(s *Settings) { s.Description = "new" })
	require.Empty(t, outcome.Findings.Violations())
	settings := outcome.Client.Settings()
	assert.Equal(t, wider.RedirectURIs, settings.RedirectURIs)
	assert.Equal(t, wider.Scopes, settings.Scopes)
	assert.False(t, settings.RequirePAR)
}

func TestLocks(t *testing.T) {
	named := selfClient(t, RegistrationPolicy{}, nameOf(""))
	require.True(t, named.Registration().MadeUpName)
	for name, c := range map[string]struct {
		client Client
		change Change
		locks  []Field
	}{
		"the administrator's half is not locked":       {named, ChangeOf(Settings{Owner: "platform", Status: StatusSuspended}), nil},
		"a value that stays is not locked":             {named, ChangeOf(Settings{RedirectURIs: named.Settings().RedirectURIs, Owner: "x"}), nil},
		"one source of keys locks both":                {named, sent(keysAt("https://app.example.com/jwks")), []Field{FieldJWKS, FieldJWKSURI}},
		"a client that an administrator made has none": {stored(nil), sent(nameOf("x")), nil},
		"one that an administrator gave a token has none": {
			must(stored(nil).IssueRegistrationToken(RegistrationToken{}, RegistrationPolicy{}, testNow)), sent(nameOf("x")), nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			changed := administered(t, c.client, c.change)
			var locks FieldSet
			if r := changed.Registration(); r != nil {
				locks = r.Locks
			}
			assert.Equal(t, FieldsOf(c.locks...), locks)
		})
	}
	renamed := administered(t, named, sent(nameOf("My App")))
	assert.False(t, renamed.Registration().MadeUpName)
}

func TestARevertByAnAdministratorLocksWhatItChanges(t *testing.T) {
	client := selfClient(t, RegistrationPolicy{}, scopes("openid"))
	updated := put(t, client, scopes("profile")).Client
	reverted := administered(t, updated, ChangeTo(client.Settings()))
	assert.Equal(t, FieldsOf(FieldScopes), reverted.Registration().Locks)
}

func TestAClientWithSeveralMethodsKeepsThemAtAnUpdate(t *testing.T) {
	client := administered(t, selfClient(t, RegistrationPolicy{}, keys),
		ChangeOf(Settings{AuthMethods: []AuthMethod{AuthPrivateKeyJWT, AuthSecretBasic}}))
	locked := put(t, client, keys, methods(AuthPrivateKeyJWT))
	assert.Equal(t, client, locked.Client)
	assert.Empty(t, fromOutside(locked.Findings), "the answer has the first method")

	free := must(client.DeleteLocks(testNow))
	assert.Equal(t, free, put(t, free, keys, methods(AuthPrivateKeyJWT)).Client)
	outcome := put(t, free, keys, methods(AuthSecretBasic))
	assert.Equal(t, []AuthMethod{AuthSecretBasic}, outcome.Client.Settings().AuthMethods)
}

func TestTheNameOfAnUpdate(t *testing.T) {
	client := selfClient(t, RegistrationPolicy{}, nameOf(""))
	moved := put(t, client, nameOf(""), redirect("https://other.example.com/cb"))
	assert.Equal(t, "other.example.com", moved.Client.Settings().Name)
	assert.True(t, moved.Client.Registration().MadeUpName)

	same := put(t, client, nameOf("app.example.com"))
	assert.False(t, same.Client.Registration().MadeUpName, "from now on it is the client's own name")
	assert.Equal(t, RevisionNumber(2), same.Client.Revision())
}

func TestWhoCannotUpdateItself(t *testing.T) {
	book := testBook(t, Policy{})
	_, err := book.ReviseSelf(must(selfClient(t, RegistrationPolicy{}).Delete(testNow)), sent(app), nil)
	require.ErrorIs(t, err, ErrDeleted)
	_, err = book.ReviseSelf(documentClient(t), sent(app), nil)
	require.ErrorIs(t, err, ErrDocumentClient)
}
