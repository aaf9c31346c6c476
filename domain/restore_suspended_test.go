package domain_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/domain"
)

// A client that today's rules reject can be restored suspended, and only so.
func TestNoRuleRejectsARestorationAsSuspended(t *testing.T) {
	book, err := domain.NewRulebook(domain.Policy{})
	require.NoError(t, err)
	now := time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)
	deleted := domain.Restore(domain.State{
		Identity: domain.Identity{ID: "client_1", TenantID: "t", ClientID: "app"}, Revision: 2, DeletedAt: now,
		Settings: domain.Settings{
			Name: "App", Status: domain.StatusActive, Confidential: true, GrantTypes: []domain.GrantType{domain.GrantAuthorizationCode},
			AuthMethods: []domain.AuthMethod{domain.AuthSecretBasic}, RedirectURIs: []domain.RedirectURI{"https://app.example.com/#top"},
		},
	})
	_, findings := book.Restore(deleted, domain.KeysUnexamined(), now)
	assert.True(t, findings.Refuse())
	restored, findings := book.RestoreSuspended(deleted, domain.KeysUnexamined(), now)
	assert.False(t, findings.Refuse())
	assert.NotEmpty(t, findings.Warnings())
	assert.False(t, restored.Deleted())
	assert.Equal(t, domain.StatusSuspended, restored.Settings().Status)
	assert.Equal(t, domain.RevisionNumber(3), restored.Revision())
	assert.Equal(t, domain.StatusActive, deleted.Settings().Status)
}

func TestAChangeOverAConfigurationIsWhatItWouldBecome(t *testing.T) {
	before := domain.Settings{Name: "App", Status: domain.StatusActive, Confidential: true, Scopes: []domain.Scope{"openid"}, Keys: domain.InlineKeys("{}")}
	empty := domain.Change{}
	assert.Equal(t, before.ChangeTo(), empty.Over(before))
	after := domain.Settings{
		Name: "B", Status: domain.StatusSuspended, RedirectURIs: []domain.RedirectURI{"https://a.example/"}, GrantTypes: []domain.GrantType{"implicit"},
		Scopes: []domain.Scope{"email"}, AuthMethods: []domain.AuthMethod{"none"}, Profile: "fapi1", Keys: domain.KeysAt("https://a.example/keys"),
		TLSSubject: domain.TLSSubject{DN: "a", SANDNS: "b", SANURI: "c", SANIP: "d", SANEmail: "e"},
		LogoURL:    "f", Website: "g", PrivacyPolicy: "h", TermsURL: "i", CORSOrigins: []domain.Origin{"j"},
	}
	assert.Equal(t, after.ChangeTo(), after.ChangeTo().Over(before))
	both := domain.Change{JWKSURI: new("https://a.example/keys")}.Over(before)
	assert.Equal(t, "{}", *both.JWKS)
	assert.Equal(t, "https://a.example/keys", *both.JWKSURI)
}

func TestAChangeDecidesWhetherAClientUsesASecret(t *testing.T) {
	for method, uses := range map[domain.AuthMethod]bool{
		domain.AuthSecretBasic: true, domain.AuthSecretPost: true, domain.AuthSecretJWT: true,
		domain.AuthPrivateKeyJWT: false, domain.AuthTLS: false, domain.AuthNone: false,
	} {
		before := domain.Settings{Confidential: true, AuthMethods: []domain.AuthMethod{method}}
		assert.Equal(t, uses, domain.Change{}.UsesSecret(before), method)
		assert.Equal(t, uses, domain.Change{AuthMethods: &before.AuthMethods, Confidential: new(true)}.UsesSecret(domain.Settings{}), method)
		assert.False(t, domain.Change{Confidential: new(false)}.UsesSecret(before), method)
	}
}
