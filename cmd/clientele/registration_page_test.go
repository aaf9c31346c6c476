package main_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/cmd/servicetest"
)

const registrationPage = "docs/registration.md"

// recipes are the recipes of the page, and the number of outputs that each one shows.
var recipes = []struct {
	heading string
	shown   int
}{
	{"MCP clients by client ID metadata documents", 2},
	{"A developer portal with initial access tokens", 3},
	{"Open banking with software statements", 1},
}

// Each recipe works as the page shows it, with the file that it shows. Only addresses
// differ, and the place of the directory's keys.
func TestTheRecipesOfRegistrationWork(t *testing.T) {
	for _, recipe := range recipes {
		t.Run(recipe.heading, func(t *testing.T) {
			onBothStores(t, func(t *testing.T, data string, flags ...string) {
				directory := newDirectory(t)
				dir := filepath.Dir(data)
				agent := freeAddress(t)
				file := filepath.Join(dir, "registration.yaml")
				policy := strings.ReplaceAll(firstYAML(t, recipe.heading),
					"https://keystore.openbanking.org.uk/keystore/openbanking.jwks", directory.URL)
				require.NoError(t, os.WriteFile(file, []byte(policy), 0o600))
				require.NoError(t, os.WriteFile(filepath.Join(dir, "ssa.jwt"), []byte(directory.statement(t)), 0o600))
				listen := freeAddress(t)
				p := start(t, append(flags, "--dev", "--data", data, "--listen", listen,
					"--public-url", "http://"+listen, "--registration-file", file)...)
				list := steps(t, registrationPage, recipe.heading)
				for i := range list {
					list[i].command = strings.NewReplacer("127.0.0.1:9000", agent, "127.0.0.1 9000", strings.ReplaceAll(agent, ":", " "), "data/admin.token", data+"/admin.token").Replace(list[i].command)
				}
				assert.Equal(t, recipe.shown, runStepsOn(t, p, dir, list, `trap 'kill $(jobs -p) 2>/dev/null || true' EXIT`))
			})
		})
	}
}

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// firstYAML returns the first YAML file in a section of the page.
func firstYAML(t *testing.T, heading string) string {
	t.Helper()
	text, err := os.ReadFile("../../" + registrationPage)
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "\n## "+heading+"\n")
	require.True(t, found, heading)
	block := yamlBlock.FindStringSubmatch(section)
	require.NotNil(t, block, heading)
	return block[1]
}

// freeAddress returns an address at which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := servicetest.FreeAddress(t.Context())
	require.NoError(t, err)
	return address
}

// directory is a directory of open banking: it publishes its keys and signs statements.
type directory struct {
	*httptest.Server

	key *rsa.PrivateKey
}

func newDirectory(t *testing.T) *directory {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	d := &directory{key: key}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"keys": [{"kty": "RSA", "kid": "directory", "use": "sig", "alg": "PS256", "n": %q, "e": "AQAB"}]}`,
			base64.RawURLEncoding.EncodeToString(key.N.Bytes()))
	}))
	t.Cleanup(d.Close)
	return d
}

// statement returns a software statement in the form of Open Banking UK.
func (d *directory) statement(t *testing.T) string {
	t.Helper()
	encode := func(value any) string {
		text, err := json.Marshal(value)
		require.NoError(t, err)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	signed := encode(map[string]any{"alg": "PS256", "kid": "directory", "typ": "JWT"}) + "." + encode(map[string]any{
		"iss": "OpenBanking Ltd", "iat": time.Now().Unix(), "jti": rand.Text(), "org_status": "Active",
		"software_id": "4Zg2DYAl0nv9SvYfZlqJtR", "software_client_name": "Example TPP",
		"software_redirect_uris": []string{"https://tpp.example.com/callback", "https://tpp.example.com/other"},
		"software_jwks_endpoint": "https://tpp.example.com/jwks.json", "software_roles": []string{"AISP"},
	})
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPSS(rand.Reader, d.key, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	require.NoError(t, err)
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// The policy of the open-banking recipe can be checked without a network.
func TestTheFilesOfTheRecipesAreValid(t *testing.T) {
	for _, recipe := range recipes {
		file := filepath.Join(t.TempDir(), "registration.yaml")
		require.NoError(t, os.WriteFile(file, []byte(firstYAML(t, recipe.heading)), 0o600))
		output, err := exec.Command(binary, "check-registration", file).CombinedOutput()
		require.NoError(t, err, string(output))
	}
}
