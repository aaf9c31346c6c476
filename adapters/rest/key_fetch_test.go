package rest_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/clientele-oauth/clientele/adapters/jwks"
	"github.com/clientele-oauth/clientele/adapters/sqlite"
	"github.com/clientele-oauth/clientele/domain"
)

// internalResolver returns a resolver that knows only names below inside.test, which
// have a private address.
func internalResolver(t *testing.T) *net.Resolver {
	t.Helper()
	socket, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = socket.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			length, from, err := socket.ReadFrom(buffer)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buffer[:length]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m.Response, m.Authoritative, m.Additionals, m.RCode = true, true, nil, dnsmessage.RCodeNameError
			if strings.HasSuffix(q.Name.String(), "inside.test.") {
				m.RCode = dnsmessage.RCodeSuccess
				if q.Type == dnsmessage.TypeA {
					m.Answers = []dnsmessage.Resource{{
						Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, Type: q.Type},
						Body:   &dnsmessage.AResource{A: [4]byte{10, 0, 0, 1}},
					}}
				}
			}
			if packed, err := m.Pack(); err == nil {
				_, _ = socket.WriteTo(packed, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", socket.LocalAddr().String())
	}}
}

// A registration whose jwks_uri has an internal host gets the same response as one whose
// jwks_uri has a host that does not exist, with and without a FAPI profile. Otherwise the
// registry could be used to probe the network.
func TestInternalAndMissingHostsGetTheSameResponse(t *testing.T) {
	store, err := sqlite.Open(t.TempDir() + "/test.db")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	_, err = store.Migrate(t.Context())
	require.NoError(t, err)
	book, err := domain.NewRulebook(domain.Policy{})
	require.NoError(t, err)
	s := serviceOver(t, store, func(c *setup) {
		c.Registry.Book = book
		c.Registry.Keys = jwks.NewResolver(jwks.Options{Names: internalResolver(t), Wait: func(context.Context, time.Duration) {}})
	})
	register := func(profile, host string) response {
		return s.do(t, call{method: "POST", path: clients, token: "admin", body: fmt.Sprintf(`{"name":"App","fapi_profile":%q,
			"redirect_uris":["https://a.example/cb"],"client_auth_methods":["private_key_jwt"],"jwks_uri":"https://%s/jwks"}`, profile, host)})
	}
	for profile, status := range map[string]int{"": http.StatusCreated, "fapi2-security": http.StatusBadRequest} {
		internal, missing := register(profile, "keys.inside.test"), register(profile, "keys.missing.test")
		require.Equal(t, status, internal.status, internal.text)
		assert.Equal(t, status, missing.status, missing.text)
		assert.Equal(t, missing.body["violations"], internal.body["violations"])
		assert.Equal(t, missing.body["warnings"], internal.body["warnings"])
		assert.Contains(t, internal.text, "jwks-uri-unreachable")
	}
	literal := register("", "10.0.0.1")
	assert.Equal(t, []string{"/jwks_uri jwks-uri-address"}, literal.violated(), "the address is in the request, so rejecting it reveals nothing")
	userinfo := register("", "user:pass@keys.missing.test")
	assert.Equal(t, []string{"/jwks_uri jwks-uri-syntax"}, userinfo.violated())
}
