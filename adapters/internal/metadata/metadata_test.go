package metadata_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/adapters/internal/metadata"
	"github.com/clientele-oauth/clientele/domain"
)

// document returns the document of a client with these settings.
func document(t *testing.T, s domain.Settings, effective bool) string {
	t.Helper()
	at := time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)
	client := domain.Restore(domain.State{
		Identity: domain.Identity{TenantID: "t", ClientID: "app"}, Settings: s, Revision: 7, CreatedAt: at, UpdatedAt: at,
	})
	var w jsonobject.Writer
	w.Object("", func() { metadata.Write(&w, &client, effective) })
	return string(w)
}

// The beginning and the end of every document.
const (
	before = `{"client_id":"app","client_id_issued_at":1776249000,`
	after  = `,"tenant_id":"t","updated_at":"2026-04-15T10:30:00Z","revision":7}`
)

func TestWrite(t *testing.T) {
	const ed25519 = `"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"`
	tests := map[string]struct {
		settings  domain.Settings
		effective bool
		want      string
	}{
		"nothing is set": {domain.Settings{}, false, `"status":"","is_confidential":false,"grant_types":[]`},
		"nothing is set, for a server": {
			domain.Settings{}, true, `"status":"","is_confidential":false,"grant_types":[],"response_types":[]`,
		},
		"other names and forms": {
			domain.Settings{
				Name: "App", Status: domain.StatusActive, Confidential: true, GrantTypes: []domain.GrantType{"client_credentials"},
				Scopes: []domain.Scope{"a", "b"}, AuthMethods: []domain.AuthMethod{"private_key_jwt", "tls_client_auth"},
				LogoURL: "l", Website: "w", PrivacyPolicy: "p", TermsURL: "t", DefaultMaxAge: domain.MaxAgeOf(0),
			},
			false,
			`"client_name":"App","status":"active","is_confidential":true,"grant_types":["client_credentials"],"scope":"a b",` +
				`"token_endpoint_auth_method":"private_key_jwt","client_auth_methods":["private_key_jwt","tls_client_auth"],` +
				`"logo_uri":"l","client_uri":"w","policy_uri":"p","tos_uri":"t","default_max_age":0`,
		},
		"the public members of keys, without white space": {
			domain.Settings{Keys: domain.InlineKeys(`{"issuer": 1, "keys": [ {` + ed25519 + `, "ext": 1.0, "x5c": [` + "\n" + `"MA\u003d="]} ]}`)},
			false,
			`"status":"","is_confidential":false,"grant_types":[],"jwks":{"keys":[{` + ed25519 + `,"x5c":["MA\u003d="]}]}`,
		},
		"keys that cannot be used": {
			domain.Settings{Keys: domain.InlineKeys(`{"keys":[{"kty":"oct","k":"AA"}]}`)}, false, `"status":"","is_confidential":false,"grant_types":[]`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, before+tt.want+after, document(t, tt.settings, tt.effective))
		})
	}
}

func TestRead(t *testing.T) {
	tests := map[string]struct {
		document string
		want     string // the configuration in the form of the API
		breaches map[string]string
	}{
		"names":         {`{"client_name": "A", "client_uri": "w", "logo_uri": "l", "policy_uri": "p", "tos_uri": "t"}`, `{"name": "A", "website": "w", "logo_url": "l", "privacy_policy": "p", "terms_url": "t"}`, nil},
		"scopes":        {`{"scope": "a b"}`, `{"scopes": ["a", "b"]}`, nil},
		"no scopes":     {`{"scope": ""}`, `{"scopes": []}`, nil},
		"two spaces":    {`{"scope": "a  b"}`, `{"scopes": ["a", "", "b"]}`, nil},
		"a public app":  {`{"token_endpoint_auth_method": "none"}`, `{"client_auth_methods": ["none"], "is_confidential": false}`, nil},
		"confidential":  {`{"token_endpoint_auth_method": "private_key_jwt"}`, `{"client_auth_methods": ["private_key_jwt"], "is_confidential": true}`, nil},
		"explicit":      {`{"token_endpoint_auth_method": "none", "is_confidential": true}`, `{"client_auth_methods": ["none"], "is_confidential": true}`, nil},
		"all methods":   {`{"token_endpoint_auth_method": "a", "client_auth_methods": ["a", "b"]}`, `{"client_auth_methods": ["a", "b"], "is_confidential": true}`, nil},
		"null":          {`{"scope": null, "token_endpoint_auth_method": null}`, `{"scopes": null, "client_auth_methods": null}`, nil},
		"unknown names": {`{"client_name": "A", "client_secret": "x", "extra": {"a": 1}}`, `{"name": "A", "client_secret": "x", "extra": {"a": 1}}`, nil},
		"other forms": {
			`{"scope": ["a"], "token_endpoint_auth_method": ["none"], "default_max_age": -1, "client_name": 1}`, `{"name": 1}`,
			map[string]string{
				"/default_max_age": "must be at least 0; omit the field to leave it unset", "/scope": "must be a string",
				"/token_endpoint_auth_method": "must be a string",
			},
		},
		"rival methods": {
			`{"token_endpoint_auth_method": "b", "client_auth_methods": ["a", "b"]}`, `{"client_auth_methods": ["a", "b"], "is_confidential": true}`,
			map[string]string{"/token_endpoint_auth_method": "must be the first of client_auth_methods"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var members, want map[string]any
			require.NoError(t, json.Unmarshal([]byte(tt.document), &members))
			require.NoError(t, json.Unmarshal([]byte(tt.want), &want))
			d, ok, mixed := metadata.Recognize(members)
			require.True(t, ok)
			require.Nil(t, mixed)
			got, breaches := d.Configuration()
			assert.Equal(t, want, got)
			found := map[string]string{}
			for _, b := range breaches {
				found[b.Pointer] = b.Message
			}
			assert.Len(t, breaches, len(tt.breaches))
			for pointer, message := range tt.breaches {
				assert.Equal(t, message, found[pointer])
			}
		})
	}
}

func TestRecognize(t *testing.T) {
	for _, neutral := range []string{`{}`, `{"redirect_uris": [], "jwks": {}, "client_auth_methods": ["none"], "client_id_issued_at": 1, "created_at": "x"}`} {
		var members map[string]any
		require.NoError(t, json.Unmarshal([]byte(neutral), &members))
		_, ok, mixed := metadata.Recognize(members)
		assert.False(t, ok)
		assert.Nil(t, mixed)
	}
	// Every field with two names decides alone, and does not go together with another one.
	for f := range domain.Fields() {
		standard, own := metadata.Name(f), f.String()
		if standard == own {
			continue
		}
		_, ok, mixed := metadata.Recognize(map[string]any{standard: nil})
		assert.True(t, ok, standard)
		assert.Nil(t, mixed)
		_, ok, mixed = metadata.Recognize(map[string]any{own: nil})
		assert.False(t, ok, own)
		assert.Nil(t, mixed)
		if f == domain.FieldAuthMethods {
			continue // a document has the first method and all methods
		}
		_, ok, mixed = metadata.Recognize(map[string]any{standard: nil, own: nil, "scope": nil})
		assert.False(t, ok)
		require.NotNil(t, mixed)
		assert.Equal(t, "/"+own, mixed.Pointer)
		assert.Contains(t, mixed.Message, standard)
		assert.Contains(t, mixed.Message, own)
	}
}

func TestPlace(t *testing.T) {
	short, _, _ := metadata.Recognize(map[string]any{"token_endpoint_auth_method": "none"})
	long, _, _ := metadata.Recognize(map[string]any{"token_endpoint_auth_method": "none", "client_auth_methods": nil, "is_confidential": false})
	for pointer, want := range map[string][2]string{
		"":                       {"", ""},
		"/name":                  {"/client_name", "/client_name"},
		"/scopes/3":              {"/scope", "/scope"},
		"/redirect_uris/0":       {"/redirect_uris/0", "/redirect_uris/0"},
		"/client_auth_methods/1": {"/token_endpoint_auth_method", "/client_auth_methods/1"},
		"/is_confidential":       {"/token_endpoint_auth_method", "/is_confidential"},
		"/labels/a~1b":           {"/labels/a~1b", "/labels/a~1b"},
		"/client_name":           {"/client_name", "/client_name"},
		"/other/0":               {"/other/0", "/other/0"},
	} {
		assert.Equal(t, want[0], short.Place(pointer), pointer)
		assert.Equal(t, want[1], long.Place(pointer), pointer)
	}
}

// Every field alone has the same value after a round trip, and no two fields have one
// name.
func TestEveryFieldIsRead(t *testing.T) {
	names := map[string]domain.Field{}
	for f := range domain.Fields() {
		name := metadata.Name(f)
		require.NotContains(t, names, name)
		names[name] = f
		var s domain.Settings
		switch v := f.Of(&s).(type) {
		case *domain.Text:
			*v = "x"
			if f == domain.FieldJWKS {
				*v = `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`
			}
		case *domain.Flag:
			*v = true
		case domain.Texts:
			v.SetTexts([]string{"x", "y"})
		case domain.Integer:
			v.SetInt(60)
		case *domain.Map:
			*v = domain.Map{"a/b": "c"}
		}
		var members map[string]any
		require.NoError(t, json.Unmarshal([]byte(document(t, s, false)), &members))
		require.Contains(t, members, name)
		members["client_name"] = s.Name // so that it is recognized
		d, ok, _ := metadata.Recognize(members)
		require.True(t, ok)
		configuration, breaches := d.Configuration()
		require.Empty(t, breaches)
		contract.Normalize(configuration)
		got := contract.ChangeOf(configuration).Values()
		if f == domain.FieldJWKS {
			assert.JSONEq(t, s.Keys.Inline(), got.Keys.Inline())
			got.Keys = s.Keys
		}
		assert.Equal(t, s, got, name)
	}
}
