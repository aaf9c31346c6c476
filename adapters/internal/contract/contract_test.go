package contract_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/domain"
)

func TestSettingsOfReadsAResponse(t *testing.T) {
	settings, err := contract.SettingsOf([]byte(`{"id":"client_1","name":"App","is_confidential":true,"scopes":["openid"],
		"client_auth_methods":"[\"client_secret_basic\"]","created_at":"2026-04-15T10:30:00Z"}`))
	require.NoError(t, err)
	assert.Equal(t, domain.Settings{
		Name: "App", Confidential: true, Scopes: []domain.Scope{"openid"}, AuthMethods: []domain.AuthMethod{domain.AuthSecretBasic},
	}, settings)
}

// The response of a server that is not a registry must not be read as a configuration
// with empty fields: apply would then compare the wrong values.
func TestSettingsOfRejectsOtherResponses(t *testing.T) {
	for name, text := range map[string]string{
		"client_auth_methods": `{"client_auth_methods":"client_secret_basic"}`,
		"scopes":              `{"scopes":["openid",1]}`,
		"redirect_uris":       `{"redirect_uris":"https://a.example/cb"}`,
		"name":                `{"name":["App"]}`,
		"is_confidential":     `{"is_confidential":"true"}`,
		"logo_url":            `{"logo_url":null}`,
	} {
		_, err := contract.SettingsOf([]byte(text))
		require.ErrorContains(t, err, name, text)
	}
	for _, text := range []string{``, `[]`, `null`, `"x"`, `{`} {
		_, err := contract.SettingsOf([]byte(text))
		require.Error(t, err, text)
	}
}
