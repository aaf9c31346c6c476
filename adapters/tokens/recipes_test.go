package tokens_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/tokens"
)

const recipesPage = "../../docs/issuers.md"

// updateRecipes updates the reports in the page.
var updateRecipes = flag.Bool("update", false, "update the reports in docs/issuers.md")

var recipeBlocks = regexp.MustCompile("(?s)```(yaml|json|text)\n(.*?)```")

// recipes is the content of the page: the issuers file, and each token with its report.
type recipes struct {
	file   string
	tokens []recipeToken
}

type recipeToken struct{ header, payload, report string }

func readRecipes(t *testing.T) recipes {
	t.Helper()
	page, err := os.ReadFile(recipesPage)
	require.NoError(t, err)
	var r recipes
	for _, block := range recipeBlocks.FindAllStringSubmatch(string(page), -1) {
		switch text := block[2]; block[1] {
		case "yaml":
			r.file += text
		case "json":
			header, payload, _ := strings.Cut(text, "\n")
			r.tokens = append(r.tokens, recipeToken{header: header, payload: payload})
		case "text":
			r.tokens[len(r.tokens)-1].report = text
		}
	}
	return r
}

// The entries in docs/issuers.md form a valid issuers file. Each token on the page is
// accepted by its entry only, with the report that the page shows.
func TestRecipes(t *testing.T) {
	r := readRecipes(t)
	rules, err := tokens.ParseIssuers(recipesPage, []byte(r.file))
	require.NoError(t, err)
	require.Len(t, rules, 7)
	require.Len(t, r.tokens, 11)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	now := func() time.Time { return time.Unix(1776249060, 0) }

	for i, token := range r.tokens {
		var header struct{ Kid string }
		require.NoError(t, json.Unmarshal([]byte(token.header), &header))
		var claims struct {
			Iss string
			Sub string
		}
		require.NoError(t, json.Unmarshal([]byte(token.payload), &claims))
		t.Run(fmt.Sprintf("%s of %s", claims.Sub, claims.Iss), func(t *testing.T) {
			keys := textSource(fmt.Sprintf(`{"keys":[{"kty":"RSA","use":"sig","alg":"RS256","kid":%q,"n":%q,"e":"AQAB"}]}`,
				header.Kid, base64.RawURLEncoding.EncodeToString(private.N.Bytes())))
			var issuers []tokens.Issuer
			var entry tokens.Issuer
			for _, rule := range rules {
				issuers = append(issuers, tokens.Issuer{Rules: rule, Keys: tokens.NewIssuerKeys(keys, tokens.KeySettings{RequireKeyID: true}, now)})
				if rule.Issuer == claims.Iss {
					entry = issuers[len(issuers)-1]
				}
			}
			together, err := tokens.NewVerifier(issuers, now)
			require.NoError(t, err)
			alone, err := tokens.NewVerifier([]tokens.Issuer{entry}, now)
			require.NoError(t, err)
			signed := base64.RawURLEncoding.EncodeToString([]byte(token.header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(token.payload))
			digest := sha256.Sum256([]byte(signed))
			signature, err := rsa.SignPKCS1v15(rand.Reader, private, crypto.SHA256, digest[:])
			require.NoError(t, err)
			compact := signed + "." + base64.RawURLEncoding.EncodeToString(signature)

			caller, err := alone.Verify(t.Context(), compact)
			require.NoError(t, err)
			assert.Equal(t, claims.Sub, caller.Subject)
			assert.NotEmpty(t, caller.Tenant)
			assert.NotEmpty(t, caller.ClientID)
			assert.NotEmpty(t, caller.Permissions)
			assert.False(t, caller.Platform)
			for _, issuer := range together.Inspect(t.Context(), compact, false).Issuers {
				assert.Equal(t, issuer.Issuer == claims.Iss, issuer.Accepted(), issuer.Issuer)
			}
			report := alone.Inspect(t.Context(), compact, false).Issuers[0].String()
			if *updateRecipes {
				r.tokens[i].report = report
			}
			assert.Equal(t, r.tokens[i].report, report)
		})
	}
	if !*updateRecipes {
		return
	}
	page, err := os.ReadFile(recipesPage)
	require.NoError(t, err)
	n := -1
	page = recipeBlocks.ReplaceAllFunc(page, func(block []byte) []byte {
		if !strings.HasPrefix(string(block), "```text") {
			return block
		}
		n++
		return []byte("```text\n" + r.tokens[n].report + "```")
	})
	require.NoError(t, os.WriteFile(recipesPage, page, 0o600))
}
