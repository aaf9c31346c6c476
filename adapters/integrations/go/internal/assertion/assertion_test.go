package assertion

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api/mirror"
)

func TestAlgorithmsOfAClient(t *testing.T) {
	for _, c := range []struct {
		client    mirror.Client
		algorithm string
		accepted  bool
	}{
		{mirror.Client{}, "RS256", true},
		{mirror.Client{}, "ES256", true},
		{mirror.Client{TokenEndpointAuthSigningAlg: "ES256"}, "ES256", true},
		{mirror.Client{TokenEndpointAuthSigningAlg: "ES256"}, "PS256", false},
		{mirror.Client{TokenEndpointAuthSigningAlg: "Ed25519"}, "EdDSA", true},
		{mirror.Client{FAPIProfile: "fapi1-baseline"}, "RS256", true},
		{mirror.Client{FAPIProfile: "fapi1-advanced"}, "RS256", false},
		{mirror.Client{FAPIProfile: "fapi2-security"}, "RS256", false},
		{mirror.Client{FAPIProfile: "fapi2-security"}, "PS256", true},
		{mirror.Client{FAPIProfile: "fapi2-message-signing"}, "EdDSA", true},
	} {
		assert.Equal(t, c.accepted, accepts(&c.client, c.algorithm), "%s %s %s", c.client.FAPIProfile, c.client.TokenEndpointAuthSigningAlg, c.algorithm)
	}
}

func TestAudiences(t *testing.T) {
	here := []string{"https://as.example.com", "https://as.example.com/token"}
	for text, want := range map[string][2]bool{ // without and with FAPI 2.0
		`"https://as.example.com"`:                           {true, true},
		`"https://as.example.com/token"`:                     {true, true},
		`["https://as.example.com"]`:                         {true, false},
		`["https://b.example.com","https://as.example.com"]`: {true, false},
		`"https://as.example.com/"`:                          {false, false},
		`["https://b.example.com"]`:                          {false, false},
		`[]`:                                                 {false, false}, `null`: {false, false}, ``: {false, false}, `7`: {false, false}, `[7,"https://as.example.com"]`: {false, false},
	} {
		c := claims{Audience: []byte(text)}
		assert.Equal(t, want, [2]bool{c.isFor(here, false), c.isFor(here, true)}, text)
	}
}

func TestTheMemoryForAssertionsIsBounded(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	m := NewMemory(func() time.Time { return now })
	use := func(id string, expires time.Duration) (bool, error) {
		return m.Use(t.Context(), "app", id, now.Add(expires))
	}
	for i := range maxRemembered {
		fresh, err := use(strconv.Itoa(i), time.Minute)
		require.True(t, fresh)
		require.NoError(t, err)
	}
	fresh, err := use("7", time.Minute)
	require.NoError(t, err)
	assert.False(t, fresh, "used")
	_, err = use("more", time.Minute)
	require.ErrorIs(t, err, errFull, "nothing that is still in use is forgotten")
	now = now.Add(time.Minute + clockSkew + time.Second)
	fresh, err = use("more", time.Minute)
	require.NoError(t, err)
	assert.True(t, fresh, "what has expired is forgotten")
	other, err := m.Use(t.Context(), "other", "more", now.Add(time.Minute))
	require.NoError(t, err)
	assert.True(t, other, "each client has its own")
}
