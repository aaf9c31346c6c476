package domain

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAChangeOfEverySubjectIsAWarning(t *testing.T) {
	book := testBook(t, Policy{KeyPreflight: PreflightOff})
	const sector = "https://sector.example/uris.json"
	for _, tt := range []struct {
		name   string
		before func(*Settings)
		change Change
		at     string
	}{
		{"to pairwise", nil, ChangeOf(Settings{SubjectType: SubjectPairwise}), "/subject_type"},
		{"to public", pairwise, ChangeOf(Settings{SubjectType: SubjectPublic}), "/subject_type"},
		{"another host", pairwise, ChangeOf(Settings{RedirectURIs: []RedirectURI{"https://other.example/callback"}}), "/redirect_uris"},
		{"a sector on another host", pairwise, ChangeOf(Settings{SectorIdentifierURI: sector}), "/sector_identifier_uri"},
		{"another path and port", pairwise, ChangeOf(Settings{RedirectURIs: []RedirectURI{"https://APP.example.com:8443/new"}}), ""},
		{"another document on the host", all(pairwise, func(s *Settings) { s.SectorIdentifierURI = sector }), ChangeOf(Settings{SectorIdentifierURI: sector + "2"}), ""},
		{"public, another host", nil, ChangeOf(Settings{RedirectURIs: []RedirectURI{"https://other.example/callback"}}), ""},
		{"the name", pairwise, ChangeOf(Settings{Name: "Other"}), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			settings := legal()
			settings.RedirectURIs = []RedirectURI{"https://app.example.com/callback"}
			if tt.before != nil {
				tt.before(&settings)
			}
			draft, err := book.Revise(Restore(State{Settings: settings, Revision: 1}), tt.change)
			require.NoError(t, err)
			var at string
			for _, f := range draft.Decide(Facts{}, testNow).Findings {
				if f.Rule == WarnSubjectsChange {
					assert.Equal(t, Warning, f.Level)
					at = f.Pointer
				}
			}
			assert.Equal(t, tt.at, at)
		})
	}
}
