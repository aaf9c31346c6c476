package importer_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/clientfile/importer"
	"github.com/clientele-oauth/clientele/domain"
)

// recordsOf finds the client records of an export, as decoded JSON.
func recordsOf(content any) (list []map[string]any) {
	switch content := content.(type) {
	case []any:
		for _, element := range content {
			list = append(list, recordsOf(element)...)
		}
	case map[string]any:
		for _, name := range []string{"items", "clients"} {
			if inner, ok := content[name]; ok {
				return recordsOf(inner)
			}
		}
		list = append(list, content)
	}
	return list
}

// changed returns different values of the same type.
func changed(value any) []any {
	switch value := value.(type) {
	case bool:
		return []any{!value}
	case string:
		return []any{value + "x", "https://changed.example.com/x", "true", "false", "other"}
	case float64:
		return []any{value + 1}
	case []any:
		return []any{append(slices.Clone(value), "added"), []any{"https://changed.example.com/x"}}
	case map[string]any:
		return []any{map[string]any{"keys": []any{map[string]any{"kid": "changed"}}}}
	default:
		return []any{"x", true, []any{"x"}}
	}
}

// Each field of each record in testdata is converted (removing or changing it changes
// the client), reported by a line, or ignored for a reason.
func TestEachFieldIsConvertedReportedOrIgnored(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		name, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".json"), "-")
		from := importer.System(name)
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var content any
		require.NoError(t, json.Unmarshal(text, &content))
		for _, record := range recordsOf(content) {
			read := func() (string, []string) {
				encoded, err := json.Marshal(record)
				require.NoError(t, err)
				export, err := importer.Read(from, encoded)
				if err != nil {
					return err.Error(), nil
				}
				result := fmt.Sprintf("%+v", export)
				if len(export.Clients) == 0 {
					return result, nil
				}
				return result, export.Clients[0].Lost
			}
			before, lost := read()
			if lost == nil && strings.Contains(before, "skipped") {
				continue // one line reports the whole record
			}
			check := func(in map[string]any, field, path string) {
				value := in[field]
				if value == nil || value == "" || fmt.Sprint(value) == "[]" || fmt.Sprint(value) == "map[]" {
					return // the same as omitted
				}
				if slices.ContainsFunc(lost, func(line string) bool { return strings.HasPrefix(line, path+": ") || strings.HasPrefix(line, path+".") }) {
					return
				}
				delete(in, field)
				after, _ := read()
				converted := after != before
				for _, other := range changed(value) {
					in[field] = other
					after, _ := read()
					converted = converted || after != before
				}
				in[field] = value
				reason := importer.IgnoredFields(from)[path]
				assert.True(t, converted || reason != "", "%s: %s = %v is lost without a report", file, path, value)
			}
			for _, field := range slices.Sorted(maps.Keys(record)) {
				attributes, nested := record[field].(map[string]any)
				if !nested || field != "attributes" {
					check(record, field, field)
					continue
				}
				for _, attribute := range slices.Sorted(maps.Keys(attributes)) {
					check(attributes, attribute, "attributes."+attribute)
				}
			}
		}
	}
}

func read(t *testing.T, from importer.System, text string) importer.Export {
	t.Helper()
	export, err := importer.Read(from, []byte(text))
	require.NoError(t, err)
	return export
}

func TestReadReportsDuplicateClientIDs(t *testing.T) {
	export := read(t, importer.Hydra, `[{"client_id": "a", "client_name": "one"}, {"client_id": "a", "client_name": "two"}, {"client_name": "x"}, {"client_name": "y"}]`)
	require.Len(t, export.Clients, 3)
	assert.Equal(t, "one", export.Clients[0].Change.Values().Name)
	assert.Equal(t, []string{"a: the client_id is there twice; only the first client is converted"}, export.Problems)
	_, err := importer.Read(importer.Hydra, []byte(`{"client_id": "a", "client_id": "b"}`))
	require.ErrorIs(t, err, importer.ErrFormat, "a duplicate field is an error")
}

func TestReadReportsFurtherPages(t *testing.T) {
	for page, sign := range map[string]string{
		`"next_page_token": "abc"`:                    "next_page_token",
		`"next": "https://x.example/?page=2"`:         "next",
		`"is_last_page": false`:                       "is_last_page",
		`"start": 0, "limit": 50, "total": 120`:       "total",
		`"_links": {"next": {"href": "https://x"}}`:   "_links.next",
		`"has_more": true`:                            "has_more",
		`"pagination": {"has_next": true, "page": 1}`: "pagination.has_next",
	} {
		export := read(t, importer.Hydra, `{"items": [{"client_id": "a"}], `+page+`}`)
		assert.Equal(t, []string{"this is one page of several (" + sign + "); export the other pages as well"}, export.Problems, page)
	}
	for _, page := range []string{`"next_page_token": "", "is_last_page": true`, `"next": null`, `"total": 1, "start": 0`, `"has_more": false`} {
		assert.Empty(t, read(t, importer.Hydra, `{"items": [{"client_id": "a"}], `+page+`}`).Problems, page)
	}
}

func TestReadKeycloakRealms(t *testing.T) {
	export := read(t, importer.Keycloak, `[{"realm": "one", "clients": [{"clientId": "account"}, {"clientId": "a"}]},
		{"realm": "two", "clients": [{"clientId": "b"}, {"clientId": "a"}, {"clientId": "s", "protocol": "saml"}, {"clientId": "r", "bearerOnly": true}]}]`)
	require.Len(t, export.Clients, 2)
	assert.Equal(t, domain.ClientID("a"), export.Clients[0].ID)
	assert.Equal(t, domain.ClientID("b"), export.Clients[1].ID)
	assert.Equal(t, []string{"realm two: a: the client_id is there twice; only the first client is converted"}, export.Problems)
	assert.Equal(t, []string{
		"realm one: account: skipped: Keycloak makes this client for itself",
		"realm two: s: skipped: its protocol is saml",
		"realm two: r: skipped: it is bearer-only, a resource server",
	}, export.Skipped)
	_, err := importer.Read(importer.Keycloak, []byte(`{"realm": "one", "users": []}`))
	require.ErrorIs(t, err, importer.ErrFormat, "a realm exported without its clients")
	export = read(t, importer.Keycloak, `[{"clientId": "a"}, {"client_id": "b"}]`)
	assert.Equal(t, []string{"records without a clientId, which are not converted: 1"}, export.Problems)
	for _, id := range []string{"account", "account-console", "admin-cli", "broker", "realm-management", "security-admin-console"} {
		assert.True(t, importer.IsBuiltIn(id))
		export := read(t, importer.Keycloak, `{"clientId": "`+id+`"}`)
		assert.Empty(t, export.Clients)
		assert.Len(t, export.Skipped, 1)
	}
}

func TestEmptyListsAndKeySetsAreUnset(t *testing.T) {
	for _, from := range []importer.System{importer.Hydra, importer.RFC7591} {
		for _, keys := range []string{`{"keys": []}`, `"{\"keys\": []}"`} {
			c := read(t, from, `{"client_id": "a", "grant_types": [], "jwks": `+keys+`}`).Clients[0]
			assert.False(t, c.Change.Names(domain.FieldGrantTypes))
			assert.False(t, c.Change.Names(domain.FieldJWKS))
			assert.Contains(t, c.Lost, "grant_types: is empty; unset here, which means authorization_code (RFC 7591 §2)")
			assert.Contains(t, c.Lost, "jwks: has no keys; unset here")
		}
	}
	c := read(t, importer.Keycloak, `{"clientId": "a", "standardFlowEnabled": false, "attributes": {"use.jwks.string": "true", "jwks.string": "{\"keys\":[]}"}}`).Clients[0]
	assert.False(t, c.Change.Names(domain.FieldGrantTypes))
	assert.False(t, c.Change.Names(domain.FieldJWKS))
	assert.Equal(t, domain.StatusSuspended, c.Change.Values().Status)
	assert.Contains(t, c.Lost, "standardFlowEnabled: no flow is enabled; grant_types is unset and the client suspended")
	assert.Contains(t, c.Lost, "attributes.jwks.string: has no keys; unset here")
}

func TestKeycloakCertificates(t *testing.T) {
	c := read(t, importer.Keycloak, `{"clientId": "a", "clientAuthenticatorType": "client-jwt", "attributes": {"x509.subjectdn": "CN=a"}}`).Clients[0]
	assert.False(t, c.Change.Names(domain.FieldTLSSubjectDN))
	assert.Contains(t, c.Lost, "attributes.x509.subjectdn: is ignored: the client does not authenticate with a certificate")
	c = read(t, importer.Keycloak, `{"clientId": "a", "clientAuthenticatorType": "client-x509",
		"attributes": {"x509.subjectdn": "(.*?)CN=a(.*)", "x509.allow.regex.pattern.comparison": "true"}}`).Clients[0]
	assert.False(t, c.Change.Names(domain.FieldTLSSubjectDN))
	assert.Contains(t, c.Lost, "attributes.x509.subjectdn: (.*?)CN=a(.*) is a regular expression; set tls_client_auth_subject_dn to one distinguished name")
}

func TestKeycloakWebOrigins(t *testing.T) {
	for origins, want := range map[string]struct {
		kept []domain.Origin
		line string
	}{
		`[""]`:              {[]domain.Origin{}, "webOrigins: an empty origin allows nothing and is left out"},
		`["*"]`:             {[]domain.Origin{}, "webOrigins: * is a pattern; name each origin"},
		`["+"]`:             {[]domain.Origin{"https://a.example", "http://127.0.0.1:8000"}, "webOrigins: + is converted to the origins of the redirect URIs"},
		`["/"]`:             {[]domain.Origin{}, "webOrigins: / is relative, and rootUrl has no origin"},
		`["a.example"]`:     {[]domain.Origin{}, "webOrigins: a.example is not an origin"},
		`["https://b.ex/"]`: {[]domain.Origin{"https://b.ex"}, ""},
	} {
		c := read(t, importer.Keycloak, `{"clientId": "a", "redirectUris": ["https://a.example/cb", "https://a.example/other", "http://127.0.0.1:8000/", "com.example:/cb"], "webOrigins": `+origins+`}`).Clients[0]
		assert.Equal(t, want.kept, c.Change.Values().CORSOrigins, origins)
		if want.line != "" {
			assert.Contains(t, c.Lost, want.line)
		}
	}
}

func TestHydraValuesThatDifferFromTheDefaults(t *testing.T) {
	c := read(t, importer.Hydra, `{"client_id": "a", "client_name": "A", "subject_type": "pairwise", "client_secret_expires_at": 1893456000, "access_token_strategy": "opaque",
		"response_types": ["token"], "default_max_age": 0, "skip_consent": true, "skip_logout_consent": true, "require_auth_time": false}`).Clients[0]
	var fields []string
	for _, line := range c.Lost {
		field, _, _ := strings.Cut(line, ":")
		fields = append(fields, field)
	}
	assert.Equal(t, []string{
		"access_token_strategy", "client_secret_expires_at", "response_types", "skip_logout_consent",
	}, fields)
	assert.True(t, c.Change.Values().SkipConsent)
}

func TestElementsThatAreNotObjectsAreReported(t *testing.T) {
	for from, text := range map[importer.System]string{
		importer.Hydra:    `[{"client_id": "a", "client_name": "A"}, null]`,
		importer.RFC7591:  `{"clients": [{"client_id": "a", "client_name": "A"}, 5]}`,
		importer.Keycloak: `{"realm": "r", "clients": [{"clientId": "a", "name": "A"}, "b"]}`,
	} {
		export := read(t, from, text)
		assert.Len(t, export.Clients, 1, from)
		assert.Equal(t, []string{"element 2 of a list is not converted: a client must be an object"}, export.Problems, from)
	}
}

func TestKeycloakClientsThatMayBeDisabledAreSuspended(t *testing.T) {
	for value, want := range map[string]domain.Status{`true`: "", `null`: "", `false`: domain.StatusSuspended, `"false"`: domain.StatusSuspended, `0`: domain.StatusSuspended} {
		c := read(t, importer.Keycloak, `{"clientId": "a", "name": "A", "enabled": `+value+`}`).Clients[0]
		assert.Equal(t, want, c.Change.Values().Status, value)
	}
}

// A secret that can never be verified is reported.
func TestSecretsThatCannotBeVerifiedAreReported(t *testing.T) {
	for _, secret := range []string{strings.Repeat("x", 513), `a\u0000b`} {
		c := read(t, importer.Keycloak, `{"clientId": "a", "name": "A", "secret": "`+secret+`"}`).Clients[0]
		hash, err := c.SecretHash()
		require.NoError(t, err)
		assert.Empty(t, hash)
		assert.Contains(t, strings.Join(c.Lost, "\n"), "secret: cannot be verified")
	}
}

func TestReadLimitsExports(t *testing.T) {
	for message, text := range map[string]string{
		"more than 2000000 values": "[" + strings.Repeat("1,", 2_000_000) + "1]",
		"more than 100000 clients": "[" + strings.Repeat("{},", 100_000) + "{}]",
		"nested too deeply":        strings.Repeat("[", 100) + strings.Repeat("]", 100),
	} {
		_, err := importer.Read(importer.Hydra, []byte(text))
		require.ErrorIs(t, err, importer.ErrFormat)
		assert.ErrorContains(t, err, message)
	}
}
