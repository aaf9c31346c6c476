package domain

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestASecretMatchesItsValueAlone(t *testing.T) {
	pepper := Pepper{ID: "p1", Key: []byte("0123456789abcdef0123456789abcdef")}
	for name, p := range map[string]Pepper{"peppered": pepper, "plain": {}} {
		t.Run(name, func(t *testing.T) {
			kept, value := NewSecret("s1", [SecretEntropy]byte{1, 2, 3}, p, testNow)
			assert.True(t, kept.Matches(value, p))
			assert.False(t, kept.Matches(value[:len(value)-1]+"x", p))
			assert.False(t, kept.Matches("", p))
			assert.False(t, kept.Matches(value, Pepper{ID: "p2", Key: []byte("another")}))
			assert.True(t, strings.HasPrefix(value, "clientele_"), "secret scanners know it by its prefix")
			assert.Equal(t, value[len(value)-4:], kept.LastFour)
			assert.NotContains(t, string(kept.Hash), value)
		})
	}
	one, _ := NewSecret("s1", [SecretEntropy]byte{1}, pepper, testNow)
	two, _ := NewSecret("s1", [SecretEntropy]byte{1}, Pepper{}, testNow)
	assert.NotEqual(t, one.Hash, two.Hash)
}
