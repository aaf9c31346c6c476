package tokens_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/tokens"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// verifierOfFile returns a verifier for an issuers file, with the keys of sources[i] for
// issuer i.
func verifierOfFile(t *testing.T, file string, sources ...tokens.KeySource) *tokens.Verifier {
	t.Helper()
	all, err := tokens.ParseIssuers("issuers.yaml", []byte(file))
	require.NoError(t, err)
	require.Len(t, all, len(sources))
	issuers := make([]tokens.Issuer, len(all))
	for i, rules := range all {
		settings := tokens.KeySettings{Issuer: rules.Issuer, RequireKeyID: !rules.KeyIDOptional}
		issuers[i] = tokens.Issuer{Rules: rules, Keys: tokens.NewIssuerKeys(sources[i], settings, clock)}
	}
	verifier, err := tokens.NewVerifier(issuers, clock)
	require.NoError(t, err)
	return verifier
}

const twoIssuers = `
issuers:
  - issuer: https://first.example
    keys: {file: first.json}
    audiences: [clientele]
    tenant: {claim: tenant_id}
    roles: {claims: [roles]}
    administrator_roles: [admin]
  - issuer: https://second.example
    keys: {file: second.json}
    audiences: [registry, "https://registry.example"]
    tenant: {value: acme}
    permissions: {reader: ["clients:read"]}
    roles: {claims: [roles]}
`

// tokenOf returns a token of an issuer in twoIssuers, with additional claims, each after
// a comma.
func (k edKey) tokenOf(issuer, audience, additional string) string {
	return k.sign(edHeader, fmt.Sprintf(`{"iss":%q,"aud":%q,"sub":"alice","exp":1776249060,"tenant_id":"tenant_a"%s}`, issuer, audience, additional))
}

func TestEachIssuerHasItsOwnRules(t *testing.T) {
	first, second := newEdKey(t, "k1"), newEdKey(t, "k1")
	verifier := verifierOfFile(t, twoIssuers, first.source(), second.source())

	caller, err := verifier.Verify(t.Context(), first.tokenOf("https://first.example", "clientele", `,"roles":["admin"],"azp":"console"`))
	require.NoError(t, err)
	assert.Equal(t, "alice", caller.Subject, "subjects of the first issuer have no prefix")
	assert.Equal(t, "https://first.example", caller.Issuer)
	assert.Equal(t, domain.TenantID("tenant_a"), caller.Tenant)
	assert.Equal(t, domain.ClientID("console"), caller.ClientID)
	assert.Equal(t, application.AdministratorPermissions(), caller.Permissions)

	caller, err = verifier.Verify(t.Context(), second.tokenOf("https://second.example", "https://registry.example", `,"roles":["admin","reader"]`))
	require.NoError(t, err)
	assert.Equal(t, "https://second.example alice", caller.Subject, "the same subject of another issuer is a different caller")
	assert.Equal(t, "https://second.example", caller.Issuer)
	assert.Equal(t, domain.TenantID("acme"), caller.Tenant)
	assert.Equal(t, []application.Permission{application.PermissionRead}, caller.Permissions, "this issuer has no role admin")
}

// The issuer in a token selects the keys and the rules; those of other issuers are not
// used (RFC 8725 §3.8, RFC 9207 §1 on mix-up).
func TestAnIssuerCannotImpersonateAnother(t *testing.T) {
	first, second := newEdKey(t, "k1"), newEdKey(t, "k2")
	verifier := verifierOfFile(t, twoIssuers, first.source(), second.source())
	_, err := verifier.Verify(t.Context(), second.sign(strings.Replace(edHeader, "k1", "k2", 1), `{"iss":"https://second.example","aud":"registry","sub":"a","exp":1776249060}`))
	require.NoError(t, err)
	header2 := strings.Replace(edHeader, "k1", "k2", 1)
	for name, token := range map[string]string{
		"the key of another issuer":                   second.sign(header2, `{"iss":"https://first.example","aud":"clientele","sub":"a","exp":1776249060}`),
		"the key of another issuer, under its kid":    second.sign(edHeader, `{"iss":"https://first.example","aud":"clientele","sub":"a","exp":1776249060}`),
		"the audience of another issuer":              second.sign(header2, `{"iss":"https://second.example","aud":"clientele","sub":"a","exp":1776249060}`),
		"an issuer that is not trusted":               second.sign(header2, `{"iss":"https://third.example","aud":"registry","sub":"a","exp":1776249060}`),
		"an issuer with a trailing slash":             second.sign(header2, `{"iss":"https://second.example/","aud":"registry","sub":"a","exp":1776249060}`),
		"an issuer in upper case":                     second.sign(header2, `{"iss":"https://SECOND.example","aud":"registry","sub":"a","exp":1776249060}`),
		"no issuer":                                   second.sign(header2, `{"aud":"registry","sub":"a","exp":1776249060}`),
		"a subject that imitates the second issuer's": first.sign(edHeader, `{"iss":"https://first.example","aud":"clientele","sub":"https://second.example alice","exp":1776249060}`),
		"a subject that is too long with its prefix":  second.sign(header2, `{"iss":"https://second.example","aud":"registry","exp":1776249060,"sub":"`+strings.Repeat("a", 250)+`"}`),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := verifier.Verify(t.Context(), token)
			require.ErrorIs(t, err, application.ErrUnauthenticated)
		})
	}
}

func TestAnUnavailableIssuerDoesNotAffectOthers(t *testing.T) {
	first := newEdKey(t, "k1")
	down := func(context.Context) ([]byte, error) { return nil, errors.New("down") }
	verifier := verifierOfFile(t, twoIssuers, first.source(), down)
	_, err := verifier.Verify(t.Context(), first.tokenOf("https://first.example", "clientele", ""))
	require.NoError(t, err)
	_, err = verifier.Verify(t.Context(), first.tokenOf("https://second.example", "registry", ""))
	require.ErrorIs(t, err, application.ErrUnavailable)
	require.ErrorContains(t, err, "https://second.example")
}

func TestSubjectPrefixes(t *testing.T) {
	key := newEdKey(t, "k1")
	entry := func(issuer, prefix string) string {
		return fmt.Sprintf("  - {issuer: %q, keys: {file: f}, audiences: [a], tenant: {issuer: true}%s}\n", issuer, prefix)
	}
	verifier := verifierOfFile(t, "issuers:\n"+entry("https://a", `, subject_prefix: "a:"`)+entry("https://b", `, subject_prefix: ""`), key.source(), key.source())
	caller, err := verifier.Verify(t.Context(), key.tokenOf("https://a", "a", ""))
	require.NoError(t, err)
	assert.Equal(t, "a:alice", caller.Subject)
	assert.Equal(t, domain.TenantID("https://a"), caller.Tenant)
	caller, err = verifier.Verify(t.Context(), key.tokenOf("https://b", "a", ""))
	require.NoError(t, err)
	assert.Equal(t, "alice", caller.Subject)
	_, err = verifier.Verify(t.Context(), key.sign(edHeader, `{"iss":"https://b","aud":"a","sub":"a:alice","exp":1776249060}`))
	require.ErrorContains(t, err, "subject prefix of another issuer")
	_, err = tokens.ParseIssuers("f", []byte("issuers:\n"+entry("https://a", "")+entry("https://b", `, subject_prefix: ""`)))
	require.ErrorContains(t, err, "f:3: /issuers/1/subject_prefix: another issuer has the same prefix")
}

func issuerWith(settings string) string {
	return "issuers:\n  - issuer: https://issuer.example\n    keys: {file: f}\n    audiences: [clientele]\n    tenant: {claim: tenant_id}\n" + settings
}

func TestTokensWithoutTypeOrKeyIDCanBeAllowed(t *testing.T) {
	key, other := newEdKey(t, "k1"), newEdKey(t, "k2")
	set := textSource(`{"keys":[` + other.jwk("") + `,` + strings.Replace(key.jwk(""), `,"kid":"k1"`, "", 1) + `]}`)
	strict := verifierOfFile(t, issuerWith(""), other.source())
	noType := verifierOfFile(t, issuerWith("    allow_missing_type: true\n    types: []\n"), other.source())
	noKeyID := verifierOfFile(t, issuerWith("    key_id: optional\n"), set)

	typeless := other.sign(`{"alg":"EdDSA","kid":"k2"}`, edPayload)
	_, err := strict.Verify(t.Context(), typeless)
	require.ErrorContains(t, err, "no typ")
	_, err = noType.Verify(t.Context(), typeless)
	require.NoError(t, err)
	_, err = noType.Verify(t.Context(), other.sign(`{"alg":"EdDSA","kid":"k2","typ":"logout+jwt"}`, edPayload))
	require.ErrorContains(t, err, "typ", "another typ is still rejected")

	nameless := key.sign(`{"alg":"EdDSA","typ":"JWT"}`, edPayload)
	_, err = strict.Verify(t.Context(), nameless)
	require.ErrorContains(t, err, "no kid")
	_, err = noKeyID.Verify(t.Context(), nameless)
	require.NoError(t, err)
	_, err = noKeyID.Verify(t.Context(), newEdKey(t, "").sign(`{"alg":"EdDSA","typ":"JWT"}`, edPayload))
	require.ErrorContains(t, err, "signature is not valid")
	_, err = noKeyID.Verify(t.Context(), key.sign(`{"alg":"EdDSA","typ":"JWT","kid":"k2"}`, edPayload))
	require.ErrorContains(t, err, "signature is not valid", "a token that names a key is verified only with that key")
}

// A token without a kid causes the keys to be read again, like one with an unknown kid.
func TestANewKeyWithoutAnIDIsFound(t *testing.T) {
	key, next := newEdKey(t, ""), newEdKey(t, "")
	issuer := newAgingIssuer(key)
	var c manualClock
	all, err := tokens.ParseIssuers("f", []byte(issuerWith("    key_id: optional\n")))
	require.NoError(t, err)
	verifier, err := tokens.NewVerifier([]tokens.Issuer{{Rules: all[0], Keys: tokens.NewIssuerKeys(issuer.source, tokens.KeySettings{}, c.now)}}, c.now)
	require.NoError(t, err)
	const header = `{"alg":"EdDSA","typ":"JWT"}`
	_, err = verifier.Verify(t.Context(), key.sign(header, edPayload))
	require.NoError(t, err)
	issuer.publish(next)
	for range 10 {
		_, err = verifier.Verify(t.Context(), next.sign(header, edPayload))
		require.ErrorIs(t, err, application.ErrUnauthenticated)
	}
	assert.Equal(t, int64(1), issuer.reads.Load(), "tokens must not cause a flood of requests to the issuer")
	c.advance(11 * time.Second)
	_, err = verifier.Verify(t.Context(), next.sign(header, edPayload))
	require.NoError(t, err)
}

func TestTheRulesOfAnIssuerConfigureItsKeys(t *testing.T) {
	key := newEdKey(t, "")
	server, documents := metadataServer(t)
	documents["/keys"] = `{"keys":[` + strings.Replace(key.jwk(""), `,"kid":""`, "", 1) + `]}`
	r := edRules()
	r.Keys, r.KeysMaxAge = server.URL+"/keys", time.Hour
	rules, err := r.Rules()
	require.NoError(t, err)
	optional := rules
	optional.KeyIDOptional = true
	var c manualClock
	const header = `{"alg":"EdDSA","typ":"JWT"}`
	token := key.sign(header, with(t, edPayload, `1776249060`, `1776335400`))

	err = tokens.NewIssuers([]tokens.IssuerRules{rules}, tokens.KeySettings{}, c.now)[0].Keys.Ready(t.Context())
	require.ErrorContains(t, err, "no kid", "no token could be verified with the key")

	verifier, err := tokens.NewVerifier(tokens.NewIssuers([]tokens.IssuerRules{optional}, tokens.KeySettings{}, c.now), c.now)
	require.NoError(t, err)
	_, err = verifier.Verify(t.Context(), token)
	require.NoError(t, err)
	server.Close()
	c.advance(time.Hour - time.Second)
	_, err = verifier.Verify(t.Context(), token)
	require.NoError(t, err)
	c.advance(time.Second)
	_, err = verifier.Verify(t.Context(), token)
	require.ErrorIs(t, err, application.ErrUnavailable)
}

func TestTheNumberOfKeysTriedForATokenIsBounded(t *testing.T) {
	var keys []edKey
	var texts []string
	for range 9 {
		key := newEdKey(t, "")
		keys, texts = append(keys, key), append(texts, key.jwk(""))
	}
	verifier := verifierOfFile(t, issuerWith("    key_id: optional\n"), textSource(`{"keys":[`+strings.Join(texts, ",")+`]}`))
	for i, key := range keys {
		_, err := verifier.Verify(t.Context(), key.sign(`{"alg":"EdDSA","typ":"JWT"}`, edPayload))
		assert.Equal(t, i < 8, err == nil, "key %d", i)
	}
}

func TestRolesScopesTeamsAndPermissions(t *testing.T) {
	key := newEdKey(t, "k1")
	verifier := verifierOfFile(t, issuerWith(`
    roles: {claims: [realm_access.roles, 'resource_access."my.client".roles']}
    scopes: {claims: [scope, scp, permissions]}
    teams: {claims: [groups]}
    administrator_roles: [admin]
    platform_roles: [root]
    permissions:
      registry-reader: ["clients:read"]
      "https://example.com/verify": ["clients:verify"]
`), key.source())
	read, verify, write := application.PermissionRead, application.PermissionVerify, application.PermissionWrite
	for name, tt := range map[string]struct {
		claims      string
		permissions []application.Permission
		platform    bool
	}{
		"no roles or scopes":                {`"x":1`, nil, false},
		"an administrator":                  {`"realm_access":{"roles":["x","admin"]}`, application.AdministratorPermissions(), false},
		"an administrator, one string":      {`"realm_access":{"roles":"admin"}`, application.AdministratorPermissions(), false},
		"two words are one role":            {`"realm_access":{"roles":"billing admin"}`, nil, false},
		"two words in an array":             {`"realm_access":{"roles":["billing admin"]}`, nil, false},
		"an administrator, by client":       {`"resource_access":{"my.client":{"roles":["admin"]}}`, application.AdministratorPermissions(), false},
		"an administrator of other clients": {`"resource_access":{"my":{"client":{"roles":["admin"]}},"other":{"roles":["admin"]}}`, nil, false},
		"a platform administrator":          {`"realm_access":{"roles":["root"]}`, application.AdministratorPermissions(), true},
		"a role in another case":            {`"realm_access":{"roles":["Admin"]}`, nil, false},
		"a role with a permission":          {`"realm_access":{"roles":["registry-reader"]}`, []application.Permission{read}, false},
		"a role is not a scope":             {`"realm_access":{"roles":["clients:write"]}`, nil, false},
		"a scope is not a role":             {`"scope":"admin root"`, nil, false},
		"scopes":                            {`"scope":"openid clients:read clients:write"`, []application.Permission{read, write}, false},
		"scp as an array":                   {`"scp":["openid","clients:verify"]`, []application.Permission{verify}, false},
		"scp as a string":                   {`"scp":"clients:read clients:verify"`, []application.Permission{read, verify}, false},
		"words in an array are not split":   {`"scp":["clients:read clients:verify"]`, nil, false},
		"both":                              {`"scope":"clients:read","scp":["clients:verify"]`, []application.Permission{read, verify}, false},
		"a scope with a permission":         {`"scope":"https://example.com/verify"`, []application.Permission{verify}, false},
		"an array of permissions":           {`"permissions":["clients:write"]`, []application.Permission{write}, false},
		"the hashes of secrets":             {`"realm_access":{"roles":["admin"]},"scope":"clients:verifiers"`, application.Permissions(), false},
		"an unknown permission":             {`"scope":"clients:everything clients:*"`, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			caller, err := verifier.Verify(t.Context(), key.sign(edHeader, strings.Replace(edPayload, `"roles":["admin"]`, tt.claims, 1)))
			require.NoError(t, err)
			assert.Equal(t, tt.permissions, caller.Permissions)
			assert.Equal(t, tt.platform, caller.Platform)
			assert.Equal(t, len(tt.permissions) >= len(application.AdministratorPermissions()), caller.Administrator)
		})
	}
	caller, err := verifier.Verify(t.Context(), key.sign(edHeader, strings.Replace(edPayload, `"roles":["admin"]`, `"groups":["/a","b","a\nb",7,"b"]`, 1)))
	require.NoError(t, err)
	assert.Equal(t, []string{"/a", "b"}, caller.Teams)
	assert.Equal(t, application.ClaimSources{
		Tenant: application.ClaimSource{Claims: "tenant_id"},
		Roles:  application.ClaimSource{Claims: `realm_access.roles, resource_access."my.client".roles`, Missing: "is not in the token"},
		Scopes: application.ClaimSource{Claims: "scope, scp, permissions", Missing: "is not in the token"},
	}, caller.Sources)
	many := make([]string, 400)
	for i := range many {
		many[i] = fmt.Sprintf(`"t%d"`, i)
	}
	caller, err = verifier.Verify(t.Context(), key.sign(edHeader, strings.Replace(edPayload, `"roles":["admin"]`, `"groups":[`+strings.Join(many, ",")+`]`, 1)))
	require.NoError(t, err)
	assert.Len(t, caller.Teams, 256)
}

func TestTheClientOfACaller(t *testing.T) {
	key := newEdKey(t, "k1")
	verifier := verifierOf(t, edRules(), key.source(), clock)
	for claims, want := range map[string]domain.ClientID{
		`"x":1`: "", `"client_id":"a","azp":"b"`: "a", `"azp":"b","cid":"c"`: "b", `"cid":"c","appid":"d"`: "c", `"appid":"d"`: "d",
		`"client_id":7,"azp":"b"`: "b", `"client_id":"","azp":"b"`: "b",
	} {
		caller, err := verifier.Verify(t.Context(), key.sign(edHeader, strings.Replace(edPayload, `"roles":["admin"]`, claims, 1)))
		require.NoError(t, err)
		assert.Equal(t, want, caller.ClientID, claims)
	}
}

// The claim "scope" is split at spaces also if it is configured as the role claim.
func TestRolesCanBeReadFromScopes(t *testing.T) {
	key := newEdKey(t, "k1")
	r := edRules()
	r.RoleClaim = "scope"
	caller, err := verifierOf(t, r, key.source(), clock).Verify(t.Context(),
		key.sign(edHeader, strings.Replace(edPayload, `"roles":["admin"]`, `"scope":"openid admin"`, 1)))
	require.NoError(t, err)
	assert.Equal(t, application.AdministratorPermissions(), caller.Permissions)
}
