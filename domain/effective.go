package domain

import "slices"

// Effective returns the settings that an authorization server is to apply for a client:
// unset fields are filled with the defaults of the specifications. It is for reading
// only; stored settings and rules do not use it.
//
// The application type is native if there is a redirect URI and all of them are at a
// loopback address or have a custom scheme;
// response types follow from the grant types (RFC 7591 §2.1). Fields without a default
// stay unset, which means: not restricted, or not used.
func (*Rulebook) Effective(settings Settings) Settings {
	e := &settings
	if len(e.ResponseTypes) == 0 {
		switch code, implicit := e.hasGrant(GrantAuthorizationCode), e.hasGrant(GrantImplicit); {
		case code && implicit:
			e.ResponseTypes = []ResponseType{"code", "code id_token"}
		case code:
			e.ResponseTypes = []ResponseType{"code"}
		case implicit:
			e.ResponseTypes = []ResponseType{"id_token"}
		}
	}
	if e.ApplicationType == "" {
		isWeb := func(raw RedirectURI) bool {
			u := parseURI(string(raw))
			return u.isWeb() && !u.isLoopback()
		}
		e.ApplicationType = ApplicationNative
		if len(e.RedirectURIs) == 0 || slices.ContainsFunc(e.RedirectURIs, isWeb) {
			e.ApplicationType = ApplicationWeb
		}
	}
	if e.SubjectType == "" {
		e.SubjectType = SubjectPublic
	}
	for _, algorithms := range []*Algorithms{&e.IDToken, &e.Introspection, &e.Authorization} {
		if algorithms.Signing == "" {
			algorithms.Signing = "RS256"
		}
	}
	if e.CIBA.DeliveryMode == "" && e.hasGrant(GrantCIBA) {
		e.CIBA.DeliveryMode = DeliveryPoll
	}
	e.RequirePKCE = e.RequirePKCE || !e.Confidential
	return settings
}
