package application

import (
	"cmp"
	"context"

	"github.com/clientele-oauth/clientele/domain"
)

// defaultSnapshotPage is the maximum number of clients that are read at once for a
// snapshot. A page also ends by its size, see [PageBytes].
const defaultSnapshotPage = 500

// Snapshot returns the clients of the caller's tenant after the identifier, one page of a
// snapshot; the empty identifier is the beginning. The next page begins after
// [Page.Last]; [Page.More] is false for the last one. A reader that has all pages, and
// follows the changes after [Page.Changes] of the first page, misses nothing: what the
// first page does not show yet comes behind this cursor, and later pages only show newer
// states. A change is older than the state in the snapshot if its revision is not greater.
// The error is as that of [Registry.List]. With verifiers set, the caller must also be
// allowed to read the hashes of secrets.
func (r *Registry) Snapshot(ctx context.Context, caller Caller, after domain.ClientID, verifiers bool) (Page, error) {
	if verifiers {
		if err := caller.May(OpListSecretVerifiers); err != nil {
			return Page{}, err
		}
	}
	return r.list(ctx, caller, OpGetSnapshot, Query{After: after, Limit: cmp.Or(r.config.SnapshotPage, defaultSnapshotPage)})
}
