package tokens

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/clientele-oauth/clientele/adapters/internal/jws"
)

// parsedToken is an access token, decoded strictly but not verified.
type parsedToken struct {
	text   string
	header tokenHeader
	claims claimSet
}

// tokenHeader contains the parameters of the protected header that are used.
type tokenHeader struct {
	algorithm jwa.SignatureAlgorithm
	keyID     string // empty if the header has no "kid"
	typ       string // empty if the header has none
}

// parseToken decodes a token. The error names the invalid part; it contains at most
// short quoted excerpts of the token.
func parseToken(text string) (*parsedToken, error) {
	message, err := jws.Parse(text)
	if err != nil {
		return nil, err
	}
	header := tokenHeader{
		algorithm: jwa.SignatureAlgorithm(message.Header.Algorithm), keyID: message.Header.KeyID, typ: message.Header.Type,
	}
	if !slices.Contains(acceptedAlgorithms(), header.algorithm) {
		return nil, fmt.Errorf("the token's algorithm %s is not accepted", excerpt(string(header.algorithm)))
	}
	return &parsedToken{text: text, header: header, claims: message.Payload}, nil
}

// maxExcerpt bounds excerpts of values in errors, in bytes.
const maxExcerpt = 100

// excerpt quotes a value from a token, so that it cannot forge log lines or control
// a terminal.
func excerpt(value string) string {
	if len(value) > maxExcerpt {
		return fmt.Sprintf("%q…", strings.ToValidUTF8(value[:maxExcerpt], ""))
	}
	return fmt.Sprintf("%q", value)
}

// excerptOf is [excerpt] for a JSON value.
func excerptOf(value jsontext.Value) string { return excerpt(string(bytes.TrimSpace(value))) }
