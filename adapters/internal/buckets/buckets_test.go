package buckets_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/clientele-oauth/clientele/adapters/internal/buckets"
)

func TestOperationsCountForALimitedTime(t *testing.T) {
	now := time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)
	limit := buckets.New[string](1<<12, 3, time.Minute, func() time.Time { return now })
	for _, step := range []struct {
		name string
		pass time.Duration
		do   func(string) time.Duration
		want time.Duration
	}{
		{"first", 0, limit.Take, 0},
		{"second", 0, limit.Take, 0},
		{"waiting counts nothing", 0, limit.Wait, 0},
		{"third", 0, limit.Take, 0},
		{"too many", 0, limit.Take, 20 * time.Second},
		{"a rejected operation does not count", 0, limit.Wait, 20 * time.Second},
		{"one no longer counts", 20 * time.Second, limit.Wait, 0},
		{"a clock that goes back changes nothing", -time.Hour, limit.Take, 0},
		{"not even later", 0, limit.Take, 20 * time.Second},
	} {
		now = now.Add(step.pass)
		for _, key := range []string{"a", "b"} { // each of them has its own limit
			assert.Equal(t, step.want, step.do(key), step.name)
		}
	}
}

func TestOperationsBeyondTheLimitCountOnceMore(t *testing.T) {
	now := time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)
	limit := buckets.New[string](1, 3, time.Minute, func() time.Time { return now })
	for range 100 {
		limit.Count("a")
	}
	assert.Equal(t, 80*time.Second, limit.Wait("a"))
	assert.Equal(t, 80*time.Second, limit.Wait("b"), "the keys of one slot share its limit")
	now = now.Add(80*time.Second - 1)
	assert.Equal(t, time.Millisecond, limit.Take("a"), "a wait is never 0")
	now = now.Add(time.Millisecond)
	assert.Zero(t, limit.Take("a"))
}
