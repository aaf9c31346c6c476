package tokens_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/tokens"
	"github.com/clientele-oauth/clientele/application"
)

// edKey is an Ed25519 key that signs any text as header and payload.
type edKey struct {
	private ed25519.PrivateKey
	kid     string
}

func newEdKey(t testing.TB, kid string) edKey {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	return edKey{private, kid}
}

// jwk returns the public key with additional members, each after a comma.
func (k edKey) jwk(additional string) string {
	public := k.private.Public().(ed25519.PublicKey)
	return fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","x":%q,"kid":%q%s}`, base64.RawURLEncoding.EncodeToString(public), k.kid, additional)
}

func (k edKey) source() tokens.KeySource { return textSource(`{"keys":[` + k.jwk("") + `]}`) }

func textSource(text string) tokens.KeySource {
	return func(context.Context) ([]byte, error) { return []byte(text), nil }
}

// sign signs a header and a payload exactly as they are.
func (k edKey) sign(header, payload string) string {
	signed := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(k.private, []byte(signed)))
}

const (
	edHeader  = `{"alg":"EdDSA","typ":"at+jwt","kid":"k1"}`
	edPayload = `{"iss":"https://issuer.example","aud":"clientele","sub":"alice","exp":1776249060,"tenant_id":"tenant_a","roles":["admin"]}`
)

// edRules accept edPayload, which expires a minute after tokenNow.
func edRules() tokens.SingleIssuer {
	r := rules()
	r.RoleClaim = "roles"
	return r
}

// with replaces a part of a text, which must contain it.
func with(t *testing.T, text, old, replacement string) string {
	t.Helper()
	require.Contains(t, text, old)
	return strings.Replace(text, old, replacement, 1)
}

// withExcessBits returns the character that follows the last one of a base64url text
// in the alphabet. The last four bits of that text are not used, so it decodes to the
// same bytes with either.
func withExcessBits(text string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, text[len(text)-1])+1])
}

func TestTokensAreDecodedStrictly(t *testing.T) {
	key := newEdKey(t, "k1")
	verifier := verifierOf(t, edRules(), key.source(), clock)
	_, err := verifier.Verify(t.Context(), key.sign(edHeader, edPayload))
	require.NoError(t, err)

	payload := func(old, replacement string) string {
		return key.sign(edHeader, with(t, edPayload, old, replacement))
	}
	exp := func(value string) string { return payload(`"exp":1776249060`, `"exp":`+value) }
	adding := func(members string) string { return payload(`"sub":"alice"`, `"sub":"alice",`+members) }
	header := func(additional string) string {
		return key.sign(with(t, edHeader, `"kid":"k1"`, `"kid":"k1",`+additional), edPayload)
	}
	good := strings.Split(key.sign(edHeader, edPayload), ".")
	tests := map[string]struct {
		token, message string
	}{
		// RFC 7519 §4.1.4: a token must not be accepted on or after exp; §2: a
		// NumericDate is a JSON number of seconds.
		"exp is 0":                    {exp(`0`), "expired at 1970-01-01"},
		"exp is 0.5":                  {exp(`0.5`), "expired at 1970-01-01"},
		"exp is -0":                   {exp(`-0`), "expired at 1970-01-01"},
		"exp is the string 0":         {exp(`"0"`), "exp is not a number"},
		"exp is a string":             {exp(`"1776249060"`), "exp is not a number"},
		"exp is null":                 {exp(`null`), "exp is not a number"},
		"exp is true":                 {exp(`true`), "exp is not a number"},
		"exp is an array":             {exp(`[1776249060]`), "exp is not a number"},
		"exp is negative":             {exp(`-1776249060`), "exp is not a time"},
		"exp is after the year 9999":  {exp(`253402300800`), "exp is not a time"},
		"exp overflows 64 bits":       {exp(`18446744073709551616`), "exp is not a time"},
		"exp overflows a double":      {exp(`1e400`), "exp is not a time"},
		"exp has thousands of digits": {exp(strings.Repeat("9", 4000)), "exp is not a time"},
		"exp is not JSON":             {exp(`0x1`), "not JSON"},
		"nbf is a string":             {adding(`"nbf":"1776248990"`), "nbf is not a number"},
		"nbf is negative":             {adding(`"nbf":-1`), "nbf is not a time"},
		"iat is a string":             {adding(`"iat":"1776248990"`), "iat is not a number"},
		"iat is huge":                 {adding(`"iat":1e300`), "iat is not a time"},
		"issued in the future":        {adding(`"iat":1776249050`), "in the future"},
		"exp is before nbf":           {key.sign(edHeader, with(t, edPayload, `"exp":1776249060`, `"exp":1776248990,"nbf":1776248995`)), "exp is not after nbf"},
		"exp is before iat":           {key.sign(edHeader, with(t, edPayload, `"exp":1776249060`, `"exp":1776248990,"iat":1776248990`)), "exp is not after iat"},
		// RFC 7515 §4.1.11, RFC 7797 §6 and §7
		"an unknown crit":        {header(`"crit":["exp"],"exp":1`), "crit"},
		"crit is empty":          {header(`"crit":[]`), "crit"},
		"crit is null":           {header(`"crit":null`), "crit"},
		"crit is a string":       {header(`"crit":"b64"`), "crit"},
		"b64 is false, critical": {header(`"b64":false,"crit":["b64"]`), "crit"},
		"b64 is false":           {header(`"b64":false`), "b64"},
		// RFC 7519 §7.2: UTF-8, one JSON object
		"data after the payload":       {key.sign(edHeader, edPayload+`{"sub":"mallory"}`), "after the JSON object"},
		"a brace after the payload":    {key.sign(edHeader, edPayload+`}`), "after the JSON object"},
		"data after the header":        {key.sign(edHeader+`x`, edPayload), "header has data after"},
		"invalid UTF-8 in the payload": {adding(`"name":"` + "\xff" + `"`), "payload is not valid UTF-8"},
		"invalid UTF-8 in the header":  {header(`"x":"` + "\xff" + `"`), "header is not valid UTF-8"},
		"half a surrogate pair":        {adding(`"name":"\ud800"`), "payload is not JSON"},
		"a byte order mark":            {key.sign(edHeader, "\uFEFF"+edPayload), "payload is not"},
		"the payload is an array":      {key.sign(edHeader, `[`+edPayload+`]`), "payload is not a JSON object"},
		"the payload is a string":      {key.sign(edHeader, `"x"`), "payload is not a JSON object"},
		"the payload is empty":         {key.sign(edHeader, ``), "payload is not"},
		"the header is an array":       {key.sign(`[]`, edPayload), "header is not a JSON object"},
		// RFC 7515 §4, RFC 7519 §4
		"a claim twice":            {adding(`"sub":"mallory"`), "payload has a duplicate name"},
		"a claim twice, escaped":   {adding(`"\u0073ub":"mallory"`), "payload has a duplicate name"},
		"a nested name twice":      {adding(`"a":[{"b":1,"b":2}]`), "payload has a duplicate name"},
		"a header parameter twice": {header(`"kid":"k1"`), "header has a duplicate name"},
		// RFC 7519 §4.1.1 to §4.1.3
		"sub is empty":               {payload(`"sub":"alice"`, `"sub":""`), "sub is empty"},
		"sub is a number":            {payload(`"sub":"alice"`, `"sub":7`), "sub is not a string"},
		"sub is null":                {payload(`"sub":"alice"`, `"sub":null`), "sub is not a string"},
		"sub has a line feed":        {payload(`"sub":"alice"`, `"sub":"a\nb"`), "sub has control characters"},
		"sub is long":                {payload(`"sub":"alice"`, `"sub":"`+strings.Repeat("a", 256)+`"`), "sub is longer than 255 bytes"},
		"iss is an array":            {payload(`"iss":"https://issuer.example"`, `"iss":["https://issuer.example"]`), "iss is not a string"},
		"aud is an object":           {payload(`"aud":"clientele"`, `"aud":{"clientele":true}`), "aud is neither"},
		"aud has a number":           {payload(`"aud":"clientele"`, `"aud":["clientele",7]`), "aud is neither"},
		"aud is an empty array":      {payload(`"aud":"clientele"`, `"aud":[]`), `aud is "[]"`},
		"aud is null":                {payload(`"aud":"clientele"`, `"aud":null`), "aud is neither"},
		"aud in another case":        {payload(`"aud":"clientele"`, `"aud":"Clientele"`), "aud is"},
		"the name EXP":               {payload(`"exp"`, `"EXP"`), "exp is missing"},
		"the client has a line feed": {adding(`"client_id":"a\nb"`), "client_id has control characters"},
		"the tenant has a NUL":       {payload(`"tenant_a"`, `"tenant\u0000a"`), "tenant has control characters"},
		// RFC 7515 §4.1
		"kid is a number":     {key.sign(with(t, edHeader, `"k1"`, `1`), edPayload), "kid is not a string"},
		"kid is empty":        {key.sign(with(t, edHeader, `"k1"`, `""`), edPayload), "kid is empty"},
		"typ is an array":     {key.sign(with(t, edHeader, `"at+jwt"`, `["at+jwt"]`), edPayload), "typ is not a string"},
		"typ is empty":        {key.sign(with(t, edHeader, `"at+jwt"`, `""`), edPayload), "typ is empty"},
		"alg in another case": {key.sign(with(t, edHeader, `"EdDSA"`, `"eddsa"`), edPayload), "algorithm"},
		"alg of another type": {key.sign(with(t, edHeader, `"EdDSA"`, `"ES256"`), edPayload), "not for the algorithm"},
		// RFC 7515 §2: base64url without padding, line breaks or excess bits
		"padded":                       {good[0] + "=." + good[1] + "." + good[2], "base64url"},
		"a line break":                 {good[0] + "." + good[1] + "\n." + good[2], "base64url"},
		"four parts":                   {strings.Join(good, ".") + ".x", "compact"},
		"excess bits in the signature": {strings.Join(good, ".")[:len(strings.Join(good, "."))-1] + withExcessBits(good[2]), "base64url"},
		"no signature":                 {good[0] + "." + good[1] + ".", "signature is missing"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			caller, err := verifier.Verify(t.Context(), tt.token)
			require.ErrorIs(t, err, application.ErrUnauthenticated)
			require.ErrorContains(t, err, tt.message)
			assert.Empty(t, caller)
		})
	}
}

func TestUnusualValidTokens(t *testing.T) {
	key := newEdKey(t, "k1")
	verifier := verifierOf(t, edRules(), key.source(), clock)
	for name, token := range map[string]string{
		"white space in the JSON":      key.sign(" "+edHeader+"\n", "\t"+edPayload+"\r\n"),
		"exp with a fraction":          key.sign(edHeader, with(t, edPayload, `1776249060`, `1776249060.75`)),
		"exp with an exponent":         key.sign(edHeader, with(t, edPayload, `1776249060`, `1.77624906e9`)),
		"exp in the year 9999":         key.sign(edHeader, with(t, edPayload, `1776249060`, `253402300799`)),
		"nbf and iat within the skew":  key.sign(edHeader, with(t, edPayload, `"exp"`, `"nbf":1776249020,"iat":1776249020,"exp"`)),
		"b64 is true":                  key.sign(with(t, edHeader, `"kid"`, `"b64":true,"kid"`), edPayload),
		"deeply nested unknown claim":  key.sign(edHeader, with(t, edPayload, `"exp"`, `"x":`+strings.Repeat("[", 500)+strings.Repeat("]", 500)+`,"exp"`)),
		"a surrogate pair, escaped":    key.sign(edHeader, with(t, edPayload, `"exp"`, `"name":"\ud83d\ude00","exp"`)),
		"unknown header parameters":    key.sign(with(t, edHeader, `"kid"`, `"x5t":"x","jku":"https://evil.example","kid"`), edPayload),
		"typ with its full media type": key.sign(with(t, edHeader, `"at+jwt"`, `"application/at+JWT"`), edPayload),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := verifier.Verify(t.Context(), token)
			require.NoError(t, err)
		})
	}
}

func TestMaxLifetime(t *testing.T) {
	key := newEdKey(t, "k1")
	hour := edRules()
	hour.MaxLifetime = time.Hour
	limited, unlimited := verifierOf(t, hour, key.source(), clock), verifierOf(t, edRules(), key.source(), clock)
	lifetime := func(members string) string {
		return key.sign(edHeader, with(t, edPayload, `"exp":1776249060`, members))
	}
	now := tokenNow.Unix()
	for name, tt := range map[string]struct {
		token   string
		allowed bool
	}{
		"an hour from iat":              {lifetime(fmt.Sprintf(`"iat":%d,"exp":%d`, now-600, now+3000)), true},
		"a second longer":               {lifetime(fmt.Sprintf(`"iat":%d,"exp":%d`, now-600, now+3001)), false},
		"a week, almost expired":        {lifetime(fmt.Sprintf(`"iat":%d,"exp":%d`, now-7*86400, now+60)), false},
		"an hour from now, without iat": {lifetime(fmt.Sprintf(`"exp":%d`, now+3600)), true},
		"a second longer, without iat":  {lifetime(fmt.Sprintf(`"exp":%d`, now+3601)), false},
		"until the year 9999":           {lifetime(`"exp":253402300799`), false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := unlimited.Verify(t.Context(), tt.token)
			require.NoError(t, err, "by default the lifetime is unlimited")
			_, err = limited.Verify(t.Context(), tt.token)
			if tt.allowed {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, application.ErrUnauthenticated)
			require.ErrorContains(t, err, "longer than 1h0m0s")
		})
	}
}

// Verification of any header and payload returns a caller with a subject or an error,
// and inspection has the same result.
func FuzzToken(f *testing.F) {
	f.Add(edHeader, edPayload)
	f.Add(`{"alg":"RS256"}`, `{"exp":1e999,"aud":[]}`)
	f.Add(`{"alg":"EdDSA","crit":[]}`, `{"sub":"\ud800"}`)
	key := newEdKey(f, "k1")
	rules, err := edRules().Rules()
	require.NoError(f, err)
	verifier, err := tokens.NewVerifier([]tokens.Issuer{{Rules: rules, Keys: tokens.NewIssuerKeys(key.source(), tokens.KeySettings{}, clock)}}, clock)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, header, payload string) {
		token := key.sign(header, payload)
		caller, err := verifier.Verify(t.Context(), token)
		inspected := verifier.Inspect(t.Context(), token, false)
		if (err == nil) != inspected.Accepted() {
			t.Fatalf("verified: %v, inspected: %s", err, inspected)
		}
		if err == nil && (caller.Subject == "" || tokens.ParseToken(token) != nil) {
			t.Fatal("accepted without a subject")
		}
	})
}
