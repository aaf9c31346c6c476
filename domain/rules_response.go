package domain

import (
	"slices"
	"strings"
)

// The words and sets of words that rules name (RFC 6749 §11.3, OAuth 2.0 Multiple
// Response Type Encoding Practices §3 to §5).
const (
	wordCode    = "code"
	wordToken   = "token"
	wordIDToken = "id_token"

	responseCode        wordSet = "code"
	responseIDToken     wordSet = "id_token"
	responseCodeIDToken wordSet = "code id_token"
)

// The response modes (OAuth 2.0 Form Post Response Mode, JARM §2.3).
const (
	modeQuery       ResponseMode = "query"
	modeFragment    ResponseMode = "fragment"
	modeFormPost    ResponseMode = "form_post"
	modeJWT         ResponseMode = "jwt"
	modeQueryJWT    ResponseMode = "query.jwt"
	modeFragmentJWT ResponseMode = "fragment.jwt"
	modeFormPostJWT ResponseMode = "form_post.jwt"
)

// known reports whether the response type is registered (OAuth parameters registry of
// IANA), in any order of its words.
func (t ResponseType) known() bool {
	return slices.Contains(knownResponseTypes(), ResponseType(wordsOf(t)))
}

// knownResponseTypes lists the registered response types, with their words in the order of
// [wordsOf].
func knownResponseTypes() []ResponseType {
	return []ResponseType{
		ResponseType(responseCode), ResponseType(responseIDToken), "token", "none",
		ResponseType(responseCodeIDToken), "code token", "id_token token", "code id_token token",
	}
}

// frontChannel reports whether the authorization endpoint returns a token for the
// response type.
func (t ResponseType) frontChannel() bool {
	words := wordsOf(t)
	return words.has(wordToken) || words.has(wordIDToken)
}

// returnsToken reports whether the authorization endpoint returns an access token for the
// response type.
func (t ResponseType) returnsToken() bool { return wordsOf(t).has(wordToken) }

// returnsIDToken reports whether the authorization endpoint returns an ID token for the
// response type.
func (t ResponseType) returnsIDToken() bool { return wordsOf(t).has(wordIDToken) }

func (m ResponseMode) known() bool {
	switch m {
	case modeQuery, modeFragment, modeFormPost, modeJWT, modeQueryJWT, modeFragmentJWT, modeFormPostJWT:
		return true
	default:
		return false
	}
}

// signed reports whether the mode returns a JWT (JARM §2.3): jwt, or a mode with .jwt,
// also one that only the authorization server knows.
func (m ResponseMode) signed() bool { return m == modeJWT || strings.HasSuffix(string(m), ".jwt") }

// The rows on response types, response modes and the application type: RFC 7591 §2 and
// §2.1, OIDC Registration §2, JARM §2.3, RFC 9700 §2.1.2, RFC 8252, FAPI.
func responseRules() []Rule {
	types := []Field{FieldResponseTypes}
	typesAndProfile := []Field{FieldResponseTypes, FieldProfile}
	typesAndGrants := []Field{FieldResponseTypes, FieldGrantTypes}
	modes := []Field{FieldResponseModes}
	return []Rule{
		{
			ID: "response-type-unknown", Level: Violation, Source: "RFC 7591 §2; RFC 6749 §3.1.1", needs: types,
			Summary: "it is none of code, token, id_token, none, code id_token, code token, id_token token and code id_token token, whatever the order of the words",
			check: eachResponseType(func(_ *candidate, t ResponseType) string {
				return when(!t.known(), "this is not a known response type; use words such as code or code id_token, with one space between two")
			}),
		},
		{
			ID: "response-type-duplicate", Level: Violation, Source: "own", needs: types,
			Summary: "two response types have the same words, or one has a word twice",
			check:   checkResponseTypeDuplicates,
		},
		{
			ID: "response-type-grant", Level: Violation, Softens: true, Source: "OIDC Registration §2; RFC 7591 §2.1",
			needs:   []Field{FieldResponseTypes, FieldGrantTypes, FieldProfile},
			Summary: "it contains code and authorization_code is not listed, or it contains token, or is id_token or code id_token, and implicit is not listed; a warning for code id_token in fapi1-baseline and fapi1-advanced, since Open Banking UK registers it without implicit",
			check:   checkResponseTypeGrants,
		},
		{
			ID: "grant-response-type", Level: Violation, Softens: true, Source: "RFC 7591 §2.1", needs: typesAndGrants,
			Summary: "response types are set, and authorization_code is listed but no response type contains code; a warning if implicit is listed but no response type contains token or id_token",
			check: func(j *candidate, r *report) {
				if len(j.ResponseTypes) == 0 {
					return
				}
				code := func(t ResponseType) bool { return wordsOf(t).has(wordCode) }
				if j.hasGrant(GrantAuthorizationCode) && !slices.ContainsFunc(j.ResponseTypes, code) {
					r.on(FieldResponseTypes, "no response type contains code, so authorization_code cannot be used; add code, or remove the grant type")
				}
				if j.hasGrant(GrantImplicit) && !slices.ContainsFunc(j.ResponseTypes, ResponseType.frontChannel) {
					r.add(Warning, FieldResponseTypes.pointer(), "", "no response type contains token or id_token, so implicit is not used; remove the grant type")
				}
			},
		},
		{
			ID: "response-type-undeclared", Level: Warning, Source: "own", needs: typesAndGrants,
			Summary: "implicit is listed, and no response types are set",
			check: func(j *candidate, r *report) {
				if len(j.ResponseTypes) == 0 && j.hasGrant(GrantImplicit) {
					r.on(FieldResponseTypes, "the implicit grant allows several response types; list those that the client uses, such as code id_token")
				}
			},
		},
		{
			ID: "response-type-token", Level: Warning, Source: "RFC 9700 §2.1.2", needs: types,
			Summary: "it contains token",
			check: eachResponseType(func(_ *candidate, t ResponseType) string {
				return when(t.returnsToken(), "it exposes access tokens in the browser; use code with PKCE")
			}),
		},
		{
			ID: "response-type-fapi1", Level: Violation, Source: "FAPI 1.0 Part 1 §5.2.2-23; FAPI 1.0 Part 2 §5.2.2-2", in: inFAPI1, needs: typesAndProfile,
			Summary: "it is not code or code id_token",
			check: eachResponseType(func(_ *candidate, t ResponseType) string {
				words := wordsOf(t)
				return when(words != responseCode && words != responseCodeIDToken, "FAPI 1.0 allows only code and code id_token; remove it")
			}),
		},
		{
			ID: "response-type-fapi2", Level: Violation, Source: "FAPI 2.0 SP §5.3.2.2-1", in: inFAPI2, needs: typesAndProfile,
			Summary: "it is not code",
			check: eachResponseType(func(_ *candidate, t ResponseType) string {
				return when(wordsOf(t) != responseCode, "FAPI 2.0 allows only code; remove it")
			}),
		},
		{
			ID: "response-type-openid", Level: Warning, Source: "OIDC Core §3.2.2.1", needs: []Field{FieldResponseTypes, FieldScopes},
			Summary: "it contains id_token, and scopes are set without openid",
			check: eachResponseType(func(j *candidate, t ResponseType) string {
				return when(t.returnsIDToken() && len(j.Scopes) > 0 && !slices.Contains(j.Scopes, scopeOpenID),
					"an ID token is issued only for the scope openid; add the scope, or remove the response type")
			}),
		},
		{
			ID: "response-mode-unknown", Level: Violation, Source: "JARM §2.3", needs: modes,
			Summary: "it is none of query, fragment, form_post, jwt, query.jwt, fragment.jwt and form_post.jwt, and the metadata of the authorization server does not list it",
			check: func(j *candidate, r *report) {
				for i, m := range j.ResponseModes {
					if !m.known() && !j.server.supports(FieldResponseModes, string(m)) {
						r.at(FieldResponseModes, i, string(m), "%s is not a known response mode; use query, fragment, form_post, or jwt or one of the others with .jwt", quoted(m))
					}
				}
			},
		},
		{
			ID: "response-mode-query", Level: Violation, Source: "JARM §2.3.1",
			needs:   []Field{FieldResponseModes, FieldResponseTypes, FieldAuthorizationEncryptionAlg},
			Summary: "every response mode is query, or query.jwt without authorization_encrypted_response_alg, and a response type contains token or id_token: tokens must not be in the query",
			check: func(j *candidate, r *report) {
				inQuery := func(m ResponseMode) bool {
					return m == modeQuery || m == modeQueryJWT && j.Authorization.KeyManagement == ""
				}
				if len(j.ResponseModes) > 0 && !slices.ContainsFunc(j.ResponseModes, func(m ResponseMode) bool { return !inQuery(m) }) &&
					slices.ContainsFunc(j.ResponseTypes, ResponseType.frontChannel) {
					r.on(FieldResponseModes, "tokens must not be returned in the query; add a mode such as fragment or form_post, or use the response type code only")
				}
			},
		},
		{
			ID: "jarm-unused", Level: Warning, Source: "own",
			needs:   []Field{FieldResponseModes, FieldAuthorizationSigningAlg, FieldAuthorizationEncryptionAlg},
			Summary: "authorization_signed_response_alg or authorization_encrypted_response_alg is set, and response modes are set without a jwt mode",
			check: func(j *candidate, r *report) {
				if len(j.ResponseModes) > 0 && !j.allowsJARM() && (j.Authorization.Signing != "" || j.Authorization.KeyManagement != "") {
					r.on(FieldResponseModes, "no response mode returns a JWT, so the algorithms of authorization responses are not used; add a mode such as jwt, or clear authorization_signed_response_alg and authorization_encrypted_response_alg")
				}
			},
		},
	}
}

// The rows on the application type: OIDC Registration §2, RFC 8252.
func applicationTypeRules() []Rule {
	kind := []Field{FieldApplicationType}
	kindAndURIs := []Field{FieldApplicationType, FieldRedirectURIs}
	return []Rule{
		{
			ID: "application-type-unknown", Level: Violation, Source: "OIDC Registration §2", needs: kind,
			Summary: "it is neither web nor native",
			check: func(j *candidate, r *report) {
				switch j.ApplicationType {
				case "", ApplicationWeb, ApplicationNative:
				default:
					r.on(FieldApplicationType, "%s is not an application type; use web or native", quoted(j.ApplicationType))
				}
			},
		},
		{
			ID: "application-type-web-implicit", Level: Violation, Softens: true, Source: "OIDC Registration §2",
			needs:   []Field{FieldApplicationType, FieldRedirectURIs, FieldGrantTypes},
			Summary: "application_type is web, implicit is listed, and a redirect URI is http or its host is localhost; a warning if application_type is unset",
			check: func(j *candidate, r *report) {
				level := Violation
				switch {
				case !j.hasGrant(GrantImplicit) || j.ApplicationType != "" && j.ApplicationType != ApplicationWeb:
					return
				case j.ApplicationType == "":
					level = Warning
				}
				for i := range j.uris {
					if u := &j.uris[i]; u.scheme == "http" || u.isWeb() && strings.EqualFold(u.host, "localhost") {
						r.add(level, FieldRedirectURIs.element(i), u.raw, "a web client with the implicit grant must use https and a host other than localhost; change the URI, remove implicit, or set application_type to native")
					}
				}
			},
		},
		{
			ID: "application-type-web-private", Level: Violation, Softens: true, Source: "own; OIDC Registration §2", needs: kindAndURIs,
			Summary: "application_type is set to web, and a redirect URI has a custom scheme; a warning if its host is a loopback address or localhost",
			check: func(j *candidate, r *report) {
				if j.ApplicationType != ApplicationWeb {
					return
				}
				for i := range j.uris {
					switch u := &j.uris[i]; {
					case isPrivateUse(u):
						r.at(FieldRedirectURIs, i, u.raw, "custom schemes belong to native apps; set application_type to native, or use https")
					case u.isWeb() && u.isLoopback():
						r.add(Warning, FieldRedirectURIs.element(i), u.raw, "a web client is not reached at a loopback address in production; set application_type to native, or use the address of the web server")
					}
				}
			},
		},
		{
			ID: "application-type-native-https", Level: Warning, Source: "OIDC Registration §2; RFC 8252 §7.2", needs: kindAndURIs,
			Summary: "application_type is native, and a redirect URI is https: OIDC Registration forbids it, RFC 8252 and FAPI 1.0 Part 1 §7.5 recommend it if the app claims the URI",
			check: func(j *candidate, r *report) {
				if j.ApplicationType != ApplicationNative {
					return
				}
				for i := range j.uris {
					if j.uris[i].scheme == "https" {
						r.at(FieldRedirectURIs, i, j.uris[i].raw, "authorization servers that follow OIDC Registration reject https for native clients; keep it only if the app claims this URI")
					}
				}
			},
		},
		{
			ID: "application-type-native-confidential", Level: Warning, Source: "RFC 8252 §8.4", needs: []Field{FieldApplicationType, FieldConfidential},
			Summary: "application_type is native and the client is confidential: all installations of an app share its credential, unless each is registered as a client of its own",
			check: func(j *candidate, r *report) {
				if j.ApplicationType == ApplicationNative && j.Confidential {
					r.on(FieldApplicationType, "a credential in an app is the same in all its installations; make the client public, or register a client for each installation")
				}
			},
		},
	}
}

// allowsJARM reports whether the client may request an authorization response as a JWT.
func (s *Settings) allowsJARM() bool {
	return len(s.ResponseModes) == 0 || slices.ContainsFunc(s.ResponseModes, ResponseMode.signed)
}

// eachResponseType makes a check of a candidate from one of a single response type and
// returns the message where it is broken, "" where not.
func eachResponseType(check func(*candidate, ResponseType) string) func(*candidate, *report) {
	return func(j *candidate, r *report) {
		for i, t := range j.ResponseTypes {
			if message := check(j, t); message != "" {
				r.at(FieldResponseTypes, i, string(t), "%s: %s", quoted(t), message)
			}
		}
	}
}

func checkResponseTypeDuplicates(j *candidate, r *report) {
	for i, t := range j.ResponseTypes {
		words := wordsOf(t)
		if strings.Count(string(t), " ")+1 > words.len() {
			r.at(FieldResponseTypes, i, string(t), "%s has a word twice; remove one", quoted(t))
		}
		if hasResponseType(j.ResponseTypes[:i], t) {
			r.at(FieldResponseTypes, i, string(t), "%s is listed twice, in any order of the words; remove one", quoted(t))
		}
	}
}

func checkResponseTypeGrants(j *candidate, r *report) {
	for i, t := range j.ResponseTypes {
		words := wordsOf(t)
		if words.has(wordCode) && !j.hasGrant(GrantAuthorizationCode) {
			r.at(FieldResponseTypes, i, string(t), "%s needs the grant type authorization_code; add it, or remove the response type", quoted(t))
		}
		level := Violation
		switch {
		case j.hasGrant(GrantImplicit):
			continue
		case words == responseCodeIDToken:
			if inFAPI1&j.profile.bit() != 0 {
				level = Warning
			}
		case words.has(wordToken) || words == responseIDToken:
		default:
			continue
		}
		r.add(level, FieldResponseTypes.element(i), string(t), "%s needs the grant type implicit; add it, or remove the response type", quoted(t))
	}
}
