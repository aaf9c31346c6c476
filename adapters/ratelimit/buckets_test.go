package ratelimit_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/clientele-oauth/clientele/adapters/ratelimit"
)

func TestBucketsAllowANumberPerPeriod(t *testing.T) {
	now := time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	limit := ratelimit.ByNetwork(clock, ratelimit.Rate{Count: 3, Period: time.Minute}, ratelimit.Rate{Count: 5, Period: time.Hour})
	allowed := func(name string) (n int) {
		for range 10 {
			if limit.Allow(name) {
				n++
			}
		}
		return n
	}
	assert.Zero(t, limit.Wait("1"))
	assert.Equal(t, 3, allowed("1"))
	assert.Equal(t, 20*time.Second, limit.Wait("1"))
	assert.Equal(t, 3, allowed("2"), "each name has its own limit")
	now = now.Add(time.Minute)
	assert.Equal(t, 2, allowed("1"), "the limit per hour")
	assert.Greater(t, limit.Wait("1"), 10*time.Minute)
	now = now.Add(24 * time.Hour)
	assert.Equal(t, 3, allowed("1"), "unused capacity does not accumulate")
}

func TestFailuresCountBeyondTheLimitOfANetwork(t *testing.T) {
	now := time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)
	limit := ratelimit.ByNetwork(func() time.Time { return now }, ratelimit.Rate{Count: 2, Period: time.Minute})
	limit.Failed("1")
	assert.Zero(t, limit.Wait("1"))
	for range 10 {
		limit.Failed("1")
	}
	assert.Equal(t, 90*time.Second, limit.Wait("1"), "as many again as are allowed")
	assert.Zero(t, limit.Wait("2"))
}

// Operations of many other names do not make the limiter forget those of one.
func TestBucketsForgetNothingAmongManyNames(t *testing.T) {
	now := time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)
	limit := ratelimit.Per(2, time.Hour, func() time.Time { return now })
	assert.True(t, limit.Allow("a", "1"))
	assert.True(t, limit.Allow("a", "1"))
	for i := range 100_000 {
		limit.Allow("a", "x"+strconv.Itoa(i))
	}
	assert.False(t, limit.Allow("a", "1"))
}
