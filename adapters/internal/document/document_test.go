package document_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/internal/document"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// full returns a client with a different value in every field, so that tests detect
// fields that are exchanged.
func full() domain.State {
	at := time.Date(2026, 4, 15, 10, 30, 0, 123456000, time.UTC)
	return domain.State{
		Identity: domain.Identity{ID: "id", TenantID: "tenant", ClientID: "client"},
		Settings: domain.Settings{
			Name:          "name",
			Status:        domain.StatusSuspended,
			Confidential:  true,
			RedirectURIs:  []domain.RedirectURI{"https://a.example/cb", "https://b.example/cb"},
			GrantTypes:    []domain.GrantType{domain.GrantAuthorizationCode},
			Scopes:        []domain.Scope{"openid"},
			AuthMethods:   []domain.AuthMethod{domain.AuthTLS},
			Profile:       domain.ProfileFAPI2,
			Keys:          domain.InlineKeys(`{"keys":[]}`),
			TLSSubject:    domain.TLSSubject{DN: "dn", SANDNS: "dns", SANURI: "uri", SANIP: "ip", SANEmail: "email"},
			LogoURL:       "https://a.example/logo",
			Website:       "https://a.example/",
			PrivacyPolicy: "https://a.example/privacy",
			TermsURL:      "https://a.example/terms",
			CORSOrigins:   []domain.Origin{"https://a.example"},

			ResponseTypes:             []domain.ResponseType{"code", "code id_token"},
			ResponseModes:             []domain.ResponseMode{"query"},
			AuthorizationDetailsTypes: []string{"payment"},
			Resources:                 []string{"https://api.example"},
			ApplicationType:           domain.ApplicationWeb,
			Contacts:                  []string{"a@a.example"},
			Description:               "description",
			SoftwareID:                "software",
			SoftwareVersion:           "1.0",
			Owner:                     "owner",
			Labels:                    map[string]string{"a.example/x": "1", "a.example/y": ""},
			SubjectType:               domain.SubjectPairwise,
			SectorIdentifierURI:       "https://a.example/sector",
			IDToken:                   domain.Algorithms{Signing: "a", KeyManagement: "b", Content: "c"},
			UserInfo:                  domain.Algorithms{Signing: "d", KeyManagement: "e", Content: "f"},
			Introspection:             domain.Algorithms{Signing: "g", KeyManagement: "h", Content: "i"},
			Authorization:             domain.Algorithms{Signing: "j", KeyManagement: "k", Content: "l"},
			RequestObject:             domain.Algorithms{Signing: "m", KeyManagement: "n", Content: "o"},
			AuthSigningAlg:            "p",
			DefaultMaxAge:             domain.MaxAgeOf(0),
			RequireAuthTime:           true,
			DefaultACRValues:          []string{"1", "2"},
			InitiateLoginURI:          "https://a.example/login",
			RequestURIs:               []domain.RequestURI{"https://a.example/request"},
			PostLogoutRedirectURIs:    []domain.RedirectURI{"https://a.example/bye"},
			BackchannelLogout:         domain.Logout{URI: "https://a.example/back", SessionRequired: true},
			FrontchannelLogout:        domain.Logout{URI: "https://a.example/front", SessionRequired: true},
			CIBA: domain.CIBA{
				DeliveryMode: domain.DeliveryPing, NotificationEndpoint: "https://a.example/ciba", RequestSigningAlg: "q", UserCode: true,
			},
			RequireSignedRequestObject: true,
			RequirePAR:                 true,
			RequirePKCE:                true,
			DPoPBound:                  true,
			CertificateBound:           true,
			UseMTLSAliases:             true,
			RefreshTokenRotation:       domain.RefreshReuse,
			AccessTokenLifetime:        600,
			IDTokenLifetime:            601,
			RefreshTokenLifetime:       602,
			SkipConsent:                true,
		},
		Secrets: []domain.Secret{{
			ID: "s", Description: "d", Hash: []byte{1, 2}, KeyID: "k", LastFour: "abcd",
			CreatedAt: at, UpdatedAt: at.Add(1), ExpiresAt: at.Add(2), Retiring: true,
		}},
		DeletedAt: at.Add(3),
		PurgedAt:  at.Add(4),
		Revision:  7,
		CreatedAt: at,
		UpdatedAt: at.Add(time.Hour),
	}
}

func TestDecodeReturnsEveryEncodedField(t *testing.T) {
	state := full()
	settings := reflect.ValueOf(state.Settings)
	for i := range settings.NumField() {
		require.False(t, settings.Field(i).IsZero(), "the test client needs a value for %s", settings.Type().Field(i).Name)
	}

	doc, secrets, err := document.Encode(domain.Restore(state))
	require.NoError(t, err)
	back, err := document.Decode(doc, secrets)
	require.NoError(t, err)
	assert.Equal(t, state, back.State())

	state.Settings.Keys = domain.KeysAt("https://a.example/jwks")
	doc, secrets, err = document.Encode(domain.Restore(state))
	require.NoError(t, err)
	back, err = document.Decode(doc, secrets)
	require.NoError(t, err)
	assert.Equal(t, state.Settings.Keys, back.Settings().Keys)
}

func TestADocumentContainsNoSecret(t *testing.T) {
	doc, _, err := document.Encode(domain.Restore(full()))
	require.NoError(t, err)
	back, err := document.Decode(doc, nil)
	require.NoError(t, err)
	assert.Empty(t, back.State().Secrets)
	assert.NotContains(t, string(doc), "abcd")
}

func TestADamagedDocumentIsAnError(t *testing.T) {
	_, err := document.Decode([]byte(`{"id":`), nil)
	require.ErrorIs(t, err, application.ErrUnreadable)
	client, err := document.Decode([]byte(`{}`), []byte(`{`))
	require.NoError(t, err, "the rest of a client with damaged secrets is readable")
	assert.True(t, client.SecretsUnreadable())
}

// Decode returns a client or an error for any input, and reads the same values as
// encoding/json.
func FuzzDecode(f *testing.F) {
	doc, secrets, err := document.Encode(domain.Restore(full()))
	require.NoError(f, err)
	f.Add(string(doc), string(secrets))
	f.Add(`{"id": "\u0041\n", "name" : "A\ud83d\ude00", "scopes":[ ], "later": {"x": [1, null]}}`, `[]`)
	f.Add(`{"name": "a", "name": "b"}`, `[{"hash": "AQI="}, {}]`)
	f.Add(`{"created_at": "yesterday"}`, `null`)
	f.Add("{\"name\": \"\x00\"}", `[{]`)
	f.Fuzz(func(t *testing.T, doc, secrets string) {
		client, err := document.Decode([]byte(doc), []byte(secrets))
		if err != nil {
			require.ErrorIs(t, err, application.ErrUnreadable)
			return
		}
		var plain struct {
			Name         string               `json:"name"`
			RedirectURIs []domain.RedirectURI `json:"redirect_uris"`
		}
		if !utf8.ValidString(doc) || json.Unmarshal([]byte(doc), &plain) != nil || strings.Count(strings.ToLower(doc), "name")+strings.Count(doc, "\\") > 1 {
			return // parsers may differ
		}
		assert.Equal(t, plain.Name, client.Settings().Name)
		assert.Len(t, client.Settings().RedirectURIs, len(plain.RedirectURIs))
	})
}

func BenchmarkDecode(b *testing.B) {
	state := full()
	state.Settings.TLSSubject = domain.TLSSubject{}
	doc, secrets, err := document.Encode(domain.Restore(state))
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := document.Decode(doc, secrets); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	client := domain.Restore(full())
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := document.Encode(client); err != nil {
			b.Fatal(err)
		}
	}
}
