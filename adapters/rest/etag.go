package rest

import (
	"strconv"
	"strings"

	"github.com/clientele-oauth/clientele/domain"
)

// etag is the strong validator of a client: its revision (RFC 9110 §8.8.3).
func etag(n domain.RevisionNumber) string { return `"` + strconv.FormatInt(int64(n), 10) + `"` }

// entityTags reads the list of an If-Match or If-None-Match header. any is
// true for "*". A tag that is weak, or not one of ours, matches no revision and
// is left out of the list: the comparison is the strong one (RFC 9110 §8.8.3.2),
// which an intermediary's W/ must fail.
func entityTags(header string) (numbers []domain.RevisionNumber, anything bool) {
	numbers = []domain.RevisionNumber{}
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" {
			return nil, true
		}
		if len(tag) < 3 || tag[0] != '"' || tag[len(tag)-1] != '"' {
			continue
		}
		n, err := strconv.ParseInt(tag[1:len(tag)-1], 10, 64)
		if err == nil && etag(domain.RevisionNumber(n)) == tag {
			numbers = append(numbers, domain.RevisionNumber(n))
		}
	}
	return numbers, false
}
