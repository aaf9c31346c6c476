package rest_test

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/jwks"
	"github.com/clientele-oauth/clientele/adapters/memory"
	"github.com/clientele-oauth/clientele/domain"
)

// sectorHost serves a document at a sector_identifier_uri.
type sectorHost struct {
	*httptest.Server
	requests atomic.Int64
	document atomic.Value // what is served; "" is a 404
}

func newSectorHost(t *testing.T) *sectorHost {
	t.Helper()
	h := &sectorHost{}
	h.serve("")
	h.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h.requests.Add(1)
		text := h.document.Load().(string)
		if text == "" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *sectorHost) serve(document string) { h.document.Store(document) }

// service returns a service that may fetch from the host.
func (h *sectorHost) service(t *testing.T, preflight domain.KeyPreflight) service {
	t.Helper()
	policy := domain.Policy{KeyNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, KeyPreflight: preflight}
	book, err := domain.NewRulebook(policy)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(h.Certificate())
	resolver := jwks.NewResolver(jwks.Options{Policy: policy, Roots: roots})
	return serviceOver(t, memory.New(), func(c *setup) {
		c.Registry.Book, c.Registry.Keys, c.Registry.Sectors = book, resolver, resolver
	})
}

func uris(list ...string) string {
	text, _ := json.Marshal(list) //nolint:errchkjson // strings
	return string(text)
}

func TestTheDocumentOfASectorIdentifierIsChecked(t *testing.T) {
	host := newSectorHost(t)
	s := host.service(t, domain.PreflightWarn)
	path := 0
	register := func(redirects string) response {
		path++ // a URI of its own, since documents are cached
		return s.do(t, call{method: "POST", path: clients, token: "admin", body: fmt.Sprintf(
			`{"name":"App","subject_type":"pairwise","redirect_uris":%s,"sector_identifier_uri":"%s/%d"}`, redirects, host.URL, path)})
	}
	const a, b = "https://a.example/cb", "https://b.example/cb"

	rejected := register(uris(a, b))
	assert.Equal(t, http.StatusBadRequest, rejected.status)
	assert.Equal(t, []string{"/sector_identifier_uri sector-identifier-unreachable"}, rejected.violated())
	host.serve(`{"uris":[]}`)
	assert.Equal(t, []string{"/sector_identifier_uri sector-identifier-content"}, register(uris(a, b)).violated())
	host.serve(uris(a, b+"/"))
	assert.Equal(t, []string{"/redirect_uris/1 sector-identifier-missing"}, register(uris(a, b)).violated())

	host.serve(uris(a, b))
	created := register(uris(a, b))
	require.Equal(t, http.StatusCreated, created.status, created.text)
	client := clients + "/" + created.data("client_id").(string)
	requests := host.requests.Load()
	update := func(body string) response {
		return s.do(t, call{method: "PUT", path: client, token: "admin", body: body})
	}
	assert.Equal(t, http.StatusOK, update(`{"name":"Another"}`).status)
	assert.Equal(t, http.StatusOK, update(`{"redirect_uris":`+uris(b)+`}`).status)
	assert.Equal(t, requests, host.requests.Load(), "fetched for a change that adds no URI")
	assert.Equal(t, []string{"/redirect_uris/1 sector-identifier-missing"}, update(`{"redirect_uris":`+uris(b, "https://c.example/cb")+`}`).violated())
	assert.Equal(t, http.StatusOK, update(`{"redirect_uris":`+uris(b, a)+`}`).status)

	host.serve("")
	moved := update(`{"sector_identifier_uri":"` + host.URL + `/moved"}`)
	assert.Equal(t, []string{"/sector_identifier_uri sector-identifier-unreachable"}, moved.violated())

	checked := s.do(t, call{method: "POST", path: "/admin/oauth/compliance", token: "admin", body: fmt.Sprintf(
		`{"name":"App","redirect_uris":%s,"sector_identifier_uri":"%s/moved"}`, uris(a), host.URL)})
	require.Equal(t, http.StatusOK, checked.status, checked.text)
	assert.Contains(t, checked.text, "the document could not be fetched: the host responded with status 404")
}

func TestNoSectorIdentifierIsFetchedWithPreflightOff(t *testing.T) {
	host := newSectorHost(t)
	s := host.service(t, domain.PreflightOff)
	created := s.do(t, call{method: "POST", path: clients, token: "admin", body: fmt.Sprintf(
		`{"name":"App","redirect_uris":["https://a.example/cb"],"sector_identifier_uri":"%s/"}`, host.URL)})
	require.Equal(t, http.StatusCreated, created.status, created.text)
	assert.Contains(t, created.text, "sector-identifier-unreachable")
	assert.Zero(t, host.requests.Load())
}
