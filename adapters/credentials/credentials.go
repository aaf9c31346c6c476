// Package credentials reads what clients present to authorization servers: client
// assertions (RFC 7523 §2.2) and certificates (RFC 8705). It decides nothing about them.
//
//	assertion, ok := credentials.Reader{}.ReadAssertion(text)
//	if ok && credentials.Reader{}.IsSignedBy(text, assertion.Algorithm, key) {
//		…
//	}
package credentials

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/clientele-oauth/clientele/adapters/internal/jwk"
	"github.com/clientele-oauth/clientele/adapters/internal/jws"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Reader implements [application.CredentialReader].
type Reader struct{}

// ReadAssertion implements [application.CredentialReader]. The assertion is decoded
// strictly, also in what is not used: no duplicate names, canonical base64url, at most
// [jws.MaxBytes].
func (Reader) ReadAssertion(text string) (a domain.ClientAssertion, ok bool) {
	message, err := jws.Parse(text)
	if err != nil {
		return domain.ClientAssertion{}, false
	}
	a = domain.ClientAssertion{
		Algorithm: message.Header.Algorithm, KeyID: message.Header.KeyID, Type: jws.MediaType(message.Header.Type),
	}
	claims := message.Payload
	errs := make([]error, 0, 7)
	note := func(err error) { errs = append(errs, err) }
	a.Issuer, _, err = claims.Text("iss")
	note(err)
	a.Subject, _, err = claims.Text("sub")
	note(err)
	a.ID, _, err = claims.Text("jti")
	note(err)
	a.ExpiresAt, _, err = claims.Date("exp")
	note(err)
	a.NotBefore, _, err = claims.Date("nbf")
	note(err)
	a.IssuedAt, _, err = claims.Date("iat")
	note(err)
	if raw, present := claims["aud"]; present {
		a.Audience, err = claims.Texts("aud")
		note(err)
		a.AudienceList = raw.Kind() == jsontext.KindBeginArray
	}
	for _, err := range errs {
		if err != nil {
			return domain.ClientAssertion{}, false
		}
	}
	return a, true
}

// IsSignedBy implements [application.CredentialReader].
func (Reader) IsSignedBy(text, algorithm string, key domain.Key) bool {
	public, ok := jwk.PublicKey(key)
	return ok && jws.Verify(text, algorithm, public)
}

var _ application.CredentialReader = Reader{}
