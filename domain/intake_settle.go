package domain

import (
	"cmp"
	"slices"
	"strings"
)

// Why a value is left out.
const (
	unknownHere  = "it is unknown here"
	malformed    = "it does not have the form of a scope"
	beyondPolicy = "the policy does not allow it"
	beyondServer = "the authorization server does not support it"
)

// reasonOf returns why a value is left out; "" if it is not.
func reasonOf(known, allowed, supported bool) string {
	switch {
	case !known:
		return unknownHere
	case !allowed:
		return beyondPolicy
	default:
		return when(!supported, beyondServer)
	}
}

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
	allowed := func(g GrantType) bool { return in.grantFault(g) == "" }
	if in.given.Has(FieldGrantTypes) || in.locked.Has(FieldGrantTypes) {
		s.GrantTypes = filter(in, FieldGrantTypes, s.GrantTypes, in.grantFault)
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

func (in *intake) grantFault(g GrantType) string {
	return reasonOf(g.known(), slices.Contains(in.policy.Grants, g), !in.server.lacks(FieldGrantTypes, string(g)))
}

// settleResponseTypes removes the response types that the client cannot use. Without a
// grant that redirects none is left; otherwise those are kept, for the rules, for which the
// client could add a grant.
func (in *intake) settleResponseTypes() {
	s := &in.settings
	switch {
	case in.locked.Has(FieldResponseTypes):
		return
	case len(s.ResponseTypes) == 0:
		in.settleImpliedResponseTypes()
		return
	case !s.redirects():
		in.warn(ruleValueReplaced, FieldResponseTypes.pointer(), "no grant type of this client uses the authorization endpoint, so it has no response types")
		s.ResponseTypes = nil
		return
	}
	s.ResponseTypes = filter(in, FieldResponseTypes, s.ResponseTypes, in.responseTypeFault)
	if in.responseTypeFault(s.ResponseTypes[0]) != "" {
		s.ResponseTypes = nil // rejected; the rules would advise what the policy does not allow
		return
	}
	if slices.ContainsFunc(s.ResponseTypes, func(t ResponseType) bool { return s.missingGrant(t) == "" }) {
		s.ResponseTypes = filter(in, FieldResponseTypes, s.ResponseTypes, func(t ResponseType) string {
			missing := s.missingGrant(t)
			return when(missing != "", "it needs the grant type "+string(missing))
		})
	}
}

// settleImpliedResponseTypes keeps the response types unset if those that follow from the grants
// are allowed. Otherwise it sets those that are, or else all that the client can use.
func (in *intake) settleImpliedResponseTypes() {
	s := &in.settings
	implied, ceiling := s.effectiveResponseTypes(), in.policy.ResponseTypes
	beyond := func(t ResponseType) bool { return !hasResponseType(ceiling, t) }
	if ceiling == nil || !slices.ContainsFunc(implied, beyond) {
		return
	}
	usable := func(t ResponseType) bool { return in.responseTypeFault(t) == "" && s.missingGrant(t) == "" }
	types := only(implied, usable)
	if len(types) == 0 {
		types = only(ceiling, usable)
	}
	if s.hasGrant(GrantAuthorizationCode) && !slices.ContainsFunc(types, ResponseType.hasCode) {
		types = nil
	}
	replaced := implied[slices.IndexFunc(implied, beyond)]
	if len(types) == 0 {
		in.reject(ruleNotAllowed, FieldResponseTypes.pointer(),
			"the policy does not allow %s, which follows from the grant types; name a response type that it allows, with its grant types: %s", quoted(replaced), quotedList(ceiling))
		return
	}
	for _, t := range types {
		s.ResponseTypes = append(s.ResponseTypes, ResponseType(wordsOf(t)))
	}
	in.warn(ruleValueReplaced, FieldResponseTypes.pointer(), "the policy does not allow %s, which follows from the grant types; of those that it allows are registered: %s",
		quoted(replaced), quotedList(s.ResponseTypes))
}

// responseTypeFault returns why the client cannot have the response type, whatever its grants;
// "" if it can.
func (in *intake) responseTypeFault(t ResponseType) string {
	s := &in.settings
	allowed := in.policy.ResponseTypes == nil || hasResponseType(in.policy.ResponseTypes, t)
	if reason := reasonOf(t.known(), allowed, !in.server.lacks(FieldResponseTypes, string(t))); reason != "" {
		return reason
	}
	if !s.Profile.allowsResponseType(t) {
		return "the profile " + string(s.Profile) + " does not allow it"
	}
	missing := s.missingGrant(t)
	if missing == "" || in.locked.Has(FieldGrantTypes) {
		return ""
	}
	switch in.grantFault(missing) {
	case "":
		return ""
	case beyondServer:
		return "it needs the grant type " + string(missing) + ", and the authorization server does not support it"
	default:
		return "it needs the grant type " + string(missing) + ", and the policy does not allow it"
	}
}

// allowsResponseType reports whether the profile allows the response type.
func (p Profile) allowsResponseType(t ResponseType) bool {
	profile, _ := p.ValidatedAs()
	switch words := wordsOf(t); {
	case inFAPI2&profile.bit() != 0:
		return words == responseCode
	case inFAPI1&profile.bit() != 0:
		return words == responseCode || words == responseCodeIDToken
	default:
		return true
	}
}

// missingGrant returns the grant that the response type needs and that the client does not
// have; "" if there is none.
func (s *Settings) missingGrant(t ResponseType) GrantType {
	profile, _ := s.Profile.ValidatedAs()
	words := wordsOf(t)
	implicit := words.has(wordToken) || words == responseIDToken || words == responseCodeIDToken && inFAPI1&profile.bit() == 0
	switch {
	case words.has(wordCode) && !s.hasGrant(GrantAuthorizationCode):
		return GrantAuthorizationCode
	case implicit && !s.hasGrant(GrantImplicit):
		return GrantImplicit
	default:
		return ""
	}
}

// settleWordLists removes the response modes, contexts of authentication and types of
// authorization details that are unknown or not allowed.
func (in *intake) settleWordLists() {
	s := &in.settings
	s.ResponseModes = filter(in, FieldResponseModes, s.ResponseModes, func(m ResponseMode) string {
		listed := in.server.supports(FieldResponseModes, string(m))
		return reasonOf(m.known() || listed, true, !in.server.lacks(FieldResponseModes, string(m)))
	})
	s.DefaultACRValues = filter(in, FieldDefaultACRValues, s.DefaultACRValues, func(acr string) string {
		return reasonOf(true, true, !in.server.lacks(FieldDefaultACRValues, acr))
	})
	types := in.policy.AuthorizationDetailsTypes
	s.AuthorizationDetailsTypes = filter(in, FieldAuthorizationDetailsTypes, s.AuthorizationDetailsTypes, func(t string) string {
		return reasonOf(true, types == nil || slices.Contains(types, t), !in.server.lacks(FieldAuthorizationDetailsTypes, t))
	})
}

// settleScopes removes the scopes that the policy does not allow. A client that requests
// none gets the default ones, not all; so does the client of a document, which is written for
// every server, if none of its scopes is allowed.
func (in *intake) settleScopes() {
	s := &in.settings
	fault := func(scope Scope) string {
		if !scope.IsWellFormed() {
			return malformed
		}
		return reasonOf(true, in.policy.Scopes == nil || slices.Contains(in.policy.Scopes, scope), true)
	}
	switch {
	case in.locked.Has(FieldScopes):
	case !in.given.Has(FieldScopes):
		s.Scopes = slices.Clone(in.policy.DefaultScopes)
	case in.document && !slices.ContainsFunc(s.Scopes, func(scope Scope) bool { return fault(scope) == "" }):
		in.warn(ruleValueReplaced, FieldScopes.pointer(), "no scope of the document can be registered, so the default scopes of the policy are; of %s: %s", quoted(s.Scopes[0]), fault(s.Scopes[0]))
		s.Scopes = slices.Clone(in.policy.DefaultScopes)
	}
	s.Scopes = filter(in, FieldScopes, s.Scopes, fault)
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
// client_id, or a text in its place if it is not known yet; for a document, the host of the
// client_id, which is the only part that is verified.
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
	return cmp.Or(string(in.id), "client_id")
}
