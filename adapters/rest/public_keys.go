package rest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"

	"github.com/clientele-oauth/clientele/adapters/internal/jwk"
	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// publicKeysMaxAge is how long caches may store the public keys of a client, in seconds:
// the maximum time for which they show a key that was removed, or the keys of a client
// that was suspended.
const publicKeysMaxAge = 60

// publicKeysURL returns the URL at which the public keys of a client can be read.
func (s *server) publicKeysURL(tenant domain.TenantID, id domain.ClientID) string {
	return s.publicURL + "/oauth/" + url.PathEscape(string(tenant)) + "/clients/" + url.PathEscape(string(id)) + "/jwks.json"
}

// errKeysChanged rejects If-Match for keys that have another ETag.
var errKeysChanged = &contractError{status: http.StatusPreconditionFailed, message: "the keys are not those of an ETag in If-Match"}

// GetPublicKeys implements GET /oauth/{tenant}/clients/{client_id}/jwks.json.
func (s *server) GetPublicKeys(ctx context.Context, r api.GetPublicKeysRequestObject) (api.GetPublicKeysResponseObject, error) {
	text, err := s.registry.PublicKeys(ctx, domain.TenantID(r.Tenant), domain.ClientID(r.ClientID))
	if err != nil {
		return nil, err
	}
	set, ok := jwk.PublicSet(text)
	if !ok {
		return nil, application.ErrNotFound
	}
	sum := sha256.Sum256(set)
	keys := &keySet{text: set, tag: hex.EncodeToString(sum[:16])}
	if r.Params.IfMatch != nil { // before If-None-Match (RFC 9110 §13.2.2)
		if t, err := parseEntityTags(*r.Params.IfMatch); err == nil && !t.strongly(keys.tag) {
			return nil, errKeysChanged
		}
	}
	if r.Params.IfNoneMatch != nil {
		t, err := parseEntityTags(*r.Params.IfNoneMatch)
		keys.unchanged = err == nil && t.weakly(keys.tag)
	}
	return keys, nil
}

// keySet is a response with the public keys of a client.
type keySet struct {
	text      []byte
	tag       string // the ETag, without the quotes
	unchanged bool   // the caller has these keys
}

// VisitGetPublicKeysResponse implements [api.GetPublicKeysResponseObject].
func (k *keySet) VisitGetPublicKeysResponse(w http.ResponseWriter) error {
	header := w.Header()
	header.Set("ETag", `"`+k.tag+`"`)
	header.Set("Cache-Control", "public, max-age="+strconv.Itoa(publicKeysMaxAge))
	if k.unchanged {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	header.Set("Content-Type", "application/jwk-set+json")
	header.Set("Content-Length", strconv.Itoa(len(k.text)))
	header.Set("X-Content-Type-Options", "nosniff") // clients choose parts of the content
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(k.text)
	return err
}

// limitAddress enforces the rate limit of requests without a token. Without a public URL
// the service has no such operations.
func (s *server) limitAddress(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.publicURL == "" {
			s.writeNoEndpoint(w, r)
			return
		}
		if s.addresses != nil && !s.addresses.Allow(s.networkOf(r)) {
			s.shed(application.ErrTooManyRequests)
			s.rejectUnread(w, r, application.ErrTooManyRequests)
			return
		}
		next.ServeHTTP(w, r)
	})
}
