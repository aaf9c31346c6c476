package domain

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCheckClientIDReportsWhatRegisterReports(t *testing.T) {
	book := testBook(t, Policy{})
	for _, e := range examples()["client-id-syntax"] {
		if e.id == "" {
			continue
		}
		t.Run(e.name, func(t *testing.T) {
			_, registered := registerClient(book, Identity{ID: "1", ClientID: e.id}, ChangeOf(Settings{
				Name: "App", RedirectURIs: []RedirectURI{"https://a.example/"},
			}), KeysUnexamined(), testNow)
			assert.Equal(t, registered, CheckClientID(e.id))
			assert.Equal(t, e.at != "", CheckClientID(e.id).HasViolations())
		})
	}
	assert.Equal(t, []string{"client-id-syntax"}, rulesOf(CheckClientID("")))
}

func TestExistingClientsKeepTheirClientID(t *testing.T) {
	before := stored(nil)
	before.state.Identity.ClientID = ".."
	after, findings := reviseClient(testBook(t, Policy{}), before, ChangeOf(Settings{Name: "x"}), KeysSeen(*keySet(ecKey())), testNow)
	assert.Empty(t, findings)
	assert.Equal(t, RevisionNumber(4), after.Revision())
}
