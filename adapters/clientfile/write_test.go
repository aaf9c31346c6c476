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

// The hash of a secret is beside the configuration, and is not part of the change.
func TestSecretHashesAreReadAndWritten(t *testing.T) {
	const hash = "$2a$05$9K0Gl4NmZcbkl6LbDKXIquYBM2Z2Tjne0lcLrVxyTL2HxYASyk1/K"
	change := domain.ChangeOf(domain.Settings{Name: "Moved"})
	text, err := clientfile.WriteImported("app-1", change, hash)
	require.NoError(t, err)
	documents, err := newReader(t).Read("a.yaml", text)
	require.NoError(t, err)
	require.Len(t, documents, 1)
	require.Empty(t, documents[0].Breaches)
	assert.Equal(t, []string{"app-1", hash}, []string{documents[0].ClientID, documents[0].SecretHash})
	assert.Equal(t, change, documents[0].Change)

	plain, err := clientfile.Write("app-1", change)
	require.NoError(t, err)
	assert.NotContains(t, string(plain), "secret_hash")
	documents, err = newReader(t).Read("a.yaml", []byte("name: Moved\nsecret_hash: 7\n"))
	require.NoError(t, err)
	require.Len(t, documents[0].Breaches, 1)
	assert.Equal(t, "/secret_hash", documents[0].Breaches[0].Pointer)
	assert.Equal(t, 2, documents[0].Line("/secret_hash"))
	for _, d := range append(documents, clientfile.Document{}) {
		assert.Empty(t, d.SecretHash)
	}
}
