package jwks

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestBoundedMemory(t *testing.T) {
	memory := newBounded[string, int](10, 1000)
	for i := range 100 {
		memory.put(strconv.Itoa(i), i, 5)
		assert.LessOrEqual(t, len(memory.entries), 10)
	}
	value, ok := memory.get("99")
	assert.True(t, ok, "the newest entry stays")
	assert.Equal(t, 99, value)
	assert.Equal(t, 50, memory.size)
	memory.put("99", 7, 6)
	assert.Len(t, memory.entries, 10)
	assert.Equal(t, 51, memory.size, "an entry is replaced")
	memory.put("large", 1, 990)
	assert.LessOrEqual(t, memory.size, 1000)
	_, ok = memory.get("large")
	assert.True(t, ok)
	memory.put("large", 1, 1001)
	_, ok = memory.get("large")
	assert.False(t, ok, "an entry beyond the limit is not kept")
	memory.put("a", 1, 1000)
	assert.Len(t, memory.entries, 1)
}
