package statements_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// basicIssuer is an issuer whose claims have the names of client metadata (RFC 7591 §2.3).
func basicIssuer(t testing.TB) domain.StatementIssuer {
	t.Helper()
	return domain.StatementIssuer{Issuer: "https://directory.example", Keys: keySet(t, issuerKey(), ellipticKey()), Algorithms: []string{"PS256", "ES256"}, MaxAge: 10 * time.Minute}
}

// basicClaims are the claims of a valid statement of basicIssuer.
func basicClaims() claims {
	return claims{
		"iss": "https://directory.example", "iat": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix(), "jti": "1",
		"software_id": "app-7", "client_name": "App", "redirect_uris": []string{"https://app.example/cb"}, "scope": "openid accounts",
	}
}

// outcome names the kind of an error.
func outcome(err error) string {
	var statement *application.StatementError
	switch {
	case err == nil:
		return "accepted"
	case !errors.As(err, &statement):
		return "failed: " + err.Error()
	case statement.Reason == application.StatementInvalidRequest:
		return "request: " + statement.Message
	case statement.Reason == application.StatementUnapproved:
		return "unapproved: " + statement.Message
	default:
		return "rejected: " + statement.Message
	}
}

func TestStatementsAreAcceptedOnlyIfEveryCheckPasses(t *testing.T) {
	signed := func(edits claims) func(t *testing.T) string {
		return func(t *testing.T) string { return issuerKey().sign(t, jwa.PS256, basicClaims().with(edits), nil) }
	}
	headed := func(header map[string]any) func(t *testing.T) string {
		return func(t *testing.T) string { return issuerKey().sign(t, jwa.PS256, basicClaims(), header) }
	}
	literal := func(text string) func(t *testing.T) string { return func(*testing.T) string { return text } }
	seconds := func(d time.Duration) int64 { return now.Add(d).Unix() }
	segment := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	const malformed = "rejected: the software statement is malformed"
	for name, tt := range map[string]struct {
		text   func(t *testing.T) string
		change func(*domain.StatementIssuer)
		want   string
	}{
		"a valid one":               {text: signed(nil), want: "accepted"},
		"one signed with ES256":     {text: func(t *testing.T) string { return ellipticKey().sign(t, jwa.ES256, basicClaims(), nil) }, want: "accepted"},
		"one that is too long":      {text: signed(claims{"x": strings.Repeat("x", 16<<10)}), want: malformed},
		"an empty one":              {text: literal(""), want: malformed},
		"one in JSON serialization": {text: literal(`{"payload":"e30","signatures":[]}`), want: malformed},
		"an encrypted one":          {text: literal("e30.AA.AA.AA.AA"), want: malformed},
		"an unsigned one":           {text: literal(segment(`{"alg":"none"}`) + "." + segment(`{"iss":"https://directory.example"}`) + "."), want: malformed},
		"one with alg none":         {text: literal(segment(`{"alg":"none"}`) + "." + segment(`{"iss":"https://directory.example"}`) + ".AA"), want: "rejected: the alg"},
		"one without an issuer":     {text: signed(claims{"iss": nil}), want: "rejected: the issuer"},
		"one without an issuer, by one without a name": {
			text: signed(claims{"iss": nil}), change: func(i *domain.StatementIssuer) { i.Issuer = "" }, want: "rejected: the issuer",
		},
		"one by an unknown issuer":      {text: signed(claims{"iss": "https://directory.example/"}), want: "rejected: the issuer"},
		"one by an issuer of type list": {text: signed(claims{"iss": []string{"https://directory.example"}}), want: malformed},
		"an algorithm that is not the issuer's": {
			text: func(t *testing.T) string { return issuerKey().sign(t, jwa.RS256, basicClaims(), nil) }, want: "rejected: the alg",
		},
		"an algorithm if none is configured": {
			text: signed(nil), change: func(i *domain.StatementIssuer) { i.Algorithms = nil }, want: "rejected: the alg",
		},
		"a shared secret, even if it is configured": {
			text: func(t *testing.T) string {
				return literal(segment(`{"alg":"HS256","kid":"issuer-1"}`) + "." + segment(`{"iss":"https://directory.example"}`) + ".AA")(t)
			},
			change: func(i *domain.StatementIssuer) { i.Algorithms = []string{"HS256"} }, want: "rejected: the issuer has no key",
		},
		"the type of an access token": {text: headed(map[string]any{"typ": "at+jwt"}), want: "rejected: the alg or typ"},
		"an extension":                {text: headed(map[string]any{"crit": []string{"x"}}), want: malformed},
		"an unknown kid": {
			text: func(t *testing.T) string {
				return signingKey{"issuer-2", issuerKey().private}.sign(t, jwa.PS256, basicClaims(), nil)
			},
			want: "rejected: the issuer has no key",
		},
		"the kid of a key for another algorithm": {
			text: func(t *testing.T) string {
				return signingKey{ellipticKey().id, issuerKey().private}.sign(t, jwa.PS256, basicClaims(), nil)
			},
			want: "rejected: the issuer has no key",
		},
		"no kid": {
			text: func(t *testing.T) string {
				return signingKey{"", issuerKey().private}.sign(t, jwa.PS256, basicClaims(), nil)
			},
			want: "accepted",
		},
		"the signature of another key": {
			text: func(t *testing.T) string { return otherKey().sign(t, jwa.PS256, basicClaims(), nil) }, want: "rejected: the signature",
		},
		"another key in the header": {
			text: func(t *testing.T) string {
				return otherKey().sign(t, jwa.PS256, basicClaims(), map[string]any{"jwk": otherKey().public(t)})
			},
			want: "rejected: the signature",
		},
		"the location of another key in the header": {
			text: func(t *testing.T) string {
				keys := newSite(t, false, keySet(t, otherKey()))
				t.Cleanup(func() { assert.Zero(t, keys.requests.Load()) })
				return otherKey().sign(t, jwa.PS256, basicClaims(), map[string]any{"jku": keys.url, "x5u": keys.url})
			},
			want: "rejected: the signature",
		},
		"a changed payload": {
			text: func(t *testing.T) string {
				parts := strings.Split(signed(nil)(t), ".")
				return parts[0] + "." + segment(`{"iss":"https://directory.example"}`) + "." + parts[2]
			},
			want: "rejected: the signature",
		},
		"one that expired within the tolerance": {text: signed(claims{"exp": seconds(-59 * time.Second)}), want: "accepted"},
		"one that expired":                      {text: signed(claims{"exp": seconds(-time.Minute)}), want: "rejected: the software statement: it has expired"},
		"an exp of another type":                {text: signed(claims{"exp": "tomorrow"}), want: "rejected: the software statement: exp"},
		"no exp":                                {text: signed(claims{"exp": nil}), want: "accepted"},
		"no exp if it is required": {
			text: signed(claims{"exp": nil}), change: func(i *domain.StatementIssuer) { i.RequireExpiry = true },
			want: "rejected: the software statement: exp is missing",
		},
		"one that is not valid yet":                {text: signed(claims{"nbf": seconds(61 * time.Second)}), want: "rejected: the software statement: it is not valid yet"},
		"one that is valid within the tolerance":   {text: signed(claims{"nbf": seconds(time.Minute)}), want: "accepted"},
		"no iat":                                   {text: signed(claims{"iat": nil}), want: "rejected: the software statement: iat is missing"},
		"an iat in the future":                     {text: signed(claims{"iat": seconds(61 * time.Second)}), want: "rejected: the software statement: it was issued in the future"},
		"an iat at the maximum age":                {text: signed(claims{"iat": seconds(-11*time.Minute + time.Second)}), want: "accepted"},
		"an iat beyond the maximum age":            {text: signed(claims{"iat": seconds(-11 * time.Minute)}), want: "rejected: the software statement: it is too old"},
		"an iat beyond the configured age":         {text: signed(claims{"iat": seconds(-2 * time.Minute)}), change: func(i *domain.StatementIssuer) { i.MaxAge = time.Minute }, want: "rejected: the software statement: it is too old"},
		"an old iat within the configured age":     {text: signed(claims{"iat": seconds(-time.Hour)}), change: func(i *domain.StatementIssuer) { i.MaxAge = 2 * time.Hour }, want: "accepted"},
		"no jti":                                   {text: signed(claims{"jti": nil}), want: "accepted"},
		"no jti if it is for one use":              {text: signed(claims{"jti": nil}), change: func(i *domain.StatementIssuer) { i.OnceOnly = true }, want: "rejected: the software statement has no jti"},
		"a jti of another type for one use":        {text: signed(claims{"jti": 1}), change: func(i *domain.StatementIssuer) { i.OnceOnly = true }, want: "rejected: the software statement has no jti"},
		"no software_id":                           {text: signed(claims{"software_id": nil}), want: "accepted"},
		"no software_id if it is unique":           {text: signed(claims{"software_id": nil}), change: func(i *domain.StatementIssuer) { i.UniqueSoftware = true }, want: "rejected: the software statement has no software_id"},
		"an empty software_id if it is unique":     {text: signed(claims{"software_id": ""}), change: func(i *domain.StatementIssuer) { i.UniqueSoftware = true }, want: "rejected: the software statement has no software_id"},
		"no required claim":                        {text: signed(nil), change: active, want: "unapproved: the software is not admitted: the claim org_status"},
		"another value of a required claim":        {text: signed(claims{"org_status": "Revoked"}), change: active, want: "unapproved: "},
		"another type of a required claim":         {text: signed(claims{"org_status": []string{"Active"}}), change: active, want: "unapproved: "},
		"the required value":                       {text: signed(claims{"org_status": "Active"}), change: active, want: "accepted"},
		"no role":                                  {text: signed(nil), change: roles, want: "unapproved: the software is not admitted: it has none"},
		"another role":                             {text: signed(claims{"software_roles": []string{"PISP"}}), change: roles, want: "unapproved: "},
		"an admitted role":                         {text: signed(claims{"software_roles": []string{"PISP", "AISP"}}), change: roles, want: "accepted"},
		"redirect_uris of another type":            {text: signed(claims{"redirect_uris": "https://app.example/cb"}), want: "rejected: the software statement: the claim redirect_uris"},
		"a redirect URI that is not a string":      {text: signed(claims{"redirect_uris": []any{"https://app.example/cb", 1}}), want: "rejected: the software statement: the claim redirect_uris"},
		"a scope of another type":                  {text: signed(claims{"scope": []string{"openid"}}), want: "rejected: the software statement: the claim scope"},
		"a software_id of another type":            {text: signed(claims{"software_id": 7}), want: "rejected: the software statement: the claim software_id"},
		"keys of another type":                     {text: signed(claims{"jwks": []string{"x"}}), want: "rejected: the software statement: the claim jwks"},
		"a signed request that is required":        {text: signed(nil), change: func(i *domain.StatementIssuer) { i.RequestJWT = true }, want: "request: a software statement of this issuer"},
		"keys of the issuer that are not readable": {text: signed(nil), change: func(i *domain.StatementIssuer) { i.Keys = "[]" }, want: "failed: "},
	} {
		t.Run(name, func(t *testing.T) {
			issuer := basicIssuer(t)
			if tt.change != nil {
				tt.change(&issuer)
			}
			another := domain.StatementIssuer{Issuer: "another", Keys: keySet(t, otherKey()), Algorithms: []string{"PS256", "RS256"}}
			statement, err := verifierWithoutSites(t).Verify(t.Context(), []domain.StatementIssuer{another, issuer}, tt.text(t), now)
			assert.True(t, strings.HasPrefix(outcome(err), tt.want), outcome(err))
			if err != nil {
				assert.Zero(t, statement)
			}
		})
	}
}

func active(i *domain.StatementIssuer) { i.Required = map[string]string{"org_status": "Active"} }

func roles(i *domain.StatementIssuer) {
	i.RoleClaim, i.Roles = "software_roles", map[string][]domain.Scope{"AISP": {"accounts"}}
}

func TestTheIdentifierOfAStatementIsForItsIssuerUntilItExpires(t *testing.T) {
	issuer := basicIssuer(t)
	issuer.OnceOnly, issuer.UniqueSoftware = true, true
	verify := func(edits claims) domain.Statement {
		text := issuerKey().sign(t, jwa.PS256, basicClaims().with(edits), nil)
		statement, err := verifierWithoutSites(t).Verify(t.Context(), []domain.StatementIssuer{issuer}, text, now)
		require.NoError(t, err)
		assert.Equal(t, text, statement.Text)
		return statement
	}
	statement := verify(nil)
	digest := sha256.Sum256([]byte("https://directory.example\x001"))
	assert.Equal(t, &digest, statement.ID)
	assert.Equal(t, now.Add(61*time.Minute), statement.ExpiresAt.UTC(), "a raised max_age would accept it until it expires")
	assert.Equal(t, "app-7", statement.SoftwareID)
	assert.True(t, statement.UniqueSoftware)
	assert.Equal(t, now.Add(10*time.Minute), verify(claims{"exp": now.Add(time.Minute).Unix()}).ExpiresAt.UTC(), "as long as the maximum age")
	assert.Equal(t, now.Add(domain.MaxStatementAge), verify(claims{"exp": 253402300799}).ExpiresAt.UTC(), "in the year 9999: later it is too old by any max_age")
	assert.Equal(t, now.Add(domain.MaxStatementAge), verify(claims{"exp": nil}).ExpiresAt.UTC(), "as long as any max_age would accept it")
	assert.NotEqual(t, statement.ID, verify(claims{"jti": "2"}).ID)
	issuer.OnceOnly, issuer.UniqueSoftware = false, false
	statement = verify(nil)
	assert.Nil(t, statement.ID)
	assert.False(t, statement.UniqueSoftware)
}

func TestTheKeysOfAnIssuerAreFetchedAndKept(t *testing.T) {
	keys := newSite(t, false, keySet(t, issuerKey()))
	clock := &manualClock{}
	verifier := newVerifier(t, clock)
	issuer := basicIssuer(t)
	issuer.Keys, issuer.JWKSURI, issuer.MaxAge = "", keys.url, time.Hour
	verify := func(key signingKey) string {
		text := key.sign(t, jwa.PS256, basicClaims(), nil)
		_, err := verifier.Verify(t.Context(), []domain.StatementIssuer{issuer}, text, now)
		if err != nil && !errors.As(err, new(*application.StatementError)) {
			require.ErrorIs(t, err, application.ErrUnavailable)
			return "unavailable"
		}
		return outcome(err)
	}
	renewed := signingKey{"issuer-2", otherKey().private}
	for range 3 {
		assert.Equal(t, "accepted", verify(issuerKey()))
		assert.Contains(t, verify(renewed), "no key")
	}
	assert.Equal(t, int64(1), keys.requests.Load())

	keys.set(http.StatusOK, keySet(t, issuerKey(), renewed))
	clock.advance(10 * time.Second)
	assert.Equal(t, "accepted", verify(renewed), "an unknown kid causes the keys to be read again")
	assert.Equal(t, int64(2), keys.requests.Load())

	keys.set(http.StatusInternalServerError, "")
	clock.advance(14 * time.Minute)
	assert.Equal(t, "accepted", verify(issuerKey()), "the last keys are used while they cannot be read")
	clock.advance(2 * time.Minute)
	assert.Equal(t, "unavailable", verify(issuerKey()))
	for _, text := range []string{"x", "{}", `{"keys":[]}` + strings.Repeat(" ", domain.MaxKeySetBytes)} {
		keys.set(http.StatusOK, text)
		clock.advance(2 * time.Second)
		assert.Equal(t, "unavailable", verify(issuerKey()))
	}
	keys.set(http.StatusOK, keySet(t, issuerKey()))
	clock.advance(2 * time.Second)
	assert.Equal(t, "accepted", verify(issuerKey()))
}

func TestAStatementWithoutAKidIsVerifiedWithNewKeys(t *testing.T) {
	keys := newSite(t, false, keySet(t, otherKey()))
	clock := &manualClock{}
	verifier := newVerifier(t, clock)
	issuer := basicIssuer(t)
	issuer.Keys, issuer.JWKSURI = "", keys.url
	text := signingKey{"", issuerKey().private}.sign(t, jwa.PS256, basicClaims(), nil)
	verify := func() string {
		_, err := verifier.Verify(t.Context(), []domain.StatementIssuer{issuer}, text, now)
		return outcome(err)
	}
	assert.Contains(t, verify(), "signature")
	keys.set(http.StatusOK, keySet(t, issuerKey()))
	assert.Contains(t, verify(), "signature", "the keys were read a moment ago")
	clock.advance(10 * time.Second)
	assert.Equal(t, "accepted", verify())
}

func TestKeysOfIssuersAreFetchedOverHTTPOnlyFromThisMachine(t *testing.T) {
	issuer := basicIssuer(t)
	issuer.Keys = ""
	text := issuerKey().sign(t, jwa.PS256, basicClaims(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nothing is fetched
	for uri, want := range map[string]string{
		"http://directory.example/keys": "must be an https URL", "ftp://localhost/keys": "must be an https URL", "/keys": "must be an https URL",
		"http://192.0.2.1/keys": "must be an https URL", "%": "must be an https URL",
	} {
		issuer.JWKSURI = uri
		_, err := verifierWithoutSites(t).Verify(t.Context(), []domain.StatementIssuer{issuer}, text, now)
		require.ErrorIs(t, err, application.ErrUnavailable, uri)
		require.ErrorContains(t, err, want, uri)
	}
	issuer.JWKSURI = "https://directory.example/keys"
	_, err := verifierWithoutSites(t).Verify(ctx, []domain.StatementIssuer{issuer}, text, now)
	require.ErrorIs(t, err, application.ErrUnavailable)
}
