// Package jsonobject writes JSON objects field by field into a buffer. It is used for
// objects that are written for every request, up to a hundred times per page:
// reflection takes several times as long.
package jsonobject

import (
	"io"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/clientele-oauth/clientele/domain"
)

// Writer contains the JSON text written so far. The zero value is empty and ready to
// use. The methods take the name of a field, or "" for an element of an array.
type Writer []byte

// Flush sends the text written so far. It keeps the last byte in the buffer, because
// the separator before the next value depends on it.
func (w *Writer) Flush(to io.Writer) error {
	last := len(*w) - 1
	if last < 1 {
		return nil
	}
	_, err := to.Write((*w)[:last])
	(*w)[0] = (*w)[last]
	*w = (*w)[:1]
	return err
}

// begin writes the separator and the name before a value.
func (w *Writer) begin(name string) {
	if n := len(*w); n > 0 && (*w)[n-1] != '{' && (*w)[n-1] != '[' && (*w)[n-1] != '\n' {
		*w = append(*w, ',')
	}
	if name != "" {
		*w = append(*w, '"')
		*w = append(*w, name...)
		*w = append(*w, '"', ':')
	}
}

// EndLine ends a line. The next value begins a JSON text of its own: a response with
// one JSON text per line is NDJSON (https://github.com/ndjson/ndjson-spec).
func (w *Writer) EndLine() { *w = append(*w, '\n') }

// Object writes an object; write writes its fields.
func (w *Writer) Object(name string, write func()) {
	w.begin(name)
	*w = append(*w, '{')
	write()
	*w = append(*w, '}')
}

// Array writes an array; write writes its elements.
func (w *Writer) Array(name string, write func()) {
	w.begin(name)
	*w = append(*w, '[')
	write()
	*w = append(*w, ']')
}

// Text writes a string. Invalid UTF-8 is replaced by U+FFFD.
func (w *Writer) Text(name, value string) {
	w.begin(name)
	*w, _ = jsontext.AppendQuote(*w, value) // the error only reports the replacement
}

// TextUnlessEmpty writes a string, or nothing if it is empty.
func (w *Writer) TextUnlessEmpty(name, value string) {
	if value != "" {
		w.Text(name, value)
	}
}

// Texts writes a list of strings; an empty list is [], never null.
func Texts[S ~string](w *Writer, name string, list []S) {
	w.begin(name)
	*w = append(*w, '[')
	for _, value := range list {
		w.Text("", string(value))
	}
	*w = append(*w, ']')
}

// Value writes the value of a field of a client's configuration.
func Value(w *Writer, name string, value domain.Value) {
	switch v := value.(type) {
	case *domain.Text:
		w.Text(name, string(*v))
	case *domain.Flag:
		w.Bool(name, bool(*v))
	case domain.Texts:
		w.begin(name)
		*w = append(*w, '[')
		for i := range v.Len() {
			w.Text("", v.Text(i))
		}
		*w = append(*w, ']')
	case domain.Integer:
		w.Int(name, v.Int())
	case *domain.Map:
		w.Object(name, func() {
			for _, key := range v.Names() {
				w.begin("")
				*w, _ = jsontext.AppendQuote(*w, key)
				*w = append(*w, ':')
				*w, _ = jsontext.AppendQuote(*w, (*v)[key])
			}
		})
	}
}

// Bool writes a boolean.
func (w *Writer) Bool(name string, value bool) {
	w.begin(name)
	*w = strconv.AppendBool(*w, value)
}

// Int writes an integer.
func (w *Writer) Int(name string, value int64) {
	w.begin(name)
	*w = strconv.AppendInt(*w, value, 10)
}

// Time writes a time in UTC. The layout (see package time) must need no JSON escapes.
func (w *Writer) Time(name string, value time.Time, layout string) {
	w.begin(name)
	*w = append(*w, '"')
	*w = value.UTC().AppendFormat(*w, layout)
	*w = append(*w, '"')
}

// Raw writes a value that is already JSON.
func (w *Writer) Raw(name string, value []byte) {
	w.begin(name)
	*w = append(*w, value...)
}
