package rest

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// As many requests wait as are worked on. One more is turned away at once, while those
// before it still wait.
func TestTheQueueOfAdmissionIsBounded(t *testing.T) {
	a := newAdmission(1)
	require.NoError(t, a.enter(t.Context()))
	var group sync.WaitGroup
	group.Go(func() { assert.NoError(t, a.enter(t.Context())) })
	require.Eventually(t, func() bool { return a.waiting.Load() == 1 }, time.Minute, time.Millisecond)

	require.ErrorIs(t, a.enter(t.Context()), errOverloaded)
	assert.Equal(t, int64(1), a.waiting.Load(), "it was turned away before the one that waits gave up")

	a.leave() // for the one that waits
	group.Wait()
}
