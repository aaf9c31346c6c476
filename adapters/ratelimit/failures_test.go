package ratelimit_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/clientele-oauth/clientele/adapters/ratelimit"
	"github.com/clientele-oauth/clientele/domain"
)

func TestFailuresCountForALimitedTime(t *testing.T) {
	now := time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)
	limit := ratelimit.FailuresPerMinute(6, func() time.Time { return now })
	for range 6 {
		assert.Zero(t, limit.Wait("a", "1"))
		limit.Failed("a", "1")
	}
	assert.Equal(t, 10*time.Second, limit.Wait("a", "1"))
	assert.Equal(t, 10*time.Second, limit.Wait("a", "1"), "asking does not count")
	assert.Zero(t, limit.Wait("a", "2"))
	assert.Zero(t, limit.Wait("b", "1"))
	now = now.Add(9 * time.Second)
	assert.Equal(t, time.Second, limit.Wait("a", "1").Round(time.Millisecond))
	now = now.Add(time.Second)
	assert.Zero(t, limit.Wait("a", "1"))
	limit.Failed("a", "1")
	assert.Equal(t, 10*time.Second, limit.Wait("a", "1").Round(time.Millisecond))
	for range 1000 {
		limit.Failed("a", "1")
	}
	assert.Equal(t, 70*time.Second, limit.Wait("a", "1").Round(time.Millisecond), "failures at the same time")
	now = now.Add(time.Hour)
	for range 6 {
		assert.Zero(t, limit.Wait("a", "1"))
		limit.Failed("a", "1")
	}
	assert.Positive(t, limit.Wait("a", "1"), "what was not used does not accumulate")
	now = now.Add(-time.Hour)
	assert.Positive(t, limit.Wait("a", "1"), "a clock that goes back changes nothing")
}

// Failures for many other clients do not make the limiter forget those of one.
func TestFailuresAreNotForgottenAmongManyOthers(t *testing.T) {
	now := time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)
	limit := ratelimit.FailuresPerMinute(2, func() time.Time { return now })
	limit.Failed("a", "1")
	limit.Failed("a", "1")
	for i := range 100_000 {
		limit.Failed("a", domain.ClientID("x"+strconv.Itoa(i)))
	}
	assert.Positive(t, limit.Wait("a", "1"))
}
