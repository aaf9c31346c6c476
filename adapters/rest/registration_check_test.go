package rest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/jwks"
	"github.com/clientele-oauth/clientele/adapters/registrationfile"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// The offline check of registrations ("clientele check-registration") and the service have
// the same result for each row of these tests, with the same rules and pointers.

// offline checks what is registered with a registration file, without a service.
type offline struct {
	*registrationfile.Checker
	policies registrationfile.Policies
}

func newOffline(t *testing.T, file string) offline {
	t.Helper()
	policy := domain.Policy{KeyPreflight: domain.PreflightOff, Loopback: true}
	book, err := domain.NewRulebook(policy)
	require.NoError(t, err)
	policies, err := registrationfile.Parse("test.yaml", []byte(file), book)
	require.NoError(t, err)
	resolver := jwks.NewResolver(jwks.Options{Policy: policy})
	checker, err := registrationfile.NewChecker(&application.Inspector{Book: book, Keys: resolver, Sectors: resolver, Clock: realTime{}}, resolver)
	require.NoError(t, err)
	return offline{checker, policies}
}

// foundOffline lists the pointers and rules of the findings of one level, as response.found.
func foundOffline(checked registrationfile.Checked, level domain.Level) (found []string) {
	for _, f := range checked.Findings {
		if f.Level == level {
			found = append(found, fmt.Sprintf("%s %s", f.Pointer, f.Rule))
		}
	}
	return found
}

// trustedIssuer is the setting of an issuer whose keys are never needed.
const trustedIssuer = `issuers: [{iss: d, request_jwt: true, keys: {keys: [{kty: EC, kid: k, crv: P-256, x: f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU, y: x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0}]}}]`

func TestRegistrationsAreCheckedOfflineAsByTheService(t *testing.T) {
	const (
		statement     = "/software_statement registration-policy" // it is rejected or, offline, not verified
		withStatement = `{"redirect_uris":["https://app.example.com/cb"],"software_statement":"x.y.z"}`
	)
	d := newDirectory(t, "directory")
	trusting := func(settings map[string]any) string {
		return `statement: optional, issuers: [` + object(t, d.issuer(t, settings)) + `]`
	}
	signed := object(t, map[string]any{
		"redirect_uris": []string{"https://app.example.com/cb"}, "client_name": "App", "software_statement": d.statement(t, nil),
	})
	tests := map[string]struct{ policy, token, metadata string }{
		"no policy":                            {``, `{}`, webClient},
		"a value that is left out":             {`scopes: [openid]`, `{}`, `{"redirect_uris":["https://app.example.com/cb"],"scope":"openid email"}`},
		"a host beyond the policy":             {`redirect_hosts: ["*.example.org"]`, `{}`, webClient},
		"a host beyond the token":              {`redirect_hosts: ["*.example.com"]`, `{"redirect_hosts":["other.example.com"]}`, webClient},
		"a scope beyond the token":             {`scopes: [openid, email]`, `{"scopes":["email"]}`, `{"redirect_uris":["https://app.example.com/cb"],"scope":"openid"}`},
		"defaults":                             {`scopes: [openid, email], default_scopes: [openid]`, `{"default_scopes":["email"],"scopes":["email"]}`, webClient},
		"what a token forces":                  {`grants: [authorization_code]`, `{"dpop":true,"require_pkce":true}`, webClient},
		"a profile":                            {`profile: fapi2-security`, `{}`, webClient},
		"a link on another host":               {``, `{"link_hosts":"require"}`, `{"redirect_uris":["https://app.example.com/cb"],"logo_uri":"https://bank.example/logo.png"}`},
		"open":                                 {`open: true`, ``, publicClient},
		"open, with a secret":                  {`open: true`, ``, webClient},
		"open, a machine":                      {`open: true`, ``, `{"grant_types":["client_credentials"]}`},
		"open, with a token":                   {`open: true`, `{"scopes":["openid"]}`, publicClient},
		"malformed members":                    {``, `{}`, `{"client_name":1,"redirect_uris":["https://app.example.com/#"],"jwks":[]}`},
		"redirect URIs that are a text":        {``, `{}`, `{"redirect_uris":"https://app.example.com/cb"}`},
		"members that an update must not have": {``, `{}`, `{"redirect_uris":["https://app.example.com/cb"],"client_id":"x","client_secret":"s","registration_access_token":"t"}`},
		"a list":                               {``, `{}`, `[]`},
		"no JSON":                              {``, `{}`, `x`},
		"a duplicate":                          {``, `{}`, `{"client_name":"a","client_name":"b"}`},
		"keys and their address":               {``, `{}`, `{"redirect_uris":["https://app.example.com/cb"],"jwks":{"keys":[]},"jwks_uri":"https://app.example.com/keys"}`},
		"a statement, without issuers":         {``, `{}`, withStatement},
		"a statement that is not a string":     {``, `{}`, `{"redirect_uris":["https://app.example.com/cb"],"software_statement":{}}`},
		"a statement that is switched off":     {`statement: none, ` + trustedIssuer, `{}`, withStatement},
		"a statement that no token allows":     {`statement: optional, ` + trustedIssuer, `{"issuers":[]}`, withStatement},
		"a statement that is missing":          {`statement: required, ` + trustedIssuer, `{}`, webClient},
		"a statement that a token requires":    {`statement: optional, ` + trustedIssuer, `{"statement":"required"}`, webClient},
		"a statement of a trusted issuer":      {trusting(nil), `{}`, signed},
		"a client without a name":              {`grants: [client_credentials]`, `{}`, `{"grant_types":["client_credentials"]}`},
		"a statement that needs a JWT":         {trusting(map[string]any{"request_jwt": true}), `{}`, signed},
		"JSON where a JWT is accepted":         {`statement: optional, ` + trustedIssuer, `{}`, webClient},
	}
	var file strings.Builder // with a tenant for each test
	file.WriteString("tenants:\n")
	for name, tt := range tests {
		file.WriteString("  " + tenantOf(name) + ": {registration: {enabled: true" + strings.TrimSuffix(", "+tt.policy, ", ") + "}}\n")
	}
	s, check := newService(t, registering(t, file.String())), newOffline(t, file.String())
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tenant := domain.TenantID(tenantOf(name))
			of := check.policies.Registration(tenant)
			token, narrowing := "", (*domain.RegistrationPolicy)(nil)
			if tt.token != "" {
				a := s.do(t, call{method: "POST", path: tokensPath, token: "platform", header: http.Header{"X-Tenant-Id": {string(tenant)}}, body: `{"policy":` + tt.token + `}`})
				require.Equal(t, http.StatusCreated, a.status, a.text)
				token = a.data("token").(string)
				policy, err := check.TokenPolicy("token.json", []byte(tt.token), of)
				require.NoError(t, err)
				narrowing = &policy
			}
			checked := check.Request(t.Context(), tenant, of, narrowing, []byte(tt.metadata))
			a := s.do(t, call{method: "POST", path: "/oauth/" + string(tenant) + "/register?dry_run=true", token: token, body: tt.metadata})
			assert.Equal(t, a.status == http.StatusOK, checked.Client != nil, "%s\n%v", a.text, checked.Findings)
			violations := foundOffline(checked, domain.Violation)
			warnings := slices.DeleteFunc(foundOffline(checked, domain.Warning), func(found string) bool { return found == statement })
			switch {
			case a.status == http.StatusOK:
				assert.ElementsMatch(t, a.found("warnings"), warnings)
			case a.body["violations"] == nil && strings.Contains(a.text, "software"):
				assert.Contains(t, violations, statement)
			case a.body["violations"] == nil: // the body is no JSON object
				assert.Equal(t, []string{" contract"}, violations, a.text)
			default:
				assert.Equal(t, a.found("violations"), violations, a.text)
			}
		})
	}
}

func TestTokenPoliciesAreCheckedOfflineAsByTheService(t *testing.T) {
	file := onlyTenant(`statement: optional, scopes: [openid], secret_ttl: 24h, max_clients: 5, labels: {example.com/tier: gold}, ` + trustedIssuer)
	s, check := newService(t, registering(t, file)), newOffline(t, file)
	for name, policy := range map[string]string{
		"nothing":                          `{}`,
		"fewer scopes":                     `{"scopes":[]}`,
		"more scopes":                      `{"scopes":["email"]}`,
		"an issuer that is trusted":        `{"issuers":["d"]}`,
		"an issuer that is not trusted":    `{"issuers":["https://not-trusted.example"]}`,
		"no issuer":                        `{"issuers":[]}`,
		"more clients":                     `{"max_clients":6}`,
		"a shorter lifetime":               `{"secret_ttl":60}`,
		"a lifetime in words":              `{"secret_ttl":"1m"}`,
		"a longer lifetime":                `{"secret_ttl":86401}`,
		"another label":                    `{"labels":{"example.com/from":"x"}}`,
		"a label with another value":       `{"labels":{"example.com/tier":"x"}}`,
		"a label that rules reject":        `{"labels":{"tier":"x"}}`,
		"a lifetime that rules reject":     `{"access_token_lifetime":1}`,
		"an ID token that lasts very long": `{"id_token_lifetime":3000000}`,
		"an unknown key":                   `{"scope":[]}`,
		"a key of tenants":                 `{"open":true}`,
		"a wrong type":                     `{"scopes":"openid"}`,
		"two violations":                   `{"max_clients":6,"issuers":["https://not-trusted.example"]}`,
		"a grant that is unknown":          `{"grants":["x"]}`,
		"a list":                           `[]`,
	} {
		t.Run(name, func(t *testing.T) {
			a := s.do(t, call{method: "POST", path: tokensPath, token: "admin", body: `{"policy":` + policy + `}`})
			_, err := check.TokenPolicy("token.json", []byte(policy), check.policies.Registration("tenant_a"))
			require.Equal(t, a.status == http.StatusCreated, err == nil, "%s\n%v", a.text, err)
			if err == nil {
				return
			}
			var pointers []string
			for line := range strings.Lines(err.Error()) {
				pointer, _, _ := strings.Cut(strings.TrimPrefix(line, "token.json:1: "), ": ")
				pointers = append(pointers, "/policy"+strings.TrimRight(pointer, "/"))
			}
			var want []string
			for _, found := range a.found("violations") {
				pointer, _, _ := strings.Cut(found, " ")
				want = append(want, pointer)
			}
			if policy != `[]` {
				assert.ElementsMatch(t, want, pointers, "%s\n%v", a.text, err)
			}
		})
	}
}

func TestDocumentsAreCheckedOfflineAsByTheService(t *testing.T) {
	const valid = `"client_name":"App","redirect_uris":["http://127.0.0.1/cb"],"token_endpoint_auth_method":"none"`
	for name, tt := range map[string]struct{ settings, path, members string }{
		"any":                        {`mode: any`, "/client", valid},
		"off":                        {`mode: off`, "/client", valid},
		"a host that is allowed":     {`mode: allow, hosts: ["127.0.0.1"]`, "/client", valid},
		"a host that is not allowed": {`mode: allow, hosts: ["app.example.com"]`, "/client", valid},
		"a host that is denied":      {`mode: deny, hosts: ["127.0.0.1"]`, "/client", valid},
		"the policy of a host":       {`mode: allow, hosts: [{host: "127.0.0.1", policy: {scopes: [email]}}]`, "/client", valid + `,"scope":"openid"`},
		"what a host leaves out":     {`mode: allow, hosts: [{host: "127.0.0.1", policy: {scopes: [email]}}]`, "/client", valid + `,"scope":"openid email"`},
		"the policy of another host": {`mode: any, hosts: [{host: "app.example.com", policy: {scopes: [email]}}]`, "/client", valid + `,"scope":"openid"`},
		"a redirect elsewhere":       {`mode: any, redirect_origin: require`, "/client", `"client_name":"App","redirect_uris":["https://app.example.com/cb"],"token_endpoint_auth_method":"none"`},
		"a redirect with a warning":  {`mode: any`, "/client", `"client_name":"App","redirect_uris":["https://app.example.com/cb"],"token_endpoint_auth_method":"none"`},
		"a secret":                   {`mode: any`, "/client", valid + `,"client_secret":"s"`},
		"a method with a secret":     {`mode: any`, "/client", `"client_name":"App","redirect_uris":["http://127.0.0.1/cb"]`},
		"malformed members":          {`mode: any`, "/client", `"client_name":1,"redirect_uris":"x"`},
		"too large":                  {`mode: any, max_bytes: 100`, "/client", valid},
		"a query":                    {`mode: any`, "/client?x=1", valid},
		"the root":                   {`mode: any`, "/", valid},
		"no path":                    {`mode: any`, "", valid},
		"a fragment":                 {`mode: any`, "/client#x", valid},
		"an approval":                {`mode: any, approval: required`, "/client", valid},
		"what rules reject":          {`mode: any, approval: required`, "/client", `"client_name":"App","redirect_uris":["http://evil.example/"],"token_endpoint_auth_method":"none"`},
	} {
		t.Run(name, func(t *testing.T) {
			var document string
			host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(document))
			}))
			t.Cleanup(host.Close)
			file := "tenants: {tenant_a: {cimd: {" + tt.settings + "}}}"
			s, check := newService(t, registering(t, file)), newOffline(t, file)
			id := host.URL + tt.path
			document = `{"client_id":"` + id + `",` + tt.members + `}`
			checked := check.Document(t.Context(), "tenant_a", check.policies.Registration("tenant_a"), domain.ClientID(id), []byte(document))
			a := s.do(t, call{method: "GET", path: clientMetadata + "?client_id=" + url.QueryEscape(id), token: "read"})
			waits := a.body["document"] != nil // for an approval: the document is valid, but not in force
			assert.Equal(t, a.status == http.StatusOK || waits, checked.Client != nil, "%s\n%v", a.text, checked.Findings)
			violations, warnings := foundOffline(checked, domain.Violation), foundOffline(checked, domain.Warning)
			switch {
			case a.status == http.StatusOK:
				assert.Equal(t, a.found("warnings"), warnings)
			case waits:
				assert.Contains(t, warnings, " registration-policy")
			case a.body["violations"] == nil: // the tenant does not admit the document
				assert.Equal(t, []string{" registration-policy"}, violations, a.text)
			default:
				assert.Equal(t, a.found("violations"), violations, a.text)
			}
		})
	}
}
