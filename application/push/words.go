package push

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxWords limits what is repeated of a server's response, in bytes.
const maxWords = 300

// Words returns a text of a server so that it can be shown to people: one line of at most
// 300 bytes without control characters.
func Words(said string) string {
	said = said[:min(len(said), 4*maxWords)] // a server may say a lot
	var line strings.Builder
	for _, word := range strings.FieldsFunc(said, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		if line.Len() > 0 {
			line.WriteByte(' ')
		}
		for _, r := range word {
			if !unicode.IsPrint(r) {
				r = utf8.RuneError
			}
			if line.Len()+utf8.RuneLen(r) > maxWords {
				return line.String() + "…"
			}
			line.WriteRune(r)
		}
	}
	return line.String()
}
