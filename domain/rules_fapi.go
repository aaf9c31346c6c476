package domain

import "slices"

// Declarations says what becomes of a client that does not declare what its FAPI profile
// requires of its requests and tokens.
type Declarations string

// The policies for declarations.
const (
	// DeclarationsWarn warns about what is not declared.
	DeclarationsWarn Declarations = "warn"
	// DeclarationsRequire rejects clients that do not declare it.
	DeclarationsRequire Declarations = "require"
)

// The ids of rules that obligations name.
const (
	ruleSenderConstraintUndeclared = "sender-constraint-undeclared"
	ruleSenderConstraintMTLS       = "sender-constraint-mtls"
	rulePARUndeclared              = "par-undeclared"
	rulePKCEUndeclared             = "pkce-undeclared"
	ruleRequestObjectUndeclared    = "request-object-undeclared"
	ruleRequestAlgUndeclared       = "request-alg-undeclared"
	ruleIDTokenAlgUndeclared       = "id-token-alg-undeclared"
	ruleJARMUndeclared             = "jarm-undeclared"
	ruleResponseModeJARM           = "response-mode-jarm"
	ruleMessageSigningNone         = "message-signing-none"
)

// The rows on what a client is to declare in a FAPI profile, so that its registration
// shows it: FAPI 1.0 Part 1 and 2, FAPI 2.0 Security Profile and Message Signing.
func fapiRules() []Rule {
	requests := []Field{FieldGrantTypes, FieldProfile}
	responses := []Field{FieldGrantTypes, FieldResponseTypes, FieldAuthorizationSigningAlg, FieldProfile}
	const unlessRequired = "; a violation if the deployment requires declarations"
	return []Rule{
		{
			ID: ruleSenderConstraintUndeclared, Level: Warning, Softens: true,
			Source: "FAPI 1.0 Part 2 §5.2.2-5; FAPI 2.0 SP §5.3.2.1-4, -5", in: inAdvanced | inFAPI2,
			needs:   []Field{FieldDPoPBound, FieldCertificateBound, FieldProfile},
			Summary: "neither dpop_bound_access_tokens nor tls_client_certificate_bound_access_tokens is true" + unlessRequired,
			check: declaration(FieldCertificateBound, func(j *candidate) string {
				remedy := "the profile allows only sender-constrained access tokens; set tls_client_certificate_bound_access_tokens or dpop_bound_access_tokens to true"
				if j.profile == ProfileFAPI1Advanced {
					remedy = "the profile allows only access tokens bound to a certificate; set this to true"
				}
				return when(!j.DPoPBound && !j.CertificateBound, remedy)
			}),
		},
		{
			ID: ruleSenderConstraintMTLS, Level: Violation, Source: "FAPI 1.0 Part 2 §5.2.2-6, §5.2.3-1, §8.2", in: inAdvanced,
			needs:   []Field{FieldDPoPBound, FieldCertificateBound, FieldProfile},
			Summary: "dpop_bound_access_tokens is true, and tls_client_certificate_bound_access_tokens is not",
			check: func(j *candidate, r *report) {
				if j.DPoPBound && !j.CertificateBound {
					r.on(FieldDPoPBound, "FAPI 1.0 constrains access tokens by mTLS; set tls_client_certificate_bound_access_tokens to true instead")
				}
			},
		},
		{
			ID: rulePARUndeclared, Level: Warning, Softens: true, Source: "FAPI 2.0 SP §5.3.2.2-2 to -4", in: inFAPI2,
			needs:   append([]Field{FieldRequirePAR}, requests...),
			Summary: "authorization_code or implicit is listed, and require_pushed_authorization_requests is not true" + unlessRequired,
			check: declaration(FieldRequirePAR, func(j *candidate) string {
				return when(j.redirects() && !j.RequirePAR, "the profile allows only pushed authorization requests; set this to true")
			}),
		},
		{
			ID: rulePKCEUndeclared, Level: Warning, Softens: true,
			Source: "FAPI 1.0 Part 1 §5.2.2-7; FAPI 1.0 Part 2 §5.2.2-18; FAPI 2.0 SP §5.3.2.2-5", in: everywhere &^ inNone,
			needs:   append([]Field{FieldRequirePKCE, FieldRequirePAR}, requests...),
			Summary: "authorization_code is listed, and require_pkce is not true; in fapi1-advanced only if require_pushed_authorization_requests is true" + unlessRequired,
			check: declaration(FieldRequirePKCE, func(j *candidate) string {
				demanded := j.hasGrant(GrantAuthorizationCode) && (j.profile != ProfileFAPI1Advanced || j.RequirePAR)
				return when(demanded && !j.RequirePKCE, "the profile requires PKCE with S256; set this to true")
			}),
		},
		{
			ID: ruleRequestObjectUndeclared, Level: Warning, Softens: true, Source: "FAPI 1.0 Part 2 §5.2.2-1", in: inAdvanced,
			needs:   append([]Field{FieldRequireSignedRequestObject}, requests...),
			Summary: "authorization_code or implicit is listed, and require_signed_request_object is not true" + unlessRequired,
			check: declaration(FieldRequireSignedRequestObject, func(j *candidate) string {
				return when(j.redirects() && !j.RequireSignedRequestObject, "the profile allows only signed request objects; set this to true")
			}),
		},
		{
			ID: ruleRequestAlgUndeclared, Level: Warning, Softens: true, Source: "FAPI 1.0 Part 2 §8.6; FAPI 2.0 SP §5.4.1-1", in: inAdvanced | inMessageSigning,
			needs:   []Field{FieldRequireSignedRequestObject, FieldRequestObjectSigningAlg, FieldProfile},
			Summary: "require_signed_request_object is true, and request_object_signing_alg is unset, which allows any algorithm" + unlessRequired,
			check: declaration(FieldRequestObjectSigningAlg, func(j *candidate) string {
				return when(j.RequireSignedRequestObject && j.RequestObject.Signing == "", "any algorithm is accepted if this is unset; set it to one that the profile allows, such as PS256")
			}),
		},
		{
			ID: ruleIDTokenAlgUndeclared, Level: Warning, Softens: true,
			Source: "OIDC Registration §2 with FAPI 1.0 Part 2 §8.6-1 and FAPI 2.0 SP §5.4.1-1", in: inAdvanced | inFAPI2,
			needs:   []Field{FieldScopes, FieldIDTokenSigningAlg, FieldProfile},
			Summary: "the scope openid is listed, and id_token_signed_response_alg is unset, of which the default is RS256" + unlessRequired,
			check: declaration(FieldIDTokenSigningAlg, func(j *candidate) string {
				return when(slices.Contains(j.Scopes, scopeOpenID) && j.IDToken.Signing == "", "the default is RS256, which the profile does not allow; set it to one that it allows, such as PS256")
			}),
		},
		{
			ID: ruleJARMUndeclared, Level: Warning, Softens: true, Source: "FAPI 1.0 Part 2 §5.2.2-2", in: inAdvanced, needs: responses,
			Summary: "the client may use the response type code but not code id_token, and authorization_signed_response_alg is unset" + unlessRequired,
			check: declaration(FieldAuthorizationSigningAlg, func(j *candidate) string {
				return when(j.needsJARM() && j.Authorization.Signing == "", "the profile allows the response type code only with signed responses (JARM); set this to PS256 or ES256")
			}),
		},
		{
			ID: ruleResponseModeJARM, Level: Violation, Source: "FAPI 1.0 Part 2 §5.2.2-2", in: inAdvanced,
			needs:   []Field{FieldResponseModes, FieldGrantTypes, FieldResponseTypes, FieldProfile},
			Summary: "response modes are set without a jwt mode, and the client may use the response type code but not code id_token",
			check: func(j *candidate, r *report) {
				if j.needsJARM() && !j.allowsJARM() {
					r.on(FieldResponseModes, "the profile allows the response type code only with signed responses (JARM); add jwt")
				}
			},
		},
		{
			ID: ruleMessageSigningNone, Level: Warning, Softens: true,
			Source: "FAPI 2.0 MS §5.1, §5.3.1-1, §5.4.1-1, §5.5.1-1", in: inMessageSigning,
			needs:   []Field{FieldRequireSignedRequestObject, FieldAuthorizationSigningAlg, FieldResponseModes, FieldIntrospectionSigningAlg, FieldProfile},
			Summary: "none of require_signed_request_object, authorization_signed_response_alg (with a jwt mode, or without response modes) and introspection_signed_response_alg is set" + unlessRequired,
			check: declaration(FieldProfile, func(j *candidate) string {
				signsResponses := j.Authorization.Signing != "" && j.allowsJARM()
				return when(!j.RequireSignedRequestObject && !signsResponses && j.Introspection.Signing == "",
					"no message is declared as signed; set require_signed_request_object, authorization_signed_response_alg or introspection_signed_response_alg, or use the profile fapi2-security")
			}),
		},
	}
}

// declaration makes a check from one that returns what is not declared in the field, ""
// if everything is. The policy decides the level.
func declaration(field Field, check func(*candidate) string) func(*candidate, *report) {
	return func(j *candidate, r *report) {
		message := check(j)
		if message == "" {
			return
		}
		level := Warning
		if j.policy.Declarations == DeclarationsRequire {
			level = Violation
		}
		r.add(level, field.pointer(), "", "%s", message)
	}
}

// redirects reports whether some grant of the client sends the user agent back to it.
func (s *Settings) redirects() bool { return slices.ContainsFunc(s.GrantTypes, GrantType.redirects) }

// needsJARM reports whether the client may use the response type code, but not code
// id_token, whose ID token is a signature of the response.
func (s *Settings) needsJARM() bool {
	code := false
	for _, t := range s.effectiveResponseTypes() {
		words := wordsOf(t)
		if words == responseCodeIDToken {
			return false
		}
		code = code || words == responseCode
	}
	return code
}
