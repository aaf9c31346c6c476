package domain

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestExpiryOfANewSecret(t *testing.T) {
	parse := func(text string) time.Time {
		at, err := time.Parse(time.RFC3339, text)
		require.NoError(t, err)
		return at
	}
	far := testNow.AddDate(MaxSecretYears, 0, 0)
	tests := []struct {
		name string
		at   time.Time
		want error
	}{
		{"year 10000 in UTC", parse("9999-12-31T23:59:59-05:00"), ErrSecretExpiryRange},
		{"the zero time", parse("0001-01-01T00:00:00Z"), ErrSecretExpiryRange},
		{"the zero time in another zone", parse("0001-01-01T05:00:00+05:00"), ErrSecretExpiryRange},
		{"year 0", parse("0000-06-01T00:00:00Z"), ErrSecretExpiryRange},
		{"year -1 in UTC", parse("0000-01-01T00:00:00+01:00"), ErrSecretExpiryRange},
		{"the last second that RFC 3339 can represent", parse("9999-12-31T23:59:59Z"), ErrSecretExpiryTooFar},
		{"the first year", parse("0001-01-01T00:00:01Z"), ErrSecretExpired},
		{"now", testNow, ErrSecretExpired},
		{"less than a microsecond from now", testNow.Add(999), ErrSecretExpired},
		{"one second from now", testNow.Add(time.Second), nil},
		{"ten years from now", far, nil},
		{"one second more than ten years from now", far.Add(time.Second), ErrSecretExpiryTooFar},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			secret, _ := secretOf(1, testNow)
			secret, err := secret.WithExpiry(tt.at, testNow)
			require.ErrorIs(t, err, tt.want)
			if tt.want == nil {
				assert.Equal(t, tt.at.UTC(), secret.ExpiresAt)
			}
		})
	}
}

func TestASecretIsIssuedOnlyWithAValidExpiry(t *testing.T) {
	secret, _ := secretOf(1, testNow)
	secret.ExpiresAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	_, err := clientWithSecrets(t, 0).IssueSecret(secret, testNow)
	require.ErrorIs(t, err, ErrSecretExpiryRange)
	secret.ExpiresAt = testNow.AddDate(MaxSecretYears, 0, 1)
	_, err = clientWithSecrets(t, 0).IssueSecret(secret, testNow)
	require.ErrorIs(t, err, ErrSecretExpiryTooFar)
}
