package push_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"

	"github.com/clientele-oauth/clientele/application/push"
)

func TestWords(t *testing.T) {
	for said, want := range map[string]string{
		"":                          "",
		" a\r\n\tb\x00c\x1b[31m  ":  "a b c [31m",
		"ünï \u2028 “x” \u202e":     "ünï “x” \ufffd",
		"\xff\xfe":                  "\ufffd\ufffd",
		strings.Repeat("a", 300):    strings.Repeat("a", 300),
		strings.Repeat("a", 301):    strings.Repeat("a", 300) + "…",
		strings.Repeat("ü", 10_000): strings.Repeat("ü", 150) + "…",
	} {
		got := push.Words(said)
		assert.Equal(t, want, got)
		assert.True(t, utf8.ValidString(got))
		assert.Equal(t, got, push.Words(got), "it is its own form")
	}
}
