package domain

import (
	"errors"
	"time"
)

// TenantID identifies the tenant that a client belongs to.
type TenantID string

// ClientID is the OAuth client identifier (RFC 6749 §2.2). It is unique in its tenant
// and never reused.
type ClientID string

// Identity identifies a client. It never changes.
type Identity struct {
	ID       string // the registry's internal key of the client
	TenantID TenantID
	ClientID ClientID
}

// RevisionNumber counts the changes of one client, from 1 at its creation.
type RevisionNumber int64

// State is all data of a client, in the form that stores keep.
type State struct {
	Identity  Identity
	Settings  Settings
	Secrets   []Secret // oldest first
	Revision  RevisionNumber
	CreatedAt time.Time
	UpdatedAt time.Time
	DeletedAt time.Time // zero unless it is deleted
	PurgedAt  time.Time // zero unless it is purged

	// Registration is set for clients that registered themselves or manage their own
	// configuration; nil for all others. It must not be changed.
	Registration *Registration

	// SecretsUnreadable reports that the client has stored secrets that the store
	// cannot read. Secrets is then empty. A store that commits such a client keeps
	// the stored secrets as they are.
	SecretsUnreadable bool
}

// Client is a registered client. The rulebook accepted its configuration when it was
// written, and no code outside this package can change it. The zero value is no
// client.
type Client struct {
	state State
	// filled are the fields that are set. Loops over the fields of a client visit
	// only these, so that unset fields cost nothing.
	filled FieldSet
}

// Restore returns the client with a stored state. It does not validate the state,
// which was valid when it was written. The client keeps the lists in s; they must not
// be changed afterwards.
func Restore(s State) Client { return Client{s, s.Settings.filled()} }

// RestoreFilled is [Restore] for a store that knows which fields are set.
func RestoreFilled(s State, filled FieldSet) Client { return Client{s, filled} }

// State returns all data of the client. Its lists are shared with the client and must
// not be changed.
func (c Client) State() State { return c.state }

// Identity returns the identifiers of the client.
func (c *Client) Identity() Identity { return c.state.Identity }

// Registration returns what is kept of a client that registered itself or manages its own
// configuration; nil for all others. It must not be changed.
func (c *Client) Registration() *Registration { return c.state.Registration }

// Settings returns the configuration. Its lists are shared with the client and must
// not be changed.
func (c Client) Settings() Settings { return c.state.Settings }

// WithResponseTypes returns the client with these response types, to show it to itself. The
// client of a registration cannot distinguish an absent list from the default of RFC 7591
// §2, which may be wrong for it.
func (c Client) WithResponseTypes(types []ResponseType) Client {
	state := c.state
	state.Settings.ResponseTypes = types
	return Restore(state)
}

// Value returns the value of a field of the configuration. It must not be written
// to.
func (c *Client) Value(f Field) Value { return f.Of(&c.state.Settings) }

// Filled returns the fields of the configuration that are set.
func (c *Client) Filled() FieldSet { return c.filled }

// Revision returns the number of changes of the client, including its creation.
func (c *Client) Revision() RevisionNumber { return c.state.Revision }

// CreatedAt returns when the client was registered.
func (c *Client) CreatedAt() time.Time { return c.state.CreatedAt }

// UpdatedAt returns when the client was last changed.
func (c *Client) UpdatedAt() time.Time { return c.state.UpdatedAt }

// Deleted reports whether the client was deleted and not restored afterwards.
func (c *Client) Deleted() bool { return !c.state.DeletedAt.IsZero() }

// DeletedAt returns when the client was deleted; zero if it is not deleted.
func (c *Client) DeletedAt() time.Time { return c.state.DeletedAt }

// Purged reports whether only the tombstone of the client is left.
func (c *Client) Purged() bool { return !c.state.PurgedAt.IsZero() }

// Errors of changes that the state of a client does not allow.
var (
	// ErrDeleted: the client is deleted and can only be restored or purged.
	ErrDeleted = errors.New("the client is deleted")
	// ErrNotDeleted: only a deleted client can be restored or purged.
	ErrNotDeleted = errors.New("the client is not deleted")
	// ErrPurged: the client was purged; only its tombstone is left.
	ErrPurged = errors.New("the client was purged")
)

// Delete returns the next revision of the client, as deleted. It keeps the
// configuration and the secrets, so that the client can be restored. The registration
// access token ends (RFC 7592 §5), also if the client is restored. The error is
// [ErrDeleted].
func (c Client) Delete(now time.Time) (Client, error) {
	if c.Deleted() {
		return c, ErrDeleted
	}
	c.state.DeletedAt = now
	return c.withoutToken().next(now), nil
}

// Purge returns the next revision of a deleted client: its tombstone, which has only
// the identity. The error is [ErrNotDeleted] or [ErrPurged].
func (c Client) Purge(now time.Time) (Client, error) {
	switch {
	case !c.Deleted():
		return c, ErrNotDeleted
	case c.Purged():
		return c, ErrPurged
	}
	c.state.Settings, c.filled = Settings{}, FieldSet{}
	c.state.Secrets, c.state.SecretsUnreadable = nil, false
	c.state.Registration = nil
	c.state.PurgedAt = now
	return c.next(now), nil
}

// next returns the client with the next revision number.
func (c Client) next(now time.Time) Client {
	c.state.Revision++
	c.state.UpdatedAt = now
	return c
}

// UsesSecret reports whether an authentication method of the client uses a client
// secret, of which the registry stores the hash.
func (c *Client) UsesSecret() bool { return c.state.Settings.UsesSecret() }

// Action is the kind of change that a revision made.
type Action string

// The actions.
const (
	ActionCreate       Action = "create"
	ActionUpdate       Action = "update"
	ActionDelete       Action = "delete"
	ActionRestore      Action = "restore" // of a deleted client
	ActionRevert       Action = "revert"  // to an earlier revision
	ActionPurge        Action = "purge"   // of a deleted client; its log is removed
	ActionCreateSecret Action = "create_secret"
	ActionRotateSecret Action = "rotate_secret"
	ActionDeleteSecret Action = "delete_secret"
	ActionExpireSecret Action = "expire_secret" // its grace period or lifetime ended; made by the service

	ActionIssueRegistrationToken  Action = "issue_registration_token"
	ActionRotateRegistrationToken Action = "rotate_registration_token"
	ActionRevokeRegistrationToken Action = "revoke_registration_token"
	ActionDeleteLocks             Action = "delete_locks"
	ActionApproveDocument         Action = "approve_document"
	ActionDocumentChanged         Action = "document_changed" // it waits for approval; made by the service
)

// Actions lists every action.
func Actions() []Action {
	return []Action{
		ActionCreate, ActionUpdate, ActionDelete, ActionRestore, ActionRevert, ActionPurge,
		ActionCreateSecret, ActionRotateSecret, ActionDeleteSecret, ActionExpireSecret,
		ActionIssueRegistrationToken, ActionRotateRegistrationToken, ActionRevokeRegistrationToken, ActionDeleteLocks,
		ActionApproveDocument, ActionDocumentChanged,
	}
}

// Actor identifies the caller that made a change.
type Actor struct {
	Subject  string   // the token's subject; "registration" for a client that registers itself
	ClientID ClientID // the client that the token was issued to; may be empty

	Via        Via    // how the change was authorized; empty for changes before this was recorded
	TokenID    string // the initial access token; may be empty
	IssuedBy   string // the subject that issued it; may be empty
	SoftwareID string // of the software statement; may be empty
}

// Revision is one entry in the log of a client: the change, its author and the
// resulting client. The log contains every change, in order, and no secrets.
type Revision struct {
	Action    Action
	Actor     Actor
	At        time.Time
	RequestID string // identifies the request in log files
	Reason    string // the caller's reason; may be empty
	Client    Client // the result; its revision number is that of the entry
	// Unreadable reports that the store cannot read this entry. Client then has
	// only its tenant, identifier and revision number.
	Unreadable bool
}
