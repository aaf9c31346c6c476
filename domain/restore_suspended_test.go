package domain

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A client that the current rules reject can be restored as suspended, but not as
// active.
func TestNoRuleRejectsARestorationAsSuspended(t *testing.T) {
	book, err := NewRulebook(Policy{})
	require.NoError(t, err)
	now := time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)
	deleted := Restore(State{
		Identity: Identity{ID: "client_1", TenantID: "t", ClientID: "app"}, Revision: 2, DeletedAt: now,
		Settings: Settings{
			Name: "App", Status: StatusActive, Confidential: true, GrantTypes: []GrantType{GrantAuthorizationCode},
			AuthMethods: []AuthMethod{AuthSecretBasic}, RedirectURIs: []RedirectURI{"https://app.example.com/#top"},
		},
	})
	_, findings := restoreClient(book, deleted, KeysUnexamined(), now)
	assert.True(t, findings.HasViolations())
	draft := must(book.RestoreSuspended(deleted))
	_, fetch := draft.Keys()
	assert.False(t, fetch, "keys are examined when the client is activated")
	outcome := draft.Decide(Facts{}, now)
	restored, findings := outcome.Client, outcome.Findings
	assert.False(t, findings.HasViolations())
	assert.NotEmpty(t, findings.Warnings())
	assert.False(t, restored.Deleted())
	assert.Equal(t, StatusSuspended, restored.Settings().Status)
	assert.Equal(t, RevisionNumber(3), restored.Revision())
	assert.Equal(t, StatusActive, deleted.Settings().Status)
}

func TestOverMayResultInTwoSourcesOfKeys(t *testing.T) {
	before := Settings{Name: "App", Status: StatusActive, Keys: InlineKeys("{}")}
	assert.Equal(t, before, Change{}.Over(before))
	both := ChangeOf(Settings{Keys: KeysAt("https://a.example/keys")}).Over(before)
	assert.Equal(t, KeySource{inline: "{}", uri: "https://a.example/keys"}, both.Keys)
}

func TestAuthenticationMethodsThatUseASecret(t *testing.T) {
	for method, uses := range map[AuthMethod]bool{
		AuthSecretBasic: true, AuthSecretPost: true, AuthSecretJWT: true,
		AuthPrivateKeyJWT: false, AuthTLS: false, AuthNone: false,
	} {
		assert.Equal(t, uses, Settings{Confidential: true, AuthMethods: []AuthMethod{method}}.UsesSecret(), method)
		assert.False(t, Settings{AuthMethods: []AuthMethod{method}}.UsesSecret(), method)
	}
}
