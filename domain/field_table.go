package domain

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
