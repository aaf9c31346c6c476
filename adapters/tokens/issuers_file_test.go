package tokens_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/tokens"
	"github.com/clientele-oauth/clientele/application"
)

const wholeYAML = `# every setting
issuers:
  - issuer: https://id.example.com/realms/main
    keys: {discovery: true, max_age: 12h}
    audiences: [clientele, other]
    types: [JWT]
    allow_missing_type: true
    key_id: optional
    max_lifetime: 24h
    subject_prefix: "main:"
    tenant: {claim: 'resource."my.client".tenant'}
    roles: {claims: [realm_access.roles]}
    scopes: {claims: [permissions]}
    teams: {claims: [groups]}
    administrator_roles: [admin]
    platform_roles: [root]
    permissions: &map {"registry-reader": ["clients:read"]}
  - issuer: second
    keys: {file: keys/second.json}
    audiences: [a]
    tenant: {value: acme}
    roles: {claims: [roles]}
    permissions: *map
`

const wholeJSON = `{"issuers": [
  {"issuer": "https://id.example.com/realms/main", "keys": {"discovery": true, "max_age": "12h"}, "audiences": ["clientele", "other"],
   "types": ["JWT"], "allow_missing_type": true, "key_id": "optional", "max_lifetime": "24h", "subject_prefix": "main:",
   "tenant": {"claim": "resource.\"my.client\".tenant"}, "roles": {"claims": ["realm_access.roles"]}, "scopes": {"claims": ["permissions"]},
   "teams": {"claims": ["groups"]}, "administrator_roles": ["admin"], "platform_roles": ["root"],
   "permissions": {"registry-reader": ["clients:read"]}},
  {"issuer": "second", "keys": {"file": "keys/second.json"}, "audiences": ["a"], "tenant": {"value": "acme"},
   "roles": {"claims": ["roles"]}, "permissions": {"registry-reader": ["clients:read"]}}
]}`

func paths(t *testing.T, texts ...string) []tokens.ClaimPath {
	t.Helper()
	var all []tokens.ClaimPath
	for _, text := range texts {
		path, err := tokens.ParseClaimPath(text)
		require.NoError(t, err)
		all = append(all, path)
	}
	return all
}

func TestIssuersFiles(t *testing.T) {
	reader := map[string][]application.Permission{"registry-reader": {application.PermissionRead}}
	want := []tokens.IssuerRules{{
		Issuer: "https://id.example.com/realms/main", Keys: tokens.KeyLocation{Discovery: true}, KeysMaxAge: 12 * time.Hour,
		Audiences: []string{"clientele", "other"}, Types: []string{"JWT"}, AllowMissingType: true, KeyIDOptional: true,
		MaxLifetime: 24 * time.Hour, SubjectPrefix: new("main:"), Tenant: tokens.TenantRule{Claim: &paths(t, `resource."my.client".tenant`)[0]},
		Roles: paths(t, "realm_access.roles"), Scopes: paths(t, "permissions"), Teams: paths(t, "groups"),
		AdministratorRoles: []string{"admin"}, PlatformRoles: []string{"root"}, Permissions: reader,
	}, {
		Issuer: "second", Keys: tokens.KeyLocation{File: "keys/second.json"}, Audiences: []string{"a"}, Types: tokens.DefaultTypes(),
		Tenant: tokens.TenantRule{Value: "acme"}, Roles: paths(t, "roles"), Scopes: tokens.DefaultScopeClaims(), Permissions: reader,
	}}
	for name, text := range map[string]string{
		"issuers.yaml": wholeYAML, "issuers.yml": "\uFEFF" + wholeYAML, "issuers": wholeYAML, "issuers.json": wholeJSON,
		"without an ending": wholeJSON, "order.JSON": "\uFEFF" + wholeJSON,
	} {
		all, err := tokens.ParseIssuers(name, []byte(text))
		require.NoError(t, err, name)
		assert.Equal(t, want, all, name)
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "issuers.yaml")
	require.NoError(t, os.WriteFile(path, []byte(wholeYAML), 0o600))
	all, err := tokens.ReadIssuersFile(path)
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(folder, "keys/second.json"), all[1].Keys.File, "key files are relative to the issuers file")
	_, err = tokens.ReadIssuersFile(filepath.Join(folder, "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestInvalidIssuersFiles(t *testing.T) {
	const good = "issuers:\n  - issuer: https://a\n    keys: {file: f}\n    audiences: [a]\n    tenant: {value: t}\n"
	for name, tt := range map[string]struct{ text, message string }{
		"empty":                        {"", "f.yaml: the file is empty"},
		"only a comment":               {"# comment\n", "the file is empty"},
		"not YAML":                     {"issuers: [", "not valid YAML or JSON"},
		"a list":                       {"- issuer: x\n", "f.yaml:1: must be an object, not an array"},
		"two documents":                {good + "---\n" + good, "more than one YAML document"},
		"invalid UTF-8":                {good + "#\xff", "not valid UTF-8"},
		"no issuers":                   {"issuer: x\n", "f.yaml:1: /issuer: unknown key; did you mean issuers?"},
		"no issuer":                    {"issuers: []\n", "at least one issuer"},
		"issuers that are an object":   {"issuers: {}\n", "f.yaml:1: /issuers: must be an array, not an object"},
		"an unknown setting":           {good + "    audience: a\n", "f.yaml:6: /issuers/0/audience: unknown key; did you mean audiences?"},
		"an unknown nested setting":    {strings.Replace(good, "{file: f}", "{files: f}", 1), "f.yaml:3: /issuers/0/keys/files: unknown key; did you mean file?"},
		"a setting twice":              {good + "    audiences: [b]\n", `f.yaml:6: duplicate setting "audiences"`},
		"a merge":                      {good + "    <<: {types: [JWT]}\n", "/issuers/0/<<: unknown key; known: issuer, keys, audiences, types"},
		"a number for a string":        {strings.Replace(good, "https://a", "7", 1), "f.yaml:2: /issuers/0/issuer: must be a string, not a number"},
		"null":                         {strings.Replace(good, "https://a", "null", 1), "must be a string, not null"},
		"an empty issuer":              {strings.Replace(good, "https://a", `""`, 1), "must not be empty"},
		"a number in a list":           {strings.Replace(good, "[a]", "[a, 1]", 1), "f.yaml:4: /issuers/0/audiences/1: must be a string"},
		"an audience twice":            {strings.Replace(good, "[a]", "[a, b, a]", 1), `/issuers/0/audiences/2: duplicate of /issuers/0/audiences/0`},
		"a claim twice":                {good + "    teams: {claims: [a, a]}\n", `/issuers/0/teams/claims/1: duplicate of /issuers/0/teams/claims/0`},
		"a string for an array":        {strings.Replace(good, "[a]", "a", 1), "must be an array of strings, not a string"},
		"a string for a boolean":       {good + "    allow_missing_type: \"yes\"\n", "must be true or false, not a string"},
		"an unknown key_id":            {good + "    key_id: never\n", "must be one of required, optional"},
		"a part of a second":           {good + "    max_lifetime: 1.5\n", "must be a duration in whole seconds"},
		"no duration":                  {good + "    max_lifetime: 0s\n", "must be greater than zero"},
		"an invalid duration":          {good + "    max_lifetime: 1 day\n", "must be a duration in whole seconds, such as 24h"},
		"a negative duration":          {good + "    max_lifetime: -1h\n", "must be a duration in whole seconds, such as 24h"},
		"no audience":                  {strings.Replace(good, "[a]", "[]", 1), "f.yaml:4: /issuers/0/audiences: at least one is required"},
		"no keys":                      {strings.Replace(good, "    keys: {file: f}\n", "", 1), "f.yaml:2: /issuers/0/keys: set exactly one"},
		"two locations of keys":        {strings.Replace(good, "{file: f}", "{file: f, url: https://a}", 1), "set exactly one"},
		"discovery: false":             {strings.Replace(good, "{file: f}", "{file: f, discovery: false}", 1), "has no effect"},
		"discovery without a URL":      {strings.Replace(strings.Replace(good, "{file: f}", "{discovery: true}", 1), "https://a", "a", 1), "/issuers/0/keys/discovery: discovery requires"},
		"keys at an FTP URL":           {strings.Replace(good, "{file: f}", "{url: ftp://a}", 1), "/issuers/0/keys/url: must be an http or https URL"},
		"no tenant":                    {strings.Replace(good, "    tenant: {value: t}\n", "", 1), "/issuers/0/tenant: set exactly one"},
		"two tenants":                  {strings.Replace(good, "{value: t}", "{value: t, claim: x}", 1), "/issuers/0/tenant: set exactly one"},
		"issuer: false":                {strings.Replace(good, "{value: t}", "{value: t, issuer: false}", 1), "has no effect"},
		"an invalid claim path":        {strings.Replace(good, "{value: t}", "{claim: a..b}", 1), "f.yaml:5: /issuers/0/tenant/claim: a name in the claim path is empty"},
		"a path to exp":                {strings.Replace(good, "{value: t}", "{claim: exp}", 1), "does not describe the caller"},
		"no types":                     {good + "    types: []\n", "or allow_missing_type"},
		"roles without effect":         {good + "    roles: {claims: [roles]}\n", "f.yaml:6: /issuers/0/roles: roles have no effect"},
		"administrators without roles": {good + "    administrator_roles: [admin]\n", "have no effect without roles/claims"},
		"an empty role":                {good + "    roles: {claims: [r]}\n    administrator_roles: [\"\"]\n", "must not be empty"},
		"roles without claims":         {good + "    roles: {}\n", "claims is missing"},
		"no roles or scopes":           {good + "    scopes: {claims: []}\n", "no caller has a permission"},
		"an unknown permission":        {good + "    permissions: {a: [\"clients:delete\"]}\n", `f.yaml:6: /issuers/0/permissions/a: unknown permission "clients:delete"`},
		"a role without permissions":   {good + "    permissions: {a/b: []}\n", "/issuers/0/permissions/a~1b: a role or scope must map to"},
		"the same issuer twice":        {good + strings.TrimPrefix(good, "issuers:\n"), "f.yaml:6: /issuers/1/issuer: duplicate issuer"},
		"too deep":                     {"issuers: " + strings.Repeat("[", 50) + strings.Repeat("]", 50), "nested too deeply"},
		"aliases that expand": {"issuers: [&a [x,x,x,x,x,x,x,x], &b [*a,*a,*a,*a,*a,*a,*a,*a], &c [*b,*b,*b,*b,*b,*b,*b,*b], &d [*c,*c,*c,*c,*c,*c,*c,*c], " +
			"&e [*d,*d,*d,*d,*d,*d,*d,*d], [*e,*e,*e,*e,*e,*e,*e,*e]]", "f.yaml"},
		"invalid JSON":           {"{\n\"issuers\": [,]}", "f.yaml:2: not valid YAML or JSON"},
		"duplicate name in JSON": {"{\"issuers\": [],\n\"issuers\": []}", "f.yaml:2: duplicate setting \"issuers\""},
		"data after the JSON":    {`{"issuers": []} x`, "not valid YAML or JSON"},
		"too large":              {strings.Repeat("#", 1<<20+1), "larger than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tokens.ParseIssuers("f.yaml", []byte(tt.text))
			require.ErrorContains(t, err, tt.message)
		})
	}
	_, err := tokens.ParseIssuers("f", []byte(good))
	require.NoError(t, err)
	_, err = tokens.ParseIssuers("f", []byte(good+"    a: 1\n    b: 2\n"))
	assert.Equal(t, 2, strings.Count(err.Error(), "unknown key"), "all faults are reported")
}

func TestAVerifierRequiresAnIssuer(t *testing.T) {
	_, err := tokens.NewVerifier(nil, clock)
	require.ErrorContains(t, err, "no issuer")
}

func FuzzIssuersFile(f *testing.F) {
	f.Add([]byte(wholeYAML))
	f.Add([]byte(wholeJSON))
	f.Add([]byte("issuers: [*a]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := tokens.ParseIssuers("f", text)
		if err != nil {
			return
		}
		if _, err := tokens.NewVerifier(tokens.NewIssuers(all, tokens.KeySettings{}, clock), clock); err != nil {
			t.Fatalf("invalid rules were accepted: %v", err)
		}
	})
}
