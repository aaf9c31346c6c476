package domain

import (
	"slices"
	"strings"
)

// beyondPolicy is why a value is left out.
const beyondPolicy = "it is unknown here, or the policy does not allow it"

// settleWords replaces words of other systems that have an equivalent here.
func (in *intake) settleWords() {
	s := &in.settings
	switch s.ApplicationType {
	case "mobile":
		replaceText(in, FieldApplicationType, &s.ApplicationType, ApplicationNative)
	case "browser", "service":
		replaceText(in, FieldApplicationType, &s.ApplicationType, "")
	default:
	}
	if s.RequestObject.Signing == "any" {
		replaceText(in, FieldRequestObjectSigningAlg, &s.RequestObject.Signing, "")
	}
	if s.AuthSigningAlg == algNone {
		replaceText(in, FieldAuthSigningAlg, &s.AuthSigningAlg, "")
	}
}

// replaceText replaces the value of the field, unless an administrator set it.
func replaceText[S ~string](in *intake, f Field, value *S, by S) {
	switch {
	case in.locked.Has(f):
		return
	case by == "":
		in.warn(ruleValueReplaced, f.pointer(), "%s has no meaning here and is left unset", quoted(*value))
	default:
		in.warn(ruleValueReplaced, f.pointer(), "%s is registered as %s", quoted(*value), by)
	}
	*value = by
}

// settleGrants removes the grants that the policy does not allow. A client that names none
// gets authorization_code (RFC 7591 §2), or else the first grant that the policy allows
// and that works alone.
func (in *intake) settleGrants() {
	s := &in.settings
	allowed := func(g GrantType) bool {
		return slices.Contains(in.policy.Grants, g) && !in.server.lacks(FieldGrantTypes, string(g))
	}
	if in.given.Has(FieldGrantTypes) || in.locked.Has(FieldGrantTypes) {
		s.GrantTypes = filter(in, FieldGrantTypes, s.GrantTypes, beyondPolicy, allowed)
		return
	}
	if allowed(GrantAuthorizationCode) {
		return
	}
	i := slices.IndexFunc(in.policy.Grants, func(g GrantType) bool { return g != GrantRefreshToken && allowed(g) })
	if i < 0 {
		in.reject(ruleNotAllowed, FieldGrantTypes.pointer(), "the policy does not allow authorization_code, which is the default; name grant types that it allows")
		return
	}
	s.GrantTypes = []GrantType{in.policy.Grants[i]}
	in.warn(ruleValueReplaced, FieldGrantTypes.pointer(), "the policy does not allow authorization_code, which is the default; %s is registered", s.GrantTypes[0])
}

// settleResponseTypes removes the response types that the client cannot use. Without a
// grant that redirects none is left; otherwise the last one is kept, for the rules.
func (in *intake) settleResponseTypes() {
	s := &in.settings
	if len(s.ResponseTypes) == 0 || in.locked.Has(FieldResponseTypes) {
		return
	}
	if !s.redirects() {
		in.warn(ruleValueReplaced, FieldResponseTypes.pointer(), "no grant type of this client uses the authorization endpoint, so it has no response types")
		s.ResponseTypes = nil
		return
	}
	s.ResponseTypes = filter(in, FieldResponseTypes, s.ResponseTypes, beyondPolicy, func(t ResponseType) bool {
		return t.known() && (in.policy.ResponseTypes == nil || hasResponseType(in.policy.ResponseTypes, t)) &&
			!in.server.lacks(FieldResponseTypes, string(t))
	})
	if slices.ContainsFunc(s.ResponseTypes, s.canUse) {
		s.ResponseTypes = filter(in, FieldResponseTypes, s.ResponseTypes, "the grant types or the profile of this client do not allow it", s.canUse)
	}
}

// canUse reports whether the grants and the profile of the client allow the response type.
func (s *Settings) canUse(t ResponseType) bool {
	profile, _ := s.Profile.ValidatedAs()
	words := wordsOf(t)
	switch {
	case words.has(wordCode) && !s.hasGrant(GrantAuthorizationCode):
		return false
	case inFAPI2&profile.bit() != 0:
		return words == responseCode
	case inFAPI1&profile.bit() != 0:
		return words == responseCode || words == responseCodeIDToken
	case words.has(wordToken) || words == responseIDToken || words == responseCodeIDToken:
		return s.hasGrant(GrantImplicit)
	default:
		return true
	}
}

// settleWordLists removes the response modes, contexts of authentication and types of
// authorization details that are unknown or not allowed.
func (in *intake) settleWordLists() {
	s := &in.settings
	s.ResponseModes = filter(in, FieldResponseModes, s.ResponseModes, beyondPolicy, func(m ResponseMode) bool {
		return in.server.supports(FieldResponseModes, string(m)) || m.known() && !in.server.lacks(FieldResponseModes, string(m))
	})
	s.DefaultACRValues = filter(in, FieldDefaultACRValues, s.DefaultACRValues, beyondPolicy, func(acr string) bool {
		return !in.server.lacks(FieldDefaultACRValues, acr)
	})
	types := in.policy.AuthorizationDetailsTypes
	s.AuthorizationDetailsTypes = filter(in, FieldAuthorizationDetailsTypes, s.AuthorizationDetailsTypes, beyondPolicy, func(t string) bool {
		return (types == nil || slices.Contains(types, t)) && !in.server.lacks(FieldAuthorizationDetailsTypes, t)
	})
}

// settleScopes removes the scopes that the policy does not allow. A client that requests
// none gets the default ones, not all.
func (in *intake) settleScopes() {
	s := &in.settings
	if !in.given.Has(FieldScopes) && !in.locked.Has(FieldScopes) {
		s.Scopes = slices.Clone(in.policy.DefaultScopes)
	}
	s.Scopes = filter(in, FieldScopes, s.Scopes, beyondPolicy, func(scope Scope) bool {
		return scope.IsWellFormed() && (in.policy.Scopes == nil || slices.Contains(in.policy.Scopes, scope))
	})
}

// settleApplicationType makes a web client native if it is an app: a public client with a
// redirect URI whose scheme is that of an app.
func (in *intake) settleApplicationType() {
	s := &in.settings
	private := func(raw RedirectURI) bool {
		u := parseURI(string(raw))
		return isPrivateUse(&u)
	}
	if s.ApplicationType == ApplicationWeb && !s.Confidential && slices.ContainsFunc(s.RedirectURIs, private) {
		replaceText(in, FieldApplicationType, &s.ApplicationType, ApplicationNative)
	}
}

// setForced sets what the policy forces in the client's half.
func (in *intake) setForced() {
	for f, forced := range map[Field]bool{
		FieldRequirePAR:                 in.policy.PAR,
		FieldDPoPBound:                  in.policy.DPoP,
		FieldCertificateBound:           in.policy.MTLS,
		FieldRequireSignedRequestObject: in.policy.SignedRequests,
	} {
		if on := Flag(true); forced && !in.locked.Has(f) {
			f.Of(&in.settings).set(&on)
		}
	}
	if in.policy.Resources != nil && len(in.policy.Resources) == 0 {
		in.reject(ruleNotAllowed, FieldResources.pointer(), "the policy of the token and that of the tenant have no resource in common")
	}
}

// settleName makes up a name for a client without one.
func (in *intake) settleName() {
	if in.settings.Name != "" || in.locked.Has(FieldName) {
		return
	}
	in.madeUpName = true
	in.settings.Name = in.makeUpName()
	in.warnMadeUpName()
}

func (in *intake) warnMadeUpName() {
	in.warn(in.nameRule(), FieldName.pointer(), "the client has no name; %s is shown in its place", quoted(in.settings.Name))
}

func (in *intake) nameRule() string {
	if in.document {
		return ruleDocumentName
	}
	return ruleNameMadeUp
}

// makeUpName returns the host of the first redirect URI, else the software_id, else the
// client_id; for a document, the host of the client_id, which is the only part that is
// verified.
func (in *intake) makeUpName() string {
	uris := in.settings.RedirectURIs
	if in.document {
		uris = []RedirectURI{RedirectURI(in.id)}
	}
	for _, raw := range uris {
		if u := parseURI(string(raw)); u.isWeb() && u.hostFault() == "" {
			return strings.ToLower(u.host)
		}
	}
	if id := in.settings.SoftwareID; hasVisible(id) && nameFault(id) == "" {
		return id
	}
	return string(in.id)
}
