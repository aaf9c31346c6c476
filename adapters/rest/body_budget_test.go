package rest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
)

// gone is a context that has ended, so that nothing waits.
func gone(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestTheMemoryForBodiesIsShared(t *testing.T) {
	b := newBodyBudget()
	ctx := gone(t)
	var gives []func()
	for _, caller := range []string{"a", "b", "c", "d"} {
		for range callerShare / MaxBodyBytes {
			give, err := b.take(ctx, caller, MaxBodyBytes)
			require.NoError(t, err, caller)
			gives = append(gives, give)
		}
		_, err := b.take(ctx, caller, 1)
		require.ErrorIs(t, err, application.ErrTooManyRequests, "%s has its share", caller)
	}
	_, err := b.take(ctx, "e", 1)
	require.ErrorIs(t, err, errOverloaded, "all is taken")
	gives[0]()
	give, err := b.take(ctx, "e", 1)
	require.NoError(t, err)
	give()
	for _, give := range gives[1:] {
		give()
	}
	assert.Zero(t, b.taken)
	assert.Empty(t, b.callers, "a caller without bodies is not remembered")
	assert.Empty(t, b.waiting)
}

func TestBodiesWaitForMemoryInTheirOrder(t *testing.T) {
	b := newBodyBudget()
	hold, err := b.take(t.Context(), "a", callerShare)
	require.NoError(t, err)
	order := make(chan string, 3)
	start := func(caller, name string) {
		waiting := len(b.waiting)
		go func() {
			give, err := b.take(t.Context(), caller, MaxBodyBytes)
			if err != nil {
				name = err.Error()
			}
			order <- name
			if give != nil {
				give()
			}
		}()
		assert.Eventually(t, func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			return len(b.waiting) > waiting
		}, time.Minute, time.Millisecond)
	}
	start("a", "first")
	start("a", "second")
	give, err := b.take(t.Context(), "b", MaxBodyBytes)
	require.NoError(t, err, "another caller does not wait for the first one")
	give()
	hold()
	assert.ElementsMatch(t, []string{"first", "second"}, []string{<-order, <-order})
	assert.Eventually(t, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.taken == 0 && len(b.callers) == 0
	}, time.Minute, time.Millisecond)
}

func TestFewBodiesWait(t *testing.T) {
	b := newBodyBudget()
	hold, err := b.take(t.Context(), "a", callerShare)
	require.NoError(t, err)
	defer hold()
	b.callers["a"].waiting = callerWaiting // as many wait already
	_, err = b.take(t.Context(), "a", 1)
	require.ErrorIs(t, err, application.ErrTooManyRequests)
}
