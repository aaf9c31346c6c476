package rest_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// A hash of passlib 1.7.4, and its value.
const (
	importedHash  = "$pbkdf2-sha256$i=2500$MDEyMzQ1Njc4OWFiY2RlZvv/$NcPXZZEfugsHOW1ZLVhdYelAl57UDVUu0+NIKlGScM0"
	importedValue = "GeheimesWort-4711_fuer.Clientele"
)

// withField returns the JSON object with one more field.
func withField(object, field string) string { return strings.Replace(object, "{", "{"+field+",", 1) }

// An empty hash, as from an unset variable, must not create a new secret.
func TestAnEmptySecretHashIsRejected(t *testing.T) {
	s := newService(t)
	s.register(t, "plain", `"name":"Plain","redirect_uris":["https://a.example/cb"]`)
	for path, body := range map[string]string{clients: withField(webApp, `"secret_hash":""`), clients + "/plain/secrets": `{"secret_hash":""}`} {
		a := s.do(t, call{method: "POST", path: path, token: "admin", body: body})
		assert.Equal(t, http.StatusBadRequest, a.status, a.text)
		assert.Contains(t, a.text, `"field":"/secret_hash"`)
	}
}

func TestSecretsAreImportedOverHTTP(t *testing.T) { onBothStores(t, testImportedSecrets) }

func testImportedSecrets(t *testing.T, s service) {
	dry := s.do(t, call{method: "POST", path: clients + "?dry_run=true", token: "admin", body: withField(webApp, `"secret_hash":"`+importedHash+`"`)})
	require.Equal(t, 200, dry.status, dry.text)
	created := s.do(t, call{method: "POST", path: clients, token: "admin", body: withField(webApp, `"client_id":"moved","secret_hash":"`+importedHash+`"`)})
	require.Equal(t, 201, created.status, created.text)
	assert.Nil(t, created.data("client_secret"))
	path := clients + "/moved"

	verifiers := func() []any {
		a := s.do(t, call{method: "GET", path: path + "/secret-verifiers", token: "verifiers"})
		require.Equal(t, 200, a.status, a.text)
		list, _ := a.data("secret_verifiers").([]any)
		return list
	}
	require.Len(t, verifiers(), 1)
	first := verifiers()[0].(map[string]any)
	id := first["secret_id"]
	assert.Equal(t, map[string]any{"algorithm": "pbkdf2-sha256", "hash": importedHash, "secret_id": id}, first)

	verified := s.do(t, call{method: "POST", path: path + "/verify-secret", token: "verify", body: `{"secret":"` + importedValue + `"}`})
	require.Equal(t, 200, verified.status, verified.text)
	assert.Equal(t, map[string]any{"valid": true, "secret_id": id, "max_age_seconds": 0.0}, verified.body["data"])
	wrong := s.do(t, call{method: "POST", path: path + "/verify-secret", token: "verify", body: `{"secret":"x"}`})
	assert.Equal(t, map[string]any{"valid": false, "max_age_seconds": 0.0}, wrong.body["data"])
	require.Len(t, verifiers(), 1)
	first = verifiers()[0].(map[string]any)
	assert.Equal(t, []any{"sha-256", id}, []any{first["algorithm"], first["secret_id"]})
	assert.NotEqual(t, importedHash, first["hash"])
	read := s.do(t, call{method: "GET", path: path, token: "read"})
	assert.Equal(t, "tele", read.data("secret_last_four"))
	assert.Equal(t, `"1"`, read.header.Get("ETag"), "a replaced hash is no change")

	end := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	second := s.do(t, call{method: "POST", path: path + "/secrets", token: "admin", body: `{"secret_hash":"{SHA-256}` +
		`9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","expires_at":"` + end + `"}`})
	require.Equal(t, 201, second.status, second.text)
	assert.Nil(t, second.data("secret_value"))
	verified = s.do(t, call{method: "POST", path: path + "/verify-secret", token: "verify", body: `{"secret":"test"}`})
	assert.Equal(t, []any{true, second.data("secret_id"), end}, []any{verified.data("valid"), verified.data("secret_id"), verified.data("expires_at")})
	require.Len(t, verifiers(), 2)
	assert.Equal(t, map[string]any{
		"algorithm": "sha-256", "expires_at": end, "secret_id": second.data("secret_id"),
		"hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
	}, verifiers()[1])
	for _, part := range []string{"/secrets", "", "/revisions", "/revisions/1"} {
		a := s.do(t, call{method: "GET", path: path + part, token: "read"})
		assert.NotContains(t, a.text, "hash\"", part)
		assert.NotContains(t, a.text, "pbkdf2", part)
	}
	assert.NotContains(t, s.logs.String(), importedHash)
}

func TestOnlyAdministratorsImportSecrets(t *testing.T) {
	s := newService(t)
	id := s.create(t)
	for _, c := range []call{
		{method: "POST", path: clients, body: withField(webApp, `"secret_hash":"`+importedHash+`"`)},
		{method: "POST", path: clients + "?dry_run=true", body: withField(webApp, `"secret_hash":"`+importedHash+`"`)},
		{method: "POST", path: clients + "/" + id + "/secrets", body: `{"secret_hash":"` + importedHash + `"}`},
	} {
		c.token = "write"
		a := s.do(t, c)
		assert.Equal(t, http.StatusForbidden, a.status)
		assert.Equal(t, "administrator role required for secret_hash", a.body["message"])
		c.body = strings.NewReplacer(`"secret_hash":"`+importedHash+`",`, "", `"secret_hash":"`+importedHash+`"`, "").Replace(c.body)
		assert.Less(t, s.do(t, c).status, 300, "without a hash")
	}
	a := s.do(t, call{method: "GET", path: clients + "/" + id + "/secret-verifiers", token: "read"})
	assert.Equal(t, http.StatusForbidden, a.status)
	assert.Equal(t, "the scope clients:verifiers is required", a.body["message"])
	assert.Equal(t, `Bearer realm="clientele", error="insufficient_scope", scope="clients:verifiers"`, a.header.Get("WWW-Authenticate"))
}

func TestUnusableHashesAreRejected(t *testing.T) {
	s := newService(t)
	id := s.create(t)
	for name, tt := range map[string]struct {
		body string
		want map[string]string // rules by field
	}{
		"a plain secret":       {withField(webApp, `"secret_hash":"secret"`), map[string]string{"/secret_hash": "secret-hash-syntax"}},
		"too much work":        {withField(webApp, `"secret_hash":"$2a$31$9K0Gl4NmZcbkl6LbDKXIquYBM2Z2Tjne0lcLrVxyTL2HxYASyk1/K"`), map[string]string{"/secret_hash": "secret-hash-bounds"}},
		"a public client":      {`{"name":"App","is_confidential":false,"redirect_uris":["com.example:/cb"],"secret_hash":"` + importedHash + `"}`, map[string]string{"/secret_hash": "secret-hash-unused"}},
		"with another problem": {`{"secret_hash":"secret","scopes":7}`, map[string]string{"/secret_hash": "secret-hash-syntax", "/scopes": "contract", "/name": "name-required", "/redirect_uris": "grant-needs-redirect-uri"}},
		"a number":             {withField(webApp, `"secret_hash":7`), map[string]string{"/secret_hash": "contract"}},
		"too long":             {withField(webApp, `"secret_hash":"`+strings.Repeat("a", 513)+`"`), map[string]string{"/secret_hash": "contract"}},
	} {
		a := s.do(t, call{method: "POST", path: clients, token: "admin", body: tt.body})
		assert.Equal(t, 400, a.status, name)
		found := map[string]string{}
		list, _ := a.body["violations"].([]any)
		for _, v := range list {
			violation := v.(map[string]any)
			found[violation["field"].(string)] = violation["rule"].(string)
			assert.NotEmpty(t, violation["message"])
		}
		for field, rule := range tt.want {
			assert.Equal(t, rule, found[field], "%s: %s", name, a.text)
		}
	}
	a := s.do(t, call{method: "POST", path: clients + "/" + id + "/secrets", token: "admin", body: `{"secret_hash":"secret"}`})
	assert.Equal(t, 400, a.status)
	assert.Contains(t, a.text, `"/secret_hash"`)
	assert.Equal(t, 400, s.do(t, call{method: "PUT", path: clients + "/" + id, token: "admin", body: `{"secret_hash":"` + importedHash + `"}`}).status)
}

func TestVerificationsMayBeKept(t *testing.T) {
	s := newService(t, func(c *setup) { c.Registry.VerificationAge = 10 * time.Second })
	created := s.do(t, call{method: "POST", path: clients, token: "admin", body: withField(webApp, `"client_id":"app"`)})
	verified := s.do(t, call{method: "POST", path: clients + "/app/verify-secret", token: "verify", body: `{"secret":"` + created.data("client_secret").(string) + `"}`})
	assert.EqualValues(t, 10, verified.data("max_age_seconds"))
	assert.Nil(t, verified.data("expires_at"))
}

func TestTooManySlowVerificationsAre503(t *testing.T) {
	s := newService(t, func(c *setup) { c.Registry.Hashes = busyHashes{c.Registry.Hashes} })
	s.do(t, call{method: "POST", path: clients, token: "admin", body: withField(webApp, `"client_id":"app","secret_hash":"`+importedHash+`"`)})
	a := s.do(t, call{method: "POST", path: clients + "/app/verify-secret", token: "verify", body: `{"secret":"x"}`})
	assert.Equal(t, http.StatusServiceUnavailable, a.status, a.text)
	assert.Equal(t, "1", a.header.Get("Retry-After"))
	assert.Contains(t, a.body["message"], "hashes of other systems")
}

// busyHashes has no room for a verification.
type busyHashes struct{ application.SecretHashes }

func (busyHashes) Verify(context.Context, domain.TenantID, domain.ClientID, string, string) (bool, error) {
	return false, application.ErrTooManyVerifications
}
