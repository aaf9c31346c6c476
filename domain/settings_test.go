package domain

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// The needed part of a change has the same effect as the whole change, and it is empty if
// the change has no effect.
func TestNeededChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, change := anyChange(t).Over(Settings{}), anyChange(t)
		needed, differences := change.Needed(before)
		after := change.Over(before)
		assert.Empty(t, Compare(after, needed.Over(before)))
		assert.Equal(t, Compare(before, after), differences)
		assert.Equal(t, len(differences) == 0, needed.IsEmpty())
		again, none := needed.Needed(after)
		assert.Empty(t, none)
		assert.True(t, again.IsEmpty())
	})
}
