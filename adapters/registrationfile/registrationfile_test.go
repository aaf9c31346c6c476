package registrationfile_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/registrationfile"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// publicKey is a JWK Set with a public key.
const publicKey = `{"keys": [{"kty": "EC", "kid": "k", "crv": "P-256",
  "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`

const wholeYAML = `# every section
tenants:
  tenant_bank:
    registration:
      enabled: true
      grants: [authorization_code, client_credentials]
      scopes: [openid, accounts]
      default_scopes: [openid]
      redirect_hosts: ["*.example.com"]
      secret_ttl: 24h
      unused_ttl: 2592000
      link_hosts: off
      management: false
      labels: {example.com/tier: gold}
      access_token_lifetime: 300
      statement: required
      issuers:
        - iss: OpenBanking Ltd
          jwks_uri: https://keystore.example.com/keys.jwks
          algs: [PS256, ES256]
          require_exp: true
          max_age: 5m
          jti: ignore
          mode: ceiling
          claims: {software_redirect_uris: redirect_uris, software_client_name: client_name}
          required: {org_status: Active}
          role_claim: software_roles
          roles: {AISP: [accounts], PISP: []}
          request_jwt: true
          audience: ["https://bank.example.com"]
          unique_software_id: true
        - iss: other
          keys: {keys: [{kty: EC, kid: k, crv: P-256, x: f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU, y: x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0}]}
    cimd:
      mode: allow
      hosts:
        - "*.example.com"
        - {host: app.example.org, policy: {scopes: [openid], labels: {example.com/from: org}}}
      redirect_origin: require
      approval: required
      max_bytes: 10240
  tenant_off: {cimd: {mode: off}}
`

// dev is the file of the text.
const devYAML = `tenants:
  tenant_dev:
    registration: {enabled: true, open: false, grants: [authorization_code, refresh_token, client_credentials], scopes: [openid, profile], redirect_hosts: ["*.example.com"], statement: none, issuers: []}
    cimd: {mode: off}     # off | allow | deny | any, with hosts: []
`

// accepted are the files that are valid; the JSON Schema accepts them, too.
func accepted() map[string]string {
	return map[string]string{
		"every section":                   wholeYAML,
		"the example":                     devYAML,
		"no tenants":                      "tenants: {}\n",
		"an empty tenant":                 "tenants: {a: {}}\n",
		"JSON":                            `{"tenants": {"a": {"registration": {"enabled": true, "open": true}, "cimd": {"mode": "any", "hosts": []}}}}`,
		"off as YAML 1.1 has it":          "tenants: {a: {registration: {link_hosts: false}, cimd: {mode: false, redirect_origin: false}}}\n",
		"an anchor and its alias":         "tenants: {a: {registration: &r {enabled: true}}, b: {registration: *r}}\n",
		"all denied but a host":           "tenants: {a: {cimd: {mode: deny, hosts: [bad.example]}}}\n",
		"inline keys":                     `{"tenants": {"a": {"registration": {"statement": "none", "issuers": [{"iss": "i", "keys": ` + publicKey + `}]}}}}`,
		"issuers that are not used yet":   `{"tenants": {"a": {"registration": {"enabled": true, "issuers": [{"iss": "i", "keys": ` + publicKey + `}]}}}}`,
		"no host is allowed yet":          "tenants: {a: {cimd: {mode: allow, hosts: []}}}\n",
		"values that a client never gets": `tenants: {a: {registration: {auth_methods: [client_secret_jwt, none], grants: ["urn:example:grant", authorization_code]}}}`,
	}
}

func rulebook(t testing.TB, policy domain.Policy) *domain.Rulebook {
	t.Helper()
	book, err := domain.NewRulebook(policy)
	require.NoError(t, err)
	return book
}

func parse(t testing.TB, text string) (registrationfile.Policies, error) {
	t.Helper()
	return registrationfile.Parse("f.yaml", []byte(text), rulebook(t, domain.Policy{}))
}

func TestFiles(t *testing.T) {
	for name, text := range accepted() {
		_, err := parse(t, text)
		require.NoError(t, err, name)
		_, err = parse(t, "\uFEFF"+text)
		require.NoError(t, err, name)
	}
	policies, err := parse(t, wholeYAML)
	require.NoError(t, err)
	assert.Equal(t, []domain.TenantID{"tenant_bank", "tenant_off"}, policies.Tenants())

	given := domain.RegistrationPolicy{
		Grants: []domain.GrantType{domain.GrantAuthorizationCode, domain.GrantClientCredentials}, Scopes: []domain.Scope{"openid", "accounts"},
		DefaultScopes: []domain.Scope{"openid"}, RedirectHosts: []string{"*.example.com"}, SecretTTL: 24 * time.Hour, UnusedTTL: 30 * 24 * time.Hour,
		LinkHosts: domain.LinkHostsOff, Unmanaged: true, Labels: map[string]string{"example.com/tier": "gold"}, AccessTokenLifetime: 300,
		Statement: domain.StatementRequired,
	}.WithDefaults()
	bank := policies.Registration("tenant_bank")
	require.Len(t, bank.Issuers, 2)
	assert.JSONEq(t, publicKey, bank.Issuers[1].Keys)
	bank.Issuers[1].Keys = publicKey
	assert.Equal(t, application.TenantRegistration{
		Enabled: true, Policy: given,
		Issuers: []domain.StatementIssuer{{
			Issuer: "OpenBanking Ltd", JWKSURI: "https://keystore.example.com/keys.jwks", Algorithms: []string{"PS256", "ES256"}, RequireExpiry: true,
			MaxAge: 5 * time.Minute, Mode: domain.ClaimsCeiling,
			Claims:   map[string]string{"software_redirect_uris": "redirect_uris", "software_client_name": "client_name"},
			Required: map[string]string{"org_status": "Active"}, RoleClaim: "software_roles",
			Roles: map[string][]domain.Scope{"AISP": {"accounts"}, "PISP": {}}, RequestJWT: true, UniqueSoftware: true,
			Audiences: []string{"https://bank.example.com"},
		}, {Issuer: "other", Keys: publicKey, Algorithms: []string{"PS256"}, MaxAge: 10 * time.Minute, OnceOnly: true, Mode: domain.ClaimsFixed}},
		Documents: domain.DocumentPolicy{
			Mode: domain.DocumentsAllow, RedirectOrigin: domain.LinkHostsRequire, RequireApproval: true, MaxBytes: 10240, Ceilings: given,
			Hosts: []domain.DocumentHost{{Host: "*.example.com"}, {Host: "app.example.org", Policy: &domain.RegistrationPolicy{
				Scopes: []domain.Scope{"openid"}, Labels: map[string]string{"example.com/from": "org"},
			}}},
		},
	}, bank)
}

func TestATenantThatIsNotListedIsSwitchedOff(t *testing.T) {
	policies, err := parse(t, devYAML)
	require.NoError(t, err)
	assert.Equal(t, application.TenantRegistration{}, policies.Registration("another"))
	dev := policies.Registration("tenant_dev")
	assert.True(t, dev.Enabled)
	assert.Equal(t, domain.DocumentsOff, dev.Documents.Mode)
	assert.Equal(t, dev.Policy, dev.Documents.Ceilings)
	assert.Equal(t, dev.Policy, dev.Policy.WithDefaults(), "the policy is with defaults")
}

// registration is a file with the registration of a tenant, on line 1, in JSON.
func registration(members string) string {
	return `{"tenants": {"a": {"registration": {` + members + `}}}}`
}

func issuer(members string) string {
	return registration(`"statement": "optional", "issuers": [{` + members + `}]`)
}

func cimd(members string) string { return `{"tenants": {"a": {"cimd": {` + members + `}}}}` }

func TestInvalidFiles(t *testing.T) {
	const at, is, cd = "f.yaml:1: /tenants/a/registration/", "f.yaml:1: /tenants/a/registration/issuers/0/", "f.yaml:1: /tenants/a/cimd/"
	private := strings.Replace(publicKey, `"kid"`, `"d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI", "kid"`, 1)
	for name, row := range map[string]struct{ text, message string }{
		"an empty file":             {"", "f.yaml: the file is empty"},
		"not YAML":                  {"tenants: [", "not valid YAML or JSON"},
		"a list":                    {"- a\n", "f.yaml:1: must be an object"},
		"two documents":             {devYAML + "---\n" + devYAML, "more than one YAML document"},
		"invalid UTF-8":             {"#\xff", "not valid UTF-8"},
		"too large":                 {strings.Repeat("#", 1<<20+1), "larger than 1048576 bytes"},
		"no tenants":                {"{}", "f.yaml:1: /tenants: is missing"},
		"an unknown key":            {"tenants: {}\ntenant: {}\n", "f.yaml:2: /tenant: unknown key; did you mean tenants?"},
		"tenants that are a list":   {"tenants: []\n", "f.yaml:1: /tenants: must be an object"},
		"a tenant without a name":   {"tenants:\n  \"\": {}\n", "f.yaml:2: /tenants/: the name of a tenant must not be empty"},
		"a tenant with a long name": {`tenants: {` + strings.Repeat("x", 256) + `: {}}`, "must have at most 255 bytes"},
		"a tenant that is null":     {"tenants:\n  a:\n", "f.yaml:2: /tenants/a: must be an object"},
		"an unknown section":        {"tenants:\n  a:\n    registrations: {}\n", "f.yaml:3: /tenants/a/registrations: unknown key; did you mean registration?"},
		"a duplicate key":           {"tenants:\n  a:\n    cimd: {}\n    cimd: {}\n", `f.yaml:4: duplicate setting "cimd"`},
		"a duplicate tenant":        {"tenants:\n  a: {}\n  a: {}\n", `f.yaml:3: duplicate setting "a"`},
		"an alias of itself":        {"tenants: &a {a: *a}", "nested too deeply"},
		"aliases that expand": {"tenants: {a: {registration: {issuers: [&a [x,x,x,x,x,x,x,x], &b [*a,*a,*a,*a,*a,*a,*a,*a], &c [*b,*b,*b,*b,*b,*b,*b,*b], " +
			"&d [*c,*c,*c,*c,*c,*c,*c,*c], &e [*d,*d,*d,*d,*d,*d,*d,*d], &f [*e,*e,*e,*e,*e,*e,*e,*e]]}}}", "too many settings"},

		"a registration that is a list":        {`{"tenants": {"a": {"registration": []}}}`, "f.yaml:1: /tenants/a/registration: must be an object"},
		"an unknown key of the policy":         {"tenants:\n  a:\n    registration:\n      enabled: true\n      grant_types: []\n", "f.yaml:5: /tenants/a/registration/grant_types: unknown key"},
		"a misspelt key of the policy":         {registration(`"scope": []`), at + "scope: unknown key; did you mean scopes?"},
		"enabled as a string":                  {registration(`"enabled": "yes"`), at + "enabled: must be true or false"},
		"a value in a list":                    {"tenants:\n  a:\n    registration:\n      scopes:\n        - openid\n        - a b\n", "f.yaml:6: /tenants/a/registration/scopes/1: must be one scope"},
		"an unknown grant":                     {registration(`"grants": ["code"]`), at + "grants/0: must be one of authorization_code"},
		"an unknown method":                    {registration(`"auth_methods": ["basic"]`), at + "auth_methods/0: must be one of none"},
		"a host with a scheme":                 {registration(`"redirect_hosts": ["https://a.example"]`), at + "redirect_hosts/0: must be a host"},
		"a suffix":                             {registration(`"redirect_hosts": ["*example.com"]`), at + "redirect_hosts/0: must have * only as the first label"},
		"a number that is none in JSON":        {"tenants: {a: {registration: {max_clients: 0x10}}}", at + "max_clients: must be a whole number"},
		"infinity":                             {"tenants: {a: {registration: {max_clients: .inf}}}", at + "max_clients: must be a whole number"},
		"a default scope beyond scopes":        {registration(`"scopes": ["a"], "default_scopes": ["a", "b"]`), at + "default_scopes/1: must be one of scopes"},
		"a label that rules reject":            {registration(`"labels": {"tier": "gold"}`), at + "labels: "},
		"a lifetime that rules reject":         {registration(`"access_token_lifetime": 1`), at + "access_token_lifetime: "},
		"a required statement without issuers": {registration(`"statement": "required"`), at + "statement: required needs at least one issuer"},

		"no grants":                     {registration(`"grants": []`), at + "grants: no client can be registered"},
		"open with a secret":            {registration(`"open": true, "auth_methods": ["client_secret_basic"]`), at + "auth_methods: no client can be registered"},
		"a profile without its methods": {registration(`"profile": "fapi2-security", "auth_methods": ["none"]`), at + "auth_methods: no client can be registered: the profile fapi2-security"},

		"issuers that are an object":    {registration(`"issuers": {}`), at + "issuers: must be an array"},
		"too many issuers":              {registration(`"issuers": [` + strings.Repeat("1,", 100) + `1]`), at + "issuers: must have at most 100 elements"},
		"an issuer that is a string":    {registration(`"issuers": ["a"]`), at + "issuers/0: must be an object"},
		"an unknown key of an issuer":   {issuer(`"iss": "i", "jwks_uri": "https://a.example", "alg": []`), is + "alg: unknown key; did you mean algs?"},
		"no iss":                        {issuer(`"jwks_uri": "https://a.example"`), is[:len(is)-1] + "/iss: is missing"},
		"an empty iss":                  {issuer(`"iss": "", "jwks_uri": "https://a.example"`), is + "iss: must not be empty"},
		"an iss twice":                  {registration(`"issuers": [{"iss": "i", "jwks_uri": "https://a.example"}, {"iss": "i", "jwks_uri": "https://b.example"}]`), at + "issuers/1/iss: duplicate of /tenants/a/registration/issuers/0"},
		"no keys":                       {issuer(`"iss": "i"`), is + "jwks_uri: set exactly one of jwks_uri and keys"},
		"two sources of keys":           {issuer(`"iss": "i", "jwks_uri": "https://a.example", "keys": ` + publicKey), is + "jwks_uri: set exactly one"},
		"keys over http":                {issuer(`"iss": "i", "jwks_uri": "http://a.example/"`), is + "jwks_uri: must be an https URL"},
		"keys over http at loopback":    {issuer(`"iss": "i", "jwks_uri": "http://127.0.0.1/"`), is + "jwks_uri: must be an https URL"},
		"keys over FTP":                 {issuer(`"iss": "i", "jwks_uri": "ftp://a.example/"`), is + "jwks_uri: must be an https URL"},
		"a user name in jwks_uri":       {issuer(`"iss": "i", "jwks_uri": "https://a@b.example/"`), is + "jwks_uri: must not have a user name"},
		"keys that are a list":          {issuer(`"iss": "i", "keys": []`), is + "keys: must be a JWK Set"},
		"no key":                        {issuer(`"iss": "i", "keys": {"keys": []}`), is + "keys: must be a JWK Set with at least one key"},
		"a private key":                 {issuer(`"iss": "i", "keys": ` + private), is + "keys: must be a JWK Set with at least one key, each of them valid, public"},
		"a symmetric key":               {issuer(`"iss": "i", "keys": {"keys": [{"kty": "oct", "k": "AAAA"}]}`), is + "keys: must be a JWK Set"},
		"the algorithm none":            {issuer(`"iss": "i", "jwks_uri": "https://a.example", "algs": ["none"]`), is + "algs/0: must be an algorithm with a public key"},
		"the algorithm HS256":           {issuer(`"iss": "i", "jwks_uri": "https://a.example", "algs": ["PS256", "HS256"]`), is + "algs/1: must be an algorithm with a public key"},
		"an unknown algorithm":          {issuer(`"iss": "i", "jwks_uri": "https://a.example", "algs": ["RSA"]`), is + "algs/0: must be one of PS256"},
		"no algorithm":                  {issuer(`"iss": "i", "jwks_uri": "https://a.example", "algs": []`), is + "algs: must have at least one element"},
		"a maximum age of zero":         {issuer(`"iss": "i", "jwks_uri": "https://a.example", "max_age": 0`), is + "max_age: must be greater than zero"},
		"a maximum age of a year":       {issuer(`"iss": "i", "jwks_uri": "https://a.example", "max_age": "8760h"`), is + "max_age: must be at most 90 days"},
		"an unknown jti":                {issuer(`"iss": "i", "jwks_uri": "https://a.example", "jti": "twice"`), is + "jti: must be one of once, ignore"},
		"an unknown mode of claims":     {issuer(`"iss": "i", "jwks_uri": "https://a.example", "mode": "x"`), is + "mode: must be one of fixed, ceiling"},
		"a claim for no metadata":       {issuer(`"iss": "i", "jwks_uri": "https://a.example", "claims": {"a": "name"}`), is + "claims/a: must be a name of client metadata"},
		"a claim for what is ours":      {issuer(`"iss": "i", "jwks_uri": "https://a.example", "claims": {"a": "status"}`), is + "claims/a: must be a name of client metadata"},
		"a required claim that is true": {issuer(`"iss": "i", "jwks_uri": "https://a.example", "required": {"a": true}`), is + "required/a: must be a string"},
		"roles without a claim":         {issuer(`"iss": "i", "jwks_uri": "https://a.example", "roles": {"a": []}`), is + "roles: set role_claim and roles together"},
		"a claim without roles":         {issuer(`"iss": "i", "jwks_uri": "https://a.example", "role_claim": "a"`), is + "roles: set role_claim and roles together"},
		"no roles":                      {issuer(`"iss": "i", "jwks_uri": "https://a.example", "role_claim": "a", "roles": {}`), is + "roles: must be an object of arrays"},
		"a scope of a role":             {issuer(`"iss": "i", "jwks_uri": "https://a.example", "role_claim": "a", "roles": {"r": ["a b"]}`), is + "roles/r/0: must be one scope"},

		"an unknown mode":            {cimd(`"mode": "on"`), cd + "mode: must be one of off, allow, deny, any"},
		"mode true":                  {cimd(`"mode": true`), cd + "mode: must be a string"},
		"an unknown key of cimd":     {cimd(`"host": []`), cd + "host: unknown key; did you mean hosts?"},
		"hosts that are a string":    {cimd(`"hosts": "a.example"`), cd + "hosts: must be an array of hosts"},
		"too many hosts":             {cimd(`"hosts": [` + strings.Repeat("1,", 1000) + `1]`), cd + "hosts: must have at most 1000 elements"},
		"a number for a host":        {cimd(`"hosts": [1]`), cd + "hosts/0: must be a host, or an object"},
		"a host with a path":         {cimd(`"hosts": ["a.example/x"]`), cd + "hosts/0: must be a host"},
		"a host twice":               {cimd(`"hosts": ["a.example", {"host": "a.example"}]`), cd + "hosts/1: duplicate of /tenants/a/cimd/hosts/0"},
		"an object without host":     {cimd(`"hosts": [{"policy": {}}]`), cd + "hosts/0/host: is missing"},
		"a policy that is a string":  {cimd(`"hosts": [{"host": "a.example", "policy": "x"}]`), cd + "hosts/0/policy: must be an object"},
		"a key that narrows nothing": {cimd(`"hosts": [{"host": "a.example", "policy": {"open": true}}]`), cd + "hosts/0/policy/open: unknown key"},
		"a policy that widens":       {cimd(`"hosts": [{"host": "a.example", "policy": {"grants": ["client_credentials"]}}]`), cd + "hosts/0/policy/grants: "},
		"a policy for a denied host": {cimd(`"mode": "deny", "hosts": [{"host": "a.example", "policy": {}}]`), cd + "hosts/0/policy: has no effect"},
		"a policy for no client":     {cimd(`"mode": "allow", "hosts": [{"host": "a.example", "policy": {"grants": ["refresh_token"]}}]`), cd + "hosts/0/policy/grants: no client can be registered"},
		"methods of no document":     {`{"tenants": {"a": {"registration": {"auth_methods": ["client_secret_basic"]}, "cimd": {"mode": "any"}}}}`, cd + "mode: no document can be used"},
		"an unknown redirect_origin": {cimd(`"redirect_origin": "maybe"`), cd + "redirect_origin: must be one of require, warn, off"},
		"approval as a boolean":      {cimd(`"approval": true`), cd + "approval: must be a string"},
		"a document that is too big": {cimd(`"max_bytes": 65537`), cd + "max_bytes: must be between 1 and 65536"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(t, row.text)
			require.ErrorContains(t, err, row.message)
		})
	}
}

func TestAllFaultsAreReportedInTheOrderOfTheirLines(t *testing.T) {
	_, err := parse(t, "tenants:\n  b:\n    x: 1\n  a:\n    y: 1\n")
	require.EqualError(t, err, "f.yaml:3: /tenants/b/x: unknown key; known: registration, cimd\nf.yaml:5: /tenants/a/y: unknown key; known: registration, cimd")
	fault := new(registrationfile.Error)
	require.ErrorAs(t, err, &fault)
	assert.Equal(t, 3, fault.Line)
}

func TestKeysAtLoopbackAddressesAreForDevelopment(t *testing.T) {
	development := rulebook(t, domain.Policy{Loopback: true})
	for text, allowed := range map[string]bool{
		"http://127.0.0.1:8080/keys": true, "http://localhost/keys": true, "http://[::1]/keys": true, "https://a.example/": true, "http://a.example/": false,
	} {
		_, err := registrationfile.Parse("f", []byte(issuer(`"iss": "i", "jwks_uri": "`+text+`"`)), development)
		assert.Equal(t, allowed, err == nil, "%s: %v", text, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range accepted() {
		f.Add([]byte(text))
	}
	f.Add([]byte("tenants: {a: {cimd: *a}}"))
	f.Add([]byte(`{"tenants": {"a": {"registration": {"secret_ttl": 1e300, "labels": {"~1/": 1}}}}}`))
	book := rulebook(f, domain.Policy{})
	schema := compiled(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		policies, err := registrationfile.Parse("f", text, book)
		if err != nil {
			require.Less(t, len(err.Error()), 1<<20)
			return
		}
		for _, tenant := range policies.Tenants() {
			policy := policies.Registration(tenant).Policy
			require.Equal(t, policy, policy.WithDefaults())
		}
		var value any
		if json.Unmarshal(text, &value) == nil {
			require.NoError(t, schema.Validate(value))
		}
	})
}
