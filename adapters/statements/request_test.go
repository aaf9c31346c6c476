package statements_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
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

const endpoint = "https://registry.example/oauth/tenant_dev/register"

// requestOf returns the claims of a valid request with a statement.
func requestOf(t testing.TB, statement claims) claims {
	t.Helper()
	return claims{
		"iss": statement["software_id"], "aud": endpoint, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "jti": "request-1",
		"redirect_uris": []string{"https://app.example/cb"}, "software_statement": issuerKey().sign(t, jwa.PS256, statement, nil),
	}
}

func TestSignedRequestsAreAcceptedOnlyIfEveryCheckPasses(t *testing.T) {
	keys := newSite(t, true, keySet(t, softwareKey()))
	uk := openBankingUKClaims().with(claims{"software_jwks_endpoint": keys.url})
	signed := func(edits claims) string { return softwareKey().sign(t, jwa.PS256, requestOf(t, uk).with(edits), nil) }
	verifier := newVerifier(t, &manualClock{}, keys)
	const request = "request: the signed registration request: "
	for name, tt := range map[string]struct {
		text string
		want string
	}{
		"a valid one":               {signed(nil), "accepted"},
		"several audiences":         {signed(claims{"aud": []string{"https://other.example", endpoint}}), "accepted"},
		"an audience of the issuer": {signed(claims{"aud": "https://bank.example"}), "accepted"},
		"another audience":          {signed(claims{"aud": endpoint + "/"}), request + "aud is not"},
		"no audience":               {signed(claims{"aud": nil}), request + "aud is missing"},
		"another issuer":            {signed(claims{"iss": "another"}), request + "iss is not"},
		"no issuer":                 {signed(claims{"iss": nil}), request + "iss is not"},
		"an issuer that is no text": {signed(claims{"iss": 1}), request + "iss is not a string"},
		"no exp":                    {signed(claims{"exp": nil}), request + "exp is missing"},
		"one that expired":          {signed(claims{"exp": now.Add(-time.Minute).Unix()}), request + "it has expired"},
		"no iat":                    {signed(claims{"iat": nil}), request + "iat is missing"},
		"an old one":                {signed(claims{"iat": now.Add(-11 * time.Minute).Unix()}), request + "it is too old"},
		"no jti":                    {signed(claims{"jti": nil}), request + "jti is missing"},
		"a jti that is no text":     {signed(claims{"jti": 1}), request + "jti is not a string"},
		"a large one":               {signed(claims{"x": strings.Repeat("x", 20<<10)}), "accepted"},
		"one that is too large":     {signed(claims{"x": strings.Repeat("x", 64<<10)}), request + "the token is too long"},
		"no statement":              {signed(claims{"software_statement": nil}), request + "software_statement is missing"},
		"a statement that is no text": {
			signed(claims{"software_statement": claims{}}), request + "software_statement is not a string",
		},
		"a statement of another issuer": {
			signed(claims{"software_statement": issuerKey().sign(t, jwa.PS256, uk.with(claims{"iss": "x"}), nil)}), "rejected: the issuer of the software statement",
		},
		"a statement of an issuer without signed requests": {
			signed(claims{"software_statement": issuerKey().sign(t, jwa.PS256, basicClaims(), nil)}), request + "software of this issuer is registered with a request in JSON",
		},
		"a statement that is not approved": {
			signed(claims{"software_statement": issuerKey().sign(t, jwa.PS256, uk.with(claims{"org_status": "x"}), nil)}), "unapproved: ",
		},
		"a statement without keys": {
			signed(claims{"software_statement": issuerKey().sign(t, jwa.PS256, uk.with(claims{"software_jwks_endpoint": nil}), nil)}),
			request + "its software statement has no keys",
		},
		"a statement with keys at a private address": {
			signed(claims{"software_statement": issuerKey().sign(t, jwa.PS256, uk.with(claims{"software_jwks_endpoint": "https://10.0.0.1/keys"}), nil)}),
			request + "the keys of the software cannot be read",
		},
		"the signature of another key": {otherKey().sign(t, jwa.PS256, requestOf(t, uk), nil), request + "its signature is not by"},
		"the key of the directory":     {issuerKey().sign(t, jwa.PS256, requestOf(t, uk), nil), request + "its signature is not by"},
		"a key in the header": {
			otherKey().sign(t, jwa.PS256, requestOf(t, uk), map[string]any{"jwk": otherKey().public(t)}), request + "its signature is not by",
		},
		"another algorithm": {softwareKey().sign(t, jwa.RS256, requestOf(t, uk), nil), request + "its alg or typ is not accepted"},
		"the type of another token": {
			softwareKey().sign(t, jwa.PS256, requestOf(t, uk), map[string]any{"typ": "dpop+jwt"}), request + "its alg or typ is not accepted",
		},
		"a text that is no JWT": {`{"redirect_uris":[]}`, request + "the token is not a compact JWS"},
	} {
		t.Run(name, func(t *testing.T) {
			issuer := openBankingUK(t)
			issuer.Audiences = []string{"https://bank.example"}
			claims, statement, err := verifier.VerifyRequest(
				t.Context(), tenant, []domain.StatementIssuer{basicIssuer(t), issuer}, endpoint, tt.text, now)
			assert.True(t, strings.HasPrefix(outcome(err), tt.want), outcome(err))
			if err != nil {
				assert.Zero(t, statement)
				assert.Nil(t, claims)
				return
			}
			payload, err := base64.RawURLEncoding.DecodeString(strings.Split(tt.text, ".")[1])
			require.NoError(t, err)
			assert.True(t, json.Valid(claims))
			assert.Equal(t, string(payload), string(claims))
			assert.Equal(t, "65d1f27c-4aea-4549-9c21-60e495a7a86f", statement.SoftwareID)
		})
	}
}

func TestASignedRequestIsForOneUse(t *testing.T) {
	keys := newSite(t, true, keySet(t, softwareKey()))
	verifier := newVerifier(t, &manualClock{}, keys)
	verify := func(issuer domain.StatementIssuer, statement claims, edits claims) domain.Statement {
		text := softwareKey().sign(t, jwa.PS256, requestOf(t, statement).with(edits), nil)
		_, verified, err := verifier.VerifyRequest(t.Context(), tenant, []domain.StatementIssuer{issuer}, endpoint, text, now)
		require.NoError(t, err)
		return verified
	}
	uk := openBankingUKClaims().with(claims{"software_jwks_endpoint": keys.url})
	first, again, next := verify(openBankingUK(t), uk, nil), verify(openBankingUK(t), uk, nil), verify(openBankingUK(t), uk, claims{"jti": "request-2"})
	require.NotNil(t, first.ID)
	assert.Equal(t, first.ID, again.ID)
	assert.NotEqual(t, first.ID, next.ID)
	assert.Equal(t, now.Add(11*time.Minute), first.ExpiresAt.UTC(), "the maximum age is longer than its exp")

	cdr := dataRightClaims().with(claims{"jwks_uri": keys.url})
	first, next = verify(dataRight(t), cdr, nil), verify(dataRight(t), cdr, claims{"jti": "request-2"})
	assert.Equal(t, first.ID, next.ID, "the statement is for one use")
}

func TestTheKeysOfSoftwareInItsStatement(t *testing.T) {
	issuer := dataRight(t)
	var set map[string]any
	require.NoError(t, json.Unmarshal([]byte(keySet(t, softwareKey())), &set))
	text := softwareKey().sign(t, jwa.PS256, requestOf(t, dataRightClaims().with(claims{"jwks_uri": nil, "jwks": set})), nil)
	_, _, err := verifierWithoutSites(t).VerifyRequest(t.Context(), tenant, []domain.StatementIssuer{issuer}, endpoint, text, now)
	require.NoError(t, err)
	text = otherKey().sign(t, jwa.PS256, requestOf(t, dataRightClaims().with(claims{"jwks_uri": nil, "jwks": set})), nil)
	_, _, err = verifierWithoutSites(t).VerifyRequest(t.Context(), tenant, []domain.StatementIssuer{issuer}, endpoint, text, now)
	assert.Contains(t, outcome(err), "its signature is not by")
}

func TestTheKeysOfSoftwareAreReadAgainAfterTheyChanged(t *testing.T) {
	keys := newSite(t, true, keySet(t, otherKey()))
	clock := &manualClock{}
	verifier := newVerifier(t, clock, keys)
	text := softwareKey().sign(t, jwa.PS256, requestOf(t, dataRightClaims().with(claims{"jwks_uri": keys.url})), nil)
	verify := func() error {
		_, _, err := verifier.VerifyRequest(t.Context(), tenant, []domain.StatementIssuer{dataRight(t)}, endpoint, text, now)
		return err
	}
	assert.Contains(t, outcome(verify()), "its signature is not by")
	keys.set(http.StatusOK, keySet(t, softwareKey()))
	clock.advance(11 * time.Second)
	require.NoError(t, verify())
}

// The error of a fetch that was not started is the registry's, not the client's.
func TestFetchesBeyondTheLimitAreNotTheFaultOfTheRequest(t *testing.T) {
	slow := newSite(t, true, keySet(t, softwareKey()))
	slow.mu.Lock() // no response
	verifier := newVerifier(t, &manualClock{}, slow)
	const requests = 40
	errs := make(chan error, requests)
	issuers := []domain.StatementIssuer{dataRight(t)}
	for i := range requests {
		text := softwareKey().sign(t, jwa.PS256, requestOf(t, dataRightClaims().with(claims{"jwks_uri": fmt.Sprintf("%s/%d", slow.url, i)})), nil)
		go func() {
			_, _, err := verifier.VerifyRequest(t.Context(), tenant, issuers, endpoint, text, now)
			errs <- err
		}()
	}
	require.ErrorIs(t, <-errs, application.ErrTooManyFetches, "the first to return is not the one that waits")
	slow.mu.Unlock()
	for range requests - 1 {
		if err := <-errs; err != nil {
			require.ErrorIs(t, err, application.ErrTooManyFetches)
		}
	}
}
