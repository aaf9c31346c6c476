package domain

import "time"

// RestoreSuspended returns a deleted client as suspended, one revision further,
// with everything else as it was. Violations are reported as standing warnings:
// suspension is never rejected.
func (b *Rulebook) RestoreSuspended(c Client, keys Keys, now time.Time) (Client, Findings) {
	c.state.Settings.Status = StatusSuspended
	return b.Restore(c, keys, now)
}
