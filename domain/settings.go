package domain

import "slices"

// RedirectURI is a registered redirection endpoint (RFC 6749 §3.1.2). It is stored
// byte for byte as submitted, because authorization servers compare it exactly
// (RFC 9700 §2.1).
type RedirectURI string

// Link is the URL of a page about the client (RFC 7591 §2), stored as submitted.
type Link string

// Origin is a web origin that may call the authorization server for this
// client, in its ASCII serialisation (RFC 6454 §6.2).
type Origin string

// KeySource is the location of a client's public keys: in the registry itself or at a
// URI. A client never has both (RFC 7591 §2: "jwks_uri" and "jwks" MUST NOT both be
// present); only a draft can have both, and a rule then rejects it. The zero value
// means no keys.
type KeySource struct {
	inline string
	uri    string
}

// InlineKeys returns a key source with the JSON text of a JWK Set; empty text means no
// keys.
func InlineKeys(jwks string) KeySource { return KeySource{inline: jwks} }

// KeysAt returns a key source with a URI; an empty URI means no keys.
func KeysAt(uri string) KeySource { return KeySource{uri: uri} }

// Inline returns the JSON text of the JWK Set in the registry; empty if there is none.
func (k KeySource) Inline() string { return k.inline }

// URI returns the URI of the keys; empty if there is none.
func (k KeySource) URI() string { return k.uri }

// IsNone reports whether there are no keys.
func (k KeySource) IsNone() bool { return k == KeySource{} }

// field returns the field that contains the source.
func (k KeySource) field() Field {
	if k.inline == "" && k.uri != "" {
		return FieldJWKSURI
	}
	return FieldJWKS
}

// both reports whether a draft has inline keys and a URI, which a rule rejects.
func (k KeySource) both() bool { return k.inline != "" && k.uri != "" }

// TLSSubject is the expected subject in the certificate of a client that authenticates
// by tls_client_auth; exactly one field must be set (RFC 8705 §2.1.2).
type TLSSubject struct {
	DN       string
	SANDNS   string
	SANURI   string
	SANIP    string
	SANEmail string
}

// RequestURI is a location of request objects (OpenID Connect Registration §2), kept as
// it came.
type RequestURI string

// Algorithms are the algorithms that protect one kind of JWT; each may be unset.
type Algorithms struct {
	Signing       string // a JWS "alg"
	KeyManagement string // a JWE "alg"
	Content       string // a JWE "enc"
}

// Logout is where and how an authorization server reports a logout to the client.
type Logout struct {
	URI             string
	SessionRequired bool
}

// CIBA is the configuration of a client that authenticates users in the backchannel
// (CIBA Core §4).
type CIBA struct {
	DeliveryMode         DeliveryMode
	NotificationEndpoint string
	RequestSigningAlg    string
	UserCode             bool
}

// Settings is the configuration of a client: everything that callers set and rules
// check.
type Settings struct {
	Name          string
	Status        Status
	Confidential  bool
	RedirectURIs  []RedirectURI
	GrantTypes    []GrantType
	Scopes        []Scope
	AuthMethods   []AuthMethod
	Profile       Profile
	Keys          KeySource
	TLSSubject    TLSSubject
	LogoURL       Link
	Website       Link
	PrivacyPolicy Link
	TermsURL      Link
	CORSOrigins   []Origin

	ResponseTypes             []ResponseType
	ResponseModes             []ResponseMode
	AuthorizationDetailsTypes []string
	Resources                 []string // what the parameter "resource" may name (RFC 8707 §2)

	ApplicationType ApplicationType
	Contacts        []string
	Description     string
	SoftwareID      string
	SoftwareVersion string
	Owner           string
	Labels          map[string]string

	SubjectType         SubjectType
	SectorIdentifierURI string

	IDToken        Algorithms
	UserInfo       Algorithms
	Introspection  Algorithms // of introspection responses (RFC 9701)
	Authorization  Algorithms // of authorization responses (JARM)
	RequestObject  Algorithms
	AuthSigningAlg string // of client assertions

	DefaultMaxAge    MaxAge
	RequireAuthTime  bool
	DefaultACRValues []string

	InitiateLoginURI       string
	RequestURIs            []RequestURI
	PostLogoutRedirectURIs []RedirectURI
	BackchannelLogout      Logout
	FrontchannelLogout     Logout
	CIBA                   CIBA

	RequireSignedRequestObject bool
	RequirePAR                 bool
	RequirePKCE                bool
	DPoPBound                  bool
	CertificateBound           bool
	UseMTLSAliases             bool

	RefreshTokenRotation RefreshTokenRotation
	AccessTokenLifetime  int64 // in seconds, as the next two; 0 is unset
	IDTokenLifetime      int64
	RefreshTokenLifetime int64
	SkipConsent          bool
}

// UsesSecret reports whether an authentication method of the client uses a shared
// secret.
func (s Settings) UsesSecret() bool {
	return s.Confidential && slices.ContainsFunc(s.AuthMethods, AuthMethod.usesSecret)
}

func (s Settings) hasGrant(g GrantType) bool { return slices.Contains(s.GrantTypes, g) }

// usesCIBA reports whether the client authenticates users in the backchannel: it has the
// grant, or a delivery mode, of which push needs no grant (CIBA Core §4).
func (s *Settings) usesCIBA() bool { return s.hasGrant(GrantCIBA) || s.CIBA.DeliveryMode != "" }

func (s Settings) hasMethod(m AuthMethod) bool { return slices.Contains(s.AuthMethods, m) }

// filled returns the fields that are set.
func (s *Settings) filled() (set FieldSet) {
	for f := range Fields() {
		if !f.Of(s).IsEmpty() {
			set.Add(f)
		}
	}
	return set
}
