package pushtest

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/application/push"
	"github.com/clientele-oauth/clientele/domain"
)

// RunLedger runs the suite of [push.Ledger]. Each subtest calls open for an empty store.
func RunLedger(t *testing.T, open func(t *testing.T) push.Ledger) {
	t.Helper()
	tests := []struct {
		name string
		test func(*testing.T, push.Ledger)
	}{
		{"a lease has one holder until it ends", oneHolder},
		{"exactly one of several concurrent holders acquires a lease", concurrentHolders},
		{"a lease that has ended can be taken over, with a greater fence", takeOver},
		{"leases of tenants and targets do not affect each other", separateLeases},
		{"SaveProgress stores the cursor and the problems", savedProgress},
		{"SaveProgress changes nothing after another holder took over", fencedProgress},
		{"a released lease can be acquired at once, and saves nothing", releasedLease},
		{"a call with an ended context returns ErrUnavailable", endedContext},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

//nolint:gochecknoglobals // a key that nothing writes to
var key = push.Key{Tenant: tenant, Target: "hydra http://127.0.0.1:4445"}

func acquire(t *testing.T, l push.Ledger, of push.Key, holder string, ttl time.Duration) push.Lease {
	t.Helper()
	lease, err := l.AcquireLease(t.Context(), of, holder, ttl)
	require.NoError(t, err)
	assert.Equal(t, of, lease.Key)
	assert.Equal(t, holder, lease.Holder)
	return lease
}

// expired returns the lease of another holder as soon as it can be acquired.
func expired(t *testing.T, l push.Ledger, of push.Key, holder string) (lease push.Lease) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		var err error
		lease, err = l.AcquireLease(t.Context(), of, holder, time.Minute)
		assert.NoError(c, err)
	}, 10*time.Second, 5*time.Millisecond)
	return lease
}

// state returns the only state of the tenant.
func state(t *testing.T, l push.Ledger) push.State {
	t.Helper()
	states, err := l.PushStates(t.Context(), tenant)
	require.NoError(t, err)
	require.Len(t, states, 1)
	return states[0]
}

func oneHolder(t *testing.T, l push.Ledger) {
	first := acquire(t, l, key, "a", time.Minute)
	_, err := l.AcquireLease(t.Context(), key, "b", time.Minute)
	require.ErrorIs(t, err, push.ErrLeaseHeld)
	assert.Equal(t, first, acquire(t, l, key, "a", time.Hour), "prolonged")
	s := state(t, l)
	assert.Equal(t, "a", s.Holder)
	assert.InDelta(t, time.Hour.Seconds(), time.Until(s.LeaseEnds).Seconds(), 60)
	assert.Zero(t, s.SavedAt)
	assert.Zero(t, s.ReconciledAt)
	assert.Empty(t, s.Cursor)
}

func concurrentHolders(t *testing.T, l push.Ledger) {
	for round := range 5 {
		of := push.Key{Tenant: tenant, Target: strconv.Itoa(round)}
		var acquired atomic.Int32
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				_, err := l.AcquireLease(t.Context(), of, strconv.Itoa(i), time.Minute)
				switch {
				case err == nil:
					acquired.Add(1)
				case !errors.Is(err, push.ErrLeaseHeld):
					assert.NoError(t, err)
				}
			})
		}
		group.Wait()
		assert.Equal(t, int32(1), acquired.Load())
	}
}

func takeOver(t *testing.T, l push.Ledger) {
	first := acquire(t, l, key, "a", 50*time.Millisecond)
	second := expired(t, l, key, "b")
	assert.Greater(t, second.Fence, first.Fence)
	_, err := l.AcquireLease(t.Context(), key, "a", time.Minute)
	require.ErrorIs(t, err, push.ErrLeaseHeld)
	assert.Equal(t, "b", state(t, l).Holder)

	acquire(t, l, key, "b", time.Millisecond)
	require.Eventually(t, func() bool { return state(t, l).Holder == "" }, 10*time.Second, 5*time.Millisecond, "no process pushes")
	assert.Zero(t, state(t, l).LeaseEnds)
}

func separateLeases(t *testing.T, l push.Ledger) {
	acquire(t, l, key, "a", time.Minute)
	acquire(t, l, push.Key{Tenant: "tenant_b", Target: key.Target}, "b", time.Minute)
	other := acquire(t, l, push.Key{Tenant: tenant, Target: "keycloak"}, "c", time.Minute)
	require.NoError(t, l.SaveProgress(t.Context(), other, push.Progress{Cursor: "s1", Problems: []push.Problem{{ClientID: "x", Kind: push.ProblemPending}}}))
	states, err := l.PushStates(t.Context(), tenant)
	require.NoError(t, err)
	require.Len(t, states, 2)
	assert.Equal(t, []string{"a", "c"}, []string{states[0].Holder, states[1].Holder})
	assert.Empty(t, states[0].Cursor)
	assert.Empty(t, states[0].Problems)
	assert.Len(t, states[1].Problems, 1)
	none, err := l.PushStates(t.Context(), "tenant_c")
	require.NoError(t, err)
	assert.Empty(t, none)
}

func savedProgress(t *testing.T, l push.Ledger) {
	lease := acquire(t, l, key, "a", time.Minute)
	save := func(p push.Progress) push.State {
		t.Helper()
		require.NoError(t, l.SaveProgress(t.Context(), lease, p))
		s := state(t, l)
		assert.InDelta(t, 0, time.Since(s.SavedAt).Seconds(), 60)
		return s
	}
	refusal := push.Problem{ClientID: "b", Kind: push.ProblemRefused, Reason: `"quoted" ü 'x'`, Revision: 7}
	pending := push.Problem{ClientID: "a", Kind: push.ProblemPending, Reason: "503", Revision: 2}
	s := save(push.Progress{Cursor: "s1", Problems: []push.Problem{refusal, pending}})
	assert.Equal(t, application.Cursor("s1"), s.Cursor)
	assert.Zero(t, s.ReconciledAt)
	require.Len(t, s.Problems, 2)
	for i, want := range []push.Problem{pending, refusal} {
		assert.InDelta(t, 0, time.Since(s.Problems[i].At).Seconds(), 60)
		want.At = s.Problems[i].At
		assert.Equal(t, want, s.Problems[i])
	}

	refusal.Kind, refusal.Reason, refusal.Revision = push.ProblemSecret, "ended", 8
	s = save(push.Progress{Problems: []push.Problem{refusal}, Solved: []domain.ClientID{"a", "unknown"}, Reconciled: true})
	assert.Equal(t, application.Cursor("s1"), s.Cursor, "an empty cursor changes nothing")
	assert.InDelta(t, 0, time.Since(s.ReconciledAt).Seconds(), 60)
	require.Len(t, s.Problems, 1)
	refusal.At = s.Problems[0].At
	assert.Equal(t, refusal, s.Problems[0])

	before := s.ReconciledAt
	s = save(push.Progress{Cursor: "s2", Solved: []domain.ClientID{"b"}})
	assert.Equal(t, application.Cursor("s2"), s.Cursor)
	assert.Equal(t, before, s.ReconciledAt)
	assert.Empty(t, s.Problems)
}

func fencedProgress(t *testing.T, l push.Ledger) {
	first := acquire(t, l, key, "a", 20*time.Millisecond)
	require.NoError(t, l.SaveProgress(t.Context(), first, push.Progress{Cursor: "s1"}))
	second := expired(t, l, key, "b")
	late := push.Progress{Cursor: "s9", Problems: []push.Problem{{ClientID: "x", Kind: push.ProblemPending}}, Reconciled: true}
	require.ErrorIs(t, l.SaveProgress(t.Context(), first, late), push.ErrLeaseLost)
	s := state(t, l)
	assert.Equal(t, application.Cursor("s1"), s.Cursor, "the next holder continues where the first was")
	assert.Empty(t, s.Problems)
	assert.Zero(t, s.ReconciledAt)
	require.NoError(t, l.SaveProgress(t.Context(), second, push.Progress{Cursor: "s2"}))

	// The name alone is not enough: the same process may have lost the lease since.
	require.NoError(t, l.ReleaseLease(t.Context(), second))
	third := acquire(t, l, key, "a", time.Minute)
	assert.Greater(t, third.Fence, second.Fence)
	require.ErrorIs(t, l.SaveProgress(t.Context(), first, late), push.ErrLeaseLost)
	require.NoError(t, l.ReleaseLease(t.Context(), first))
	assert.Equal(t, "a", state(t, l).Holder, "an old lease releases nothing")
}

func releasedLease(t *testing.T, l push.Ledger) {
	first := acquire(t, l, key, "a", time.Hour)
	require.NoError(t, l.ReleaseLease(t.Context(), first))
	require.NoError(t, l.ReleaseLease(t.Context(), first))
	assert.Empty(t, state(t, l).Holder)
	require.ErrorIs(t, l.SaveProgress(t.Context(), first, push.Progress{Cursor: "s1"}), push.ErrLeaseLost)
	acquire(t, l, key, "b", time.Minute)
}

func endedContext(t *testing.T, l push.Ledger) {
	lease := acquire(t, l, key, "a", time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := l.AcquireLease(ctx, key, "a", time.Minute)
	require.ErrorIs(t, err, application.ErrUnavailable)
	require.ErrorIs(t, l.SaveProgress(ctx, lease, push.Progress{}), application.ErrUnavailable)
	require.ErrorIs(t, l.ReleaseLease(ctx, lease), application.ErrUnavailable)
	_, err = l.PushStates(ctx, tenant)
	require.ErrorIs(t, err, application.ErrUnavailable)
}
