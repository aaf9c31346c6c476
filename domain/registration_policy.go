package domain

import "time"

// RedirectKind is a kind of redirect URI (RFC 8252 §7).
type RedirectKind string

// The kinds of redirect URIs.
const (
	RedirectHTTPS      RedirectKind = "https"
	RedirectLoopback   RedirectKind = "loopback"
	RedirectPrivateUse RedirectKind = "private-use"
)

// RedirectKinds lists the kinds of redirect URIs.
func RedirectKinds() []RedirectKind {
	return []RedirectKind{RedirectHTTPS, RedirectLoopback, RedirectPrivateUse}
}

// LinkHosts is the policy for the hosts of links: logo, home page, terms and privacy
// policy (RFC 7591 §5).
type LinkHosts string

// The policies for the hosts of links, the strictest one first; empty is [LinkHostsWarn].
const (
	LinkHostsRequire LinkHosts = "require"
	LinkHostsWarn    LinkHosts = "warn"
	LinkHostsOff     LinkHosts = "off"
)

// LinkHostsModes lists the policies for the hosts of links, the strictest one first.
func LinkHostsModes() []LinkHosts { return []LinkHosts{LinkHostsRequire, LinkHostsWarn, LinkHostsOff} }

// level returns the level of a finding about the host of a link; ok is false if there is
// none.
func (l LinkHosts) level() (level Level, ok bool) {
	if l == LinkHostsRequire {
		return Violation, true
	}
	return Warning, l != LinkHostsOff
}

// StatementMode is whether registrations have a software statement.
type StatementMode string

// The modes, the strictest one first; empty is [StatementNone].
const (
	StatementRequired StatementMode = "required"
	StatementOptional StatementMode = "optional"
	StatementNone     StatementMode = "none"
)

// StatementModes lists the modes, the strictest one first.
func StatementModes() []StatementMode {
	return []StatementMode{StatementRequired, StatementOptional, StatementNone}
}

// Accepts reports whether registrations may have a software statement. One that is sent in
// spite of it is rejected, not ignored.
func (m StatementMode) Accepts() bool { return m == StatementOptional || m == StatementRequired }

// RegistrationPolicy limits and completes what clients register themselves. It is the
// policy of a tenant, what an initial access token narrows it by, and what is pinned to a
// client. The zero value has no limits except those of [RegistrationPolicy.WithDefaults].
//
// A nil list is not given: it has no ceiling, or the default. An empty list that is not nil
// allows nothing.
type RegistrationPolicy struct {
	// Open allows registrations without an initial access token. It forces more, see
	// [RegistrationPolicy.WithDefaults].
	Open bool

	RedirectHosts []string // exact hosts, or *. and a domain; nil means any
	RedirectKinds []RedirectKind

	// Ceilings: values beyond them are dropped.
	Grants                    []GrantType
	ResponseTypes             []ResponseType
	AuthMethods               []AuthMethod // in order of preference
	Scopes                    []Scope
	DefaultScopes             []Scope // of a client that requests none
	AuthorizationDetailsTypes []string

	// Forced on.
	Profile        Profile
	RequirePKCE    bool
	PAR            bool
	DPoP           bool
	MTLS           bool
	SignedRequests bool

	InitialStatus Status // active or suspended; empty is active

	// Written to each client.
	Resources            []string
	Labels               map[string]string
	Owner                string
	AccessTokenLifetime  int64 // in seconds, as the next two; 0 is unset
	IDTokenLifetime      int64
	RefreshTokenLifetime int64

	LinkHosts LinkHosts
	Statement StatementMode
	Issuers   []string // of statements, by iss; nil means all that the tenant trusts

	MaxClients     int           // 0 is not given
	SecretTTL      time.Duration // 0 means that secrets do not expire
	UnusedTTL      time.Duration // a client that is never seen for this time is deleted; 0 means never
	Unmanaged      bool          // the client gets no registration access token (management: false)
	RotateOnUpdate bool
	CORS           bool // web pages may call the registration endpoints
}
