package hydra_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/hydra"
	"github.com/clientele-oauth/clientele/adapters/hydra/hydratest"
	"github.com/clientele-oauth/clientele/application/push/pushtest"
	"github.com/clientele-oauth/clientele/domain"
)

func start(t *testing.T) (*hydratest.Server, *hydra.Target) {
	t.Helper()
	server := hydratest.Start()
	t.Cleanup(server.Close)
	target, err := hydra.New(hydra.Config{URL: server.URL})
	require.NoError(t, err)
	return server, target
}

// refusable are settings that Hydra refuses if it is not configured for pairwise subjects.
func refusable() domain.Settings {
	s := pushtest.Machine()
	s.SubjectType = domain.SubjectPairwise
	return s
}

func TestTarget(t *testing.T) {
	pushtest.Run(t, func(t *testing.T) pushtest.Server {
		server, target := start(t)
		return pushtest.Server{
			Target: target,
			Plant:  func(_ *testing.T, id domain.ClientID) { server.Change(string(id), func(map[string]any) {}) },
			Tamper: func(_ *testing.T, id domain.ClientID) {
				server.Change(string(id), func(c map[string]any) { c["redirect_uris"] = []any{"https://evil.example.com/*"} })
			},
			Extend: func(_ *testing.T, id domain.ClientID) {
				server.Change(string(id), func(c map[string]any) {
					c["access_token_strategy"] = "jwt"
					c["metadata"].(map[string]any)["theirs"] = map[string]any{"a": 1.5}
				})
			},
			Extended: func(_ *testing.T, id domain.ClientID) bool {
				c := server.Client(string(id))
				theirs, _ := c["metadata"].(map[string]any)["theirs"].(map[string]any)
				return c["access_token_strategy"] == "jwt" && theirs["a"] == 1.5
			},
			Accepts:   func(_ *testing.T, id domain.ClientID, secret string) bool { return server.Accepts(string(id), secret) },
			Refusable: refusable,
			Fail:      func(*testing.T) { server.Fail(http.StatusServiceUnavailable) },
		}
	})
}
