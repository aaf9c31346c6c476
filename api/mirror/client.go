package mirror

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Client is a client as an authorization server is to apply it: the defaults of the
// specifications and the minimum of its FAPI profile are filled in. The names in the
// comments are those of RFC 7591 and the specifications that extend it. A Client is shared
// by all callers and must not be modified.
type Client struct {
	// ID, TenantID and Revision identify this state of the client. Revision is 0 for a client
	// that only its client ID metadata document defines.
	ID       string `json:"client_id"`
	TenantID string `json:"tenant_id"`
	Revision int64  `json:"revision"`
	// Active is false for a suspended client. Get returns only active clients.
	Active bool `json:"-"`

	// Name is client_name. The other fields are shown to users.
	Name        string `json:"client_name"`
	Description string `json:"description"`
	ClientURI   string `json:"client_uri"`
	LogoURI     string `json:"logo_uri"`
	PolicyURI   string `json:"policy_uri"`
	TOSURI      string `json:"tos_uri"`

	// Confidential reports whether the client can keep a secret (RFC 6749 §2.1).
	Confidential bool `json:"is_confidential"`
	// ApplicationType is "web" or "native".
	ApplicationType string `json:"application_type"`
	// FAPIProfile is the FAPI profile that the client complies with, or empty.
	FAPIProfile string `json:"fapi_profile"`

	// RedirectURIs are matched exactly, except for the port of a loopback address of a
	// native client (RFC 8252 §7.3).
	RedirectURIs           []string `json:"redirect_uris"`
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris"`
	CORSOrigins            []string `json:"cors_origins"`

	GrantTypes    []string `json:"grant_types"`
	ResponseTypes []string `json:"response_types"`
	// ResponseModes are the modes that the client may request; empty permits any.
	ResponseModes []string `json:"response_modes"`
	// Scopes are the values of scope.
	Scopes []string `json:"-"`
	// Resources is what the parameter resource may name (RFC 8707); empty permits anything.
	Resources []string `json:"resources"`

	// AuthMethods are all methods that the client may authenticate with, and
	// TokenEndpointAuthMethod is the first of them.
	AuthMethods             []string `json:"client_auth_methods"`
	TokenEndpointAuthMethod string   `json:"token_endpoint_auth_method"`
	// TokenEndpointAuthSigningAlg is the algorithm of client assertions; empty permits any
	// that the keys of the client can verify.
	TokenEndpointAuthSigningAlg string `json:"token_endpoint_auth_signing_alg"`
	// JWKS is the inline JWK Set, or nil. JWKSURI is where the keys are instead;
	// [Mirror.Keys] has both.
	JWKS    json.RawMessage `json:"jwks"`
	JWKSURI string          `json:"jwks_uri"`
	// The subject of the client's certificate for tls_client_auth (RFC 8705 §2.1.2): at
	// most one is set.
	TLSClientAuthSubjectDN string `json:"tls_client_auth_subject_dn"`
	TLSClientAuthSANDNS    string `json:"tls_client_auth_san_dns"`
	TLSClientAuthSANURI    string `json:"tls_client_auth_san_uri"`
	TLSClientAuthSANIP     string `json:"tls_client_auth_san_ip"`
	TLSClientAuthSANEmail  string `json:"tls_client_auth_san_email"`

	// What the server must require of the client.
	RequirePKCE                bool `json:"require_pkce"`
	RequirePAR                 bool `json:"require_pushed_authorization_requests"`
	RequireSignedRequestObject bool `json:"require_signed_request_object"`
	DPoPBoundAccessTokens      bool `json:"dpop_bound_access_tokens"`
	CertificateBoundTokens     bool `json:"tls_client_certificate_bound_access_tokens"`
	RequireAuthTime            bool `json:"require_auth_time"`
	// SkipConsent reports whether users are not asked for consent.
	SkipConsent bool `json:"skip_consent"`

	// Lifetimes of tokens; 0 is the default of the server.
	AccessTokenLifetime  time.Duration `json:"-"`
	RefreshTokenLifetime time.Duration `json:"-"`
	IDTokenLifetime      time.Duration `json:"-"`
	// RefreshTokenRotation is "rotate", "reuse", or empty for the default of the server.
	RefreshTokenRotation string `json:"refresh_token_rotation"`
	// DefaultMaxAge is the maximum age of an authentication in seconds, or nil.
	DefaultMaxAge *int32 `json:"default_max_age"`
	// DefaultACRValues are used if a request names none.
	DefaultACRValues []string `json:"default_acr_values"`

	// SubjectType is "public" or "pairwise".
	SubjectType         string `json:"subject_type"`
	SectorIdentifierURI string `json:"sector_identifier_uri"`

	IDTokenSignedResponseAlg    string `json:"id_token_signed_response_alg"`
	IDTokenEncryptedResponseAlg string `json:"id_token_encrypted_response_alg"`
	IDTokenEncryptedResponseEnc string `json:"id_token_encrypted_response_enc"`
	UserinfoSignedResponseAlg   string `json:"userinfo_signed_response_alg"`
	RequestObjectSigningAlg     string `json:"request_object_signing_alg"`

	BackchannelLogoutURI              string `json:"backchannel_logout_uri"`
	BackchannelLogoutSessionRequired  bool   `json:"backchannel_logout_session_required"`
	FrontchannelLogoutURI             string `json:"frontchannel_logout_uri"`
	FrontchannelLogoutSessionRequired bool   `json:"frontchannel_logout_session_required"`

	// Document is the whole client as JSON, in the form of RFC 7591. It includes the fields
	// that have no place in this struct.
	Document json.RawMessage `json:"-"`
}

// HasGrantType reports whether the client may use the grant type.
func (c *Client) HasGrantType(grant string) bool { return slices.Contains(c.GrantTypes, grant) }

// HasAuthMethod reports whether the client may authenticate with the method.
func (c *Client) HasAuthMethod(method string) bool { return slices.Contains(c.AuthMethods, method) }

// HasSecrets reports whether a method of the client uses a secret.
func (c *Client) HasSecrets() bool {
	return slices.ContainsFunc(c.AuthMethods, func(m string) bool { return strings.HasPrefix(m, "client_secret_") })
}

// HasScope reports whether the client may request the scope.
func (c *Client) HasScope(scope string) bool { return slices.Contains(c.Scopes, scope) }

// HasRedirectURI reports whether the redirection URI is registered, byte for byte.
func (c *Client) HasRedirectURI(uri string) bool { return slices.Contains(c.RedirectURIs, uri) }

// clientDocument is the JSON form of a client: the fields of [Client], and those whose form
// differs.
type clientDocument struct {
	*Client
	Status               string          `json:"status"`
	Scope                string          `json:"scope"`
	AccessTokenLifetime  int64           `json:"access_token_lifetime"`
	RefreshTokenLifetime int64           `json:"refresh_token_lifetime"`
	IDTokenLifetime      int64           `json:"id_token_lifetime"`
	DeletedAt            string          `json:"deleted_at"`
	SecretVerifiers      json.RawMessage `json:"secret_verifiers"`
}

// maxLifetime is the longest lifetime of a token, in seconds, that a registry accepts.
const maxLifetime = 157680000

// parseClient reads a document. It returns nil for a client that is deleted, and the
// member secret_verifiers if there is one.
func parseClient(text []byte) (c *Client, deleted bool, verifiers json.RawMessage, err error) {
	c = &Client{}
	d := clientDocument{Client: c}
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, false, nil, fmt.Errorf("a client cannot be read: %w", err)
	}
	if c.ID == "" || c.Revision < 0 {
		return nil, false, nil, errors.New("a client has no client_id, or a negative revision")
	}
	for _, seconds := range []int64{d.AccessTokenLifetime, d.RefreshTokenLifetime, d.IDTokenLifetime} {
		if seconds < 0 || seconds > maxLifetime {
			return nil, false, nil, fmt.Errorf("client %q has a lifetime of %d seconds", c.ID, seconds)
		}
	}
	if d.Status != statusActive && d.Status != statusSuspended && d.DeletedAt == "" {
		return nil, false, nil, fmt.Errorf("client %q has the status %q", c.ID, d.Status)
	}
	c.Active = d.Status == statusActive
	c.Scopes = strings.Fields(d.Scope)
	c.AccessTokenLifetime = time.Duration(d.AccessTokenLifetime) * time.Second
	c.RefreshTokenLifetime = time.Duration(d.RefreshTokenLifetime) * time.Second
	c.IDTokenLifetime = time.Duration(d.IDTokenLifetime) * time.Second
	c.Document = withoutVerifiers(text, d.SecretVerifiers)
	if string(c.JWKS) == "null" {
		c.JWKS = nil
	}
	if len(c.AuthMethods) == 0 && c.TokenEndpointAuthMethod != "" {
		c.AuthMethods = []string{c.TokenEndpointAuthMethod}
	}
	return c, d.DeletedAt != "", d.SecretVerifiers, nil
}

// The values of status.
const (
	statusActive    = "active"
	statusSuspended = "suspended"
)

// withoutVerifiers returns a copy of the document without the hashes of secrets, which
// have no place in something that servers may log or show.
func withoutVerifiers(text []byte, verifiers json.RawMessage) json.RawMessage {
	if verifiers == nil {
		return bytes.Clone(text)
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil { // parseClient has read it already
		return nil
	}
	delete(members, "secret_verifiers")
	rest, err := json.Marshal(members)
	if err != nil {
		return nil
	}
	return rest
}
