package domain

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

func TestTheDefaultsOfAPolicy(t *testing.T) {
	assert.Equal(t, RegistrationPolicy{
		RedirectKinds: []RedirectKind{RedirectHTTPS, RedirectLoopback, RedirectPrivateUse},
		Grants:        []GrantType{GrantAuthorizationCode, GrantRefreshToken},
		AuthMethods:   []AuthMethod{AuthNone, AuthSecretBasic, AuthSecretPost, AuthPrivateKeyJWT},
		InitialStatus: StatusActive, LinkHosts: LinkHostsWarn, Statement: StatementNone, MaxClients: 1000,
	}, RegistrationPolicy{}.WithDefaults())

	open := RegistrationPolicy{Open: true}.WithDefaults()
	assert.Equal(t, []AuthMethod{AuthNone, AuthPrivateKeyJWT}, open.AuthMethods)
	assert.True(t, open.RequirePKCE)

	never := RegistrationPolicy{Grants: []GrantType{"urn:example:grant"}, AuthMethods: []AuthMethod{AuthSecretJWT, AuthPrivateKeyJWT, AuthNone}}.WithDefaults()
	assert.Equal(t, []GrantType{}, never.Grants)
	assert.Equal(t, []AuthMethod{AuthPrivateKeyJWT, AuthNone}, never.AuthMethods, "in the order of preference")
}

func TestNarrow(t *testing.T) {
	type p = RegistrationPolicy
	for _, c := range []struct {
		name     string
		of, by   p
		narrowed func(p) any
		want     any
		isBeyond string
	}{
		{"lists are intersected", p{Scopes: []Scope{"a", "b"}}, p{Scopes: []Scope{"b", "c"}}, func(n p) any { return n.Scopes }, []Scope{"b"}, "scopes"},
		{"a list that is not given has everything", p{}, p{Scopes: []Scope{"a"}}, func(n p) any { return n.Scopes }, []Scope{"a"}, ""},
		{"a list that is not given does not narrow", p{Scopes: []Scope{"a"}}, p{}, func(n p) any { return n.Scopes }, []Scope{"a"}, ""},
		{"a default is a ceiling", p{}, p{Grants: []GrantType{GrantClientCredentials}}, func(n p) any { return n.Grants }, []GrantType{}, "grants"},
		{"methods", p{}, p{AuthMethods: []AuthMethod{AuthPrivateKeyJWT, AuthTLS, AuthNone}}, func(n p) any { return n.AuthMethods }, []AuthMethod{AuthPrivateKeyJWT, AuthNone}, "auth_methods"},
		{"kinds", p{RedirectKinds: []RedirectKind{RedirectHTTPS}}, p{RedirectKinds: RedirectKinds()}, func(n p) any { return n.RedirectKinds }, []RedirectKind{RedirectHTTPS}, "redirect_kinds"},
		{"response types", p{ResponseTypes: []ResponseType{"code id_token"}}, p{ResponseTypes: []ResponseType{"id_token code", "code"}}, func(n p) any { return n.ResponseTypes }, []ResponseType{"id_token code"}, "response_types"},
		{"resources", p{Resources: []string{"a"}}, p{Resources: []string{"b"}}, func(n p) any { return n.Resources }, []string{}, "resources"},
		{"details", p{AuthorizationDetailsTypes: []string{"a"}}, p{AuthorizationDetailsTypes: []string{"a", "b"}}, func(n p) any { return n.AuthorizationDetailsTypes }, []string{"a"}, "authorization_details_types"},
		{"issuers", p{Issuers: []string{"a"}}, p{Issuers: []string{"b"}}, func(n p) any { return n.Issuers }, []string{}, "issuers"},
		{"a host below a domain", p{RedirectHosts: []string{"*.example.com"}}, p{RedirectHosts: []string{"a.example.com"}}, func(n p) any { return n.RedirectHosts }, []string{"a.example.com"}, ""},
		{"a domain below a domain", p{RedirectHosts: []string{"*.example.com"}}, p{RedirectHosts: []string{"*.eu.example.com"}}, func(n p) any { return n.RedirectHosts }, []string{"*.eu.example.com"}, ""},
		{"a wider domain", p{RedirectHosts: []string{"*.eu.example.com"}}, p{RedirectHosts: []string{"*.example.com"}}, func(n p) any { return n.RedirectHosts }, []string{"*.eu.example.com"}, "redirect_hosts"},
		{"a domain alike", p{RedirectHosts: []string{"*.example.com"}}, p{RedirectHosts: []string{"attackerexample.com"}}, func(n p) any { return n.RedirectHosts }, []string{}, "redirect_hosts"},
		{"default scopes within the scopes", p{Scopes: []Scope{"a", "b"}}, p{DefaultScopes: []Scope{"a"}}, func(n p) any { return n.DefaultScopes }, []Scope{"a"}, ""},
		{"default scopes beyond the scopes", p{Scopes: []Scope{"a"}}, p{DefaultScopes: []Scope{"a", "b"}}, func(n p) any { return n.DefaultScopes }, []Scope{"a"}, "default_scopes"},
		{"the default scopes of the tenant beyond those of the token", p{DefaultScopes: []Scope{"a", "b"}}, p{Scopes: []Scope{"a"}}, func(n p) any { return n.DefaultScopes }, []Scope{"a"}, ""},
		{"a flag of the tenant", p{PAR: true, DPoP: true}, p{}, func(n p) any { return []bool{n.PAR, n.DPoP, n.MTLS} }, []bool{true, true, false}, ""},
		{"a flag of the token", p{}, p{MTLS: true, SignedRequests: true, RequirePKCE: true, Unmanaged: true}, func(n p) any { return []bool{n.MTLS, n.SignedRequests, n.RequirePKCE, n.Unmanaged} }, []bool{true, true, true, true}, ""},
		{"a profile", p{}, p{Profile: ProfileFAPI2Security}, func(n p) any { return n.Profile }, ProfileFAPI2Security, ""},
		{"a stronger profile", p{Profile: ProfileFAPI2}, p{Profile: ProfileFAPI2MessageSigning}, func(n p) any { return n.Profile }, ProfileFAPI2MessageSigning, ""},
		{"a weaker profile", p{Profile: ProfileFAPI1Advanced}, p{Profile: ProfileFAPI1Baseline}, func(n p) any { return n.Profile }, ProfileFAPI1Advanced, "profile"},
		{"another profile", p{Profile: ProfileFAPI1Advanced}, p{Profile: ProfileFAPI2Security}, func(n p) any { return n.Profile }, ProfileFAPI1Advanced, "profile"},
		{"suspended wins", p{}, p{InitialStatus: StatusSuspended}, func(n p) any { return n.InitialStatus }, StatusSuspended, ""},
		{"active does not win", p{InitialStatus: StatusSuspended}, p{InitialStatus: StatusActive}, func(n p) any { return n.InitialStatus }, StatusSuspended, "initial_status"},
		{"labels", p{Labels: map[string]string{"a": "1"}}, p{Labels: map[string]string{"b": "2"}}, func(n p) any { return n.Labels }, map[string]string{"a": "1", "b": "2"}, ""},
		{"the label of the tenant", p{Labels: map[string]string{"a": "1"}}, p{Labels: map[string]string{"a": "2"}}, func(n p) any { return n.Labels }, map[string]string{"a": "1"}, "labels"},
		{"more labels than a client can have", p{Labels: map[string]string{"z": "1"}}, p{Labels: manyLabels()}, func(n p) any { return []any{len(n.Labels), n.Labels["z"], n.Labels["a30"], n.Labels["a31"]} }, []any{32, "1", "x", ""}, "labels"},
		{"the owner of the tenant", p{Owner: "a"}, p{Owner: "b"}, func(n p) any { return n.Owner }, "a", "owner"},
		{"the owner of the token", p{}, p{Owner: "b"}, func(n p) any { return n.Owner }, "b", ""},
		{"a shorter lifetime", p{AccessTokenLifetime: 60}, p{AccessTokenLifetime: 30}, func(n p) any { return n.AccessTokenLifetime }, int64(30), ""},
		{"a longer lifetime", p{AccessTokenLifetime: 60}, p{AccessTokenLifetime: 90}, func(n p) any { return n.AccessTokenLifetime }, int64(60), "access_token_lifetime"},
		{"a longer lifetime of ID tokens", p{IDTokenLifetime: 60}, p{IDTokenLifetime: 90}, func(n p) any { return n.IDTokenLifetime }, int64(60), "id_token_lifetime"},
		{"a longer lifetime of refresh tokens", p{RefreshTokenLifetime: 60}, p{RefreshTokenLifetime: 90}, func(n p) any { return n.RefreshTokenLifetime }, int64(60), "refresh_token_lifetime"},
		{"fewer clients", p{}, p{MaxClients: 5}, func(n p) any { return n.MaxClients }, 5, ""},
		{"more clients", p{}, p{MaxClients: 5000}, func(n p) any { return n.MaxClients }, 1000, "max_clients"},
		{"secrets that end earlier", p{}, p{SecretTTL: time.Hour}, func(n p) any { return n.SecretTTL }, time.Hour, ""},
		{"secrets that end later", p{SecretTTL: time.Hour}, p{SecretTTL: 2 * time.Hour}, func(n p) any { return n.SecretTTL }, time.Hour, "secret_ttl"},
		{"stricter links", p{}, p{LinkHosts: LinkHostsRequire}, func(n p) any { return n.LinkHosts }, LinkHostsRequire, ""},
		{"laxer links", p{}, p{LinkHosts: LinkHostsOff}, func(n p) any { return n.LinkHosts }, LinkHostsWarn, "link_hosts"},
		{"a stricter statement", p{Statement: StatementOptional}, p{Statement: StatementRequired}, func(n p) any { return n.Statement }, StatementRequired, ""},
		{"a statement that cannot be given", p{}, p{Statement: StatementRequired}, func(n p) any { return n.Statement }, StatementRequired, "statement"},
		{"a statement that is accepted", p{}, p{Statement: StatementOptional}, func(n p) any { return n.Statement }, StatementNone, "statement"},
		{"a laxer statement", p{Statement: StatementRequired}, p{Statement: StatementNone}, func(n p) any { return n.Statement }, StatementRequired, "statement"},
		{"open and cors are the tenant's", p{Open: true}, p{CORS: true}, func(n p) any { return []bool{n.Open, n.CORS} }, []bool{true, false}, ""},
		{"open cannot be added", p{}, p{Open: true}, func(n p) any { return n.Open }, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, c.narrowed(c.of.Narrow(c.by)))
			assert.Equal(t, c.isBeyond, keysOf(c.of.Beyond(c.by)))
		})
	}
}

func TestEveryFieldNarrows(t *testing.T) {
	tenants := []string{"Open", "UnusedTTL", "CORS"} // only the policy of a tenant has them
	strict := map[reflect.Type]any{
		reflect.TypeFor[bool](): true, reflect.TypeFor[string](): "a", reflect.TypeFor[int](): 1, reflect.TypeFor[int64](): int64(1),
		reflect.TypeFor[time.Duration](): time.Second, reflect.TypeFor[map[string]string](): map[string]string{"a": "1"},
		reflect.TypeFor[Profile](): ProfileFAPI2Security, reflect.TypeFor[Status](): StatusSuspended,
		reflect.TypeFor[LinkHosts](): LinkHostsRequire, reflect.TypeFor[StatementMode](): StatementRequired,
	}
	for field := range reflect.TypeFor[RegistrationPolicy]().Fields() {
		var by RegistrationPolicy
		value := reflect.ValueOf(&by).Elem().FieldByIndex(field.Index)
		if field.Type.Kind() == reflect.Slice {
			value.Set(reflect.MakeSlice(field.Type, 0, 0))
		} else {
			value.Set(reflect.ValueOf(strict[field.Type]))
		}
		narrowed := reflect.ValueOf(RegistrationPolicy{}.Narrow(by)).FieldByIndex(field.Index)
		assert.Equal(t, !slices.Contains(tenants, field.Name), reflect.DeepEqual(value.Interface(), narrowed.Interface()),
			"%s: each field has a key in policyKeys", field.Name)
	}
}

// manyLabels returns as many labels as a client can have: a00, a01 and so on.
func manyLabels() map[string]string {
	labels := map[string]string{}
	for i := range MaxLabels {
		labels[fmt.Sprintf("a%02d", i)] = "x"
	}
	return labels
}

// keysOf returns the keys that the findings point to.
func keysOf(findings Findings) string {
	var keys []string
	for _, f := range findings {
		keys = append(keys, strings.TrimPrefix(f.Pointer, "/"))
	}
	return strings.Join(keys, " ")
}

// drawList draws a list of the values, or that none is given.
func drawList[S any](t *rapid.T, name string, values ...S) []S {
	if rapid.Bool().Draw(t, "no "+name) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(values), func(S) bool { return rapid.Bool().Draw(t, name) })
}

// drawPolicy draws a policy.
func drawPolicy(t *rapid.T, name string) RegistrationPolicy {
	flag := func(key string) bool { return rapid.Bool().Draw(t, name+" "+key) }
	limit := func(key string) int64 { return rapid.Int64Range(0, 3).Draw(t, name+" "+key) }
	return RegistrationPolicy{
		Open:          flag("open"),
		RedirectHosts: drawList(t, name+" hosts", "app.example.com", "*.example.com", "*.eu.example.com", "a.eu.example.com", "other.example", "127.0.0.1"),
		RedirectKinds: drawList(t, name+" kinds", RedirectKinds()...),
		Grants:        drawList(t, name+" grants", GrantTypes()...),
		ResponseTypes: drawList(t, name+" response types", ResponseType("code"), "code id_token", "id_token"),
		AuthMethods:   drawList(t, name+" methods", AuthMethods()...),
		Scopes:        drawList(t, name+" scopes", Scope("a"), "b", "c"), DefaultScopes: drawList(t, name+" default", Scope("a"), "b"),
		AuthorizationDetailsTypes: drawList(t, name+" details", "x", "y"),
		Profile:                   rapid.SampledFrom([]Profile{ProfileNone, ProfileNone, ProfileFAPI1Baseline, ProfileFAPI1Advanced, ProfileFAPI2Security, ProfileFAPI2MessageSigning}).Draw(t, name+" profile"),
		RequirePKCE:               flag("pkce"), PAR: flag("par"), DPoP: flag("dpop"), MTLS: flag("mtls"), SignedRequests: flag("signed"),
		InitialStatus:       rapid.SampledFrom([]Status{"", StatusActive, StatusSuspended}).Draw(t, name+" status"),
		LinkHosts:           rapid.SampledFrom(append(LinkHostsModes(), "")).Draw(t, name+" links"),
		Statement:           rapid.SampledFrom(append(StatementModes(), "")).Draw(t, name+" statement"),
		Owner:               rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, name+" owner"),
		Labels:              rapid.SampledFrom([]map[string]string{nil, {"example.com/x": "1"}, {"example.com/x": "2", "example.com/y": "1"}}).Draw(t, name+" labels"),
		AccessTokenLifetime: 60 * limit("lifetime"), MaxClients: int(limit("clients")), SecretTTL: time.Duration(limit("secrets")),
		Unmanaged: flag("unmanaged"),
	}
}

// has reports whether a list has the value; a list that is not given has every value.
func has[S comparable](list []S, value S) bool { return list == nil || slices.Contains(list, value) }

// within fails unless p allows what narrowed allows.
func within(t *rapid.T, narrowed, p RegistrationPolicy) {
	for _, host := range []string{"app.example.com", "example.com", "x.eu.example.com", "a.eu.example.com", "eu.example.com", "other.example", "127.0.0.1", "xother.example"} {
		allows := func(p RegistrationPolicy) bool { return p.RedirectHosts == nil || anyMatches(p.RedirectHosts, host) }
		assert.False(t, allows(narrowed) && !allows(p), host)
	}
	for _, k := range RedirectKinds() {
		assert.False(t, has(narrowed.RedirectKinds, k) && !has(p.RedirectKinds, k), string(k))
	}
	for _, g := range append(GrantTypes(), "urn:example:grant") {
		assert.False(t, has(narrowed.Grants, g) && !has(p.Grants, g), string(g))
	}
	for _, m := range append(AuthMethods(), "unknown") {
		assert.False(t, has(narrowed.AuthMethods, m) && !has(p.AuthMethods, m), string(m))
	}
	for _, s := range []Scope{"a", "b", "c", "d"} {
		assert.False(t, has(narrowed.Scopes, s) && !has(p.Scopes, s), string(s))
		assert.False(t, slices.Contains(narrowed.DefaultScopes, s) && !has(p.Scopes, s), string(s))
	}
	for _, d := range []string{"x", "y", "z"} {
		assert.False(t, has(narrowed.AuthorizationDetailsTypes, d) && !has(p.AuthorizationDetailsTypes, d), d)
	}
	for name, flags := range map[string][2]bool{
		"pkce": {p.RequirePKCE, narrowed.RequirePKCE}, "par": {p.PAR, narrowed.PAR}, "dpop": {p.DPoP, narrowed.DPoP}, "mtls": {p.MTLS, narrowed.MTLS},
		"signed": {p.SignedRequests, narrowed.SignedRequests}, "unmanaged": {p.Unmanaged, narrowed.Unmanaged},
		"suspended": {p.InitialStatus == StatusSuspended, narrowed.InitialStatus == StatusSuspended},
		"statement": {p.Statement == StatementRequired, narrowed.Statement == StatementRequired},
		"links":     {p.LinkHosts == LinkHostsRequire, narrowed.LinkHosts == LinkHostsRequire},
	} {
		assert.False(t, flags[0] && !flags[1], name)
	}
	for name, limits := range map[string][2]int64{
		"lifetime": {p.AccessTokenLifetime, narrowed.AccessTokenLifetime}, "clients": {int64(p.MaxClients), int64(narrowed.MaxClients)},
		"secrets": {int64(p.SecretTTL), int64(narrowed.SecretTTL)},
	} {
		assert.False(t, limits[0] > 0 && (limits[1] == 0 || limits[1] > limits[0]), name)
	}
}

func TestNarrowNeverWidens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, by := drawPolicy(t, "tenant"), drawPolicy(t, "token")
		narrowed := p.Narrow(by)
		within(t, narrowed, p.WithDefaults())
		within(t, narrowed, by)
		assert.Equal(t, narrowed, narrowed.WithDefaults(), "the result is with defaults")
		assert.Equal(t, narrowed, narrowed.Narrow(by), "narrowing twice is narrowing once")
		if !p.Statement.Accepts() {
			narrowed.Statement = StatementNone // required is stricter, but no registration can meet it
		}
		assert.Empty(t, p.Beyond(narrowed))
	})
}
