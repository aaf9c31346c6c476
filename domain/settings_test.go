package domain

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// What is left of a wish makes of a configuration what the whole wish makes, and
// nothing is left where nothing differs.
func TestWhatIsNeededOfAChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, wish := anyChange(t).apply(Settings{}).Settings, anyChange(t)
		left, found := wish.Needed(before)
		whole, rest := wish.apply(before), left.apply(before)
		assert.Empty(t, differences(whole.Settings, rest.Settings))
		assert.Equal(t, whole.rivalKeys, rest.rivalKeys)
		assert.Equal(t, len(found) == 0, left == Change{})
		again, none := left.Needed(rest.Settings)
		if rest.rivalKeys.IsNone() { // two key sources are for the rules to refuse
			assert.Empty(t, none)
			assert.Equal(t, Change{}, again)
		}
	})
}
