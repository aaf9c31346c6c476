package application

import (
	"context"
	"fmt"

	"github.com/clientele-oauth/clientele/domain"
)

// LoggedRevision is an entry of a client's log and what it changed.
type LoggedRevision struct {
	domain.Revision
	// Differences are the fields that differ from the previous revision; for the
	// first revision, the fields that are set. Empty if one of the two revisions
	// cannot be read.
	Differences []domain.Difference
}

// History returns the log of a client, deleted or not, newest first: at most limit
// entries with numbers below before (0 means no bound), and fewer if their total size
// reaches [PageBytes]. more reports whether more entries follow. The error is
// [ErrForbidden], [ErrNotFound] or that of the store.
func (r *Registry) History(
	ctx context.Context, caller Caller, id domain.ClientID, before domain.RevisionNumber, limit int,
) (log []LoggedRevision, more bool, err error) {
	if err := caller.May(OpListRevisions); err != nil {
		return nil, false, err
	}
	// One more entry, to compare the last one with.
	entries, err := r.config.Store.Revisions(ctx, caller.Tenant, id, before, limit+1)
	if err == nil && len(entries) == 0 {
		_, err = r.config.Store.Find(ctx, caller.Tenant, id) // distinguishes a missing client from missing revisions
	}
	if err != nil {
		return nil, false, fmt.Errorf("read the log: %w", err)
	}
	shown := min(limit, len(entries))
	if len(entries) > 0 && len(entries) <= limit {
		last := entries[len(entries)-1].Client.Revision()
		if last > 1 { // the page ended by its size, or the older entries were purged
			older, err := r.config.Store.Revisions(ctx, caller.Tenant, id, last, 1)
			if err != nil {
				return nil, false, fmt.Errorf("read the log: %w", err)
			}
			entries = append(entries, older...)
		}
	}
	more = len(entries) > shown
	for i, entry := range entries[:shown] {
		var previous domain.Settings
		unknown := entry.Unreadable
		if i+1 < len(entries) {
			previous = entries[i+1].Client.Settings()
			unknown = unknown || entries[i+1].Unreadable
		}
		logged := LoggedRevision{Revision: entry}
		if !unknown {
			logged.Differences = domain.Compare(previous, entry.Client.Settings())
		}
		log = append(log, logged)
	}
	return log, more, nil
}

// RevisionOf returns one entry of the log of a client, deleted or not. The error
// is [ErrForbidden], [ErrNotFound], [ErrNoSuchRevision], [ErrUnreadable] or that of
// the store.
func (r *Registry) RevisionOf(
	ctx context.Context, caller Caller, id domain.ClientID, number domain.RevisionNumber,
) (domain.Revision, error) {
	if err := caller.May(OpGetRevision); err != nil {
		return domain.Revision{}, err
	}
	return r.revision(ctx, caller.Tenant, id, number)
}

// revision is RevisionOf without the check of permissions.
func (r *Registry) revision(
	ctx context.Context, tenant domain.TenantID, id domain.ClientID, number domain.RevisionNumber,
) (domain.Revision, error) {
	entries, err := r.config.Store.Revisions(ctx, tenant, id, number+1, 1)
	if err == nil && len(entries) == 0 {
		_, err = r.config.Store.Find(ctx, tenant, id)
	}
	switch {
	case err != nil:
		return domain.Revision{}, fmt.Errorf("read the log: %w", err)
	case len(entries) == 0 || entries[0].Client.Revision() != number:
		return domain.Revision{}, fmt.Errorf("read the log: %w", ErrNoSuchRevision)
	case entries[0].Unreadable:
		return domain.Revision{}, fmt.Errorf("read the log: %w", Unreadable(entries[0].Client, PartRevision, "its document cannot be decoded"))
	default:
		return entries[0], nil
	}
}

// RestoreRevision changes a client to the configuration of an earlier revision. This
// creates a new revision, validated by the current rules like any other change. The
// secrets do not change. The errors are those of [Registry.Revise] and
// [ErrNoSuchRevision].
func (r *Registry) RestoreRevision(
	ctx context.Context, caller Caller, id domain.ClientID, number domain.RevisionNumber, opts Options,
) (Revised, error) {
	if err := caller.May(OpRestoreRevision); err != nil {
		return Revised{}, err
	}
	if _, err := r.find(ctx, caller, OpRestoreRevision, id); err != nil {
		return Revised{}, err
	}
	earlier, err := r.revision(ctx, caller.Tenant, id, number)
	if err != nil {
		return Revised{}, err
	}
	change := domain.ChangeTo(earlier.Client.Settings())
	return r.change(ctx, caller, id, domain.ActionRevert, opts, r.revising(change))
}
