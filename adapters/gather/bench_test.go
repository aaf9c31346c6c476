package gather_test

import (
	"context"
	"runtime"
	"sync"
	"testing"

	"github.com/clientele-oauth/clientele/adapters/gather"
)

// BenchmarkAsk measures what sharing a trip costs: by itself, and behind a
// connection, which here is a goroutine that replies over a channel.
func BenchmarkAsk(b *testing.B) {
	for name, callers := range map[string]int{"one caller": 1, "16 callers": 16} {
		b.Run(name, func(b *testing.B) {
			requests, replies := make(chan []int), make(chan []gather.Result[int])
			go func() {
				for numbers := range requests {
					replies <- doubled(context.Background(), numbers)
				}
			}()
			defer close(requests)
			trips := gather.New(1, 64, func(_ context.Context, numbers []int) []gather.Result[int] {
				requests <- numbers
				return <-replies
			})
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			b.ReportAllocs()
			var group sync.WaitGroup
			for range callers {
				group.Go(func() {
					own, end := context.WithCancel(ctx) // as every request has
					defer end()
					for range b.N / callers {
						_, _ = trips.Ask(own, 1)
					}
				})
			}
			group.Wait()
			runtime.KeepAlive(trips)
		})
	}
}
