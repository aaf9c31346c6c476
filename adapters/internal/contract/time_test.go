package contract_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
)

func TestParseTimeFollowsRFC3339(t *testing.T) {
	for text, want := range map[string]string{
		"1985-04-12T23:20:50.52Z":              "1985-04-12T23:20:50.52Z", // RFC 3339 §5.8
		"1996-12-19T16:39:57-08:00":            "1996-12-20T00:39:57Z",    // §5.8
		"1990-12-31T23:59:60Z":                 "1991-01-01T00:00:00Z",    // §5.8: a leap second
		"1990-12-31T15:59:60-08:00":            "1991-01-01T00:00:00Z",    // §5.8: the same one
		"1990-12-31T23:59:60.5Z":               "1991-01-01T00:00:00Z",    // within it
		"1937-01-01T12:00:27.87+00:20":         "1937-01-01T11:40:27.87Z", // §5.8
		"2026-04-15t10:30:00z":                 "2026-04-15T10:30:00Z",    // §5.6: lower case
		"2026-04-15T10:30:00-00:00":            "2026-04-15T10:30:00Z",    // §4.3
		"2024-02-29T00:00:00Z":                 "2024-02-29T00:00:00Z",    // §5.7
		"2026-04-15T10:30:00.1234567891Z":      "2026-04-15T10:30:00.123456789Z",
		"0000-01-01T00:00:00Z":                 "0000-01-01T00:00:00Z",
		"9999-12-31T23:59:59+23:59":            "9999-12-31T00:00:59Z",
		"2026-04-15T10:30:00.000000000000001z": "2026-04-15T10:30:00Z",
	} {
		at, err := contract.ParseTime(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, at.Format(time.RFC3339Nano), text)
	}
	for text, want := range map[string]string{
		"": "as in", "2026-04-15": "as in", "2026-04-15 10:30:00Z": "as in", "2026-04-15T10:30Z": "as in", "2026-04-15T10:30:00": "as in",
		"2026-04-15T10:30:00,5Z": "as in", "2026-04-15T10:30:00.Z": "as in", "2026-04-15T1:30:00Z": "as in", "2026-4-15T10:30:00Z": "as in",
		"2026-04-15T10:30:00+01": "as in", "2026-04-15T10:30:00+0100": "as in", "2026-04-15T10:30:00+24:00": "as in",
		"2026-04-15T10:30:00+01:60": "as in", "2026-04-15T10:30:00Zx": "as in", "+2026-04-15T10:30:00Z": "as in", "20260415T103000Z": "as in",
		"99999-01-01T00:00:00Z": "as in", "２０２６-04-15T10:30:00Z": "as in", "now": "as in",
		"2026-02-29T00:00:00Z": "exists", "2026-13-01T00:00:00Z": "exists", "2026-00-01T00:00:00Z": "exists", "2026-01-00T00:00:00Z": "exists",
		"2026-01-01T24:00:00Z": "exists", "2026-01-01T00:60:00Z": "exists", "2026-01-01T00:00:61Z": "exists",
		"2026-04-15T10:30:60Z": "exists", "2026-04-15T23:59:60Z": "exists", "1990-12-31T23:59:60+01:00": "exists",
		"9999-12-31T23:59:59-23:59": "years", "9999-12-31T23:59:60Z": "years", "0000-01-01T00:00:00+00:01": "years",
	} {
		_, err := contract.ParseTime(text)
		require.ErrorContains(t, err, want, text)
	}
}

// Every time that can be formatted can be parsed, and is the same instant.
func TestParseTimeReadsEveryFormattedTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(-62167219200+86400, 253402300799-86400).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds"))
		zone := time.FixedZone("", 60*rapid.IntRange(-1439, 1439).Draw(t, "minutes"))
		got, err := contract.ParseTime(at.In(zone).Format(time.RFC3339Nano))
		require.NoError(t, err)
		require.True(t, at.Equal(got), "%s is read as %s", at, got)
	})
}
