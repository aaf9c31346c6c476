package domain

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// leaves returns the value of every part of a configuration that has no parts
// itself, by path.
func leaves(v reflect.Value, path string, into map[string]string) map[string]string {
	if v.Kind() != reflect.Struct {
		into[path] = fmt.Sprint(v)
		return into
	}
	for i := range v.NumField() {
		leaves(v.Field(i), path+"."+v.Type().Field(i).Name, into)
	}
	return into
}

func settingsLeaves(s Settings) map[string]string {
	return leaves(reflect.ValueOf(s), "", map[string]string{})
}

// filledWith sets the field to a value that is not empty.
func filledWith(t *testing.T, v Value, text string) {
	t.Helper()
	switch v := v.(type) {
	case *Text:
		*v = Text(text)
	case *Flag:
		*v = true
	case Texts:
		v.SetTexts([]string{text})
	default:
		require.Fail(t, "unknown kind", "%T", v)
	}
}

func TestEachPartOfAConfigurationIsOneField(t *testing.T) {
	unset := settingsLeaves(Settings{})
	fieldOf := map[string]Field{}
	for f := range Fields() {
		require.NotEmpty(t, f.String(), "a field without a row")
		require.NotEmpty(t, f.About(), f)
		var s Settings
		assert.True(t, f.Of(&s).IsEmpty(), f)
		filledWith(t, f.Of(&s), "value")
		assert.False(t, f.Of(&s).IsEmpty(), f)
		assert.Equal(t, FieldsOf(f), s.filled())
		changed := 0
		for path, value := range settingsLeaves(s) {
			if value == unset[path] {
				continue
			}
			changed++
			other, taken := fieldOf[path]
			assert.False(t, taken, "%s and %s are both at %s", f, other, path)
			fieldOf[path] = f
		}
		assert.Equal(t, 1, changed, f)
	}
	for path := range unset {
		assert.Contains(t, fieldOf, path, "a part of the configuration without a field")
	}
}

func TestFieldsAreFoundByTheirNames(t *testing.T) {
	names := map[string]bool{}
	for f := range Fields() {
		assert.False(t, names[f.String()], f)
		names[f.String()] = true
		for previous := range Fields() {
			found, ok := FieldNamed(f.String(), previous)
			assert.True(t, ok)
			assert.Equal(t, f, found)
		}
	}
	for _, name := range []string{"", "client_id", "Name", "name "} {
		_, ok := FieldNamed(name, LastField)
		assert.False(t, ok, name)
	}
}

func TestFieldSets(t *testing.T) {
	var set FieldSet
	assert.True(t, set.IsEmpty())
	for f := range Fields() {
		set.Add(f)
	}
	var all []Field
	for f := range set.All() {
		all = append(all, f)
	}
	assert.Len(t, all, set.Len())
	assert.Equal(t, LastField, all[len(all)-1])
	set.Remove(FieldName)
	assert.False(t, set.Has(FieldName))
	assert.True(t, set.Has(FieldStatus))
	assert.Equal(t, FieldsOf(FieldStatus, FieldScopes), FieldsOf(FieldScopes, FieldStatus))
}

// Every way to create a client records which of its fields are set.
func TestFilledReturnsTheFieldsThatAreSet(t *testing.T) {
	book := testBook(t, Policy{KeyPreflight: PreflightOff})
	check := func(c Client) {
		settings := c.Settings()
		for f := range settings.filled().All() {
			assert.True(t, c.Filled().Has(f), f)
		}
	}
	client, findings := registerClient(book, Identity{}, ChangeTo(legal()), KeysUnexamined(), testNow)
	require.False(t, findings.HasViolations(), "%v", findings)
	check(client)
	for _, change := range []Change{
		ChangeOf(Settings{LogoURL: "https://a.example/logo.png", Scopes: []Scope{"openid"}}),
		ChangeOf(Settings{}, FieldLogoURL, FieldScopes),
	} {
		client, findings = reviseClient(book, client, change, KeysUnexamined(), testNow)
		require.False(t, findings.HasViolations(), "%v", findings)
		check(client)
		assert.Equal(t, client.Filled().Has(FieldLogoURL), client.Settings().LogoURL != "")
	}
	assert.Equal(t, FieldSet{}, must(must(client.Delete(testNow)).Purge(testNow)).Filled())
}

// The tests above would not detect that two rows of the same kind are exchanged.
func TestEachFieldHasItsOwnValue(t *testing.T) {
	named := Settings{
		Name: "name", Status: "status", Profile: "fapi_profile", RedirectURIs: []RedirectURI{"redirect_uris"},
		GrantTypes: []GrantType{"grant_types"}, Scopes: []Scope{"scopes"}, AuthMethods: []AuthMethod{"client_auth_methods"},
		Keys: KeySource{inline: "jwks", uri: "jwks_uri"},
		TLSSubject: TLSSubject{
			DN: "tls_client_auth_subject_dn", SANDNS: "tls_client_auth_san_dns", SANURI: "tls_client_auth_san_uri",
			SANIP: "tls_client_auth_san_ip", SANEmail: "tls_client_auth_san_email",
		},
		LogoURL: "logo_url", Website: "website", PrivacyPolicy: "privacy_policy", TermsURL: "terms_url",
		CORSOrigins: []Origin{"cors_origins"},
	}
	for f := range Fields() {
		switch value := Plain(f.Of(&named)).(type) {
		case string:
			assert.Equal(t, f.String(), value)
		case []string:
			assert.Equal(t, []string{f.String()}, value)
		default:
			assert.Equal(t, FieldConfidential, f, "the only flag; a second one needs a row here")
		}
	}
}
