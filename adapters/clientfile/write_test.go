package clientfile_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/clientele-oauth/clientele/adapters/clientfile"
	"github.com/clientele-oauth/clientele/domain"
)

// Reader.Read returns the change that Write has written, also for values that have a
// special meaning in YAML.
func TestReadReturnsTheWrittenChange(t *testing.T) {
	reader := newReader(t)
	unusual := rapid.OneOf(
		rapid.SampledFrom([]string{"null", "~", "yes", "off", "1e3", "0x1f", "2026-01-01", "- a", "a: b", "#x", "a\nb\n", " a ", "'", "\"", "&a", "*a", "!!int 1", "{}", "[", "%", "@", "\u2028", "\u0085x", "😀", "a\tb", "\x1b[31m", "\u202e", "##[error]", "a\n::error::x", "\U000e0001", strings.Repeat("word ", 40) + "::error::", "-", "?", "<<", "="}),
		rapid.StringMatching(`[ -~éß]{1,20}`),
	)
	rapid.Check(t, func(t *rapid.T) {
		name := unusual.Draw(t, "name")
		uris := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) domain.RedirectURI { return domain.RedirectURI(unusual.Draw(t, "uri")) }), 0, 4).Draw(t, "uris")
		settings := domain.Settings{
			Name: name, Status: domain.StatusSuspended, Confidential: rapid.Bool().Draw(t, "confidential"), RedirectURIs: uris,
			GrantTypes: []domain.GrantType{"authorization_code"}, Scopes: []domain.Scope{"openid"},
			AuthMethods: []domain.AuthMethod{"none"}, Profile: "fapi2-security", Keys: domain.InlineKeys(`{"keys": []}`),
			TLSSubject: domain.TLSSubject{DN: "dn", SANDNS: "dns", SANURI: "uri", SANIP: "ip", SANEmail: "email"},
			LogoURL:    "https://a.example/logo", Website: "https://a.example/", PrivacyPolicy: "https://a.example/privacy",
			TermsURL: "https://a.example/terms", CORSOrigins: []domain.Origin{"https://a.example"},
		}
		text, err := clientfile.Write("null", domain.ChangeTo(settings))
		require.NoError(t, err)
		assert.False(t, strings.ContainsFunc(string(text), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }), "%q", text)
		assert.NotContains(t, string(text), "##[")
		for line := range strings.Lines(string(text)) {
			assert.False(t, strings.HasPrefix(strings.TrimSpace(line), "::"), line)
		}
		documents, err := reader.Read("a.yaml", text)
		require.NoError(t, err, "%s", text)
		require.Len(t, documents, 1)
		require.Empty(t, documents[0].Breaches, "%s", text)
		assert.Equal(t, "null", documents[0].ClientID)
		needed, differences := documents[0].Change.Needed(settings)
		assert.Empty(t, differences, "%s", text)
		assert.Equal(t, domain.Change{}, needed)
	})
}
