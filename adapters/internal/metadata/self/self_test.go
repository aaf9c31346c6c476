package self_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/adapters/internal/metadata/self"
	"github.com/clientele-oauth/clientele/domain"
)

func newReader(t testing.TB) *self.Reader {
	t.Helper()
	r, err := self.NewReader()
	require.NoError(t, err)
	return r
}

const keySet = `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`

// written returns the members of the response about a client, and its text.
func written(t *testing.T, s domain.Settings, r *domain.Registration) (members map[string]any, text []byte) {
	t.Helper()
	at := time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)
	client := domain.Restore(domain.State{
		Identity: domain.Identity{TenantID: "t", ClientID: "app"}, Settings: s, Revision: 7, CreatedAt: at, UpdatedAt: at, Registration: r,
	})
	var w jsonobject.Writer
	w.Object("", func() { self.Write(&w, &client) })
	require.NoError(t, json.Unmarshal(w, &members), "%s", w)
	return members, w
}

func TestRead(t *testing.T) {
	r := newReader(t)
	for name, tt := range map[string]struct {
		text string
		want domain.Settings
	}{
		"nothing": {`{}`, domain.Settings{}},
		"standard names and forms": {
			`{"client_name":"A","scope":"a  b ","token_endpoint_auth_method":"none","jwks":` + keySet + `,"default_max_age":60.0}`,
			domain.Settings{
				Name: "A", Scopes: []domain.Scope{"a", "b"}, AuthMethods: []domain.AuthMethod{domain.AuthNone},
				Keys: domain.InlineKeys(keySet), DefaultMaxAge: domain.MaxAgeOf(60),
			},
		},
		"unknown members of any kind":           {`{"foo":{"a":[1]},"client_name#de":1,"name":"x","logo_url":7}`, domain.Settings{}},
		"members that only administrators set":  {`{"status":"suspended","is_confidential":true,"skip_consent":true,"require_pkce":1,"labels":{"a/b":"c"}}`, domain.Settings{}},
		"unknown values of lists and of a kind": {`{"grant_types":["magic"],"application_type":"mobile"}`, domain.Settings{GrantTypes: []domain.GrantType{"magic"}, ApplicationType: "mobile"}},
		"values that are not given": {
			`{"client_name":null,"scope":"","redirect_uris":[ ],"jwks":null,"require_auth_time":"","default_max_age":[],"token_endpoint_auth_method":""}`,
			domain.Settings{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			request, findings, err := r.Read([]byte(tt.text))
			require.NoError(t, err)
			assert.Empty(t, findings)
			assert.Equal(t, tt.want, request.Metadata.Values())
		})
	}
	request, _, _ := r.Read([]byte(`{"client_name":"","redirect_uris":[]}`))
	assert.True(t, request.Metadata.IsEmpty(), "an empty value is no member")
}

func TestReadWhatIsNoMetadata(t *testing.T) {
	r := newReader(t)
	for text, want := range map[string]self.Request{
		`{"client_id":"app","client_secret":"s","software_statement":"a.b.c"}`: {
			ClientID: "app", Secret: new("s"), Statement: "a.b.c", Secrets: []string{"client_secret"},
		},
		`{"client_id":1,"client_secret":2,"software_statement":{"a":1}}`:                                                           {Secret: new(""), Statement: `{"a":1}`, Secrets: []string{"client_secret"}},
		`{"client_id":null,"client_secret":null,"software_statement":"","client_secret_expires_at":null,"client_id_issued_at":[]}`: {},
		`{"registration_client_uri":"u","registration_access_token":"t","client_secret_expires_at":0,"client_id_issued_at":1}`: {
			Forbidden: []string{"client_id_issued_at", "client_secret_expires_at", "registration_access_token", "registration_client_uri"},
			Secrets:   []string{"client_secret_expires_at"},
		},
	} {
		request, findings, err := r.Read([]byte(text))
		require.NoError(t, err)
		assert.Empty(t, findings)
		request.Members = nil // all of text
		assert.Equal(t, want, request, text)
	}
}

func TestReadRejectsTextsThatAreNotStrictObjects(t *testing.T) {
	r := newReader(t)
	for text, want := range map[string]string{
		``: "not a JSON object", `[]`: "not a JSON object", `1`: "not a JSON object", `{} {}`: "data after", `{"a":1,"a":2}`: "duplicate",
		`{"foo":{"a":1,"a":2}}`: "duplicate", `{"a":}`: "near byte", "{\"a\":\"\xff\"}": "not valid", `{'a':1}`: "near byte", `{"a":1`: "not",
		strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000): "not",
	} {
		_, _, err := r.Read([]byte(text))
		var malformed *self.MalformedError
		require.ErrorAs(t, err, &malformed, "%.40s", text)
		assert.Contains(t, err.Error(), want, "%.40s", text)
	}
}

func TestFindingsNameTheStandardMember(t *testing.T) {
	r := newReader(t)
	for text, want := range map[string][2]string{
		`{"client_name":1}`: {"/name", "client_name must be a string"},
		`{"scope":["a"]}`:   {"/scopes", "scope must be a string"},
		`{"scope":"` + strings.Repeat("a", 257) + `"}`:           {"/scopes/0", "scope must have at most 256 characters"},
		`{"scope":"` + strings.Repeat("a ", 201) + `"}`:          {"/scopes", "scope must have at most 200 elements"},
		`{"token_endpoint_auth_method":{}}`:                      {"/client_auth_methods", "token_endpoint_auth_method must be a string"},
		`{"redirect_uris":["a",null]}`:                           {"/redirect_uris/1", "redirect_uris/1 must not be null"},
		`{"redirect_uris":"a"}`:                                  {"/redirect_uris", "redirect_uris must be an array"},
		`{"jwks":"{}"}`:                                          {"/jwks", "jwks must be an object"},
		`{"jwks":{"a":"` + strings.Repeat("a", 70_000) + `"}}`:   {"/jwks", "jwks must have at most 65536 characters"},
		`{"require_auth_time":"true"}`:                           {"/require_auth_time", "require_auth_time must be a boolean"},
		`{"default_max_age":-1}`:                                 {"/default_max_age", "default_max_age must be at least 0"},
		`{"default_max_age":0.5}`:                                {"/default_max_age", "default_max_age must be a whole number"},
		`{"default_max_age":1e400}`:                              {"/default_max_age", "default_max_age must be at most 31536000"},
		`{"tls_client_auth_san_ip":"\u0000"}`:                    {"/tls_client_auth_san_ip", "tls_client_auth_san_ip must have no control characters"},
		`{"contacts":[` + strings.Repeat(`"a",`, 10) + `"a"]}`:   {"/contacts", "contacts must have at most 10 elements"},
		`{"id_token_signed_response_alg":["` + `RS256` + `"  ]}`: {"/id_token_signed_response_alg", "id_token_signed_response_alg must be a string"},
	} {
		request, findings, err := r.Read([]byte(text))
		require.NoError(t, err)
		require.Len(t, findings, 1, "%.60s", text)
		assert.Equal(t, want, [2]string{findings[0].Pointer, findings[0].Message})
		assert.Equal(t, domain.Violation, findings[0].Level)
		assert.True(t, request.Metadata.IsEmpty(), "%.60s", text)
	}
	_, findings, err := r.Read([]byte(`{"redirect_uris":[` + strings.Repeat("1,", 99) + `1],"contacts":[1]}`))
	require.NoError(t, err)
	assert.Len(t, findings, 100, "findings are bounded")
}

func TestPlaces(t *testing.T) {
	for pointer, want := range map[string]string{
		"/name": "/client_name", "/scopes/3": "/scope", "/client_auth_methods/0": "/token_endpoint_auth_method",
		"/is_confidential": "/token_endpoint_auth_method", "/redirect_uris/0": "/redirect_uris/0", "/logo_url": "/logo_uri", "": "",
	} {
		assert.Equal(t, want, self.Place(pointer))
		assert.Equal(t, want, self.Places(domain.Findings{{Pointer: pointer}})[0].Pointer)
	}
}

// What is written about a client is read again as the same settings, for every member that
// a client may set; no other member is written or read.
func TestEveryMemberIsWrittenAndRead(t *testing.T) {
	r := newReader(t)
	for f := range domain.Fields() {
		var s domain.Settings
		switch v := f.Of(&s).(type) {
		case *domain.Text:
			*v = "x"
			if f == domain.FieldJWKS {
				*v = keySet
			}
		case *domain.Flag:
			*v = true
		case domain.Texts:
			v.SetTexts([]string{"x", "y"})
			if f == domain.FieldAuthMethods {
				v.SetTexts([]string{"x"})
			}
		case domain.Integer:
			v.SetInt(60)
		case *domain.Map:
			*v = domain.Map{"a/b": "c"}
		}
		members, text := written(t, s, nil)
		request, findings, err := r.Read(text)
		require.NoError(t, err)
		assert.Empty(t, findings, f)
		if !domain.SelfFields().Has(f) {
			assert.Len(t, members, 4, "%s is for administrators", f) // the identifier, its time, and two lists
			assert.True(t, request.Metadata.IsEmpty(), f)
			continue
		}
		assert.Contains(t, members, f.Metadata())
		assert.Equal(t, s, request.Metadata.Values(), f)
	}
}

func TestWrite(t *testing.T) {
	least, _ := written(t, domain.Settings{}, nil)
	assert.Equal(t, map[string]any{"client_id": "app", "client_id_issued_at": 1776249000.0, "grant_types": []any{}, "response_types": []any{}}, least)
	chosen, _ := written(t, domain.Settings{Name: "app.example"}, &domain.Registration{MadeUpName: true, Statement: &domain.Statement{Text: "a.b.c"}})
	assert.NotContains(t, chosen, "client_name")
	assert.Equal(t, "a.b.c", chosen["software_statement"])
	several, _ := written(t, domain.Settings{AuthMethods: []domain.AuthMethod{"private_key_jwt", "none"}}, nil)
	assert.Equal(t, "private_key_jwt", several["token_endpoint_auth_method"])
	assert.NotContains(t, several, "client_auth_methods")
}

// FuzzRegistration checks that any text is rejected or read, with findings that are bounded
// and in standard names.
func FuzzRegistration(f *testing.F) {
	for _, seed := range []string{
		`{"client_name":"A","redirect_uris":["https://a.example/cb"],"scope":"a b","jwks":` + keySet + `}`,
		`{"client_id":"a","client_secret":"s","software_statement":"a.b.c","registration_client_uri":"u"}`,
		`{"default_max_age":-1,"require_auth_time":null,"grant_types":[],"token_endpoint_auth_method":""}`,
		`{"a":{"a":[]},"client_name":1,"contacts":[null]} `, `[`, `{"a":1,"a":2}`,
	} {
		f.Add([]byte(seed))
	}
	r := newReader(f)
	members := domain.SelfFields()
	f.Fuzz(func(t *testing.T, text []byte) {
		request, findings, err := r.Read(text)
		if err != nil {
			require.Empty(t, findings)
			require.True(t, request.Metadata.IsEmpty())
			return
		}
		require.LessOrEqual(t, len(findings), 100)
		for _, found := range self.Places(findings) {
			name, _, _ := strings.Cut(strings.TrimPrefix(found.Pointer, "/"), "/")
			require.True(t, strings.HasPrefix(found.Message, name), "%s: %s", found.Pointer, found.Message)
		}
		for field := range request.Metadata.Named().All() {
			require.True(t, members.Has(field), field)
		}
	})
}
