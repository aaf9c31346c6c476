package domain

import (
	"testing"
	"unicode"
)

// An accepted name has invisible characters only after a visible character whose look
// they can change: never after a letter of an alphabet that is used for spoofing.
func FuzzName(f *testing.F) {
	for _, id := range []string{"name-required", "name-text"} {
		for _, e := range examples()[id] {
			settings := legal()
			e.edit(&settings)
			f.Add(settings.Name)
		}
	}
	f.Fuzz(func(t *testing.T, name string) {
		if nameFault(name) != "" || !hasVisible(name) {
			return
		}
		before := rune(-1)
		for _, r := range name {
			if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) &&
				!unicode.Is(unicode.Prepended_Concatenation_Mark, r) {
				if before < 0 || unicode.IsSpace(before) || unicode.IsLetter(before) && before != '\u2139' && unicode.In(before, unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Hangul) {
					t.Fatalf("accepted %q with U+%04X after U+%04X", name, r, before)
				}
			}
			before = r
		}
	})
}
