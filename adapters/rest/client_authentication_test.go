package rest_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/jwks"
	"github.com/clientele-oauth/clientele/adapters/ratelimit"
	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

const (
	authenticatePath = "/admin/oauth/authenticate"
	jwtBearer        = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	issuer           = "https://as.example.com"
)

func base64url(octets []byte) string { return base64.RawURLEncoding.EncodeToString(octets) }

// assertion is a client assertion of the client "keys" that is valid unless the test
// changes it. A nil value removes the member.
type assertion struct {
	header, claims map[string]any
	signer         crypto.Signer
}

func (a assertion) text(t *testing.T) string {
	t.Helper()
	header := map[string]any{"alg": "ES256", "kid": "k1", "typ": "JWT"}
	now := time.Now().Unix()
	claims := map[string]any{"iss": "keys", "sub": "keys", "aud": issuer, "exp": now + 60, "iat": now, "jti": rand.Text()}
	merge := func(into, from map[string]any) string {
		for name, value := range from {
			into[name] = value
			if value == nil {
				delete(into, name)
			}
		}
		text, err := json.Marshal(into)
		require.NoError(t, err)
		return base64url(text)
	}
	signed := merge(header, a.header) + "." + merge(claims, a.claims)
	return signed + "." + base64url(sign(t, a.signer, signed, header["alg"]))
}

func sign(t *testing.T, signer crypto.Signer, text string, algorithm any) []byte {
	t.Helper()
	digest := sha256.Sum256([]byte(text))
	var signature []byte
	var err error
	switch key := signer.(type) {
	case ed25519.PrivateKey:
		return ed25519.Sign(key, []byte(text))
	case *rsa.PrivateKey:
		if algorithm == "PS256" {
			signature, err = rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		} else {
			signature, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
		}
	case *ecdsa.PrivateKey:
		var r, s *big.Int
		r, s, err = ecdsa.Sign(rand.Reader, key, digest[:])
		signature = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
	require.NoError(t, err)
	return signature
}

// publicJWK returns the public key as a JWK with further members.
func publicJWK(t *testing.T, signer crypto.Signer, more map[string]any) map[string]any {
	t.Helper()
	key := map[string]any{}
	switch public := signer.Public().(type) {
	case *ecdsa.PublicKey:
		octets, err := public.Bytes()
		require.NoError(t, err)
		key["kty"], key["crv"], key["x"], key["y"] = "EC", "P-256", base64url(octets[1:33]), base64url(octets[33:])
	case *rsa.PublicKey:
		key["kty"], key["n"], key["e"] = "RSA", base64url(public.N.Bytes()), "AQAB"
	case ed25519.PublicKey:
		key["kty"], key["crv"], key["x"] = "OKP", "Ed25519", base64url(public)
	}
	maps.Copy(key, more)
	return key
}

func keySetText(t *testing.T, keys ...map[string]any) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"keys": keys})
	require.NoError(t, err)
	return string(text)
}

// newCertificate returns a certificate of the key in DER, valid for an hour unless change
// changes it.
func newCertificate(t *testing.T, signer crypto.Signer, change func(*x509.Certificate)) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "App", Organization: []string{"Example, Inc."}, Country: []string{"DE"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"app.example.com"},
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	require.NoError(t, err)
	return der
}

func pemOf(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

// authenticate sends a request, which the authorization server verifies.
func (s service) authenticate(t *testing.T, request map[string]any, query ...string) response {
	t.Helper()
	body, err := json.Marshal(request)
	require.NoError(t, err)
	return s.do(t, call{method: "POST", path: authenticatePath + strings.Join(query, ""), token: "verify", body: string(body)})
}

// registerClient registers a client and returns its secret, if it has one.
func (s service) registerClient(t *testing.T, id string, fields map[string]any) string {
	t.Helper()
	client := map[string]any{"client_id": id, "name": id, "redirect_uris": []string{"https://a.example/cb"}}
	maps.Copy(client, fields)
	body, err := json.Marshal(client)
	require.NoError(t, err)
	a := s.do(t, call{method: "POST", path: clients, token: "admin", body: string(body)})
	require.Equal(t, http.StatusCreated, a.status, a.text)
	secret, _ := a.data("client_secret").(string)
	return secret
}

func form(members ...string) map[string]any {
	form := map[string]any{}
	for i := 0; i < len(members); i += 2 {
		form[members[i]] = members[i+1]
	}
	return form
}

func TestClientsAreAuthenticated(t *testing.T) { onBothStores(t, testAuthentication) }

func testAuthentication(t *testing.T, s service) {
	doc, err := openapi3.NewLoader().LoadFromData(api.Document)
	require.NoError(t, err)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	strange, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	large, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	_, edOther, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)

	const weird = "a b/c:+@d"
	secrets := map[string]string{
		"basic":   s.registerClient(t, "basic", nil),
		"post":    s.registerClient(t, "post", map[string]any{"client_auth_methods": []string{"client_secret_post"}}),
		"both":    s.registerClient(t, "both", map[string]any{"client_auth_methods": []string{"client_secret_basic", "client_secret_post"}}),
		"stopped": s.registerClient(t, "stopped", nil),
		"deleted": s.registerClient(t, "deleted", nil),
		weird:     s.registerClient(t, weird, nil),
	}
	s.registerClient(t, "public", map[string]any{"is_confidential": false})
	set := keySetText(t, publicJWK(t, ec, map[string]any{"kid": "k1"}), publicJWK(t, large, map[string]any{"kid": "k2"}), publicJWK(t, ed, map[string]any{"kid": "k3"}))
	s.registerClient(t, "keys", map[string]any{"client_auth_methods": []string{"private_key_jwt"}, "jwks": set})
	s.registerClient(t, "rsa", map[string]any{
		"client_auth_methods": []string{"private_key_jwt"}, "token_endpoint_auth_signing_alg": "PS256", "jwks": keySetText(t, publicJWK(t, large, nil)),
	})
	s.registerClient(t, "fapi", map[string]any{
		"client_auth_methods": []string{"private_key_jwt"}, "fapi_profile": "fapi2-security",
		"jwks": keySetText(t, publicJWK(t, ed, map[string]any{"kid": "k3"}), publicJWK(t, ec, map[string]any{"kid": "k1"})),
	})
	s.registerClient(t, "tls", map[string]any{
		"client_auth_methods": []string{"tls_client_auth"}, "tls_client_auth_subject_dn": `cn=app,O=Example\, Inc.,C=DE`,
	})
	s.registerClient(t, "tls-dns", map[string]any{"client_auth_methods": []string{"tls_client_auth"}, "tls_client_auth_san_dns": "app.example.com"})
	known := newCertificate(t, ec, nil)
	s.registerClient(t, "self", map[string]any{
		"client_auth_methods": []string{"self_signed_tls_client_auth"},
		"jwks":                keySetText(t, publicJWK(t, ec, map[string]any{"x5c": []string{base64.StdEncoding.EncodeToString(known)}})),
	})
	require.Equal(t, 200, s.do(t, call{method: "PUT", path: clients + "/stopped", token: "admin", body: `{"status":"suspended"}`}).status)
	require.Equal(t, 204, s.do(t, call{method: "DELETE", path: clients + "/deleted", token: "admin"}).status)

	audiences := []string{issuer, issuer + "/token"}
	signed := func(a assertion) map[string]any {
		if a.signer == nil {
			a.signer = ec
		}
		return map[string]any{"form": form("client_assertion_type", jwtBearer, "client_assertion", a.text(t)), "audiences": audiences}
	}
	claims := func(members map[string]any) map[string]any { return signed(assertion{claims: members}) }
	of := func(id string, header, more map[string]any, signer crypto.Signer) map[string]any {
		members := map[string]any{"iss": id, "sub": id}
		maps.Copy(members, more)
		return signed(assertion{header: header, claims: members, signer: signer})
	}
	with := func(request map[string]any, name string, value any) map[string]any {
		request[name] = value
		return request
	}
	certified := func(id string, text string) map[string]any {
		return map[string]any{"form": form("client_id", id), "certificate": text}
	}
	now := time.Now().Unix()
	hmacAssertion := base64url([]byte(`{"alg":"HS256"}`)) + "." + base64url([]byte(`{"iss":"keys","sub":"keys","aud":"`+issuer+`","exp":99999999999,"jti":"1"}`)) + ".AAAA"
	expired := newCertificate(t, ec, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	another := newCertificate(t, ec, func(c *x509.Certificate) { c.Subject.CommonName, c.DNSNames = "Other", []string{"app.example.org"} })

	for name, tt := range map[string]struct {
		request map[string]any
		want    string // the method and the client, or the reason
	}{
		"basic":                          {map[string]any{"authorization": basic("basic", secrets["basic"])}, "client_secret_basic basic"},
		"basic, and the id again":        {map[string]any{"authorization": basic("basic", secrets["basic"]), "form": form("client_id", "basic", "client_secret", "")}, "client_secret_basic basic"},
		"basic, any case of the scheme":  {map[string]any{"authorization": strings.Replace(basic("basic", secrets["basic"]), "Basic", "bASIC", 1)}, "client_secret_basic basic"},
		"basic, encoded":                 {map[string]any{"authorization": basic(weird, secrets[weird])}, "client_secret_basic " + weird},
		"basic and a certificate":        {map[string]any{"authorization": basic("basic", secrets["basic"]), "certificate": pemOf(known)}, "client_secret_basic basic"},
		"post":                           {map[string]any{"form": form("client_id", "post", "client_secret", secrets["post"])}, "client_secret_post post"},
		"both, by basic":                 {map[string]any{"authorization": basic("both", secrets["both"])}, "client_secret_basic both"},
		"both, by post":                  {map[string]any{"form": form("client_id", "both", "client_secret", secrets["both"])}, "client_secret_post both"},
		"public":                         {map[string]any{"form": form("client_id", "public")}, "none public"},
		"public with a certificate":      {certified("public", pemOf(known)), "none public"},
		"ES256":                          {signed(assertion{}), "private_key_jwt keys k1"},
		"RS256":                          {signed(assertion{header: map[string]any{"alg": "RS256", "kid": "k2"}, signer: large}), "private_key_jwt keys k2"},
		"PS256":                          {signed(assertion{header: map[string]any{"alg": "PS256", "kid": "k2"}, signer: large}), "private_key_jwt keys k2"},
		"EdDSA":                          {signed(assertion{header: map[string]any{"alg": "EdDSA", "kid": "k3"}, signer: ed}), "private_key_jwt keys k3"},
		"Ed25519":                        {signed(assertion{header: map[string]any{"alg": "Ed25519", "kid": "k3"}, signer: ed}), "private_key_jwt keys k3"},
		"without kid":                    {signed(assertion{header: map[string]any{"kid": nil}}), "private_key_jwt keys k1"},
		"without typ":                    {signed(assertion{header: map[string]any{"typ": nil}}), "private_key_jwt keys k1"},
		"typ of RFC 7523bis":             {signed(assertion{header: map[string]any{"typ": "application/client-authentication+JWT"}}), "private_key_jwt keys k1"},
		"several audiences":              {claims(map[string]any{"aud": []string{"https://other.example", issuer + "/token"}}), "private_key_jwt keys k1"},
		"with the id in the form":        {map[string]any{"form": form("client_id", "keys", "client_assertion_type", jwtBearer, "client_assertion", assertion{signer: ec}.text(t)), "audiences": audiences}, "private_key_jwt keys k1"},
		"declared algorithm":             {of("rsa", map[string]any{"alg": "PS256", "kid": "unknown to the set"}, nil, large), "private_key_jwt rsa"},
		"FAPI":                           {of("fapi", map[string]any{"alg": "EdDSA", "kid": "k3"}, nil, ed), "private_key_jwt fapi k3"},
		"a clock that is behind":         {claims(map[string]any{"exp": now - 20}), "private_key_jwt keys k1"},
		"a clock that is ahead":          {claims(map[string]any{"iat": now + 20, "nbf": now + 20}), "private_key_jwt keys k1"},
		"a fraction of a second":         {claims(map[string]any{"exp": float64(now) + 30.5}), "private_key_jwt keys k1"},
		"certificate":                    {certified("tls", pemOf(known)), "tls_client_auth tls"},
		"certificate by nginx":           {certified("tls", url.PathEscape(pemOf(known))), "tls_client_auth tls"},
		"certificate of RFC 9440":        {certified("tls", ":"+base64.StdEncoding.EncodeToString(known)+":"), "tls_client_auth tls"},
		"certificate and its chain":      {certified("tls", pemOf(known)+pemOf(another)), "tls_client_auth tls"},
		"certificate by its DNS name":    {certified("tls-dns", pemOf(known)), "tls_client_auth tls-dns"},
		"self-signed certificate":        {certified("self", pemOf(known)), "self_signed_tls_client_auth self"},
		"self-signed, without its chain": {with(certified("self", pemOf(known)), "certificate_verified", false), "self_signed_tls_client_auth self"},

		"nothing":                          {map[string]any{}, "client_unidentified"},
		"only a certificate":               {map[string]any{"certificate": pemOf(known)}, "client_unidentified"},
		"wrong secret":                     {map[string]any{"authorization": basic("basic", "wrong")}, "secret_invalid"},
		"secret of another client":         {map[string]any{"authorization": basic("basic", secrets["post"])}, "secret_invalid"},
		"empty secret":                     {map[string]any{"authorization": basic("basic", "")}, "secret_invalid"},
		"unknown":                          {map[string]any{"authorization": basic("nobody", "wrong")}, "client_unknown"},
		"impossible id":                    {map[string]any{"form": form("client_id", "\u0000", "client_secret", "x")}, "client_unknown"},
		"deleted":                          {map[string]any{"authorization": basic("deleted", secrets["deleted"])}, "client_unknown"},
		"suspended":                        {map[string]any{"authorization": basic("stopped", secrets["stopped"])}, "client_suspended"},
		"post instead of basic":            {map[string]any{"form": form("client_id", "basic", "client_secret", secrets["basic"])}, "method_not_registered"},
		"basic instead of post":            {map[string]any{"authorization": basic("post", secrets["post"])}, "method_not_registered"},
		"secret of a public client":        {map[string]any{"form": form("client_id", "public", "client_secret", "x")}, "method_not_registered"},
		"secret instead of a key":          {map[string]any{"authorization": basic("keys", "x")}, "method_not_registered"},
		"key instead of a secret":          {of("basic", nil, nil, ec), "method_not_registered"},
		"certificate instead of a secret":  {certified("basic", pemOf(known)), "method_not_registered"},
		"only the id":                      {map[string]any{"form": form("client_id", "basic")}, "credentials_missing"},
		"only the id of one with keys":     {map[string]any{"form": form("client_id", "keys")}, "credentials_missing"},
		"no certificate":                   {map[string]any{"form": form("client_id", "tls")}, "credentials_missing"},
		"two methods":                      {map[string]any{"authorization": basic("both", secrets["both"]), "form": form("client_secret", secrets["both"])}, "multiple_methods"},
		"a secret and an assertion":        {with(signed(assertion{}), "authorization", basic("keys", "x")), "multiple_methods"},
		"another id":                       {map[string]any{"authorization": basic("both", secrets["both"]), "form": form("client_id", "basic")}, "client_id_mismatch"},
		"another id than the assertion's":  {map[string]any{"form": form("client_id", "fapi", "client_assertion_type", jwtBearer, "client_assertion", assertion{signer: ec}.text(t)), "audiences": audiences}, "client_id_mismatch"},
		"bearer token":                     {map[string]any{"authorization": "Bearer x"}, "authorization_malformed"},
		"no base64":                        {map[string]any{"authorization": "Basic *"}, "authorization_malformed"},
		"no colon":                         {map[string]any{"authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte("basic"))}, "authorization_malformed"},
		"half an escape":                   {map[string]any{"authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte("basic:%2"))}, "authorization_malformed"},
		"another type of assertion":        {map[string]any{"form": form("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer", "client_assertion", "x"), "audiences": audiences}, "assertion_type_unknown"},
		"no type of assertion":             {map[string]any{"form": form("client_assertion", "x"), "audiences": audiences}, "assertion_type_unknown"},
		"no assertion":                     {map[string]any{"form": form("client_assertion_type", jwtBearer), "audiences": audiences}, "assertion_malformed"},
		"no JWT":                           {map[string]any{"form": form("client_assertion_type", jwtBearer, "client_assertion", "a.b.c"), "audiences": audiences}, "assertion_malformed"},
		"a date that is a string":          {claims(map[string]any{"exp": "tomorrow"}), "assertion_malformed"},
		"crit":                             {signed(assertion{header: map[string]any{"crit": []string{"exp"}}}), "assertion_malformed"},
		"another issuer":                   {claims(map[string]any{"iss": "https://sts.example"}), "assertion_issuer"},
		"another subject":                  {claims(map[string]any{"sub": "basic"}), "assertion_issuer"},
		"no issuer":                        {claims(map[string]any{"iss": nil}), "assertion_issuer"},
		"another audience":                 {claims(map[string]any{"aud": "https://other.example"}), "assertion_audience"},
		"no audience":                      {claims(map[string]any{"aud": nil}), "assertion_audience"},
		"list of audiences with FAPI":      {of("fapi", map[string]any{"alg": "EdDSA", "kid": "k3"}, map[string]any{"aud": []string{issuer}}, ed), "assertion_audience"},
		"expired":                          {claims(map[string]any{"exp": now - 40}), "assertion_expired"},
		"no expiry":                        {claims(map[string]any{"exp": nil}), "assertion_expired"},
		"too long":                         {claims(map[string]any{"exp": now + 4000}), "assertion_lifetime"},
		"not yet valid":                    {claims(map[string]any{"nbf": now + 90}), "assertion_not_yet_valid"},
		"issued in the future":             {claims(map[string]any{"iat": now + 90}), "assertion_not_yet_valid"},
		"no jti":                           {claims(map[string]any{"jti": nil}), "assertion_jti_missing"},
		"empty jti":                        {claims(map[string]any{"jti": ""}), "assertion_jti_missing"},
		"access token":                     {signed(assertion{header: map[string]any{"typ": "at+jwt"}}), "assertion_typ"},
		"another key":                      {signed(assertion{signer: strange}), "assertion_signature"},
		"another key of the algorithm":     {signed(assertion{header: map[string]any{"alg": "EdDSA", "kid": "k3"}, signer: edOther}), "assertion_signature"},
		"kid of another key":               {signed(assertion{header: map[string]any{"kid": "k2"}}), "assertion_key_unknown"},
		"unknown kid":                      {signed(assertion{header: map[string]any{"kid": "k9"}}), "assertion_key_unknown"},
		"algorithm that is not declared":   {of("rsa", map[string]any{"alg": "RS256"}, nil, large), "assertion_algorithm"},
		"algorithm that FAPI forbids":      {of("fapi", map[string]any{"alg": "RS256"}, nil, large), "assertion_algorithm"},
		"shared secret":                    {map[string]any{"form": form("client_assertion_type", jwtBearer, "client_assertion", hmacAssertion), "audiences": audiences}, "assertion_algorithm"},
		"no algorithm":                     {signed(assertion{header: map[string]any{"alg": "none"}}), "assertion_algorithm"},
		"another subject name":             {certified("tls", pemOf(another)), "certificate_subject"},
		"another DNS name":                 {certified("tls-dns", pemOf(another)), "certificate_subject"},
		"expired certificate":              {certified("tls", pemOf(expired)), "certificate_expired"},
		"expired self-signed certificate":  {certified("self", pemOf(expired)), "certificate_expired"},
		"unverified certificate":           {with(certified("tls", pemOf(known)), "certificate_verified", false), "certificate_unverified"},
		"another certificate of the key":   {certified("self", pemOf(another)), "certificate_unknown"},
		"no certificate in the PEM":        {certified("tls", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"), "certificate_malformed"},
		"a certificate of another type":    {certified("tls", strings.ReplaceAll(pemOf(known), "CERTIFICATE", "PRIVATE KEY")), "certificate_malformed"},
		"a suspended client's certificate": {certified("stopped", pemOf(known)), "client_suspended"},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.authenticate(t, tt.request)
			schema := "AuthenticateClientDetailResponse"
			if a.status != http.StatusOK {
				schema = "SimpleResponse"
			}
			require.NoError(t, doc.Components.Schemas[schema].Value.VisitJSON(a.body, openapi3.VisitAsResponse()))
			if reason, failed := a.body["reason"].(string); failed {
				require.Equal(t, tt.want, reason)
				require.Equal(t, http.StatusUnauthorized, a.status, a.text)
				assert.Equal(t, "invalid_client", a.body["error"])
				assert.Equal(t, `Client-Authentication realm="clientele", error="invalid_client"`, a.header.Get("WWW-Authenticate"))
				assert.Equal(t, "the client is not authenticated", a.body["message"])
				assert.NotContains(t, a.body, "data")
				return
			}
			require.Equal(t, http.StatusOK, a.status, a.text)
			got := fmt.Sprint(a.data("method"), " ", a.data("client_id"))
			if kid, ok := a.data("kid").(string); ok {
				got += " " + kid
			}
			assert.Equal(t, tt.want, got)
			method, _ := a.data("method").(string)
			assert.Equal(t, strings.HasPrefix(method, "client_secret"), a.data("secret_id") != nil)
			client, _ := a.data("client").(map[string]any)
			assert.Equal(t, a.data("client_id"), client["client_id"])
			assert.Equal(t, []any{"authorization_code"}, client["grant_types"])
		})
	}
	for _, secret := range secrets {
		assert.NotContains(t, s.logs.String(), secret)
	}
	assert.Contains(t, s.logs.String(), `"msg":"client not authenticated"`)
	assert.NotContains(t, s.logs.String(), `"level":"WARN"`, "anyone can send wrong credentials")
}

func TestAnAssertionIsAcceptedOnce(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		s.registerClient(t, "keys", map[string]any{
			"client_auth_methods": []string{"private_key_jwt"}, "jwks": keySetText(t, publicJWK(t, ec, map[string]any{"kid": "k1"})),
		})
		text := assertion{signer: ec, claims: map[string]any{"jti": "1"}}.text(t)
		send := func(text string, audiences ...string) response {
			return s.authenticate(t, map[string]any{
				"form": form("client_assertion_type", jwtBearer, "client_assertion", text), "audiences": audiences,
			})
		}
		assert.Equal(t, "assertion_audience", send(text, "https://other.example").body["reason"])
		assert.Equal(t, "assertion_signature", send(text[:len(text)-5]+"AAAA"+text[len(text)-1:], issuer).body["reason"])
		first := send(text, issuer)
		require.Equal(t, 200, first.status, "a refused assertion is not used up: %s", first.text)
		assert.Nil(t, first.data("cacheable_until"))
		assert.Equal(t, "assertion_replayed", send(text, issuer).body["reason"])
		again := assertion{signer: ec, claims: map[string]any{"jti": "1", "exp": time.Now().Unix() + 300}}.text(t)
		assert.Equal(t, "assertion_replayed", send(again, issuer).body["reason"], "the identifier counts, not the text")

		missing := send(text)
		assert.Equal(t, 400, missing.status)
		assert.Equal(t, []string{"/audiences contract"}, missing.violated())
	})
}

func TestAuthenticationReturnsTheClientAndHowLongToKeepIt(t *testing.T) {
	s := newService(t, func(c *setup) { c.Registry.VerificationAge = 10 * time.Second })
	secret := s.registerClient(t, "basic", map[string]any{"scopes": []string{"openid", "profile"}, "fapi_profile": ""})
	a := s.authenticate(t, map[string]any{"authorization": basic("basic", secret)})
	require.Equal(t, 200, a.status, a.text)
	client, _ := a.data("client").(map[string]any)
	assert.Equal(t, "openid profile", client["scope"])
	assert.Equal(t, "client_secret_basic", client["token_endpoint_auth_method"])
	assert.NotContains(t, client, "response_types")
	until, err := time.Parse(time.RFC3339, a.data("cacheable_until").(string))
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now().Add(9*time.Second), until, 2*time.Second)
	effective := s.authenticate(t, map[string]any{"authorization": basic("basic", secret)}, "?effective=true")
	client, _ = effective.data("client").(map[string]any)
	assert.Equal(t, []any{"code"}, client["response_types"])
}

func TestAuthenticationRequestsAreChecked(t *testing.T) {
	s := newService(t)
	for name, tt := range map[string]struct {
		body   string
		status int
		want   []string
	}{
		"unknown field":         {`{"secret":"x"}`, 400, []string{"/secret contract"}},
		"unknown field of form": {`{"form":{"grant_type":"client_credentials"}}`, 400, []string{"/form/grant_type contract"}},
		"null":                  {`{"form":null}`, 400, []string{"/form contract"}},
		"no array":              {`{"audiences":"https://as.example.com"}`, 400, []string{"/audiences contract"}},
		"empty audience":        {`{"audiences":[""]}`, 400, []string{"/audiences/0 contract"}},
		"too large":             {`{"certificate":"` + strings.Repeat("x", 131072) + `"}`, 413, nil},
		"long certificate":      {`{"certificate":"` + strings.Repeat("x", 32769) + `"}`, 400, []string{"/certificate contract"}},
	} {
		a := s.do(t, call{method: "POST", path: authenticatePath, token: "verify", body: tt.body})
		assert.Equal(t, tt.status, a.status, "%s: %s", name, a.text)
		assert.Equal(t, tt.want, a.violated(), name)
		assert.NotContains(t, a.body, "error", name)
	}
	a := s.do(t, call{method: "POST", path: authenticatePath, token: "expired", body: `{}`})
	assert.Equal(t, 401, a.status)
	assert.NotContains(t, a.body, "error", "the bearer token is meant")
	assert.Contains(t, a.header.Get("WWW-Authenticate"), "Bearer ")
}

func TestWrongSecretsAreLimitedAndRightOnesAreNot(t *testing.T) {
	at := time.Now()
	s := newService(t, func(c *setup) {
		c.Registry.Failures = ratelimit.FailuresPerMinute(3, func() time.Time { return at })
	})
	secret := s.registerClient(t, "basic", nil)
	wrong := map[string]any{"authorization": basic("basic", "wrong")}
	for range 3 {
		assert.Equal(t, 401, s.authenticate(t, wrong).status)
	}
	limited := s.authenticate(t, wrong)
	assert.Equal(t, 429, limited.status, limited.text)
	assert.Equal(t, "20", limited.header.Get("Retry-After"))
	assert.EqualValues(t, 20, limited.body["retry_after"])
	assert.NotContains(t, limited.body, "error")
	verified := s.do(t, call{method: "POST", path: clients + "/basic/verify-secret", token: "verify", body: `{"secret":"wrong"}`})
	assert.Equal(t, 429, verified.status, "failures count together: %s", verified.text)
	assert.Equal(t, "20", verified.header.Get("Retry-After"))
	assert.EqualValues(t, 20, verified.body["retry_after"])
	assert.Equal(t, 200, s.authenticate(t, map[string]any{"authorization": basic("basic", secret)}).status)
}

// downStore is a store that is not available.
type downStore struct{ application.Store }

func (downStore) Find(context.Context, domain.TenantID, domain.ClientID) (domain.Client, error) {
	return domain.Client{}, application.ErrUnavailable
}

// What is not known is never invalid_client.
func TestAuthenticationThatCannotBeDecided(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	undecided := func(a response, status int, message string) {
		t.Helper()
		assert.Equal(t, status, a.status, a.text)
		assert.NotContains(t, a.body, "error")
		assert.Contains(t, a.body["message"], message)
		assert.NotEmpty(t, a.header.Get("Retry-After"))
		assert.Equal(t, a.header.Get("Retry-After"), fmt.Sprint(a.body["retry_after"]))
	}
	s := newService(t, func(c *setup) {
		c.Registry.Keys = jwks.NewResolver(jwks.Options{Names: internalResolver(t), Wait: func(context.Context, time.Duration) {}})
	})
	s.registerClient(t, "keys", map[string]any{"client_auth_methods": []string{"private_key_jwt"}, "jwks_uri": "https://keys.example.com/jwks"})
	signed := func() map[string]any {
		return map[string]any{
			"form":      form("client_assertion_type", jwtBearer, "client_assertion", assertion{signer: ec}.text(t)),
			"audiences": []string{issuer},
		}
	}
	undecided(s.authenticate(t, signed()), 503, "the jwks_uri of the client cannot be read: the host cannot be reached")
	down := newService(t, func(c *setup) { c.Registry.Store = downStore{c.Registry.Store} })
	undecided(down.authenticate(t, signed()), 503, "temporarily unavailable")
	limited := newService(t, func(c *setup) { c.Registry.Verifications = denyAll{} })
	undecided(limited.authenticate(t, signed()), 429, "too many requests")
}
