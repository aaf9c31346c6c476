package domain

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tokenEntropy returns random bytes that are not random.
func tokenEntropy(b byte) (e [SecretEntropy]byte) {
	for i := range e {
		e[i] = b
	}
	return e
}

var tokenPepper = Pepper{ID: "p1", Key: []byte("pepper")}

func TestTheFormOfRegistrationTokens(t *testing.T) {
	kept, value := NewRegistrationToken(tokenEntropy(1), tokenPepper, testNow)
	assert.True(t, strings.HasPrefix(value, "clientele_rat_"))
	assert.Equal(t, RegistrationToken{Hash: tokenPepper.hash(value), KeyID: "p1", CreatedAt: testNow}, kept)

	properties := InitialTokenProperties{Description: "portal", Policy: RegistrationPolicy{Owner: "x"}}.WithDefaults()
	initial, value := NewInitialToken(tokenEntropy(1), tokenPepper, "tenant_a", "alice", properties, testNow)
	assert.True(t, strings.HasPrefix(value, "clientele_iat_"))
	assert.True(t, initial.Verify(value, []Pepper{tokenPepper}))
	assert.Regexp(t, "^iat_[0-9a-f]{32}$", initial.ID)
	found, ok := InitialTokenID(value)
	assert.True(t, ok)
	assert.Equal(t, initial.ID, found)
	assert.Equal(t, InitialToken{
		TenantID: "tenant_a", ID: initial.ID, Hash: tokenPepper.hash(value), KeyID: "p1", Description: "portal", IssuedBy: "alice",
		CreatedAt: testNow, ExpiresAt: testNow.Add(24 * time.Hour), MaxUses: 1, Policy: RegistrationPolicy{Owner: "x"},
	}, initial)
	other, _ := newInitialToken(2, tokenPepper)
	assert.NotEqual(t, initial.ID, other.ID)
}

// newInitialToken creates an initial access token from random bytes that are not random.
func newInitialToken(entropy byte, pepper Pepper) (kept InitialToken, value string) {
	return NewInitialToken(tokenEntropy(entropy), pepper, "tenant_a", "alice", InitialTokenProperties{}.WithDefaults(), testNow)
}

func TestTheStatusOfAnInitialToken(t *testing.T) {
	end := testNow.Add(time.Hour)
	for _, c := range []struct {
		name  string
		token InitialToken
		at    time.Time
		want  InitialTokenStatus
		ended bool
	}{
		{"a use left", InitialToken{MaxUses: 2, Uses: 1, ExpiresAt: end}, end.Add(-1), InitialTokenActive, false},
		{"at its end", InitialToken{MaxUses: 1, ExpiresAt: end}, end, InitialTokenExpired, true},
		{"no use left", InitialToken{MaxUses: 1, Uses: 1, ExpiresAt: end}, testNow, InitialTokenUsedUp, false},
		{"no use left, expired", InitialToken{MaxUses: 1, Uses: 1, ExpiresAt: end}, end, InitialTokenUsedUp, true},
		{"revoked", InitialToken{MaxUses: 1, Uses: 1, ExpiresAt: end, RevokedAt: testNow}, testNow, InitialTokenRevoked, true},
	} {
		assert.Equal(t, c.want, c.token.Status(c.at), c.name)
		assert.Equal(t, c.ended, c.token.Ended(c.at), c.name)
	}
}

func TestTheLimitsOfAnInitialToken(t *testing.T) {
	for want, p := range map[string]InitialTokenProperties{
		"": {Description: "portal"},
		"/expires_in: must be between 1 second and 90 days": {ExpiresIn: MaxInitialTokenLifetime + 1},
		"/max_uses: must be between 1 and 10000":            {MaxUses: MaxInitialTokenUses + 1},
		"/description: must have at most 256 characters":    {Description: strings.Repeat("x", MaxDescription+1)},
	} {
		var found []string
		for _, f := range p.WithDefaults().CheckLimits() {
			found = append(found, f.Pointer+": "+f.Message)
		}
		assert.Equal(t, want, strings.Join(found, "; "))
	}
}

func TestWhatIsNoInitialToken(t *testing.T) {
	_, value := newInitialToken(1, Pepper{})
	_, registration := NewRegistrationToken(tokenEntropy(1), Pepper{}, testNow)
	last := map[byte]string{'0': "1"}[value[len(value)-1]]
	if last == "" {
		last = "0"
	}
	for name, text := range map[string]string{
		"empty": "", "a registration access token": registration, "too long": value + "0", "too short": value[1:],
		"another checksum": value[:len(value)-1] + last, "very long": strings.Repeat("x", 1<<20),
	} {
		_, ok := InitialTokenID(text)
		assert.False(t, ok, name)
	}
}

func TestVerifyInitialToken(t *testing.T) {
	peppered, value := newInitialToken(1, tokenPepper)
	unpeppered, _ := newInitialToken(1, Pepper{})
	hash, plain := peppered.Hash, unpeppered.Hash
	other := Pepper{ID: "p1", Key: []byte("other")}
	for _, c := range []struct {
		name    string
		value   string
		hash    []byte
		keyID   string
		peppers []Pepper
		want    bool
	}{
		{"the value", value, hash, "p1", []Pepper{tokenPepper}, true},
		{"one of several peppers", value, hash, "p1", []Pepper{{ID: "p0", Key: []byte("x")}, tokenPepper}, true},
		{"without a pepper", value, plain, "", []Pepper{tokenPepper}, true},
		{"another value", value + "x", hash, "p1", []Pepper{tokenPepper}, false},
		{"no value", "", hash, "p1", []Pepper{tokenPepper}, false},
		{"another pepper", value, hash, "p1", []Pepper{other}, false},
		{"a pepper that is not known", value, plain, "p1", nil, false},
		{"no hash", value, nil, "", nil, false},
		{"a very long value", strings.Repeat("x", 1<<20), Pepper{}.hash(strings.Repeat("x", 1<<20)), "", nil, false},
	} {
		token := InitialToken{Hash: c.hash, KeyID: c.keyID}
		assert.Equal(t, c.want, token.Verify(c.value, c.peppers), c.name)
	}
}

func TestARegistrationTokenIsVerifiedAndRotated(t *testing.T) {
	peppers := []Pepper{tokenPepper}
	client := selfClient(t, RegistrationPolicy{})
	first, one := NewRegistrationToken(tokenEntropy(1), tokenPepper, testNow)
	second, two := NewRegistrationToken(tokenEntropy(2), tokenPepper, testNow)
	verify := func(c Client, value string, at time.Time) [2]bool {
		current, ok := c.VerifyRegistrationToken(value, peppers, at)
		return [2]bool{current, ok}
	}
	current, former, not := [2]bool{true, true}, [2]bool{false, true}, [2]bool{}

	assert.Equal(t, not, verify(client, one, testNow), "no token")
	assert.Equal(t, not, verify(Client{}, one, testNow), "no client")
	with := client.WithFirstRegistrationToken(first)
	assert.Equal(t, client.Revision(), with.Revision())
	assert.Nil(t, client.Registration().AccessToken, "the registration of the earlier client is not changed")
	assert.Equal(t, current, verify(with, one, testNow))
	assert.Equal(t, not, verify(with, two, testNow))
	assert.Equal(t, current, verify(administered(t, with, ChangeOf(Settings{Status: StatusSuspended})), one, testNow), "suspending keeps it")

	rotated := must(with.WithRotatedToken(second, testNow))
	assert.Equal(t, with.Revision(), rotated.Revision())
	assert.Equal(t, current, verify(rotated, two, testNow))
	assert.Equal(t, former, verify(rotated, one, testNow.Add(MaxTokenOverlap-1)))
	assert.Equal(t, not, verify(rotated, one, testNow.Add(MaxTokenOverlap)), "it ends after 10 minutes")
	undone := rotated.WithFormerToken()
	assert.Equal(t, rotated.Revision(), undone.Revision())
	assert.Equal(t, current, verify(undone, one, testNow.Add(time.Hour)), "it stays")
	assert.Equal(t, former, verify(undone, two, testNow.Add(time.Hour)), "the client may have either")
	assert.Equal(t, with, with.WithFormerToken(), "there is no former one")
	assert.Equal(t, client, client.WithFormerToken())
	for _, use := range []struct {
		name             string
		client           Client
		current, reading bool
		changed          bool
		one, two         [2]bool
	}{
		{"the new one is read with", rotated, true, true, true, not, current},
		{"the new one is used", rotated, true, false, true, not, current},
		{"the one before is read with", rotated, false, true, false, former, current},
		{"the one before is used", rotated, false, false, false, former, current},
		{"either: the former one is read with", undone, true, true, true, current, not},
		{"either: the former one is used", undone, true, false, false, current, former},
		{"either: the other one is read with", undone, false, true, true, not, current},
		{"either: the other one is used", undone, false, false, true, not, current},
		{"the only one is used", with, true, true, false, current, not},
		{"no token", client, true, true, false, not, not},
	} {
		used, changed := use.client.WithTokenUse(use.current, use.reading)
		assert.Equal(t, use.changed, changed, use.name)
		assert.Equal(t, use.client.Revision(), used.Revision(), use.name)
		assert.Equal(t, use.one, verify(used, one, testNow), use.name)
		assert.Equal(t, use.two, verify(used, two, testNow), use.name)
	}
	assert.True(t, undone.Registration().hasTokenUnder("p1", testNow.Add(time.Hour)))

	issued := must(rotated.IssueRegistrationToken(first, RegistrationPolicy{}, testNow))
	assert.Equal(t, not, verify(issued, two, testNow), "a new one of an administrator ends the others at once")
	revoked := must(issued.RevokeRegistrationToken(testNow))
	assert.Equal(t, not, verify(revoked, one, testNow))

	deleted := must(issued.Delete(testNow))
	assert.Equal(t, not, verify(deleted, one, testNow))
	restored := must(testBook(t, Policy{}).Restore(deleted)).Decide(Facts{}, testNow).Client
	require.False(t, restored.Deleted())
	assert.Equal(t, not, verify(restored, one, testNow), "restoring does not revive it")
	purged := must(deleted.Purge(testNow))
	assert.Nil(t, purged.Registration())
}

func TestAnEarlierStateWithTheCurrentRegistration(t *testing.T) {
	earlier, current := stored(nil), selfClient(t, RegistrationPolicy{})
	assert.Equal(t, earlier, earlier.WithRegistrationOf(current), "of another client")
	current.state.Identity = earlier.state.Identity
	with := earlier.WithRegistrationOf(current)
	assert.Equal(t, current.Registration(), with.Registration())
	assert.Equal(t, earlier.Revision(), with.Revision())
}

func TestATokenForAClientOfAnAdministrator(t *testing.T) {
	token, value := NewRegistrationToken(tokenEntropy(1), tokenPepper, testNow)
	client := must(stored(nil).IssueRegistrationToken(token, RegistrationPolicy{Owner: "x"}, testNow))
	r := client.Registration()
	assert.Equal(t, ViaAdmin, r.Via)
	assert.Equal(t, RegistrationPolicy{Owner: "x"}.WithDefaults(), r.Policy)
	_, ok := client.VerifyRegistrationToken(value, []Pepper{tokenPepper}, testNow)
	assert.True(t, ok)

	dynamic := must(selfClient(t, RegistrationPolicy{Owner: "self"}).IssueRegistrationToken(token, RegistrationPolicy{Owner: "x"}, testNow))
	assert.Equal(t, "self", dynamic.Registration().Policy.Owner, "the pinned policy stays")
	assert.Equal(t, ViaOpen, dynamic.Registration().Via)
}

func TestChangesOfARegistrationThatItsStateDoesNotAllow(t *testing.T) {
	live := selfClient(t, RegistrationPolicy{}).WithFirstRegistrationToken(RegistrationToken{})
	deleted := must(live.Delete(testNow))
	bare := selfClient(t, RegistrationPolicy{})
	token := RegistrationToken{}
	for name, c := range map[string]struct {
		change func(Client) (Client, error)
		client Client
		want   error
	}{
		"issue, deleted":          {func(c Client) (Client, error) { return c.IssueRegistrationToken(token, RegistrationPolicy{}, testNow) }, deleted, ErrDeleted},
		"rotate, deleted":         {func(c Client) (Client, error) { return c.WithRotatedToken(token, testNow) }, deleted, ErrDeleted},
		"rotate, no token":        {func(c Client) (Client, error) { return c.WithRotatedToken(token, testNow) }, bare, ErrNoRegistrationToken},
		"rotate, no registration": {func(c Client) (Client, error) { return c.WithRotatedToken(token, testNow) }, stored(nil), ErrNoRegistrationToken},
		"revoke, deleted":         {func(c Client) (Client, error) { return c.RevokeRegistrationToken(testNow) }, deleted, ErrDeleted},
		"revoke, no token":        {func(c Client) (Client, error) { return c.RevokeRegistrationToken(testNow) }, bare, ErrNoRegistrationToken},
		"revoke, no registration": {func(c Client) (Client, error) { return c.RevokeRegistrationToken(testNow) }, stored(nil), ErrNoRegistrationToken},
		"unlock, deleted":         {func(c Client) (Client, error) { return c.DeleteLocks(testNow) }, deleted, ErrDeleted},
	} {
		changed, err := c.change(c.client)
		require.ErrorIs(t, err, c.want, name)
		assert.Equal(t, c.client, changed, name)
	}
}

func TestAClientWithoutLocksStaysAsItIs(t *testing.T) {
	for _, client := range []Client{selfClient(t, RegistrationPolicy{}), stored(nil)} {
		assert.Equal(t, client, must(client.DeleteLocks(testNow)))
	}
}
