package clientfile_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/clientfile"
	"github.com/clientele-oauth/clientele/domain"
)

func newReader(tb testing.TB) *clientfile.Reader {
	tb.Helper()
	reader, err := clientfile.NewReader()
	require.NoError(tb, err)
	return reader
}

// All supported formats of a file give the same configuration.
func TestReadAllFormats(t *testing.T) {
	want := domain.ChangeOf(domain.Settings{
		Name: "Shop \U0001f600", RedirectURIs: []domain.RedirectURI{"https://shop.example.com/cb"}, AuthMethods: []domain.AuthMethod{"none"}, Keys: domain.InlineKeys(`{"keys":[]}`),
	}, domain.FieldConfidential)
	forms := map[string]struct{ name, text string }{
		"JSON": {"a.json", `{"client_id": "app-1", "name": "Shop \ud83d\ude00", "is_confidential": false,
			"redirect_uris": ["https://shop.example.com/cb"], "client_auth_methods": ["none"], "jwks": "{\"keys\":[]}"}`},
		"keys as an object": {"a.json", `{"client_id": "app-1", "name": "Shop 😀", "is_confidential": false,
			"redirect_uris": ["https://shop.example.com/cb"], "client_auth_methods": ["none"], "jwks": {"keys": []}}`},
		"a response of the service": {"-", `{"client_id": "app-1", "id": "client_1", "tenant_id": "t", "name": "Shop 😀", "is_confidential": false,
			"created_at": "2026-04-15T10:30:00Z", "updated_at": "2026-04-15T10:30:00Z", "secret_last_four": "abcd",
			"redirect_uris": ["https://shop.example.com/cb"], "client_auth_methods": "[\"none\"]", "jwks": {"keys": []}}`},
		"RFC 7591": {"a.json", `{"client_id": "app-1", "client_name": "Shop 😀", "redirect_uris": ["https://shop.example.com/cb"],
			"token_endpoint_auth_method": "none", "jwks": {"keys": []}}`},
		"a response of the service in the standard names": {"-", `{"client_id": "app-1", "client_id_issued_at": 1776249000, "client_name": "Shop 😀",
			"is_confidential": false, "redirect_uris": ["https://shop.example.com/cb"], "token_endpoint_auth_method": "none",
			"client_auth_methods": ["none"], "jwks": {"keys": []}, "tenant_id": "t", "updated_at": "2026-04-15T10:30:00Z", "revision": 7}`},
		"a response with what a server is to apply": {"-", `{"client_id": "app-1", "name": "Shop 😀", "is_confidential": false,
			"redirect_uris": ["https://shop.example.com/cb"], "client_auth_methods": "[\"none\"]", "jwks": "{\"keys\":[]}",
			"revision": 7, "effective": {"name": "other"}}`},
		"RFC 7591 in YAML": {"a.yaml", `
client_id: app-1
client_name: Shop 😀
redirect_uris: ["https://shop.example.com/cb"]
token_endpoint_auth_method: none
jwks: {keys: []}
`},
		"a list": {"-", `[{"client_id": "app-1", "name": "Shop 😀", "is_confidential": false,
			"redirect_uris": ["https://shop.example.com/cb"], "client_auth_methods": ["none"], "jwks": {"keys": []}}]`},
		"YAML": {"a.yaml", `---
client_id: app-1
name: Shop 😀
is_confidential: false
redirect_uris:
  - https://shop.example.com/cb
client_auth_methods: [none]
jwks:
  keys: []
---
`},
		"YAML with an anchor and a merge": {"a.yml", `
client_id: app-1
<<: [{name: Shop 😀, is_confidential: true}, {name: unused}]
is_confidential: false
redirect_uris: &uris ["https://shop.example.com/cb"]
client_auth_methods: ["none"]
jwks: '{"keys":[]}'
`},
	}
	reader := newReader(t)
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			documents, err := reader.Read(form.name, []byte(form.text))
			require.NoError(t, err)
			require.Len(t, documents, 1)
			assert.Empty(t, documents[0].Breaches)
			assert.Equal(t, "app-1", documents[0].ClientID)
			assert.Equal(t, want, documents[0].Change)
		})
	}
}

func TestLines(t *testing.T) {
	texts := map[string]string{
		"a.json": "[\n{\"name\": \"one\",\n\"redirect_uris\": [\n\"https://a.example/\",\n\"https://b.example/\"]},\n{\"name\":\n\"two\"}]",
		"a.yaml": "-\n  name: one\n  redirect_uris:\n  - https://a.example/\n  - https://b.example/\n- name:\n    two",
	}
	for name, text := range texts {
		documents, err := newReader(t).Read(name, []byte(text))
		require.NoError(t, err)
		require.Len(t, documents, 2)
		assert.Equal(t, 2, documents[0].Line(""), name)
		assert.Equal(t, 2, documents[0].Line("/name"), name)
		assert.Equal(t, 3, documents[0].Line("/redirect_uris"), name)
		assert.Equal(t, 4, documents[0].Line("/redirect_uris/0"), name)
		assert.Equal(t, 5, documents[0].Line("/redirect_uris/1"), name)
		assert.Equal(t, 2, documents[0].Line("/grant_types/0"), "a missing value has the line of its parent")
		assert.Equal(t, 6, documents[1].Line("/name"), name)
	}
}

// Places and lines of problems are those in the file, whatever the names in it.
func TestPlacesInStandardNames(t *testing.T) {
	text := "[\n{\"client_name\": \"one\",\n\"scope\": \"a b\",\n\"token_endpoint_auth_method\": \"none\",\n\"contacts\": [\n\"a\",\n\"b\"]},\n{\"client_name\": \"two\"}]"
	documents, err := newReader(t).Read("a.json", []byte(text))
	require.NoError(t, err)
	require.Len(t, documents, 2)
	for pointer, want := range map[string]struct {
		place string
		line  int
	}{
		"":                       {"", 2},
		"/name":                  {"/client_name", 2},
		"/scopes/1":              {"/scope", 3},
		"/client_auth_methods/0": {"/token_endpoint_auth_method", 4},
		"/is_confidential":       {"/token_endpoint_auth_method", 4},
		"/contacts/1":            {"/contacts/1", 7},
		"/website":               {"/client_uri", 2},
	} {
		assert.Equal(t, want.place, documents[0].Place(pointer), pointer)
		assert.Equal(t, want.line, documents[0].Line(pointer), pointer)
		assert.Equal(t, want.line, documents[0].Line(want.place), want.place)
	}
	assert.Equal(t, 8, documents[1].Line("/name"), "each configuration of a file has its own form")
}

// The keys in a JSON file keep the spelling of their values.
func TestKeysKeepTheirText(t *testing.T) {
	for _, name := range []string{`"client_name"`, `"name"`} {
		documents, err := newReader(t).Read("a.json", []byte(`{`+name+`: "A", "jwks": { "keys": [ {"x": "\u0041\/", "n": 1.0e2 } ] } }`))
		require.NoError(t, err)
		want := domain.InlineKeys(`{"keys":[{"x":"\u0041\/","n":1.0e2}]}`)
		assert.Equal(t, want, documents[0].Change.Values().Keys)
	}
}

func TestReadReportsInvalidConfigurations(t *testing.T) {
	tests := []struct {
		text, pointer, message string
	}{
		{`"text"`, "", "a client configuration must be an object"},
		{`{"name": null}`, "/name", "to leave it unchanged"},
		{`{"naem": "x"}`, "/naem", "unknown field"},
		{`{"redirect_uris": [1]}`, "/redirect_uris/0", "must be a string"},
		{`{"client_id": 1}`, "/client_id", "must be a string"},
		{`{"jwks": 1}`, "/jwks", "must be a string"},
		{`{"client_auth_methods": "none"}`, "/client_auth_methods", "must be an array"},
		{"name: 2026-01-01\nis_confidential: yes", "/is_confidential", "must be a boolean"},
		{"name: 0x1f", "/name", "must be a string"},
		{`{"client_name": null}`, "/client_name", "null is not allowed"},
		{`{"client_name": 1}`, "/client_name", "must be a string"},
		{`{"scope": ["a"]}`, "/scope", "must be a string"},
		{`{"scope": "` + strings.Repeat("a ", 200) + `a"}`, "/scope", "must have at most 200 elements"},
		{`{"scope": "a ` + strings.Repeat("b", 257) + `"}`, "/scope", "must have at most 256 characters"},
		{`{"client_name": "A", "client_secret": "x"}`, "/client_secret", "unknown field"},
		{`{"client_name": "A", "default_max_age": -1}`, "/default_max_age", "must be at least 0"},
		{`{"client_name": "A", "jwks": 1}`, "/jwks", "must be an object"},
		{`{"client_name": "A", "scopes": ["a"]}`, "/scopes", "mixes names of RFC 7591 (client_name) with other names (scopes)"},
		{"name: A\nscope: a\nlogo_uri: b\nterms_url: c", "/name", "mixes names of RFC 7591 (scope, logo_uri) with other names (name, terms_url)"},
		{`{"token_endpoint_auth_method": "none", "client_auth_methods": ["private_key_jwt"]}`, "/token_endpoint_auth_method", "must be the first of client_auth_methods"},
	}
	for _, tt := range tests {
		documents, err := newReader(t).Read("-", []byte(tt.text))
		require.NoError(t, err, tt.text)
		require.Len(t, documents, 1, tt.text)
		require.Len(t, documents[0].Breaches, 1, tt.text)
		breach := documents[0].Breaches[0]
		assert.Equal(t, tt.pointer, breach.Pointer, tt.text)
		assert.Contains(t, breach.Message, tt.message, tt.text)
		assert.True(t, documents[0].Breaches.HasViolations())
	}
}

func TestReadRejectsInvalidFiles(t *testing.T) {
	aliasBomb := strings.Builder{}
	aliasBomb.WriteString("a0: &a0 [x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 12; i++ {
		aliases := strings.Repeat("*a"+string(rune('a'+i-2))+", ", 8)
		if i == 1 {
			aliases = strings.Repeat("*a0, ", 8)
		}
		aliasBomb.WriteString("a" + string(rune('a'+i-1)) + ": &a" + string(rune('a'+i-1)) + " [" + aliases + "]\n")
	}
	tests := []struct {
		name, text string
		line       int
		message    string
	}{
		{"a.json", "", 0, "the file has no client configuration"},
		{"a.yaml", "# nothing\n", 0, "the file has no client configuration"},
		{"a.json", "{\n\"name\": \"x\"\n", 3, "this is not JSON"},
		{"a.json", "{\"name\": \"x\",\n\"name\": \"y\"}", 2, "duplicate field /name"},
		{"a.json", "{\"name\": \"\xff\"}", 1, "this is not JSON"},
		{"a.json", strings.Repeat("[", 1000), 1, "nested too deeply"},
		{"a.yaml", "name: x\nname: y\n", 2, "duplicate field /name"},
		{"a.yaml", "name: [x\nb: 2", 2, "this is not YAML"},
		{"a.yaml", "[a]: 1\n", 1, "a field name must be a string"},
		{"a.yaml", "<<: 1\n", 1, "<< must merge mappings"},
		{"a.yaml", "a: &a [*a]\n", 1, "nested too deeply"},
		{"a.yaml", aliasBomb.String(), 0, "too many values"},
	}
	for _, tt := range tests {
		documents, err := newReader(t).Read(tt.name, []byte(tt.text))
		assert.Empty(t, documents)
		var rejected *clientfile.SyntaxError
		require.ErrorAs(t, err, &rejected, "%q", tt.text)
		assert.Contains(t, rejected.Message, tt.message)
		if tt.line > 0 {
			assert.Equal(t, tt.line, rejected.Line, "%q", tt.text)
			assert.Contains(t, rejected.Error(), "line ")
		}
	}
}

func FuzzRead(f *testing.F) {
	reader := newReader(f)
	f.Add("a.json", `[{"name": "x", "redirect_uris": ["https://a.example/"]}, {"jwks": {"keys": []}}]`)
	f.Add("a.yaml", "a: &a {name: x}\nb:\n  <<: *a\n---\n- [1, ~, true, 2026-01-01]\n")
	f.Add("-", "{name: x")
	f.Add("a.json", `{"client_name": "x", "scope": "a  b", "token_endpoint_auth_method": "none", "client_auth_methods": ["none"], "jwks": {"keys": [{}]}}`)
	f.Add("a.yaml", "scope: [1]\ndefault_max_age: -1\n---\nclient_name: a\nname: b\n")
	f.Fuzz(func(t *testing.T, name, text string) {
		documents, err := reader.Read(name, []byte(text))
		if err != nil {
			var rejected *clientfile.SyntaxError
			require.ErrorAs(t, err, &rejected)
			return
		}
		require.NotEmpty(t, documents)
		lines := strings.Count(text, "\n") + strings.Count(text, "\r") + 1
		for _, d := range documents {
			for _, finding := range d.Breaches {
				assert.LessOrEqual(t, d.Line(finding.Pointer), lines+1)
			}
		}
	})
}

// A number or a boolean that JSON cannot express must not become another one: 0 clears a
// lifetime.
func TestYAMLValuesAreNeverChanged(t *testing.T) {
	for _, text := range []string{
		"0x258", "0X10", "-0x1", "0b101", "0o17", "1__0", "1_000", "010", "0x7fffffffffffffff", ".inf", "-.inf", "+.inf", ".nan", "!!int abc", "1e-400", "+5",
	} {
		read, err := newReader(t).Read("app.yaml", []byte("name: N\naccess_token_lifetime: "+text+"\n"))
		if err != nil {
			continue
		}
		require.Len(t, read[0].Breaches, 1, text)
		assert.Equal(t, "/access_token_lifetime", read[0].Breaches[0].Pointer, text)
	}
	for _, text := range []string{"!!bool yes", "!!bool on", "yes", "1"} {
		read, err := newReader(t).Read("app.yaml", []byte("name: N\nrequire_pkce: "+text+"\n"))
		require.NoError(t, err)
		require.Len(t, read[0].Breaches, 1, text)
	}
	for text, want := range map[string]int64{"600": 600, "6e2": 600, "600.0": 600} {
		read, err := newReader(t).Read("app.yaml", []byte("name: N\naccess_token_lifetime: "+text+"\n"))
		require.NoError(t, err)
		require.Empty(t, read[0].Breaches, text)
		assert.Equal(t, want, read[0].Change.Values().AccessTokenLifetime, text)
	}
	for text, want := range map[string]bool{"true": true, "True": true, "FALSE": false} {
		read, err := newReader(t).Read("app.yaml", []byte("name: N\nrequire_pkce: "+text+"\n"))
		require.NoError(t, err)
		require.Empty(t, read[0].Breaches, text)
		assert.Equal(t, want, read[0].Change.Values().RequirePKCE, text)
	}
}
