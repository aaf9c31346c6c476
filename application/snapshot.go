package application

import (
	"cmp"
	"context"
	"fmt"
)

// defaultSnapshotPage is the maximum number of clients that are read at once for a
// snapshot. A page also ends by its size, see [PageBytes].
const defaultSnapshotPage = 500

// Snapshot returns the clients of the caller's tenant after the key, one page of a
// snapshot, or those of all tenants for a caller of [Caller.InAll]; the zero value is the
// beginning. The next page begins after [Page.LastKey]; [Page.More] is false for the last
// one. A reader that has all pages, and follows the changes after [Page.Changes] of the
// first page, misses nothing: what the first page does not show yet comes behind this
// cursor, and later pages only show newer states. A change is older than the state in the
// snapshot if its revision is not greater. The error is as that of [Registry.List]. With
// verifiers set, the caller must also be allowed to read the hashes of secrets.
func (r *Registry) Snapshot(ctx context.Context, caller Caller, after ClientKey, verifiers bool) (Page, error) {
	if needed := OpListSecretVerifiers.Needs(); verifiers && !caller.Has(needed) {
		return Page{}, &ForbiddenError{Permission: needed}
	}
	limit := cmp.Or(r.config.SnapshotPage, defaultSnapshotPage)
	if !caller.All {
		return r.list(ctx, caller, OpGetSnapshot, Query{After: after.ClientID, Limit: limit})
	}
	if err := caller.May(OpGetSnapshot); err != nil {
		return Page{}, err
	}
	var page Page
	err := r.withinListTime(ctx, func(ctx context.Context) (err error) {
		page, err = r.config.Store.ListAll(ctx, after, limit)
		return err
	})
	if err != nil {
		return Page{}, fmt.Errorf("list the clients of all tenants: %w", err)
	}
	return page, nil
}
