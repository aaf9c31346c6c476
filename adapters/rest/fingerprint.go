package rest

import (
	"crypto/sha256"
	"encoding/binary"
	"net/http"
)

// fingerprint is a hash of the content of a request with an Idempotency-Key: the
// method, path, query, preconditions, reason and body. A second request with the
// same key is a retry only if all of these are equal. The fingerprint is zero if
// the request has no Idempotency-Key.
//
// The reason is included because it is kept in the history: a different reason
// means a different entry. The order of query parameters does not matter (their
// names are unique); every byte of the body does. The tenant and the subject are
// not included, because keys are stored separately for each of them.
func fingerprint(r *http.Request, body []byte) (sum [sha256.Size]byte) {
	if r.Header.Get("Idempotency-Key") == "" {
		return sum
	}
	hash := sha256.New()
	for _, part := range []string{
		r.Method, r.URL.EscapedPath(), r.URL.Query().Encode(),
		r.Header.Get("If-Match"), r.Header.Get("If-None-Match"), r.Header.Get("X-Change-Reason"), string(body),
	} {
		// The length prefix separates the parts unambiguously.
		_, _ = hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part)))) // a hash never fails
		_, _ = hash.Write([]byte(part))
	}
	hash.Sum(sum[:0])
	return sum
}
