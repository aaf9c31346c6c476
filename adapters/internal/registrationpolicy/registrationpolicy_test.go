package registrationpolicy_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/adapters/internal/registrationpolicy"
	"github.com/clientele-oauth/clientele/domain"
)

const everyPlace = registrationpolicy.InFile | registrationpolicy.InToken | registrationpolicy.InDocuments | registrationpolicy.Stored

// object decodes a JSON object.
func object(t require.TestingT, text string) map[string]any {
	var decoded map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &decoded), text)
	return decoded
}

// given returns a value of the type that is not the zero value.
func given(t *testing.T, of reflect.Type) reflect.Value {
	t.Helper()
	value := reflect.New(of).Elem()
	switch of.Kind() {
	case reflect.Bool:
		value.SetBool(true)
	case reflect.Int, reflect.Int64:
		value.SetInt(int64(time.Minute))
	case reflect.String:
		value.SetString("x")
	case reflect.Slice:
		value.Set(reflect.MakeSlice(of, 1, 1))
		value.Index(0).SetString("x")
	case reflect.Map:
		value.Set(reflect.MakeMap(of))
		value.SetMapIndex(reflect.ValueOf("example.com/a"), reflect.ValueOf("b"))
	default:
		require.Fail(t, "a field of an unknown type", of)
	}
	return value
}

// A field that has no row would be lost in stores.
func TestEachFieldHasOneKeyAndIsReadAsItWasWritten(t *testing.T) {
	covered := map[string]bool{}
	fields := reflect.TypeFor[domain.RegistrationPolicy]()
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		var policy domain.RegistrationPolicy
		reflect.ValueOf(&policy).Elem().Field(i).Set(given(t, fields.Field(i).Type))
		text := registrationpolicy.Encode(policy)
		written := object(t, string(text))
		require.Len(t, written, 1, "%s is written as %s", name, text)
		for key := range written {
			assert.False(t, covered[key], "%s has the key %s of another field", name, key)
			covered[key] = true
		}
		back, err := registrationpolicy.Decode(text)
		require.NoError(t, err, name)
		assert.Equal(t, policy, back, name)
	}
	for _, key := range registrationpolicy.Keys(everyPlace) {
		assert.True(t, covered[key], "the key %s has no field", key)
	}
	assert.Len(t, registrationpolicy.Keys(everyPlace), len(covered))
	assert.Equal(t, registrationpolicy.Keys(everyPlace), registrationpolicy.Keys(registrationpolicy.Stored), "each key can be stored")
}

// An empty list allows nothing, and a missing one everything: they must not be mixed up.
func TestEmptyListsStayDifferentFromMissingOnes(t *testing.T) {
	empty := domain.RegistrationPolicy{Scopes: []domain.Scope{}, Grants: []domain.GrantType{}, Issuers: []string{}, Labels: map[string]string{}}
	text := registrationpolicy.Encode(empty)
	assert.JSONEq(t, `{"grants":[],"scopes":[],"labels":{},"issuers":[]}`, string(text))
	back, err := registrationpolicy.Decode(text)
	require.NoError(t, err)
	assert.Equal(t, empty, back)
	assert.JSONEq(t, `{}`, string(registrationpolicy.Encode(domain.RegistrationPolicy{})))
}

func TestTheKeysAreThoseOfTheirPlaces(t *testing.T) {
	for name, row := range map[string]struct {
		place   registrationpolicy.Place
		missing []string
	}{
		"a tenant":                {registrationpolicy.InFile, []string{"issuers"}},
		"an initial access token": {registrationpolicy.InToken, []string{"open", "unused_ttl", "cors"}},
		"the documents of a host": {registrationpolicy.InDocuments, []string{
			"open", "initial_status", "statement", "issuers", "max_clients", "secret_ttl", "unused_ttl", "management", "rotate_on_update", "cors",
		}},
	} {
		keys := registrationpolicy.Keys(row.place)
		for _, key := range registrationpolicy.Keys(registrationpolicy.Stored) {
			_, breaches := registrationpolicy.Read(map[string]any{key: nil}, row.place, "/policy")
			require.Len(t, breaches, 1)
			assert.Equal(t, "/policy/"+key, breaches[0].Pointer, name)
			unknown := strings.HasPrefix(breaches[0].Message, "unknown key")
			assert.Equal(t, unknown, !slices.Contains(keys, key), "%s: %s: %s", name, key, breaches[0].Message)
			assert.Equal(t, slices.Contains(row.missing, key), unknown, "%s: %s", name, key)
		}
	}
}

func TestReadReadsEveryKey(t *testing.T) {
	policy, breaches := registrationpolicy.Read(object(t, `{
		"open": true, "redirect_hosts": ["*.example.com", "localhost", "127.0.0.1", "[::1]"], "redirect_kinds": ["https", "loopback", "private-use"],
		"grants": ["authorization_code", "urn:example:grant"], "response_types": ["code", "code id_token"], "auth_methods": ["none", "private_key_jwt"],
		"scopes": ["openid", "https://api.example.com/read"], "default_scopes": [], "resources": ["https://api.example.com"],
		"authorization_details_types": ["payment"], "profile": "fapi2", "require_pkce": true, "par": true, "dpop": true, "mtls": false, "signed_requests": true,
		"initial_status": "suspended", "labels": {"example.com/tier": "gold"}, "owner": "payments", "access_token_lifetime": 300, "id_token_lifetime": 600,
		"refresh_token_lifetime": 86400, "link_hosts": false, "statement": "required", "max_clients": 5, "secret_ttl": "24h", "unused_ttl": 3600,
		"management": false, "rotate_on_update": true, "cors": true}`), registrationpolicy.InFile, "")
	require.Empty(t, breaches)
	assert.Equal(t, domain.RegistrationPolicy{
		Open: true, RedirectHosts: []string{"*.example.com", "localhost", "127.0.0.1", "[::1]"},
		RedirectKinds: []domain.RedirectKind{domain.RedirectHTTPS, domain.RedirectLoopback, domain.RedirectPrivateUse},
		Grants:        []domain.GrantType{"authorization_code", "urn:example:grant"}, ResponseTypes: []domain.ResponseType{"code", "code id_token"},
		AuthMethods: []domain.AuthMethod{"none", "private_key_jwt"}, Scopes: []domain.Scope{"openid", "https://api.example.com/read"}, DefaultScopes: []domain.Scope{},
		Resources: []string{"https://api.example.com"}, AuthorizationDetailsTypes: []string{"payment"}, Profile: domain.ProfileFAPI2, RequirePKCE: true, PAR: true,
		DPoP: true, SignedRequests: true, InitialStatus: domain.StatusSuspended, Labels: map[string]string{"example.com/tier": "gold"}, Owner: "payments",
		AccessTokenLifetime: 300, IDTokenLifetime: 600, RefreshTokenLifetime: 86400, LinkHosts: domain.LinkHostsOff, Statement: domain.StatementRequired,
		MaxClients: 5, SecretTTL: 24 * time.Hour, UnusedTTL: time.Hour, Unmanaged: true, RotateOnUpdate: true, CORS: true,
	}, policy)
	none, breaches := registrationpolicy.Read(object(t, `{"profile": "none", "management": true, "secret_ttl": 0}`), registrationpolicy.InFile, "")
	require.Empty(t, breaches)
	assert.Equal(t, domain.RegistrationPolicy{}, none)
}

func TestReadRejectsWithThePointer(t *testing.T) {
	many := `["` + strings.Repeat(`x", "`, 100) + `x"]`
	for text, want := range map[string]contract.Breach{
		`{"grant": []}`:                                 {Pointer: "/p/grant", Message: "unknown key; did you mean grants?"},
		`{"redirect_host": []}`:                         {Pointer: "/p/redirect_host", Message: "unknown key; did you mean redirect_hosts?"},
		`{"skip_consent": true}`:                        {Pointer: "/p/skip_consent", Message: "unknown key"},
		`{"a/b~": 1}`:                                   {Pointer: "/p/a~1b~0", Message: "unknown key"},
		`{"open": "true"}`:                              {Pointer: "/p/open", Message: "must be true or false"},
		`{"open": null}`:                                {Pointer: "/p/open", Message: "must be true or false"},
		`{"scopes": "openid"}`:                          {Pointer: "/p/scopes", Message: "must be an array of strings"},
		`{"scopes": null}`:                              {Pointer: "/p/scopes", Message: "must be an array of strings"},
		`{"scopes": ["openid", 1]}`:                     {Pointer: "/p/scopes/1", Message: "must be a string"},
		`{"scopes": ["openid", "a b"]}`:                 {Pointer: "/p/scopes/1", Message: "must be one scope"},
		`{"scopes": ["a", "b", "a"]}`:                   {Pointer: "/p/scopes/2", Message: "duplicate of /p/scopes/0"},
		`{"authorization_details_types": ` + many + `}`: {Pointer: "/p/authorization_details_types", Message: "must have at most 100 elements"},
		`{"owner": "` + strings.Repeat("x", 513) + `"}`: {Pointer: "/p/owner", Message: "must have at most 512 bytes"},
		`{"owner": "` + strings.Repeat("x", 129) + `"}`: {Pointer: "/p/owner", Message: "at most 128 characters"},
		`{"labels": {"example.com/a": "` + strings.Repeat("x", 257) + `"}}`: {Pointer: "/p/labels/example.com~1a", Message: "at most 256 characters"},
		`{"default_scopes": ["a", "` + strings.Repeat("x", 257) + `"]}`:     {Pointer: "/p/default_scopes/1", Message: "at most 256 characters"},
		`{"resources": [` + resources(51) + `]}`:                            {Pointer: "/p/resources", Message: "at most 50"},
		`{"access_token_lifetime": 2592001}`:                                {Pointer: "/p/access_token_lifetime", Message: "2592000"},
		`{"owner": ""}`:                                                     {Pointer: "/p/owner", Message: "must not be empty"},
		`{"owner": "a\u0000"}`:                                              {Pointer: "/p/owner", Message: "must not have control characters"},
		`{"labels": []}`:                                                    {Pointer: "/p/labels", Message: "must be an object of strings"},
		`{"labels": {"example.com/a": 1}}`:                                  {Pointer: "/p/labels/example.com~1a", Message: "must be a string"},
		`{"labels": {"` + strings.Repeat("x", 129) + `": ""}}`:              {Pointer: "/p/labels/" + strings.Repeat("x", 100) + "…", Message: "the name must have at most 128 bytes"},
		`{"grants": ["authorisation_code"]}`:                                {Pointer: "/p/grants/0", Message: "must be one of authorization_code"},
		`{"response_types": ["code  id_token"]}`:                            {Pointer: "/p/response_types/0", Message: "must be words such as code"},
		`{"auth_methods": ["basic"]}`:                                       {Pointer: "/p/auth_methods/0", Message: "must be one of none, client_secret_basic"},
		`{"redirect_kinds": ["http"]}`:                                      {Pointer: "/p/redirect_kinds/0", Message: "must be one of https, loopback, private-use"},
		`{"resources": ["api"]}`:                                            {Pointer: "/p/resources/0", Message: "must be an absolute URI"},
		`{"resources": ["https://a.example/#x"]}`:                           {Pointer: "/p/resources/0", Message: "must not have a fragment"},
		`{"profile": "fapi3"}`:                                              {Pointer: "/p/profile", Message: "must be one of none, fapi1, fapi2, fapi1-baseline"},
		`{"initial_status": "deleted"}`:                                     {Pointer: "/p/initial_status", Message: "must be one of active, suspended"},
		`{"initial_status": false}`:                                         {Pointer: "/p/initial_status", Message: "must be a string"},
		`{"link_hosts": true}`:                                              {Pointer: "/p/link_hosts", Message: "must be a string"},
		`{"link_hosts": ""}`:                                                {Pointer: "/p/link_hosts", Message: "must be one of require, warn, off"},
		`{"statement": "maybe"}`:                                            {Pointer: "/p/statement", Message: "must be one of required, optional, none"},
		`{"max_clients": 0}`:                                                {Pointer: "/p/max_clients", Message: "must be between 1 and 1000000000"},
		`{"max_clients": 1.5}`:                                              {Pointer: "/p/max_clients", Message: "must be a whole number"},
		`{"max_clients": 1e300}`:                                            {Pointer: "/p/max_clients", Message: "must be a whole number"},
		`{"access_token_lifetime": -1}`:                                     {Pointer: "/p/access_token_lifetime", Message: "must be between 1 and"},
		`{"secret_ttl": "1 day"}`:                                           {Pointer: "/p/secret_ttl", Message: "must be a duration"},
		`{"secret_ttl": "1500ms"}`:                                          {Pointer: "/p/secret_ttl", Message: "must be a duration"},
		`{"secret_ttl": "-1h"}`:                                             {Pointer: "/p/secret_ttl", Message: "must be a duration"},
		`{"secret_ttl": 1.5}`:                                               {Pointer: "/p/secret_ttl", Message: "must be a duration"},
		`{"unused_ttl": true}`:                                              {Pointer: "/p/unused_ttl", Message: "must be a duration"},
	} {
		_, breaches := registrationpolicy.Read(object(t, text), registrationpolicy.InFile, "/p")
		require.Len(t, breaches, 1, text)
		assert.Equal(t, want.Pointer, breaches[0].Pointer, text)
		assert.Contains(t, breaches[0].Message, want.Message, text)
	}
}

// resources returns so many elements of a JSON array.
func resources(number int) string {
	elements := make([]string, number)
	for i := range elements {
		elements[i] = fmt.Sprintf(`"https://a.example/%d"`, i)
	}
	return strings.Join(elements, ",")
}

// A suffix without a label boundary would also match attackerexample.com.
func TestPatternsOfHostsAreHostsOrWholeDomains(t *testing.T) {
	for _, pattern := range []string{
		"example.com", "app.example.com", "*.example.com", "localhost", "127.0.0.1", "[::1]", "[2001:db8::1]", "xn--bcher-kva.example", "a_b.internal",
	} {
		assert.Empty(t, registrationpolicy.HostFault(pattern), pattern)
	}
	for pattern, want := range map[string]string{
		"*": "omit the list", "*example.com": "only as the first label", "app.*.com": "only as the first label", "*.*.example.com": "only as the first label",
		".example.com": "not empty", "example.com.": "not empty", "example..com": "not empty", "*.": "not empty", "": "not empty", "-a.example": "not empty",
		"https://example.com": "without a scheme", "example.com:443": "without a scheme", "example.com/cb": "without a scheme", "a@example.com": "without a scheme",
		"Example.com": "lower case", "bücher.example": "ASCII form", "exa mple.com": "a-z", "::1": "without a scheme", "[127.0.0.1]": "a-z", "*.127.0.0.1": "must be a host",
		"[fe80::1%25eth0]": "a-z", strings.Repeat("a", 64) + ".example": "not empty", strings.Repeat("a.", 127) + "example": "must be a host", "[::1": "a-z",
	} {
		assert.Contains(t, registrationpolicy.HostFault(pattern), want, pattern)
	}
}

func TestDecodeRejectsOtherTexts(t *testing.T) {
	for _, text := range []string{``, `null`, `[]`, `"x"`, `{`, `{"scopes": "openid"}`, `{"secret_ttl": 1e15}`} {
		_, err := registrationpolicy.Decode([]byte(text))
		require.Error(t, err, text)
	}
	// Bounds may change, and later versions add keys; what is stored stays readable.
	policy, err := registrationpolicy.Decode([]byte(`{"later": 1, "grants": ["later"], "link_hosts": "later", "redirect_hosts": ["*"], "max_clients": 0}`))
	require.NoError(t, err)
	assert.Equal(t, domain.RegistrationPolicy{Grants: []domain.GrantType{"later"}, LinkHosts: "later", RedirectHosts: []string{"*"}}, policy)
}

// drawn draws a policy.
func drawn(t *rapid.T) domain.RegistrationPolicy {
	var policy domain.RegistrationPolicy
	value := reflect.ValueOf(&policy).Elem()
	for i := range value.NumField() {
		field, name := value.Field(i), value.Type().Field(i).Name
		if !rapid.Bool().Draw(t, name+" is given") {
			continue
		}
		switch field.Kind() {
		case reflect.Bool:
			field.SetBool(true)
		case reflect.Int, reflect.Int64:
			number := rapid.Int64Range(1, 1<<31).Draw(t, name)
			if field.Type() == reflect.TypeFor[time.Duration]() {
				number *= int64(time.Second)
			}
			field.SetInt(number)
		case reflect.String:
			field.SetString(rapid.StringN(1, 20, -1).Draw(t, name))
		case reflect.Slice:
			elements := rapid.SliceOfN(rapid.String(), 0, 5).Draw(t, name)
			field.Set(reflect.MakeSlice(field.Type(), len(elements), len(elements)))
			for j, element := range elements {
				field.Index(j).SetString(element)
			}
		default:
			field.Set(reflect.ValueOf(rapid.MapOfN(rapid.String(), rapid.String(), 0, 5).Draw(t, name)))
		}
	}
	return policy
}

func TestEveryPolicyIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy := drawn(t)
		if policy.Profile == contract.NoProfile {
			policy.Profile = domain.ProfileNone
		}
		back, err := registrationpolicy.Decode(registrationpolicy.Encode(policy))
		require.NoError(t, err)
		require.Equal(t, policy, back)
	})
}
