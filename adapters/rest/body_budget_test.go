package rest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
)

// canceled returns a canceled context, so that nothing waits.
func canceled(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestBodyBudgetIsShared(t *testing.T) {
	b := newBodyBudget()
	ctx := canceled(t)
	var releases []func()
	for _, caller := range []string{"a", "b", "c", "d"} {
		for range callerShare / MaxBodyBytes {
			release, err := b.take(ctx, caller, MaxBodyBytes)
			require.NoError(t, err, caller)
			releases = append(releases, release)
		}
		_, err := b.take(ctx, caller, 1)
		require.ErrorIs(t, err, application.ErrTooManyRequests, "%s has used its share", caller)
	}
	_, err := b.take(ctx, "e", 1)
	require.ErrorIs(t, err, errOverloaded, "all memory is in use")
	releases[0]()
	release, err := b.take(ctx, "e", 1)
	require.NoError(t, err)
	release()
	for _, release := range releases[1:] {
		release()
	}
	assert.Zero(t, b.taken)
	assert.Empty(t, b.callers, "callers without bodies are removed")
	assert.Empty(t, b.waiting)
}

func TestBodiesWaitForMemoryInOrder(t *testing.T) {
	b := newBodyBudget()
	releaseShare, err := b.take(t.Context(), "a", callerShare)
	require.NoError(t, err)
	order := make(chan string, 3)
	start := func(caller, name string) {
		waiting := len(b.waiting)
		go func() {
			release, err := b.take(t.Context(), caller, MaxBodyBytes)
			if err != nil {
				name = err.Error()
			}
			order <- name
			if release != nil {
				release()
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
	release, err := b.take(t.Context(), "b", MaxBodyBytes)
	require.NoError(t, err, "another caller does not wait for the first one")
	release()
	releaseShare()
	assert.ElementsMatch(t, []string{"first", "second"}, []string{<-order, <-order})
	assert.Eventually(t, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.taken == 0 && len(b.callers) == 0
	}, time.Minute, time.Millisecond)
}

func TestNumberOfWaitingBodiesIsLimited(t *testing.T) {
	b := newBodyBudget()
	releaseShare, err := b.take(t.Context(), "a", callerShare)
	require.NoError(t, err)
	defer releaseShare()
	b.callers["a"].waiting = callerWaiting // the maximum
	_, err = b.take(t.Context(), "a", 1)
	require.ErrorIs(t, err, application.ErrTooManyRequests)
}
