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
	case Integer:
		v.SetInt(1)
	case *Map:
		*v = Map{text: text}
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
	purged := must(must(client.Delete(testNow)).Purge(testNow))
	assert.Equal(t, FieldSet{}, purged.Filled())
}

// The tests above would not detect that two rows of the same kind are exchanged.
func TestEachFieldHasItsOwnValue(t *testing.T) {
	places := map[string]string{
		".Name":                               "name",
		".Status":                             "status",
		".Confidential":                       "is_confidential",
		".Profile":                            "fapi_profile",
		".RedirectURIs":                       "redirect_uris",
		".GrantTypes":                         "grant_types",
		".Scopes":                             "scopes",
		".AuthMethods":                        "client_auth_methods",
		".TLSSubject.DN":                      "tls_client_auth_subject_dn",
		".TLSSubject.SANDNS":                  "tls_client_auth_san_dns",
		".TLSSubject.SANURI":                  "tls_client_auth_san_uri",
		".TLSSubject.SANIP":                   "tls_client_auth_san_ip",
		".TLSSubject.SANEmail":                "tls_client_auth_san_email",
		".Keys.inline":                        "jwks",
		".Keys.uri":                           "jwks_uri",
		".CORSOrigins":                        "cors_origins",
		".LogoURL":                            "logo_url",
		".Website":                            "website",
		".PrivacyPolicy":                      "privacy_policy",
		".TermsURL":                           "terms_url",
		".ResponseTypes":                      "response_types",
		".ResponseModes":                      "response_modes",
		".ApplicationType":                    "application_type",
		".Contacts":                           "contacts",
		".Description":                        "description",
		".SoftwareID":                         "software_id",
		".SoftwareVersion":                    "software_version",
		".SubjectType":                        "subject_type",
		".SectorIdentifierURI":                "sector_identifier_uri",
		".IDToken.Signing":                    "id_token_signed_response_alg",
		".IDToken.KeyManagement":              "id_token_encrypted_response_alg",
		".IDToken.Content":                    "id_token_encrypted_response_enc",
		".UserInfo.Signing":                   "userinfo_signed_response_alg",
		".UserInfo.KeyManagement":             "userinfo_encrypted_response_alg",
		".UserInfo.Content":                   "userinfo_encrypted_response_enc",
		".Introspection.Signing":              "introspection_signed_response_alg",
		".Introspection.KeyManagement":        "introspection_encrypted_response_alg",
		".Introspection.Content":              "introspection_encrypted_response_enc",
		".Authorization.Signing":              "authorization_signed_response_alg",
		".Authorization.KeyManagement":        "authorization_encrypted_response_alg",
		".Authorization.Content":              "authorization_encrypted_response_enc",
		".RequestObject.Signing":              "request_object_signing_alg",
		".RequestObject.KeyManagement":        "request_object_encryption_alg",
		".RequestObject.Content":              "request_object_encryption_enc",
		".AuthSigningAlg":                     "token_endpoint_auth_signing_alg",
		".DefaultMaxAge.oneMore":              "default_max_age",
		".RequireAuthTime":                    "require_auth_time",
		".DefaultACRValues":                   "default_acr_values",
		".InitiateLoginURI":                   "initiate_login_uri",
		".RequestURIs":                        "request_uris",
		".PostLogoutRedirectURIs":             "post_logout_redirect_uris",
		".BackchannelLogout.URI":              "backchannel_logout_uri",
		".BackchannelLogout.SessionRequired":  "backchannel_logout_session_required",
		".FrontchannelLogout.URI":             "frontchannel_logout_uri",
		".FrontchannelLogout.SessionRequired": "frontchannel_logout_session_required",
		".RequireSignedRequestObject":         "require_signed_request_object",
		".RequirePAR":                         "require_pushed_authorization_requests",
		".RequirePKCE":                        "require_pkce",
		".DPoPBound":                          "dpop_bound_access_tokens",
		".CertificateBound":                   "tls_client_certificate_bound_access_tokens",
		".UseMTLSAliases":                     "use_mtls_endpoint_aliases",
		".AuthorizationDetailsTypes":          "authorization_details_types",
		".CIBA.DeliveryMode":                  "backchannel_token_delivery_mode",
		".CIBA.NotificationEndpoint":          "backchannel_client_notification_endpoint",
		".CIBA.RequestSigningAlg":             "backchannel_authentication_request_signing_alg",
		".CIBA.UserCode":                      "backchannel_user_code_parameter",
		".RefreshTokenRotation":               "refresh_token_rotation",
		".AccessTokenLifetime":                "access_token_lifetime",
		".IDTokenLifetime":                    "id_token_lifetime",
		".RefreshTokenLifetime":               "refresh_token_lifetime",
		".SkipConsent":                        "skip_consent",
		".Resources":                          "resources",
		".Owner":                              "owner",
		".Labels":                             "labels",
	}
	unset := settingsLeaves(Settings{})
	for f := range Fields() {
		var s Settings
		filledWith(t, f.Of(&s), "value")
		for path, value := range settingsLeaves(s) {
			if value != unset[path] {
				assert.Equal(t, f.String(), places[path], path)
			}
		}
	}
}
