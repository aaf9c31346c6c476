package domain

import (
	"maps"
	"slices"
	"time"
)

// Statement is a software statement (RFC 7591 §2.3) that a trusted issuer signed.
type Statement struct {
	Issuer     string
	SoftwareID string
	// Fixed are the values that the statement sets. They take precedence over what the
	// client sends.
	Fixed Change
	// Ceiling are the redirect URIs and scopes of which the client may register a part,
	// in the mode ceiling. An empty value that it names allows none.
	Ceiling Change
	// Text is the statement as it was received.
	Text string

	// ID identifies the statement for its issuer; nil if it may be used more than once. A
	// second use is rejected until ExpiresAt.
	ID        *[32]byte
	ExpiresAt time.Time
	// UniqueSoftware rejects a second client with this software_id.
	UniqueSoftware bool
}

// Software returns the software_id; empty without a statement.
func (s *Statement) Software() string {
	if s == nil {
		return ""
	}
	return s.SoftwareID
}

// SameSoftware reports whether both statements are of one issuer and about one software.
func (s *Statement) SameSoftware(other *Statement) bool {
	return s.Issuer == other.Issuer && s.SoftwareID == other.SoftwareID
}

// ClaimMode is how the claims for redirect URIs and scopes limit the client.
type ClaimMode string

// The modes.
const (
	// ClaimsFixed replaces what the client sends.
	ClaimsFixed ClaimMode = "fixed"
	// ClaimsCeiling allows the client a part of the claims.
	ClaimsCeiling ClaimMode = "ceiling"
)

// DefaultStatementAge is the maximum age of a software statement if its issuer has no other.
const DefaultStatementAge = 10 * time.Minute

// MaxStatementAge bounds the maximum age of software statements. So long the use of a
// statement that does not expire must be remembered.
const MaxStatementAge = 90 * 24 * time.Hour

// StatementIssuer is the trust in one issuer of software statements.
type StatementIssuer struct {
	Issuer        string   // the claim iss, byte for byte
	JWKSURI       string   // or Keys
	Keys          string   // the text of a JWK Set
	Algorithms    []string // with which statements and requests may be signed
	RequireExpiry bool
	MaxAge        time.Duration // the maximum age of the claim iat
	OnceOnly      bool          // jti: once
	Mode          ClaimMode
	// Claims maps claims to names of client metadata; empty if they have these names.
	Claims map[string]string
	// Required are values that claims must have, e.g. org_status Active.
	Required map[string]string
	// RoleClaim is the claim with the roles of the software, and Roles the scopes that
	// each role allows.
	RoleClaim  string
	Roles      map[string][]Scope
	RequestJWT bool // the registration request itself is a JWT
	// Audiences are values of the claim aud of such a request that are accepted in addition
	// to the registration endpoint, e.g. the issuer identifier of the authorization server.
	Audiences      []string
	UniqueSoftware bool
}

// VouchedFields returns the fields that statements vouch for. A claim for such a field that
// does not have its form makes the statement invalid: if it were ignored, the client could
// choose the value. Claims for other fields are then ignored, e.g. software_version, which
// is a number in Open Banking Brasil.
func VouchedFields() FieldSet {
	return FieldsOf(FieldRedirectURIs, FieldScopes, FieldJWKS, FieldJWKSURI, FieldSoftwareID)
}

// AdmitsOneOf reports whether software with the roles may be registered: one of them is
// configured, or the issuer has no claim for roles.
func (i *StatementIssuer) AdmitsOneOf(roles []string) bool {
	return i.RoleClaim == "" || slices.ContainsFunc(roles, func(role string) bool {
		_, configured := i.Roles[role]
		return configured
	})
}

// ClaimFor returns the name of the claim for a field; "" if the issuer has none. If several
// claims have the same meaning, it is the first one in alphabetical order. software_id has this
// name unless another claim is configured.
func (i *StatementIssuer) ClaimFor(f Field) string {
	for _, claim := range slices.Sorted(maps.Keys(i.Claims)) {
		if i.Claims[claim] == f.Metadata() {
			return claim
		}
	}
	if len(i.Claims) == 0 || f == FieldSoftwareID {
		return f.Metadata()
	}
	return ""
}

// Bind returns what a statement sets for its client, and of what the client may register a
// part, see [Statement]. claimed are the claims that are client metadata, and roles those of
// the software.
//
// In the mode ceiling a claim that is absent allows nothing, as an empty one: the statement
// vouches for no redirect URI, or for no scope. Only if the issuer has no claim at all for
// scopes, neither by name nor by role, they are limited by the policy alone.
func (i *StatementIssuer) Bind(claimed Change, roles []string) (fixed, ceiling Change) {
	fixed = claimed
	if i.RoleClaim != "" {
		fixed = fixed.With(FieldScopes, Settings{Scopes: i.scopesOf(roles, claimed)})
	}
	if i.Mode != ClaimsCeiling {
		return fixed, Change{}
	}
	for _, f := range []Field{FieldRedirectURIs, FieldScopes} {
		if fixed.Names(f) || f == FieldRedirectURIs || i.ClaimFor(f) != "" {
			ceiling = ceiling.With(f, fixed.values)
			fixed = fixed.Without(f)
		}
	}
	return fixed, ceiling
}

// scopesOf returns the scopes of the roles, without those that a claim for the scope does not
// have. It is not nil: no scope is another thing than no limit.
func (i *StatementIssuer) scopesOf(roles []string, claimed Change) []Scope {
	scopes := []Scope{}
	for _, role := range roles {
		scopes = append(scopes, i.Roles[role]...)
	}
	scopes = common(scopes, scopes) // without repetitions
	if !claimed.Names(FieldScopes) {
		return scopes
	}
	return only(scopes, func(s Scope) bool { return slices.Contains(claimed.values.Scopes, s) })
}
