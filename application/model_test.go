package application_test

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// model is the simplest possible registry: the current clients and the log of all changes.
type model struct {
	clients map[domain.ClientID]*modelClient
	log     []string // of the tenant
}

type modelClient struct {
	name     string
	scopes   []domain.Scope
	revision int
	deleted  bool
	secrets  []string          // values that verify
	was      map[int][2]string // name and scopes by revision
}

func (m *model) record(id domain.ClientID, c *modelClient, action domain.Action) {
	c.revision++
	if c.was == nil {
		c.was = map[int][2]string{}
	}
	c.was[c.revision] = [2]string{c.name, fmt.Sprint(c.scopes)}
	m.log = append(m.log, fmt.Sprintf("%s %d %s", id, c.revision, action))
}

// pick draws one of the clients, deleted or not; there is at least one.
func (m *model) pick(t *rapid.T) (domain.ClientID, *modelClient) {
	id := rapid.SampledFrom(slices.Sorted(maps.Keys(m.clients))).Draw(t, "client")
	return id, m.clients[id]
}

// Random operations have the same results in the registry and in the model, and so has
// everything that can be read afterwards.
func TestRegistryMatchesModel(t *testing.T) {
	if len(realStores) > 0 { // each check is thirty operations
		require.NoError(t, flag.Set("rapid.checks", "25"))
		defer func() { require.NoError(t, flag.Set("rapid.checks", "100")) }()
	}
	onEachStore(t, func(t *testing.T, r *registry) {
		run := 0
		rapid.Check(t, func(t *rapid.T) {
			run++
			// Each run has its own tenant in the same store.
			caller := application.Caller{
				Subject: "alice", Tenant: domain.TenantID(fmt.Sprintf("tenant_%d", run)), Permissions: application.Permissions(),
			}
			m := &model{clients: map[domain.ClientID]*modelClient{}}
			m.create(t, r, caller)
			t.Repeat(map[string]func(*rapid.T){
				"create":  func(t *rapid.T) { m.create(t, r, caller) },
				"update":  func(t *rapid.T) { m.update(t, r, caller) },
				"delete":  func(t *rapid.T) { m.delete(t, r, caller) },
				"restore": func(t *rapid.T) { m.restore(t, r, caller) },
				"revert":  func(t *rapid.T) { m.revert(t, r, caller) },
				"secret":  func(t *rapid.T) { m.secret(t, r, caller) },
				"":        func(t *rapid.T) { m.compare(t, r, caller) },
			})
			m.compareLog(t, r, caller)
		})
	})
}

func (m *model) create(t *rapid.T, r *registry, caller application.Caller) {
	id := domain.ClientID(rapid.StringMatching(`[a-d]`).Draw(t, "id"))
	name := rapid.SampledFrom([]string{"App", "Bpp", ""}).Draw(t, "name")
	change := validChange().With(domain.FieldName, domain.Settings{Name: name})
	registered, err := r.Register(t.Context(), caller, id, change, application.Options{})
	var invalid *application.InvalidError
	switch _, taken := m.clients[id]; {
	case taken:
		require.ErrorIs(t, err, application.ErrTaken)
	case name == "":
		require.ErrorAs(t, err, &invalid)
		if len(m.clients) == 0 { // the model needs one client
			m.create(t, r, caller)
		}
	default:
		require.NoError(t, err)
		c := &modelClient{name: name, secrets: []string{registered.Secret}}
		m.clients[id] = c
		m.record(id, c, domain.ActionCreate)
	}
}

func (m *model) update(t *rapid.T, r *registry, caller application.Caller) {
	id, c := m.pick(t)
	name := rapid.SampledFrom([]string{"App", "Bpp", "Cpp", "x\x00"}).Draw(t, "name")
	scopes := rapid.SliceOfNDistinct(rapid.SampledFrom([]domain.Scope{"openid", "profile", "mail"}), 0, 2, rapid.ID).Draw(t, "scopes")
	var ifMatch []domain.RevisionNumber
	if rapid.Bool().Draw(t, "conditional") {
		ifMatch = []domain.RevisionNumber{domain.RevisionNumber(rapid.IntRange(1, 4).Draw(t, "revision"))}
	}
	_, err := r.Revise(t.Context(), caller, id, domain.ChangeOf(domain.Settings{Name: name, Scopes: scopes}, domain.FieldScopes), application.Options{IfMatch: ifMatch})
	var invalid *application.InvalidError
	switch {
	case c.deleted:
		require.ErrorIs(t, err, application.ErrNotFound)
	case ifMatch != nil && int(ifMatch[0]) != c.revision:
		require.ErrorIs(t, err, application.ErrPreconditionFailed)
	case strings.Contains(name, "\x00"):
		require.ErrorAs(t, err, &invalid)
	default:
		require.NoError(t, err)
		if c.name != name || !slices.Equal(c.scopes, scopes) {
			c.name, c.scopes = name, scopes
			m.record(id, c, domain.ActionUpdate)
		}
	}
}

func (m *model) delete(t *rapid.T, r *registry, caller application.Caller) {
	id, c := m.pick(t)
	err := r.Delete(t.Context(), caller, id, application.Options{})
	if c.deleted {
		require.ErrorIs(t, err, application.ErrNotFound)
		return
	}
	require.NoError(t, err)
	c.deleted = true
	m.record(id, c, domain.ActionDelete)
}

func (m *model) restore(t *rapid.T, r *registry, caller application.Caller) {
	id, c := m.pick(t)
	_, err := r.Restore(t.Context(), caller, id, application.Options{})
	if !c.deleted {
		require.ErrorIs(t, err, domain.ErrNotDeleted)
		return
	}
	require.NoError(t, err)
	c.deleted = false
	m.record(id, c, domain.ActionRestore)
}

func (m *model) revert(t *rapid.T, r *registry, caller application.Caller) {
	id, c := m.pick(t)
	number := rapid.IntRange(1, c.revision+1).Draw(t, "to")
	restored, err := r.RestoreRevision(t.Context(), caller, id, domain.RevisionNumber(number), application.Options{})
	switch {
	case c.deleted:
		require.ErrorIs(t, err, application.ErrNotFound)
	case number > c.revision:
		require.ErrorIs(t, err, application.ErrNoSuchRevision)
	default:
		require.NoError(t, err)
		settings := restored.Client.Settings()
		require.Equal(t, [2]string{settings.Name, fmt.Sprint(settings.Scopes)}, c.was[number])
		if c.was[number] != [2]string{c.name, fmt.Sprint(c.scopes)} {
			c.name, c.scopes = settings.Name, settings.Scopes
			m.record(id, c, domain.ActionRevert)
		}
	}
}

func (m *model) secret(t *rapid.T, r *registry, caller application.Caller) {
	id, c := m.pick(t)
	var issued application.IssuedSecret
	var err error
	action := domain.ActionCreateSecret
	if rapid.Bool().Draw(t, "rotate") {
		action = domain.ActionRotateSecret
		issued, err = r.RotateSecret(t.Context(), caller, id, new(time.Duration(0)), application.Options{})
	} else {
		issued, err = r.CreateSecret(t.Context(), caller, id, application.SecretOptions{}, application.Options{})
	}
	switch {
	case c.deleted:
		require.ErrorIs(t, err, application.ErrNotFound)
	case action == domain.ActionCreateSecret && len(c.secrets) == domain.MaxActiveSecrets:
		require.ErrorIs(t, err, domain.ErrTooManySecrets)
	default:
		require.NoError(t, err)
		if action == domain.ActionRotateSecret {
			for _, old := range c.secrets {
				result, err := r.VerifySecret(t.Context(), caller, id, old)
				require.NoError(t, err)
				require.False(t, result.Valid)
			}
			c.secrets = nil
		}
		c.secrets = append(c.secrets, issued.Value)
		m.record(id, c, action)
	}
}

// compare compares all clients and lists with the model.
func (m *model) compare(t *rapid.T, r *registry, caller application.Caller) {
	want := map[string][]domain.ClientID{}
	for _, id := range slices.Sorted(maps.Keys(m.clients)) {
		c := m.clients[id]
		client, err := r.Find(t.Context(), caller, id)
		if c.deleted {
			require.ErrorIs(t, err, application.ErrNotFound)
			continue
		}
		require.NoError(t, err)
		settings := client.Settings()
		require.Equal(t, c.name, settings.Name)
		require.Equal(t, fmt.Sprint(c.scopes), fmt.Sprint(settings.Scopes))
		require.Equal(t, c.revision, int(client.Revision()))
		for _, value := range c.secrets {
			result, err := r.VerifySecret(t.Context(), caller, id, value)
			require.NoError(t, err)
			require.True(t, result.Valid)
		}
		want["all"] = append(want["all"], id)
		if c.name == "App" {
			want["app"] = append(want["app"], id)
		}
		if slices.Contains(c.scopes, "openid") {
			want["openid"] = append(want["openid"], id)
		}
	}
	for what, q := range map[string]application.Query{"all": {}, "app": {Name: "aP"}, "openid": {Scope: "openid"}} {
		q.Limit, q.Count = 100, true
		page, err := r.List(t.Context(), caller, q)
		require.NoError(t, err)
		var got []domain.ClientID
		for _, c := range page.Clients {
			got = append(got, c.Identity().ClientID)
		}
		require.Equal(t, want[what], got, what)
		require.Equal(t, len(got), page.Total, what)
	}
}

// compareLog reads the change feed page by page, and compares it and the histories with
// the model.
func (m *model) compareLog(t *rapid.T, r *registry, caller application.Caller) {
	var after application.Cursor
	var seen []string
	for {
		changes, err := r.Changes(t.Context(), caller, application.FeedQuery{After: after, Limit: rapid.IntRange(1, 5).Draw(t, "limit")}, application.WaitOptions{})
		require.NoError(t, err)
		if len(changes.Revisions) == 0 {
			break
		}
		after = changes.Next
		for _, entry := range changes.Revisions {
			seen = append(seen, fmt.Sprintf("%s %d %s", entry.Client.Identity().ClientID, entry.Client.Revision(), entry.Action))
		}
	}
	require.Equal(t, m.log, seen)
	for id, c := range m.clients {
		log, more, err := r.History(t.Context(), caller, id, 0, 1000)
		require.NoError(t, err)
		require.False(t, more)
		require.Len(t, log, c.revision)
		for _, entry := range log {
			settings := entry.Client.Settings()
			require.Equal(t, [2]string{settings.Name, fmt.Sprint(settings.Scopes)}, c.was[int(entry.Client.Revision())])
		}
	}
}
