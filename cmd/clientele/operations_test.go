package main_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/clientele-oauth/clientele/api/client"
)

// read sends a GET request without a token, and returns the status and the body.
func read(t *testing.T, url string) (status int, text string) {
	t.Helper()
	response, err := http.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

func TestMetricsCountRequestsAndRules(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		p := start(t, append(flags, "--dev", "--data", data, "--admin-listen", "127.0.0.1:0")...)
		admin := p.as(t, adminToken(t, data))
		id := create(t, admin)
		rejected, err := admin.UpdateClientWithResponse(t.Context(), id, nil, client.UpdateClientRequest{
			RedirectUris: &[]string{"https://app.example.com/#a", "https://app.example.com/#b"},
			JwksURI:      new("https://127.0.0.1/jwks.json"),
		})
		require.NoError(t, err)
		require.NotNil(t, rejected.JSON400)
		_, _ = read(t, p.URL+"/nowhere")
		unknown, err := p.as(t, "").GetClientWithResponse(t.Context(), id, nil)
		require.NoError(t, err)
		require.NotNil(t, unknown.JSON401)

		for range 2 {
			failed, err := admin.AuthenticateClientWithResponse(t.Context(), nil, client.AuthenticateClientRequest{
				Form: &client.AuthenticationForm{ClientID: &id, ClientSecret: new("wrong")},
			})
			require.NoError(t, err)
			require.NotNil(t, failed.JSON401)
		}

		status, text := read(t, p.Operators+"/metrics")
		assert.Equal(t, http.StatusOK, status)
		for _, line := range []string{
			`clientele_requests_total{operation="createClient",status="201"} 1`,
			`clientele_requests_total{operation="updateClient",status="400"} 1`,
			`clientele_requests_total{operation="getClient",status="401"} 1`,
			`clientele_requests_total{operation="other",status="404"} 1`,
			`clientele_request_duration_seconds_count{operation="createClient"} 1`,
			`clientele_store_call_duration_seconds_count{call="Commit"} 1`,
			`clientele_rule_refusals_total{rule="redirect-uri-fragment"} 2`,
			`clientele_client_authentications_total{result="method_not_registered"} 2`,
			`clientele_feed_lag_seconds 0`,
			`clientele_build_info{version="`,
			`process_resident_memory_bytes `,
		} {
			assert.Contains(t, text, line)
		}
		if len(flags) > 0 {
			assert.Contains(t, text, "clientele_pool_connections_limit 16")
		}
		assert.NotContains(t, text, id, "metrics must not contain client identifiers")
		status, _ = read(t, p.Operators+"/readyz")
		assert.Equal(t, http.StatusOK, status)
		status, _ = read(t, p.Operators+"/debug/pprof/heap")
		assert.Equal(t, http.StatusOK, status)
		status, _ = read(t, p.URL+"/metrics")
		assert.Equal(t, http.StatusNotFound, status, "metrics are only at the admin listener")
	})
}

// A change is held back from the feed while an older transaction runs, and the metrics
// report it.
func TestMetricsReportAHeldBackFeed(t *testing.T) {
	url, err := server.NewDatabase(t.Context())
	require.NoError(t, err)
	data := t.TempDir()
	p := start(t, "--dev", "--data", data, "--database-url", url, "--admin-listen", "127.0.0.1:0")
	other, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer other.Close(context.Background())
	_, err = other.Exec(t.Context(), "BEGIN; SELECT pg_current_xact_id()")
	require.NoError(t, err)
	create(t, p.as(t, adminToken(t, data)))
	lagging := func() bool {
		_, text := read(t, p.Operators+"/metrics")
		return strings.Contains(text, "clientele_feed_lag_seconds ") && !strings.Contains(text, "clientele_feed_lag_seconds 0\n")
	}
	assert.Eventually(t, lagging, 10*time.Second, 10*time.Millisecond)
	_, err = other.Exec(t.Context(), "COMMIT")
	require.NoError(t, err)
	assert.False(t, lagging())
}

func TestReadinessReportsDatabaseAndIssuerSeparately(t *testing.T) {
	data := t.TempDir()
	start(t, "--dev", "--data", data).Kill()
	keys, err := os.ReadFile(filepath.Join(data, "signing-key.json"))
	require.NoError(t, err)
	var down sync.Map
	down.Store("issuer", true)
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, isDown := down.Load("issuer"); isDown {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = w.Write(keys)
	}))
	defer issuer.Close()
	flags := []string{"--data", t.TempDir(), "--issuer", "clientele-dev", "--issuer-keys", issuer.URL}

	p := start(t, flags...)
	status, text := read(t, p.URL+"/readyz")
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Equal(t, "service: ok\nstore: ok\nissuer keys: not ready (never read)\n", text)
	down.Delete("issuer")
	require.Eventually(t, func() bool { status, _ = read(t, p.URL+"/readyz"); return status == http.StatusOK }, 30*time.Second, 50*time.Millisecond)
	down.Store("issuer", true)
	status, text = read(t, p.URL+"/readyz")
	assert.Equal(t, http.StatusOK, status, "cached keys count as ready")
	assert.Regexp(t, `^service: ok\nstore: ok\nissuer keys: ok \(keys read for 1 of 1 issuers, oldest \d+s ago\)\n$`, text)

	down.Delete("issuer")
	p = start(t, append(flags, "--database-url", "postgres://nobody@127.0.0.1:1/none", "--no-auto-migrate")...)
	status, text = read(t, p.URL+"/readyz")
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Regexp(t, `^service: ok\nstore: not ready\nissuer keys: ok \(keys read for 1 of 1 issuers, oldest \d+s ago\)\n$`, text)
	status, _ = read(t, p.URL+"/healthz")
	assert.Equal(t, http.StatusOK, status)
	health := exec.Command(binary, "health", "--listen", strings.TrimPrefix(p.URL, "http://"))
	output, err := health.Output()
	require.Error(t, err)
	assert.Equal(t, 1, health.ProcessState.ExitCode())
	assert.Equal(t, text, string(output))
}

// While the database does not respond, a few requests wait for it and the others are
// rejected quickly. Health and metrics still respond.
func TestExcessLoadIsRejected(t *testing.T) {
	url, err := server.NewDatabase(t.Context())
	require.NoError(t, err)
	data := t.TempDir()
	p := start(t, "--dev", "--data", data, "--database-url", url, "--max-concurrent", "3", "--admin-listen", "127.0.0.1:0")
	admin := p.as(t, adminToken(t, data))
	id := create(t, admin)
	other, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer other.Close(context.Background())
	_, err = other.Exec(t.Context(), "BEGIN; LOCK TABLE clients")
	require.NoError(t, err)

	const requests = 20
	statuses := make(chan int, requests)
	var group sync.WaitGroup
	for range requests {
		group.Go(func() {
			found, err := admin.GetClientWithResponse(context.Background(), id, nil)
			if err != nil {
				statuses <- 0
				return
			}
			if found.JSON503 != nil {
				assert.Equal(t, "1", found.HTTPResponse.Header.Get("Retry-After"))
				assert.Equal(t, "the service is overloaded; retry shortly", *found.JSON503.Message)
			}
			statuses <- found.StatusCode()
		})
	}
	for range requests - 3 {
		assert.Equal(t, http.StatusServiceUnavailable, <-statuses)
	}
	status, text := read(t, p.Operators+"/metrics")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, text, `clientele_requests_shed_total{cause="load"} 17`)
	status, _ = read(t, p.URL+"/healthz")
	assert.Equal(t, http.StatusOK, status)
	_, err = other.Exec(t.Context(), "ROLLBACK")
	require.NoError(t, err)
	group.Wait()
	for range 3 {
		assert.Equal(t, http.StatusOK, <-statuses, "admitted requests are processed")
	}
}

func TestCallerRate(t *testing.T) {
	data := t.TempDir()
	p := start(t, "--dev", "--data", data, "--caller-rate", "2")
	list := func(c *client.ClientWithResponses) int {
		found, err := c.ListClientsWithResponse(t.Context(), nil)
		require.NoError(t, err)
		if found.JSON429 != nil {
			assert.Equal(t, "1", found.HTTPResponse.Header.Get("Retry-After"))
		}
		return found.StatusCode()
	}
	admin := p.as(t, adminToken(t, data))
	require.Eventually(t, func() bool { return list(admin) == http.StatusTooManyRequests }, 10*time.Second, time.Millisecond)
	assert.Equal(t, http.StatusOK, list(p.as(t, token(t, data, "--subject", "another"))))
}

// newCertificate writes a certificate with the serial number for 127.0.0.1.
func newCertificate(t *testing.T, certFile, keyFile string, number int64) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(number), Subject: pkix.Name{CommonName: "clientele"}, DNSNames: []string{"clientele.example"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return certificate
}

func TestTLSReloadsChangedFiles(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	newCertificate(t, certFile, keyFile, 1)
	p := start(t, "--dev", "--data", t.TempDir(), "--tls-cert-file", certFile, "--tls-key-file", keyFile)
	require.True(t, strings.HasPrefix(p.URL, "https://"))
	address := strings.TrimPrefix(p.URL, "https://")
	shown := func() int64 {
		conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(t.Context(), "tcp", address)
		require.NoError(t, err)
		defer func() { _ = conn.Close() }()
		return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	assert.EqualValues(t, 1, shown())
	output, err := exec.Command(binary, "health", "--listen", address, "--tls-cert-file", certFile).CombinedOutput()
	require.NoError(t, err, string(output))

	require.NoError(t, os.WriteFile(certFile, []byte("half"), 0o600))
	require.Eventually(t, func() bool { shown(); return strings.Contains(p.Log.String(), "the previous one stays in use") }, 30*time.Second, 100*time.Millisecond)
	assert.EqualValues(t, 1, shown(), "an invalid file changes nothing")
	newCertificate(t, certFile, keyFile, 2)
	assert.Eventually(t, func() bool { return shown() == 2 }, 30*time.Second, 100*time.Millisecond)

	_, err = (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}}).DialContext(t.Context(), "tcp", address)
	require.Error(t, err, "FAPI 2.0 Security Profile §5.2.1")
}

func TestTracesContinueAndAreLogged(t *testing.T) {
	var mu sync.Mutex
	spans := map[string]string{} // trace ids by span name
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var sent tracepb.ExportTraceServiceRequest
		if err != nil || proto.Unmarshal(body, &sent) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for _, resource := range sent.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				for _, span := range scope.GetSpans() {
					spans[span.GetName()] = hex.EncodeToString(span.GetTraceId())
				}
			}
		}
	}))
	defer collector.Close()
	url, err := server.NewDatabase(t.Context())
	require.NoError(t, err)
	data := t.TempDir()
	p := startIn(t, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_BSP_SCHEDULE_DELAY=10"},
		"--dev", "--data", data, "--database-url", url)
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+"/admin/oauth/clients/app-1", http.NoBody)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+adminToken(t, data))
	request.Header.Set("Traceparent", "00-"+trace+"-00f067aa0ba902b7-01")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	seen := func(name string) bool {
		mu.Lock()
		defer mu.Unlock()
		for span, id := range spans {
			if strings.Contains(span, name) && id == trace {
				return true
			}
		}
		return false
	}
	assert.Eventually(t, func() bool { return seen("GET /admin/oauth/clients/{client_id}") && seen("SELECT") }, 20*time.Second, 10*time.Millisecond)
	for line := range strings.SplitSeq(p.Log.String(), "\n") {
		var entry map[string]any
		if json.Unmarshal([]byte(line), &entry) == nil && entry["msg"] == "request" {
			assert.Equal(t, trace, entry["trace_id"])
			assert.NotEmpty(t, entry["span_id"])
		}
	}
}
