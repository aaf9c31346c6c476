package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/clientele-oauth/clientele/application/push"
	"github.com/clientele-oauth/clientele/domain"
)

// pushed is what is kept of a target.
type pushed struct {
	state    push.State
	fence    int64
	problems map[domain.ClientID]push.Problem
}

// held reports whether anybody has the lease.
func (p *pushed) held() bool { return p.state.Holder != "" && time.Now().Before(p.state.LeaseEnds) }

// AcquireLease implements [push.Ledger].
func (s *Store) AcquireLease(ctx context.Context, of push.Key, holder string, ttl time.Duration) (push.Lease, error) {
	if err := s.lock(ctx); err != nil {
		return push.Lease{}, err
	}
	defer s.mu.Unlock()
	p := s.pushed[of]
	if p == nil {
		p = &pushed{state: push.State{Key: of}, problems: map[domain.ClientID]push.Problem{}}
		s.pushed[of] = p
	}
	if p.held() && p.state.Holder != holder {
		return push.Lease{}, push.ErrLeaseHeld
	}
	if p.state.Holder != holder {
		p.fence++
	}
	p.state.Holder, p.state.LeaseEnds = holder, time.Now().Add(ttl)
	return push.Lease{Key: of, Holder: holder, Fence: p.fence}, nil
}

// ReleaseLease implements [push.Ledger].
func (s *Store) ReleaseLease(ctx context.Context, l push.Lease) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if p := s.pushed[l.Key]; p != nil && p.state.Holder == l.Holder && p.fence == l.Fence {
		p.state.Holder, p.state.LeaseEnds = "", time.Time{}
	}
	return nil
}

// SaveProgress implements [push.Ledger].
func (s *Store) SaveProgress(ctx context.Context, l push.Lease, progress push.Progress) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	p := s.pushed[l.Key]
	if p == nil || p.state.Holder != l.Holder || p.fence != l.Fence {
		return push.ErrLeaseLost
	}
	now := stored(time.Now())
	p.state.SavedAt, p.state.Cursor = now, cmp.Or(progress.Cursor, p.state.Cursor)
	if progress.Reconciled {
		p.state.ReconciledAt = now
	}
	for _, id := range progress.Solved {
		delete(p.problems, id)
	}
	for _, problem := range progress.Problems {
		problem.At = now
		p.problems[problem.ClientID] = problem
	}
	return nil
}

// PushStates implements [push.Ledger].
func (s *Store) PushStates(ctx context.Context, tenant domain.TenantID) ([]push.State, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var states []push.State
	for key, p := range s.pushed {
		if key.Tenant != tenant {
			continue
		}
		state := p.state
		if !p.held() {
			state.Holder, state.LeaseEnds = "", time.Time{}
		}
		for _, id := range slices.Sorted(maps.Keys(p.problems)) {
			state.Problems = append(state.Problems, p.problems[id])
		}
		states = append(states, state)
	}
	slices.SortFunc(states, func(a, b push.State) int { return cmp.Compare(a.Target, b.Target) })
	return states, nil
}

var _ push.Ledger = (*Store)(nil)
