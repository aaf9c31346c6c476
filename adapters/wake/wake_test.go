package wake_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/clientele-oauth/clientele/adapters/wake"
)

func closed(news <-chan struct{}) bool {
	select {
	case <-news:
		return true
	default:
		return false
	}
}

func TestOnlyReadersOfTheTenantAreWoken(t *testing.T) {
	var hub wake.Hub
	first, stopFirst := hub.Watch("tenant_a")
	second, stopSecond := hub.Watch("tenant_a")
	other, stopOther := hub.Watch("tenant_b")
	hub.Wake("tenant_a", "tenant_unwatched")
	assert.True(t, closed(first))
	assert.True(t, closed(second))
	assert.False(t, closed(other))

	again, stopAgain := hub.Watch("tenant_a")
	stopFirst()
	stopSecond()
	assert.False(t, closed(again), "a reader that left does not take the signal of a later one")
	assert.Equal(t, 2, hub.Watched())
	hub.WakeAll()
	assert.True(t, closed(again))
	assert.True(t, closed(other))
	stopAgain()
	stopOther()
}

func TestNothingIsHeldForReadersThatLeft(t *testing.T) {
	var hub wake.Hub
	_, stopFirst := hub.Watch("tenant_a")
	news, stopSecond := hub.Watch("tenant_a")
	stopFirst()
	assert.Equal(t, 1, hub.Watched())
	assert.False(t, closed(news))
	stopSecond()
	assert.Zero(t, hub.Watched())
}
