package tokens_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/tokens"
)

// tenantAt verifies a token with these claims, and returns the tenant at a path.
func tenantAt(t *testing.T, path, claims string) string {
	t.Helper()
	key := newEdKey(t, "k1")
	r := edRules()
	r.TenantClaim = path
	payload := with(t, edPayload, `"tenant_id":"tenant_a"`, claims)
	caller, err := verifierOf(t, r, key.source(), clock).Verify(t.Context(), key.sign(edHeader, payload))
	require.NoError(t, err)
	assert.Equal(t, caller.Tenant == "", caller.Sources.Tenant.Missing != "", "a missing tenant has a reason")
	assert.Equal(t, path, caller.Sources.Tenant.Claims)
	return string(caller.Tenant)
}

func TestClaimPaths(t *testing.T) {
	for name, tt := range map[string]struct{ path, claims, want string }{
		"a claim":                                {`t`, `"t":"x"`, "x"},
		"a nested claim":                         {`a.b.c`, `"a":{"b":{"c":"x"}}`, "x"},
		"a name with dots":                       {`a.b.c`, `"a.b.c":"x"`, "x"},
		"the longest name first":                 {`a.b`, `"a":{"b":"nested"},"a.b":"whole"`, "whole"},
		"the longest name first, nested":         {`resource.my.client.tenant`, `"resource":{"my":{"client":{"tenant":"short"}},"my.client":{"tenant":"long"}}`, "long"},
		"a shorter name if a longer one fails":   {`a.b.c`, `"a.b":{"other":"x"},"a":{"b":{"c":"y"}}`, "y"},
		"a shorter name if a longer is a string": {`a.b.c`, `"a.b":"text","a":{"b":{"c":"y"}}`, "y"},
		"quoted":                                 {`resource."my.client".tenant`, `"resource":{"my":{"client":{"tenant":"no"}},"my.client":{"tenant":"x"}}`, "x"},
		"quoted, but the value is nested":        {`resource."my.client".tenant`, `"resource":{"my":{"client":{"tenant":"no"}}}`, ""},
		"quotes are never joined":                {`"a"."b"`, `"a.b":"no","a":{"b":"x"}`, "x"},
		"a URL":                                  {`"https://example.com/tenant"`, `"https://example.com/tenant":"x"`, "x"},
		"a URL without quotes":                   {`https://example.com/tenant`, `"https://example.com/tenant":"x"`, "x"},
		"escapes in quotes":                      {`"a\"b\\c"`, `"a\"b\\c":"x"`, "x"},
		"a URN":                                  {`urn:zitadel:iam:user:resourceowner:id`, `"urn:zitadel:iam:user:resourceowner:id":"265"`, "265"},
		"iss":                                    {`iss`, `"x":1`, "https://issuer.example"},
		"sub":                                    {`sub`, `"x":1`, "alice"},
		"aud":                                    {`aud`, `"x":1`, "clientele"},
		"a missing claim":                        {`t`, `"x":1`, ""},
		"null":                                   {`t`, `"t":null`, ""},
		"an empty string":                        {`t`, `"t":""`, ""},
		"a number":                               {`t`, `"t":265`, "265"},
		"a large number":                         {`t`, `"t":265046201930154509`, "265046201930154509"},
		"a fraction":                             {`t`, `"t":1.5`, ""},
		"a negative number":                      {`t`, `"t":-1`, ""},
		"a number with an exponent":              {`t`, `"t":1e3`, ""},
		"a boolean":                              {`t`, `"t":true`, ""},
		"an array of one":                        {`t`, `"t":["x"]`, "x"},
		"an array of two":                        {`t`, `"t":["x","y"]`, ""},
		"an empty array":                         {`t`, `"t":[]`, ""},
		"an array of an array":                   {`t`, `"t":[["x"]]`, ""},
		"an object with one key":                 {`t`, `"t":{"x":{"domain":"example.com"}}`, "x"},
		"an object with two keys":                {`t`, `"t":{"x":1,"y":1}`, ""},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tt.want, tenantAt(t, tt.path, tt.claims)) })
	}
}

func TestInvalidClaimPaths(t *testing.T) {
	for path, message := range map[string]string{
		"":                        "empty",
		".":                       "empty",
		"a.":                      "empty",
		".a":                      "empty",
		"a..b":                    "empty",
		`""`:                      "empty",
		`"a`:                      "not closed",
		`"a"b`:                    "expected a dot",
		`a"b"`:                    "quote the whole name",
		`"a\n"`:                   "backslash",
		`"a\`:                     "backslash",
		"a\nb":                    "control characters",
		"a\xffb":                  "UTF-8",
		"exp":                     "does not describe the caller",
		`"iat"`:                   "does not describe the caller",
		"nbf":                     "does not describe the caller",
		"jti":                     "does not describe the caller",
		strings.Repeat("a.", 40):  "at most",
		strings.Repeat("a", 1000): "at most",
	} {
		_, err := tokens.ParseClaimPath(path)
		require.ErrorContains(t, err, message, path)
	}
	for flag, change := range map[string]func(*tokens.SingleIssuer){
		"--tenant-claim": func(r *tokens.SingleIssuer) { r.TenantClaim = "a..b" },
		"--role-claim":   func(r *tokens.SingleIssuer) { r.RoleClaim = "jti" },
	} {
		r := rules()
		change(&r)
		_, err := r.Rules()
		require.ErrorContains(t, err, flag)
	}
}

// An accepted path has its text as its string.
func FuzzClaimPath(f *testing.F) {
	for _, seed := range []string{"a", "a.b", `a."b.c".d`, `"\"\\"`, "https://example.com/x", `"`, "a..b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path, err := tokens.ParseClaimPath(text)
		if err == nil && path.String() != text {
			t.Fatalf("%q became %q", text, path)
		}
	})
}
