package rest_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Software statements (RFC 7591 §2.3), in the shapes of RFC 7591, Open Banking UK and the
// Consumer Data Right. Each is configuration alone.

// directory issues software statements.
type directory struct {
	signer crypto.Signer
	name   string
}

func newDirectory(t *testing.T, name string) directory {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return directory{key, name}
}

// issuer returns the configuration of the directory in a registration file.
func (d directory) issuer(t *testing.T, settings map[string]any) map[string]any {
	t.Helper()
	issuer := map[string]any{
		"iss": d.name, "algs": []string{"ES256"},
		"keys": map[string]any{"keys": []any{publicJWK(t, d.signer, map[string]any{"kid": "d1"})}},
	}
	maps.Copy(issuer, settings)
	return issuer
}

// signedJWT returns a JWT with the claims, which are valid now unless they say otherwise; a
// nil value removes a claim.
func signedJWT(t *testing.T, signer crypto.Signer, header, claims map[string]any) string {
	t.Helper()
	now := time.Now().Unix()
	allHeader := map[string]any{"alg": "ES256", "kid": "d1", "typ": "JWT"}
	all := map[string]any{"iat": now, "exp": now + 300, "jti": rand.Text()}
	part := func(into, from map[string]any) string {
		maps.Copy(into, from)
		maps.DeleteFunc(into, func(_ string, value any) bool { return value == nil })
		text, err := json.Marshal(into)
		require.NoError(t, err)
		return base64url(text)
	}
	signed := part(allHeader, header) + "." + part(all, claims)
	return signed + "." + base64url(sign(t, signer, signed, allHeader["alg"]))
}

// statement returns a software statement with the claims.
func (d directory) statement(t *testing.T, claims map[string]any) string {
	t.Helper()
	all := map[string]any{"iss": d.name, "software_id": "software-1", "org_status": "Active"}
	maps.Copy(all, claims)
	return signedJWT(t, d.signer, nil, all)
}

// trusting returns a registration file for tenant_a with these issuers.
func trusting(t *testing.T, issuers ...map[string]any) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"tenants": map[string]any{"tenant_a": map[string]any{"registration": map[string]any{
		"enabled": true, "statement": "optional", "issuers": issuers,
	}}}})
	require.NoError(t, err)
	return string(text)
}

// object returns the text of a JSON object.
func object(t *testing.T, members map[string]any) string {
	t.Helper()
	text, err := json.Marshal(members)
	require.NoError(t, err)
	return string(text)
}

func TestSoftwareStatements(t *testing.T) {
	d, stranger := newDirectory(t, "https://directory.example"), newDirectory(t, "https://stranger.example")
	impostor := directory{stranger.signer, d.name}
	onBothStores(t, func(t *testing.T, s service) {
		with := func(statement string, more map[string]any) string {
			members := map[string]any{"software_statement": statement, "redirect_uris": []string{"https://mine.example/cb"}, "client_name": "Mine"}
			maps.Copy(members, more)
			return object(t, members)
		}
		statement := d.statement(t, map[string]any{"client_name": "Vouched", "redirect_uris": []string{"https://app.example.com/cb"}})
		a := s.registerSelf(t, with(statement, nil))
		require.Equal(t, http.StatusCreated, a.status, a.text)
		assertMembers(t, a, map[string]any{
			"client_name": "Vouched", "redirect_uris": []any{"https://app.example.com/cb"}, "software_statement": statement, "software_id": "software-1",
		})
		assertRejected(t, s.registerSelf(t, with(statement, nil)), 400, "invalid_software_statement") // it was used before
		now := time.Now().Unix()
		for name, tt := range map[string]struct{ statement, code string }{
			"malformed":                {"a.b", "invalid_software_statement"},
			"not signed by the issuer": {impostor.statement(t, nil), "invalid_software_statement"},
			"of an issuer not trusted": {stranger.statement(t, nil), "invalid_software_statement"},
			"without a signature":      {signedJWT(t, d.signer, map[string]any{"alg": "none"}, map[string]any{"iss": d.name}), "invalid_software_statement"},
			"with another algorithm":   {signedJWT(t, d.signer, map[string]any{"alg": "ES384"}, map[string]any{"iss": d.name}), "invalid_software_statement"},
			"with an unknown key":      {signedJWT(t, d.signer, map[string]any{"kid": "other"}, map[string]any{"iss": d.name}), "invalid_software_statement"},
			"expired":                  {d.statement(t, map[string]any{"exp": now - 120}), "invalid_software_statement"},
			"too old":                  {d.statement(t, map[string]any{"iat": now - 3600}), "invalid_software_statement"},
			"of the future":            {d.statement(t, map[string]any{"nbf": now + 3600}), "invalid_software_statement"},
			"without an identifier":    {d.statement(t, map[string]any{"jti": nil}), "invalid_software_statement"},
			"of software not admitted": {d.statement(t, map[string]any{"org_status": "Revoked"}), "unapproved_software_statement"},
		} {
			t.Run(name, func(t *testing.T) {
				assertRejected(t, s.registerSelf(t, with(tt.statement, map[string]any{"redirect_uris": []string{"#"}})), 400, tt.code)
			})
		}
	}, registering(t, trusting(t, d.issuer(t, map[string]any{"jti": "once", "require_exp": true, "required": map[string]string{"org_status": "Active"}}))))
}

// An update without a statement keeps the claims of the one before.
func TestClaimsOfAStatementStay(t *testing.T) {
	d := newDirectory(t, "https://directory.example")
	onBothStores(t, func(t *testing.T, s service) {
		c := s.registered(t, object(t, map[string]any{
			"software_statement": d.statement(t, map[string]any{"client_name": "Vouched"}), "redirect_uris": []string{"https://app.example.com/cb"},
		}))
		a := c.do(t, "PUT", `{"client_id":"{id}","redirect_uris":["https://app.example.com/2"],"client_name":"Mine","software_id":"other"}`)
		require.Equal(t, http.StatusOK, a.status, a.text)
		assertMembers(t, a, map[string]any{
			"client_name": "Vouched", "software_id": "software-1", "software_statement": c.sent.body["software_statement"], "redirect_uris": []any{"https://app.example.com/2"},
		})
		registration, _ := c.item(t).data("registration").(map[string]any)
		assert.Equal(t, d.name, registration["statement_issuer"])
		assert.Equal(t, "software-1", registration["software_id"])
		assert.NotContains(t, c.item(t).text, c.sent.body["software_statement"])
		found := s.do(t, call{method: "GET", path: clients + "?software_id=software-1", token: "read"})
		assert.EqualValues(t, 1, found.body["total"])
	}, registering(t, trusting(t, d.issuer(t, nil))))
}

// A client sends back what it has read, also the statement, which has been used then and may
// have expired. A new statement about the same software replaces it.
func TestAStatementThatIsSentBackStays(t *testing.T) {
	d := newDirectory(t, "https://directory.example")
	onBothStores(t, func(t *testing.T, s service) {
		c := s.registered(t, object(t, map[string]any{
			"software_statement": d.statement(t, map[string]any{"client_name": "Vouched"}), "redirect_uris": []string{"https://app.example.com/cb"},
		}))
		update := func(statement any) response {
			return c.do(t, "PUT", object(t, map[string]any{
				"client_id": "{id}", "software_statement": statement, "redirect_uris": []string{"https://app.example.com/2"},
			}))
		}
		a := update(c.sent.body["software_statement"])
		require.Equal(t, http.StatusOK, a.status, a.text)
		assertMembers(t, a, map[string]any{
			"client_name": "Vouched", "software_statement": c.sent.body["software_statement"], "redirect_uris": []any{"https://app.example.com/2"},
		})
		newer := d.statement(t, map[string]any{"client_name": "Vouched again"})
		a = update(newer)
		require.Equal(t, http.StatusOK, a.status, a.text)
		assertMembers(t, a, map[string]any{"client_name": "Vouched again", "software_statement": newer})
		assertRejected(t, update(c.sent.body["software_statement"]), 400, "invalid_software_statement") // it was used before
	}, registering(t, trusting(t, d.issuer(t, map[string]any{"jti": "once", "unique_software_id": true}))))
}

// A client stays the software that it was registered as.
func TestAnUpdateIsAboutTheSameSoftware(t *testing.T) {
	d, second := newDirectory(t, "https://directory.example"), newDirectory(t, "https://second.example")
	onBothStores(t, func(t *testing.T, s service) {
		c := s.registered(t, stated(t, d.statement(t, nil), nil))
		for name, statement := range map[string]string{
			"other software":        d.statement(t, map[string]any{"software_id": "software-2"}),
			"no software_id":        d.statement(t, map[string]any{"software_id": nil}),
			"an empty software_id":  d.statement(t, map[string]any{"software_id": ""}),
			"of another issuer":     second.statement(t, nil),
			"of an unknown issuer":  newDirectory(t, "https://third.example").statement(t, nil),
			"with another software": d.statement(t, map[string]any{"software_id": "Software-1"}),
		} {
			t.Run(name, func(t *testing.T) {
				assertRejected(t, c.do(t, "PUT", stated(t, statement, map[string]any{"client_id": "{id}"})), 400, "invalid_software_statement")
			})
		}
		assertMembers(t, c.do(t, "GET", ""), map[string]any{"software_id": "software-1", "software_statement": c.sent.body["software_statement"]})

		without := s.registered(t, webClient)
		a := without.do(t, "PUT", stated(t, d.statement(t, nil), map[string]any{"client_id": "{id}"}))
		require.Equal(t, http.StatusOK, a.status, a.text)
		assertMembers(t, a, map[string]any{"software_id": "software-1"})
	}, registering(t, trusting(t, d.issuer(t, nil), second.issuer(t, nil))))
}

// The shape of Open Banking UK: other names of claims, of which a client may take a part, and
// roles.
func TestStatementsOfOpenBankingUK(t *testing.T) {
	d := newDirectory(t, "OpenBanking Ltd")
	onBothStores(t, func(t *testing.T, s service) {
		statement := func(more map[string]any) string {
			claims := map[string]any{
				"exp": nil, "software_client_name": "Bank App", "software_redirect_uris": []string{"https://app.example.com/1", "https://app.example.com/2"},
				"software_roles": []string{"AISP"}, "org_status": "Active",
			}
			maps.Copy(claims, more)
			return d.statement(t, claims)
		}
		a := s.registerSelf(t, object(t, map[string]any{"software_statement": statement(nil), "redirect_uris": []string{"https://app.example.com/2"}, "scope": "accounts payments"}))
		require.Equal(t, http.StatusCreated, a.status, a.text)
		assertMembers(t, a, map[string]any{"client_name": "Bank App", "redirect_uris": []any{"https://app.example.com/2"}, "scope": "accounts"})
		assertRejected(t, s.registerSelf(t, object(t, map[string]any{
			"software_statement": statement(map[string]any{"software_id": "software-2"}), "redirect_uris": []string{"https://other.example/"},
		})), 400, "invalid_redirect_uri")
		assertRejected(t, s.registerSelf(t, object(t, map[string]any{
			"software_statement": statement(map[string]any{"software_id": "software-2", "org_status": "Withdrawn"}),
		})), 400, "unapproved_software_statement")
		assertRejected(t, s.registerSelf(t, object(t, map[string]any{
			"software_statement": statement(map[string]any{"software_roles": []string{"CBPII"}}),
		})), 400, "unapproved_software_statement")
	}, registering(t, trusting(t, d.issuer(t, map[string]any{
		"mode": "ceiling", "claims": map[string]string{"software_client_name": "client_name", "software_redirect_uris": "redirect_uris", "software_id": "software_id"},
		"required": map[string]string{"org_status": "Active"}, "role_claim": "software_roles", "roles": map[string][]string{"AISP": {"accounts"}, "PISP": {"payments"}},
	}))))
}

// The shape of the Consumer Data Right: the request itself is a JWT, and each software has
// one client.
func TestRegistrationRequestsThatAreJWTs(t *testing.T) {
	d := newDirectory(t, "cdr-register")
	software := newDirectory(t, "software-1")
	onBothStores(t, func(t *testing.T, s service) {
		statement := func() string {
			return d.statement(t, map[string]any{
				"client_name": "Recipient", "redirect_uris": []string{"https://app.example.com/cb"},
				"jwks": map[string]any{"keys": []any{publicJWK(t, software.signer, map[string]any{"kid": "d1"})}},
			})
		}
		send := func(kind string, claims map[string]any, signer crypto.Signer) response {
			all := map[string]any{
				"iss": "software-1", "aud": publicURL + registerPath, "software_statement": statement(), "token_endpoint_auth_method": "private_key_jwt",
				"redirect_uris": []string{"https://app.example.com/cb"},
			}
			maps.Copy(all, claims)
			return s.do(t, call{
				method: "POST", path: registerPath, token: s.initialToken(t, `{}`), body: signedJWT(t, signer, nil, all),
				header: http.Header{"Content-Type": {kind}},
			})
		}
		for name, a := range map[string]response{
			"another audience":      send("application/jwt", map[string]any{"aud": "https://other.example/"}, software.signer),
			"another issuer":        send("application/jwt", map[string]any{"iss": "other"}, software.signer),
			"signed by another key": send("application/jwt", nil, d.signer),
			"expired":               send("application/jwt", map[string]any{"exp": time.Now().Unix() - 300}, software.signer),
			"in JSON": s.registerSelf(t, object(t, map[string]any{
				"software_statement": statement(), "redirect_uris": []string{"https://app.example.com/cb"},
			})),
		} {
			t.Run(name, func(t *testing.T) { assertRejected(t, a, 400, "invalid_client_metadata") })
		}
		a := send("application/jwt", map[string]any{"aud": []string{"https://as.example.com"}}, software.signer)
		require.Equal(t, http.StatusCreated, a.status, a.text)
		assertMembers(t, a, map[string]any{"client_name": "Recipient", "software_id": "software-1", "client_secret": nil})
		assertRejected(t, send("application/jose", nil, software.signer), 400, "invalid_software_statement") // the software has a client
		assertRejected(t, s.do(t, call{
			method: "POST", path: registerPath, token: s.initialToken(t, `{}`), body: "a.b.c", header: http.Header{"Content-Type": {"application/jwt"}},
		}), 400, "invalid_client_metadata")
		text := send("text/plain", nil, software.signer)
		assertRejected(t, text, 415, "invalid_client_metadata")
		assert.Equal(t, "send the body as application/json, application/jwt or application/jose", text.body["error_description"])
		managing := s.do(t, call{
			method: "PUT", path: registerPath + "/" + a.body["client_id"].(string), token: a.body["registration_access_token"].(string), body: "a.b.c",
			header: http.Header{"Content-Type": {"application/jwt"}},
		})
		assertRejected(t, managing, 415, "invalid_client_metadata")
		assert.Equal(t, "send the body as application/json", managing.body["error_description"])
		renewing := s.do(t, call{
			method: "PUT", path: registerPath + "/" + a.body["client_id"].(string), token: a.body["registration_access_token"].(string),
			body: object(t, map[string]any{"client_id": a.body["client_id"], "software_statement": statement(), "redirect_uris": []string{"https://app.example.com/cb"}}),
		})
		assertRejected(t, renewing, 400, "invalid_client_metadata")
		assert.Contains(t, renewing.body["error_description"], "not in an update")
	}, registering(t, trusting(t, d.issuer(t, map[string]any{
		"request_jwt": true, "audience": []string{"https://as.example.com"}, "unique_software_id": true, "jti": "once",
	}))))
}
