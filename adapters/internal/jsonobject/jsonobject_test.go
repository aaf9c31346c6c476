package jsonobject_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
)

func TestWriterSeparatesValues(t *testing.T) {
	var w jsonobject.Writer
	w.Object("", func() {
		w.Text("text", "a \"b\" \\ \n ü")
		w.TextUnlessEmpty("absent", "")
		w.TextUnlessEmpty("present", "x")
		jsonobject.Texts(&w, "none", []string{})
		jsonobject.Texts(&w, "some", []string{"a", "b"})
		w.Bool("yes", true)
		w.Int("number", -7)
		w.Time("at", time.Date(2026, 4, 15, 12, 30, 0, 5, time.FixedZone("east", 7200)), time.RFC3339)
		w.Raw("raw", []byte(`[null]`))
		w.Array("objects", func() {
			w.Object("", func() { w.Int("a", 1) })
			w.Object("", func() {})
		})
		w.Bool("last", false)
	})
	assert.JSONEq(t, `{"text":"a \"b\" \\ \n ü","present":"x","none":[],"some":["a","b"],"yes":true,"number":-7,`+
		`"at":"2026-04-15T10:30:00Z","raw":[null],"objects":[{"a":1},{}],"last":false}`, string(w))
}

// Any text can be read again; invalid UTF-8 is replaced.
func TestTextsCanBeReadAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOf(rapid.String()).Draw(t, "texts")
		var w jsonobject.Writer
		w.Object("", func() { jsonobject.Texts(&w, "list", list) })
		var back struct{ List []string }
		require.NoError(t, json.Unmarshal(w, &back))
		assert.Equal(t, append([]string{}, list...), back.List)
	})
	var w jsonobject.Writer
	w.Text("", "a\xffb")
	assert.Equal(t, `"a�b"`, string(w))
}

// The output is the same with and without Flush, at any position.
func TestFlushDoesNotChangeTheOutput(t *testing.T) {
	write := func(w *jsonobject.Writer, flush func()) {
		w.Object("", func() {
			flush()
			w.Int("a", 1)
			flush()
			w.Array("b", func() {
				flush()
				for i := range 3 {
					w.Object("", func() { w.Text("c", "{[,") })
					if i != 1 {
						flush()
						flush()
					}
				}
			})
			w.Array("d", func() { flush() })
			flush()
		})
	}
	var whole, w jsonobject.Writer
	write(&whole, func() {})
	var pieces bytes.Buffer
	write(&w, func() { require.NoError(t, w.Flush(&pieces)) })
	pieces.Write(w)
	assert.JSONEq(t, string(whole), pieces.String())
	assert.Equal(t, string(whole), pieces.String())
}

func TestLinesAreSeparateTexts(t *testing.T) {
	var w jsonobject.Writer
	for i := range 2 {
		w.Object("", func() {
			w.Int("n", int64(i))
			w.Text("text", "a\nb")
		})
		w.EndLine()
	}
	assert.Equal(t, `{"n":0,"text":"a\nb"}`+"\n"+`{"n":1,"text":"a\nb"}`+"\n", string(w)) //nolint:testifylint // two texts
}
