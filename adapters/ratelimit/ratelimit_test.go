package ratelimit_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/clientele-oauth/clientele/adapters/ratelimit"
	"github.com/clientele-oauth/clientele/domain"
)

func TestEachClientHasItsOwnRate(t *testing.T) {
	now := time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)
	limit := ratelimit.PerSecond(3, func() time.Time { return now })
	allowed := func(tenant domain.TenantID, id string) int {
		n := 0
		for range 10 {
			if limit.Allow(tenant, id) {
				n++
			}
		}
		return n
	}
	assert.Equal(t, 3, allowed("a", "1"))
	assert.Equal(t, 0, allowed("a", "1"))
	assert.Equal(t, 3, allowed("a", "2"))
	assert.Equal(t, 3, allowed("b", "1"))
	now = now.Add(time.Second)
	assert.Equal(t, 3, allowed("a", "1"))
	now = now.Add(time.Hour)
	assert.Equal(t, 3, allowed("a", "1"), "unused capacity does not accumulate")
}

func TestABusyClientStaysLimitedAmongManyOthers(t *testing.T) {
	now := time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)
	limit := ratelimit.PerSecond(1, func() time.Time { return now })
	for i := range 25_000 {
		now = now.Add(time.Millisecond)
		for limit.Allow("a", "busy") {
		}
		assert.True(t, limit.Allow("a", strconv.Itoa(i)))
		assert.False(t, limit.Allow("a", "busy"))
	}
}
