package application

import (
	"context"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// RestoreSuspended restores a deleted client as suspended, whatever its status
// was, so that its configuration can be changed before it is active again. No
// rule rejects it. The error is [ErrForbidden], [ErrNotFound] also if the client
// was purged, [ErrNotDeleted], [ErrQuota], [ErrPreconditionFailed] if the client is not at a
// revision of opts.IfMatch, or that of the store.
func (r *Registry) RestoreSuspended(ctx context.Context, caller Caller, id domain.ClientID, opts Options) (Revised, error) {
	if err := caller.may(OpRestoreClient); err != nil {
		return Revised{}, err
	}
	return r.change(ctx, caller, id, domain.ActionRestore, opts, r.restoring(caller.Tenant,
		func(ctx context.Context, c domain.Client, now time.Time) (domain.Client, domain.Findings, error) {
			source, _ := r.Book.RestorationKeys(c)
			// Keys behind a URI are examined when the client is activated.
			keys, err := resolve(ctx, r.Keys, caller.Tenant, source, false)
			if err != nil {
				return c, nil, err
			}
			restored, findings := r.Book.RestoreSuspended(c, keys, now)
			return restored, findings, nil
		}))
}

// restoring makes a decision one about clients that are deleted and not purged, in
// a tenant that may have one more.
func (r *Registry) restoring(tenant domain.TenantID, decide decision) decision {
	return func(ctx context.Context, c domain.Client, now time.Time) (domain.Client, domain.Findings, error) {
		switch {
		case c.Purged():
			return c, nil, ErrNotFound
		case !c.Deleted():
			return c, nil, ErrNotDeleted
		}
		if err := r.checkQuota(ctx, tenant); err != nil {
			return c, nil, err
		}
		return decide(ctx, c, now)
	}
}
