// Package jws reads a JWS in compact serialization (RFC 7515 §7.1) strictly, and verifies
// its signature over the bytes that were received. Whether it is accepted is decided by the
// callers.
//
//	message, err := jws.Parse(text)
//	if err != nil {
//		return err
//	}
//	issuer, _, err := message.Payload.Text("iss")
//	if !jws.Verify(text, message.Header.Algorithm, key) {
//		return errSignature
//	}
package jws

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/clientele-oauth/clientele/adapters/internal/strictjson"
)

// MaxBytes bounds the length of a JWS that [Parse] decodes.
const MaxBytes = 16 << 10

// Message is a JWS that was decoded but not verified.
type Message struct {
	Text    string
	Header  Header
	Payload Members
}

// Header has the parameters of the protected header that are used (RFC 7515 §4.1). The
// parameters "jku", "jwk", "x5u" and "x5c" are never used: a JWS must not choose the key
// that verifies it.
type Header struct {
	Algorithm string
	KeyID     string // empty if the header has no "kid"
	Type      string // empty if the header has no "typ"
}

// Parse decodes a JWS of at most [MaxBytes]. The error names the invalid part, and repeats
// nothing of it.
func Parse(text string) (*Message, error) { return ParseUpTo(text, MaxBytes) }

// ParseUpTo is [Parse] with another maximum length, in bytes.
func ParseUpTo(text string, maxBytes int) (*Message, error) {
	if len(text) > maxBytes {
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
	payload, err := readSegment(parts[1])
	if err != nil {
		return nil, fmt.Errorf("the token's payload %w", err)
	}
	if signature, err := decodeSegment(parts[2]); err != nil || len(signature) == 0 {
		return nil, errors.New("the token's signature is missing or not base64url")
	}
	message := &Message{Text: text, Payload: payload}
	if message.Header, err = readHeader(header); err != nil {
		return nil, err
	}
	return message, nil
}

// readHeader reads the parameters that are used. No extension is supported, so a
// header with "crit" is rejected (RFC 7515 §4.1.11), and so is one whose payload is not
// base64url-encoded (RFC 7797 §7).
func readHeader(parameters Members) (Header, error) {
	var header Header
	for _, name := range []string{"alg", "kid", "typ"} {
		value, ok, err := parameters.Text(name)
		switch {
		case err != nil:
			return header, fmt.Errorf("the token's header: %w", err)
		case ok && value == "":
			return header, fmt.Errorf("the token's header: %s is empty", name)
		}
		switch name {
		case "alg":
			header.Algorithm = value
		case "kid":
			header.KeyID = value
		case "typ":
			header.Type = value
		}
	}
	if _, ok := parameters["crit"]; ok {
		return header, errors.New("the token's header has crit, but no extension is supported")
	}
	if encoded, ok := parameters["b64"]; ok && encoded.Kind() != jsontext.KindTrue {
		return header, errors.New("the token's payload must be base64url-encoded: b64 must be true")
	}
	return header, nil
}

// MediaType returns the value of "typ" for comparison, which is case-insensitive and
// ignores a prefix "application/" (RFC 7515 §4.1.9).
func MediaType(typ string) string {
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
func readSegment(segment string) (Members, error) {
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

// Members are the members of a payload or header. Their values are valid JSON, and are
// decoded when needed.
type Members map[string]jsontext.Value

// Text returns a string member; ok is false if there is none.
func (m Members) Text(name string) (value string, ok bool, err error) {
	raw, ok := m[name]
	if !ok {
		return "", false, nil
	}
	if value, ok = strictjson.String(raw); !ok {
		return "", true, fmt.Errorf("%s is not a string", name)
	}
	return value, true, nil
}

// Texts returns a member that is a string or an array of strings, such as "aud"
// (RFC 7519 §4.1.3).
func (m Members) Texts(name string) ([]string, error) {
	raw, ok := m[name]
	if !ok {
		return nil, fmt.Errorf("%s is missing", name)
	}
	if value, ok := strictjson.String(raw); ok {
		return []string{value}, nil
	}
	values, ok := strictjson.Strings(raw)
	if !ok {
		return nil, fmt.Errorf("%s is neither a string nor an array of strings", name)
	}
	return values, nil
}

// maxNumericDate is the end of the year 9999, in seconds since 1970. RFC 3339 cannot
// represent later times.
const maxNumericDate = 253402300799

// Date returns a member that is a NumericDate: a JSON number of seconds since
// 1970, which may have a fraction (RFC 7519 §2). ok is false if there is none.
func (m Members) Date(name string) (at time.Time, ok bool, err error) {
	raw, ok := m[name]
	if !ok {
		return time.Time{}, false, nil
	}
	if raw.Kind() != jsontext.KindNumber {
		return time.Time{}, true, fmt.Errorf("%s is not a number", name)
	}
	seconds, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || seconds < 0 || seconds > maxNumericDate {
		return time.Time{}, true, fmt.Errorf("%s is not a time between 1970 and 9999", name)
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*float64(time.Second))), true, nil
}
