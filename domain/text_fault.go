package domain

import (
	"fmt"
	"unicode/utf8"
)

// MaxDescription is the maximum length of the description of a token, in characters.
const MaxDescription = 256

// descriptionFault returns what is wrong with the description of a token, or "". It must be
// short and must not have invisible characters, which people who compare descriptions do
// not notice.
func descriptionFault(text string) string {
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > MaxDescription {
		return fmt.Sprintf("must have at most %d characters", MaxDescription)
	}
	if r, ok := invisible(text, ""); ok {
		return fmt.Sprintf("has the character U+%04X, which is invisible; remove it", r)
	}
	return ""
}
