package gather_test

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

	"github.com/clientele-oauth/clientele/adapters/gather"
)

// doubled answers each number with its double.
func doubled(_ context.Context, numbers []int) []gather.Result[int] {
	results := make([]gather.Result[int], len(numbers))
	for i, n := range numbers {
		results[i].Answer = 2 * n
	}
	return results
}

func TestEverybodyGetsTheirOwnAnswer(t *testing.T) {
	const atOnce, seats = 3, 5
	var away, most, largest atomic.Int64
	trips := gather.New(atOnce, seats, func(ctx context.Context, numbers []int) []gather.Result[int] {
		most.Store(max(most.Load(), away.Add(1)))
		defer away.Add(-1)
		largest.Store(max(largest.Load(), int64(len(numbers))))
		return doubled(ctx, numbers)
	})
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			for range 200 {
				n := rand.IntN(1 << 30)
				answer, err := trips.Ask(t.Context(), n)
				if assert.NoError(t, err) {
					assert.Equal(t, 2*n, answer)
				}
			}
		})
	}
	group.Wait()
	assert.LessOrEqual(t, most.Load(), int64(atOnce))
	assert.LessOrEqual(t, largest.Load(), int64(seats))
}

func TestWhoComesMeanwhileGoesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var parties []int
		trips := gather.New(1, 3, func(ctx context.Context, numbers []int) []gather.Result[int] {
			parties = append(parties, len(numbers))
			<-time.After(time.Second)
			return doubled(ctx, numbers)
		})
		var group sync.WaitGroup
		for n := range 6 {
			group.Go(func() {
				if n > 0 {
					<-time.After(time.Millisecond)
				}
				answer, err := trips.Ask(t.Context(), n)
				if assert.NoError(t, err) {
					assert.Equal(t, 2*n, answer)
				}
			})
		}
		group.Wait()
		assert.Equal(t, []int{1, 3, 2}, parties)
	})
}

func TestWhoLeavesTakesNobodyAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := make(chan struct{}, 9)
		trips := gather.New(1, 9, func(ctx context.Context, numbers []int) []gather.Result[int] {
			began <- struct{}{}
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
		ask := func(ctx context.Context, n int, wanted error) func() {
			return func() {
				_, err := trips.Ask(ctx, n)
				assert.ErrorIs(t, err, wanted)
			}
		}
		var group sync.WaitGroup
		group.Go(ask(t.Context(), 0, nil))
		<-began
		soon, cancelSoon := context.WithTimeout(t.Context(), 1500*time.Millisecond) // leaves during the trip
		defer cancelSoon()
		gone, cancelGone := context.WithTimeout(t.Context(), time.Millisecond) // leaves before it
		defer cancelGone()
		late, cancelLate := context.WithTimeout(t.Context(), time.Minute)
		defer cancelLate()
		group.Go(ask(soon, 1, context.DeadlineExceeded))
		group.Go(ask(gone, 2, context.DeadlineExceeded))
		group.Go(ask(late, 3, nil))
		group.Wait()

		// A party of one leaves with its only caller.
		alone, cancelAlone := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancelAlone()
		ask(alone, 4, context.DeadlineExceeded)()
		// And a trip ends with the last deadline of its callers.
		first, cancelFirst := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancelFirst()
		last, cancelLast := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancelLast()
		started := time.Now()
		group.Go(ask(first, 5, context.DeadlineExceeded))
		group.Go(ask(last, 6, context.DeadlineExceeded))
		group.Wait()
		assert.LessOrEqual(t, time.Since(started), 500*time.Millisecond)
		answer, err := trips.Ask(t.Context(), 7)
		require.NoError(t, err)
		assert.Equal(t, 14, answer)
	})
}

func TestFailuresAreTold(t *testing.T) {
	broken := errors.New("broken")
	trips := gather.New(1, 9, func(ctx context.Context, numbers []int) []gather.Result[int] {
		switch numbers[0] {
		case 1:
			return []gather.Result[int]{{Err: broken}}
		case 2:
			return nil
		case 3:
			panic("a defect")
		}
		return doubled(ctx, numbers)
	})
	_, err := trips.Ask(t.Context(), 1)
	require.ErrorIs(t, err, broken)
	_, err = trips.Ask(t.Context(), 2)
	require.ErrorContains(t, err, "without a result")
	_, err = trips.Ask(t.Context(), 3)
	require.ErrorContains(t, err, "a defect")
	answer, err := trips.Ask(t.Context(), 4)
	require.NoError(t, err)
	assert.Equal(t, 8, answer)
}
