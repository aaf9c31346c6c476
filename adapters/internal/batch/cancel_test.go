package batch_test

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

	"github.com/clientele-oauth/clientele/adapters/internal/batch"
)

// These tests use the clock of synctest, which is exact and costs no real time.

func TestACanceledCallDoesNotCancelOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := make(chan struct{}, 9)
		group := batch.New(1, 9, func(ctx context.Context, numbers []int) []batch.Result[int] {
			started <- struct{}{}
			results := doubled(ctx, numbers)
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				for i := range results {
					results[i].Err = ctx.Err()
				}
			}
			return results
		})
		do := func(ctx context.Context, n int, wanted error) func() {
			return func() {
				_, err := group.Do(ctx, n)
				assert.ErrorIs(t, err, wanted)
			}
		}
		var callers sync.WaitGroup
		callers.Go(do(t.Context(), 0, nil))
		<-started
		during, cancelDuring := context.WithTimeout(t.Context(), 1500*time.Millisecond) // ends while the batch runs
		defer cancelDuring()
		before, cancelBefore := context.WithTimeout(t.Context(), time.Millisecond) // ends before the batch starts
		defer cancelBefore()
		after, cancelAfter := context.WithTimeout(t.Context(), time.Minute)
		defer cancelAfter()
		callers.Go(do(during, 1, context.DeadlineExceeded))
		callers.Go(do(before, 2, context.DeadlineExceeded))
		callers.Go(do(after, 3, nil))
		callers.Wait()

		// A batch of one ends with its only caller.
		alone, cancelAlone := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancelAlone()
		do(alone, 4, context.DeadlineExceeded)()
		// A larger batch ends with the last deadline of its callers.
		first, cancelFirst := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancelFirst()
		last, cancelLast := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancelLast()
		began := time.Now()
		callers.Go(do(first, 5, context.DeadlineExceeded))
		callers.Go(do(last, 6, context.DeadlineExceeded))
		callers.Wait()
		assert.LessOrEqual(t, time.Since(began), 500*time.Millisecond)
		value, err := group.Do(t.Context(), 7)
		require.NoError(t, err)
		assert.Equal(t, 14, value)
	})
}

func TestACallReturnsWhenItsOwnContextEnds(t *testing.T) {
	for name, others := range map[string]int{"alone": 0, "with others": 3} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				group := batch.New(1, 9, func(ctx context.Context, numbers []int) []batch.Result[int] {
					<-time.After(5 * time.Second) // ignores its context
					return doubled(ctx, numbers)
				})
				var callers sync.WaitGroup
				do := func(d time.Duration, wanted error) {
					callers.Go(func() {
						ctx, cancel := context.WithTimeout(t.Context(), d)
						defer cancel()
						started := time.Now()
						_, err := group.Do(ctx, 1)
						assert.ErrorIs(t, err, wanted) //nolint:testifylint // not on the goroutine of the test
						assert.LessOrEqual(t, time.Since(started), d)
					})
				}
				do(100*time.Millisecond, context.DeadlineExceeded) // the first call starts the batch
				for range others {
					do(time.Minute, nil)
				}
				callers.Wait()
				<-time.After(time.Minute) // a batch of one runs longer than its caller waits
			})
		})
	}
}

// shareBatch starts one call for each context, and returns when all of them share one
// batch, which is running. The group's maxInFlight must be 1, and its function must
// wait for release if the first number is negative.
func shareBatch(
	t *testing.T, group *batch.Group[int, int], release chan<- struct{}, contexts ...context.Context,
) (outcomes []error, wait func()) {
	t.Helper()
	outcomes = make([]error, len(contexts))
	var callers sync.WaitGroup
	callers.Go(func() { _, _ = group.Do(t.Context(), -1) }) // the others queue up while this one runs
	synctest.Wait()
	for i, ctx := range contexts {
		callers.Go(func() { _, outcomes[i] = group.Do(ctx, i) })
	}
	synctest.Wait()
	release <- struct{}{}
	synctest.Wait()
	return outcomes, callers.Wait
}

func TestABatchIsCanceledWithItsLastCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var canceled atomic.Bool
		group := batch.New(1, 9, func(ctx context.Context, numbers []int) []batch.Result[int] {
			select {
			case <-release:
			case <-ctx.Done():
				canceled.Store(true)
			}
			return doubled(ctx, numbers)
		})
		one, cancelOne := context.WithCancel(t.Context()) // neither has a deadline
		two, cancelTwo := context.WithCancel(t.Context())
		outcomes, wait := shareBatch(t, group, release, one, two)

		cancelOne()
		synctest.Wait()
		require.ErrorIs(t, outcomes[0], context.Canceled)
		require.False(t, canceled.Load(), "the other caller still waits")
		cancelTwo()
		wait()
		synctest.Wait()
		require.ErrorIs(t, outcomes[1], context.Canceled)
		require.True(t, canceled.Load())
	})
}

// endingContext is a context that has an error although its Done channel is still
// open: its caller is about to return and has not returned yet.
type endingContext struct {
	context.Context //nolint:containedctx // it is one
	ended           atomic.Bool
}

// Err implements [context.Context].
func (c *endingContext) Err() error {
	if c.ended.Load() {
		return context.Canceled
	}
	return c.Context.Err()
}

func TestCanceledCallsAreDroppedFromTheQueue(t *testing.T) {
	for name, returned := range map[string]bool{"the caller has returned": true, "the caller is about to return": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				var batches [][]int
				group := batch.New(1, 2, func(ctx context.Context, numbers []int) []batch.Result[int] {
					batches = append(batches, numbers)
					<-release
					return doubled(ctx, numbers)
				})
				parent, end := context.WithCancel(t.Context())
				ending := &endingContext{Context: parent}
				callers := sync.WaitGroup{}
				do := func(ctx context.Context, n int) {
					callers.Go(func() { _, _ = group.Do(ctx, n) })
					synctest.Wait()
				}
				do(t.Context(), 1)
				do(ending, 2)
				do(t.Context(), 3)
				do(t.Context(), 4)
				ending.ended.Store(true)
				if returned {
					end()
					synctest.Wait()
				}
				close(release)
				synctest.Wait()
				end()
				callers.Wait()
				assert.Equal(t, [][]int{{1}, {3, 4}}, batches, "the canceled call does not count towards maxBatch either")
			})
		})
	}
}

func TestAPanicIsReturnedToEveryCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		group := batch.New(1, 9, func(ctx context.Context, numbers []int) []batch.Result[int] {
			if slices.Contains(numbers, 0) {
				panic("a bug")
			}
			if numbers[0] < 0 {
				<-release
			}
			return doubled(ctx, numbers)
		})
		outcomes, wait := shareBatch(t, group, release, t.Context(), t.Context(), t.Context())
		wait()
		for _, err := range outcomes {
			require.ErrorContains(t, err, "a bug")
		}
		value, err := group.Do(t.Context(), 4)
		require.NoError(t, err)
		assert.Equal(t, 8, value)
	})
}
