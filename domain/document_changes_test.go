package domain

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestTheChangesOfADocument(t *testing.T) {
	later := testNow.Add(time.Hour)
	var changes DocumentChanges
	for _, c := range []struct {
		name    string
		members []string
		at      time.Time

		lastAt time.Time
		last   []string
		keys   bool
	}{
		{name: "none"},
		{name: "the first ones", members: []string{"scope", "jwks_uri"}, at: testNow, lastAt: testNow, last: []string{"jwks_uri", "scope"}, keys: true},
		{name: "a change without members", at: later, lastAt: testNow, last: []string{"jwks_uri", "scope"}, keys: true},
		{name: "one again", members: []string{"scope"}, at: later, lastAt: later, last: []string{"scope"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			changes = changes.With(c.members, c.at)
			at, last := changes.Last()
			assert.Equal(t, c.lastAt, at)
			assert.Equal(t, c.last, last)
			assert.Equal(t, c.keys, ChangesKeys(last))
		})
	}
	assert.Equal(t, DocumentChanges{"jwks_uri": testNow, "scope": later}, changes)
}
