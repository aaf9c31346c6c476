package gather_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/gather"
)

// The time in these tests is that of synctest: exact, and not waited for.

func TestEachCallerReturnsWhenItsOwnContextEnds(t *testing.T) {
	for name, others := range map[string]int{"alone": 0, "with others": 3} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				trips := gather.New(1, 9, func(ctx context.Context, numbers []int) []gather.Result[int] {
					<-time.After(5 * time.Second) // whatever the context says
					return doubled(ctx, numbers)
				})
				var group sync.WaitGroup
				ask := func(d time.Duration, wanted error) {
					group.Go(func() {
						ctx, cancel := context.WithTimeout(t.Context(), d)
						defer cancel()
						started := time.Now()
						_, err := trips.Ask(ctx, 1)
						assert.ErrorIs(t, err, wanted) //nolint:testifylint // not on the goroutine of the test
						assert.LessOrEqual(t, time.Since(started), d)
					})
				}
				ask(100*time.Millisecond, context.DeadlineExceeded) // the first one begins the trip
				for range others {
					ask(time.Minute, nil)
				}
				group.Wait()
				<-time.After(time.Minute) // the trip outlasts a caller that was alone
			})
		})
	}
}

// party starts callers that share one trip, of trips with one at once, and waits
// until it is under way.
func party(t *testing.T, trips *gather.Trips[int, int], release chan<- struct{}, contexts ...context.Context) (outcomes []error, wait func()) {
	t.Helper()
	outcomes = make([]error, len(contexts))
	var group sync.WaitGroup
	group.Go(func() { _, _ = trips.Ask(t.Context(), -1) }) // the others come while this one is on its way
	synctest.Wait()
	for i, ctx := range contexts {
		group.Go(func() { _, outcomes[i] = trips.Ask(ctx, i) })
	}
	synctest.Wait()
	release <- struct{}{}
	synctest.Wait()
	return outcomes, group.Wait
}

func TestATripEndsWhenItsLastCallerHasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var ended atomic.Bool
		trips := gather.New(1, 9, func(ctx context.Context, numbers []int) []gather.Result[int] {
			select {
			case <-release:
			case <-ctx.Done():
				ended.Store(true)
			}
			return doubled(ctx, numbers)
		})
		one, cancelOne := context.WithCancel(t.Context()) // neither has a deadline
		two, cancelTwo := context.WithCancel(t.Context())
		outcomes, wait := party(t, trips, release, one, two)

		cancelOne()
		synctest.Wait()
		require.ErrorIs(t, outcomes[0], context.Canceled)
		require.False(t, ended.Load(), "the other caller still waits")
		cancelTwo()
		wait()
		synctest.Wait()
		require.ErrorIs(t, outcomes[1], context.Canceled)
		require.True(t, ended.Load())
	})
}

// fading is a context whose end its caller has not noticed yet.
type fading struct {
	context.Context //nolint:containedctx // it is one
	over            atomic.Bool
}

// Err implements [context.Context].
func (f *fading) Err() error {
	if f.over.Load() {
		return context.Canceled
	}
	return f.Context.Err()
}

func TestWhatACallerAskedForThatHasLeftIsNotDone(t *testing.T) {
	for name, noticed := range map[string]bool{"and has returned": true, "and is about to return": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				var asked [][]int
				trips := gather.New(1, 2, func(ctx context.Context, numbers []int) []gather.Result[int] {
					asked = append(asked, numbers)
					<-release
					return doubled(ctx, numbers)
				})
				parent, end := context.WithCancel(t.Context())
				leaving := &fading{Context: parent}
				group := sync.WaitGroup{}
				ask := func(ctx context.Context, n int) {
					group.Go(func() { _, _ = trips.Ask(ctx, n) })
					synctest.Wait()
				}
				ask(t.Context(), 1)
				ask(leaving, 2)
				ask(t.Context(), 3)
				ask(t.Context(), 4)
				leaving.over.Store(true)
				if noticed {
					end()
					synctest.Wait()
				}
				close(release)
				synctest.Wait()
				end()
				group.Wait()
				assert.Equal(t, [][]int{{1}, {3, 4}}, asked, "nor does it take a seat")
			})
		})
	}
}

func TestAPanicLeavesNoCallerWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		trips := gather.New(1, 9, func(ctx context.Context, numbers []int) []gather.Result[int] {
			if slices.Contains(numbers, 0) {
				panic("a defect")
			}
			if numbers[0] < 0 {
				<-release
			}
			return doubled(ctx, numbers)
		})
		outcomes, wait := party(t, trips, release, t.Context(), t.Context(), t.Context())
		wait()
		for _, err := range outcomes {
			require.ErrorContains(t, err, "a defect")
		}
		answer, err := trips.Ask(t.Context(), 4)
		require.NoError(t, err)
		assert.Equal(t, 8, answer)
	})
}
