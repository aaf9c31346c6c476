package domain

import "time"

// Via is the way in which a change was authorized.
type Via string

// The ways. The empty value counts as [ViaAdmin]: it is in revisions of earlier releases.
const (
	ViaAdmin             Via = "admin"                     // a caller of the admin API
	ViaOpen              Via = "open"                      // a registration without a token
	ViaInitialToken      Via = "initial_access_token"      // RFC 7591 §3
	ViaRegistrationToken Via = "registration_access_token" // RFC 7592 §2
	ViaStatement         Via = "software_statement"        // a registration without a token, vouched for by a statement (RFC 7591 §2.3)
	ViaDocument          Via = "document"                  // a client ID metadata document
)

// Registration is what the registry keeps of a client that registered itself, or that
// manages its own configuration (RFC 7591, RFC 7592), beside the configuration. It is no
// part of the log.
type Registration struct {
	Via      Via
	TokenID  string // the initial access token; may be empty
	IssuedBy string // the subject that issued the initial access token; may be empty
	// Policy limits what the client may set, now and at every update of its own.
	Policy RegistrationPolicy
	// Locks are the fields that an administrator changed. The client cannot change them
	// any more.
	Locks FieldSet
	// MadeUpName reports that the client did not send a name, and that the registry chose
	// one.
	MadeUpName bool
	// Statement is the software statement of the client; nil without one.
	Statement *Statement
	// AccessToken is the registration access token; nil if the client has none.
	AccessToken *RegistrationToken
	// Document is set if the client is defined by a client ID metadata document.
	Document *ApprovedDocument
}

// SelfRegistered reports whether the client registered itself, with or without a token. It
// is false for nil, and for a client that an administrator created or whose document an
// administrator approved.
func (r *Registration) SelfRegistered() bool {
	if r == nil {
		return false
	}
	switch r.Via {
	case ViaOpen, ViaInitialToken, ViaStatement:
		return true
	case ViaAdmin, ViaRegistrationToken, ViaDocument:
		return false
	default:
		return false
	}
}

// hasTokenUnder reports whether a registration access token that has not expired is hashed
// with the pepper with that id. It is false for nil.
func (r *Registration) hasTokenUnder(keyID string, now time.Time) bool {
	if r == nil || r.AccessToken == nil {
		return false
	}
	previous := r.AccessToken.Previous
	return r.AccessToken.KeyID == keyID || previous != nil && previous.KeyID == keyID && previous.valid(now)
}

// RegistrationToken is the stored record of a registration access token (RFC 7592 §3).
type RegistrationToken struct {
	Hash      []byte // as [Secret.Hash]
	KeyID     string // as [Secret.KeyID]
	CreatedAt time.Time
	// Previous is another token that is valid, too, until it ends or a use shows which of
	// them the client has; nil if there is none.
	Previous *PreviousToken
}

// PreviousToken is a registration access token that is valid beside the current one. After a
// rotation, it is the one before. After [Client.WithFormerToken], it is the one that the
// rotation created, and does not expire: the client may have either.
type PreviousToken struct {
	Hash      []byte
	KeyID     string
	ExpiresAt time.Time // zero if it does not expire
}

// valid reports whether the token has not expired.
func (t *PreviousToken) valid(now time.Time) bool {
	return t.ExpiresAt.IsZero() || now.Before(t.ExpiresAt)
}

// ApprovedDocument is the state of a client ID metadata document that an administrator
// approved.
type ApprovedDocument struct {
	Digest     string // "sha-256:" and the digest of the approved document in lower-case hexadecimal
	ApprovedAt time.Time
	// FetchedAt is when the approved document was fetched for the approval or, if another one
	// was pending since, when it was first fetched again.
	FetchedAt time.Time
	// Changes are those that approvals made to the configuration, since the first one.
	Changes DocumentChanges
	// Pending is the newest document if it differs from the approved one; nil if not.
	Pending *PendingDocument
}

// PendingDocument is a changed document that waits for approval.
type PendingDocument struct {
	Digest  string
	SeenAt  time.Time // when the document was fetched
	Changed []string  // the names of the members that differ from the approved document, sorted
}
