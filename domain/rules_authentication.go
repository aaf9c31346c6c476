package domain

import "slices"

// The rules about client authentication: RFC 6749 §2.3, OIDC Core §9, RFC 8705,
// FAPI 1.0 Part 1 §5.2.2, Part 2 §5.2.2, FAPI 2.0 SP §5.3.2.1.
func authenticationRules() []Rule {
	methods := []Field{FieldAuthMethods}
	methodsAndType := []Field{FieldAuthMethods, FieldConfidential}
	return []Rule{
		{
			ID: "auth-method-unknown", Level: Violation, Source: "RFC 7591 §2", needs: methods,
			Summary: "a method is unknown",
			check: eachMethod(func(_ *candidate, m AuthMethod) string {
				if m.known() {
					return ""
				}
				return quoted(m) + " is not a known client authentication method"
			}),
		},
		{
			ID: "auth-method-duplicate", Level: Violation, Source: "own", needs: methods,
			Summary: "a method is listed twice",
			check:   func(j *candidate, r *report) { checkDuplicates(r, FieldAuthMethods, j.AuthMethods) },
		},
		{
			ID: "auth-method-public", Level: Violation, Source: "RFC 6749 §2.3, RFC 7591 §2", needs: methodsAndType,
			Summary: "the client is public and has a method other than none",
			check: eachMethod(func(j *candidate, m AuthMethod) string {
				return when(!j.Confidential && m != AuthNone,
					"a public client cannot authenticate; set client_auth_methods to [\"none\"], or is_confidential to true")
			}),
		},
		{
			ID: "auth-method-confidential", Level: Violation, Source: "RFC 6749 §2.3", needs: methodsAndType,
			Summary: "the client is confidential and has no method, or the method none",
			check: func(j *candidate, r *report) {
				if !j.Confidential {
					return
				}
				if len(j.AuthMethods) == 0 {
					r.on(FieldAuthMethods, "a confidential client must authenticate; add at least one method")
				}
				if i := slices.Index(j.AuthMethods, AuthNone); i >= 0 {
					r.at(FieldAuthMethods, i, string(AuthNone), "a confidential client must authenticate; remove none, or set is_confidential to false")
				}
			},
		},
		{
			ID: "auth-method-needs-keys", Level: Violation, Source: "OIDC Core §9, RFC 8705 §2.2.2",
			needs:   []Field{FieldAuthMethods, FieldJWKS, FieldJWKSURI},
			Summary: "private_key_jwt or self_signed_tls_client_auth is listed, but neither jwks nor jwks_uri is set",
			check: eachMethod(func(j *candidate, m AuthMethod) string {
				if m != AuthPrivateKeyJWT && m != AuthSelfSignedTLS || !j.Keys.IsNone() {
					return ""
				}
				return string(m) + " needs the client's public keys; set jwks or jwks_uri"
			}),
		},
		{
			ID: "auth-method-needs-certificate", Level: Violation, Source: "RFC 8705 §2.2.2",
			needs: []Field{FieldAuthMethods, FieldJWKS, FieldJWKSURI}, keys: true,
			Summary: "self_signed_tls_client_auth is listed, but no key has x5c",
			check: func(j *candidate, r *report) {
				set, seen := j.keys.Set()
				if !seen || set.Fault != KeySetReadable || !j.hasMethod(AuthSelfSignedTLS) {
					return
				}
				if !slices.ContainsFunc(set.Keys, func(k Key) bool { return k.Certificate != nil }) {
					r.on(j.Keys.field(), "self_signed_tls_client_auth needs a certificate in x5c, but no key has one; add it")
				}
			},
		},
		{
			ID: "auth-method-tls-subject", Level: Violation, Source: "RFC 8705 §2.1.2",
			needs:   append(tlsSubjects(), FieldAuthMethods),
			Summary: "tls_client_auth is listed without exactly one tls_client_auth_* field, or such a field is set without the method",
			check:   checkTLSSubject,
		},
		{
			ID: "auth-method-secret-jwt", Level: Violation, Source: "own; OIDC Core §9", needs: methods,
			Summary: "client_secret_jwt is listed: it needs the secret's value, but only hashes are stored",
			check: eachMethod(func(_ *candidate, m AuthMethod) string {
				return when(m == AuthSecretJWT,
					"client_secret_jwt needs the secret's value, but the registry stores only a hash; use private_key_jwt")
			}),
		},
		{
			ID: "auth-method-mixed", Level: Warning, Source: "own", needs: methods,
			Summary: "a shared-secret method is listed together with a key or certificate method: the weaker method determines the security",
			check: func(j *candidate, r *report) {
				if slices.ContainsFunc(j.AuthMethods, AuthMethod.usesSecret) && slices.ContainsFunc(j.AuthMethods, AuthMethod.usesKey) {
					r.on(FieldAuthMethods, "a stolen secret bypasses the key; keep only the stronger method")
				}
			},
		},
		{
			ID: "auth-method-baseline", Level: Violation, Source: "FAPI 1.0 Part 1 §5.2.2-4", in: inBaseline,
			needs:   []Field{FieldAuthMethods, FieldConfidential, FieldProfile},
			Summary: "the client is confidential and has client_secret_basic or client_secret_post",
			check: eachMethod(func(j *candidate, m AuthMethod) string {
				return when(j.Confidential && (m == AuthSecretBasic || m == AuthSecretPost),
					"FAPI 1.0 Baseline does not accept a plain secret; use private_key_jwt, tls_client_auth or self_signed_tls_client_auth")
			}),
		},
		{
			ID: "auth-method-fapi", Level: Violation, Source: "FAPI 1.0 Part 2 §5.2.2-14; FAPI 2.0 SP §5.3.2.1-6",
			in: inAdvanced | inFAPI2, needs: []Field{FieldAuthMethods, FieldProfile},
			Summary: "a method other than private_key_jwt, tls_client_auth and self_signed_tls_client_auth is listed",
			check: eachMethod(func(_ *candidate, m AuthMethod) string {
				return when(!m.usesKey(),
					"this profile accepts private_key_jwt, tls_client_auth and self_signed_tls_client_auth only")
			}),
		},
		{
			ID: "confidential-required", Level: Violation, Source: "FAPI 1.0 Part 2 §5.2.2-16; FAPI 2.0 SP §5.3.2.1-3",
			in: inAdvanced | inFAPI2, needs: []Field{FieldConfidential, FieldProfile},
			Summary: "the client is public",
			check: func(j *candidate, r *report) {
				if !j.Confidential {
					r.on(FieldConfidential, "this profile is for confidential clients only; use an authentication method such as private_key_jwt")
				}
			},
		},
	}
}

// eachMethod returns a check that calls check for each authentication method. check
// returns the message of a violation, or "" if there is none.
func eachMethod(check func(*candidate, AuthMethod) string) func(*candidate, *report) {
	return func(j *candidate, r *report) {
		for i, m := range j.AuthMethods {
			if message := check(j, m); message != "" {
				r.at(FieldAuthMethods, i, string(m), "%s", message)
			}
		}
	}
}

// tlsSubjects are the fields of which a client with tls_client_auth sets exactly one.
func tlsSubjects() []Field {
	return []Field{FieldTLSSubjectDN, FieldTLSSANDNS, FieldTLSSANURI, FieldTLSSANIP, FieldTLSSANEmail}
}

func checkTLSSubject(j *candidate, r *report) {
	set := slices.DeleteFunc(tlsSubjects(), func(f Field) bool { return f.Of(&j.Settings).IsEmpty() })
	switch method := slices.Index(j.AuthMethods, AuthTLS); {
	case method >= 0 && len(set) == 0:
		r.add(r.rule.Level, FieldAuthMethods.element(method), "",
			"tls_client_auth needs the certificate's expected subject; set exactly one of tls_client_auth_subject_dn, _san_dns, _san_uri, _san_ip and _san_email")
	case method >= 0 && len(set) > 1:
		for _, f := range set[1:] {
			r.on(f, "only one tls_client_auth_* field may be set, but %s is set too; clear one", set[0])
		}
	case method < 0:
		for _, f := range set {
			r.on(f, "this field is only for tls_client_auth, which the client does not use; clear it, or add the method")
		}
	}
}
