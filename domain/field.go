package domain

import (
	"iter"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// Field is one field of a client's configuration: a row of the table below. The
// zero Field is the first row, not "no field".
type Field uint8

// The fields of a client's configuration, in the order of the documentation.
const (
	FieldName Field = iota
	FieldStatus
	FieldConfidential
	FieldProfile
	FieldRedirectURIs
	FieldGrantTypes
	FieldScopes
	FieldAuthMethods
	FieldTLSSubjectDN
	FieldTLSSANDNS
	FieldTLSSANURI
	FieldTLSSANIP
	FieldTLSSANEmail
	FieldJWKS
	FieldJWKSURI
	FieldCORSOrigins
	FieldLogoURL
	FieldWebsite
	FieldPrivacyPolicy
	FieldTermsURL
	FieldResponseTypes
	FieldResponseModes
	FieldApplicationType
	FieldContacts
	FieldDescription
	FieldSoftwareID
	FieldSoftwareVersion
	FieldSubjectType
	FieldSectorIdentifierURI
	FieldIDTokenSigningAlg
	FieldIDTokenEncryptionAlg
	FieldIDTokenEncryption
	FieldUserInfoSigningAlg
	FieldUserInfoEncryptionAlg
	FieldUserInfoEncryption
	FieldIntrospectionSigningAlg
	FieldIntrospectionEncryptionAlg
	FieldIntrospectionEncryption
	FieldAuthorizationSigningAlg
	FieldAuthorizationEncryptionAlg
	FieldAuthorizationEncryption
	FieldRequestObjectSigningAlg
	FieldRequestObjectEncryptionAlg
	FieldRequestObjectEncryption
	FieldAuthSigningAlg
	FieldDefaultMaxAge
	FieldRequireAuthTime
	FieldDefaultACRValues
	FieldInitiateLoginURI
	FieldRequestURIs
	FieldPostLogoutRedirectURIs
	FieldBackchannelLogoutURI
	FieldBackchannelLogoutSession
	FieldFrontchannelLogoutURI
	FieldFrontchannelLogoutSession
	FieldRequireSignedRequestObject
	FieldRequirePAR
	FieldRequirePKCE
	FieldDPoPBound
	FieldCertificateBound
	FieldUseMTLSAliases
	FieldAuthorizationDetailsTypes
	FieldCIBADeliveryMode
	FieldCIBANotificationEndpoint
	FieldCIBARequestSigningAlg
	FieldCIBAUserCode
	FieldRefreshTokenRotation
	FieldAccessTokenLifetime
	FieldIDTokenLifetime
	FieldRefreshTokenLifetime
	FieldSkipConsent
	FieldResources
	FieldOwner
	FieldLabels
	fieldCount int = iota
)

// field is a row of the table: everything that code outside the rules needs to
// know about a field. All code that stores, shows, compares or reads a configuration
// is a loop over these rows.
type field struct {
	name     string // in requests, responses, files and stored documents
	metadata string // as client metadata (RFC 7591 §2); empty for a field without a registered name
	about    string // for the documentation
	by       Setter
	// always marks the fields that every response has; the others are in it only
	// if they are set.
	always bool
	facet  string // the kind of facet that lists filter by; empty if they do not
	// facetOf derives the facet's value from one value of the field; nil means that
	// the two are equal.
	facetOf func(value string) string
	at      func(*Settings) Value
}

// Setter defines which callers may set a field.
type Setter uint8

// The setters. A client that registers itself (RFC 7591) is not an operator.
const (
	// Anyone is every caller that may write clients, and the client itself.
	Anyone Setter = iota
	// Operators are the callers that may write clients, but not the client itself.
	Operators
)

// String returns "anyone" or "operators".
func (s Setter) String() string {
	if s == Operators {
		return "operators"
	}
	return "anyone"
}

// table has one row per field. The compiler checks the kind of a field by the
// pointer conversion in its row.
//
//nolint:gochecknoglobals // a table that nothing writes to
var table = [fieldCount]field{
	FieldName: {
		name: "name", metadata: "client_name", always: true,
		about: "the name that people see",
		at:    func(s *Settings) Value { return (*Text)(&s.Name) },
	},
	FieldStatus: {
		name: "status", by: Operators, always: true, facet: "status",
		about: "active or suspended",
		at:    func(s *Settings) Value { return (*Text)(&s.Status) },
	},
	FieldConfidential: {
		name: "is_confidential", by: Operators, always: true,
		about: "whether the client can keep a credential (RFC 6749 §2.1)",
		at:    func(s *Settings) Value { return (*Flag)(&s.Confidential) },
	},
	FieldProfile: {
		name: "fapi_profile", by: Operators, always: true, facet: "fapi_profile",
		about: "the FAPI profile that the client claims",
		at:    func(s *Settings) Value { return (*Text)(&s.Profile) },
	},
	FieldRedirectURIs: {
		name: "redirect_uris", metadata: "redirect_uris", always: true, facet: "redirect_host", facetOf: hostOf,
		about: "where authorization responses may be sent, byte for byte",
		at:    func(s *Settings) Value { return (*List[RedirectURI])(&s.RedirectURIs) },
	},
	FieldGrantTypes: {
		name: "grant_types", metadata: "grant_types", always: true, facet: "grant_type",
		about: "the grants that the client may use",
		at:    func(s *Settings) Value { return (*List[GrantType])(&s.GrantTypes) },
	},
	FieldScopes: {
		name: "scopes", metadata: "scope", always: true, facet: "scope",
		about: "the scopes that the client may request",
		at:    func(s *Settings) Value { return (*List[Scope])(&s.Scopes) },
	},
	FieldAuthMethods: {
		name: "client_auth_methods", metadata: "token_endpoint_auth_method", always: true, facet: "client_auth_method",
		about: "how the client authenticates at the token endpoint",
		at:    func(s *Settings) Value { return (*List[AuthMethod])(&s.AuthMethods) },
	},
	FieldTLSSubjectDN: {
		name: "tls_client_auth_subject_dn", metadata: "tls_client_auth_subject_dn",
		about: "the subject of the client's certificate (RFC 8705 §2.1.2)",
		at:    func(s *Settings) Value { return (*Text)(&s.TLSSubject.DN) },
	},
	FieldTLSSANDNS: {
		name: "tls_client_auth_san_dns", metadata: "tls_client_auth_san_dns",
		about: "the DNS name in the client's certificate (RFC 8705 §2.1.2)",
		at:    func(s *Settings) Value { return (*Text)(&s.TLSSubject.SANDNS) },
	},
	FieldTLSSANURI: {
		name: "tls_client_auth_san_uri", metadata: "tls_client_auth_san_uri",
		about: "the URI in the client's certificate (RFC 8705 §2.1.2)",
		at:    func(s *Settings) Value { return (*Text)(&s.TLSSubject.SANURI) },
	},
	FieldTLSSANIP: {
		name: "tls_client_auth_san_ip", metadata: "tls_client_auth_san_ip",
		about: "the IP address in the client's certificate (RFC 8705 §2.1.2)",
		at:    func(s *Settings) Value { return (*Text)(&s.TLSSubject.SANIP) },
	},
	FieldTLSSANEmail: {
		name: "tls_client_auth_san_email", metadata: "tls_client_auth_san_email",
		about: "the email address in the client's certificate (RFC 8705 §2.1.2)",
		at:    func(s *Settings) Value { return (*Text)(&s.TLSSubject.SANEmail) },
	},
	FieldJWKS: {
		name: "jwks", metadata: "jwks",
		about: "the client's public keys: the JSON text of a JWK Set",
		at:    func(s *Settings) Value { return (*Text)(&s.Keys.inline) },
	},
	FieldJWKSURI: {
		name: "jwks_uri", metadata: "jwks_uri", always: true,
		about: "where the client publishes its public keys",
		at:    func(s *Settings) Value { return (*Text)(&s.Keys.uri) },
	},
	FieldCORSOrigins: {
		name: "cors_origins", by: Operators, always: true,
		about: "web origins that may call the authorization server for this client",
		at:    func(s *Settings) Value { return (*List[Origin])(&s.CORSOrigins) },
	},
	FieldLogoURL: {
		name: "logo_url", metadata: "logo_uri", always: true,
		about: "the client's logo",
		at:    func(s *Settings) Value { return (*Text)(&s.LogoURL) },
	},
	FieldWebsite: {
		name: "website", metadata: "client_uri", always: true,
		about: "the client's home page",
		at:    func(s *Settings) Value { return (*Text)(&s.Website) },
	},
	FieldPrivacyPolicy: {
		name: "privacy_policy", metadata: "policy_uri", always: true,
		about: "how the client uses personal data",
		at:    func(s *Settings) Value { return (*Text)(&s.PrivacyPolicy) },
	},
	FieldTermsURL: {
		name: "terms_url", metadata: "tos_uri", always: true,
		about: "the client's terms of service",
		at:    func(s *Settings) Value { return (*Text)(&s.TermsURL) },
	},
	FieldResponseTypes: {
		name: "response_types", metadata: "response_types",
		about: "the response types that the client may request",
		at:    func(s *Settings) Value { return (*List[ResponseType])(&s.ResponseTypes) },
	},
	FieldResponseModes: {
		name: "response_modes", metadata: "response_modes",
		about: "the response modes that the client may request",
		at:    func(s *Settings) Value { return (*List[ResponseMode])(&s.ResponseModes) },
	},
	FieldApplicationType: {
		name: "application_type", metadata: "application_type", facet: "application_type",
		about: "web or native",
		at:    func(s *Settings) Value { return (*Text)(&s.ApplicationType) },
	},
	FieldContacts: {
		name: "contacts", metadata: "contacts",
		about: "e-mail addresses of the people responsible",
		at:    func(s *Settings) Value { return (*List[string])(&s.Contacts) },
	},
	FieldDescription: {
		name: "description", metadata: "description",
		about: "what the client is for",
		at:    func(s *Settings) Value { return (*Text)(&s.Description) },
	},
	FieldSoftwareID: {
		name: "software_id", metadata: "software_id", facet: "software_id",
		about: "the software that the client runs, the same for all its instances",
		at:    func(s *Settings) Value { return (*Text)(&s.SoftwareID) },
	},
	FieldSoftwareVersion: {
		name: "software_version", metadata: "software_version",
		about: "the version of the software",
		at:    func(s *Settings) Value { return (*Text)(&s.SoftwareVersion) },
	},
	FieldSubjectType: {
		name: "subject_type", metadata: "subject_type",
		about: "public or pairwise",
		at:    func(s *Settings) Value { return (*Text)(&s.SubjectType) },
	},
	FieldSectorIdentifierURI: {
		name: "sector_identifier_uri", metadata: "sector_identifier_uri",
		about: "a list of redirect URIs that share pairwise subjects",
		at:    func(s *Settings) Value { return (*Text)(&s.SectorIdentifierURI) },
	},
	FieldIDTokenSigningAlg: {
		name: "id_token_signed_response_alg", metadata: "id_token_signed_response_alg",
		about: "the algorithm that signs ID tokens",
		at:    func(s *Settings) Value { return (*Text)(&s.IDToken.Signing) },
	},
	FieldIDTokenEncryptionAlg: {
		name: "id_token_encrypted_response_alg", metadata: "id_token_encrypted_response_alg",
		about: "the algorithm that encrypts the key of ID tokens",
		at:    func(s *Settings) Value { return (*Text)(&s.IDToken.KeyManagement) },
	},
	FieldIDTokenEncryption: {
		name: "id_token_encrypted_response_enc", metadata: "id_token_encrypted_response_enc",
		about: "the algorithm that encrypts the content of ID tokens",
		at:    func(s *Settings) Value { return (*Text)(&s.IDToken.Content) },
	},
	FieldUserInfoSigningAlg: {
		name: "userinfo_signed_response_alg", metadata: "userinfo_signed_response_alg",
		about: "the algorithm that signs userinfo responses",
		at:    func(s *Settings) Value { return (*Text)(&s.UserInfo.Signing) },
	},
	FieldUserInfoEncryptionAlg: {
		name: "userinfo_encrypted_response_alg", metadata: "userinfo_encrypted_response_alg",
		about: "the algorithm that encrypts the key of userinfo responses",
		at:    func(s *Settings) Value { return (*Text)(&s.UserInfo.KeyManagement) },
	},
	FieldUserInfoEncryption: {
		name: "userinfo_encrypted_response_enc", metadata: "userinfo_encrypted_response_enc",
		about: "the algorithm that encrypts the content of userinfo responses",
		at:    func(s *Settings) Value { return (*Text)(&s.UserInfo.Content) },
	},
	FieldIntrospectionSigningAlg: {
		name: "introspection_signed_response_alg", metadata: "introspection_signed_response_alg",
		about: "the algorithm that signs introspection responses",
		at:    func(s *Settings) Value { return (*Text)(&s.Introspection.Signing) },
	},
	FieldIntrospectionEncryptionAlg: {
		name: "introspection_encrypted_response_alg", metadata: "introspection_encrypted_response_alg",
		about: "the algorithm that encrypts the key of introspection responses",
		at:    func(s *Settings) Value { return (*Text)(&s.Introspection.KeyManagement) },
	},
	FieldIntrospectionEncryption: {
		name: "introspection_encrypted_response_enc", metadata: "introspection_encrypted_response_enc",
		about: "the algorithm that encrypts the content of introspection responses",
		at:    func(s *Settings) Value { return (*Text)(&s.Introspection.Content) },
	},
	FieldAuthorizationSigningAlg: {
		name: "authorization_signed_response_alg", metadata: "authorization_signed_response_alg",
		about: "the algorithm that signs authorization responses",
		at:    func(s *Settings) Value { return (*Text)(&s.Authorization.Signing) },
	},
	FieldAuthorizationEncryptionAlg: {
		name: "authorization_encrypted_response_alg", metadata: "authorization_encrypted_response_alg",
		about: "the algorithm that encrypts the key of authorization responses",
		at:    func(s *Settings) Value { return (*Text)(&s.Authorization.KeyManagement) },
	},
	FieldAuthorizationEncryption: {
		name: "authorization_encrypted_response_enc", metadata: "authorization_encrypted_response_enc",
		about: "the algorithm that encrypts the content of authorization responses",
		at:    func(s *Settings) Value { return (*Text)(&s.Authorization.Content) },
	},
	FieldRequestObjectSigningAlg: {
		name: "request_object_signing_alg", metadata: "request_object_signing_alg",
		about: "the algorithm that must sign request objects",
		at:    func(s *Settings) Value { return (*Text)(&s.RequestObject.Signing) },
	},
	FieldRequestObjectEncryptionAlg: {
		name: "request_object_encryption_alg", metadata: "request_object_encryption_alg",
		about: "the algorithm that encrypts the key of request objects",
		at:    func(s *Settings) Value { return (*Text)(&s.RequestObject.KeyManagement) },
	},
	FieldRequestObjectEncryption: {
		name: "request_object_encryption_enc", metadata: "request_object_encryption_enc",
		about: "the algorithm that encrypts the content of request objects",
		at:    func(s *Settings) Value { return (*Text)(&s.RequestObject.Content) },
	},
	FieldAuthSigningAlg: {
		name: "token_endpoint_auth_signing_alg", metadata: "token_endpoint_auth_signing_alg",
		about: "the algorithm that must sign client assertions",
		at:    func(s *Settings) Value { return (*Text)(&s.AuthSigningAlg) },
	},
	FieldDefaultMaxAge: {
		name: "default_max_age", metadata: "default_max_age",
		about: "the maximum age of an authentication, in seconds",
		at:    func(s *Settings) Value { return &s.DefaultMaxAge },
	},
	FieldRequireAuthTime: {
		name: "require_auth_time", metadata: "require_auth_time",
		about: "whether ID tokens must have auth_time",
		at:    func(s *Settings) Value { return (*Flag)(&s.RequireAuthTime) },
	},
	FieldDefaultACRValues: {
		name: "default_acr_values", metadata: "default_acr_values",
		about: "the authentication context classes of requests that name none",
		at:    func(s *Settings) Value { return (*List[string])(&s.DefaultACRValues) },
	},
	FieldInitiateLoginURI: {
		name: "initiate_login_uri", metadata: "initiate_login_uri",
		about: "where a third party starts a login",
		at:    func(s *Settings) Value { return (*Text)(&s.InitiateLoginURI) },
	},
	FieldRequestURIs: {
		name: "request_uris", metadata: "request_uris",
		about: "where the client publishes its request objects",
		at:    func(s *Settings) Value { return (*List[RequestURI])(&s.RequestURIs) },
	},
	FieldPostLogoutRedirectURIs: {
		name: "post_logout_redirect_uris", metadata: "post_logout_redirect_uris",
		about: "where the user may be sent after a logout",
		at:    func(s *Settings) Value { return (*List[RedirectURI])(&s.PostLogoutRedirectURIs) },
	},
	FieldBackchannelLogoutURI: {
		name: "backchannel_logout_uri", metadata: "backchannel_logout_uri",
		about: "where the server reports a logout by the back channel",
		at:    func(s *Settings) Value { return (*Text)(&s.BackchannelLogout.URI) },
	},
	FieldBackchannelLogoutSession: {
		name: "backchannel_logout_session_required", metadata: "backchannel_logout_session_required",
		about: "whether the back-channel logout must name the session",
		at:    func(s *Settings) Value { return (*Flag)(&s.BackchannelLogout.SessionRequired) },
	},
	FieldFrontchannelLogoutURI: {
		name: "frontchannel_logout_uri", metadata: "frontchannel_logout_uri",
		about: "where the server reports a logout by the front channel",
		at:    func(s *Settings) Value { return (*Text)(&s.FrontchannelLogout.URI) },
	},
	FieldFrontchannelLogoutSession: {
		name: "frontchannel_logout_session_required", metadata: "frontchannel_logout_session_required",
		about: "whether the front-channel logout must name the session",
		at:    func(s *Settings) Value { return (*Flag)(&s.FrontchannelLogout.SessionRequired) },
	},
	FieldRequireSignedRequestObject: {
		name: "require_signed_request_object", metadata: "require_signed_request_object",
		about: "whether every authorization request must be a signed request object",
		at:    func(s *Settings) Value { return (*Flag)(&s.RequireSignedRequestObject) },
	},
	FieldRequirePAR: {
		name: "require_pushed_authorization_requests", metadata: "require_pushed_authorization_requests",
		about: "whether every authorization request must be pushed",
		at:    func(s *Settings) Value { return (*Flag)(&s.RequirePAR) },
	},
	FieldRequirePKCE: {
		name: "require_pkce", by: Operators,
		about: "whether every authorization request must use PKCE with S256",
		at:    func(s *Settings) Value { return (*Flag)(&s.RequirePKCE) },
	},
	FieldDPoPBound: {
		name: "dpop_bound_access_tokens", metadata: "dpop_bound_access_tokens",
		about: "whether access tokens must be bound to a DPoP key",
		at:    func(s *Settings) Value { return (*Flag)(&s.DPoPBound) },
	},
	FieldCertificateBound: {
		name: "tls_client_certificate_bound_access_tokens", metadata: "tls_client_certificate_bound_access_tokens",
		about: "whether access tokens must be bound to the client's certificate",
		at:    func(s *Settings) Value { return (*Flag)(&s.CertificateBound) },
	},
	FieldUseMTLSAliases: {
		name: "use_mtls_endpoint_aliases", metadata: "use_mtls_endpoint_aliases",
		about: "whether the client uses the mTLS aliases of endpoints",
		at:    func(s *Settings) Value { return (*Flag)(&s.UseMTLSAliases) },
	},
	FieldAuthorizationDetailsTypes: {
		name: "authorization_details_types", metadata: "authorization_details_types",
		about: "the types of authorization details that the client may use",
		at:    func(s *Settings) Value { return (*List[string])(&s.AuthorizationDetailsTypes) },
	},
	FieldCIBADeliveryMode: {
		name: "backchannel_token_delivery_mode", metadata: "backchannel_token_delivery_mode",
		about: "how CIBA delivers tokens: poll, ping or push",
		at:    func(s *Settings) Value { return (*Text)(&s.CIBA.DeliveryMode) },
	},
	FieldCIBANotificationEndpoint: {
		name: "backchannel_client_notification_endpoint", metadata: "backchannel_client_notification_endpoint",
		about: "where CIBA notifies the client",
		at:    func(s *Settings) Value { return (*Text)(&s.CIBA.NotificationEndpoint) },
	},
	FieldCIBARequestSigningAlg: {
		name: "backchannel_authentication_request_signing_alg", metadata: "backchannel_authentication_request_signing_alg",
		about: "the algorithm that must sign CIBA requests",
		at:    func(s *Settings) Value { return (*Text)(&s.CIBA.RequestSigningAlg) },
	},
	FieldCIBAUserCode: {
		name: "backchannel_user_code_parameter", metadata: "backchannel_user_code_parameter",
		about: "whether the client supports the CIBA user code",
		at:    func(s *Settings) Value { return (*Flag)(&s.CIBA.UserCode) },
	},
	FieldRefreshTokenRotation: {
		name: "refresh_token_rotation", by: Operators,
		about: "whether each use of a refresh token replaces it: rotate or reuse",
		at:    func(s *Settings) Value { return (*Text)(&s.RefreshTokenRotation) },
	},
	FieldAccessTokenLifetime: {
		name: "access_token_lifetime", by: Operators,
		about: "the lifetime of access tokens, in seconds",
		at:    func(s *Settings) Value { return (*Number)(&s.AccessTokenLifetime) },
	},
	FieldIDTokenLifetime: {
		name: "id_token_lifetime", by: Operators,
		about: "the lifetime of ID tokens, in seconds",
		at:    func(s *Settings) Value { return (*Number)(&s.IDTokenLifetime) },
	},
	FieldRefreshTokenLifetime: {
		name: "refresh_token_lifetime", by: Operators,
		about: "the lifetime of refresh tokens, in seconds",
		at:    func(s *Settings) Value { return (*Number)(&s.RefreshTokenLifetime) },
	},
	FieldSkipConsent: {
		name: "skip_consent", by: Operators,
		about: "whether users are not asked for consent (a first-party client)",
		at:    func(s *Settings) Value { return (*Flag)(&s.SkipConsent) },
	},
	FieldResources: {
		name: "resources", by: Operators,
		about: "what the resource parameter may name",
		at:    func(s *Settings) Value { return (*List[string])(&s.Resources) },
	},
	FieldOwner: {
		name: "owner", by: Operators, facet: "owner",
		about: "the team that owns the client",
		at:    func(s *Settings) Value { return (*Text)(&s.Owner) },
	},
	FieldLabels: {
		name: "labels", by: Operators, facet: "label",
		about: "names and values for your own use",
		at:    func(s *Settings) Value { return (*Map)(&s.Labels) },
	},
}

// LastField is the last field in the order of [Fields].
const LastField = Field(fieldCount - 1)

// Fields returns all fields, in the order of the documentation.
func Fields() iter.Seq[Field] {
	return func(yield func(Field) bool) {
		for f := range fieldCount {
			if !yield(Field(f)) {
				return
			}
		}
	}
}

// FieldNamed returns the field with that name. The search starts after the field
// previous: configurations are written in the order of the table, so the first
// comparison nearly always succeeds. Pass [LastField] to start with the first field.
func FieldNamed(name string, previous Field) (f Field, ok bool) {
	for i := range fieldCount {
		f := Field((int(previous) + 1 + i) % fieldCount)
		if table[f].name == name {
			return f, true
		}
	}
	return 0, false
}

// String returns the name of the field in requests, responses, files and stored
// documents.
func (f Field) String() string { return table[f].name }

// Metadata returns the field's name as client metadata (RFC 7591 §2); empty if the
// field has no registered name.
func (f Field) Metadata() string { return table[f].metadata }

// About describes the field in a few words.
func (f Field) About() string { return table[f].about }

// AlwaysShown returns the fields that every response has, also if they are unset.
func AlwaysShown() (set FieldSet) {
	for f := range Fields() {
		set.put(f, table[f].always)
	}
	return set
}

// SetBy returns which callers may set the field.
func (f Field) SetBy() Setter { return table[f].by }

// Facet returns the kind of facet that lists filter the field by; empty if they do not
// filter by the field.
func (f Field) Facet() string { return table[f].facet }

// FacetValue returns the facet for a value of the field; empty if there is none.
func (f Field) FacetValue(value string) string {
	if derive := table[f].facetOf; derive != nil {
		return derive(value)
	}
	return value
}

// Of returns the value of the field in s. Writing to it writes to s.
func (f Field) Of(s *Settings) Value { return table[f].at(s) }

// pointer is the JSON Pointer (RFC 6901) of the field in a request body or a
// client; no field name needs escaping.
func (f Field) pointer() string { return "/" + table[f].name }

// element is the JSON Pointer of the i-th element of the field, a list.
func (f Field) element(i int) string { return f.pointer() + "/" + strconv.Itoa(i) }

// entry is the JSON Pointer of the value with that name in the field, a map.
func (f Field) entry(name string) string {
	return f.pointer() + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// hostOf returns the host of a redirect URI in lower case; empty if it has no host.
func hostOf(uri string) string { return strings.ToLower(parseURI(uri).host) }

// FieldSet is a set of fields. The zero value is empty.
type FieldSet [(fieldCount + 63) / 64]uint64

// FieldsOf returns the set of the given fields.
func FieldsOf(fields ...Field) (set FieldSet) {
	for _, f := range fields {
		set.Add(f)
	}
	return set
}

// Add adds f to the set.
func (s *FieldSet) Add(f Field) { s[f/64] |= 1 << (f % 64) }

// Remove removes f from the set.
func (s *FieldSet) Remove(f Field) { s[f/64] &^= 1 << (f % 64) }

func (s *FieldSet) put(f Field, in bool) {
	if in {
		s.Add(f)
	} else {
		s.Remove(f)
	}
}

// Has reports whether f is in the set.
func (s FieldSet) Has(f Field) bool { return s[f/64]&(1<<(f%64)) != 0 }

// IsEmpty reports whether no field is in the set.
func (s FieldSet) IsEmpty() bool { return s == FieldSet{} }

// Len returns the number of fields in the set.
func (s FieldSet) Len() (n int) {
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

// Union returns the fields that are in either set.
func (s FieldSet) Union(other FieldSet) FieldSet {
	for i := range s {
		s[i] |= other[i]
	}
	return s
}

// All returns the fields of the set in the order of [Fields].
func (s FieldSet) All() iter.Seq[Field] {
	return func(yield func(Field) bool) {
		for i, word := range s {
			for ; word != 0; word &= word - 1 {
				if !yield(Field(64*i + bits.TrailingZeros64(word))) { //nolint:gosec // below fieldCount, which a Field can hold
					return
				}
			}
		}
	}
}

// hasAny reports whether any of the fields is in the set.
func (s FieldSet) hasAny(fields []Field) bool {
	return slices.ContainsFunc(fields, s.Has)
}
