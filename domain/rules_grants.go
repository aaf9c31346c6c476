package domain

import "slices"

// The rows on grant types: RFC 6749 §4, RFC 7591 §2, RFC 9700 §2.1 and §2.4,
// CIBA Core §7.1, FAPI.
func grantRules() []Rule {
	grants := []Field{FieldGrantTypes}
	grantsAndURIs := []Field{FieldGrantTypes, FieldRedirectURIs, FieldProfile}
	grantsAndType := []Field{FieldGrantTypes, FieldConfidential}
	grantsAndProfile := []Field{FieldGrantTypes, FieldProfile}
	return []Rule{
		{
			ID: "grant-type-unknown", Level: Violation, Source: "RFC 7591 §2", needs: grants,
			Summary: "it is not in the vocabulary",
			check: func(j *judged, r *report) {
				for i, g := range j.GrantTypes {
					if !g.known() && !slices.Contains(j.policy.GrantTypes, g) {
						r.at(FieldGrantTypes, i, string(g), "%s is not a grant type that this registry knows", quoted(g))
					}
				}
			},
		},
		{
			ID: "grant-type-duplicate", Level: Violation, Source: "own", needs: grants,
			Summary: "it is listed twice",
			check:   func(j *judged, r *report) { checkDuplicates(r, FieldGrantTypes, j.GrantTypes) },
		},
		{
			ID: "grant-types-empty", Level: Violation, Source: "RFC 7591 §2", needs: grants,
			Summary: "there is no grant at all",
			check: func(j *judged, r *report) {
				if len(j.GrantTypes) == 0 {
					r.on(FieldGrantTypes, "a client without a grant can do nothing; name at least one. To stop the client, keep its grant types and set status to suspended")
				}
			},
		},
		{
			ID: "grant-needs-redirect-uri", Level: Violation, Source: "RFC 6749 §3.1.2.2, RFC 7591 §2",
			in: everywhere &^ inFAPI2, needs: grantsAndURIs,
			Summary: "there is authorization_code or implicit, and no redirect URI",
			check:   checkRedirectURIPresent,
		},
		{
			ID: "grant-needs-redirect-uri-fapi2", Level: Warning, Source: "FAPI 2.0 SP §5.5",
			in: inFAPI2, needs: grantsAndURIs,
			Summary: "there is authorization_code or implicit, and no redirect URI: FAPI 2.0 takes it from the pushed request, so registering it is advice",
			check:   checkRedirectURIPresent,
		},
		{
			ID: "redirect-uri-unused", Level: Warning, Source: "RFC 7591 §2", needs: []Field{FieldGrantTypes, FieldRedirectURIs},
			Summary: "there are redirect URIs, and no grant that redirects",
			check: func(j *judged, r *report) {
				if len(j.RedirectURIs) > 0 && !slices.ContainsFunc(j.GrantTypes, GrantType.redirects) {
					r.on(FieldRedirectURIs, "no grant of this client redirects; remove the redirect URIs, or add authorization_code")
				}
			},
		},
		{
			ID: "grant-password", Level: Violation, Source: "RFC 9700 §2.4", needs: grants,
			Summary: "there is password",
			check: eachGrant(GrantPassword,
				"the password grant must not be used; use authorization_code, or client_credentials where no user takes part"),
		},
		{
			ID: "grant-implicit", Level: Warning, Source: "RFC 9700 §2.1.2", needs: grants,
			Summary: "there is implicit",
			check:   eachGrant(GrantImplicit, "the implicit grant exposes tokens in the browser; use authorization_code with PKCE"),
		},
		{
			ID: "grant-implicit-alone", Level: Violation, Source: "FAPI 1.0 Part 1 §5.2.2-7; FAPI 1.0 Part 2 §5.2.2-2", in: inFAPI1, needs: grantsAndProfile,
			Summary: "there is implicit without authorization_code",
			check: func(j *judged, r *report) {
				if !j.hasGrant(GrantAuthorizationCode) {
					eachGrant(GrantImplicit, "FAPI 1.0 knows implicit only as a part of code id_token; add authorization_code, or remove implicit")(j, r)
				}
			},
		},
		{
			ID: "grant-implicit-fapi2", Level: Violation, Source: "FAPI 2.0 SP §5.3.2.2-1", in: inFAPI2, needs: grantsAndProfile,
			Summary: "there is implicit",
			check:   eachGrant(GrantImplicit, "FAPI 2.0 allows the response type code only; remove implicit"),
		},
		{
			ID: "grant-refresh-alone", Level: Violation, Softens: true,
			Source: "RFC 6749 §4.2.2, §4.4.3; RFC 7521 §4.1", needs: grants,
			Summary: "there is refresh_token without authorization_code, device_code, CIBA or token-exchange; a warning with jwt-bearer, saml2-bearer or an extension grant",
			check:   checkRefreshAlone,
		},
		{
			ID: "grant-client-credentials-public", Level: Violation, Source: "RFC 6749 §4.4", needs: grantsAndType,
			Summary: "there is client_credentials on a public client",
			check:   publicGrant(GrantClientCredentials, "only a confidential client may use client_credentials; make it confidential, or remove the grant"),
		},
		{
			ID: "grant-ciba-public", Level: Violation, Source: "CIBA Core §7.1", needs: grantsAndType,
			Summary: "there is CIBA on a public client",
			check:   publicGrant(GrantCIBA, "a CIBA client must authenticate; make it confidential, or remove the grant"),
		},
		{
			ID: "grant-token-exchange-public", Level: Warning, Source: "RFC 8693 §2.1", needs: grantsAndType,
			Summary: "there is token-exchange on a public client",
			check:   publicGrant(GrantTokenExchange, "without client authentication a leaked token can be exchanged by anyone; make the client confidential"),
		},
		{
			ID: "grant-unanalysed", Level: Warning, Source: "FAPI 2.0 SP §5.3.2.1 note 2", in: inFAPI2, needs: grantsAndProfile,
			Summary: "there is device_code, token-exchange, jwt-bearer or saml2-bearer: FAPI 2.0 has not analysed it",
			check: func(j *judged, r *report) {
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
			Summary: "there is implicit with authorization_code, and no openid scope",
			check: func(j *judged, r *report) {
				if j.hasGrant(GrantImplicit) && j.hasGrant(GrantAuthorizationCode) && !slices.Contains(j.Scopes, scopeOpenID) {
					r.on(FieldScopes, "code id_token needs the scope openid; add it, or remove implicit and use JARM")
				}
			},
		},
		{
			ID: "grant-ciba-openid", Level: Violation, Source: "CIBA Core §7.1", needs: []Field{FieldGrantTypes, FieldScopes},
			Summary: "there is CIBA without the openid scope",
			check: func(j *judged, r *report) {
				if j.hasGrant(GrantCIBA) && !slices.Contains(j.Scopes, scopeOpenID) {
					r.on(FieldScopes, "a CIBA request must ask for openid; add the scope")
				}
			},
		},
		{
			ID: "grant-ciba-keys", Level: Violation, Source: "FAPI-CIBA §5.2.2", in: inFAPI1,
			needs: []Field{FieldGrantTypes, FieldJWKS, FieldJWKSURI, FieldProfile}, keys: true,
			Summary: "there is CIBA, and no jwks or jwks_uri, or no key can verify a signature",
			check: func(j *judged, r *report) {
				switch {
				case !j.hasGrant(GrantCIBA):
				case j.Keys.IsNone():
					r.on(FieldJWKS, "FAPI-CIBA requires signed authentication requests; register jwks or jwks_uri")
				case j.keys.lack(Key.verifies):
					r.on(j.Keys.field(), "FAPI-CIBA requires signed authentication requests, and no key of the set can verify a signature; add one")
				}
			},
		},
	}
}

func checkRedirectURIPresent(j *judged, r *report) {
	if len(j.RedirectURIs) > 0 {
		return
	}
	for _, g := range j.GrantTypes {
		if g.redirects() {
			r.on(FieldRedirectURIs, "%s sends the user back to the client; register at least one redirect URI", g)
			return
		}
	}
}

func checkRefreshAlone(j *judged, r *report) {
	level := Violation
	for _, g := range j.GrantTypes {
		switch g {
		case GrantAuthorizationCode, GrantDeviceCode, GrantCIBA, GrantTokenExchange:
			return
		case GrantRefreshToken, GrantImplicit, GrantPassword, GrantClientCredentials:
		default:
			level = Warning
		}
	}
	if i := slices.Index(j.GrantTypes, GrantRefreshToken); i >= 0 {
		r.add(level, FieldGrantTypes.element(i), string(GrantRefreshToken),
			"no other grant of this client is given a refresh token; remove refresh_token, or add the grant that it is for")
	}
}

// eachGrant makes a check that is broken wherever grant is listed.
func eachGrant(grant GrantType, message string) func(*judged, *report) {
	return func(j *judged, r *report) {
		for i, g := range j.GrantTypes {
			if g == grant {
				r.at(FieldGrantTypes, i, string(g), "%s", message)
			}
		}
	}
}

// publicGrant makes a check that is broken where a public client lists grant.
func publicGrant(grant GrantType, message string) func(*judged, *report) {
	each := eachGrant(grant, message)
	return func(j *judged, r *report) {
		if !j.Confidential {
			each(j, r)
		}
	}
}

// checkDuplicates finds the elements that stand in the array already.
func checkDuplicates[T ~string](r *report, field Field, list []T) {
	for i, value := range list {
		if first := slices.Index(list, value); first < i {
			r.at(field, i, string(value), "%s stands at %s/%d already; remove one", quoted(value), field, first)
		}
	}
}
