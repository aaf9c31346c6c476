package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// book returns the rulebook for the suite's clients.
func book(t *testing.T) *domain.Rulebook {
	t.Helper()
	b, err := domain.NewRulebook(domain.Policy{})
	require.NoError(t, err)
	return b
}

// register returns a new client with a secret. It does not commit it.
func register(t *testing.T, of domain.TenantID, id domain.ClientID) domain.Client {
	t.Helper()
	change := domain.ChangeOf(domain.Settings{
		Name: "My App – Größe 😀", RedirectURIs: []domain.RedirectURI{"https://app.example.com/cb?a=1&b=%22"}, Scopes: []domain.Scope{"openid", "profile"}, Keys: domain.KeysAt("https://app.example.com/jwks"),
	})
	identity := domain.Identity{ID: "client_" + string(id), TenantID: of, ClientID: id}
	outcome := book(t).Register(identity, change).Decide(domain.Facts{}, now)
	client, findings := outcome.Client, outcome.Findings
	require.False(t, findings.HasViolations(), "%v", findings)
	secret, _ := domain.NewSecret("secret_1", [domain.SecretEntropy]byte{1, 2, 3}, domain.Pepper{ID: "k", Key: []byte("pepper")}, now)
	return client.WithFirstSecret(secret)
}

// rename returns the client's next revision, with another name. It does not commit it.
func rename(t *testing.T, c domain.Client, name string) domain.Client {
	t.Helper()
	revised, findings := revise(t, c, domain.ChangeOf(domain.Settings{Name: name}), now.Add(time.Minute))
	require.False(t, findings.HasViolations(), "%v", findings)
	return revised
}

func created(c domain.Client) domain.Revision {
	return domain.Revision{Action: domain.ActionCreate, Actor: domain.Actor{Subject: "alice"}, At: c.UpdatedAt(), Client: c}
}

func updated(c domain.Client) domain.Revision {
	return domain.Revision{
		Action: domain.ActionUpdate, Actor: domain.Actor{Subject: "bob", ClientID: "console"}, At: c.UpdatedAt(), Client: c,
		RequestID: "r-1", Reason: "as requested – Größe",
	}
}

func revisionOf(action domain.Action, c domain.Client) domain.Revision {
	return domain.Revision{Action: action, Actor: domain.Actor{Subject: "carol"}, At: c.UpdatedAt(), Client: c}
}

// commitNew registers a client with defaults for the name and the redirect URIs, and
// commits it.
func commitNew(t *testing.T, store application.Store, of domain.TenantID, id domain.ClientID, change domain.Change) domain.Client {
	t.Helper()
	defaults := domain.Settings{Name: string(id), RedirectURIs: []domain.RedirectURI{"https://app.example.com/cb"}}
	for _, f := range []domain.Field{domain.FieldName, domain.FieldRedirectURIs} {
		if !change.Names(f) {
			change = change.With(f, defaults)
		}
	}
	outcome := book(t).Register(domain.Identity{ID: "client_" + string(id), TenantID: of, ClientID: id}, change).Decide(domain.Facts{}, now)
	client, findings := outcome.Client, outcome.Findings
	require.False(t, findings.HasViolations(), "%v", findings)
	require.NoError(t, store.Commit(t.Context(), created(client)))
	return client
}

// commitChange commits a change of a client.
func commitChange(t *testing.T, store application.Store, c domain.Client, change domain.Change) domain.Client {
	t.Helper()
	revised, findings := revise(t, c, change, c.UpdatedAt().Add(time.Minute))
	require.False(t, findings.HasViolations(), "%v", findings)
	require.NoError(t, store.Commit(t.Context(), updated(revised)))
	return revised
}

func ids(clients []domain.Client) []string {
	list := []string{}
	for _, c := range clients {
		list = append(list, string(c.Identity().ClientID))
	}
	return list
}

func list(t *testing.T, store application.Store, q application.Query) application.Page {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 100
	}
	page, err := store.List(t.Context(), tenant, q)
	require.NoError(t, err)
	return page
}
