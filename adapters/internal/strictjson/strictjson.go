// Package strictjson reads JSON objects and arrays as keys and tokens require
// it: UTF-8 only, no duplicate name at any depth, names compared by case, and no
// data after the JSON text (RFC 7515 §4, RFC 7517 §4, RFC 7519 §4). Package
// encoding/json accepts all of these.
//
// Values stay undecoded, so that each caller decodes only what it uses:
//
//	object, err := strictjson.Object(text)
//	name, ok := strictjson.String(object["name"])
package strictjson

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// Reasons for which a text is rejected. An error that wraps none of them means
// that the text is not JSON. The text of an error may repeat what was read, so it
// must not be shown for a text that may contain key material.
var (
	ErrDuplicateName = jsontext.ErrDuplicateName
	ErrTrailingData  = errors.New("data after the JSON text")
	ErrType          = errors.New("not of the expected JSON type")
)

// Object returns the members of the JSON object that text consists of.
func Object(text []byte) (map[string]jsontext.Value, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(text))
	if dec.PeekKind() != jsontext.KindBeginObject {
		_, err := dec.ReadValue()
		return nil, errors.Join(err, ErrType)
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	members := map[string]jsontext.Value{}
	for dec.PeekKind() != jsontext.KindEndObject {
		token, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		name := token.String() // the token is valid until the next read
		value, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		members[name] = value.Clone()
	}
	if err := readEnd(dec); err != nil {
		return nil, err
	}
	return members, nil
}

// readEnd reads the end of the object or array, which must be the end of the text.
func readEnd(dec *jsontext.Decoder) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.Join(err, ErrTrailingData)
	}
	return nil
}

// Array returns the elements of the JSON array that text consists of.
func Array(text []byte) ([]jsontext.Value, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(text))
	if dec.PeekKind() != jsontext.KindBeginArray {
		_, err := dec.ReadValue()
		return nil, errors.Join(err, ErrType)
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	var elements []jsontext.Value
	for dec.PeekKind() != jsontext.KindEndArray {
		element, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		elements = append(elements, element.Clone())
	}
	if err := readEnd(dec); err != nil {
		return nil, err
	}
	return elements, nil
}

// String decodes a JSON string. It returns false for any other value, and for
// none.
func String(value jsontext.Value) (string, bool) {
	if value.Kind() != jsontext.KindString {
		return "", false
	}
	decoded, err := jsontext.AppendUnquote(nil, value)
	return string(decoded), err == nil
}

// Strings decodes a JSON array of strings. It returns false for any other value, and for
// none.
func Strings(value jsontext.Value) ([]string, bool) {
	elements, err := Array(value)
	if err != nil {
		return nil, false
	}
	decoded := make([]string, len(elements))
	for i, element := range elements {
		text, ok := String(element)
		if !ok {
			return nil, false
		}
		decoded[i] = text
	}
	return decoded, true
}
