package batch_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/internal/batch"
)

// doubled returns the double of each number.
func doubled(_ context.Context, numbers []int) []batch.Result[int] {
	results := make([]batch.Result[int], len(numbers))
	for i, n := range numbers {
		results[i].Value = 2 * n
	}
	return results
}

func TestEachCallReturnsItsOwnResult(t *testing.T) {
	const maxInFlight, maxBatch = 3, 5
	var inFlight, most, largest atomic.Int64
	group := batch.New(maxInFlight, maxBatch, func(ctx context.Context, numbers []int) []batch.Result[int] {
		most.Store(max(most.Load(), inFlight.Add(1)))
		defer inFlight.Add(-1)
		largest.Store(max(largest.Load(), int64(len(numbers))))
		return doubled(ctx, numbers)
	})
	var callers sync.WaitGroup
	for range 50 {
		callers.Go(func() {
			for range 200 {
				n := rand.IntN(1 << 30)
				value, err := group.Do(t.Context(), n)
				if assert.NoError(t, err) {
					assert.Equal(t, 2*n, value)
				}
			}
		})
	}
	callers.Wait()
	assert.LessOrEqual(t, most.Load(), int64(maxInFlight))
	assert.LessOrEqual(t, largest.Load(), int64(maxBatch))
}

func TestCallsDuringABatchShareTheNextOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		group := batch.New(1, 3, func(ctx context.Context, numbers []int) []batch.Result[int] {
			sizes = append(sizes, len(numbers))
			<-time.After(time.Second)
			return doubled(ctx, numbers)
		})
		var callers sync.WaitGroup
		for n := range 6 {
			callers.Go(func() {
				if n > 0 {
					<-time.After(time.Millisecond)
				}
				value, err := group.Do(t.Context(), n)
				if assert.NoError(t, err) {
					assert.Equal(t, 2*n, value)
				}
			})
		}
		callers.Wait()
		assert.Equal(t, []int{1, 3, 2}, sizes)
	})
}

func TestErrorsAndPanicsAreReturned(t *testing.T) {
	broken := errors.New("broken")
	group := batch.New(1, 9, func(ctx context.Context, numbers []int) []batch.Result[int] {
		switch numbers[0] {
		case 1:
			return []batch.Result[int]{{Err: broken}}
		case 2:
			return nil
		case 3:
			panic("a bug")
		}
		return doubled(ctx, numbers)
	})
	_, err := group.Do(t.Context(), 1)
	require.ErrorIs(t, err, broken)
	_, err = group.Do(t.Context(), 2)
	require.ErrorContains(t, err, "no result for this call")
	_, err = group.Do(t.Context(), 3)
	require.ErrorContains(t, err, "a bug")
	value, err := group.Do(t.Context(), 4)
	require.NoError(t, err)
	assert.Equal(t, 8, value)
}
