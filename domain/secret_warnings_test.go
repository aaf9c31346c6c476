package domain

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWarningsAboutSecrets(t *testing.T) {
	with := func(change func(*State)) Client {
		state := clientWithSecrets(t, 1).State()
		change(&state)
		return Restore(state)
	}
	expired := func(s *State) { s.Secrets[0].ExpiresAt = testNow }
	tests := []struct {
		name   string
		client Client
		want   string // "" means no warning
		four   bool   // whether the last four characters are shown
	}{
		{"a secret that verifies", clientWithSecrets(t, 1), "", true},
		{"a retiring secret that verifies", with(func(s *State) {
			s.Secrets[0].Retiring, s.Secrets[0].ExpiresAt = true, testNow.Add(time.Second)
		}), "", true},
		{"an expired secret only", with(expired), WarnNoLiveSecret, false},
		{"no secret", clientWithSecrets(t, 0), WarnNoLiveSecret, false},
		{"unreadable secrets", with(func(s *State) { s.Secrets, s.SecretsUnreadable = nil, true }), WarnSecretsUnreadable, false},
		{"suspended", with(func(s *State) { expired(s); s.Settings.Status = StatusSuspended }), "", false},
		{"deleted", with(func(s *State) { expired(s); s.DeletedAt = testNow }), "", false},
		{"public", with(func(s *State) { expired(s); s.Settings.Confidential = false }), "", false},
		{"no method that uses a secret", with(func(s *State) { expired(s); s.Settings.AuthMethods = []AuthMethod{AuthPrivateKeyJWT} }), "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			found := tt.client.SecretWarnings(testNow)
			assert.False(t, found.HasViolations())
			if tt.want == "" {
				assert.Empty(t, found)
			} else {
				require.Len(t, found, 1)
				assert.Equal(t, tt.want, found[0].Rule)
				assert.Equal(t, "/client_auth_methods", found[0].Pointer)
			}
			assert.Equal(t, tt.four, tt.client.SecretLastFour(testNow) != "")
		})
	}
}

func TestTheLastFourCharactersAreThoseOfTheNewestLiveSecret(t *testing.T) {
	client := clientWithSecrets(t, 1)
	second, _ := secretOf(2, testNow)
	second.ExpiresAt = testNow.Add(time.Hour)
	client, err := client.IssueSecret(second, testNow)
	require.NoError(t, err)
	assert.Equal(t, second.LastFour, client.SecretLastFour(testNow))
	assert.Equal(t, client.Secrets()[0].LastFour, client.SecretLastFour(testNow.Add(time.Hour)))
}

func TestUnreadableSecretsCannotBeChanged(t *testing.T) {
	state := clientWithSecrets(t, 0).State()
	state.SecretsUnreadable = true
	client := Restore(state)
	next, _ := secretOf(1, testNow)
	_, err := client.IssueSecret(next, testNow)
	require.ErrorIs(t, err, ErrSecretsUnreadable)
	_, err = client.RotateSecret(next, time.Hour, testNow)
	require.ErrorIs(t, err, ErrSecretsUnreadable)
	_, err = client.DeleteSecret("s1", testNow)
	require.ErrorIs(t, err, ErrSecretsUnreadable)

	book := testBook(t, Policy{})
	suspended, findings := reviseClient(book, client, ChangeOf(Settings{Status: StatusSuspended}), KeysUnexamined(), testNow)
	require.False(t, findings.HasViolations())
	assert.True(t, suspended.SecretsUnreadable(), "the store must keep them")
	assert.True(t, must(client.Delete(testNow)).SecretsUnreadable())
	assert.False(t, must(must(client.Delete(testNow)).Purge(testNow)).SecretsUnreadable(), "a purge removes them")
	public, findings := reviseClient(book, client, ChangeOf(Settings{AuthMethods: []AuthMethod{AuthNone}}, FieldConfidential), KeysUnexamined(), testNow)
	require.False(t, findings.HasViolations(), "%v", findings)
	assert.False(t, public.SecretsUnreadable(), "secrets that no method uses are revoked")
}
