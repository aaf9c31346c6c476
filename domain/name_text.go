package domain

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Characters that are invisible themselves, but that some scripts and emoji need.
const (
	zeroWidthNonJoiner      = '\u200c'
	zeroWidthJoiner         = '\u200d'
	mongolianVowelSeparator = '\u180e'
)

// hasVisible reports whether a character of the name is visible: not a space, a
// control, a format character, a filler, or a mark without a base character.
func hasVisible(name string) bool {
	for _, r := range name {
		if !unicode.IsSpace(r) && !isInvisible(r) && !unicode.IsMark(r) && !unicode.Is(unicode.Z, r) && !isBlank(r) {
			return true
		}
	}
	return false
}

// isInvisible reports whether r has no glyph: controls, format characters
// (bidirectional, zero-width, tags), private use, separators of lines and
// paragraphs, fillers and reserved characters of the property
// Default_Ignorable_Code_Point, and variation selectors. U+FFFD stands for bytes
// that are not UTF-8. Signs of Arabic and Kaithi numbers are format characters,
// but visible.
func isInvisible(r rune) bool {
	if unicode.Is(unicode.Prepended_Concatenation_Mark, r) {
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) || r == unicode.ReplacementChar
}

// isBlank reports whether r is a letter or symbol with an empty glyph: the blank
// pattern of Braille, two blank Egyptian hieroglyphs, and the null notehead.
func isBlank(r rune) bool {
	return r == '\u2800' || r == '\U00013441' || r == '\U00013442' || r == '\U0001d159'
}

// nameFault reports the first invisible character of the name that is not needed in its
// place; it returns "" if there is none.
func nameFault(name string) string {
	if r, ok := invisible(name, ""); ok {
		return fmt.Sprintf("the name has the character U+%04X, which is invisible here and can spoof a consent screen; remove it", r)
	}
	return ""
}

// invisible returns the first invisible character of the text that is not needed in its
// place and not in except. The following are needed:
//   - ZERO WIDTH NON-JOINER and JOINER where RFC 5892, appendix A.1 and A.2,
//     allow them: after a virama, and the non-joiner between letters that would
//     join without it (Persian, Indic scripts);
//   - the joiner between two emoji;
//   - variation selectors after an emoji or another symbol, a digit, an ideograph, or
//     a letter of a script that has variants;
//   - the Mongolian vowel separator between Mongolian letters.
//
// In any other place, such a character makes two different texts look the same.
func invisible(text, except string) (r rune, ok bool) {
	if isPrintableASCII(text) {
		return 0, false
	}
	runes := []rune(text)
	for i, r := range runes {
		if isInvisible(r) && !isNeeded(runes, i) && !strings.ContainsRune(except, r) {
			return r, true
		}
	}
	return 0, false
}

func isPrintableASCII(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// isNeeded reports whether the invisible character text[i] changes how its
// neighbours look.
func isNeeded(text []rune, i int) bool {
	if i == 0 {
		return false
	}
	before := text[i-1]
	switch r := text[i]; {
	case r == zeroWidthNonJoiner:
		return inRanges(viramas(), before) || separatesJoining(text, i)
	case r == zeroWidthJoiner:
		return inRanges(viramas(), before) || joinsEmoji(text, i)
	case r == mongolianVowelSeparator:
		return unicode.Is(unicode.Mongolian, before) && i+1 < len(text) && unicode.Is(unicode.Mongolian, text[i+1])
	case unicode.Is(unicode.Variation_Selector, r):
		return hasVariants(before)
	default:
		return false
	}
}

// separatesJoining is the regular expression of RFC 5892, appendix A.1:
// (Joining_Type:{L,D})(Joining_Type:T)*(ZWNJ)(Joining_Type:T)*(Joining_Type:{R,D}).
func separatesJoining(text []rune, i int) bool {
	before, after := i-1, i+1
	for before >= 0 && unicode.In(text[before], unicode.Mn, unicode.Me) {
		before--
	}
	for after < len(text) && unicode.In(text[after], unicode.Mn, unicode.Me) {
		after++
	}
	return before >= 0 && after < len(text) && inRanges(joinsNext(), text[before]) && inRanges(joinsPrevious(), text[after])
}

// joinsEmoji reports whether text[i] is between two emoji, of which the first may have a
// variation selector or a skin tone (UTS #51, ED-16).
func joinsEmoji(text []rune, i int) bool {
	before := i - 1
	for before > 0 && (text[before] == '\ufe0f' || isSkinTone(text[before])) {
		before--
	}
	return i+1 < len(text) && isEmoji(text[before]) && isEmoji(text[i+1])
}

func isSkinTone(r rune) bool { return r >= '\U0001f3fb' && r <= '\U0001f3ff' }

// isEmoji reports whether r can be part of an emoji sequence: symbols from the arrows
// on, one of which Unicode classifies as mathematical.
func isEmoji(r rune) bool { return r >= '\u2190' && unicode.Is(unicode.So, r) || r == '\u2194' }

// hasVariants reports whether a variation selector can follow r: symbols and
// digits have an emoji form, ideographs and letters of some scripts have variants.
func hasVariants(r rune) bool {
	if unicode.IsLetter(r) {
		return r == '\u2139' || unicode.In(r, unicode.Han, unicode.Mongolian, unicode.Myanmar, unicode.Phags_Pa, unicode.Manichaean)
	}
	return unicode.In(r, unicode.S, unicode.Nd) || slices.Contains([]rune("#*\u203c\u2049\u3030"), r)
}
