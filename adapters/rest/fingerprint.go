package rest

import (
	"crypto/sha256"
	"encoding/binary"
	"net/http"
)

// fingerprint identifies what a request with an Idempotency-Key asks for: the
// method, the path, the query, the preconditions, the reason and the body. A
// second request with the same key is a repetition only if all of these are the
// same. It is empty without an Idempotency-Key.
//
// The reason is part of it because it is kept in the history: a request with
// another reason asks for another entry. The order of query parameters is not
// (their names are unique); the spelling of the body is, byte for byte. The tenant
// and the subject are not, since keys are kept for each of them apart.
func fingerprint(r *http.Request, body []byte) (sum [sha256.Size]byte) {
	if r.Header.Get("Idempotency-Key") == "" {
		return sum
	}
	hash := sha256.New()
	for _, part := range []string{
		r.Method, r.URL.EscapedPath(), r.URL.Query().Encode(),
		r.Header.Get("If-Match"), r.Header.Get("If-None-Match"), r.Header.Get("X-Change-Reason"), string(body),
	} {
		// The length of each part keeps one from running into the next.
		_, _ = hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part)))) // a hash never fails
		_, _ = hash.Write([]byte(part))
	}
	hash.Sum(sum[:0])
	return sum
}
