package jsonvalue

import (
	"strings"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
)

// unknownKey returns the message for a key that is not one of those known. It suggests the
// key that differs least, if it differs in at most two characters, and otherwise lists all.
func unknownKey(name string, known []string) string {
	const message = "unknown key"
	all := message + "; known: " + strings.Join(known, ", ")
	best, least := "", 3
	if contract.Shortened(name) != name {
		return all
	}
	for _, candidate := range known {
		if d := distance(name, candidate); d < least && d < len(candidate) {
			best, least = candidate, d
		}
	}
	if best == "" {
		return all
	}
	return message + "; did you mean " + best + "?"
}

// distance is the edit distance of two texts (Levenshtein), in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(above+1, row[j]+1, change)
			diagonal = above
		}
	}
	return row[len(b)]
}
