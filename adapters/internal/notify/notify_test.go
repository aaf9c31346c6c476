package notify_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/clientele-oauth/clientele/adapters/internal/notify"
)

func closed(changed <-chan struct{}) bool {
	select {
	case <-changed:
		return true
	default:
		return false
	}
}

func TestPublishSignalsOnlyReadersOfTheTenant(t *testing.T) {
	var hub notify.Hub
	first, stopFirst := hub.Watch("tenant_a")
	second, stopSecond := hub.Watch("tenant_a")
	other, stopOther := hub.Watch("tenant_b")
	hub.Publish("tenant_a", "tenant_unwatched")
	assert.True(t, closed(first))
	assert.True(t, closed(second))
	assert.False(t, closed(other))

	again, stopAgain := hub.Watch("tenant_a")
	stopFirst()
	stopSecond()
	assert.False(t, closed(again), "stop of an earlier reader does not affect a later one")
	assert.Equal(t, 2, hub.Watched())
	hub.PublishAll()
	assert.True(t, closed(again))
	assert.True(t, closed(other))
	stopAgain()
	stopOther()
}

func TestStopReleasesTheTenant(t *testing.T) {
	var hub notify.Hub
	_, stopFirst := hub.Watch("tenant_a")
	changed, stopSecond := hub.Watch("tenant_a")
	stopFirst()
	assert.Equal(t, 1, hub.Watched())
	assert.False(t, closed(changed))
	stopSecond()
	assert.Zero(t, hub.Watched())
}
