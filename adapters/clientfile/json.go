package clientfile

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/clientele-oauth/clientele/domain"
)

// maxDepth is the maximum nesting depth of values. A configuration in a list with a
// key set in object form needs six levels.
const maxDepth = 32

// errTooDeep reports a value that is nested deeper than maxDepth.
var errTooDeep = errors.New("values are nested too deeply")

// errTooMany reports a configuration with more than maxValues values.
var errTooMany = errors.New("a configuration has too many values")

// decodeJSON reads concatenated JSON texts. It calls emit with each of them, or with
// each element if it is a list.
func decodeJSON(ctx context.Context, text []byte, emit func(located) error) error {
	d := &jsonDecoder{text: text, tokens: jsontext.NewDecoder(bytes.NewBuffer(text))}
	next := func(base string, depth int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		d.lines, d.values, d.keys, d.keysAt = map[string]int{}, 0, "", base+"/"+domain.FieldJWKS.String()
		content, err := d.value(base, depth)
		switch {
		case errors.Is(err, io.EOF) && base == "" && len(d.lines) == 0:
			return io.EOF
		case err != nil:
			return d.explain(err)
		}
		return emit(located{content: content, base: base, lines: d.lines, keys: d.keys})
	}
	for {
		var err error
		if d.tokens.PeekKind() == jsontext.KindBeginArray {
			err = d.elements(next)
		} else {
			err = next("", 0)
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// elements reads the next list element by element.
func (d *jsonDecoder) elements(next func(base string, depth int) error) error {
	if _, err := d.tokens.ReadToken(); err != nil {
		return d.explain(err)
	}
	for i := 0; d.tokens.PeekKind() != jsontext.KindEndArray; i++ {
		if err := next("/"+strconv.Itoa(i), 1); err != nil {
			return err
		}
	}
	if _, err := d.tokens.ReadToken(); err != nil {
		return d.explain(err)
	}
	return nil
}

type jsonDecoder struct {
	text   []byte
	tokens *jsontext.Decoder
	lines  map[string]int
	values int // number of values read in the configuration

	keysAt string // JSON Pointer of the key set of the configuration
	keys   string // its text without white space, if it is an object

	counted, newlines int // newlines in the first counted bytes
}

// value reads the next value and records its line; for a field, the line of its name.
func (d *jsonDecoder) value(pointer string, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	if d.values++; d.values > maxValues {
		return nil, errTooMany
	}
	token, err := d.tokens.ReadToken()
	if err != nil {
		return nil, err
	}
	if _, named := d.lines[pointer]; !named {
		d.lines[pointer] = d.line()
	}
	switch token.Kind() {
	case jsontext.KindBeginObject:
		begin := d.tokens.InputOffset() - 1
		members := map[string]any{}
		for d.tokens.PeekKind() != jsontext.KindEndObject {
			name, err := d.tokens.ReadToken()
			if err != nil {
				return nil, err
			}
			key := name.String()
			at := pointer + "/" + escaped(key)
			d.lines[at] = d.line()
			if members[key], err = d.value(at, depth+1); err != nil {
				return nil, err
			}
		}
		_, err = d.tokens.ReadToken()
		if pointer == d.keysAt {
			d.keys = compact(d.text[begin:d.tokens.InputOffset()])
		}
		return members, err
	case jsontext.KindBeginArray:
		list := []any{}
		for d.tokens.PeekKind() != jsontext.KindEndArray {
			element, err := d.value(pointer+"/"+strconv.Itoa(len(list)), depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, element)
		}
		_, err = d.tokens.ReadToken()
		return list, err
	case jsontext.KindString:
		return token.String(), nil
	case jsontext.KindNumber:
		number, err := strconv.ParseFloat(token.String(), 64)
		if err != nil {
			return token.String(), nil //nolint:nilerr // outside the range of float64: keep the text, which is not a valid number
		}
		return number, nil
	case jsontext.KindNull:
		return nil, nil
	default:
		return token.Bool(), nil
	}
}

// compact returns a JSON text without white space. All values keep their spelling. The
// text is empty if it is not JSON, which the decoder reports.
func compact(text []byte) string {
	value := jsontext.Value(bytes.Clone(text))
	if value.Compact() != nil {
		return ""
	}
	return string(value)
}

// line returns the line of the last token; no token spans several lines.
func (d *jsonDecoder) line() int {
	until := int(d.tokens.InputOffset())
	d.newlines += bytes.Count(d.text[d.counted:until], []byte("\n"))
	d.counted = until
	return d.newlines + 1
}

// explain returns an error with the line where the text is not valid, unambiguous JSON.
func (d *jsonDecoder) explain(err error) error {
	rejected := &SyntaxError{Line: d.line(), Message: "this is not JSON"}
	if errors.Is(err, errTooDeep) || errors.Is(err, errTooMany) {
		rejected.Message = err.Error()
	}
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		until := min(int(syntactic.ByteOffset), len(d.text))
		rejected.Line = bytes.Count(d.text[:until], []byte("\n")) + 1
		if errors.Is(err, jsontext.ErrDuplicateName) {
			rejected.Message = "duplicate field " + string(syntactic.JSONPointer)
		}
	}
	return rejected
}
