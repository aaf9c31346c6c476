package domain

import (
	"slices"
	"time"
)

// TenantID names the tenant that a client belongs to.
type TenantID string

// ClientID is the OAuth client identifier (RFC 6749 §2.2), unique in the
// registry and never used again.
type ClientID string

// Identity is who a client is. It never changes.
type Identity struct {
	ID       string // the registry's own key of the record
	TenantID TenantID
	ClientID ClientID
}

// RevisionNumber counts the changes of one client, from 1 at its creation.
type RevisionNumber int64

// State is everything that a client is, as plain data: what stores keep.
type State struct {
	Identity  Identity
	Settings  Settings
	Secrets   []Secret
	Revision  RevisionNumber
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Client is a registered client. Its configuration is one that the rulebook
// did not refuse when it was made; nothing outside this package can change it.
// The zero value is no client.
type Client struct {
	state State
}

// Restore makes a client of what a store kept. It does not judge: what is read
// was legal when it was written.
func Restore(s State) Client { return Client{state: s.clone()} }

func (s State) clone() State {
	s.Settings = s.Settings.clone()
	s.Secrets = slices.Clone(s.Secrets)
	return s
}

// State returns everything that the client is, as a copy.
func (c Client) State() State { return c.state.clone() }

// Identity returns who the client is.
func (c Client) Identity() Identity { return c.state.Identity }

// Settings returns the configuration, as a copy.
func (c Client) Settings() Settings { return c.state.Settings.clone() }

// Revision returns how often the client was changed, its creation included.
func (c Client) Revision() RevisionNumber { return c.state.Revision }

// CreatedAt returns when the client was registered.
func (c Client) CreatedAt() time.Time { return c.state.CreatedAt }

// UpdatedAt returns when the client was last changed.
func (c Client) UpdatedAt() time.Time { return c.state.UpdatedAt }

// SecretLastFour returns the last four characters of the newest secret, empty
// where the client has none.
func (c Client) SecretLastFour() string {
	if len(c.state.Secrets) == 0 {
		return ""
	}
	return c.state.Secrets[len(c.state.Secrets)-1].LastFour
}

// UsesSecret reports whether some authentication method of the client proves
// a secret that the registry keeps the hash of.
func (c Client) UsesSecret() bool { return c.state.Settings.usesSecret() }

// WithFirstSecret returns the client as it is registered together with its
// first secret: the revision stays.
func (c Client) WithFirstSecret(s Secret) Client {
	c.state.Secrets = []Secret{s}
	return c
}

// Action says what a revision did.
type Action string

// The actions.
const (
	ActionCreate Action = "create"
	ActionUpdate Action = "update"
)

// Actor is who made a change.
type Actor struct {
	Subject string // the token's subject
}

// Revision is one entry of the log of a client: who made it what it then was.
// The log holds every change, in order, and no secret.
type Revision struct {
	Action Action
	Actor  Actor
	At     time.Time
	Client Client // as it became; its revision number is the entry's
}
