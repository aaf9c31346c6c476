package domain

import (
	"slices"
	"strings"
)

// wordSet is a text of words whose order has no meaning, such as a response type
// (RFC 6749 §3.1.1): each word once, in alphabetical order, separated by one space.
// So equal sets are equal values.
type wordSet string

// wordsOf returns the words of text. Two spaces in a row, or a space at an end, yield an
// empty word.
func wordsOf[S ~string](text S) wordSet {
	if strings.IndexByte(string(text), ' ') < 0 {
		return wordSet(text)
	}
	words := strings.Split(string(text), " ")
	slices.Sort(words)
	return wordSet(strings.Join(slices.Compact(words), " "))
}

// has reports whether the word is in the set.
func (s wordSet) has(word string) bool {
	for w := range strings.SplitSeq(string(s), " ") {
		if w == word {
			return true
		}
	}
	return false
}

// len returns the number of words.
func (s wordSet) len() int { return strings.Count(string(s), " ") + 1 }
