package domain

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var testPepper = Pepper{ID: "p1", Key: []byte("0123456789abcdef0123456789abcdef")}

// secretOf creates secret number n.
func secretOf(n byte, now time.Time) (Secret, string) {
	return NewSecret(fmt.Sprintf("s%d", n), [SecretEntropy]byte{n}, testPepper, now)
}

// clientWithSecrets returns a client that uses secrets and has the first n of them.
func clientWithSecrets(t *testing.T, n byte) Client {
	t.Helper()
	client := stored(func(s *Settings) { s.AuthMethods = []AuthMethod{AuthSecretBasic}; s.Status = StatusActive })
	for i := range n {
		secret, _ := secretOf(i+1, testNow)
		var err error
		client, err = client.IssueSecret(secret, testNow)
		require.NoError(t, err)
	}
	return client
}

// verifies lists which of the first nine secrets verify.
func verifies(c Client, at time.Time) []string {
	list := []string{}
	for n := range byte(9) {
		_, value := secretOf(n+1, testNow)
		if id, ok := c.VerifySecret(value, []Pepper{testPepper}, at); ok {
			list = append(list, id)
		}
	}
	return list
}

func TestASecretIsRecognisable(t *testing.T) {
	kept, value := NewSecret("s1", [SecretEntropy]byte{1, 2, 3}, testPepper, testNow)
	assert.True(t, strings.HasPrefix(value, "clientele_"), "secret scanners recognise the prefix")
	assert.Equal(t, value[len(value)-4:], kept.LastFour)
	assert.NotContains(t, string(kept.Hash), value)
	plain, _ := NewSecret("s1", [SecretEntropy]byte{1, 2, 3}, Pepper{}, testNow)
	assert.NotEqual(t, plain.Hash, kept.Hash)
}

func TestOnlyTheValueOfASecretVerifies(t *testing.T) {
	for name, pepper := range map[string]Pepper{"peppered": testPepper, "plain": {}} {
		t.Run(name, func(t *testing.T) {
			secret, value := NewSecret("s1", [SecretEntropy]byte{1, 2, 3}, pepper, testNow)
			client := clientWithSecrets(t, 0).WithFirstSecret(secret)
			id, ok := client.VerifySecret(value, []Pepper{pepper}, testNow)
			assert.True(t, ok)
			assert.Equal(t, "s1", id)
			for _, wrong := range []string{"", value + "x", value[:len(value)-1], strings.ToUpper(value), string(secret.Hash)} {
				id, ok = client.VerifySecret(wrong, []Pepper{pepper}, testNow)
				assert.False(t, ok)
				assert.Empty(t, id)
			}
			another := Pepper{ID: "p2", Key: []byte("another")}
			_, ok = client.VerifySecret(value, []Pepper{another}, testNow)
			assert.Equal(t, pepper.ID == "", ok, "a secret that was hashed without a pepper verifies after one is configured")
			_, ok = client.VerifySecret(value, []Pepper{another, pepper}, testNow)
			assert.True(t, ok, "a replaced pepper still verifies its secrets")
		})
	}
}

func TestASuspendedClientHasNoValidSecret(t *testing.T) {
	client := clientWithSecrets(t, 1)
	suspended, findings := reviseClient(testBook(t, Policy{}), client, ChangeOf(Settings{Status: StatusSuspended}), KeysUnexamined(), testNow)
	require.False(t, findings.HasViolations())
	assert.Empty(t, verifies(suspended, testNow))
	assert.Len(t, suspended.Secrets(), 1)
}

func TestAClientHasAtMostTwoActiveSecrets(t *testing.T) {
	client := clientWithSecrets(t, 2)
	third, _ := secretOf(3, testNow)
	_, err := client.IssueSecret(third, testNow)
	require.ErrorIs(t, err, ErrTooManySecrets)
	assert.Equal(t, []string{"s1", "s2"}, verifies(client, testNow))
	assert.Equal(t, third.LastFour[:0]+client.Secrets()[1].LastFour, client.SecretLastFour(testNow))
}

func TestASecretExpires(t *testing.T) {
	client := clientWithSecrets(t, 1)
	second, _ := secretOf(2, testNow)
	second.ExpiresAt = testNow
	_, err := client.IssueSecret(second, testNow)
	require.ErrorIs(t, err, ErrSecretExpired)
	second.ExpiresAt = testNow.Add(time.Hour)
	client, err = client.IssueSecret(second, testNow)
	require.NoError(t, err)
	assert.Equal(t, []string{"s1", "s2"}, verifies(client, testNow.Add(time.Hour-1)))
	assert.Equal(t, []string{"s1"}, verifies(client, testNow.Add(time.Hour)))
	third, _ := secretOf(3, testNow)
	client, err = client.IssueSecret(third, testNow.Add(time.Hour))
	require.NoError(t, err, "an expired secret does not count")
	assert.Len(t, client.Secrets(), 2, "the expired secret is removed")
}

func TestRotation(t *testing.T) {
	next, _ := secretOf(3, testNow)
	rotated, err := clientWithSecrets(t, 2).RotateSecret(next, time.Hour, testNow)
	require.NoError(t, err)
	assert.Equal(t, []string{"s1", "s2", "s3"}, verifies(rotated, testNow.Add(time.Hour-1)))
	assert.Equal(t, []string{"s3"}, verifies(rotated, testNow.Add(time.Hour)))
	assert.Equal(t, next.LastFour, rotated.SecretLastFour(testNow))
	assert.Equal(t, SecretRetiring, rotated.Secrets()[0].Status(testNow))
	assert.Equal(t, SecretActive, rotated.Secrets()[2].Status(testNow))

	again, _ := secretOf(4, testNow)
	rotated, err = rotated.RotateSecret(again, 2*time.Hour, testNow)
	require.NoError(t, err)
	assert.Equal(t, []string{"s2", "s3", "s4"}, verifies(rotated, testNow), "the oldest of three retiring secrets is revoked")
	assert.Equal(t, []string{"s3", "s4"}, verifies(rotated, testNow.Add(time.Hour)), "a second rotation does not prolong a retiring secret")

	atOnce, err := clientWithSecrets(t, 2).RotateSecret(next, 0, testNow)
	require.NoError(t, err)
	assert.Equal(t, []string{"s3"}, verifies(atOnce, testNow))
	assert.Len(t, atOnce.Secrets(), 1)

	long, err := clientWithSecrets(t, 1).RotateSecret(next, 2*MaxGrace, testNow)
	require.NoError(t, err)
	assert.Equal(t, []string{"s3"}, verifies(long, testNow.Add(MaxGrace)), "the grace period is at most MaxGrace")

	short := clientWithSecrets(t, 1)
	short.state.Secrets[0].ExpiresAt = testNow.Add(time.Minute)
	short, err = short.RotateSecret(next, time.Hour, testNow)
	require.NoError(t, err)
	assert.Equal(t, []string{"s3"}, verifies(short, testNow.Add(time.Minute)), "the grace period does not prolong the expiry of a secret")
}

func TestDeletingSecrets(t *testing.T) {
	client := clientWithSecrets(t, 2)
	_, err := client.DeleteSecret("s9", testNow)
	require.ErrorIs(t, err, ErrNoSuchSecret)
	left, err := client.DeleteSecret("s1", testNow)
	require.NoError(t, err)
	assert.Equal(t, []string{"s2"}, verifies(left, testNow))
	assert.Equal(t, []string{"s1", "s2"}, verifies(client, testNow), "the previous client is unchanged")
	_, err = left.DeleteSecret("s2", testNow)
	require.ErrorIs(t, err, ErrLastSecret)

	next, _ := secretOf(3, testNow)
	rotated, err := left.RotateSecret(next, time.Hour, testNow)
	require.NoError(t, err)
	rotated, err = rotated.DeleteSecret("s2", testNow)
	require.NoError(t, err, "a retiring secret can be deleted")
	_, err = rotated.DeleteSecret("s3", testNow)
	require.ErrorIs(t, err, ErrLastSecret)
}

func TestClientsThatUseNoSecretHaveNone(t *testing.T) {
	public := stored(func(s *Settings) { s.Confidential, s.AuthMethods = false, []AuthMethod{AuthNone} })
	secret, _ := secretOf(1, testNow)
	_, err := public.IssueSecret(secret, testNow)
	require.ErrorIs(t, err, ErrNoSecretUse)
	_, err = public.RotateSecret(secret, 0, testNow)
	require.ErrorIs(t, err, ErrNoSecretUse)

	keyed, findings := reviseClient(testBook(t, Policy{}), clientWithSecrets(t, 2), ChangeOf(Settings{
		AuthMethods: []AuthMethod{AuthPrivateKeyJWT}, Keys: KeysAt("https://a.example/jwks"),
	}, FieldJWKS), KeysUnexamined(), testNow)
	require.False(t, findings.HasViolations(), "%v", findings)
	assert.Empty(t, keyed.Secrets(), "removing the method revokes the secrets")
}

func TestSecretsUnderAnySequenceOfChanges(t *testing.T) {
	base := clientWithSecrets(t, 1)
	rapid.Check(t, func(t *rapid.T) {
		client, now := base, testNow
		for n := range byte(rapid.IntRange(1, 12).Draw(t, "steps")) {
			now = now.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "minutes")) * time.Minute)
			secret, _ := NewSecret(fmt.Sprintf("n%d", n), [SecretEntropy]byte{n}, testPepper, now)
			before := client.State()
			var after Client
			var err error
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				after, err = client.IssueSecret(secret, now)
			case 1:
				after, err = client.RotateSecret(secret, time.Duration(rapid.IntRange(0, 2).Draw(t, "grace"))*time.Hour, now)
			default:
				i := rapid.IntRange(0, len(before.Secrets)-1).Draw(t, "which")
				after, err = client.DeleteSecret(before.Secrets[i].ID, now)
			}
			require.Equal(t, before, client.State(), "the previous client is unchanged")
			if err != nil {
				require.Equal(t, before, after.State())
				continue
			}
			require.Equal(t, client.Revision()+1, after.Revision())
			client = after
			active := countActive(client.Secrets(), now)
			require.GreaterOrEqual(t, active, 1, "a client always has an active secret")
			require.LessOrEqual(t, active, MaxActiveSecrets)
			require.LessOrEqual(t, len(client.Secrets()), MaxActiveSecrets+maxRetiringSecrets+2)
		}
	})
}
