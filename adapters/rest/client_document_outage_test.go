package rest_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// A client whose document cannot be fetched is not known to be missing: a request that needs
// the client reports that it cannot be decided, and when to repeat it.
func TestUnreachableClientDocuments(t *testing.T) {
	onDocumentServices(t, func(t *testing.T, s *documentService) {
		target := s.url("/client")
		for _, tt := range []struct {
			name           string
			respond        func()
			keys, identify int // the statuses
		}{
			{"served", func() { s.serves(metadataDocument(target, nil)) }, http.StatusOK, http.StatusOK},
			{"unreachable", func() {
				s.responds(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
			}, http.StatusServiceUnavailable, http.StatusServiceUnavailable},
			{"malformed", func() { s.serves(metadataDocument(s.url("/other"), nil)) }, http.StatusNotFound, http.StatusUnauthorized},
			{"invalid", func() {
				s.serves(metadataDocument(target, map[string]any{"redirect_uris": []string{"https://127.0.0.1/cb#a"}}))
			}, http.StatusNotFound, http.StatusUnauthorized},
		} {
			s.advance(48 * time.Hour)
			tt.respond()
			keys := s.do(t, call{method: "GET", path: clients + "/" + url.PathEscape(target) + "/keys", token: "admin"})
			identified := s.authenticate(t, map[string]any{"form": map[string]any{"client_id": target}})
			assert.Equal(t, tt.keys, keys.status, "%s: %s", tt.name, keys.text)
			assert.Equal(t, tt.identify, identified.status, "%s: %s", tt.name, identified.text)
			if tt.keys != http.StatusServiceUnavailable {
				continue
			}
			for _, undecided := range []response{keys, identified} {
				assert.EqualValues(t, 2, undecided.body["retry_after"], undecided.text)
				assert.Contains(t, undecided.body["message"], "the client ID metadata document of the client cannot be read: ")
			}
		}
	})
}
