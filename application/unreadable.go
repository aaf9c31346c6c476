package application

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// The errors about the stored form of a record.
var (
	// ErrUnreadable: a stored record cannot be decoded. The error is an
	// [*UnreadableError] if the store knows which record it is. Other records are not
	// affected; `clientele doctor` lists and repairs such records.
	ErrUnreadable = errors.New("a stored record cannot be read")
	// ErrUnstorable: a store rejects a value that it could not read again, and stores
	// nothing. Values are validated before they reach a store, so this is a bug.
	ErrUnstorable = errors.New("a value cannot be stored")
)

// RecordPart names the part of a stored record that cannot be read.
type RecordPart string

// The parts of stored records.
const (
	PartDocument          RecordPart = "document"     // the configuration of a client
	PartSecrets           RecordPart = "secrets"      // the secrets of a client
	PartRegistration      RecordPart = "registration" // how a client registered itself
	PartRevision          RecordPart = "revision"     // an entry of the log
	PartIdempotencyRecord RecordPart = "attempt"      // the record of an idempotency key
	PartSecretUse         RecordPart = "last use"     // when a secret was last used
	// PartInitialToken is an initial access token. It belongs to no client, and the reason
	// contains its id.
	PartInitialToken RecordPart = "initial access token"
)

// UnreadableError names a stored record that cannot be read. It wraps
// [ErrUnreadable].
type UnreadableError struct {
	UnreadableRecord
}

// UnreadableRecord names a stored record that cannot be read, and the reason.
type UnreadableRecord struct {
	TenantID domain.TenantID
	ClientID domain.ClientID
	Revision domain.RevisionNumber // 0 if unknown
	Part     RecordPart
	Reason   string // never contains any part of a secret
}

// Error names the record and the reason.
func (e *UnreadableError) Error() string {
	return fmt.Sprintf("%s of client %q of tenant %q at revision %d cannot be read: %s", e.Part, e.ClientID, e.TenantID, e.Revision, e.Reason)
}

// Unwrap returns [ErrUnreadable].
func (*UnreadableError) Unwrap() error { return ErrUnreadable }

// Unreadable returns the error about the part of the client c that the store could
// not read.
func Unreadable(c domain.Client, part RecordPart, reason string) *UnreadableError {
	return &UnreadableError{UnreadableRecord{
		TenantID: c.Identity().TenantID, ClientID: c.Identity().ClientID, Revision: c.Revision(), Part: part, Reason: reason,
	}}
}

// requireSecrets returns an error that wraps [domain.ErrSecretsUnreadable] if the
// store could not read the client's secrets.
func requireSecrets(c domain.Client) error {
	if c.SecretsUnreadable() {
		return fmt.Errorf("%w: %w", Unreadable(c, PartSecrets, "they cannot be decoded"), domain.ErrSecretsUnreadable)
	}
	return nil
}

// RecordKind is a kind of stored records that an [Examiner] reads.
type RecordKind string

// The kinds of records.
const (
	ClientRecords      RecordKind = "clients" // documents, secrets and registrations
	RevisionRecords    RecordKind = "revisions"
	IdempotencyRecords RecordKind = "idempotency records"
	SecretUseRecords   RecordKind = "secret uses"

	InitialTokenRecords RecordKind = "initial access tokens"
)

// RecordKinds lists the kinds in the order in which they must be examined: a client is
// repaired from its log before the log is examined.
func RecordKinds() []RecordKind {
	return []RecordKind{ClientRecords, RevisionRecords, IdempotencyRecords, SecretUseRecords, InitialTokenRecords}
}

// Examiner finds and repairs stored records that cannot be read. Stores implement it. It
// may run while other processes use the database.
type Examiner interface {
	// Examine decodes at most limit records of the kind, of all tenants, after the
	// position, in the order of their keys. The empty position is the beginning.
	Examine(ctx context.Context, kind RecordKind, after string, limit int) (Examination, error)
	// Mend replaces f.Stored with f.Mended, and reports whether it did. It does
	// nothing if the stored value is no longer f.Stored. It adds no revision of the
	// client and no entry to the feed.
	Mend(ctx context.Context, f Fault) (bool, error)
}

// Examination is the result of examining some records.
type Examination struct {
	Examined int
	Faults   []Fault
	Next     string // the position after the last record; empty at the end
}

// Fault is a stored value that cannot be read.
type Fault struct {
	UnreadableRecord
	// Remedy describes how the value can be repaired; empty if it cannot.
	Remedy string
	// Stored is the current value, and Mended the value that [Examiner.Mend] would
	// store instead.
	Stored, Mended []byte
}

// SecretKeys reports the peppers that stored secrets depend on. Stores implement it.
type SecretKeys interface {
	// MissingSecretKeys returns the ids of peppers that are not in known, but with
	// which unexpired secrets and registration access tokens of clients that are not
	// deleted, or initial access tokens that have not ended, are hashed. A secret that
	// cannot be read counts as unexpired.
	MissingSecretKeys(ctx context.Context, known []string, now time.Time) ([]string, error)
}
