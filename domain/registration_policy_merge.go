package domain

import (
	"cmp"
	"slices"
)

// defaultMaxClients limits the clients of a tenant that registered themselves, unless its
// policy has another limit.
const defaultMaxClients = 1000

// WithDefaults returns the policy in which everything that has a default is given. It
// removes what no client can register itself: extension grants (RFC 6749 §4.5), and
// client_secret_jwt, which needs the value of a secret.
//
// An open policy allows no more than authorization_code, refresh_token, none and
// private_key_jwt, and requires PKCE: anyone may register such a client.
func (p RegistrationPolicy) WithDefaults() RegistrationPolicy {
	grants := []GrantType{GrantAuthorizationCode, GrantRefreshToken}
	p.Grants = only(orDefault(p.Grants, grants), GrantType.registrable)
	methods := []AuthMethod{AuthNone, AuthSecretBasic, AuthSecretPost, AuthPrivateKeyJWT}
	p.AuthMethods = only(orDefault(p.AuthMethods, methods), AuthMethod.registrable)
	p.RedirectKinds = orDefault(p.RedirectKinds, RedirectKinds())
	if p.Open {
		p.Grants = common(grants, p.Grants)
		p.AuthMethods = common([]AuthMethod{AuthNone, AuthPrivateKeyJWT}, p.AuthMethods)
		p.RequirePKCE = true
	}
	p.InitialStatus = cmp.Or(p.InitialStatus, StatusActive)
	p.LinkHosts = cmp.Or(p.LinkHosts, LinkHostsWarn)
	p.Statement = cmp.Or(p.Statement, StatementNone)
	p.MaxClients = cmp.Or(p.MaxClients, defaultMaxClients)
	return p
}

// registrable reports whether a policy can allow the grant to clients that register
// themselves.
func (g GrantType) registrable() bool { return g.known() }

// registrable reports whether a policy can allow the method to clients that register
// themselves.
func (m AuthMethod) registrable() bool { return m.known() && m != AuthSecretJWT }

// Narrow returns the policy of which a client must meet both p and by. It is never wider
// than p: lists are intersected, flags are true if they are in either, and the stricter of
// two limits applies. What p writes to clients has precedence. Open, CORS and UnusedTTL are
// those of p. The result is with defaults.
func (p RegistrationPolicy) Narrow(by RegistrationPolicy) RegistrationPolicy {
	p = p.WithDefaults()
	for _, key := range policyKeys() {
		key.narrow(&p, &by)
	}
	return p
}

// Beyond returns a violation for each key of by that allows more than p. An initial access
// token can only narrow the policy of its tenant. The pointers are "/" and the key.
func (p RegistrationPolicy) Beyond(by RegistrationPolicy) Findings {
	p = p.WithDefaults()
	var findings Findings
	for _, key := range policyKeys() {
		if message := key.beyond(&p, &by); message != "" {
			findings = append(findings, RegistrationFinding(RuleRegistrationPolicy, "/"+key.name, message))
		}
	}
	return findings
}

// orDefault returns the list, or the default if it is not given.
func orDefault[S any](list, otherwise []S) []S {
	if list == nil {
		return otherwise
	}
	return list
}

// only returns the elements that are allowed, in their order.
func only[S any](list []S, allowed func(S) bool) []S {
	return slices.DeleteFunc(slices.Clone(list), func(s S) bool { return !allowed(s) })
}

// common returns the elements that both lists have, in the order of b. A nil list is not
// given and has everything.
func common[S comparable](a, b []S) []S {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	list := []S{}
	for _, s := range b {
		if slices.Contains(a, s) && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// commonResponseTypes is [common] for response types, whose words have no order.
func commonResponseTypes(a, b []ResponseType) []ResponseType {
	if a == nil || b == nil {
		return common(a, b)
	}
	list := []ResponseType{}
	for _, t := range b {
		if hasResponseType(a, t) && !hasResponseType(list, t) {
			list = append(list, t)
		}
	}
	return list
}

func hasResponseType(list []ResponseType, t ResponseType) bool {
	return slices.ContainsFunc(list, func(other ResponseType) bool { return wordsOf(other) == wordsOf(t) })
}

// strengthens reports whether the profile requires everything that the other one requires,
// and more.
func (p Profile) strengthens(other Profile) bool {
	switch other {
	case ProfileNone:
		return p != ProfileNone
	case ProfileFAPI1:
		return p == ProfileFAPI1Baseline || p == ProfileFAPI1Advanced
	case ProfileFAPI1Baseline:
		return p == ProfileFAPI1Advanced
	case ProfileFAPI2:
		return p == ProfileFAPI2Security || p == ProfileFAPI2MessageSigning
	case ProfileFAPI2Security:
		return p == ProfileFAPI2MessageSigning
	default:
		return false
	}
}
