package domain

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTheRulesOnRegistrationsFromOutsideAreNamed(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range append(Rules(), RegistrationRules()...) {
		assert.False(t, seen[r.ID], "%s is listed twice", r.ID)
		seen[r.ID] = true
	}
	for _, r := range RegistrationRules() {
		assert.NotEmpty(t, r.Summary, r.ID)
		assert.NotEmpty(t, r.Source, r.ID)
		assert.NotEmpty(t, r.Subject, r.ID)
		assert.NotZero(t, r.Level, r.ID)
		assert.Len(t, r.AppliesTo(), len(Profiles())+1, r.ID)
		assert.Equal(t, r, *registrationRule(r.ID))
	}
}

func TestTheFieldsOfAClientThatRegistersItself(t *testing.T) {
	for _, f := range []Field{
		FieldStatus, FieldProfile, FieldConfidential, FieldLabels, FieldOwner, FieldAccessTokenLifetime, FieldIDTokenLifetime,
		FieldRefreshTokenLifetime, FieldRefreshTokenRotation, FieldRequirePKCE, FieldSkipConsent, FieldResources, FieldCORSOrigins,
	} {
		assert.False(t, SelfFields().Has(f), f.String())
	}
	for _, f := range []Field{FieldName, FieldRedirectURIs, FieldGrantTypes, FieldScopes, FieldAuthMethods, FieldJWKS, FieldRequirePAR, FieldContacts} {
		assert.True(t, SelfFields().Has(f), f.String())
	}
}

func TestHostPatterns(t *testing.T) {
	for pattern, hosts := range map[hostPattern]map[string]bool{
		"*.example.com": {
			"a.example.com": true, "A.EXAMPLE.com": true, "a.b.example.com": true,
			"example.com": false, ".example.com": false, "attackerexample.com": false, "example.com.evil": false, "": false,
		},
		"Example.com": {"example.com": true, "a.example.com": false, "": false},
	} {
		for host, want := range hosts {
			assert.Equal(t, want, pattern.matches(host), "%s %q", pattern, host)
		}
	}
}
