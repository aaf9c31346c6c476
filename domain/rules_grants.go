package domain

import "slices"

// The rules about grant types: RFC 6749 §4, RFC 7591 §2, RFC 9700 §2.1 and §2.4,
// CIBA Core §7.1, FAPI.
func grantRules() []Rule {
	grants := []Field{FieldGrantTypes}
	grantsAndURIs := []Field{FieldGrantTypes, FieldRedirectURIs, FieldProfile}
	grantsAndType := []Field{FieldGrantTypes, FieldConfidential}
	grantsAndProfile := []Field{FieldGrantTypes, FieldProfile}
	grantsAndMode := []Field{FieldGrantTypes, FieldCIBADeliveryMode}
	return []Rule{
		{
			ID: "grant-type-unknown", Level: Violation, Source: "RFC 7591 §2", needs: grants,
			Summary: "a grant type is unknown",
			check: func(j *candidate, r *report) {
				for i, g := range j.GrantTypes {
					if !g.known() && !slices.Contains(j.policy.GrantTypes, g) {
						r.at(FieldGrantTypes, i, string(g), "%s is not a known grant type", quoted(g))
					}
				}
			},
		},
		{
			ID: "grant-type-duplicate", Level: Violation, Source: "own", needs: grants,
			Summary: "a grant type is listed twice",
			check:   func(j *candidate, r *report) { checkDuplicates(r, FieldGrantTypes, j.GrantTypes) },
		},
		{
			ID: "grant-types-empty", Level: Violation, Source: "RFC 7591 §2; CIBA Core §4", needs: grantsAndMode,
			Summary: "no grant type is listed, and the client does not receive its tokens by CIBA push, which needs none",
			check: func(j *candidate, r *report) {
				if len(j.GrantTypes) == 0 && j.CIBA.DeliveryMode != DeliveryPush {
					r.on(FieldGrantTypes, "a client without a grant type is useless; add at least one. To disable the client, keep its grant types and set status to suspended")
				}
			},
		},
		{
			ID: "grant-needs-redirect-uri", Level: Violation, Source: "RFC 6749 §3.1.2.2, RFC 7591 §2",
			in: everywhere &^ inFAPI2, needs: grantsAndURIs,
			Summary: "authorization_code or implicit is listed without a redirect URI",
			check:   checkRedirectURIPresent,
		},
		{
			ID: "grant-needs-redirect-uri-fapi2", Level: Warning, Source: "FAPI 2.0 SP §5.5",
			in: inFAPI2, needs: grantsAndURIs,
			Summary: "authorization_code or implicit is listed without a redirect URI: FAPI 2.0 takes it from the pushed request, so registration is only recommended",
			check:   checkRedirectURIPresent,
		},
		{
			ID: "redirect-uri-unused", Level: Warning, Source: "RFC 7591 §2", needs: []Field{FieldGrantTypes, FieldRedirectURIs},
			Summary: "redirect URIs are set, but no grant type uses them",
			check: func(j *candidate, r *report) {
				if len(j.RedirectURIs) > 0 && !slices.ContainsFunc(j.GrantTypes, GrantType.redirects) {
					r.on(FieldRedirectURIs, "no grant type of this client uses redirect URIs; remove them, or add authorization_code")
				}
			},
		},
		{
			ID: "grant-password", Level: Violation, Source: "RFC 9700 §2.4", needs: grants,
			Summary: "the password grant is listed",
			check: eachGrant(GrantPassword,
				"the password grant must not be used; use authorization_code, or client_credentials if there is no user"),
		},
		{
			ID: "grant-implicit", Level: Warning, Source: "RFC 9700 §2.1.2", needs: grants,
			Summary: "the implicit grant is listed",
			check:   eachGrant(GrantImplicit, "the implicit grant exposes tokens in the browser; use authorization_code with PKCE"),
		},
		{
			ID: "grant-implicit-alone", Level: Violation, Source: "FAPI 1.0 Part 1 §5.2.2-23; FAPI 1.0 Part 2 §5.2.2-2", in: inFAPI1, needs: grantsAndProfile,
			Summary: "implicit is listed without authorization_code",
			check: func(j *candidate, r *report) {
				if !j.hasGrant(GrantAuthorizationCode) {
					eachGrant(GrantImplicit, "FAPI 1.0 allows implicit only as part of code id_token; add authorization_code, or remove implicit")(j, r)
				}
			},
		},
		{
			ID: "grant-implicit-fapi2", Level: Violation, Source: "FAPI 2.0 SP §5.3.2.2-1", in: inFAPI2, needs: grantsAndProfile,
			Summary: "the implicit grant is listed",
			check:   eachGrant(GrantImplicit, "FAPI 2.0 allows the response type code only; remove implicit"),
		},
		{
			ID: "grant-refresh-alone", Level: Violation, Softens: true,
			Source: "RFC 6749 §4.2.2, §4.4.3; RFC 7521 §4.1", needs: grantsAndMode,
			Summary: "refresh_token is listed without authorization_code, device_code, CIBA (or a delivery mode of it) or token-exchange; a warning if jwt-bearer, saml2-bearer or an extension grant type is listed",
			check:   checkRefreshAlone,
		},
		{
			ID: "grant-client-credentials-public", Level: Violation, Source: "RFC 6749 §4.4", needs: grantsAndType,
			Summary: "client_credentials is listed for a public client",
			check:   publicGrant(GrantClientCredentials, "only a confidential client may use client_credentials; use an authentication method other than none, or remove the grant"),
		},
		{
			ID: "grant-ciba-public", Level: Violation, Source: "CIBA Core §7.1", needs: []Field{FieldGrantTypes, FieldConfidential, FieldCIBADeliveryMode},
			Summary: "CIBA is listed, or backchannel_token_delivery_mode is set, for a public client",
			check: func(j *candidate, r *report) {
				switch {
				case j.Confidential:
				case j.hasGrant(GrantCIBA):
					eachGrant(GrantCIBA, "a CIBA client must be confidential; use an authentication method other than none, or remove the grant")(j, r)
				case j.usesCIBA():
					r.on(FieldCIBADeliveryMode, "a CIBA client must be confidential; use an authentication method other than none, or clear backchannel_token_delivery_mode")
				}
			},
		},
		{
			ID: "grant-token-exchange-public", Level: Warning, Source: "RFC 8693 §2.1", needs: grantsAndType,
			Summary: "token-exchange is listed for a public client",
			check:   publicGrant(GrantTokenExchange, "without client authentication a leaked token can be exchanged by anyone; make the client confidential"),
		},
		{
			ID: "grant-unanalysed", Level: Warning, Source: "FAPI 2.0 SP §5.3.2.1 note 2", in: inFAPI2, needs: grantsAndProfile,
			Summary: "device_code, token-exchange, jwt-bearer or saml2-bearer is listed: FAPI 2.0 has no security analysis of it",
			check: func(j *candidate, r *report) {
				for i, g := range j.GrantTypes {
					switch g {
					case GrantDeviceCode, GrantTokenExchange, GrantJWTBearer, GrantSAML2Bearer:
						r.at(FieldGrantTypes, i, string(g), "FAPI 2.0 has not analysed the security of %s", g)
					default:
					}
				}
			},
		},
		{
			ID: "grant-hybrid-openid", Level: Violation, Source: "FAPI 1.0 Part 2 §5.2.3.1-1", in: inAdvanced,
			needs:   []Field{FieldGrantTypes, FieldScopes, FieldProfile},
			Summary: "implicit is listed with authorization_code, but without the scope openid",
			check: func(j *candidate, r *report) {
				if j.hasGrant(GrantImplicit) && j.hasGrant(GrantAuthorizationCode) && !slices.Contains(j.Scopes, scopeOpenID) {
					r.on(FieldScopes, "the response type code id_token needs the scope openid; add it, or remove implicit and use JARM")
				}
			},
		},
		{
			ID: "grant-ciba-openid", Level: Violation, Softens: true, Source: "CIBA Core §7.1; CIBA Core §4",
			needs:   []Field{FieldGrantTypes, FieldScopes, FieldCIBADeliveryMode},
			Summary: "CIBA is listed, or backchannel_token_delivery_mode is set, and scopes are set without openid; a warning if no scopes are set, as in the example of CIBA Core §4",
			check: func(j *candidate, r *report) {
				switch {
				case !j.usesCIBA() || slices.Contains(j.Scopes, scopeOpenID):
				case len(j.Scopes) == 0:
					r.add(Warning, FieldScopes.pointer(), "", "a CIBA request must include the scope openid; list the scopes of the client, openid among them")
				default:
					r.on(FieldScopes, "a CIBA request must include the scope openid; add it")
				}
			},
		},
		{
			ID: "grant-ciba-keys", Level: Violation, Source: "FAPI-CIBA draft 03 §4.1.1", in: inFAPI1,
			needs: []Field{
				FieldGrantTypes, FieldCIBADeliveryMode, FieldCIBARequestSigningAlg, FieldAuthMethods, FieldJWKS, FieldJWKSURI, FieldProfile,
			}, keys: true,
			Summary: "CIBA is listed, or backchannel_token_delivery_mode is set, and backchannel_authentication_request_signing_alg or an authentication method of the client needs keys; but neither jwks nor jwks_uri is set, or signatures are needed and no key can verify one",
			check: func(j *candidate, r *report) {
				signs := j.CIBA.RequestSigningAlg != "" || j.hasMethod(AuthPrivateKeyJWT)
				switch {
				case !j.usesCIBA() || !signs && !j.hasMethod(AuthSelfSignedTLS):
				case j.Keys.IsNone():
					r.on(FieldJWKS, "CIBA requests that are signed, or authenticated by a key, need the client's public keys; set jwks or jwks_uri")
				case signs && j.keys.lack(Key.verifies):
					r.on(j.Keys.field(), "CIBA requests that are signed, or authenticated by a signature, need a signature key, but no key in the set can be used as one; add one")
				}
			},
		},
	}
}

func checkRedirectURIPresent(j *candidate, r *report) {
	if len(j.RedirectURIs) > 0 {
		return
	}
	for _, g := range j.GrantTypes {
		if g.redirects() {
			r.on(FieldRedirectURIs, "%s redirects the user back to the client; add at least one redirect URI", g)
			return
		}
	}
}

func checkRefreshAlone(j *candidate, r *report) {
	if j.usesCIBA() {
		return
	}
	level := Violation
	for _, g := range j.GrantTypes {
		switch g {
		case GrantAuthorizationCode, GrantDeviceCode, GrantTokenExchange:
			return
		case GrantRefreshToken, GrantImplicit, GrantPassword, GrantClientCredentials:
		default:
			level = Warning
		}
	}
	if i := slices.Index(j.GrantTypes, GrantRefreshToken); i >= 0 {
		r.add(level, FieldGrantTypes.element(i), string(GrantRefreshToken),
			"no other grant type of this client issues refresh tokens; remove refresh_token, or add the grant type that issues them")
	}
}

// eachGrant returns a check that is violated if the grant is listed.
func eachGrant(grant GrantType, message string) func(*candidate, *report) {
	return func(j *candidate, r *report) {
		for i, g := range j.GrantTypes {
			if g == grant {
				r.at(FieldGrantTypes, i, string(g), "%s", message)
			}
		}
	}
}

// publicGrant returns a check that is violated if a public client lists the grant.
func publicGrant(grant GrantType, message string) func(*candidate, *report) {
	each := eachGrant(grant, message)
	return func(j *candidate, r *report) {
		if !j.Confidential {
			each(j, r)
		}
	}
}

// checkDuplicates reports duplicate elements of an array.
func checkDuplicates[T ~string](r *report, field Field, list []T) {
	for i, value := range list {
		if slices.Index(list, value) < i {
			r.at(field, i, string(value), "%s is listed twice; remove one", quoted(value))
		}
	}
}
