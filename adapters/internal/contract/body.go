package contract

import (
	"bytes"
	"errors"
	"io"
	"strconv"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-json-experiment/json/jsontext"
)

// Body is a decoded request body. It contains no more than the schema can accept:
// elements beyond the limit of an array are omitted, and only the type of a value
// of the wrong type is kept.
type Body struct {
	Value   any
	unknown int // unknown fields that are not in Value
	numbers bool
}

// Decode reads a JSON text for a check against the schema. The text must be
// strict JSON: duplicate names, invalid UTF-8 and bytes after the value are
// errors (RFC 8259 §4, §8.1), everywhere in the text. The error is that of
// [jsontext.Decoder], or a [*TrailingError].
//
// Memory use is proportional to what the schema accepts, not to the number of values
// in the text.
func (s *Schema) Decode(text []byte) (*Body, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(text))
	b := &Body{}
	value, err := b.read(dec, s.shape)
	if err != nil {
		return nil, err
	}
	b.Value = value
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, &TrailingError{Offset: dec.InputOffset()}
	}
	return b, nil
}

// TrailingError reports text after the JSON value of a body.
type TrailingError struct {
	Offset int64 // of the end of the value, in bytes
}

// Error implements the error interface.
func (e *TrailingError) Error() string {
	return "unexpected data after the JSON, at byte " + strconv.FormatInt(e.Offset, 10)
}

// InspectBody checks a decoded body; see [Schema.Inspect].
func (s *Schema) InspectBody(b *Body) Verdict {
	v := s.Inspect(b.Value)
	v.Omitted += b.unknown
	v.Rewritten = v.Rewritten || b.numbers || b.unknown > 0
	return v
}

// read reads the next value.
func (b *Body) read(dec *jsontext.Decoder, c *shape) (any, error) {
	kind := dec.PeekKind()
	switch {
	case kind == '{' && c.values != nil:
		return b.readValues(dec, c)
	case kind == '{' && c.kind == openapi3.TypeObject:
		return b.readFields(dec, c)
	case kind == '[' && c.kind == openapi3.TypeArray:
		return b.readItems(dec, c)
	case kind == '{':
		return map[string]any{}, dec.SkipValue()
	case kind == '[':
		return []any{}, dec.SkipValue()
	}
	token, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case '"':
		return token.String(), nil
	case 't', 'f':
		return token.Bool(), nil
	case '0':
		// A number outside the range of float64 becomes an infinity, which every range rejects.
		literal := token.String()
		number, err := strconv.ParseFloat(literal, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return nil, err
		}
		b.numbers = b.numbers || literal != strconv.FormatFloat(number, 'f', -1, 64) // e.g. 60.0, which the generated binding rejects
		return number, nil
	default:
		return nil, nil //nolint:nilnil // JSON's null
	}
}

// readFields reads an object. It keeps the names of at most [MaxBreaches] unknown
// fields, without their values.
func (b *Body) readFields(dec *jsontext.Decoder, c *shape) (any, error) {
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	fields := map[string]any{}
	unknown := 0
	for dec.PeekKind() != '}' {
		token, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		name := token.String()
		field, known := c.fields[name]
		if !known {
			if unknown++; unknown <= MaxBreaches {
				fields[name] = nil
			} else {
				b.unknown++
			}
			if err := dec.SkipValue(); err != nil {
				return nil, err
			}
			continue
		}
		if fields[name], err = b.read(dec, field); err != nil {
			return nil, err
		}
	}
	_, err := dec.ReadToken()
	return fields, err
}

// readValues reads an object with any names. It keeps one value more than allowed, so
// that the check can detect an object that is too large.
func (b *Body) readValues(dec *jsontext.Decoder, c *shape) (any, error) {
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	values := map[string]any{}
	for dec.PeekKind() != '}' {
		token, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		if len(values) > c.maxFields {
			if err := dec.SkipValue(); err != nil {
				return nil, err
			}
			continue
		}
		name := token.String()
		if values[name], err = b.read(dec, c.values); err != nil {
			return nil, err
		}
	}
	_, err := dec.ReadToken()
	return values, err
}

// readItems reads an array. It keeps one element more than allowed, so that the check
// can detect an array that is too long.
func (b *Body) readItems(dec *jsontext.Decoder, c *shape) (any, error) {
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	items := []any{}
	for dec.PeekKind() != ']' {
		if len(items) > c.maxItems {
			if err := dec.SkipValue(); err != nil {
				return nil, err
			}
			continue
		}
		item, err := b.read(dec, c.items)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	_, err := dec.ReadToken()
	return items, err
}
