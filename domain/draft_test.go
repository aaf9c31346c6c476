package domain

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// registerClient drafts and decides a registration.
func registerClient(book *Rulebook, id Identity, change Change, keys Keys, now time.Time) (Client, Findings) {
	outcome := book.Register(id, change).Decide(Facts{Keys: keys}, now)
	return outcome.Client, outcome.Findings
}

// reviseClient drafts and decides a change of a client.
func reviseClient(book *Rulebook, c Client, change Change, keys Keys, now time.Time) (Client, Findings) {
	outcome := must(book.Revise(c, change)).Decide(Facts{Keys: keys}, now)
	return outcome.Client, outcome.Findings
}

// restoreClient drafts and decides the restoration of a deleted client.
func restoreClient(book *Rulebook, c Client, keys Keys, now time.Time) (Client, Findings) {
	outcome := must(book.Restore(c)).Decide(Facts{Keys: keys}, now)
	return outcome.Client, outcome.Findings
}

// must returns the value of a call that must succeed.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func TestTheStateOfAClientAllowsOnlySomeChanges(t *testing.T) {
	book := testBook(t, Policy{})
	live := clientWithSecrets(t, 1)
	deleted := must(live.Delete(testNow))
	purged := must(deleted.Purge(testNow))
	secret := live.Secrets()[0]
	expired := secret
	expired.ExpiresAt = testNow
	changes := map[string]func(Client) error{
		"revise": func(c Client) error { _, err := book.Revise(c, Change{}); return err },
		"delete": func(c Client) error { _, err := c.Delete(testNow); return err },
		"issue":  func(c Client) error { _, err := c.IssueSecret(secret, testNow); return err },
		"rotate": func(c Client) error { _, err := c.RotateSecret(secret, 0, testNow); return err },
		"remove": func(c Client) error {
			_, err := c.WithFirstSecret(expired).DeleteSecret(expired.ID, testNow)
			return err
		},
		"restore": func(c Client) error { _, err := book.Restore(c); return err },
		"suspend": func(c Client) error { _, err := book.RestoreSuspended(c); return err },
		"purge":   func(c Client) error { _, err := c.Purge(testNow); return err },
	}
	for name, want := range map[string][3]error{
		"revise": {nil, ErrDeleted, ErrDeleted}, "delete": {nil, ErrDeleted, ErrDeleted},
		"issue": {nil, ErrDeleted, ErrDeleted}, "rotate": {nil, ErrDeleted, ErrDeleted}, "remove": {nil, ErrDeleted, ErrDeleted},
		"restore": {ErrNotDeleted, nil, ErrPurged}, "suspend": {ErrNotDeleted, nil, ErrPurged}, "purge": {ErrNotDeleted, nil, ErrPurged},
	} {
		for i, c := range []Client{live, deleted, purged} {
			assert.Equal(t, want[i], changes[name](c), "%s, %d", name, i)
		}
	}
}

func TestOutcomeReportsTheChangedFields(t *testing.T) {
	book := testBook(t, Policy{KeyPreflight: PreflightOff})
	client := stored(nil)
	change := ChangeOf(Settings{Name: client.Settings().Name, Website: "https://a.example/", Scopes: []Scope{"openid", "email"}})
	outcome := must(book.Revise(client, change)).Decide(Facts{}, testNow)
	assert.Equal(t, FieldsOf(FieldWebsite, FieldScopes), outcome.Changed, "the name already has that value")
	rejected := must(book.Revise(client, ChangeOf(Settings{}, FieldName))).Decide(Facts{}, testNow)
	assert.True(t, rejected.Findings.HasViolations())
	assert.Equal(t, client, rejected.Client)
}
