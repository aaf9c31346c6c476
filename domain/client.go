package domain

import (
	"errors"
	"time"
)

// TenantID names the tenant that a client belongs to.
type TenantID string

// ClientID is the OAuth client identifier (RFC 6749 §2.2), unique in the
// registry and never used again.
type ClientID string

// Identity identifies a client. It never changes.
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
	Secrets   []Secret // oldest first
	Revision  RevisionNumber
	CreatedAt time.Time
	UpdatedAt time.Time
	DeletedAt time.Time // zero unless it is deleted
	PurgedAt  time.Time // zero where its configuration is still there

	// SecretsUnreadable reports that the client has stored secrets that the store
	// cannot read. Secrets is then empty. A store that commits such a client keeps
	// the stored secrets as they are.
	SecretsUnreadable bool
}

// Client is a registered client. Its configuration is one that the rulebook
// accepted when it was made; nothing outside this package can change it.
// The zero value is no client.
type Client struct {
	state State
	// filled are the fields that are set. Code that visits the fields of a client
	// visits these, so that fields that are not set cost nothing.
	filled FieldSet
}

// Restore returns the client that a store kept. It does not validate: what is read
// was legal when it was written. The lists in s are the client's from then on and
// must not be changed.
func Restore(s State) Client { return Client{s, s.Settings.filled()} }

// RestoreFilled is [Restore] for a store that knows which fields are set.
func RestoreFilled(s State, filled FieldSet) Client { return Client{s, filled} }

// State returns everything that the client is. Its lists are the client's and
// must not be changed.
func (c Client) State() State { return c.state }

// Identity returns who the client is.
func (c Client) Identity() Identity { return c.state.Identity }

// Settings returns the configuration. Its lists are the client's and must not be
// changed.
func (c Client) Settings() Settings { return c.state.Settings }

// Value returns the value of a field of the configuration. It must not be written
// to.
func (c *Client) Value(f Field) Value { return f.Of(&c.state.Settings) }

// Filled returns the fields of the configuration that are set.
func (c Client) Filled() FieldSet { return c.filled }

// Revision returns how often the client was changed, its creation included.
func (c Client) Revision() RevisionNumber { return c.state.Revision }

// CreatedAt returns when the client was registered.
func (c Client) CreatedAt() time.Time { return c.state.CreatedAt }

// UpdatedAt returns when the client was last changed.
func (c Client) UpdatedAt() time.Time { return c.state.UpdatedAt }

// Deleted reports whether the client was deleted and not restored since.
func (c Client) Deleted() bool { return !c.state.DeletedAt.IsZero() }

// DeletedAt returns when the client was deleted; zero where it was not.
func (c Client) DeletedAt() time.Time { return c.state.DeletedAt }

// Purged reports whether only the tombstone of the client is left.
func (c Client) Purged() bool { return !c.state.PurgedAt.IsZero() }

// The errors of changes that the state of a client does not allow.
var (
	// ErrDeleted: the client is deleted, and can only be restored or purged.
	ErrDeleted = errors.New("the client is deleted")
	// ErrNotDeleted: only a deleted client can be restored or purged.
	ErrNotDeleted = errors.New("the client is not deleted")
	// ErrPurged: the client was purged, and only its tombstone is left.
	ErrPurged = errors.New("the client was purged")
)

// Delete returns the client as deleted, one revision further. Its configuration
// and secrets stay, so that it can be restored. The error is [ErrDeleted].
func (c Client) Delete(now time.Time) (Client, error) {
	if c.Deleted() {
		return c, ErrDeleted
	}
	c.state.DeletedAt = now
	return c.next(now), nil
}

// Purge returns the tombstone of a deleted client, one revision further: its
// identity, and nothing else. The error is [ErrNotDeleted] or [ErrPurged].
func (c Client) Purge(now time.Time) (Client, error) {
	switch {
	case !c.Deleted():
		return c, ErrNotDeleted
	case c.Purged():
		return c, ErrPurged
	}
	c.state.Settings, c.filled = Settings{}, FieldSet{}
	c.state.Secrets, c.state.SecretsUnreadable = nil, false
	c.state.PurgedAt = now
	return c.next(now), nil
}

// next is the client one revision further.
func (c Client) next(now time.Time) Client {
	c.state.Revision++
	c.state.UpdatedAt = now
	return c
}

// UsesSecret reports whether some authentication method of the client proves
// a secret that the registry keeps the hash of.
func (c Client) UsesSecret() bool { return c.state.Settings.UsesSecret() }

// Action says what a revision did.
type Action string

// The actions.
const (
	ActionCreate       Action = "create"
	ActionUpdate       Action = "update"
	ActionDelete       Action = "delete"
	ActionRestore      Action = "restore" // of a deleted client
	ActionRevert       Action = "revert"  // to an earlier revision
	ActionPurge        Action = "purge"   // of a deleted client; its log is gone
	ActionCreateSecret Action = "create_secret"
	ActionRotateSecret Action = "rotate_secret"
	ActionDeleteSecret Action = "delete_secret"
)

// Actor is who made a change.
type Actor struct {
	Subject  string   // the token's subject
	ClientID ClientID // the client that the token was issued to; may be empty
}

// Revision is one entry of the log of a client: who made it what it then was.
// The log holds every change, in order, and no secret.
type Revision struct {
	Action    Action
	Actor     Actor
	At        time.Time
	RequestID string // by which the request is found in logs
	Reason    string // what the caller gave for one; may be empty
	Client    Client // as it became; its revision number is the entry's
	// Unreadable reports that the store cannot read this entry. Client then has
	// nothing but its tenant, identifier and revision number.
	Unreadable bool
}
