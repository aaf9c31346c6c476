package application

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// PageBytes limits the total size of the clients that a store returns in one call
// ([domain.Client.Bytes]): a page of clients, revisions or changes ends with the client
// that reaches this size, even if the page has fewer clients than its limit. So a page
// may exceed the size by one client.
const PageBytes = 2 << 20

// Budget counts the bytes of a page. The zero value is a budget of [PageBytes].
type Budget struct {
	max, taken int
}

// NewBudget returns a budget of that many bytes; 0 means [PageBytes].
func NewBudget(bytes int) Budget { return Budget{max: bytes} }

// Take counts a client.
func (b *Budget) Take(c *domain.Client) { b.taken += c.Bytes() }

// Spent reports whether the page is full.
func (b *Budget) Spent() bool {
	most := b.max
	if most == 0 {
		most = PageBytes
	}
	return b.taken >= most
}

// withinListTime limits the time of a list. If the list exceeds it, the error is
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

// checkQuota returns [ErrQuota] if the tenant has reached its maximum number of clients.
// Deleted clients do not count. The check is made before the commit, so concurrent
// registrations may exceed the quota, by at most the number of registrations in progress
// in all replicas.
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
