package application

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// PageBytes bounds the clients that a store returns at once, by the sum of their
// sizes ([domain.Client.Bytes]): a page of clients, of revisions or of changes ends
// with the client that reaches it, whatever its limit. A page may be larger by one
// client.
const PageBytes = 2 << 20

// Budget counts the bytes of a page. The zero value is one of [PageBytes].
type Budget struct {
	max, taken int
}

// NewBudget returns a budget of so many bytes; 0 is [PageBytes].
func NewBudget(bytes int) Budget { return Budget{max: bytes} }

// Take counts a client.
func (b *Budget) Take(c domain.Client) { b.taken += c.Bytes() }

// Spent reports whether no further client belongs to the page.
func (b *Budget) Spent() bool {
	most := b.max
	if most == 0 {
		most = PageBytes
	}
	return b.taken >= most
}

// withinListTime bounds the time of a list. The error of a list that ran out of it is
// [ErrListTime].
func (r *Registry) withinListTime(ctx context.Context, list func(context.Context) error) error {
	if r.config.ListTime <= 0 {
		return list(ctx)
	}
	bounded, cancel := context.WithTimeoutCause(ctx, r.config.ListTime, ErrListTime)
	defer cancel()
	err := list(bounded)
	if err != nil && errors.Is(context.Cause(bounded), ErrListTime) {
		return fmt.Errorf("%w (%s)", ErrListTime, r.config.ListTime.Round(time.Millisecond))
	}
	return err
}

// checkQuota returns [ErrQuota] if the tenant has as many clients as it may have.
// Deleted clients do not count. It looks before the commit, so registrations at the
// same time may exceed the quota: by at most as many clients as there are
// registrations under way in all replicas.
func (r *Registry) checkQuota(ctx context.Context, tenant domain.TenantID) error {
	if r.config.MaxClients <= 0 {
		return nil
	}
	page, err := r.config.Store.List(ctx, tenant, Query{Limit: 1, MaxBytes: 1, Count: true})
	if err != nil {
		return err
	}
	if page.Total >= r.config.MaxClients {
		return fmt.Errorf("%w: %d", ErrQuota, r.config.MaxClients)
	}
	return nil
}
