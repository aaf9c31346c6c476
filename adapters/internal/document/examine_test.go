package document_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/internal/document"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// firstReleaseSecrets is what the first release stored for the expiry time
// 9999-12-31T23:59:59-05:00.
const firstReleaseSecrets = `[{"id":"s1","description":"\"expires_at\":\"10000-01-01T00:00:00Z\"","hash":"AQID","last_four":"cdef",` +
	`"created_at":"2026-04-15T10:30:00Z","later":{"a":[1]}},` +
	`{"id":"s2","hash":"BAUG","last_four":"0123","created_at":"2026-04-15T10:30:00Z","expires_at":"10000-01-01T04:59:59Z"}]`

func row(t *testing.T) document.Row {
	t.Helper()
	doc, _, err := document.Encode(domain.Restore(full()))
	require.NoError(t, err)
	return document.Row{TenantID: "tenant", ClientID: "client", Revision: 7, Document: doc, Secrets: []byte(firstReleaseSecrets)}
}

func noTwin() ([]byte, error) { return nil, nil }

func TestAYearAfter9999IsRepaired(t *testing.T) {
	r := row(t)
	client, err := r.Decode()
	require.NoError(t, err)
	assert.True(t, client.SecretsUnreadable())

	faults, err := r.Examine(application.PartDocument, noTwin)
	require.NoError(t, err)
	require.Len(t, faults, 1)
	assert.Equal(t, application.PartSecrets, faults[0].Part)
	assert.Equal(t, domain.TenantID("tenant"), faults[0].TenantID)
	assert.Equal(t, domain.ClientID("client"), faults[0].ClientID)
	assert.Equal(t, domain.RevisionNumber(7), faults[0].Revision)
	assert.NotEmpty(t, faults[0].Remedy)
	assert.JSONEq(t, firstReleaseSecrets, string(faults[0].Stored))

	r.Secrets = faults[0].Mended
	client, err = r.Decode()
	require.NoError(t, err)
	require.Len(t, client.Secrets(), 2)
	assert.Equal(t, `"expires_at":"10000-01-01T00:00:00Z"`, client.Secrets()[0].Description, "text that only looks like a time is unchanged")
	assert.Zero(t, client.Secrets()[0].ExpiresAt)
	assert.Equal(t, time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), client.Secrets()[1].ExpiresAt)
	assert.Contains(t, string(faults[0].Mended), `"later":{"a":[1]}`)
	faults, err = r.Examine(application.PartDocument, noTwin)
	require.NoError(t, err)
	assert.Empty(t, faults)
}

func TestADamagedDocumentIsReplacedWithItsCopy(t *testing.T) {
	r := row(t)
	r.Secrets = nil
	whole := r.Document
	other := []byte(`{"tenant_id":"tenant","client_id":"client","revision":6}`)
	for name, damaged := range map[string][]byte{"truncated": whole[:20], "of another revision": other, "empty": []byte(`{}`)} {
		r.Document = damaged
		faults, err := r.Examine(application.PartDocument, func() ([]byte, error) { return whole, nil })
		require.NoError(t, err)
		require.Len(t, faults, 1, name)
		assert.Equal(t, whole, faults[0].Mended, name)

		for _, useless := range [][]byte{nil, damaged} {
			faults, err = r.Examine(application.PartDocument, func() ([]byte, error) { return useless, nil })
			require.NoError(t, err)
			require.Len(t, faults, 1, name)
			assert.Empty(t, faults[0].Remedy, name)
			assert.Nil(t, faults[0].Mended, name)
		}
	}
	lost := errors.New("the database is unavailable")
	_, err := r.Examine(application.PartDocument, func() ([]byte, error) { return nil, lost })
	require.ErrorIs(t, err, lost)
}
