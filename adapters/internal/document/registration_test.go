package document_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/internal/document"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

func fullRegistration() *domain.Registration {
	at := time.Date(2026, 4, 15, 10, 30, 0, 123456000, time.UTC)
	return &domain.Registration{
		Via: domain.ViaInitialToken, TokenID: "token", IssuedBy: "alice", MadeUpName: true,
		Policy: domain.RegistrationPolicy{Scopes: []domain.Scope{"openid"}, Grants: []domain.GrantType{}, SecretTTL: time.Hour, Labels: map[string]string{"a": "b"}, Owner: "o"},
		Locks:  domain.FieldsOf(domain.FieldName, domain.FieldScopes),
		Statement: &domain.Statement{
			Issuer: "https://directory.example", SoftwareID: "software", Text: "a.b.c", ID: &[32]byte{1}, ExpiresAt: at, UniqueSoftware: true,
			Fixed:   domain.ChangeOf(domain.Settings{Name: "name", Keys: domain.KeysAt("https://a.example/jwks")}, domain.FieldWebsite),
			Ceiling: domain.ChangeOf(domain.Settings{}, domain.FieldRedirectURIs),
		},
		AccessToken: &domain.RegistrationToken{
			Hash: []byte{1, 2}, KeyID: "k", CreatedAt: at, Previous: &domain.PreviousToken{Hash: []byte{3}, KeyID: "l", ExpiresAt: at.Add(time.Minute)},
		},
		Document: &domain.ApprovedDocument{
			Digest: "sha-256:0", ApprovedAt: at, FetchedAt: at, Changes: domain.DocumentChanges{"jwks": at},
			Pending: &domain.PendingDocument{Digest: "sha-256:1", SeenAt: at.Add(time.Hour), Changed: []string{"logo_uri"}},
		},
	}
}

func encodeRegistration(t *testing.T, r *domain.Registration) string {
	t.Helper()
	state := full()
	state.Registration = r
	text, err := document.EncodeRegistration(domain.Restore(state))
	require.NoError(t, err)
	return string(text)
}

// What is stored stays as it is: later versions must be able to read it.
func TestTheStoredFormOfARegistration(t *testing.T) {
	assert.JSONEq(t, `{
		"via": "initial_access_token", "token_id": "token", "issued_by": "alice", "made_up_name": true,
		"policy": {"grants": [], "scopes": ["openid"], "labels": {"a": "b"}, "owner": "o", "secret_ttl": 3600},
		"locks": ["name", "scopes"],
		"statement": {
			"issuer": "https://directory.example", "software_id": "software", "text": "a.b.c", "unique_software": true,
			"id": "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "expires_at": "2026-04-15T10:30:00.123456Z",
			"fixed": {"values": {"name": "name", "jwks_uri": "https://a.example/jwks"}, "empty": ["website"]},
			"ceiling": {"empty": ["redirect_uris"]}
		},
		"access_token": {
			"hash": "AQI=", "key_id": "k", "created_at": "2026-04-15T10:30:00.123456Z",
			"previous": {"hash": "Aw==", "key_id": "l", "expires_at": "2026-04-15T10:31:00.123456Z"}
		},
		"document": {
			"digest": "sha-256:0", "approved_at": "2026-04-15T10:30:00.123456Z", "fetched_at": "2026-04-15T10:30:00.123456Z",
			"changes": {"jwks": "2026-04-15T10:30:00.123456Z"},
			"pending": {"digest": "sha-256:1", "seen_at": "2026-04-15T11:30:00.123456Z", "changed": ["logo_uri"]}
		}
	}`, encodeRegistration(t, fullRegistration()))
	assert.JSONEq(t, `{"via": "open", "policy": {}}`, encodeRegistration(t, &domain.Registration{Via: domain.ViaOpen}))
	assert.Empty(t, encodeRegistration(t, nil))
}

func decodeRegistration(t *testing.T, text string) (*domain.Registration, error) {
	t.Helper()
	r := row(t)
	r.Registration = []byte(text)
	client, err := r.Decode()
	return client.Registration(), err
}

func TestMembersOfLaterVersionsAreIgnored(t *testing.T) {
	r, err := decodeRegistration(t, `{
		"via": "later", "later": [1], "policy": {"later": {}, "scopes": ["a"]}, "locks": ["later", "name"],
		"statement": {"later": 1, "fixed": {"values": {"later": [{}], "name": "n"}, "empty": ["later"], "later": 2}},
		"access_token": {"later": 1, "hash": "AQ=="}, "document": {"pending": {"later": 1}}}`)
	require.NoError(t, err)
	assert.Equal(t, &domain.Registration{
		Via: "later", Policy: domain.RegistrationPolicy{Scopes: []domain.Scope{"a"}}, Locks: domain.FieldsOf(domain.FieldName),
		Statement:   &domain.Statement{Fixed: domain.ChangeOf(domain.Settings{Name: "n"})},
		AccessToken: &domain.RegistrationToken{Hash: []byte{1}}, Document: &domain.ApprovedDocument{Pending: &domain.PendingDocument{}},
	}, r)
}

func TestARegistrationThatCannotBeDecoded(t *testing.T) {
	for _, text := range []string{
		``, `{`, `[]`, `"canary"`, `{"via": 5}`, `{"locks": "canary"}`, `{"policy": {"scopes": "canary"}}`, `{"policy": 5}`,
		`{"statement": {"id": "AQ=="}}`, `{"statement": {"id": "canary"}}`, `{"statement": {"fixed": {"values": {"name": 5}}}}`,
		`{"statement": {"ceiling": {"values": []}}}`, `{"access_token": {"hash": "canary!"}}`, `{"access_token": {"created_at": "canary"}}`,
		`{"access_token": {"previous": {"expires_at": "10000-01-01T00:00:00Z"}}}`, `{"document": {"pending": 5}}`,
	} {
		_, err := decodeRegistration(t, text)
		require.ErrorIs(t, err, application.ErrUnreadable, text)
		var unreadable *application.UnreadableError
		require.ErrorAs(t, err, &unreadable, text)
		assert.Equal(t, application.PartRegistration, unreadable.Part, text)
		assert.NotContains(t, err.Error(), "canary", "it may be a secret")

		r := row(t)
		r.Registration = []byte(text)
		faults, err := r.Examine(application.PartDocument, noTwin)
		require.NoError(t, err)
		require.NotEmpty(t, faults, text)
		assert.Equal(t, application.PartRegistration, faults[0].Part, text)
		assert.Empty(t, faults[0].Remedy, text)
	}
}

func TestWhatStoresDeriveFromARegistration(t *testing.T) {
	derived := func(r *domain.Registration) (as document.Registered) {
		state := full()
		state.Registration = r
		client := domain.Restore(state)
		as = document.RegisteredAs(&client)
		if text := document.RegisteredOf(&client); text != nil {
			var again document.Registered
			require.NoError(t, json.Unmarshal(text, &again))
			assert.Equal(t, as, again)
		} else {
			assert.Zero(t, as)
		}
		return as
	}
	const at = "2026-04-15T10:30:00.123456Z"
	assert.Zero(t, derived(nil))
	assert.Zero(t, derived(&domain.Registration{Via: domain.ViaAdmin, TokenID: "t", AccessToken: &domain.RegistrationToken{}}))
	assert.Zero(t, derived(&domain.Registration{Via: domain.ViaDocument, Document: &domain.ApprovedDocument{}}))
	assert.Equal(t, document.Registered{Self: true, At: at}, derived(&domain.Registration{Via: domain.ViaOpen}))
	assert.Equal(t, document.Registered{Self: true, Token: "t", At: at}, derived(&domain.Registration{Via: domain.ViaInitialToken, TokenID: "t"}))
	assert.Equal(t, document.Registered{Pending: true, At: at},
		derived(&domain.Registration{Via: domain.ViaDocument, Document: &domain.ApprovedDocument{Pending: &domain.PendingDocument{}}}))

	software := func(issuer, id string) string {
		as := derived(&domain.Registration{Via: domain.ViaStatement, Statement: &domain.Statement{Issuer: issuer, SoftwareID: id}})
		assert.Len(t, as.Software, 64)
		return as.Software
	}
	key := software("a", "b")
	assert.Equal(t, key, software("a", "b"))
	for _, other := range [][2]string{{"a", "c"}, {"b", "b"}, {"ab", ""}, {"", "ab"}} {
		assert.NotEqual(t, key, software(other[0], other[1]))
	}
}
