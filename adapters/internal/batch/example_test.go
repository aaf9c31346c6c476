package batch_test

import (
	"context"
	"fmt"

	"github.com/clientele-oauth/clientele/adapters/internal/batch"
)

// Calls that are made while both batches are running share the next one, and so
// one statement.
func Example() {
	names := map[int]string{1: "one", 2: "two"}
	finds := batch.New(2, 64, func(_ context.Context, keys []int) []batch.Result[string] {
		results := make([]batch.Result[string], len(keys)) // in the order of the keys
		for i, key := range keys {
			results[i].Value = names[key]
		}
		return results
	})
	name, err := finds.Do(context.Background(), 2)
	fmt.Println(name, err)
	// Output: two <nil>
}
