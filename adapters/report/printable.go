package report

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Printable returns text from another source (a name, an identifier, a file name, a
// server's message) as one line that is safe on a terminal and in the log of a pipeline.
// It escapes, as in a Go string, characters that control a terminal, end a line or
// change the direction of text, and the start of a workflow command of GitHub Actions
// ("::error::" at the start of a line, "##[error]" anywhere).
func Printable(text string) string {
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == utf8.RuneError && invalidAt(text, i):
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case r == ' ' || unicode.IsPrint(r) || joins(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	line := b.String()
	start := len(line) - len(strings.TrimLeft(line, " "))
	if strings.HasPrefix(line[start:], "::") {
		line = line[:start] + `\x3a` + line[start+1:]
	}
	return strings.ReplaceAll(line, "##[", `#\x23[`)
}

// Quoted returns the text in double quotes, escaped like [Printable].
func Quoted(text string) string { return Printable(strconv.Quote(text)) }

// invalidAt reports whether the text is not valid UTF-8 at a byte offset.
func invalidAt(text string, at int) bool {
	_, size := utf8.DecodeRuneInString(text[at:])
	return size == 1
}

// joins reports whether r is a joiner, which words of some scripts require (RFC 5892
// appendix A).
func joins(r rune) bool { return r == '\u200c' || r == '\u200d' }

// escapeJSON escapes in a JSON text what [Printable] escapes in a line. The value of the
// JSON text does not change.
func escapeJSON(text []byte) []byte {
	var b bytes.Buffer
	for _, r := range string(bytes.ReplaceAll(text, []byte("##["), []byte(`#\u0023[`))) {
		if r < 0x7f || unicode.IsPrint(r) || joins(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.Bytes()
}
