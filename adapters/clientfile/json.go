package clientfile

import (
	"bytes"
	"errors"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth bounds how deeply values may be nested; a configuration in a list
// with a key set written out as an object needs six levels.
const maxDepth = 32

// errTooDeep is a value nested deeper than that.
var errTooDeep = errors.New("values are nested too deeply")

// decodeJSON reads the JSON texts that stand behind each other.
func decodeJSON(text []byte) ([]located, error) {
	d := &jsonDecoder{text: text, tokens: jsontext.NewDecoder(bytes.NewReader(text))}
	var values []located
	for {
		d.lines = map[string]int{}
		content, err := d.value("", 0)
		switch {
		case errors.Is(err, io.EOF):
			return values, nil
		case err != nil:
			return nil, d.explain(err)
		}
		values = append(values, located{content: content, lines: d.lines})
	}
}

type jsonDecoder struct {
	text   []byte
	tokens *jsontext.Decoder
	lines  map[string]int

	counted, newlines int // newlines in the first counted bytes
}

// value reads the value that comes next and notes where it stands: a member
// on the line of its name.
func (d *jsonDecoder) value(pointer string, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errTooDeep
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
			return token.String(), nil //nolint:nilerr // too large for any number, so no number to us
		}
		return number, nil
	case jsontext.KindNull:
		return nil, nil
	default:
		return token.Bool(), nil
	}
}

// line is the line of the token that was read last; no token spans lines.
func (d *jsonDecoder) line() int {
	until := int(d.tokens.InputOffset())
	d.newlines += bytes.Count(d.text[d.counted:until], []byte("\n"))
	d.counted = until
	return d.newlines + 1
}

// explain says where the text ceases to be JSON that has one reading only.
func (d *jsonDecoder) explain(err error) error {
	refused := &SyntaxError{Line: d.line(), Message: "this is not JSON"}
	if errors.Is(err, errTooDeep) {
		refused.Message = err.Error()
	}
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		until := min(int(syntactic.ByteOffset), len(d.text))
		refused.Line = bytes.Count(d.text[:until], []byte("\n")) + 1
		if errors.Is(err, jsontext.ErrDuplicateName) {
			refused.Message = "the member " + string(syntactic.JSONPointer) + " stands there twice"
		}
	}
	return refused
}
