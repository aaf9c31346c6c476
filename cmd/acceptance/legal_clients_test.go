//go:build acceptance

package acceptance_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"math/big"
	mathrand "math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// generator makes random clients that are legal, of all common kinds, in the form of the
// API. Its seed decides everything but the keys.
type generator struct {
	random *mathrand.Rand
	jwks   string // with keys for every purpose, and a certificate
}

func newGenerator(t *testing.T, seed uint64) *generator {
	t.Helper()
	return &generator{random: mathrand.New(mathrand.NewPCG(seed, 0)), jwks: allKeys(t)}
}

// allKeys returns a key set for every algorithm that the generator uses.
func allKeys(t *testing.T) string {
	t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	rsaKey := func() map[string]any {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		require.NoError(t, err)
		return map[string]any{"kty": "RSA", "n": encode(key.N.Bytes()), "e": "AQAB"}
	}
	ecKey := func() (map[string]any, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		point, err := key.PublicKey.Bytes()
		require.NoError(t, err)
		return map[string]any{"kty": "EC", "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:])}, key
	}
	signing, private := ecKey()
	signing["x5c"] = []string{base64.StdEncoding.EncodeToString(certificate(t, private))}
	encryption, _ := ecKey()
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	keys := []map[string]any{signing, rsaKey(), {"kty": "OKP", "crv": "Ed25519", "x": encode(edwards)}, encryption, rsaKey()}
	for i, key := range keys {
		key["kid"], key["use"] = strconv.Itoa(i), "sig"
		if i >= 3 {
			key["use"] = "enc"
		}
	}
	text, err := json.Marshal(map[string]any{"keys": keys})
	require.NoError(t, err)
	return string(text)
}

// certificate returns a self-signed certificate.
func certificate(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	made, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return made
}

// chance is true in one of n cases.
func (g *generator) chance(n int) bool { return g.random.IntN(n) == 0 }

// of returns one of the values.
func of[T any](g *generator, values ...T) T { return values[g.random.IntN(len(values))] }

// client returns a client with that client_id.
func (g *generator) client(id string) map[string]any {
	c := map[string]any{"client_id": id, "name": "Client " + id}
	g.describe(c)
	host := "https://" + id + ".example.com"
	kinds := []func(c map[string]any, host string){
		g.web, g.web, g.web, g.singlePage, g.native, g.service, g.device, g.ciba, g.hybrid, g.implicit, g.fapi2, g.exchange,
	}
	kinds[g.random.IntN(len(kinds))](c, host)
	if needsKeys(c) {
		if c["client_auth_methods"].([]string)[0] != "self_signed_tls_client_auth" && g.chance(4) {
			c["jwks_uri"] = host + "/jwks.json"
		} else {
			c["jwks"] = g.jwks
		}
	}
	return c
}

// needsKeys reports whether a field of the client needs keys of the client.
func needsKeys(c map[string]any) bool {
	if methods, ok := c["client_auth_methods"].([]string); ok {
		for _, method := range methods {
			if method == "private_key_jwt" || method == "self_signed_tls_client_auth" {
				return true
			}
		}
	}
	for _, name := range []string{
		"request_object_signing_alg", "require_signed_request_object", "backchannel_authentication_request_signing_alg",
		"id_token_encrypted_response_alg", "userinfo_encrypted_response_alg", "authorization_encrypted_response_alg",
		"introspection_encrypted_response_alg",
	} {
		if _, set := c[name]; set {
			return true
		}
	}
	return false
}

// describe sets fields that have no effect on a protocol.
func (g *generator) describe(c map[string]any) {
	id, _ := c["client_id"].(string)
	for name, value := range map[string]any{
		"website": "https://www.example.com/" + id, "logo_url": "https://www.example.com/logo.png",
		"privacy_policy": "https://www.example.com/privacy", "terms_url": "https://www.example.com/terms",
		"contacts": []string{"team@example.com", "security+" + id + "@example.com"}, "description": "Größe: klein",
		"software_id": "4NRB1-0XZABZI9E6-5SM3R", "software_version": "1.2", "owner": "payments",
		"labels": map[string]string{"example.com/tier": "gold"},
	} {
		if g.chance(3) {
			c[name] = value
		}
	}
}

// confidential gives the client a way to authenticate.
func (g *generator) confidential(c map[string]any, methods ...string) {
	method := of(g, methods...)
	c["client_auth_methods"] = []string{method}
	switch method {
	case "private_key_jwt":
		if g.chance(2) {
			c["token_endpoint_auth_signing_alg"] = of(g, "ES256", "PS256")
		}
	case "tls_client_auth":
		subject := of(g, "dns", "uri", "ip", "email")
		c["tls_client_auth_san_"+subject] = map[string]string{
			"dns": "client.example.com", "uri": "https://client.example.com/", "ip": "192.0.2.1", "email": "client@example.com",
		}[subject]
		if g.chance(3) {
			delete(c, "tls_client_auth_san_"+subject)
			c["tls_client_auth_subject_dn"] = "CN=client,O=Example,C=CH"
		}
	}
	if g.chance(4) {
		switch method {
		case "tls_client_auth", "self_signed_tls_client_auth":
			c["tls_client_certificate_bound_access_tokens"] = true
		default:
			c["dpop_bound_access_tokens"] = true
		}
	}
}

// everyMethod lists the methods of a confidential client.
func everyMethod() []string {
	return []string{"client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"}
}

// tokens sets fields about tokens of a client with a user.
func (g *generator) tokens(c map[string]any, mayEncrypt bool) {
	signing := func() string { return of(g, "RS256", "PS256", "ES256", "EdDSA") }
	if g.chance(3) {
		c["id_token_signed_response_alg"] = signing()
	}
	if g.chance(4) {
		c["userinfo_signed_response_alg"] = signing()
	}
	if g.chance(5) {
		c["introspection_signed_response_alg"] = signing()
	}
	if mayEncrypt && g.chance(4) {
		for _, kind := range []string{"id_token", "introspection"} {
			c[kind+"_encrypted_response_alg"] = of(g, "RSA-OAEP-256", "ECDH-ES")
			if g.chance(2) {
				c[kind+"_encrypted_response_enc"] = of(g, "A128CBC-HS256", "A256GCM")
			}
		}
		if _, signed := c["userinfo_signed_response_alg"]; signed {
			c["userinfo_encrypted_response_alg"] = "RSA-OAEP"
		}
	}
	for name, value := range map[string]any{
		"default_max_age": g.random.IntN(3) * 1800, "require_auth_time": true,
		"default_acr_values": []string{"urn:example:acr:1", "urn:example:acr:2"}, "access_token_lifetime": 300, "id_token_lifetime": 600,
	} {
		if g.chance(4) {
			c[name] = value
		}
	}
	c["scopes"] = of(g, []string{"openid"}, []string{"openid", "profile", "email"}, []string{"openid", "offline_access"})
}

// redirecting sets fields of a client that uses the authorization endpoint.
func (g *generator) redirecting(c map[string]any, host string) {
	_, native := c["redirect_uris"].([]string)
	for name, value := range map[string]any{
		"initiate_login_uri": host + "/login", "post_logout_redirect_uris": []string{host + "/bye"},
		"backchannel_logout_uri": host + "/logout", "response_modes": of(g, []string{"form_post"}, []string{"form_post", "jwt"}),
		"require_pushed_authorization_requests": true, "require_pkce": true, "authorization_details_types": []string{"payment_initiation"},
	} {
		if !native && g.chance(4) {
			c[name] = value
		}
	}
	if !native {
		c["redirect_uris"] = of(g, []string{host + "/cb"}, []string{host + "/cb", host + "/silent?x=1"})
	}
	if _, set := c["backchannel_logout_uri"]; set && g.chance(2) {
		c["backchannel_logout_session_required"] = true
	}
	if modes, set := c["response_modes"].([]string); set && len(modes) == 2 {
		c["authorization_signed_response_alg"] = of(g, "PS256", "ES256")
		if c["is_confidential"] == nil && g.chance(3) {
			c["authorization_encrypted_response_alg"] = "ECDH-ES"
		}
	}
	if g.chance(4) {
		c["subject_type"] = of(g, "public", "pairwise")
	}
}

// signedRequests lets the client send request objects.
func (g *generator) signedRequests(c map[string]any) {
	if !g.chance(4) {
		return
	}
	c["request_object_signing_alg"] = of(g, "PS256", "ES256", "EdDSA")
	if g.chance(2) {
		c["require_signed_request_object"] = true
	}
	if g.chance(3) {
		c["request_object_encryption_alg"], c["request_object_encryption_enc"] = "RSA-OAEP-256", "A256GCM"
	}
}

// refreshes adds the refresh token grant.
func (g *generator) refreshes(c map[string]any, grants ...string) {
	c["grant_types"] = grants
	if !g.chance(2) {
		return
	}
	c["grant_types"] = append(grants, "refresh_token")
	if g.chance(2) {
		c["refresh_token_rotation"], c["refresh_token_lifetime"] = "rotate", 86400
	}
}

func (g *generator) web(c map[string]any, host string) {
	g.refreshes(c, "authorization_code")
	g.confidential(c, everyMethod()...)
	g.redirecting(c, host)
	g.tokens(c, true)
	g.signedRequests(c)
	if g.chance(3) {
		c["application_type"] = "web"
	}
	if g.chance(3) {
		c["response_types"] = []string{"code"}
	}
}

func (g *generator) singlePage(c map[string]any, host string) {
	c["is_confidential"], c["client_auth_methods"], c["cors_origins"] = false, []string{"none"}, []string{host}
	g.refreshes(c, "authorization_code")
	g.redirecting(c, host)
	g.tokens(c, false)
}

func (g *generator) native(c map[string]any, host string) {
	c["is_confidential"], c["client_auth_methods"] = false, []string{"none"}
	g.refreshes(c, "authorization_code")
	c["redirect_uris"] = of(g,
		[]string{"com.example.app:/callback"}, []string{"http://127.0.0.1/cb", "http://[::1]/cb"},
		[]string{"http://127.0.0.1:8400/cb", "com.example.app:/callback"})
	g.redirecting(c, host)
	delete(c, "subject_type") // a loopback address is no sector
	g.tokens(c, false)
	if g.chance(2) {
		c["application_type"] = "native"
	}
}

func (g *generator) service(c map[string]any, _ string) {
	c["grant_types"] = []string{"client_credentials"}
	if g.chance(2) {
		c["scopes"] = []string{"reports"}
	}
	g.confidential(c, everyMethod()...)
}

func (g *generator) device(c map[string]any, _ string) {
	g.refreshes(c, "urn:ietf:params:oauth:grant-type:device_code")
	if g.chance(2) {
		c["is_confidential"], c["client_auth_methods"] = false, []string{"none"}
	} else {
		g.confidential(c, everyMethod()...)
	}
	g.tokens(c, false)
}

func (g *generator) ciba(c map[string]any, host string) {
	g.refreshes(c, "urn:openid:params:grant-type:ciba")
	g.confidential(c, "private_key_jwt", "client_secret_basic", "self_signed_tls_client_auth")
	g.tokens(c, true)
	switch mode := of(g, "", "poll", "ping"); mode {
	case "":
	case "ping":
		c["backchannel_client_notification_endpoint"] = host + "/ciba"
		fallthrough
	default:
		c["backchannel_token_delivery_mode"] = mode
	}
	if g.chance(3) {
		c["backchannel_user_code_parameter"] = true
	}
	if g.chance(3) {
		c["backchannel_authentication_request_signing_alg"] = of(g, "PS256", "ES256")
	}
}

func (g *generator) hybrid(c map[string]any, host string) {
	g.refreshes(c, "authorization_code", "implicit")
	g.confidential(c, "private_key_jwt", "client_secret_basic")
	delete(c, "dpop_bound_access_tokens")
	g.redirecting(c, host)
	g.tokens(c, true)
	g.signedRequests(c)
	if g.chance(2) {
		c["response_types"] = of(g, []string{"code id_token"}, []string{"code", "id_token code"}, []string{"code id_token token", "code"})
	}
}

func (g *generator) implicit(c map[string]any, host string) {
	c["is_confidential"], c["client_auth_methods"], c["grant_types"] = false, []string{"none"}, []string{"implicit"}
	g.redirecting(c, host)
	g.tokens(c, false)
	for _, name := range []string{"require_pkce", "authorization_details_types"} {
		delete(c, name)
	}
	if g.chance(2) {
		c["response_types"] = of(g, []string{"id_token"}, []string{"id_token token", "id_token"})
	}
}

func (g *generator) fapi2(c map[string]any, host string) {
	c["fapi_profile"] = of(g, "fapi2-security", "fapi2-message-signing")
	c["grant_types"] = []string{"authorization_code", "refresh_token"}
	g.confidential(c, "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth")
	c["redirect_uris"] = []string{host + "/cb"}
	c["scopes"] = []string{"openid"}
	c["id_token_signed_response_alg"] = of(g, "PS256", "ES256", "EdDSA")
	c["require_pushed_authorization_requests"], c["require_pkce"] = true, true
	if c["tls_client_certificate_bound_access_tokens"] == nil {
		c["dpop_bound_access_tokens"] = true
	}
	if c["fapi_profile"] == "fapi2-message-signing" {
		c["request_object_signing_alg"], c["require_signed_request_object"] = "PS256", true
	}
}

func (g *generator) exchange(c map[string]any, _ string) {
	c["grant_types"] = []string{"client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"}
	c["scopes"], c["resources"] = []string{"reports"}, []string{"https://api.example.com/"}
	g.confidential(c, everyMethod()...)
}
