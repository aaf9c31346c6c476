package domain

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestLifecycleOfAClient(t *testing.T) {
	book := testBook(t, Policy{})
	client := clientWithSecrets(t, 1)
	later := testNow.Add(time.Hour)
	gone := must(client.Delete(later))
	assert.True(t, gone.Deleted())
	assert.Equal(t, client.Revision()+1, gone.Revision())
	assert.False(t, client.Deleted())

	back, findings := restoreClient(book, gone, KeysUnexamined(), later)
	require.False(t, findings.HasViolations())
	assert.False(t, back.Deleted())
	assert.Equal(t, client.Settings(), back.Settings())
	assert.Equal(t, client.Secrets(), back.Secrets())
	assert.Equal(t, gone.Revision()+1, back.Revision())

	tombstone := must(gone.Purge(later))
	assert.True(t, tombstone.Purged())
	assert.True(t, tombstone.Deleted())
	assert.Equal(t, client.Identity(), tombstone.Identity())
	assert.Equal(t, Settings{}, tombstone.Settings())
	assert.Empty(t, tombstone.Secrets())
}

func TestRestorationIsValidatedByTheCurrentRules(t *testing.T) {
	book := testBook(t, Policy{})
	outdated := func(status Status) Client {
		return must(stored(func(s *Settings) {
			s.Status, s.RedirectURIs = status, []RedirectURI{"http://a.example/"}
		}).Delete(testNow))
	}
	gone := outdated(StatusActive)
	same, findings := restoreClient(book, gone, KeysUnexamined(), testNow)
	assert.True(t, findings.HasViolations())
	assert.Equal(t, gone.State(), same.State())

	back, findings := restoreClient(book, outdated(StatusSuspended), KeysUnexamined(), testNow)
	assert.False(t, findings.HasViolations())
	assert.False(t, back.Deleted())
	require.NotEmpty(t, findings.Warnings())
	assert.True(t, findings.Warnings()[0].Preexisting)
}

func TestCompareReportsTheFieldsThatDiffer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := anyChange(t).Over(legal())
		after := anyChange(t).Over(before)
		differences := Compare(before, after)
		assert.Equal(t, len(differences) == 0, len(Compare(after, before)) == 0)
		for _, d := range differences {
			assert.NotEqual(t, d.Before, d.After)
			assert.Equal(t, "/"+d.Field.String(), d.Pointer())
		}
		restored := ChangeTo(after).Over(before)
		assert.Empty(t, Compare(after, restored), "ChangeTo turns any configuration into the given one")
	})
	assert.Equal(t, []Difference{
		{FieldConfidential, true, false},
		{FieldName, "My App", ""},
		{FieldScopes, []string{"openid"}, []string{}},
	}, Compare(Settings{Name: "My App", Confidential: true, Scopes: []Scope{"openid"}}, Settings{}))
}

func TestRedirectURIsAreFoundByTheirHosts(t *testing.T) {
	for uri, host := range map[string]string{
		"https://A.example/1": "a.example", "https://a.EXAMPLE:8443/2": "a.example", "com.example.app:/cb": "",
		"http://[::1]/": "[::1]", "https://b.example": "b.example", "::": "",
	} {
		assert.Equal(t, host, FieldRedirectURIs.FacetValue(uri), uri)
	}
}
