package domain

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// statuses returns the statuses of the client's secrets.
func statuses(c Client, at time.Time) []SecretStatus {
	var list []SecretStatus
	for _, s := range c.Secrets() {
		list = append(list, s.Status(at))
	}
	return list
}

func TestTheEndOfASecretIsRecordedOnce(t *testing.T) {
	const grace = time.Hour
	client := clientWithSecrets(t, 1)
	assert.Zero(t, client.NextSecretEnd(time.Time{}), "a secret that does not expire")
	second, _ := secretOf(2, testNow)
	client, err := client.RotateSecret(second, grace, testNow)
	require.NoError(t, err)
	third, _ := secretOf(3, testNow)
	third, err = third.WithExpiry(testNow.Add(2*grace), testNow)
	require.NoError(t, err)
	client, err = client.IssueSecret(third, testNow)
	require.NoError(t, err)

	end := testNow.Add(grace)
	assert.Equal(t, end, client.NextSecretEnd(time.Time{}), "the end of the grace period")
	_, _, err = client.EndSecrets(end.Add(-time.Microsecond))
	require.ErrorIs(t, err, ErrNoSecretEnded, "before the end")

	ended, n, err := client.EndSecrets(end)
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	assert.Equal(t, client.Revision()+1, ended.Revision())
	assert.Equal(t, end, ended.UpdatedAt())
	assert.Equal(t, []SecretStatus{SecretExpired, SecretActive, SecretActive}, statuses(ended, end), "the secret stays, as expired")
	assert.Equal(t, []time.Time{end, testNow, testNow}, []time.Time{ended.Secrets()[0].UpdatedAt, ended.Secrets()[1].UpdatedAt, ended.Secrets()[2].UpdatedAt})
	assert.Equal(t, testNow, client.Secrets()[0].UpdatedAt, "the client before is not changed")
	_, _, err = ended.EndSecrets(end.Add(time.Minute))
	require.ErrorIs(t, err, ErrNoSecretEnded, "the end is recorded")

	assert.Equal(t, testNow.Add(2*grace), ended.NextSecretEnd(time.Time{}), "the expiry time")
	ended, n, err = ended.EndSecrets(testNow.Add(3 * grace))
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	assert.Zero(t, ended.NextSecretEnd(time.Time{}))
	assert.Equal(t, []string{"s2"}, verifies(ended, testNow.Add(3*grace)))
}

func TestSecretsThatEndTogetherMakeOneRevision(t *testing.T) {
	client := clientWithSecrets(t, 2)
	third, _ := secretOf(3, testNow)
	client, err := client.RotateSecret(third, time.Hour, testNow)
	require.NoError(t, err)
	ended, n, err := client.EndSecrets(testNow.Add(time.Hour))
	require.NoError(t, err)
	assert.Equal(t, 2, n)
	assert.Equal(t, client.Revision()+1, ended.Revision())
	assert.Zero(t, ended.NextSecretEnd(time.Time{}))
}

func TestWhichClientsHaveNoSecretEnd(t *testing.T) {
	ending := func(change func(*State)) Client {
		client := clientWithSecrets(t, 1)
		second, _ := secretOf(2, testNow)
		client, err := client.RotateSecret(second, time.Hour, testNow)
		require.NoError(t, err)
		state := client.State()
		change(&state)
		return Restore(state)
	}
	end := testNow.Add(time.Hour)
	for name, tt := range map[string]struct {
		change func(*State)
		err    error
	}{
		"deleted":            {func(s *State) { s.DeletedAt = testNow }, ErrDeleted},
		"unreadable secrets": {func(s *State) { s.Secrets, s.SecretsUnreadable = nil, true }, ErrSecretsUnreadable},
		"no secrets":         {func(s *State) { s.Secrets = nil }, ErrNoSecretEnded},
		"suspended":          {func(s *State) { s.Settings.Status = StatusSuspended }, nil},
	} {
		_, _, err := ending(tt.change).EndSecrets(end)
		require.ErrorIs(t, err, tt.err, name)
	}

	client := ending(func(*State) {})
	assert.Zero(t, client.NextSecretEnd(end), "since the end")
	assert.Equal(t, end, client.NextSecretEnd(end.Add(-time.Microsecond)))
	for after, want := range map[time.Duration]time.Time{StaleSecretEnd - 1: end, StaleSecretEnd: {}} {
		client := ending(func(s *State) { s.UpdatedAt = end.Add(after) })
		assert.Equal(t, want, client.NextSecretEnd(time.Time{}), "a revision %s after the end", after)
	}
}

func TestActionsAreComplete(t *testing.T) {
	seen := map[Action]bool{}
	for _, action := range Actions() {
		assert.False(t, seen[action], "%s is listed twice", action)
		seen[action] = true
	}
	assert.True(t, seen[ActionExpireSecret])
	assert.Len(t, seen, 16)
}
