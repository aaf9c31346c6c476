package domain

import "strings"

// GrantType is an OAuth grant type (RFC 7591 §2).
type GrantType string

// The grant types that Clientele supports.
const (
	GrantAuthorizationCode GrantType = "authorization_code"                              // RFC 6749 §4.1
	GrantImplicit          GrantType = "implicit"                                        // RFC 6749 §4.2
	GrantPassword          GrantType = "password"                                        // RFC 6749 §4.3
	GrantClientCredentials GrantType = "client_credentials"                              // RFC 6749 §4.4
	GrantRefreshToken      GrantType = "refresh_token"                                   // RFC 6749 §6
	GrantDeviceCode        GrantType = "urn:ietf:params:oauth:grant-type:device_code"    // RFC 8628 §3.4
	GrantTokenExchange     GrantType = "urn:ietf:params:oauth:grant-type:token-exchange" // RFC 8693 §2.1
	GrantJWTBearer         GrantType = "urn:ietf:params:oauth:grant-type:jwt-bearer"     // RFC 7523 §2.1
	GrantSAML2Bearer       GrantType = "urn:ietf:params:oauth:grant-type:saml2-bearer"   // RFC 7522 §2.1
	GrantCIBA              GrantType = "urn:openid:params:grant-type:ciba"               // CIBA Core §4
)

// GrantTypes lists the grant types that Clientele supports, sorted.
func GrantTypes() []GrantType {
	return []GrantType{
		GrantAuthorizationCode, GrantImplicit, GrantPassword, GrantClientCredentials, GrantRefreshToken,
		GrantDeviceCode, GrantTokenExchange, GrantJWTBearer, GrantSAML2Bearer, GrantCIBA,
	}
}

func (g GrantType) known() bool {
	switch g {
	case GrantAuthorizationCode, GrantImplicit, GrantPassword, GrantClientCredentials, GrantRefreshToken,
		GrantDeviceCode, GrantTokenExchange, GrantJWTBearer, GrantSAML2Bearer, GrantCIBA:
		return true
	default:
		return false
	}
}

// redirects reports whether the grant redirects the user agent to the client, so that
// it needs a redirect URI (RFC 6749 §3.1.2.2).
func (g GrantType) redirects() bool { return g == GrantAuthorizationCode || g == GrantImplicit }

// endUser reports whether the grant involves an end-user, so that an ID Token can be
// issued.
func (g GrantType) endUser() bool {
	return g.redirects() || g == GrantDeviceCode || g == GrantCIBA || g == GrantPassword
}

// AuthMethod is a client authentication method in the IANA registry of token endpoint
// authentication methods.
type AuthMethod string

// The client authentication methods that Clientele supports.
const (
	AuthNone          AuthMethod = "none"                        // RFC 7591 §2
	AuthSecretBasic   AuthMethod = "client_secret_basic"         // RFC 6749 §2.3.1
	AuthSecretPost    AuthMethod = "client_secret_post"          // RFC 6749 §2.3.1
	AuthSecretJWT     AuthMethod = "client_secret_jwt"           // OIDC Core §9
	AuthPrivateKeyJWT AuthMethod = "private_key_jwt"             // OIDC Core §9
	AuthTLS           AuthMethod = "tls_client_auth"             // RFC 8705 §2.1
	AuthSelfSignedTLS AuthMethod = "self_signed_tls_client_auth" // RFC 8705 §2.2
)

// AuthMethods lists the client authentication methods that Clientele supports.
func AuthMethods() []AuthMethod {
	return []AuthMethod{
		AuthNone, AuthSecretBasic, AuthSecretPost, AuthSecretJWT, AuthPrivateKeyJWT, AuthTLS, AuthSelfSignedTLS,
	}
}

func (m AuthMethod) known() bool {
	switch m {
	case AuthNone, AuthSecretBasic, AuthSecretPost, AuthSecretJWT, AuthPrivateKeyJWT, AuthTLS, AuthSelfSignedTLS:
		return true
	default:
		return false
	}
}

// usesSecret reports whether the method uses a secret that the client shares with the
// authorization server.
func (m AuthMethod) usesSecret() bool {
	return m == AuthSecretBasic || m == AuthSecretPost || m == AuthSecretJWT
}

// usesKey reports whether the method uses a private key.
func (m AuthMethod) usesKey() bool {
	return m == AuthPrivateKeyJWT || m == AuthTLS || m == AuthSelfSignedTLS
}

// Profile is the FAPI profile that a client claims, as submitted; empty means none.
type Profile string

// The profiles that Clientele supports. "fapi1" and "fapi2" do not specify the part:
// they are stored as submitted, and [Profile.ValidatedAs] returns the profile that is
// checked.
const (
	ProfileNone                Profile = ""
	ProfileFAPI1               Profile = "fapi1"
	ProfileFAPI1Baseline       Profile = "fapi1-baseline"
	ProfileFAPI1Advanced       Profile = "fapi1-advanced"
	ProfileFAPI2               Profile = "fapi2"
	ProfileFAPI2Security       Profile = "fapi2-security"
	ProfileFAPI2MessageSigning Profile = "fapi2-message-signing"
)

// Profiles lists the four profiles that have rules.
func Profiles() []Profile {
	return []Profile{ProfileFAPI1Baseline, ProfileFAPI1Advanced, ProfileFAPI2Security, ProfileFAPI2MessageSigning}
}

// ValidatedAs returns the profile that is checked: for "fapi1" it is fapi1-baseline,
// which accepts everything that Advanced accepts, and for "fapi2" fapi2-security. An
// unknown profile is validated as none, and ok is false.
func (p Profile) ValidatedAs() (validated Profile, ok bool) {
	switch p {
	case ProfileNone, ProfileFAPI1Baseline, ProfileFAPI1Advanced, ProfileFAPI2Security, ProfileFAPI2MessageSigning:
		return p, true
	case ProfileFAPI1:
		return ProfileFAPI1Baseline, true
	case ProfileFAPI2:
		return ProfileFAPI2Security, true
	default:
		return ProfileNone, false
	}
}

// profileSet is a set of profiles in which a rule applies.
type profileSet uint8

const (
	inNone profileSet = 1 << iota
	inBaseline
	inAdvanced
	inSecurity
	inMessageSigning

	everywhere = inNone | inBaseline | inAdvanced | inSecurity | inMessageSigning
	inFAPI1    = inBaseline | inAdvanced
	inFAPI2    = inSecurity | inMessageSigning
)

// bit returns the set that contains only p, a result of [Profile.ValidatedAs].
func (p Profile) bit() profileSet {
	switch p {
	case ProfileFAPI1Baseline:
		return inBaseline
	case ProfileFAPI1Advanced:
		return inAdvanced
	case ProfileFAPI2Security:
		return inSecurity
	case ProfileFAPI2MessageSigning:
		return inMessageSigning
	default:
		return inNone
	}
}

// profiles lists the profiles in the set, [ProfileNone] first.
func (s profileSet) profiles() []Profile {
	var list []Profile
	for _, p := range append([]Profile{ProfileNone}, Profiles()...) {
		if s&p.bit() != 0 {
			list = append(list, p)
		}
	}
	return list
}

// Status determines whether an authorization server may serve the client.
type Status string

// The states of a client that is not deleted.
const (
	StatusActive    Status = "active"
	StatusSuspended Status = "suspended"
)

// Scope is a scope-token of RFC 6749 §3.3.
type Scope string

// The scopes that rules refer to.
const (
	scopeOpenID        Scope = "openid"         // OIDC Core §3.1.2.1
	scopeOfflineAccess Scope = "offline_access" // OIDC Core §11
)

// IsWellFormed reports whether s is a scope-token:
// 1*( %x21 / %x23-5B / %x5D-7E ), RFC 6749 §3.3.
func (s Scope) IsWellFormed() bool {
	return s != "" && strings.IndexFunc(string(s), func(r rune) bool {
		return r < 0x21 || r > 0x7e || r == '"' || r == '\\'
	}) < 0
}

// ResponseType is a response type: words separated by spaces, whose order has no meaning
// (RFC 6749 §3.1.1).
type ResponseType string

// ResponseMode is a way to return an authorization response.
type ResponseMode string

// ApplicationType says where the client runs (OpenID Connect Registration §2).
type ApplicationType string

// The application types. Empty is unset.
const (
	ApplicationWeb    ApplicationType = "web"
	ApplicationNative ApplicationType = "native"
)

// SubjectType says which subject identifiers the client receives (OpenID Connect Core
// §8).
type SubjectType string

// The subject types. Empty is unset, which means public.
const (
	SubjectPublic   SubjectType = "public"
	SubjectPairwise SubjectType = "pairwise"
)

// DeliveryMode says how tokens are delivered in CIBA (CIBA Core §5).
type DeliveryMode string

// The delivery modes. Empty is unset.
const (
	DeliveryPoll DeliveryMode = "poll"
	DeliveryPing DeliveryMode = "ping"
	DeliveryPush DeliveryMode = "push"
)

// RefreshTokenRotation says whether each use of a refresh token replaces it (RFC 9700
// §2.2.2).
type RefreshTokenRotation string

// The ways to treat refresh tokens. Empty is unset.
const (
	RefreshRotate RefreshTokenRotation = "rotate"
	RefreshReuse  RefreshTokenRotation = "reuse"
)
