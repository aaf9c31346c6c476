package domain

import "slices"

// UsableMethods returns the authentication methods that clients under the policy, which is with
// defaults, can have: those that also its profile allows.
func (p RegistrationPolicy) UsableMethods() []AuthMethod {
	return only(p.AuthMethods, p.Profile.allowsMethod)
}

// AdmitsDocuments reports whether a client ID metadata document can be used under the policy, which
// is with defaults: the document is public, so its client has no shared secret.
func (p RegistrationPolicy) AdmitsDocuments() bool {
	return slices.ContainsFunc(p.UsableMethods(), func(m AuthMethod) bool { return !m.usesSecret() })
}

// UsableResponseTypes returns the response types that clients under the policy, which is with
// defaults, can have: those that also its grants and its profile allow; nil if neither the policy
// nor the profile restricts them.
func (p RegistrationPolicy) UsableResponseTypes() []ResponseType {
	if p.ResponseTypes == nil && p.Profile == ProfileNone {
		return nil
	}
	client := Settings{GrantTypes: p.Grants, Profile: p.Profile}
	return only(orDefault(p.ResponseTypes, knownResponseTypes()), func(t ResponseType) bool {
		return t.known() && p.Profile.allowsResponseType(t) && client.redirects() && client.missingGrant(t) == ""
	})
}

// hasCode reports whether the authorization response has a code.
func (t ResponseType) hasCode() bool { return wordsOf(t).has(wordCode) }

// CheckUsable returns a violation for each key of the policy because of which no client can be
// registered, or, if all its grants redirect, because of which none of these can be used. The
// pointers are "/" and the key.
func (p RegistrationPolicy) CheckUsable() Findings {
	p = p.WithDefaults()
	var findings Findings
	check := func(broken bool, key, message string) {
		if broken {
			findings = append(findings, RegistrationFinding(RuleRegistrationPolicy, "/"+key, message))
		}
	}
	none := func(list []string) bool { return list != nil && len(list) == 0 }
	check(p.uselessGrants() != "", "grants", p.uselessGrants())
	check(p.uselessMethods() != "", "auth_methods", p.uselessMethods())
	if len(p.Grants) > 0 && !slices.ContainsFunc(p.Grants, func(g GrantType) bool { return !g.redirects() && g != GrantRefreshToken }) {
		types := p.UsableResponseTypes()
		check(len(p.RedirectKinds) == 0, "redirect_kinds", "no client can be registered: every grant needs a redirect URI; allow a kind of them")
		check(none(p.RedirectHosts), "redirect_hosts", "no client can be registered: every grant needs a redirect URI; allow a host of them")
		check(types != nil && len(types) == 0, "response_types", "no client can be registered: the grants and the profile allow none of these; allow a response type that they do")
		needsCode := !slices.Contains(p.Grants, GrantImplicit)
		check(len(types) > 0 && needsCode && !slices.ContainsFunc(types, ResponseType.hasCode), "response_types",
			"no client can be registered: authorization_code needs a response type with code; allow one")
	}
	check(none(p.Resources), "resources", "no client can be registered: without a resource there is none to write; omit the key, or list one")
	check(p.Statement == StatementRequired && none(p.Issuers), "issuers", "no client can be registered: a statement is required, and no issuer is allowed")
	return findings
}

// uselessGrants returns why no client can have a grant of the policy, which is with defaults; ""
// if one can.
func (p RegistrationPolicy) uselessGrants() string {
	switch {
	case len(p.Grants) == 0 && p.Open:
		return "no client can be registered: open registration allows authorization_code and refresh_token only"
	case len(p.Grants) == 0:
		return "no client can be registered: no grant is allowed that a client can register"
	case !slices.ContainsFunc(p.Grants, func(g GrantType) bool { return g != GrantRefreshToken }):
		return "no client can be registered: refresh_token needs another grant, which issues refresh tokens"
	default:
		return ""
	}
}

// uselessMethods returns why no client can have an authentication method of the policy, which is
// with defaults; "" if one can.
func (p RegistrationPolicy) uselessMethods() string {
	usable := p.UsableMethods()
	confidential := func(g GrantType) bool { return g == GrantClientCredentials || g == GrantCIBA || g == GrantRefreshToken }
	switch {
	case len(p.AuthMethods) == 0 && p.Open:
		return "no client can be registered: open registration allows none and private_key_jwt only"
	case len(p.AuthMethods) == 0:
		return "no client can be registered: no method is allowed that a client can register; client_secret_jwt is none"
	case len(usable) == 0:
		return "no client can be registered: the profile " + string(p.Profile) + " allows none of these methods"
	case !slices.ContainsFunc(usable, func(m AuthMethod) bool { return m != AuthNone }) && !slices.ContainsFunc(p.Grants, func(g GrantType) bool { return !confidential(g) }):
		return "no client can be registered: every grant needs a client that authenticates, and only none is allowed"
	default:
		return ""
	}
}
