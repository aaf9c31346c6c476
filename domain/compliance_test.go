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

func demands(obligations []Obligation) (list []string) {
	for _, o := range obligations {
		list = append(list, o.Demand)
	}
	return list
}

func TestObligationsThatTheRegistrationShowsAreNotListed(t *testing.T) {
	book := testBook(t, Policy{})
	for _, profile := range Profiles() {
		silent := book.Assess(legal(), profile, Facts{Keys: KeysSeen(*keySet(ecKey()))}, testNow)
		settings := legal()
		declared(profile)(&settings)
		open := book.Assess(settings, profile, Facts{Keys: KeysSeen(*keySet(ecKey()))}, testNow).Obligations
		assert.Greater(t, len(silent.Obligations), len(open), profile)
		assert.NotEmpty(t, open, profile)
		for _, o := range open {
			assert.Empty(t, o.Rules, "%s: %s", profile, o.Demand)
		}
		for _, o := range silent.Obligations {
			if len(o.Rules) == 0 {
				assert.Contains(t, demands(open), o.Demand, profile)
			}
		}
	}
}

func TestAnObligationIsListedIfOneOfItsRulesIsBroken(t *testing.T) {
	settings := legal()
	declared(ProfileFAPI1Advanced)(&settings)
	settings.ResponseModes = []ResponseMode{"query"}
	obligations := testBook(t, Policy{}).Assess(settings, ProfileFAPI1Advanced, Facts{Keys: KeysSeen(*keySet(ecKey()))}, testNow).Obligations
	assert.Equal(t, "respond with code id_token, or with code and a signed response (JARM)", demands(obligations)[0])
	assert.Contains(t, obligations[0].Rules, "response-mode-jarm")
}

func TestObligationsNameRulesOfTheirProfile(t *testing.T) {
	applies := map[string]profileSet{}
	for _, rule := range Rules() {
		applies[rule.ID] = rule.in
	}
	for _, profile := range Profiles() {
		for _, o := range obligations(profile) {
			assert.NotEmpty(t, o.Demand)
			assert.NotEmpty(t, o.Source)
			for _, rule := range o.Rules {
				assert.NotZero(t, applies[rule]&profile.bit(), "%s: %s", profile, rule)
			}
		}
	}
}
