package main_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
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

	"github.com/clientele-oauth/clientele/api/client"
)

// runWith runs the program with only these variables in its environment.
func runWith(t *testing.T, env []string, stdin string, args ...string) (output string, status int) {
	t.Helper()
	command := exec.Command(binary, args...)
	command.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	command.Stdin = strings.NewReader(stdin)
	text, err := command.CombinedOutput()
	if err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError))
	}
	return string(text), command.ProcessState.ExitCode()
}

// secondIssuer is an issuer in addition to the development key.
type secondIssuer struct {
	private ed25519.PrivateKey
	file    string // path of the issuers file, which has both
}

const secondName = "https://second.example/realms/main"

// newIssuers creates a development key in data, and an issuers file with it and a second
// issuer. Both have the tenant of development mode.
func newIssuers(t *testing.T, data string) secondIssuer {
	t.Helper()
	start(t, "--dev", "--data", data).Kill()
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "second.json"), fmt.Appendf(nil,
		`{"keys":[{"kty":"AKP","alg":"ML-DSA-44","kid":"pq"},{"kty":"OKP","crv":"Ed25519","kid":"k","x":%q}]}`,
		base64.RawURLEncoding.EncodeToString(public)), 0o600))
	s := secondIssuer{private, filepath.Join(folder, "issuers.yaml")}
	require.NoError(t, os.WriteFile(s.file, fmt.Appendf(nil, `
issuers:
  - issuer: clientele-dev
    keys: {file: %s}
    audiences: [clientele]
    tenant: {claim: tenant_id}
    roles: {claims: [roles]}
    administrator_roles: [admin]
  - issuer: %s
    keys: {file: second.json}
    audiences: [registry]
    tenant: {value: tenant_dev}
    roles: {claims: ['resource_access."my.client".roles']}
    permissions:
      editor: ["clients:read", "clients:write"]
`, filepath.Join(data, "signing-key.json"), secondName), 0o600))
	return s
}

func (s secondIssuer) token(subject, roles string) string {
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"EdDSA","typ":"JWT","kid":"k"}`)) + "." + encode(fmt.Appendf(nil,
		`{"iss":%q,"aud":"registry","sub":%q,"exp":%d,"resource_access":{"my.client":{"roles":%s}}}`,
		secondName, subject, time.Now().Add(time.Hour).Unix(), roles))
	return signed + "." + encode(ed25519.Sign(s.private, []byte(signed)))
}

func TestSeveralIssuers(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		second := newIssuers(t, data)
		p := start(t, append(flags, "--data", data, "--issuers-file", second.file, "--admin-listen", "127.0.0.1:0")...)
		first, other := p.as(t, adminToken(t, data)), p.as(t, second.token("dev-admin", `["editor"]`))
		reader := p.as(t, second.token("dev-admin", `["viewer"]`))

		// The same subject of two issuers is two callers, and each has its own
		// Idempotency-Keys.
		var ids []string
		for _, c := range []*client.ClientWithResponses{first, other} {
			created, err := c.CreateClientWithResponse(t.Context(), &client.CreateClientParams{IdempotencyKey: new("same")}, client.CreateClientRequest{
				Name: new("My App"), RedirectUris: &[]string{"https://app.example.com/callback"},
			})
			require.NoError(t, err)
			require.NotNil(t, created.JSON201, string(created.Body))
			assert.Empty(t, created.HTTPResponse.Header.Get("Idempotent-Replayed"))
			ids = append(ids, *created.JSON201.Data.ClientID)
		}
		assert.NotEqual(t, ids[0], ids[1])
		for i, subject := range []string{"dev-admin", secondName + " dev-admin"} {
			history, err := first.ListRevisionsWithResponse(t.Context(), ids[i], nil)
			require.NoError(t, err)
			require.NotNil(t, history.JSON200, string(history.Body))
			assert.Equal(t, subject, *(*history.JSON200.Data.Revisions)[0].Actor.Subject)
		}
		forbidden, err := reader.GetClientWithResponse(t.Context(), ids[0], nil)
		require.NoError(t, err)
		assert.Equal(t, http.StatusForbidden, forbidden.StatusCode())

		_, text := read(t, p.Operators+"/metrics")
		assert.Contains(t, text, `clientele_issuer_keys_age_seconds{issuer="clientele-dev"} `)
		assert.Contains(t, text, `clientele_issuer_keys_age_seconds{issuer="`+secondName+`"} `)
		assert.Contains(t, text, `clientele_issuer_keys_ignored_total{issuer="`+secondName+`",reason="unsupported"} 1`)
		_, text = read(t, p.URL+"/readyz")
		assert.Contains(t, text, "issuer keys: ok (keys read for 2 of 2 issuers, oldest ")
		assert.Contains(t, p.Log.String(), `"msg":"a key of the issuer is ignored"`)
	})
}

// An issuer that never responds does not make the service unready, and does not delay
// the callers of another issuer.
func TestAHangingIssuerDoesNotAffectOthers(t *testing.T) {
	data := t.TempDir()
	second := newIssuers(t, data)
	requested, release := make(chan struct{}, 100), make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		requested <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer hanging.Close()
	defer close(release)
	text, err := os.ReadFile(second.file)
	require.NoError(t, err)
	require.Contains(t, string(text), "{file: second.json}")
	require.NoError(t, os.WriteFile(second.file, []byte(strings.Replace(string(text), "{file: second.json}", "{url: "+hanging.URL+"}", 1)), 0o600))
	p := start(t, "--data", data, "--issuers-file", second.file)
	status, body := read(t, p.URL+"/readyz")
	assert.Equal(t, http.StatusOK, status, body)
	assert.Contains(t, body, "issuer keys: ok (keys read for 1 of 2 issuers")
	<-requested // the service requested its keys, and no caller waited for them
	create(t, p.as(t, adminToken(t, data)))
}

func TestAnInvalidIssuersFileIsRejectedAtStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "issuers.yaml")
	require.NoError(t, os.WriteFile(path, []byte("issuers:\n  - issuer: x\n    audience: y\n"), 0o600))
	output, status := runWith(t, nil, "", "serve", "--data", t.TempDir(), "--issuers-file", path)
	assert.NotZero(t, status)
	assert.Contains(t, output, path+":3: /issuers/0/audience: unknown key; did you mean audiences?")
}

func TestTokenFlagsWithoutEffectAreRejected(t *testing.T) {
	data := t.TempDir()
	file := newIssuers(t, data).file
	for flag, value := range map[string]string{
		"issuer": "x", "issuer-keys": "y", "issuer-keys-max-age": "24h", "audience": "clientele", "token-type": "JWT", "max-token-lifetime": "1h",
		"tenant-claim": "tenant_id", "role-claim": "roles", "admin-role": "admin", "platform-role": "root",
	} {
		variable := "CLIENTELE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
		for with, args := range map[string][]string{"--dev": {"--dev"}, "--issuers-file": {"--issuers-file", file}} {
			for _, command := range [][]string{{"serve"}, {"token", "inspect"}} {
				args := append(append(command, "--data", data), args...)
				output, status := runWith(t, nil, "", append(args, "--"+flag, value)...)
				assert.Equal(t, 2, status, output)
				assert.Contains(t, output, "--"+flag+" ("+variable+") has no effect with "+with)
				output, status = runWith(t, []string{variable + "=" + value}, "", args...)
				assert.Equal(t, 2, status, output)
				assert.Contains(t, output, "--"+flag+" ("+variable+") has no effect with "+with)
			}
		}
	}
	output, status := runWith(t, nil, "", "serve", "--dev", "--data", data, "--issuers-file", file)
	assert.Equal(t, 2, status)
	assert.Contains(t, output, "--issuers-file")
	for flag, value := range map[string]string{
		"tenant-claim": "exp", "role-claim": "a..b", "issuer-keys-max-age": "0s", "max-token-lifetime": "-1s", "audience": "",
	} {
		output, status := runWith(t, nil, "", "serve", "--data", data, "--issuer", "x", "--issuer-keys", "y", "--"+flag, value)
		assert.Equal(t, 2, status, output)
		assert.Contains(t, output, "--"+flag)
	}
}

func TestTokenInspect(t *testing.T) {
	data := t.TempDir()
	second := newIssuers(t, data)
	inspect := func(token string, args ...string) (string, int) {
		return runWith(t, nil, token+"\n", append([]string{"token", "inspect", "--issuers-file", second.file}, args...)...)
	}
	for _, token := range []string{adminToken(t, data), second.token("a\x1b[31m", `["editor"]`)} {
		output, _ := inspect(token)
		for part := range strings.SplitSeq(token, ".") {
			assert.NotContains(t, output, part, "a token must not be printed")
		}
		assert.NotContains(t, output, "\x1b")
	}
	output, status := inspect(adminToken(t, data))
	assert.Zero(t, status, output)
	assert.Contains(t, output, "clientele-dev: accepted\n")
	assert.Contains(t, output, secondName+": rejected\n  issuer       FAILED: the token's iss is \"clientele-dev\"\n")
	assert.Contains(t, output, `  permission   clients:write, by role "admin"`)

	output, status = inspect(second.token("alice", `["editor"]`))
	assert.Zero(t, status, output)
	assert.Contains(t, output, `  subject      "`+secondName+` alice"`)
	assert.Contains(t, output, `  roles        "editor" (resource_access."my.client".roles)`)

	token := second.token("alice", `["viewer"]`)
	forged := token[:len(token)-4] + "AAAA"
	output, status = inspect(forged)
	assert.Equal(t, 1, status)
	assert.Contains(t, output, "signature    FAILED: the signature is not valid")
	assert.Contains(t, output, "permissions  none")
	output, status = inspect(forged, "--offline")
	assert.Zero(t, status)
	assert.Contains(t, output, "NOT VERIFIED")

	output, status = inspect("garbage")
	assert.Equal(t, 1, status)
	assert.Contains(t, output, "cannot be decoded")
	output, status = runWith(t, nil, "Bearer "+adminToken(t, data), "token", "inspect", "--dev", "--data", data)
	assert.Zero(t, status, output)
	output, status = runWith(t, []string{"CLIENTELE_MAX_TOKEN_LIFETIME=24h"}, adminToken(t, data),
		"token", "inspect", "--issuer", "clientele-dev", "--issuer-keys", filepath.Join(data, "signing-key.json"))
	assert.Equal(t, 1, status, output)
	assert.Contains(t, output, "lifetime     FAILED: it is valid for longer than 24h0m0s")
	output, status = runWith(t, nil, adminToken(t, data), "token", "inspect", "--issuer", "other", "--issuer-keys", filepath.Join(data, "signing-key.json"))
	assert.Equal(t, 1, status, output)
}

// certificateOf creates a certificate for the names.
func certificateOf(t *testing.T, names ...string) (certFile, keyFile string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, name)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	key, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	folder := t.TempDir()
	certFile, keyFile = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	require.NoError(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
	return certFile, keyFile
}

func TestDevelopmentModePrintsAUsableURL(t *testing.T) {
	for name, tt := range map[string]struct {
		listen string
		names  []string // of the certificate; nil means plain HTTP
		want   string
	}{
		"all addresses":      {":0", nil, `http://127\.0\.0\.1:\d+`},
		"all IPv4 addresses": {"0.0.0.0:0", nil, `http://127\.0\.0\.1:\d+`},
		"one address":        {"127.0.0.1:0", nil, `http://127\.0\.0\.1:\d+`},
		"a name":             {"localhost:0", nil, `http://(127\.0\.0\.1|\[::1\]):\d+`},
		"TLS":                {":0", []string{"localhost"}, `https://localhost:\d+`},
		"TLS, with a certificate for the address": {"127.0.0.1:0", []string{"127.0.0.1", "localhost"}, `https://127\.0\.0\.1:\d+`},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"serve", "--dev", "--data", t.TempDir(), "--listen", tt.listen}
			transport := &http.Transport{}
			if tt.names != nil {
				certFile, keyFile := certificateOf(t, tt.names...)
				args = append(args, "--tls-cert-file", certFile, "--tls-key-file", keyFile)
				text, err := os.ReadFile(certFile)
				require.NoError(t, err)
				roots := x509.NewCertPool()
				require.True(t, roots.AppendCertsFromPEM(text))
				transport.TLSClientConfig = &tls.Config{RootCAs: roots}
			}
			command := exec.Command(binary, args...)
			command.Env = []string{"PATH=" + os.Getenv("PATH")}
			output, err := command.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, command.Start())
			defer func() {
				_ = command.Process.Kill()
				_ = command.Wait()
			}()
			line, err := bufio.NewReader(output).ReadString('\n')
			require.NoError(t, err)
			url := regexp.MustCompile(`https?://\S+`).FindString(line)
			assert.Regexp(t, "^"+tt.want+"$", url)
			response, err := (&http.Client{Transport: transport}).Get(url + "/healthz")
			require.NoError(t, err)
			defer response.Body.Close()
			assert.Equal(t, http.StatusOK, response.StatusCode)
		})
	}
}
