package domain

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestALifeCycle(t *testing.T) {
	book := testBook(t, Policy{})
	client := holding(t, 1)
	later := testNow.Add(time.Hour)
	gone := client.Delete(later)
	assert.True(t, gone.Deleted())
	assert.Equal(t, client.Revision()+1, gone.Revision())
	assert.False(t, client.Deleted())

	back, findings := book.Restore(gone, KeysUnexamined(), later)
	require.False(t, findings.Refuse())
	assert.False(t, back.Deleted())
	assert.Equal(t, client.Settings(), back.Settings())
	assert.Equal(t, client.Secrets(), back.Secrets())
	assert.Equal(t, gone.Revision()+1, back.Revision())

	tombstone := gone.Purge(later)
	assert.True(t, tombstone.Purged())
	assert.True(t, tombstone.Deleted())
	assert.Equal(t, client.Identity(), tombstone.Identity())
	assert.Equal(t, Settings{}, tombstone.Settings())
	assert.Empty(t, tombstone.Secrets())
}

func TestRestoringIsJudgedByTodaysRules(t *testing.T) {
	book := testBook(t, Policy{})
	outdated := func(status Status) Client {
		return stored(func(s *Settings) {
			s.Status, s.RedirectURIs = status, []RedirectURI{"http://a.example/"}
		}).Delete(testNow)
	}
	gone := outdated(StatusActive)
	same, findings := book.Restore(gone, KeysUnexamined(), testNow)
	assert.True(t, findings.Refuse())
	assert.Equal(t, gone.State(), same.State())

	back, findings := book.Restore(outdated(StatusSuspended), KeysUnexamined(), testNow)
	assert.False(t, findings.Refuse())
	assert.False(t, back.Deleted())
	require.NotEmpty(t, findings.Warnings())
	assert.True(t, findings.Warnings()[0].Standing)
}

func TestCompareTellsWhatRevisingChanged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := anyChange(t).apply(legal()).Settings
		after := anyChange(t).apply(before).Settings
		differences := Compare(before, after)
		assert.Equal(t, len(differences) == 0, len(Compare(after, before)) == 0)
		for _, d := range differences {
			assert.NotEqual(t, d.Before, d.After)
			assert.Equal(t, "/"+string(d.Field), d.Pointer())
		}
		restored := after.ChangeTo().apply(before).Settings
		assert.Empty(t, Compare(after, restored), "the change to a configuration leads there from everywhere")
	})
	assert.Equal(t, []Difference{
		{FieldConfidential, true, false},
		{FieldName, "My App", ""},
		{FieldScopes, []string{"openid"}, []string{}},
	}, Compare(Settings{Name: "My App", Confidential: true, Scopes: []Scope{"openid"}}, Settings{}))
}

func TestRedirectHosts(t *testing.T) {
	s := Settings{RedirectURIs: []RedirectURI{
		"https://A.example/1", "https://a.EXAMPLE:8443/2", "com.example.app:/cb", "http://[::1]/", "https://b.example", "::",
	}}
	assert.Equal(t, []string{"a.example", "[::1]", "b.example"}, s.RedirectHosts())
	assert.Empty(t, Settings{}.RedirectHosts())
}
