package self

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/adapters/internal/strictjson"
	"github.com/clientele-oauth/clientele/domain"
)

// Request is a registration request or a client ID metadata document.
type Request struct {
	// Metadata sets the members that are given and have the right form. Lists may contain
	// unknown values.
	Metadata domain.Change
	// ClientID is the member client_id; empty if it is not given or not a string.
	ClientID string
	// Secret is the member client_secret; nil if it is not given, and empty if it is not a
	// string.
	Secret *string
	// Statement is the member software_statement; empty if it is not given. A value that is
	// not a string is its JSON text, which no software statement can be equal to.
	Statement string
	// Forbidden lists the members that an update must not have (RFC 7592 §2.2), sorted.
	Forbidden []string
	// Secrets lists the members that a client ID metadata document must not have, sorted.
	Secrets []string
	// Members are all members of the object, as they were given.
	Members map[string]jsontext.Value
}

// Reader reads client metadata. It is safe for concurrent use.
type Reader struct {
	schema *contract.Schema // of a configuration in the form of the API, for types and bounds
}

// NewReader returns a reader. The error reports an invalid openapi.yaml.
func NewReader() (*Reader, error) {
	schema, err := contract.RequestSchema("UpdateClientRequest")
	if err != nil {
		return nil, err
	}
	return &Reader{schema}, nil
}

// MalformedError reports a text that is not a JSON object, or not a strict one: it has a
// duplicate name, or data after the object.
type MalformedError struct {
	Message string // contains no part of the text
}

// Error implements the error interface.
func (e *MalformedError) Error() string { return e.Message }

// Read reads a JSON object with client metadata. The findings are violations of types and
// bounds; their pointers are in the names of the API, see [Place], and their messages in the
// standard names. The error is a [*MalformedError].
//
// null, an empty string and an empty array are the same as no member (RFC 7592 §2.2).
func (r *Reader) Read(text []byte) (Request, domain.Findings, error) {
	members, err := strictjson.Object(text)
	if err != nil {
		return Request{}, nil, malformed(err)
	}
	var request Request
	request.ClientID, _ = strictjson.String(members[clientID])
	if given(members[clientSecret]) {
		secret, _ := strictjson.String(members[clientSecret])
		request.Secret = &secret
	}
	if value := members[softwareStatement]; given(value) {
		var isText bool
		if request.Statement, isText = strictjson.String(value); !isText {
			request.Statement = string(value)
		}
	}
	request.Forbidden = givenOf(members, issuedAt, secretExpiresAt, managementToken, managementURI)
	request.Secrets = givenOf(members, clientSecret, secretExpiresAt)
	request.Members = members
	var findings domain.Findings
	request.Metadata, findings = r.change(members)
	return request, findings, nil
}

// given reports whether a member has a value.
func given(value jsontext.Value) bool {
	switch value.Kind() {
	case jsontext.KindInvalid, jsontext.KindNull:
		return false
	case jsontext.KindString:
		return string(value) != `""`
	case jsontext.KindBeginArray:
		return len(bytes.TrimSpace(value[1:len(value)-1])) > 0
	default:
		return true
	}
}

// givenOf returns the names, in the given order, of members that have a value.
func givenOf(members map[string]jsontext.Value, names ...string) (list []string) {
	for _, name := range names {
		if given(members[name]) {
			list = append(list, name)
		}
	}
	return list
}

// change returns the change that the members describe. The values are checked, one field at
// a time, against the schema of the API, so that types and bounds are written in one place.
func (r *Reader) change(members map[string]jsontext.Value) (domain.Change, domain.Findings) {
	var findings domain.Findings
	object := map[string]any{}
	for f := range domain.SelfFields().All() {
		value := members[f.Metadata()]
		if !given(value) {
			continue
		}
		converted, reason := convert(f, value)
		if reason != "" {
			findings = append(findings, finding(f, "/"+f.String(), reason))
			continue
		}
		body, err := r.schema.Decode(appendMember(f.String(), converted))
		if err != nil { // unreachable for members that are strict JSON
			findings = append(findings, finding(f, "/"+f.String(), "cannot be read"))
			continue
		}
		verdict := r.schema.InspectBody(body)
		for _, b := range verdict.Breaches {
			findings = append(findings, finding(f, b.Pointer, b.Message))
		}
		if read, isObject := body.Value.(map[string]any); isObject && verdict.Total() == 0 {
			object[f.String()] = read[f.String()]
		}
	}
	if len(findings) > contract.MaxBreaches {
		findings = findings[:contract.MaxBreaches]
	}
	return contract.ChangeOf(object), findings
}

// appendMember returns the text of an object with one member.
func appendMember(name string, value jsontext.Value) []byte {
	text := append(strconv.AppendQuote([]byte{'{'}, name), ':')
	return append(append(text, value...), '}')
}

// convert returns a value in its form in the API, or the reason why it has another type.
func convert(f domain.Field, value jsontext.Value) (converted jsontext.Value, reason string) {
	switch f {
	case domain.FieldScopes:
		scopes, isText := strictjson.String(value)
		if !isText {
			return nil, "must be a string"
		}
		return encoded(strings.FieldsFunc(scopes, func(c rune) bool { return c == ' ' })), ""
	case domain.FieldAuthMethods:
		method, isText := strictjson.String(value)
		if !isText {
			return nil, "must be a string"
		}
		return encoded([]string{method}), ""
	case domain.FieldJWKS:
		if value.Kind() != jsontext.KindBeginObject {
			return nil, "must be an object"
		}
		return encoded(string(value)), ""
	case domain.FieldDefaultMaxAge:
		if strings.HasPrefix(string(value), "-") { // -1 is unset, which is an absent member here
			return nil, "must be at least 0"
		}
	default:
	}
	return value, ""
}

// encoded returns the JSON text of a string or a list of strings.
func encoded(value any) jsontext.Value {
	text, err := json.Marshal(value)
	if err != nil { // unreachable for strings
		return jsontext.Value("null")
	}
	return text
}

// finding returns a violation of the types and bounds of a member. pointer is into the form
// of the API.
func finding(f domain.Field, pointer, reason string) domain.Finding {
	place := f.Metadata()
	if element, deeper := strings.CutPrefix(pointer, "/"+f.String()+"/"); deeper && f != domain.FieldScopes && f != domain.FieldAuthMethods {
		place += "/" + element
	}
	if strings.HasPrefix(reason, "null ") {
		reason = "must not be null"
	}
	return contract.Breach{Pointer: pointer, Message: place + " " + reason}.Finding()
}

// malformed explains why a text is not a strict JSON object (RFC 8259 §4, §8.1).
func malformed(err error) error {
	switch {
	case errors.Is(err, strictjson.ErrDuplicateName):
		return &MalformedError{"has a duplicate member"}
	case errors.Is(err, strictjson.ErrTrailingData):
		return &MalformedError{"has data after the JSON object"}
	}
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return &MalformedError{"is not valid JSON, near byte " + strconv.FormatInt(syntactic.ByteOffset, 10)}
	}
	return &MalformedError{"is not a JSON object"}
}
