package domain

import (
	"slices"
	"strings"
)

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
	fault := in.methodFault(method)
	switch {
	case in.document && (method.usesSecret() || fault != ""):
		in.rejectDocumentMethod(method)
		return
	case fault == "":
		return
	}
	replaces := func(m AuthMethod) bool {
		return in.methodFault(m) == "" && in.satisfies(m) && (m != AuthNone || !named || s.RequirePKCE)
	}
	i := slices.IndexFunc(in.policy.AuthMethods, replaces)
	if i < 0 {
		in.reject(ruleMethodReplaced, FieldAuthMethods.pointer(), "%s, and %s", fault, in.whyNoMethod())
		return
	}
	s.AuthMethods = []AuthMethod{in.policy.AuthMethods[i]}
	in.warn(ruleMethodReplaced, FieldAuthMethods.pointer(), "%s; %s is registered", fault, s.AuthMethods[0])
}

// whyNoMethod returns why no method replaces the one that is not allowed.
func (in *intake) whyNoMethod() string {
	var needs []string
	for _, m := range in.policy.AuthMethods {
		switch {
		case in.methodFault(m) != "":
		case in.satisfies(m): // none, see settleMethod
			return "none replaces a method that is named only if the policy requires PKCE; name none"
		default:
			needs = append(needs, string(m)+" ("+m.needs()+")")
		}
	}
	if len(needs) == 0 {
		return "there is no method that policy, profile and authorization server allow"
	}
	return "the metadata do not have what another method needs: " + strings.Join(needs, ", ")
}

// needs names the metadata without which a client cannot have the method, see
// [intake.satisfies].
func (m AuthMethod) needs() string {
	switch m {
	case AuthNone:
		return "no client_credentials and no CIBA"
	case AuthTLS:
		return "one tls_client_auth_* member"
	default:
		return "jwks or jwks_uri"
	}
}

// methodFault returns why the client cannot have the method; "" if it can.
func (in *intake) methodFault(m AuthMethod) string {
	unsupported := in.server.lacks(FieldAuthMethods, string(m)) && !isNotListed(FieldAuthMethods, string(m))
	switch {
	case !m.known():
		return quoted(m) + " is unknown here"
	case !slices.Contains(in.policy.AuthMethods, m):
		return "the policy does not allow " + quoted(m)
	case unsupported:
		return "the authorization server does not support " + quoted(m)
	case !in.settings.Profile.allowsMethod(m):
		return "the profile " + string(in.settings.Profile) + " does not allow " + quoted(m)
	default:
		return ""
	}
}

// allowsMethod reports whether the profile allows the authentication method.
func (p Profile) allowsMethod(m AuthMethod) bool {
	profile, _ := p.ValidatedAs()
	switch {
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
