package domain

import "slices"

// Defaults of the specifications for fields that are unset.
const (
	defaultSigningAlg = "RS256"         // OIDC Registration §2, RFC 9701 §6, JARM §3
	defaultEncryption = "A128CBC-HS256" // the same
	defaultProfileAlg = "PS256"         // one of those that FAPI allows
)

// Effective returns the settings that an authorization server is to apply for a client:
// unset fields are filled with the defaults of the specifications and with what the
// client's FAPI profile requires at least. It is for reading only; stored settings and
// rules do not use it, except where a rule says so.
//
// A value that is set is not changed, except a userinfo_signed_response_alg of none, which
// becomes unset: both mean plain JSON, but not all servers accept none. A value below the minimum of the profile is a
// violation of a rule, which is reported and not hidden here. For truth values false is
// unset, so a profile sets them to true:
//
//   - require_signed_request_object and tls_client_certificate_bound_access_tokens in
//     fapi1-advanced (FAPI 1.0 Part 2 §5.2.2-1, -5, -6),
//   - require_pushed_authorization_requests in FAPI 2.0 (SP §5.3.2.2-2 to -4),
//   - require_pkce for public clients (RFC 9700 §2.1.1), in fapi1-baseline (Part 1
//     §5.2.2-7), in FAPI 2.0 (SP §5.3.2.2-5), and in fapi1-advanced with pushed
//     authorization requests (Part 2 §5.2.2-18).
//
// Signature algorithms are RS256 if unset, and [Policy.ProfileSigningAlg] in the profiles
// that do not allow RS256 (FAPI 1.0 Part 2 §8.6, FAPI 2.0 SP §5.4.1). Fields without a
// default stay unset, which means: not restricted, or not used. An unset
// userinfo_signed_response_alg means plain JSON.
func (b *Rulebook) Effective(settings Settings) Settings {
	e := &settings
	profile, _ := e.Profile.ValidatedAs()
	in := func(set profileSet) bool { return set&profile.bit() != 0 }

	fill(&e.ApplicationType, e.effectiveApplicationType())
	fill(&e.SubjectType, SubjectPublic)
	e.ResponseTypes = e.effectiveResponseTypes()

	if e.UserInfo.Signing == algNone {
		e.UserInfo.Signing = ""
	}
	signing := defaultSigningAlg
	if in(inAdvanced | inFAPI2) {
		signing = b.policy.ProfileSigningAlg
	}
	for _, algorithms := range []*Algorithms{&e.IDToken, &e.Introspection, &e.Authorization} {
		fill(&algorithms.Signing, signing)
	}
	for _, algorithms := range []*Algorithms{&e.IDToken, &e.UserInfo, &e.Introspection, &e.Authorization, &e.RequestObject} {
		if algorithms.KeyManagement != "" {
			fill(&algorithms.Content, defaultEncryption)
		}
	}

	e.RequireSignedRequestObject = e.RequireSignedRequestObject || in(inAdvanced)
	e.CertificateBound = e.CertificateBound || in(inAdvanced)
	e.RequirePAR = e.RequirePAR || in(inFAPI2)
	e.RequirePKCE = e.RequirePKCE || !e.Confidential || in(inBaseline|inFAPI2) || in(inAdvanced) && e.RequirePAR

	if e.hasGrant(GrantCIBA) {
		fill(&e.CIBA.DeliveryMode, DeliveryPoll)
	}
	if e.hasGrant(GrantRefreshToken) {
		switch {
		case in(inFAPI2):
			fill(&e.RefreshTokenRotation, RefreshReuse)
		case !e.Confidential && !e.DPoPBound && !e.CertificateBound:
			fill(&e.RefreshTokenRotation, RefreshRotate)
		}
	}
	return settings
}

// fill sets a field that is unset.
func fill[S ~string](field *S, to S) {
	if *field == "" {
		*field = to
	}
}

// effectiveResponseTypes returns the response types that the client may use: those that
// are set, or those that follow from its grant types. An access token from the
// authorization endpoint does not follow from the implicit grant alone (RFC 9700 §2.1.2).
func (s *Settings) effectiveResponseTypes() []ResponseType {
	switch code, implicit := s.hasGrant(GrantAuthorizationCode), s.hasGrant(GrantImplicit); {
	case len(s.ResponseTypes) > 0:
		return s.ResponseTypes
	case code && implicit:
		return []ResponseType{ResponseType(responseCode), ResponseType(responseCodeIDToken)}
	case code:
		return []ResponseType{ResponseType(responseCode)}
	case implicit:
		return []ResponseType{ResponseType(responseIDToken)}
	default:
		return nil
	}
}

// effectiveApplicationType is native if there is a redirect URI, and all of them are at a
// loopback address or have a custom scheme. OIDC Registration §2 has web as the default,
// which would reject native apps that do not set the type.
func (s *Settings) effectiveApplicationType() ApplicationType {
	isNative := func(raw RedirectURI) bool {
		u := parseURI(string(raw))
		return isPrivateUse(&u) || u.isWeb() && u.isLoopback()
	}
	if len(s.RedirectURIs) == 0 || slices.ContainsFunc(s.RedirectURIs, func(raw RedirectURI) bool { return !isNative(raw) }) {
		return ApplicationWeb
	}
	return ApplicationNative
}
