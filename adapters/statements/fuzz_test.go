package statements_test

import (
	"encoding/base64"
	"errors"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// No text makes the verifier panic, and only the statement that the issuer signed is accepted.
// Signed, any payload is accepted or rejected in the one way that callers expect.
func FuzzStatement(f *testing.F) {
	verifier := newVerifier(f, &manualClock{})
	issuers := []domain.StatementIssuer{basicIssuer(f), openBankingUK(f), dataRight(f), openBankingBrasil(f)}
	valid := ellipticKey().sign(f, jwa.ES256, basicClaims(), nil)
	f.Add(valid, `{"iss":"https://directory.example","iat":1776249000,"redirect_uris":[1],"jwks":{"keys":[{}]}}`)
	f.Add("eyJhbGciOiJub25lIn0.e30.", `{"iss":"OpenBanking Ltd","iat":1776249000,"org_status":"Active","software_roles":["AISP"]}`)
	f.Add(issuerKey().sign(f, jwa.PS256, basicClaims().with(claims{"iss": "x"}), nil), `{}`)
	f.Fuzz(func(t *testing.T, text, payload string) {
		statement, err := verifier.Verify(t.Context(), issuers, text, now)
		if err == nil && text != valid {
			t.Fatalf("%q is accepted as %v", text, statement)
		}
		_, _, err = verifier.VerifyRequest(t.Context(), tenant, issuers, endpoint, text, now)
		if err == nil {
			t.Fatalf("%q is accepted", text)
		}
		signed := signText(ellipticKey(), base64.RawURLEncoding.EncodeToString([]byte(payload)))
		if _, err = verifier.Verify(t.Context(), issuers, signed, now); err != nil && !errors.As(err, new(*application.StatementError)) {
			t.Fatalf("%q: %v", payload, err)
		}
	})
}
