package application

import (
	"context"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// RestoreSuspended restores a deleted client as suspended, whatever its status
// was, so that its configuration can be changed before it is active again. No
// rule rejects it. The error is [ErrForbidden], [ErrNotFound] also if the client
// was purged, [ErrNotDeleted], [ErrPreconditionFailed] if the client is not at a
// revision of opts.IfMatch, or that of the store.
func (r *Registry) RestoreSuspended(ctx context.Context, caller Caller, id domain.ClientID, opts Options) (Revised, error) {
	if err := caller.may(OpRestoreClient); err != nil {
		return Revised{}, err
	}
	return r.change(ctx, caller, id, domain.ActionRestore, opts, deleted(
		func(ctx context.Context, c domain.Client, now time.Time) (domain.Client, domain.Findings, error) {
			source, _ := r.Book.RestorationKeys(c)
			// Keys behind a URI are examined when the client is activated.
			restored, findings := r.Book.RestoreSuspended(c, resolve(ctx, r.Keys, source, false), now)
			return restored, findings, nil
		}))
}

// deleted makes a decision one about clients that are deleted and not purged.
func deleted(decide decision) decision {
	return func(ctx context.Context, c domain.Client, now time.Time) (domain.Client, domain.Findings, error) {
		switch {
		case c.Purged():
			return c, nil, ErrNotFound
		case !c.Deleted():
			return c, nil, ErrNotDeleted
		}
		return decide(ctx, c, now)
	}
}
