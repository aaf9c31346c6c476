package domain

import (
	"time"
)

// Assessment is the check of a configuration against one profile: every rule that
// applies, passed or not, and what the profile requires beyond the registration.
type Assessment struct {
	// Profile is the profile that was checked; [ProfileNone] means the rules for
	// every client.
	Profile     Profile
	Results     []Result
	Obligations []Obligation
}

// Result contains the findings of one rule.
type Result struct {
	Rule     Rule
	Findings Findings // empty if the rule passed
}

// Compliant reports whether no rule is violated.
func (a Assessment) Compliant() bool {
	for _, r := range a.Results {
		if r.Findings.HasViolations() {
			return false
		}
	}
	return true
}

// Obligation is a requirement of a profile on the authorization server and the client
// at run time, which a registration cannot show.
type Obligation struct {
	Demand string
	Source string
}

// Assess checks the settings against the profile, as if they claimed it.
func (b *Rulebook) Assess(settings Settings, profile Profile, facts Facts, now time.Time) Assessment {
	settings.Profile = profile
	validatedAs, _ := profile.ValidatedAs()
	found := map[string]Findings{}
	for _, f := range b.Validate(settings, facts, now) {
		found[f.Rule] = append(found[f.Rule], f)
	}
	a := Assessment{Profile: profile, Obligations: obligations(validatedAs)}
	for _, rule := range b.rules {
		if rule.in&validatedAs.bit() != 0 {
			a.Results = append(a.Results, Result{Rule: rule, Findings: found[rule.ID]})
		}
	}
	return a
}

// obligations lists what a profile requires at run time.
func obligations(p Profile) []Obligation {
	fapi2 := []Obligation{
		{"accept authorization requests only if the authenticated client pushed them (PAR)", "FAPI 2.0 SP §5.3.2.2-2 to -4"},
		{"require PKCE with S256", "FAPI 2.0 SP §5.3.2.2-5"},
		{"require redirect_uri in the pushed request", "FAPI 2.0 SP §5.3.2.2-6"},
		{"return iss in the authorization response", "FAPI 2.0 SP §5.3.2.2-7"},
		{"issue only sender-constrained access tokens, by mTLS or DPoP", "FAPI 2.0 SP §5.3.2.1-4"},
	}
	switch p {
	case ProfileFAPI1Baseline:
		return []Obligation{{"require PKCE with S256", "FAPI 1.0 Part 1 §5.2.2-7"}}
	case ProfileFAPI1Advanced:
		return []Obligation{
			{"require signed request objects", "FAPI 1.0 Part 2 §5.2.2-1"},
			{"respond with code id_token, or with code and a signed response (JARM)", "FAPI 1.0 Part 2 §5.2.2-2"},
			{"issue only sender-constrained access tokens, by mTLS", "FAPI 1.0 Part 2 §5.2.2-5, -6"},
		}
	case ProfileFAPI2Security:
		return fapi2
	case ProfileFAPI2MessageSigning:
		return append(fapi2,
			Obligation{"require signed request objects in pushed requests if request signing is used", "FAPI 2.0 MS §5.3"},
			Obligation{"sign authorization responses (JARM) if response signing is used", "FAPI 2.0 MS §5.4"},
		)
	default:
		return nil
	}
}
