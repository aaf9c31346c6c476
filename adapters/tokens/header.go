package tokens

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/clientele-oauth/clientele/adapters/internal/strictjson"
)

// parsedToken is a JWS in compact serialization (RFC 7515 §7.1), decoded
// strictly but not verified.
type parsedToken struct {
	text   string
	header tokenHeader
	claims claimSet
}

// tokenHeader contains the parameters of the protected header that are used (RFC 7515
// §4.1). The parameters "jku", "jwk", "x5u" and "x5c" are never used: a token must not
// choose the key that verifies it.
type tokenHeader struct {
	algorithm jwa.SignatureAlgorithm
	keyID     string // empty if the header has no "kid"
	typ       string // empty if the header has none
}

// parseToken decodes a token. The error names the invalid part; it contains at most
// short quoted excerpts of the token.
func parseToken(text string) (*parsedToken, error) {
	if len(text) > maxTokenBytes {
		return nil, errors.New("the token is too long")
	}
	parts := strings.SplitN(text, ".", 4)
	if len(parts) != 3 {
		return nil, errors.New("the token is not a compact JWS")
	}
	header, err := readSegment(parts[0])
	if err != nil {
		return nil, fmt.Errorf("the token's header %w", err)
	}
	claims, err := readSegment(parts[1])
	if err != nil {
		return nil, fmt.Errorf("the token's payload %w", err)
	}
	if signature, err := decodeSegment(parts[2]); err != nil || len(signature) == 0 {
		return nil, errors.New("the token's signature is missing or not base64url")
	}
	parsed := &parsedToken{text: text, claims: claims}
	if parsed.header, err = readHeader(header); err != nil {
		return nil, err
	}
	return parsed, nil
}

// readHeader reads the parameters that are used. No extension is supported, so a
// token with "crit" is rejected (RFC 7515 §4.1.11), and so is one whose payload is not
// base64url-encoded (RFC 7797 §7).
func readHeader(parameters claimSet) (tokenHeader, error) {
	var header tokenHeader
	for _, name := range []string{"alg", "kid", "typ"} {
		value, ok, err := parameters.text(name)
		switch {
		case err != nil:
			return header, fmt.Errorf("the token's header: %w", err)
		case ok && value == "":
			return header, fmt.Errorf("the token's header: %s is empty", name)
		}
		switch name {
		case "alg":
			header.algorithm = jwa.SignatureAlgorithm(value)
		case "kid":
			header.keyID = value
		case "typ":
			header.typ = value
		}
	}
	if !slices.Contains(acceptedAlgorithms(), header.algorithm) {
		return header, fmt.Errorf("the token's algorithm %s is not accepted", excerpt(string(header.algorithm)))
	}
	if _, ok := parameters["crit"]; ok {
		return header, errors.New("the token's header has crit, but no extension is supported")
	}
	if encoded, ok := parameters["b64"]; ok && encoded.Kind() != jsontext.KindTrue {
		return header, errors.New("the token's payload must be base64url-encoded: b64 must be true")
	}
	return header, nil
}

// mediaType returns the value of "typ" for comparison, which is case-insensitive and
// ignores a prefix "application/" (RFC 7515 §4.1.9).
func mediaType(typ string) string {
	return strings.TrimPrefix(strings.ToLower(typ), "application/")
}

// decodeSegment decodes base64url in its one canonical form (RFC 7515 §2).
func decodeSegment(segment string) ([]byte, error) {
	if strings.ContainsAny(segment, "\r\n") {
		return nil, errors.New("is not base64url")
	}
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(segment)
	if err != nil {
		return nil, errors.New("is not base64url")
	}
	return decoded, nil
}

// readSegment decodes a segment that must be one JSON object in UTF-8, without
// duplicate names at any depth and with nothing after it (RFC 7515 §4 and
// §5.2, RFC 7519 §4 and §7.2).
func readSegment(segment string) (claimSet, error) {
	decoded, err := decodeSegment(segment)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(decoded) {
		return nil, errors.New("is not valid UTF-8")
	}
	members, err := strictjson.Object(decoded)
	switch {
	case err == nil:
		return members, nil
	case errors.Is(err, strictjson.ErrDuplicateName):
		return nil, errors.New("has a duplicate name")
	case errors.Is(err, strictjson.ErrTrailingData):
		return nil, errors.New("has data after the JSON object")
	case errors.Is(err, strictjson.ErrType):
		return nil, errors.New("is not a JSON object")
	default:
		return nil, errors.New("is not JSON")
	}
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
