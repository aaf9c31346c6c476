// Package jsonobject writes JSON objects member by member into one piece of
// memory. What is written for every request, and a hundred times for a page, is
// written by it: reflection takes several times as long.
package jsonobject

import (
	"io"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/clientele-oauth/clientele/domain"
)

// Writer is the text of a JSON value so far. The zero value is an empty one. A
// member has a name, but for those of an array, whose name is empty.
type Writer []byte

// Flush sends what is written so far and empties the text, but for its last byte, by
// which the next value knows what it follows.
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

// begin writes what stands before a value.
func (w *Writer) begin(name string) {
	if n := len(*w); n > 0 && (*w)[n-1] != '{' && (*w)[n-1] != '[' {
		*w = append(*w, ',')
	}
	if name != "" {
		*w = append(*w, '"')
		*w = append(*w, name...)
		*w = append(*w, '"', ':')
	}
}

// Object writes a member that is an object; what write writes is inside.
func (w *Writer) Object(name string, write func()) {
	w.begin(name)
	*w = append(*w, '{')
	write()
	*w = append(*w, '}')
}

// Array writes a member that is an array; what write writes is inside.
func (w *Writer) Array(name string, write func()) {
	w.begin(name)
	*w = append(*w, '[')
	write()
	*w = append(*w, ']')
}

// Text writes a text. What is no UTF-8 in it is replaced (U+FFFD).
func (w *Writer) Text(name, value string) {
	w.begin(name)
	*w, _ = jsontext.AppendQuote(*w, value) // the error tells of the replacement
}

// TextUnlessEmpty writes a text that is better absent where it is empty.
func (w *Writer) TextUnlessEmpty(name, value string) {
	if value != "" {
		w.Text(name, value)
	}
}

// Texts writes a list of texts; an empty one is [], never null.
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
	default:
		panic("jsonobject: a kind of field without a JSON form")
	}
}

// Bool writes a truth value.
func (w *Writer) Bool(name string, value bool) {
	w.begin(name)
	*w = strconv.AppendBool(*w, value)
}

// Int writes a whole number.
func (w *Writer) Int(name string, value int64) {
	w.begin(name)
	*w = strconv.AppendInt(*w, value, 10)
}

// Time writes a time in UTC in a layout of package time that needs no escapes.
func (w *Writer) Time(name string, value time.Time, layout string) {
	w.begin(name)
	*w = append(*w, '"')
	*w = value.UTC().AppendFormat(*w, layout)
	*w = append(*w, '"')
}

// Raw writes a value that is JSON already.
func (w *Writer) Raw(name string, value []byte) {
	w.begin(name)
	*w = append(*w, value...)
}
