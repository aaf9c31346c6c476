package batch_test

import (
	"context"
	"runtime"
	"sync"
	"testing"

	"github.com/clientele-oauth/clientele/adapters/internal/batch"
)

// BenchmarkDo measures the cost of batching itself, with a function that hands the
// batch to another goroutine and waits for its reply, as a connection does.
func BenchmarkDo(b *testing.B) {
	for name, callers := range map[string]int{"one caller": 1, "16 callers": 16} {
		b.Run(name, func(b *testing.B) {
			requests, replies := make(chan []int), make(chan []batch.Result[int])
			go func() {
				for numbers := range requests {
					replies <- doubled(context.Background(), numbers)
				}
			}()
			defer close(requests)
			group := batch.New(1, 64, func(_ context.Context, numbers []int) []batch.Result[int] {
				requests <- numbers
				return <-replies
			})
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			b.ReportAllocs()
			var running sync.WaitGroup
			for range callers {
				running.Go(func() {
					own, end := context.WithCancel(ctx) // each request has its own context
					defer end()
					for range b.N / callers {
						_, _ = group.Do(own, 1)
					}
				})
			}
			running.Wait()
			runtime.KeepAlive(group)
		})
	}
}
