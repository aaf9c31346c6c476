package rest

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// As many requests may wait as are processed. One more is rejected immediately, while
// the others still wait.
func TestAdmissionQueueIsBounded(t *testing.T) {
	a := newAdmission(1)
	require.NoError(t, a.enter(t.Context()))
	var group sync.WaitGroup
	group.Go(func() { assert.NoError(t, a.enter(t.Context())) })
	require.Eventually(t, func() bool { return a.waiting.Load() == 1 }, time.Minute, time.Millisecond)

	require.ErrorIs(t, a.enter(t.Context()), errOverloaded)
	assert.Equal(t, int64(1), a.waiting.Load(), "it was rejected while the other request was still waiting")

	a.leave() // admits the waiting request
	group.Wait()
}
