package domain

import (
	"slices"
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
// at run time, which the registration does not show.
type Obligation struct {
	Demand string
	Source string
	// Rules are the ids of the rules by which a registration shows that the demand is
	// met: the obligation is listed if one of them is broken. Empty if no registration
	// can show it.
	Rules []string
	// shown reports whether the settings show that the demand is met, for rules that do
	// not apply to every client; nil if the rules suffice.
	shown func(*Settings) bool
}

// Assess checks the settings against the profile, as if they claimed it.
func (b *Rulebook) Assess(settings Settings, profile Profile, facts Facts, now time.Time) Assessment {
	settings.Profile = profile
	validatedAs, _ := profile.ValidatedAs()
	found := map[string]Findings{}
	for _, f := range b.Validate(settings, facts, now) {
		found[f.Rule] = append(found[f.Rule], f)
	}
	a := Assessment{Profile: profile}
	for _, o := range obligations(validatedAs) {
		broken := func(rule string) bool { return len(found[rule]) > 0 }
		if len(o.Rules) == 0 || slices.ContainsFunc(o.Rules, broken) || o.shown != nil && !o.shown(&settings) {
			a.Obligations = append(a.Obligations, o)
		}
	}
	for _, rule := range b.rules {
		if rule.in&validatedAs.bit() != 0 {
			a.Results = append(a.Results, Result{Rule: rule, Findings: found[rule.ID]})
		}
	}
	return a
}

// obligations lists what a profile requires at run time: first what a registration can
// show, then what none can.
func obligations(p Profile) []Obligation {
	switch p {
	case ProfileFAPI1Baseline:
		return []Obligation{
			{"require PKCE with S256", "FAPI 1.0 Part 1 §5.2.2-7", []string{rulePKCEUndeclared}, nil},
			{"reject authorization codes that were used before", "FAPI 1.0 Part 1 §5.2.2-13", nil, nil},
			{"require nonce in requests with the scope openid", "FAPI 1.0 Part 1 §5.2.2.2", nil, nil},
			{"use TLS for all connections", "FAPI 1.0 Part 1 §7.1", nil, nil},
		}
	case ProfileFAPI1Advanced:
		return []Obligation{
			{"require signed request objects", "FAPI 1.0 Part 2 §5.2.2-1", []string{ruleRequestObjectUndeclared}, nil},
			{"accept request objects signed with PS256 or ES256 only", "FAPI 1.0 Part 2 §8.6", []string{ruleRequestObjectUndeclared, ruleRequestAlgUndeclared}, nil},
			{"respond with code id_token, or with code and a signed response (JARM)", "FAPI 1.0 Part 2 §5.2.2-2", []string{ruleJARMUndeclared, ruleResponseModeJARM}, nil},
			{"sign ID tokens with PS256 or ES256", "FAPI 1.0 Part 2 §8.6", []string{ruleIDTokenAlgUndeclared}, signsIDTokens},
			{"issue only sender-constrained access tokens, by mTLS", "FAPI 1.0 Part 2 §5.2.2-5, -6", []string{ruleSenderConstraintUndeclared, ruleSenderConstraintMTLS}, nil},
			{"require PKCE with S256 in pushed authorization requests", "FAPI 1.0 Part 2 §5.2.2-18", []string{rulePKCEUndeclared}, requiresPKCE},
			{"use only the parameters inside the signed request object", "FAPI 1.0 Part 2 §5.2.2-10", nil, nil},
			{"limit request objects to 60 minutes from nbf to exp, and reject an nbf that is more than 60 minutes in the past", "FAPI 1.0 Part 2 §5.2.2-13, -17", nil, nil},
			{"require the issuer identifier in aud of request objects", "FAPI 1.0 Part 2 §5.2.2-15", nil, nil},
			{"reject authorization codes that were used before", "FAPI 1.0 Part 1 §5.2.2-13", nil, nil},
			{"require nonce in requests with the scope openid", "FAPI 1.0 Part 1 §5.2.2.2", nil, nil},
			{"use TLS for all connections", "FAPI 1.0 Part 2 §8.5", nil, nil},
		}
	case ProfileFAPI2Security:
		return securityObligations()
	case ProfileFAPI2MessageSigning:
		return append([]Obligation{
			{"sign requests, authorization responses or introspection responses", "FAPI 2.0 MS §5.1", []string{ruleMessageSigningNone}, nil},
			{"accept request objects signed with PS256, ES256 or EdDSA only", "FAPI 2.0 SP §5.4.1-1", []string{ruleRequestAlgUndeclared}, namesRequestAlg},
			{"if requests are signed, require the issuer identifier in aud of request objects, and limit them to 60 minutes from nbf to exp", "FAPI 2.0 MS §5.3.1-2 to -4", nil, nil},
		}, securityObligations()...)
	default:
		return nil
	}
}

// securityObligations lists what the FAPI 2.0 Security Profile demands.
func securityObligations() []Obligation {
	return []Obligation{
		{"accept authorization requests only if the authenticated client pushed them (PAR)", "FAPI 2.0 SP §5.3.2.2-2 to -4", []string{rulePARUndeclared}, nil},
		{"require PKCE with S256", "FAPI 2.0 SP §5.3.2.2-5", []string{rulePKCEUndeclared}, nil},
		{"issue only sender-constrained access tokens, by mTLS or DPoP", "FAPI 2.0 SP §5.3.2.1-4", []string{ruleSenderConstraintUndeclared}, nil},
		{"sign ID tokens with PS256, ES256 or EdDSA", "FAPI 2.0 SP §5.4.1-1", []string{ruleIDTokenAlgUndeclared}, signsIDTokens},
		{"require redirect_uri in the pushed request", "FAPI 2.0 SP §5.3.2.2-6", nil, nil},
		{"return iss in the authorization response", "FAPI 2.0 SP §5.3.2.2-7", nil, nil},
		{"limit authorization codes to 60 seconds, and reject those that were used before", "FAPI 2.0 SP §5.3.2.1-11, §5.3.2.2-9", nil, nil},
		{"limit the request_uri of pushed requests to less than 600 seconds", "FAPI 2.0 SP §5.3.2.2-12", nil, nil},
		{"accept only the issuer identifier, as a string, in aud of client assertions", "FAPI 2.0 SP §5.3.2.1-8", nil, nil},
		{"use TLS for all connections", "FAPI 2.0 SP §5.2.1", nil, nil},
	}
}

func requiresPKCE(s *Settings) bool { return s.RequirePKCE }

func namesRequestAlg(s *Settings) bool { return s.RequestObject.Signing != "" }

// signsIDTokens reports whether the algorithm of ID tokens is set, or the client cannot
// receive any. Without scopes it may request openid.
func signsIDTokens(s *Settings) bool {
	return s.IDToken.Signing != "" || len(s.Scopes) > 0 && !slices.Contains(s.Scopes, scopeOpenID)
}
