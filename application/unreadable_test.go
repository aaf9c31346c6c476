package application_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/memory"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// newUnreadable returns a registry with one client at revision 2, of which one part
// cannot be decoded: the client, its secrets, or the entry of revision 1 in the log.
func newUnreadable(t *testing.T, part application.RecordPart) (*registry, domain.ClientID) {
	t.Helper()
	store := memory.New()
	r := registryOver(t, store)
	id := register(t, r)
	_, err := r.Revise(t.Context(), admin, id, domain.ChangeOf(domain.Settings{Name: "Another"}), application.Options{})
	require.NoError(t, err)
	which := application.UnreadableRecord{TenantID: admin.Tenant, ClientID: id, Revision: 1, Part: part}
	require.NoError(t, store.Overwrite(which, []byte(`5`)))
	return r, id
}

func TestUnreadableClient(t *testing.T) {
	r, id := newUnreadable(t, application.PartDocument)
	other := register(t, r)
	_, err := r.Find(t.Context(), admin, id)
	require.ErrorIs(t, err, application.ErrUnreadable)
	_, err = r.Revise(t.Context(), admin, id, domain.ChangeOf(domain.Settings{Name: "x"}), application.Options{})
	require.ErrorIs(t, err, application.ErrUnreadable)
	_, err = r.Register(t.Context(), admin, id, validChange(), application.Options{})
	require.ErrorIs(t, err, application.ErrUnreadable, "the identifier is in use")

	page, err := r.List(t.Context(), admin, application.Query{Limit: 10})
	require.NoError(t, err)
	require.Len(t, page.Clients, 1)
	assert.Equal(t, other, page.Clients[0].Identity().ClientID)
	require.Len(t, page.Unreadable, 1)
	assert.Equal(t, id, page.Unreadable[0].ClientID)
}

func TestUnreadableSecrets(t *testing.T) {
	r, id := newUnreadable(t, application.PartSecrets)
	for name, call := range map[string]func() error{
		"list":   func() error { _, err := r.ListSecrets(t.Context(), admin, id); return err },
		"verify": func() error { _, err := r.VerifySecret(t.Context(), admin, id, "x"); return err },
		"create": func() error {
			_, err := r.CreateSecret(t.Context(), admin, id, application.SecretOptions{}, application.Options{})
			return err
		},
		"rotate": func() error {
			_, err := r.RotateSecret(t.Context(), admin, id, new(time.Duration(0)), application.Options{})
			return err
		},
		"delete": func() error { return r.DeleteSecret(t.Context(), admin, id, "x", application.Options{}) },
	} {
		require.ErrorIs(t, call(), domain.ErrSecretsUnreadable, name)
	}
	revised, err := r.Revise(t.Context(), admin, id, domain.ChangeOf(domain.Settings{Name: "Third"}), application.Options{})
	require.NoError(t, err, "everything else can be changed")
	assert.Equal(t, domain.RevisionNumber(3), revised.Client.Revision())
	found, err := r.Find(t.Context(), admin, id)
	require.NoError(t, err)
	assert.Equal(t, "Third", found.Settings().Name)
	assert.True(t, found.SecretsUnreadable(), "the stored secrets are kept")
}

func TestUnreadableRevision(t *testing.T) {
	r, id := newUnreadable(t, application.PartRevision)
	log, more, err := r.History(t.Context(), admin, id, 0, 10)
	require.NoError(t, err)
	assert.False(t, more)
	require.Len(t, log, 2)
	assert.False(t, log[0].Unreadable)
	assert.Empty(t, log[0].Differences, "the revision before is unknown")
	assert.True(t, log[1].Unreadable)
	_, err = r.RevisionOf(t.Context(), admin, id, 1)
	require.ErrorIs(t, err, application.ErrUnreadable)
	_, err = r.RestoreRevision(t.Context(), admin, id, 1, application.Options{})
	require.ErrorIs(t, err, application.ErrUnreadable)
	changes, err := r.Changes(t.Context(), admin, application.FeedQuery{Limit: 10}, application.WaitOptions{})
	require.NoError(t, err)
	require.Len(t, changes.Revisions, 2)
	assert.True(t, changes.Revisions[0].Unreadable)
}
