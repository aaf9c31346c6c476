package domain

import "slices"

// settleMethod decides on the authentication method. One that is omitted is
// client_secret_basic (RFC 7591 §2). If the policy, or the profile, does not allow the
// method, the first one that they allow and that the metadata satisfy replaces it. none
// replaces a method that the client named only if PKCE is required, because the client
// loses its authentication.
//
// For a document an omitted method is none, and nothing is replaced: the client would not
// learn of it.
func (in *intake) settleMethod() {
	s := &in.settings
	if in.locked.Has(FieldAuthMethods) {
		if len(s.AuthMethods) > 0 {
			s.Confidential = s.AuthMethods[0] != AuthNone
		}
		return
	}
	defer func() { s.Confidential = s.AuthMethods[0] != AuthNone }()
	named := in.given.Has(FieldAuthMethods)
	if in.document && !named {
		s.AuthMethods = []AuthMethod{AuthNone}
		in.warn(ruleDocumentMethod, FieldAuthMethods.pointer(), "the method is read as none; name it in the document")
	}
	method := s.AuthMethods[0]
	switch {
	case in.document && (method.usesSecret() || !in.allows(method)):
		in.rejectDocumentMethod(method)
		return
	case in.allows(method):
		return
	}
	i := slices.IndexFunc(in.policy.AuthMethods, func(m AuthMethod) bool {
		return in.allows(m) && in.satisfies(m) && (m != AuthNone || !named || s.RequirePKCE)
	})
	if i < 0 {
		in.reject(ruleMethodReplaced, FieldAuthMethods.pointer(),
			"the policy does not allow %s, and no method that it allows fits the metadata; use one that it allows, with the keys that it needs", quoted(method))
		return
	}
	s.AuthMethods = []AuthMethod{in.policy.AuthMethods[i]}
	in.warn(ruleMethodReplaced, FieldAuthMethods.pointer(), "the policy does not allow %s; %s is registered", quoted(method), s.AuthMethods[0])
}

// allows reports whether the policy and the profile of the client allow the method.
func (in *intake) allows(m AuthMethod) bool {
	profile, _ := in.settings.Profile.ValidatedAs()
	switch {
	case !slices.Contains(in.policy.AuthMethods, m):
		return false
	case in.server.lacks(FieldAuthMethods, string(m)) && !isNotListed(FieldAuthMethods, string(m)):
		return false
	case (inAdvanced|inFAPI2)&profile.bit() != 0:
		return m.usesKey()
	case inBaseline&profile.bit() != 0:
		return !m.usesSecret()
	default:
		return true
	}
}

// satisfies reports whether the metadata have what the method needs.
func (in *intake) satisfies(m AuthMethod) bool {
	s := &in.settings
	switch m {
	case AuthNone:
		return !s.hasGrant(GrantClientCredentials) && !s.usesCIBA()
	case AuthPrivateKeyJWT, AuthSelfSignedTLS:
		return !s.Keys.IsNone()
	case AuthTLS:
		return slices.ContainsFunc(tlsSubjects(), in.given.Has)
	default:
		return true
	}
}
