package domain

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAssessReportsEveryApplicableRuleWithItsFindings(t *testing.T) {
	book := testBook(t, Policy{})
	settings := legal()
	settings.AuthMethods = []AuthMethod{AuthSecretBasic}
	settings.Profile = ProfileFAPI1Baseline
	facts := Facts{Keys: KeysSeen(*keySet(ecKey()))}

	base := book.Assess(settings, ProfileNone, facts, testNow)
	assert.True(t, base.Compliant(), "not the claimed profile is checked, but the given one")
	assert.Empty(t, base.Obligations)

	fapi2 := book.Assess(settings, ProfileFAPI2Security, facts, testNow)
	assert.False(t, fapi2.Compliant())
	assert.NotEmpty(t, fapi2.Obligations)
	assert.Greater(t, len(fapi2.Results), len(base.Results))
	var broken []string
	for _, result := range fapi2.Results {
		if result.Findings.HasViolations() {
			broken = append(broken, result.Rule.ID)
		}
	}
	assert.Equal(t, []string{"auth-method-fapi"}, broken)
	assert.Equal(t, ProfileFAPI1Baseline, settings.Profile)

	settings.AuthMethods = []AuthMethod{AuthPrivateKeyJWT}
	for _, profile := range Profiles() {
		assessed := book.Assess(settings, profile, facts, testNow)
		assert.True(t, assessed.Compliant(), profile)
		assert.NotEmpty(t, assessed.Obligations, profile)
	}
}

func TestFindingsAboutOneKeyHaveItsIndex(t *testing.T) {
	book := testBook(t, Policy{})
	findings := book.Validate(legal(), Facts{Keys: KeysSeen(*keySet(ecKey(), with(rsaKey(), func(k *Key) { k.Bits = 1024 })))}, testNow)
	assert.Len(t, findings, 1)
	assert.Equal(t, 1, findings[0].KeyIndex)
	findings = book.Validate(legal(), Facts{Keys: KeysSeen(*keySet())}, testNow)
	assert.Equal(t, NoKey, findings[0].KeyIndex)
}
