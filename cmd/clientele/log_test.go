package main

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// written is a log that tells how often it was written to.
type written struct {
	mu     sync.Mutex
	text   bytes.Buffer
	writes int
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes++
	return w.text.Write(p)
}

func (w *written) state() (lines, writes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Count(w.text.String(), "\n"), w.writes
}

func TestTheAccessLogIsGatheredAndNothingOfItLost(t *testing.T) {
	to := &written{}
	log := newGatheredLog(to)
	const writers, each = 8, 2000
	line := []byte(strings.Repeat("x", 99) + "\n")
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for range each {
				_, err := log.Write(line)
				assert.NoError(t, err)
			}
		})
	}
	group.Wait()
	_, _ = log.Write([]byte("late\n"))
	require.Eventually(t, func() bool { lines, _ := to.state(); return lines == writers*each+1 }, 10*time.Second, time.Millisecond, "it comes by itself")
	_, writes := to.state()
	assert.Less(t, writes, writers*each/100)
	_, _ = log.Write([]byte("last\n"))
	log.close()
	lines, _ := to.state()
	assert.Equal(t, writers*each+2, lines)
	assert.True(t, strings.HasSuffix(to.text.String(), "late\nlast\n"))
}
