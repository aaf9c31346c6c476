package domain

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
)

// AuthFailure is the reason why a client is not authenticated; empty if it is. It is for
// the authorization server and its operator, not for the client, which must only learn
// that the authentication failed.
type AuthFailure string

// The reasons why a client is not authenticated.
const (
	// FailureAuthorization: the Authorization header is not Basic credentials that can
	// be read (RFC 6749 §2.3.1).
	FailureAuthorization AuthFailure = "authorization_malformed"
	// FailureUnidentified: the request does not name a client.
	FailureUnidentified AuthFailure = "client_unidentified"
	// FailureIdentities: the request names more than one client.
	FailureIdentities AuthFailure = "client_id_mismatch"
	// FailureMethods: the request uses more than one method (RFC 6749 §2.3).
	FailureMethods AuthFailure = "multiple_methods"
	// FailureUnknown: there is no such client, or it is deleted.
	FailureUnknown AuthFailure = "client_unknown"
	// FailureSuspended: the client is suspended.
	FailureSuspended AuthFailure = "client_suspended"
	// FailureMethod: the client does not have the method.
	FailureMethod AuthFailure = "method_not_registered"
	// FailureNoCredentials: the client must authenticate, and the request has only its
	// client_id.
	FailureNoCredentials AuthFailure = "credentials_missing"
	// FailureSecret: the value is not a secret of the client that is valid now.
	FailureSecret AuthFailure = "secret_invalid"
	// FailureAssertionType and the following are about client assertions, see
	// [ClientAssertion.Check].
	FailureAssertionType      AuthFailure = "assertion_type_unknown"
	FailureAssertionMalformed AuthFailure = "assertion_malformed"
	FailureAssertionKind      AuthFailure = "assertion_typ"
	FailureAssertionAlgorithm AuthFailure = "assertion_algorithm"
	FailureAssertionIssuer    AuthFailure = "assertion_issuer"
	FailureAssertionAudience  AuthFailure = "assertion_audience"
	FailureAssertionID        AuthFailure = "assertion_jti_missing"
	FailureAssertionExpired   AuthFailure = "assertion_expired"
	FailureAssertionLifetime  AuthFailure = "assertion_lifetime"
	FailureAssertionEarly     AuthFailure = "assertion_not_yet_valid"
	FailureAssertionKey       AuthFailure = "assertion_key_unknown"
	FailureAssertionSignature AuthFailure = "assertion_signature"
	FailureAssertionReplayed  AuthFailure = "assertion_replayed"
	// FailureCertificateMalformed and the following are about certificates, see
	// [ClientCertificate.Check].
	FailureCertificateMalformed  AuthFailure = "certificate_malformed"
	FailureCertificateExpired    AuthFailure = "certificate_expired"
	FailureCertificateUnverified AuthFailure = "certificate_unverified"
	FailureCertificateSubject    AuthFailure = "certificate_subject"
	FailureCertificateUnknown    AuthFailure = "certificate_unknown"
)

// AssertionTypeJWT is the client_assertion_type of a JWT (RFC 7523 §2.2).
const AssertionTypeJWT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// AuthForm has the members of a form that authenticate a client. A member without a value
// is omitted (RFC 6749 §3.2).
type AuthForm struct {
	ClientID      ClientID
	ClientSecret  string
	AssertionType string
	Assertion     string
}

// Credentials are what a request presents to authenticate a client, except for a
// certificate.
type Credentials struct {
	// ClientID is the client that the header or the form names; empty if only an
	// assertion names it.
	ClientID ClientID
	// Method is the method that the header or the form uses; empty if neither has
	// credentials.
	Method AuthMethod
	// Secret is the value for the two methods with a secret.
	Secret string
	// Assertion is the client assertion for [AuthPrivateKeyJWT].
	Assertion string
}

// ReadCredentials reads what the Authorization header of a request, which may be empty,
// and its form present. A request must not use more than one method (RFC 6749 §2.3), but
// may repeat the same client_id in the form.
func ReadCredentials(authorization string, form AuthForm) (c Credentials, failure AuthFailure) {
	c = Credentials{ClientID: form.ClientID}
	methods := 0
	if authorization != "" {
		id, secret, ok := readBasic(authorization)
		if !ok {
			return Credentials{}, FailureAuthorization
		}
		if form.ClientID != "" && form.ClientID != id {
			return Credentials{}, FailureIdentities
		}
		c.ClientID, c.Method, c.Secret = id, AuthSecretBasic, secret
		methods++
	}
	if form.ClientSecret != "" {
		c.Method, c.Secret = AuthSecretPost, form.ClientSecret
		methods++
	}
	if form.Assertion != "" || form.AssertionType != "" {
		c.Method, c.Assertion = AuthPrivateKeyJWT, form.Assertion
		methods++
	}
	switch {
	case methods > 1:
		return Credentials{}, FailureMethods
	case c.Method == AuthPrivateKeyJWT && form.AssertionType != AssertionTypeJWT:
		return Credentials{}, FailureAssertionType
	case c.Method == AuthPrivateKeyJWT && form.Assertion == "":
		return Credentials{}, FailureAssertionMalformed
	case c.Method != AuthPrivateKeyJWT && c.ClientID == "":
		return Credentials{}, FailureUnidentified
	default:
		return c, ""
	}
}

// readBasic reads Basic credentials (RFC 7617 §2). Both parts are form-urlencoded (RFC 6749
// §2.3.1, appendix B).
func readBasic(authorization string) (id ClientID, secret string, ok bool) {
	scheme, encoded, found := strings.Cut(authorization, " ")
	if !found || !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(strings.Trim(encoded, " "))
	if err != nil || strings.ContainsAny(encoded, "\r\n") {
		return "", "", false
	}
	user, password, found := strings.Cut(string(decoded), ":")
	name, nameErr := url.QueryUnescape(user)
	value, valueErr := url.QueryUnescape(password)
	return ClientID(name), value, found && nameErr == nil && valueErr == nil
}

// Accepts returns the methods of the client by which a request with these credentials, and
// with a certificate or without one, can authenticate it, in the order in which the client
// lists them. A certificate is a method only if there are no other credentials: otherwise
// it is for tokens that are bound to it (RFC 8705 §3).
func (s Settings) Accepts(c Credentials, certificate bool) (methods []AuthMethod, failure AuthFailure) {
	if c.Method != "" {
		if !s.hasMethod(c.Method) {
			return nil, FailureMethod
		}
		return []AuthMethod{c.Method}, ""
	}
	public := !s.Confidential && s.hasMethod(AuthNone)
	if certificate {
		for _, m := range s.AuthMethods {
			if m == AuthTLS || m == AuthSelfSignedTLS {
				methods = append(methods, m)
			}
		}
		if len(methods) == 0 && !public {
			return nil, FailureMethod
		}
	}
	switch {
	case len(methods) > 0:
		return methods, ""
	case public:
		return []AuthMethod{AuthNone}, ""
	default:
		return nil, FailureNoCredentials
	}
}

// AssertionAlgorithms lists the signature algorithms of the client's assertions: the one
// that it declares, or else those that its FAPI profile allows, or else every asymmetric
// one.
func (s Settings) AssertionAlgorithms() []string {
	algorithms := []string{
		"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", crvEd25519,
	}
	if profile, _ := s.Profile.ValidatedAs(); (inAdvanced|inFAPI2)&profile.bit() != 0 {
		algorithms = profileAlgorithms(profile)
	}
	if s.AuthSigningAlg != "" {
		return slices.DeleteFunc(algorithms, func(alg string) bool { return alg != s.AuthSigningAlg })
	}
	return algorithms
}
