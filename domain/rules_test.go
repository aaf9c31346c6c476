package domain

import (
	"maps"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var testNow = time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)

func testBook(tb testing.TB, policy Policy) *Rulebook {
	tb.Helper()
	book, err := NewRulebook(policy)
	require.NoError(tb, err)
	return book
}

// legal returns a configuration without violations or warnings.
func legal() Settings {
	return Settings{
		Name:         "My App",
		Status:       StatusActive,
		Confidential: true,
		RedirectURIs: []RedirectURI{"https://app.example.com/callback"},
		GrantTypes:   []GrantType{GrantAuthorizationCode},
		Scopes:       []Scope{"openid", "profile"},
		AuthMethods:  []AuthMethod{AuthPrivateKeyJWT},
		Keys:         InlineKeys("{}"),
	}
}

// Keys that violate no rule.
func ecKey() Key { return Key{KeyID: "ec", Type: ktyEC, Curve: crvP256} }

func rsaKey() Key { return Key{KeyID: "rsa", Type: ktyRSA, Bits: 2048, Exponent: 65537} }

func edKey() Key { return Key{KeyID: "ed", Type: ktyOKP, Curve: crvEd25519} }

func keySet(keys ...Key) *KeySet { return &KeySet{Keys: keys} }

// with returns the key after an edit.
func with(k Key, edit func(*Key)) Key {
	edit(&k)
	return k
}

// example is a configuration that violates a rule, or almost does.
type example struct {
	name      string
	profile   Profile
	edit      func(*Settings)
	secondURI string // a jwks_uri in addition to the inline keys
	id        ClientID
	set       *KeySet // the keys that were read; nil means one valid key
	keys      *Keys   // the state of the keys, instead of a set
	sector    SectorIdentifier
	server    ServerMetadata
	policy    Policy
	at        string // where the rule is violated; "" if it is not
	level     Level  // of the finding; 0 means that of the rule
}

// findings validates the example.
func (e example) findings(t *testing.T) Findings {
	t.Helper()
	settings := legal()
	settings.Profile = e.profile
	if e.edit != nil {
		e.edit(&settings)
	}
	keys := KeysUnexamined()
	switch {
	case e.keys != nil:
		keys = *e.keys
	case e.set != nil:
		keys = KeysSeen(*e.set)
	case !settings.Keys.IsNone():
		keys = KeysSeen(*keySet(ecKey()))
	}
	if e.secondURI != "" {
		settings.Keys.uri = e.secondURI
	}
	return testBook(t, e.policy).validate(settings, e.id, Facts{Keys: keys, Sector: e.sector, Server: e.server}, testNow)
}

func redirect(uris ...RedirectURI) func(*Settings) {
	return func(s *Settings) { s.RedirectURIs = uris }
}

func grants(list ...GrantType) func(*Settings) {
	return func(s *Settings) {
		s.GrantTypes = list
		s.Scopes = nil
		redirects := false
		for _, g := range list {
			redirects = redirects || g.redirects()
		}
		if !redirects {
			s.RedirectURIs = nil
		}
	}
}

func methods(list ...AuthMethod) func(*Settings) {
	return func(s *Settings) { s.AuthMethods = list }
}

func public(edits ...func(*Settings)) func(*Settings) {
	return func(s *Settings) {
		for _, edit := range edits {
			edit(s)
		}
		s.Confidential = false
		s.AuthMethods = []AuthMethod{AuthNone}
		s.Keys = KeySource{}
	}
}

func all(edits ...func(*Settings)) func(*Settings) {
	return func(s *Settings) {
		for _, edit := range edits {
			edit(s)
		}
	}
}

func nameOf(name string) func(*Settings) { return func(s *Settings) { s.Name = name } }

func origin(o Origin) func(*Settings) { return func(s *Settings) { s.CORSOrigins = []Origin{o} } }

func subject(expected TLSSubject) func(*Settings) {
	return func(s *Settings) {
		s.AuthMethods = []AuthMethod{AuthTLS}
		s.TLSSubject = expected
	}
}

func scopes(list ...Scope) func(*Settings) { return func(s *Settings) { s.Scopes = list } }

func noKeys(s *Settings) { s.Keys = KeySource{} }

func keysAt(uri string) func(*Settings) { return func(s *Settings) { s.Keys = KeysAt(uri) } }

func certificate(c Certificate) Key {
	return with(ecKey(), func(k *Key) { k.Certificate = &c })
}

func validCertificate() Certificate {
	return Certificate{Matches: true, NotBefore: testNow.Add(-time.Hour), NotAfter: testNow.Add(time.Hour)}
}

// examples contains configurations for every rule that violate it, or almost do.
func examples() map[string][]example {
	all := firstExamples()
	for _, more := range []map[string][]example{
		responseExamples(), algorithmExamples(), fapiExamples(), subjectExamples(), serverExamples(),
		logoutExamples(), requestExamples(), cibaExamples(), tokenExamples(), labelExamples(),
	} {
		maps.Copy(all, more)
	}
	return all
}

func firstExamples() map[string][]example {
	return map[string][]example{
		"client-size": {
			{name: "all fields together", edit: longURIs(66, 2000), at: "/redirect_uris"},
			{name: "the largest client", edit: longURIs(65, 2000)},
		},
		"redirect-uri-syntax": {
			{name: "relative", edit: redirect("/callback"), at: "/redirect_uris/0"},
			{name: "empty", edit: redirect(""), at: "/redirect_uris/0"},
			{name: "scheme begins with a digit", edit: redirect("1a://app.example.com/"), at: "/redirect_uris/0"},
			{name: "space", edit: redirect("https://app.example.com/a b"), at: "/redirect_uris/0"},
			{name: "control", edit: redirect("https://app.example.com/\n"), at: "/redirect_uris/0"},
			{name: "not ASCII", edit: redirect("https://app.example.com/größe"), at: "/redirect_uris/0"},
			{name: "bad percent-encoding", edit: redirect("https://app.example.com/%zz"), at: "/redirect_uris/0"},
			{name: "percent at the end", edit: redirect("https://app.example.com/%4"), at: "/redirect_uris/0"},
			{name: "port is a word", edit: redirect("https://app.example.com:https/"), at: "/redirect_uris/0"},
			{name: "port is too large", edit: redirect("https://app.example.com:65536/"), at: "/redirect_uris/0"},
			{name: "port zero", edit: redirect("https://app.example.com:0/"), at: "/redirect_uris/0"},
			{name: "bytes after the bracket", edit: redirect("https://[2001:db8::1]x/"), at: "/redirect_uris/0"},
			{name: "bracket in the path", edit: redirect("https://app.example.com/[a]"), at: "/redirect_uris/0"},
			{name: "the second of two", edit: redirect("https://a.example/", "https://b.example/ "), at: "/redirect_uris/1"},
			{name: "plain", edit: redirect("https://app.example.com:8443/cb?a=%20b")},
		},
		"redirect-uri-fragment": {
			{name: "fragment", edit: redirect("https://app.example.com/cb#part"), at: "/redirect_uris/0"},
			{name: "empty fragment", edit: redirect("https://app.example.com/cb#"), at: "/redirect_uris/0"},
			{name: "encoded number sign", edit: redirect("https://app.example.com/cb%23part")},
		},
		"redirect-uri-userinfo": {
			{name: "user and password", edit: redirect("https://a:b@app.example.com/"), at: "/redirect_uris/0"},
			{name: "host as user", edit: redirect("https://app.example.com@evil.example/"), at: "/redirect_uris/0"},
			{name: "at sign in the path", edit: redirect("https://app.example.com/@me")},
		},
		"redirect-uri-host": {
			{name: "none", edit: redirect("https:///cb"), at: "/redirect_uris/0"},
			{name: "no authority", edit: redirect("https:app.example.com"), at: "/redirect_uris/0"},
			{name: "Unicode", edit: redirect("https://größe.example/"), at: "/redirect_uris/0"},
			{name: "percent-encoded", edit: redirect("https://app%2eexample.com/"), at: "/redirect_uris/0"},
			{name: "trailing dot", edit: redirect("https://app.example.com./"), at: "/redirect_uris/0"},
			{name: "empty label", edit: redirect("https://app..example.com/"), at: "/redirect_uris/0"},
			{name: "label ends in a hyphen", edit: redirect("https://app-.example.com/"), at: "/redirect_uris/0"},
			{name: "underscore", edit: redirect("https://my_app.example.com/"), at: "/redirect_uris/0"},
			{name: "short IPv4", edit: redirect("https://127.1/"), at: "/redirect_uris/0"},
			{name: "decimal IPv4", edit: redirect("https://2130706433/"), at: "/redirect_uris/0"},
			{name: "hexadecimal IPv4", edit: redirect("https://0x7f.0.0.0x1/"), at: "/redirect_uris/0"},
			{name: "octal IPv4", edit: redirect("https://0177.0.0.1/"), at: "/redirect_uris/0"},
			{name: "IPv4 in brackets", edit: redirect("https://[127.0.0.1]/"), at: "/redirect_uris/0"},
			{name: "zone", edit: redirect("https://[fe80::1%25eth0]/"), at: "/redirect_uris/0"},
			{name: "bracket left open", edit: redirect("https://[2001:db8::1/"), at: "/redirect_uris/0"},
			{name: "A-label", edit: redirect("https://xn--gre-6ka8l.example/")},
			{name: "IPv4", edit: redirect("https://192.0.2.1/")},
			{name: "IPv6", edit: redirect("https://[2001:db8::1]:8443/")},
			{name: "custom schemes have none", edit: redirect("com.example.app:/cb")},
		},
		"redirect-uri-wildcard": {
			{name: "host", edit: redirect("https://*.example.com/"), at: "/redirect_uris/0"},
			{name: "path", edit: redirect("https://app.example.com/*"), at: "/redirect_uris/0"},
			{name: "query", edit: redirect("https://app.example.com/?q=*")},
		},
		"redirect-uri-path-tricks": {
			{name: "dot-dot", edit: redirect("https://app.example.com/a/../b"), at: "/redirect_uris/0"},
			{name: "dot at the end", edit: redirect("https://app.example.com/a/."), at: "/redirect_uris/0"},
			{name: "encoded dots", edit: redirect("https://app.example.com/a/%2E%2e/b"), at: "/redirect_uris/0"},
			{name: "half encoded dots", edit: redirect("https://app.example.com/a/.%2e/b"), at: "/redirect_uris/0"},
			{name: "backslash", edit: redirect(`https://app.example.com/a\b`), at: "/redirect_uris/0"},
			{name: "encoded backslash", edit: redirect("https://app.example.com/a%5Cb"), at: "/redirect_uris/0"},
			{name: "encoded slash", edit: redirect("https://app.example.com/a%2Fb"), at: "/redirect_uris/0"},
			{name: "empty first segment", edit: redirect("https://app.example.com//cb"), at: "/redirect_uris/0"},
			{name: "dot-dot with a path parameter", edit: redirect("https://app.example.com/public/..;/callback"), at: "/redirect_uris/0"},
			{name: "dot-dot with a named path parameter", edit: redirect("https://app.example.com/public/..;a=b/callback"), at: "/redirect_uris/0"},
			{name: "dot with a path parameter", edit: redirect("https://app.example.com/a/.;x/b"), at: "/redirect_uris/0"},
			{name: "encoded dots with a path parameter", edit: redirect("https://app.example.com/a/%2e%2E;/b"), at: "/redirect_uris/0"},
			{name: "encoded semicolon", edit: redirect("https://app.example.com/a/..%3Bx/b"), at: "/redirect_uris/0"},
			{name: "dot-dot with a path parameter at the end", edit: redirect("https://app.example.com/a/..;"), at: "/redirect_uris/0"},
			{name: "dots encoded twice", edit: redirect("https://app.example.com/a/%252e%252e/b"), at: "/redirect_uris/0"},
			{name: "dots and a slash encoded twice", edit: redirect("https://app.example.com/a/..%252fb"), at: "/redirect_uris/0"},
			{name: "in a private-use scheme", edit: public(redirect("com.example.app:/a/..;/b")), at: "/redirect_uris/0"},
			{name: "a path parameter", edit: redirect("https://app.example.com/a;v=1/b;..")},
			{name: "a percent sign at the end", edit: redirect("https://app.example.com/100%25")},
			{name: "dots inside a segment", edit: redirect("https://app.example.com/a..b/.well-known/c")},
			{name: "dots in the query", edit: redirect("https://app.example.com/?a=../b")},
		},
		"redirect-uri-http": {
			{name: "http", edit: redirect("http://app.example.com/"), at: "/redirect_uris/0"},
			{name: "HTTP", edit: redirect("HTTP://app.example.com/"), at: "/redirect_uris/0"},
			{name: "another loopback address", edit: redirect("http://127.0.0.2/"), at: "/redirect_uris/0"},
			{name: "a name that begins like one", edit: redirect("http://localhost.evil.example/"), at: "/redirect_uris/0"},
			{name: "upper-case localhost", edit: redirect("http://LOCALHOST/"), at: "/redirect_uris/0"},
			{name: "loopback IPv4", edit: redirect("http://127.0.0.1:49152/cb")},
			{name: "loopback IPv6", edit: redirect("http://[::1]/cb")},
			{name: "localhost", edit: redirect("http://localhost:3000/cb")},
			{name: "https", edit: redirect("https://app.example.com/")},
		},
		"redirect-uri-loopback-confidential": {
			{name: "confidential", edit: redirect("http://127.0.0.1/cb"), at: "/redirect_uris/0"},
			{name: "public", edit: public(redirect("http://127.0.0.1/cb"))},
		},
		"redirect-uri-localhost": {
			{name: "http", edit: public(redirect("http://localhost/cb")), at: "/redirect_uris/0"},
			{name: "https", edit: redirect("https://localhost/cb"), at: "/redirect_uris/0"},
			{name: "address", edit: public(redirect("http://127.0.0.1/cb"))},
		},
		"redirect-uri-scheme": {
			{name: "javascript", edit: redirect("javascript:alert(1)"), at: "/redirect_uris/0"},
			{name: "upper case", edit: redirect("JavaScript:alert(1)"), at: "/redirect_uris/0"},
			{name: "data", edit: redirect("data:text/html,x"), at: "/redirect_uris/0"},
			{name: "file", edit: redirect("file:///etc/passwd"), at: "/redirect_uris/0"},
			{name: "intent", edit: redirect("intent://scan/"), at: "/redirect_uris/0"},
			{name: "https", edit: redirect("https://app.example.com/")},
			{name: "private-use", edit: public(redirect("com.example.app:/cb"))},
		},
		"redirect-uri-oob": {
			{name: "oob", edit: redirect("urn:ietf:wg:oauth:2.0:oob"), at: "/redirect_uris/0"},
			{name: "oob:auto", edit: redirect("urn:ietf:wg:oauth:2.0:oob:auto"), at: "/redirect_uris/0"},
			{name: "upper case", edit: redirect("URN:IETF:wg:oauth:2.0:OOB"), at: "/redirect_uris/0"},
			{name: "https", edit: redirect("https://app.example.com/urn:ietf:wg:oauth:2.0:oob")},
		},
		"redirect-uri-private-scheme": {
			{name: "no dot", edit: public(redirect("myapp:/cb")), at: "/redirect_uris/0"},
			{name: "another urn", edit: public(redirect("urn:example:a")), at: "/redirect_uris/0"},
			{name: "another scheme than the allowed one", edit: public(redirect("myapp:/cb")), policy: Policy{PrivateSchemes: []string{"cursor"}}, at: "/redirect_uris/0"},
			{name: "an allowed scheme", edit: public(redirect("Cursor://cb")), policy: Policy{PrivateSchemes: []string{"oc", "cursor"}}, at: "/redirect_uris/0", level: Warning},
			{name: "reversed domain", edit: public(redirect("com.example.app:/cb"))},
		},
		"redirect-uri-private-scheme-form": {
			{name: "two slashes", edit: public(redirect("com.example.app://cb")), at: "/redirect_uris/0"},
			{name: "one slash", edit: public(redirect("com.example.app:/cb"))},
		},
		"redirect-uri-private-scheme-confidential": {
			{name: "confidential", edit: redirect("com.example.app:/cb"), at: "/redirect_uris/0"},
			{name: "public", edit: public(redirect("com.example.app:/cb"))},
		},
		"redirect-uri-address": {
			{name: "private", edit: redirect("https://10.0.0.1/"), at: "/redirect_uris/0"},
			{name: "link-local", edit: redirect("https://[fe80::1]/"), at: "/redirect_uris/0"},
			{name: "unspecified", edit: redirect("https://0.0.0.0/"), at: "/redirect_uris/0"},
			{name: "public", edit: redirect("https://8.8.8.8/")},
			{name: "a name", edit: redirect("https://app.example.com/")},
		},
		"redirect-uri-reserved-parameter": {
			{name: "code", edit: redirect("https://app.example.com/?code=1"), at: "/redirect_uris/0"},
			{name: "error_uri", edit: redirect("https://app.example.com/?error_uri=x"), at: "/redirect_uris/0"},
			{name: "token_type", edit: redirect("https://app.example.com/?token_type=x"), at: "/redirect_uris/0"},
			{name: "expires_in", edit: redirect("https://app.example.com/?expires_in"), at: "/redirect_uris/0"},
			{name: "scope", edit: redirect("https://app.example.com/?a&scope=x"), at: "/redirect_uris/0"},
			{name: "iss", edit: redirect("https://app.example.com/?iss=x"), at: "/redirect_uris/0"},
			{name: "session_state", edit: redirect("https://app.example.com/?session_state=x"), at: "/redirect_uris/0"},
			{name: "response", edit: redirect("https://app.example.com/?response=x"), at: "/redirect_uris/0"},
			{name: "vp_token", edit: redirect("https://app.example.com/?vp_token=x"), at: "/redirect_uris/0"},
			{name: "encoded", edit: redirect("https://app.example.com/?a=1&%73tate"), at: "/redirect_uris/0"},
			{name: "a parameter of a request", edit: redirect("https://app.example.com/?nonce=1&client_id=2&prompt=3")},
			{name: "another case", edit: redirect("https://app.example.com/?Code=1")},
			{name: "as a value", edit: redirect("https://app.example.com/?a=code")},
			{name: "as a part of a name", edit: redirect("https://app.example.com/?my_code=1")},
		},
		"redirect-uri-duplicate": {
			{name: "the same", edit: redirect("https://a.example/", "https://a.example/"), at: "/redirect_uris/1"},
			{name: "case of scheme and host", edit: redirect("https://a.example/", "HTTPS://A.example/"), at: "/redirect_uris/1"},
			{name: "default port", edit: redirect("https://a.example/", "https://a.example:443/"), at: "/redirect_uris/1"},
			{name: "empty path", edit: redirect("https://a.example/", "https://a.example"), at: "/redirect_uris/1"},
			{name: "encoded letter", edit: redirect("https://a.example/a", "https://a.example/%61"), at: "/redirect_uris/1"},
			{name: "case of an encoding", edit: redirect("https://a.example/%c3", "https://a.example/%C3"), at: "/redirect_uris/1"},
			{name: "case of the path", edit: redirect("https://a.example/a", "https://a.example/A")},
			{name: "empty query", edit: redirect("https://a.example/a", "https://a.example/a?")},
			{name: "another port", edit: redirect("https://a.example/", "https://a.example:8443/")},
		},
		"redirect-uri-https": {
			{name: "loopback http", profile: ProfileFAPI1Baseline, edit: redirect("http://127.0.0.1/"), at: "/redirect_uris/0"},
			{name: "private-use", profile: ProfileFAPI1Advanced, edit: redirect("com.example.app:/cb"), at: "/redirect_uris/0"},
			{name: "https", profile: ProfileFAPI1Advanced},
			{name: "FAPI 2.0 allows native apps", profile: ProfileFAPI2Security, edit: redirect("http://127.0.0.1/")},
		},

		"grant-type-unknown": {
			{name: "unknown", edit: grants("magic"), at: "/grant_types/0"},
			{name: "another case", edit: grants("Authorization_Code"), at: "/grant_types/0"},
			{name: "allowed by the deployment", edit: grants("urn:example:grant"), policy: Policy{GrantTypes: []GrantType{"urn:example:grant"}}},
			{name: "known", edit: grants(GrantDeviceCode)},
		},
		"grant-type-duplicate": {
			{name: "twice", edit: grants(GrantAuthorizationCode, GrantAuthorizationCode), at: "/grant_types/1"},
			{name: "once", edit: grants(GrantAuthorizationCode)},
		},
		"grant-types-empty": {
			{name: "none", edit: grants(), at: "/grant_types"},
			{name: "poll", edit: all(grants(), setting(FieldCIBADeliveryMode, "poll")), at: "/grant_types"},
			{name: "push", edit: all(grants(), setting(FieldCIBADeliveryMode, "push"))},
			{name: "one", edit: grants(GrantClientCredentials)},
		},
		"grant-needs-redirect-uri": {
			{name: "authorization_code", edit: redirect(), at: "/redirect_uris"},
			{name: "implicit", edit: all(grants(GrantImplicit), redirect()), at: "/redirect_uris"},
			{name: "in FAPI 1.0", profile: ProfileFAPI1Advanced, edit: redirect(), at: "/redirect_uris"},
			{name: "in FAPI 2.0 it is only recommended", profile: ProfileFAPI2Security, edit: redirect()},
			{name: "client_credentials", edit: grants(GrantClientCredentials)},
		},
		"grant-needs-redirect-uri-fapi2": {
			{name: "authorization_code", profile: ProfileFAPI2Security, edit: redirect(), at: "/redirect_uris"},
			{name: "with one", profile: ProfileFAPI2Security},
			{name: "without a profile another rule applies", edit: redirect()},
		},
		"redirect-uri-unused": {
			{name: "client_credentials", edit: all(grants(GrantClientCredentials), redirect("https://a.example/")), at: "/redirect_uris"},
			{name: "authorization_code"},
		},
		"grant-password": {
			{name: "password", edit: grants(GrantPassword), at: "/grant_types/0"},
			{name: "another", edit: grants(GrantClientCredentials)},
		},
		"grant-implicit": {
			{name: "implicit", edit: grants(GrantAuthorizationCode, GrantImplicit), at: "/grant_types/1"},
			{name: "code", edit: grants(GrantAuthorizationCode)},
		},
		"grant-implicit-alone": {
			{name: "alone", profile: ProfileFAPI1Baseline, edit: grants(GrantImplicit), at: "/grant_types/0"},
			{name: "beside code", profile: ProfileFAPI1Advanced, edit: grants(GrantAuthorizationCode, GrantImplicit)},
			{name: "without a profile", edit: grants(GrantImplicit)},
		},
		"grant-implicit-fapi2": {
			{name: "beside code", profile: ProfileFAPI2Security, edit: grants(GrantAuthorizationCode, GrantImplicit), at: "/grant_types/1"},
			{name: "fapi2 is validated as fapi2-security", profile: ProfileFAPI2, edit: grants(GrantImplicit), at: "/grant_types/0"},
			{name: "code", profile: ProfileFAPI2MessageSigning, edit: grants(GrantAuthorizationCode)},
		},
		"grant-refresh-alone": {
			{name: "alone", edit: grants(GrantRefreshToken), at: "/grant_types/0"},
			{name: "with client_credentials", edit: grants(GrantClientCredentials, GrantRefreshToken), at: "/grant_types/1"},
			{name: "with implicit", edit: grants(GrantImplicit, GrantRefreshToken), at: "/grant_types/1"},
			{name: "with jwt-bearer", edit: grants(GrantJWTBearer, GrantRefreshToken), at: "/grant_types/1", level: Warning},
			{name: "with saml2-bearer", edit: grants(GrantRefreshToken, GrantSAML2Bearer), at: "/grant_types/0", level: Warning},
			{name: "with an extension", edit: grants("urn:example:grant", GrantRefreshToken), at: "/grant_types/1", level: Warning},
			{name: "with code", edit: grants(GrantRefreshToken, GrantAuthorizationCode)},
			{name: "with device_code", edit: grants(GrantDeviceCode, GrantRefreshToken)},
			{name: "with CIBA", edit: grants(GrantCIBA, GrantRefreshToken)},
			{name: "with push alone", edit: all(grants(GrantRefreshToken), setting(FieldCIBADeliveryMode, "push"))},
			{name: "with token-exchange", edit: grants(GrantTokenExchange, GrantRefreshToken)},
		},
		"grant-client-credentials-public": {
			{name: "public", edit: public(grants(GrantClientCredentials)), at: "/grant_types/0"},
			{name: "confidential", edit: grants(GrantClientCredentials)},
		},
		"grant-ciba-public": {
			{name: "public", edit: public(grants(GrantCIBA)), at: "/grant_types/0"},
			{name: "public with push alone", edit: public(grants(), setting(FieldCIBADeliveryMode, "push")), at: "/backchannel_token_delivery_mode"},
			{name: "confidential", edit: grants(GrantCIBA)},
		},
		"grant-token-exchange-public": {
			{name: "public", edit: public(grants(GrantTokenExchange)), at: "/grant_types/0"},
			{name: "confidential", edit: grants(GrantTokenExchange)},
		},
		"grant-unanalysed": {
			{name: "device_code", profile: ProfileFAPI2Security, edit: grants(GrantAuthorizationCode, GrantDeviceCode), at: "/grant_types/1"},
			{name: "jwt-bearer", profile: ProfileFAPI2MessageSigning, edit: grants(GrantJWTBearer), at: "/grant_types/0"},
			{name: "in FAPI 1.0", profile: ProfileFAPI1Advanced, edit: grants(GrantDeviceCode)},
			{name: "code", profile: ProfileFAPI2Security},
		},
		"grant-hybrid-openid": {
			{name: "without openid", profile: ProfileFAPI1Advanced, edit: all(grants(GrantAuthorizationCode, GrantImplicit), scopes("profile")), at: "/scopes"},
			{name: "with openid", profile: ProfileFAPI1Advanced, edit: all(grants(GrantAuthorizationCode, GrantImplicit), scopes("openid"))},
			{name: "code alone", profile: ProfileFAPI1Advanced, edit: scopes("accounts")},
			{name: "in Baseline", profile: ProfileFAPI1Baseline, edit: grants(GrantAuthorizationCode, GrantImplicit)},
		},
		"grant-ciba-openid": {
			{name: "without openid", edit: all(grants(GrantCIBA), scopes("profile")), at: "/scopes"},
			{name: "without scopes", edit: grants(GrantCIBA), at: "/scopes", level: Warning},
			{name: "with a delivery mode alone", edit: all(setting(FieldCIBADeliveryMode, "push"), scopes("profile")), at: "/scopes"},
			{name: "with openid", edit: all(grants(GrantCIBA), scopes("openid"))},
			{name: "no CIBA", edit: scopes("profile")},
		},
		"grant-ciba-keys": {
			{name: "without keys", profile: ProfileFAPI1Advanced, edit: all(grants(GrantCIBA), noKeys), at: "/jwks"},
			{name: "with an encryption key", profile: ProfileFAPI1Advanced, edit: grants(GrantCIBA), set: keySet(with(ecKey(), func(k *Key) { k.Use = "enc" })), at: "/jwks"},
			{name: "signed requests without keys", profile: ProfileFAPI1Advanced, edit: all(withCIBA(DeliveryPoll, noKeys, methods(AuthTLS)), setting(FieldCIBARequestSigningAlg, "PS256")), at: "/jwks"},
			{name: "signed requests with an encryption key", profile: ProfileFAPI1Advanced, edit: all(withCIBA(DeliveryPoll, methods(AuthTLS)), setting(FieldCIBARequestSigningAlg, "PS256")), set: keySet(with(ecKey(), func(k *Key) { k.Use = "enc" })), at: "/jwks"},
			{name: "self-signed certificates without keys", profile: ProfileFAPI1Baseline, edit: withCIBA(DeliveryPoll, noKeys, methods(AuthSelfSignedTLS)), at: "/jwks"},
			{name: "push without the grant", profile: ProfileFAPI1Baseline, edit: all(setting(FieldCIBADeliveryMode, "push"), noKeys), at: "/jwks"},
			{name: "with keys", profile: ProfileFAPI1Advanced, edit: grants(GrantCIBA)},
			{name: "self-signed certificates with an encryption key", profile: ProfileFAPI1Baseline, edit: withCIBA(DeliveryPoll, methods(AuthSelfSignedTLS)), set: keySet(with(ecKey(), func(k *Key) { k.Use = "enc" }))},
			{name: "unsigned requests", profile: ProfileFAPI1Advanced, edit: withCIBA(DeliveryPoll, noKeys, methods(AuthTLS))},
			{name: "without a profile", edit: all(grants(GrantCIBA), noKeys)},
		},

		"auth-method-unknown": {
			{name: "unknown", edit: methods("magic"), at: "/client_auth_methods/0"},
			{name: "known", edit: methods(AuthSecretPost)},
		},
		"auth-method-duplicate": {
			{name: "twice", edit: methods(AuthSecretBasic, AuthSecretBasic), at: "/client_auth_methods/1"},
			{name: "two", edit: methods(AuthSecretBasic, AuthSecretPost)},
		},
		"auth-method-public": {
			{name: "secret", edit: func(s *Settings) { s.Confidential = false; s.AuthMethods = []AuthMethod{AuthSecretBasic} }, at: "/client_auth_methods/0"},
			{name: "none", edit: public()},
			{name: "no method at all", edit: func(s *Settings) { s.Confidential = false; s.AuthMethods = nil }},
		},
		"auth-method-confidential": {
			{name: "no method", edit: methods(), at: "/client_auth_methods"},
			{name: "none", edit: methods(AuthSecretBasic, AuthNone), at: "/client_auth_methods/1"},
			{name: "secret", edit: methods(AuthSecretBasic)},
			{name: "public", edit: public()},
		},
		"auth-method-needs-keys": {
			{name: "private_key_jwt", edit: noKeys, at: "/client_auth_methods/0"},
			{name: "self-signed", edit: all(methods(AuthSelfSignedTLS), noKeys), at: "/client_auth_methods/0"},
			{name: "with keys at a URI", edit: keysAt("https://a.example/jwks")},
			{name: "secret", edit: all(methods(AuthSecretBasic), noKeys)},
		},
		"auth-method-needs-certificate": {
			{name: "no x5c", edit: methods(AuthSelfSignedTLS), at: "/jwks"},
			{name: "no x5c at a URI", edit: all(methods(AuthSelfSignedTLS), keysAt("https://a.example/jwks")), at: "/jwks_uri"},
			{name: "with x5c", edit: methods(AuthSelfSignedTLS), set: keySet(certificate(validCertificate()))},
			{name: "another method", edit: methods(AuthPrivateKeyJWT)},
		},
		"auth-method-tls-subject": {
			{name: "none", edit: methods(AuthTLS), at: "/client_auth_methods/0"},
			{
				name: "two", edit: all(methods(AuthTLS), func(s *Settings) { s.TLSSubject = TLSSubject{DN: "CN=a", SANIP: "192.0.2.1"} }),
				at: "/tls_client_auth_san_ip",
			},
			{name: "without the method", edit: func(s *Settings) { s.TLSSubject.SANDNS = "a.example" }, at: "/tls_client_auth_san_dns"},
			{name: "exactly one", edit: all(methods(AuthTLS), func(s *Settings) { s.TLSSubject.SANURI = "https://a.example" })},
			{name: "neither"},
		},
		"tls-subject-dn-syntax": {
			{name: "blanks", edit: subject(TLSSubject{DN: "   "}), at: "/tls_client_auth_subject_dn"},
			{name: "the form of OpenSSL", edit: subject(TLSSubject{DN: "/C=GB/O=X"}), at: "/tls_client_auth_subject_dn"},
			{name: "no attribute", edit: subject(TLSSubject{DN: "app"}), at: "/tls_client_auth_subject_dn"},
			{name: "no type", edit: subject(TLSSubject{DN: "=app"}), at: "/tls_client_auth_subject_dn"},
			{name: "type with a space", edit: subject(TLSSubject{DN: "C N=app"}), at: "/tls_client_auth_subject_dn"},
			{name: "space after a comma", edit: subject(TLSSubject{DN: "CN=app, O=Example"}), at: "/tls_client_auth_subject_dn"},
			{name: "space before the type", edit: subject(TLSSubject{DN: " CN=app"}), at: "/tls_client_auth_subject_dn"},
			{name: "space around the equals sign", edit: subject(TLSSubject{DN: "CN = app"}), at: "/tls_client_auth_subject_dn"},
			{name: "value begins with a space", edit: subject(TLSSubject{DN: "CN= app"}), at: "/tls_client_auth_subject_dn"},
			{name: "value ends in a space", edit: subject(TLSSubject{DN: "CN=app ,O=Example"}), at: "/tls_client_auth_subject_dn"},
			{name: "comma at the end", edit: subject(TLSSubject{DN: "CN=app,"}), at: "/tls_client_auth_subject_dn"},
			{name: "plus sign at the end", edit: subject(TLSSubject{DN: "CN=app+"}), at: "/tls_client_auth_subject_dn"},
			{name: "two commas", edit: subject(TLSSubject{DN: "CN=app,,O=Example"}), at: "/tls_client_auth_subject_dn"},
			{name: "semicolon", edit: subject(TLSSubject{DN: "CN=app;O=Example"}), at: "/tls_client_auth_subject_dn"},
			{name: "quotation marks", edit: subject(TLSSubject{DN: "CN=\"app, Example\""}), at: "/tls_client_auth_subject_dn"},
			{name: "angle bracket", edit: subject(TLSSubject{DN: "CN=<app>"}), at: "/tls_client_auth_subject_dn"},
			{name: "lone backslash", edit: subject(TLSSubject{DN: "CN=app\\"}), at: "/tls_client_auth_subject_dn"},
			{name: "escaped letter", edit: subject(TLSSubject{DN: "CN=\\zapp"}), at: "/tls_client_auth_subject_dn"},
			{name: "odd hexadecimal digits", edit: subject(TLSSubject{DN: "CN=#123"}), at: "/tls_client_auth_subject_dn"},
			{name: "no hexadecimal digits", edit: subject(TLSSubject{DN: "CN=#"}), at: "/tls_client_auth_subject_dn"},
			{name: "not hexadecimal", edit: subject(TLSSubject{DN: "CN=#12x4"}), at: "/tls_client_auth_subject_dn"},
			{name: "escapes that are not UTF-8", edit: subject(TLSSubject{DN: "CN=\\FF"}), at: "/tls_client_auth_subject_dn"},
			{name: "OID prefix", edit: subject(TLSSubject{DN: "OID.2.5.4.3=app"}), at: "/tls_client_auth_subject_dn"},
			{name: "one number", edit: subject(TLSSubject{DN: "2=app"}), at: "/tls_client_auth_subject_dn"},
			{name: "leading zero in an OID", edit: subject(TLSSubject{DN: "2.05=app"}), at: "/tls_client_auth_subject_dn"},
			{name: "type begins with a digit", edit: subject(TLSSubject{DN: "1a=app"}), at: "/tls_client_auth_subject_dn"},
			{name: "one attribute", edit: subject(TLSSubject{DN: "CN=app"})},
			{name: "several", edit: subject(TLSSubject{DN: "CN=app,O=Example,C=DE"})},
			{name: "multi-valued", edit: subject(TLSSubject{DN: "CN=app+UID=7,O=Example"})},
			{name: "OID", edit: subject(TLSSubject{DN: "2.5.4.3=app"})},
			{name: "hexadecimal", edit: subject(TLSSubject{DN: "2.5.4.3=#0c03617070,C=DE"})},
			{name: "escapes", edit: subject(TLSSubject{DN: "CN=a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h\\#i\\=j\\ ,O=x"})},
			{name: "escaped UTF-8", edit: subject(TLSSubject{DN: "CN=Lu\\C4\\8Di\\C4\\87"})},
			{name: "UTF-8", edit: subject(TLSSubject{DN: "CN=Größe"})},
			{name: "escaped space at both ends", edit: subject(TLSSubject{DN: "CN=\\ app\\ "})},
			{name: "space inside", edit: subject(TLSSubject{DN: "CN=my app"})},
			{name: "equals sign in a value", edit: subject(TLSSubject{DN: "CN=a=b"})},
			{name: "number sign inside", edit: subject(TLSSubject{DN: "CN=a#b"})},
			{name: "empty value", edit: subject(TLSSubject{DN: "CN=,O=Example"})},
			{name: "e-mail address", edit: subject(TLSSubject{DN: "emailAddress=app@example.com"})},
			{name: "unset"},
		},
		"tls-san-dns-syntax": {
			{name: "URL", edit: subject(TLSSubject{SANDNS: "https://x"}), at: "/tls_client_auth_san_dns"},
			{name: "wildcard", edit: subject(TLSSubject{SANDNS: "*.example.com"}), at: "/tls_client_auth_san_dns"},
			{name: "blank", edit: subject(TLSSubject{SANDNS: " "}), at: "/tls_client_auth_san_dns"},
			{name: "IPv4", edit: subject(TLSSubject{SANDNS: "192.0.2.1"}), at: "/tls_client_auth_san_dns"},
			{name: "IPv6", edit: subject(TLSSubject{SANDNS: "2001:db8::1"}), at: "/tls_client_auth_san_dns"},
			{name: "port", edit: subject(TLSSubject{SANDNS: "app.example.com:443"}), at: "/tls_client_auth_san_dns"},
			{name: "dot at the end", edit: subject(TLSSubject{SANDNS: "app.example.com."}), at: "/tls_client_auth_san_dns"},
			{name: "underscore", edit: subject(TLSSubject{SANDNS: "my_app.example.com"}), at: "/tls_client_auth_san_dns"},
			{name: "Unicode", edit: subject(TLSSubject{SANDNS: "größe.example"}), at: "/tls_client_auth_san_dns"},
			{name: "empty label", edit: subject(TLSSubject{SANDNS: "a..b"}), at: "/tls_client_auth_san_dns"},
			{name: "number at the end", edit: subject(TLSSubject{SANDNS: "a.1"}), at: "/tls_client_auth_san_dns"},
			{name: "name", edit: subject(TLSSubject{SANDNS: "app.example.com"})},
			{name: "one label", edit: subject(TLSSubject{SANDNS: "app"})},
			{name: "upper case", edit: subject(TLSSubject{SANDNS: "App.Example.com"})},
			{name: "A-label", edit: subject(TLSSubject{SANDNS: "xn--gre-6ka8l.example"})},
			{name: "unset"},
		},
		"tls-san-uri-syntax": {
			{name: "words", edit: subject(TLSSubject{SANURI: "not a uri"}), at: "/tls_client_auth_san_uri"},
			{name: "relative", edit: subject(TLSSubject{SANURI: "/app"}), at: "/tls_client_auth_san_uri"},
			{name: "no host", edit: subject(TLSSubject{SANURI: "https:///app"}), at: "/tls_client_auth_san_uri"},
			{name: "nothing after the scheme", edit: subject(TLSSubject{SANURI: "urn:"}), at: "/tls_client_auth_san_uri"},
			{name: "not ASCII", edit: subject(TLSSubject{SANURI: "https://a.example/größe"}), at: "/tls_client_auth_san_uri"},
			{name: "bad percent-encoding", edit: subject(TLSSubject{SANURI: "https://a.example/%zz"}), at: "/tls_client_auth_san_uri"},
			{name: "https", edit: subject(TLSSubject{SANURI: "https://app.example.com"})},
			{name: "SPIFFE", edit: subject(TLSSubject{SANURI: "spiffe://example/ns/prod/sa/app"})},
			{name: "urn", edit: subject(TLSSubject{SANURI: "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"})},
			{name: "fragment", edit: subject(TLSSubject{SANURI: "https://app.example.com/#a"})},
			{name: "unset"},
		},
		"tls-san-ip-syntax": {
			{name: "numbers over 255", edit: subject(TLSSubject{SANIP: "999.1.1.1"}), at: "/tls_client_auth_san_ip"},
			{name: "name", edit: subject(TLSSubject{SANIP: "app.example.com"}), at: "/tls_client_auth_san_ip"},
			{name: "leading zero", edit: subject(TLSSubject{SANIP: "192.0.2.01"}), at: "/tls_client_auth_san_ip"},
			{name: "short", edit: subject(TLSSubject{SANIP: "127.1"}), at: "/tls_client_auth_san_ip"},
			{name: "zone", edit: subject(TLSSubject{SANIP: "fe80::1%eth0"}), at: "/tls_client_auth_san_ip"},
			{name: "brackets", edit: subject(TLSSubject{SANIP: "[2001:db8::1]"}), at: "/tls_client_auth_san_ip"},
			{name: "prefix", edit: subject(TLSSubject{SANIP: "192.0.2.0/24"}), at: "/tls_client_auth_san_ip"},
			{name: "upper case", edit: subject(TLSSubject{SANIP: "2001:DB8::1"}), at: "/tls_client_auth_san_ip"},
			{name: "not compressed", edit: subject(TLSSubject{SANIP: "2001:db8:0:0:0:0:0:1"}), at: "/tls_client_auth_san_ip"},
			{name: "blank", edit: subject(TLSSubject{SANIP: " "}), at: "/tls_client_auth_san_ip"},
			{name: "IPv4", edit: subject(TLSSubject{SANIP: "192.0.2.1"})},
			{name: "IPv6", edit: subject(TLSSubject{SANIP: "2001:db8::1"})},
			{name: "mapped", edit: subject(TLSSubject{SANIP: "::ffff:192.0.2.1"})},
			{name: "unset"},
		},
		"tls-san-email-syntax": {
			{name: "word", edit: subject(TLSSubject{SANEmail: "nope"}), at: "/tls_client_auth_san_email"},
			{name: "no local part", edit: subject(TLSSubject{SANEmail: "@example.com"}), at: "/tls_client_auth_san_email"},
			{name: "no domain", edit: subject(TLSSubject{SANEmail: "app@"}), at: "/tls_client_auth_san_email"},
			{name: "display name", edit: subject(TLSSubject{SANEmail: "App <app@example.com>"}), at: "/tls_client_auth_san_email"},
			{name: "space", edit: subject(TLSSubject{SANEmail: "my app@example.com"}), at: "/tls_client_auth_san_email"},
			{name: "two dots", edit: subject(TLSSubject{SANEmail: "a..b@example.com"}), at: "/tls_client_auth_san_email"},
			{name: "dot at the end", edit: subject(TLSSubject{SANEmail: "a.@example.com"}), at: "/tls_client_auth_san_email"},
			{name: "not ASCII", edit: subject(TLSSubject{SANEmail: "größe@example.com"}), at: "/tls_client_auth_san_email"},
			{name: "domain not ASCII", edit: subject(TLSSubject{SANEmail: "app@größe.example"}), at: "/tls_client_auth_san_email"},
			{name: "domain with an underscore", edit: subject(TLSSubject{SANEmail: "app@my_host.example"}), at: "/tls_client_auth_san_email"},
			{name: "address without brackets", edit: subject(TLSSubject{SANEmail: "app@192.0.2.1"}), at: "/tls_client_auth_san_email"},
			{name: "bracket left open", edit: subject(TLSSubject{SANEmail: "app@[192.0.2.1"}), at: "/tls_client_auth_san_email"},
			{name: "IPv6 without its tag", edit: subject(TLSSubject{SANEmail: "app@[2001:db8::1]"}), at: "/tls_client_auth_san_email"},
			{name: "quotation left open", edit: subject(TLSSubject{SANEmail: "\"app@example.com"}), at: "/tls_client_auth_san_email"},
			{name: "quotation ended by an escape", edit: subject(TLSSubject{SANEmail: "\"app\\\"@example.com"}), at: "/tls_client_auth_san_email"},
			{name: "mailto", edit: subject(TLSSubject{SANEmail: "mailto:app@example.com"}), at: "/tls_client_auth_san_email"},
			{name: "local part too long", edit: subject(TLSSubject{SANEmail: strings.Repeat("a", 65) + "@example.com"}), at: "/tls_client_auth_san_email"},
			{name: "longest local part", edit: subject(TLSSubject{SANEmail: strings.Repeat("a", 64) + "@example.com"})},
			{name: "IPv4 with the tag of IPv6", edit: subject(TLSSubject{SANEmail: "app@[IPv6:192.0.2.1]"}), at: "/tls_client_auth_san_email"},
			{name: "plain", edit: subject(TLSSubject{SANEmail: "app@example.com"})},
			{name: "plus and dots", edit: subject(TLSSubject{SANEmail: "first.last+tag@example.com"})},
			{name: "quoted", edit: subject(TLSSubject{SANEmail: "\"my @ app\"@example.com"})},
			{name: "address literal", edit: subject(TLSSubject{SANEmail: "app@[192.0.2.1]"})},
			{name: "IPv6 literal", edit: subject(TLSSubject{SANEmail: "app@[IPv6:2001:db8::1]"})},
			{name: "unset"},
		},
		"auth-method-secret-jwt": {
			{name: "client_secret_jwt", edit: methods(AuthSecretJWT), at: "/client_auth_methods/0"},
			{name: "private_key_jwt", edit: methods(AuthPrivateKeyJWT)},
		},
		"auth-method-mixed": {
			{name: "mixed", edit: methods(AuthSecretBasic, AuthPrivateKeyJWT), at: "/client_auth_methods"},
			{name: "two secrets", edit: methods(AuthSecretBasic, AuthSecretPost)},
		},
		"auth-method-baseline": {
			{name: "secret", profile: ProfileFAPI1Baseline, edit: methods(AuthSecretPost), at: "/client_auth_methods/0"},
			{name: "fapi1 is validated as baseline", profile: ProfileFAPI1, edit: methods(AuthSecretBasic), at: "/client_auth_methods/0"},
			{name: "key", profile: ProfileFAPI1Baseline},
			{name: "public", profile: ProfileFAPI1Baseline, edit: public()},
		},
		"auth-method-fapi": {
			{name: "secret in Advanced", profile: ProfileFAPI1Advanced, edit: methods(AuthSecretBasic), at: "/client_auth_methods/0"},
			{name: "none in FAPI 2.0", profile: ProfileFAPI2Security, edit: public(), at: "/client_auth_methods/0"},
			{name: "secret JWT", profile: ProfileFAPI2MessageSigning, edit: methods(AuthPrivateKeyJWT, AuthSecretJWT), at: "/client_auth_methods/1"},
			{name: "key", profile: ProfileFAPI2Security},
			{name: "in Baseline", profile: ProfileFAPI1Baseline, edit: methods(AuthSecretBasic)},
		},
		"confidential-required": {
			{name: "public", profile: ProfileFAPI2Security, edit: public(), at: "/is_confidential"},
			{name: "confidential", profile: ProfileFAPI2Security},
			{name: "Baseline allows public clients", profile: ProfileFAPI1Baseline, edit: public()},
		},

		"scope-syntax": {
			{name: "two in one", edit: scopes("openid profile"), at: "/scopes/0"},
			{name: "empty", edit: scopes("openid", ""), at: "/scopes/1"},
			{name: "quotation mark", edit: scopes(`a"b`), at: "/scopes/0"},
			{name: "backslash", edit: scopes(`a\b`), at: "/scopes/0"},
			{name: "not ASCII", edit: scopes("größe"), at: "/scopes/0"},
			{name: "delete character", edit: scopes("a\x7f"), at: "/scopes/0"},
			{name: "the edges of the range", edit: scopes("!#[]~")},
			{name: "a URI", edit: scopes("https://api.example.com/read")},
		},
		"scope-duplicate": {
			{name: "twice", edit: scopes("a", "b", "a"), at: "/scopes/2"},
			{name: "another case", edit: scopes("a", "A")},
		},
		"scope-offline-access": {
			{name: "without refresh_token", edit: scopes("openid", "offline_access"), at: "/scopes/1"},
			{name: "with it", edit: all(grants(GrantAuthorizationCode, GrantRefreshToken), scopes("openid", "offline_access"))},
		},
		"scope-openid-grant": {
			{name: "client_credentials", edit: all(grants(GrantClientCredentials), scopes("openid")), at: "/scopes/0"},
			{name: "push alone", edit: all(grants(), scopes("openid"), setting(FieldCIBADeliveryMode, "push"))},
			{name: "device_code", edit: all(grants(GrantDeviceCode), scopes("openid"))},
		},

		"jwks-exclusive": {
			{name: "both", secondURI: "https://a.example/jwks", at: "/jwks"},
			{name: "inline"},
			{name: "URI", edit: keysAt("https://a.example/jwks")},
		},
		"jwks-syntax": {
			{name: "malformed", set: &KeySet{Fault: KeySetMalformed, Detail: "it is not JSON"}, at: "/jwks"},
			{name: "readable"},
		},
		"jwks-empty": {
			{name: "empty", set: keySet(), at: "/jwks"},
			{name: "empty at a URI", edit: keysAt("https://a.example/jwks"), set: keySet(), at: "/jwks_uri"},
			{name: "one"},
		},
		"jwks-bounds": {
			{name: "too large", set: &KeySet{Fault: KeySetTooLarge, Detail: "it has over 50 keys"}, at: "/jwks"},
			{name: "one"},
		},
		"jwk-malformed": {
			{name: "malformed", set: keySet(Key{KeyID: "a", Type: ktyEC, Malformed: "its x is missing"}), at: "/jwks"},
			{name: "whole"},
		},
		"jwk-private": {
			{name: "private", set: keySet(Key{KeyID: "a", Type: ktyEC, Private: true}), at: "/jwks"},
			{name: "public"},
		},
		"jwk-symmetric": {
			{name: "symmetric", set: keySet(Key{KeyID: "a", Type: "oct", Symmetric: true}), at: "/jwks"},
			{name: "public"},
		},
		"jwk-rsa-size": {
			{name: "small", set: keySet(with(rsaKey(), func(k *Key) { k.Bits = 2047 })), at: "/jwks"},
			{name: "huge", set: keySet(with(rsaKey(), func(k *Key) { k.Bits = 8193 })), at: "/jwks"},
			{name: "2048", set: keySet(rsaKey())},
			{name: "8192", set: keySet(with(rsaKey(), func(k *Key) { k.Bits = 8192 }))},
		},
		"jwk-rsa-exponent": {
			{name: "one", set: keySet(with(rsaKey(), func(k *Key) { k.Exponent = 1 })), at: "/jwks"},
			{name: "even", set: keySet(with(rsaKey(), func(k *Key) { k.Exponent = 65536 })), at: "/jwks"},
			{name: "three", set: keySet(with(rsaKey(), func(k *Key) { k.Exponent = 3 })), at: "/jwks", level: Warning},
			{name: "65537", set: keySet(rsaKey())},
		},
		"jwk-unsupported": {
			{name: "unknown", set: keySet(ecKey(), Key{KeyID: "b", Type: "AKP", Unsupported: true}), at: "/jwks"},
			{name: "known"},
		},
		"jwk-alg": {
			{name: "none", set: keySet(with(ecKey(), func(k *Key) { k.Algorithm = "none" })), at: "/jwks"},
			{name: "symmetric", set: keySet(with(ecKey(), func(k *Key) { k.Algorithm = "HS256" })), at: "/jwks"},
			{name: "of another type", set: keySet(with(ecKey(), func(k *Key) { k.Algorithm = "RS256" })), at: "/jwks"},
			{name: "of another curve", set: keySet(with(ecKey(), func(k *Key) { k.Algorithm = "ES384" })), at: "/jwks"},
			{name: "signature with an agreement curve", set: keySet(ecKey(), Key{KeyID: "x", Type: ktyOKP, Curve: crvX25519, Algorithm: "EdDSA"}), at: "/jwks"},
			{name: "ES256", set: keySet(with(ecKey(), func(k *Key) { k.Algorithm = "ES256" }))},
			{name: "Ed25519 by its own name", set: keySet(with(edKey(), func(k *Key) { k.Algorithm = "Ed25519" }))},
			{name: "key agreement", set: keySet(with(ecKey(), func(k *Key) { k.Algorithm = "ECDH-ES+A256KW" }))},
		},
		"jwk-use-key-ops": {
			{name: "disagree", set: keySet(with(ecKey(), func(k *Key) { k.Use = "sig"; k.Operations = []string{"encrypt"} })), at: "/jwks"},
			{name: "contradict the other way round", set: keySet(with(ecKey(), func(k *Key) { k.Use = "enc"; k.Operations = []string{"verify"} })), at: "/jwks"},
			{name: "twice", set: keySet(with(ecKey(), func(k *Key) { k.Operations = []string{"verify", "verify"} })), at: "/jwks"},
			{name: "agree", set: keySet(with(ecKey(), func(k *Key) { k.Use = "sig"; k.Operations = []string{"verify"} }))},
		},
		"jwk-use-required": {
			{
				name: "mixed, one without", at: "/jwks",
				set: keySet(ecKey(), with(rsaKey(), func(k *Key) { k.Use = "enc" }), with(edKey(), func(k *Key) { k.Use = "sig" })),
			},
			{name: "mixed, all with", set: keySet(with(ecKey(), func(k *Key) { k.Use = "sig" }), with(rsaKey(), func(k *Key) { k.Use = "enc" }))},
			{name: "signature keys alone", set: keySet(ecKey(), edKey())},
		},
		"jwk-kid-missing": {
			{name: "one of two", set: keySet(ecKey(), with(rsaKey(), func(k *Key) { k.KeyID = "" })), at: "/jwks"},
			{name: "the only one", set: keySet(with(ecKey(), func(k *Key) { k.KeyID = "" })), at: "/jwks", level: Warning},
			{name: "both have one", set: keySet(ecKey(), rsaKey())},
		},
		"jwk-kid-duplicate": {
			{name: "same type and use", set: keySet(ecKey(), ecKey()), at: "/jwks"},
			{name: "another type", set: keySet(ecKey(), with(rsaKey(), func(k *Key) { k.KeyID = "ec" })), at: "/jwks", level: Warning},
			{
				name: "another use", at: "/jwks", level: Warning,
				set: keySet(with(ecKey(), func(k *Key) { k.Use = "sig" }), with(ecKey(), func(k *Key) { k.Use = "enc" })),
			},
			{name: "two names", set: keySet(ecKey(), rsaKey())},
		},
		"jwk-x5c-mismatch": {
			{name: "another key", set: keySet(certificate(Certificate{NotBefore: testNow, NotAfter: testNow})), at: "/jwks"},
			{name: "malformed", set: keySet(certificate(Certificate{Malformed: "its x5c is not base64"})), at: "/jwks"},
			{name: "the key", set: keySet(certificate(validCertificate()))},
		},
		"jwk-x5c-expired": {
			{name: "expired", set: keySet(certificate(Certificate{Matches: true, NotAfter: testNow.Add(-time.Second)})), at: "/jwks"},
			{name: "not yet valid", set: keySet(certificate(Certificate{Matches: true, NotBefore: testNow.Add(time.Second), NotAfter: testNow.Add(time.Hour)})), at: "/jwks"},
			{
				name: "expired, and the client authenticates with it", edit: methods(AuthSelfSignedTLS), level: Violation, at: "/jwks",
				set: keySet(certificate(Certificate{Matches: true, NotAfter: testNow.Add(-time.Second)})),
			},
			{name: "valid", set: keySet(certificate(validCertificate()))},
		},
		"jwk-x5u": {
			{name: "x5u", set: keySet(with(ecKey(), func(k *Key) { k.References = []string{"x5u"} })), at: "/jwks"},
			{name: "none"},
		},
		"jwks-no-signing-key": {
			{name: "encryption key", set: keySet(with(ecKey(), func(k *Key) { k.Use = "enc" })), at: "/jwks"},
			{name: "agreement curve", set: keySet(Key{KeyID: "x", Type: ktyOKP, Curve: crvX25519}), at: "/jwks"},
			{name: "unsupported", set: keySet(Key{KeyID: "x", Type: "AKP", Unsupported: true}), at: "/jwks"},
			{name: "agreement curve for signatures", set: keySet(Key{KeyID: "x", Type: ktyOKP, Curve: crvX25519, Use: "sig"}), at: "/jwks"},
			{name: "X448 with key_ops verify", set: keySet(Key{KeyID: "x", Type: ktyOKP, Curve: crvX448, Operations: []string{"verify"}}), at: "/jwks"},
			{name: "RSA-OAEP for signatures", set: keySet(with(rsaKey(), func(k *Key) { k.Use = "sig"; k.Algorithm = "RSA-OAEP" })), at: "/jwks"},
			{name: "ECDH-ES for signatures", set: keySet(with(ecKey(), func(k *Key) { k.Use = "sig"; k.Algorithm = "ECDH-ES" })), at: "/jwks"},
			{name: "ECDH-ES with key_ops verify", set: keySet(with(ecKey(), func(k *Key) { k.Operations = []string{"verify"}; k.Algorithm = "ECDH-ES" })), at: "/jwks"},
			{name: "alg of another curve", set: keySet(with(ecKey(), func(k *Key) { k.Algorithm = "ES384" })), at: "/jwks"},
			{name: "another use", set: keySet(with(ecKey(), func(k *Key) { k.Use = "tls" })), at: "/jwks"},
			{name: "use in another case", set: keySet(with(ecKey(), func(k *Key) { k.Use = "SIG" })), at: "/jwks"},
			{name: "key_ops for key agreement", set: keySet(with(ecKey(), func(k *Key) { k.Operations = []string{"deriveKey"} })), at: "/jwks"},
			{name: "cannot verify by its operations", set: keySet(with(ecKey(), func(k *Key) { k.Operations = []string{"sign"} })), at: "/jwks"},
			{name: "everything declares signatures", set: keySet(with(rsaKey(), func(k *Key) { k.Use = "sig"; k.Algorithm = "PS256"; k.Operations = []string{"verify"} }))},
			{name: "Ed448", set: keySet(with(edKey(), func(k *Key) { k.Curve = crvEd448 }))},
			{name: "one of two", set: keySet(with(rsaKey(), func(k *Key) { k.Use = "enc" }), with(ecKey(), func(k *Key) { k.Use = "sig" }))},
			{name: "another method", edit: methods(AuthSecretBasic), set: keySet(with(ecKey(), func(k *Key) { k.Use = "enc" }))},
		},
		"jwks-fapi-alg": {
			{name: "P-384", profile: ProfileFAPI1Advanced, set: keySet(with(ecKey(), func(k *Key) { k.Curve = crvP384 })), at: "/jwks"},
			{name: "RSA bound to RS256", profile: ProfileFAPI2Security, set: keySet(with(rsaKey(), func(k *Key) { k.Algorithm = "RS256" })), at: "/jwks"},
			{name: "Ed25519 in FAPI 1.0", profile: ProfileFAPI1Advanced, set: keySet(edKey()), at: "/jwks"},
			{name: "Ed448", profile: ProfileFAPI2Security, set: keySet(with(edKey(), func(k *Key) { k.Curve = crvEd448 })), at: "/jwks"},
			{name: "Ed25519 in FAPI 2.0", profile: ProfileFAPI2Security, set: keySet(edKey())},
			{name: "RSA for PS256", profile: ProfileFAPI1Advanced, set: keySet(rsaKey())},
			{name: "P-256", profile: ProfileFAPI2MessageSigning},
			{name: "without a profile", set: keySet(with(ecKey(), func(k *Key) { k.Curve = crvP384 }))},
		},
		"jwk-fapi-alg": {
			{name: "RS256", profile: ProfileFAPI2Security, set: keySet(ecKey(), with(rsaKey(), func(k *Key) { k.Algorithm = "RS256" })), at: "/jwks"},
			{name: "PS512", profile: ProfileFAPI1Advanced, set: keySet(ecKey(), with(rsaKey(), func(k *Key) { k.Algorithm = "PS512" })), at: "/jwks"},
			{name: "EdDSA in FAPI 1.0", profile: ProfileFAPI1Advanced, set: keySet(ecKey(), with(edKey(), func(k *Key) { k.Algorithm = "EdDSA" })), at: "/jwks"},
			{name: "EdDSA with Ed448", profile: ProfileFAPI2Security, set: keySet(ecKey(), with(edKey(), func(k *Key) { k.Curve = crvEd448; k.Algorithm = "EdDSA" })), at: "/jwks"},
			{name: "PS256", profile: ProfileFAPI1Advanced, set: keySet(with(rsaKey(), func(k *Key) { k.Algorithm = "PS256" }))},
			{name: "EdDSA in FAPI 2.0", profile: ProfileFAPI2Security, set: keySet(with(edKey(), func(k *Key) { k.Algorithm = "EdDSA" }))},
			{name: "an encryption key", profile: ProfileFAPI2Security, set: keySet(ecKey(), with(rsaKey(), func(k *Key) { k.Algorithm = "RSA-OAEP" }))},
		},
		"jwk-fapi-rsa1_5": {
			{name: "RSA1_5", profile: ProfileFAPI1Advanced, set: keySet(ecKey(), with(rsaKey(), func(k *Key) { k.Algorithm = "RSA1_5" })), at: "/jwks"},
			{name: "RSA-OAEP", profile: ProfileFAPI1Advanced, set: keySet(ecKey(), with(rsaKey(), func(k *Key) { k.Algorithm = "RSA-OAEP" }))},
		},
		"jwks-signing-required": {
			{name: "Advanced with mTLS", profile: ProfileFAPI1Advanced, edit: all(methods(AuthTLS), noKeys), at: "/jwks"},
			{name: "Message Signing", profile: ProfileFAPI2MessageSigning, edit: all(methods(AuthTLS), noKeys), at: "/jwks", level: Warning},
			{
				name: "Advanced with mTLS and an encryption key", profile: ProfileFAPI1Advanced, edit: methods(AuthTLS),
				set: keySet(with(ecKey(), func(k *Key) { k.Use = "enc" })), at: "/jwks",
			},
			{
				name: "Advanced with mTLS and an encryption key at a URI", profile: ProfileFAPI1Advanced,
				edit: all(methods(AuthTLS), keysAt("https://a.example/jwks")), set: keySet(with(rsaKey(), func(k *Key) { k.Algorithm = "RSA-OAEP" })), at: "/jwks_uri",
			},
			{
				name: "Advanced with mTLS and a key for another algorithm", profile: ProfileFAPI1Advanced, edit: methods(AuthTLS),
				set: keySet(with(ecKey(), func(k *Key) { k.Curve = crvP384 })), at: "/jwks",
			},
			{
				name: "Message Signing with an encryption key", profile: ProfileFAPI2MessageSigning, edit: methods(AuthTLS),
				set: keySet(with(ecKey(), func(k *Key) { k.Use = "enc" })), at: "/jwks", level: Warning,
			},
			{name: "keys that were not examined", profile: ProfileFAPI1Advanced, edit: all(methods(AuthTLS), keysAt("https://a.example/jwks")), keys: new(KeysUnexamined())},
			{name: "with keys", profile: ProfileFAPI1Advanced},
			{name: "no front channel", profile: ProfileFAPI1Advanced, edit: all(grants(GrantClientCredentials), methods(AuthTLS), noKeys)},
			{name: "Security Profile", profile: ProfileFAPI2Security, edit: all(methods(AuthTLS), noKeys)},
		},
		"jwks-uri-syntax": {
			{name: "http", edit: keysAt("http://a.example/jwks"), at: "/jwks_uri"},
			{name: "relative", edit: keysAt("/jwks"), at: "/jwks_uri"},
			{name: "userinfo", edit: keysAt("https://a:b@a.example/jwks"), at: "/jwks_uri"},
			{name: "fragment", edit: keysAt("https://a.example/jwks#1"), at: "/jwks_uri"},
			{name: "no host", edit: keysAt("https:///jwks"), at: "/jwks_uri"},
			{name: "short IPv4", edit: keysAt("https://127.1/jwks"), at: "/jwks_uri"},
			{name: "in addition to inline keys", secondURI: "http://a.example/jwks", at: "/jwks_uri"},
			{name: "https", edit: keysAt("https://a.example:8443/jwks?v=1")},
		},
		"jwks-uri-address": {
			{name: "loopback", edit: keysAt("https://127.0.0.1/jwks"), at: "/jwks_uri"},
			{name: "localhost", edit: keysAt("https://localhost/jwks"), at: "/jwks_uri"},
			{name: "a name below localhost", edit: keysAt("https://a.LOCALHOST/jwks"), at: "/jwks_uri"},
			{name: "private", edit: keysAt("https://10.1.2.3/jwks"), at: "/jwks_uri"},
			{name: "cloud metadata", edit: keysAt("https://169.254.169.254/latest"), at: "/jwks_uri"},
			{name: "mapped", edit: keysAt("https://[::ffff:10.0.0.1]/jwks"), at: "/jwks_uri"},
			{name: "NAT64", edit: keysAt("https://[64:ff9b::a00:1]/jwks"), at: "/jwks_uri"},
			{name: "rejected by the resolver", edit: keysAt("https://a.example/jwks"), keys: new(KeysRefused()), at: "/jwks_uri"},
			{name: "public", edit: keysAt("https://8.8.8.8/jwks")},
			{
				name: "allowed by the deployment", edit: keysAt("https://10.1.2.3/jwks"),
				policy: Policy{KeyNetworks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
			},
			{
				name: "a host allowed by the deployment", edit: keysAt("https://localhost/jwks"),
				policy: Policy{KeyHosts: []string{"localhost"}},
			},
		},
		"jwks-uri-unreachable": {
			{name: "without a profile", edit: keysAt("https://a.example/jwks"), keys: new(KeysUnreachable("no response in time")), at: "/jwks_uri"},
			{name: "in Baseline", profile: ProfileFAPI1Baseline, edit: keysAt("https://a.example/jwks"), keys: new(KeysUnreachable("no response in time")), at: "/jwks_uri"},
			{name: "in FAPI 2.0", profile: ProfileFAPI2Security, edit: keysAt("https://a.example/jwks"), keys: new(KeysUnreachable("no response in time")), at: "/jwks_uri", level: Violation},
			{
				name: "required by the deployment", edit: keysAt("https://a.example/jwks"), keys: new(KeysUnreachable("no response in time")),
				policy: Policy{KeyPreflight: PreflightRequire}, at: "/jwks_uri", level: Violation,
			},
			{name: "reached", edit: keysAt("https://a.example/jwks")},
		},

		"name-required": {
			{name: "empty", edit: func(s *Settings) { s.Name = "" }, at: "/name"},
			{name: "blank", edit: func(s *Settings) { s.Name = " \u3000" }, at: "/name"},
			{name: "Hangul filler", edit: nameOf("\u3164"), at: "/name"},
			{name: "half-width Hangul filler", edit: nameOf("\uffa0"), at: "/name"},
			{name: "Hangul choseong and jungseong fillers", edit: nameOf("\u115f\u1160"), at: "/name"},
			{name: "blank Braille patterns", edit: nameOf("\u2800 \u2800"), at: "/name"},
			{name: "no-break space", edit: nameOf("\u00a0"), at: "/name"},
			{name: "Ogham space mark", edit: nameOf("\u1680"), at: "/name"},
			{name: "a mark alone", edit: nameOf("\u0301"), at: "/name"},
			{name: "combining grapheme joiner", edit: nameOf("\u034f"), at: "/name"},
			{name: "null notehead", edit: nameOf("\U0001d159"), at: "/name"},
			{name: "soft hyphen", edit: nameOf("\u00ad"), at: "/name"},
			{name: "one letter", edit: func(s *Settings) { s.Name = "x" }},
			{name: "one emoji", edit: nameOf("😀")},
			{name: "one ideograph", edit: nameOf("店")},
			{name: "Braille", edit: nameOf("\u2801\u2800\u2803")},
			{name: "a digit", edit: nameOf("7")},
		},
		"name-text": {
			{name: "control", edit: func(s *Settings) { s.Name = "a\x00b" }, at: "/name"},
			{name: "bidirectional override", edit: func(s *Settings) { s.Name = "a\u202eb" }, at: "/name"},
			{name: "isolate", edit: func(s *Settings) { s.Name = "a\u2066b" }, at: "/name"},
			{name: "zero-width", edit: func(s *Settings) { s.Name = "Pay\u200bPal" }, at: "/name"},
			{name: "private use", edit: func(s *Settings) { s.Name = "\ue000" }, at: "/name"},
			{name: "not UTF-8", edit: func(s *Settings) { s.Name = "a\xffb" }, at: "/name"},
			{name: "non-joiner between Latin letters", edit: nameOf("pay\u200cpal"), at: "/name"},
			{name: "joiner between Latin letters", edit: nameOf("pay\u200dpal"), at: "/name"},
			{name: "non-joiner at the start", edit: nameOf("\u200cمی"), at: "/name"},
			{name: "non-joiner at the end", edit: nameOf("می\u200c"), at: "/name"},
			{name: "non-joiner after a letter that does not join the next", edit: nameOf("دا\u200cر"), at: "/name"},
			{name: "two non-joiners", edit: nameOf("می\u200c\u200cخواهم"), at: "/name"},
			{name: "non-joiner between Arabic and Latin", edit: nameOf("می\u200cx"), at: "/name"},
			{name: "joiner between Arabic letters", edit: nameOf("می\u200dخواهم"), at: "/name"},
			{name: "joiner between an emoji and a letter", edit: nameOf("👩\u200dx"), at: "/name"},
			{name: "joiner at the end of an emoji", edit: nameOf("👩\u200d"), at: "/name"},
			{name: "variation selector after a Latin letter", edit: nameOf("PayPal\ufe0f"), at: "/name"},
			{name: "variation selector after a space", edit: nameOf("a \ufe0fb"), at: "/name"},
			{name: "two variation selectors", edit: nameOf("❤\ufe0f\ufe0f"), at: "/name"},
			{name: "Hangul filler between letters", edit: nameOf("Pay\u3164Pal"), at: "/name"},
			{name: "combining grapheme joiner between letters", edit: nameOf("Pay\u034fPal"), at: "/name"},
			{name: "tags", edit: nameOf("🏴\U000e0067\U000e007f"), at: "/name"},
			{name: "reserved ignorable character", edit: nameOf("a\U000e0fffb"), at: "/name"},
			{name: "Mongolian vowel separator between Latin letters", edit: nameOf("a\u180eb"), at: "/name"},
			{name: "other scripts", edit: func(s *Settings) { s.Name = "Größe 東京 😀 – שלום" }},
			{name: "Persian", edit: nameOf("می\u200cخواهم")},
			{name: "Persian with marks", edit: nameOf("مِی\u0651\u200c\u0650خواهم")},
			{name: "Persian plural", edit: nameOf("کتاب\u200cها")},
			{name: "Hindi with a non-joiner", edit: nameOf("क्\u200cष")},
			{name: "Bengali with a joiner", edit: nameOf("র\u09cd\u200dযাম")},
			{name: "Malayalam chillu of the old form", edit: nameOf("അവന\u0d4d\u200d")},
			{name: "Sinhala", edit: nameOf("ශ\u0dca\u200dරී")},
			{name: "Mongolian", edit: nameOf("ᠬᠠᠷ\u180eᠠ ᠭᠠᠭᠴᠠ\u180b")},
			{name: "emoji of two", edit: nameOf("👩\u200d💻")},
			{name: "emoji with a skin tone", edit: nameOf("👩🏽\u200d💻")},
			{name: "emoji with variation selectors", edit: nameOf("🏳\ufe0f\u200d🌈 ❤\ufe0f 1\ufe0f⃣ 🙂\u200d↔\ufe0f")},
			{name: "family", edit: nameOf("👨\u200d👩\u200d👧\u200d👦")},
			{name: "ideograph with a variant", edit: nameOf("葛\U000e0100飾区")},
			{name: "Arabic number sign", edit: nameOf("\u0600١٢")},
		},
		"link-syntax": {
			{name: "relative", edit: func(s *Settings) { s.LogoURL = "/logo.png" }, at: "/logo_url"},
			{name: "javascript", edit: func(s *Settings) { s.Website = "javascript:alert(1)" }, at: "/website"},
			{name: "userinfo", edit: func(s *Settings) { s.PrivacyPolicy = "https://a@b.example/" }, at: "/privacy_policy"},
			{name: "no host", edit: func(s *Settings) { s.TermsURL = "https://" }, at: "/terms_url"},
			{name: "with a fragment", edit: func(s *Settings) { s.TermsURL = "https://a.example/terms#1" }},
			{name: "empty", edit: func(s *Settings) { s.TermsURL = "" }},
		},
		"link-address": {
			{name: "loopback", edit: setting(FieldLogoURL, "https://127.0.0.1/logo.png"), at: "/logo_url"},
			{name: "localhost", edit: setting(FieldWebsite, "http://LOCALHOST:8080/"), at: "/website"},
			{name: "private", edit: setting(FieldPrivacyPolicy, "https://192.168.0.1/"), at: "/privacy_policy"},
			{name: "metadata of a cloud", edit: setting(FieldTermsURL, "http://169.254.169.254/"), at: "/terms_url"},
			{name: "a name", edit: setting(FieldLogoURL, "https://cdn.example.com/logo.png")},
			{name: "public", edit: setting(FieldLogoURL, "https://8.8.8.8/logo.png")},
		},
		"link-https": {
			{name: "http", edit: func(s *Settings) { s.LogoURL = "http://a.example/logo.png" }, at: "/logo_url"},
			{name: "https", edit: func(s *Settings) { s.LogoURL = "https://a.example/logo.png" }},
		},
		"cors-origin-syntax": {
			{name: "null", edit: func(s *Settings) { s.CORSOrigins = []Origin{"null"} }, at: "/cors_origins/0"},
			{name: "wildcard", edit: func(s *Settings) { s.CORSOrigins = []Origin{"*"} }, at: "/cors_origins/0"},
			{name: "wildcard host", edit: func(s *Settings) { s.CORSOrigins = []Origin{"https://*.a.example"} }, at: "/cors_origins/0"},
			{name: "slash at the end", edit: func(s *Settings) { s.CORSOrigins = []Origin{"https://a.example/"} }, at: "/cors_origins/0"},
			{name: "empty query", edit: func(s *Settings) { s.CORSOrigins = []Origin{"https://a.example?"} }, at: "/cors_origins/0"},
			{name: "upper case", edit: func(s *Settings) { s.CORSOrigins = []Origin{"https://a.example", "https://A.example"} }, at: "/cors_origins/1"},
			{name: "default port", edit: func(s *Settings) { s.CORSOrigins = []Origin{"https://a.example:443"} }, at: "/cors_origins/0"},
			{name: "empty port", edit: func(s *Settings) { s.CORSOrigins = []Origin{"https://a.example:"} }, at: "/cors_origins/0"},
			{name: "long IPv6", edit: func(s *Settings) { s.CORSOrigins = []Origin{"https://[2001:0db8::1]"} }, at: "/cors_origins/0"},
			{name: "leading zero of a port", edit: origin("https://a.example:08443"), at: "/cors_origins/0"},
			{name: "default port of http", edit: origin("http://localhost:80"), at: "/cors_origins/0"},
			{name: "mapped IPv4 in dotted form", edit: origin("https://[::ffff:1.2.3.4]"), at: "/cors_origins/0"},
			{name: "mapped IPv4 not compressed", edit: origin("https://[0:0:0:0:0:ffff:102:304]"), at: "/cors_origins/0"},
			{name: "upper-case IPv6", edit: origin("https://[2001:DB8::1]"), at: "/cors_origins/0"},
			{name: "a single zero group compressed", edit: origin("https://[2001:db8::1:1:1:1:1]"), at: "/cors_origins/0"},
			{name: "the shorter run compressed", edit: origin("https://[2001::1:0:0:0:1]"), at: "/cors_origins/0"},
			{name: "the second of two equal runs compressed", edit: origin("https://[2001:0:0:1::1:1]"), at: "/cors_origins/0"},
			{name: "IPv4 in hexadecimal", edit: origin("https://0x7f.1"), at: "/cors_origins/0"},
			{name: "short IPv4", edit: origin("https://127.1"), at: "/cors_origins/0"},
			{name: "decimal IPv4", edit: origin("https://2130706433"), at: "/cors_origins/0"},
			{name: "Unicode host", edit: origin("https://größe.example"), at: "/cors_origins/0"},
			{name: "upper-case A-label", edit: origin("https://XN--gre-6ka8l.example"), at: "/cors_origins/0"},
			{name: "http", edit: func(s *Settings) { s.CORSOrigins = []Origin{"http://a.example"} }, at: "/cors_origins/0"},
			{name: "mapped IPv4 in groups", edit: origin("https://[::ffff:102:304]")},
			{name: "mapped zero", edit: origin("https://[::ffff:0:0]")},
			{name: "a single zero group", edit: origin("https://[2001:db8:0:1:1:1:1:1]")},
			{name: "the longer run compressed", edit: origin("https://[2001:0:0:1::1]")},
			{name: "the first of two equal runs compressed", edit: origin("https://[2001::1:0:0:1:1]")},
			{name: "IPv4", edit: origin("https://192.0.2.1:8443")},
			{name: "A-label", edit: origin("https://xn--gre-6ka8l.example")},
			{name: "loopback http", edit: func(s *Settings) { s.CORSOrigins = []Origin{"http://localhost:3000", "http://[::1]:3000"} }},
			{name: "https", edit: func(s *Settings) { s.CORSOrigins = []Origin{"https://a.example", "https://a.example:8443"} }},
		},
		"status-unknown": {
			{name: "unknown", edit: func(s *Settings) { s.Status = "paused" }, at: "/status"},
			{name: "empty", edit: func(s *Settings) { s.Status = "" }, at: "/status"},
			{name: "suspended", edit: func(s *Settings) { s.Status = StatusSuspended }},
		},
		"fapi-profile-unknown": {
			{name: "unknown", profile: "fapi3", at: "/fapi_profile"},
			{name: "another case", profile: "FAPI1", at: "/fapi_profile"},
			{name: "fapi2", profile: ProfileFAPI2},
			{name: "none"},
		},
		"fapi-profile-ambiguous": {
			{name: "fapi1", profile: ProfileFAPI1, at: "/fapi_profile"},
			{name: "fapi1-baseline", profile: ProfileFAPI1Baseline},
			{name: "fapi2", profile: ProfileFAPI2},
		},
		"client-id-syntax": {
			{name: "dot", id: ".", at: "/client_id"},
			{name: "dot-dot", id: "..", at: "/client_id"},
			{name: "percent", id: "%2e", at: "/client_id"},
			{name: "not ASCII", id: "größe", at: "/client_id"},
			{name: "backslash", id: `a\b`, at: "/client_id"},
			{name: "question mark", id: "a?b", at: "/client_id"},
			{name: "hash sign", id: "a#b", at: "/client_id"},
			{name: "tab", id: "a\tb", at: "/client_id"},
			{name: "space alone", id: " ", at: "/client_id"},
			{name: "leading space", id: " a", at: "/client_id"},
			{name: "trailing space", id: "a ", at: "/client_id"},
			{name: "address of a metadata document", id: "https://app.example.com/client.json", at: "/client_id"},
			{name: "address of a metadata document in another case", id: "HttpS://a", at: "/client_id"},
			{name: "http address", id: "http://localhost/", at: "/client_id"},
			{name: "scheme of an http address alone", id: "HTTP://", at: "/client_id"},
			{name: "too long", id: ClientID(strings.Repeat("a", MaxClientIDLength+1)), at: "/client_id"},
			{name: "generated"},
			{name: "every unreserved character", id: "aZ09-._~"},
			{name: "URN", id: "urn:example:app:1"},
			{name: "email address", id: "app+test@example.com"},
			{name: "path", id: "/team/app/"},
			{name: "space", id: "my client"},
			{name: "dot segments", id: "a/../b"},
			{name: "another scheme", id: "spiffe://example.com/app"},
			{name: "http without slashes", id: "http:app"},
			{name: "http address inside", id: "app:https://example.com"},
			{name: "slash alone", id: "/"},
			{name: "three dots", id: "..."},
			{name: "begins with a dot", id: ".well-known"},
			{name: "longest", id: ClientID(strings.Repeat("a", MaxClientIDLength))},
		},
	}
}

func TestExamplesViolateExactlyTheExpectedRules(t *testing.T) {
	for _, rule := range Rules() {
		cases := examples()[rule.ID]
		rejected, accepted := 0, 0
		for _, e := range cases {
			t.Run(rule.ID+"/"+e.name, func(t *testing.T) {
				var found Findings
				for _, f := range e.findings(t) {
					if f.Rule == rule.ID {
						found = append(found, f)
					}
				}
				if e.at == "" {
					assert.Empty(t, found)
					return
				}
				require.NotEmpty(t, found, "the rule is not violated")
				level := e.level
				if level == 0 {
					level = rule.Level
				}
				assert.Equal(t, e.at, found[0].Pointer)
				assert.Equal(t, level, found[0].Level)
				assert.Equal(t, rule.Source, found[0].Source)
				assert.NotEmpty(t, found[0].Message)
				if level != rule.Level {
					assert.True(t, rule.Softens, "a rule with two levels must have Softens")
				}
			})
			if e.at == "" {
				accepted++
			} else {
				rejected++
			}
		}
		assert.Positive(t, rejected, "%s has no example that violates it", rule.ID)
		assert.Positive(t, accepted, "%s has no example that does not violate it", rule.ID)
	}
}

func TestEveryExampleBelongsToARule(t *testing.T) {
	ids := map[string]bool{}
	for _, rule := range Rules() {
		assert.False(t, ids[rule.ID], "two rules have the id %s", rule.ID)
		ids[rule.ID] = true
	}
	for id := range examples() {
		assert.True(t, ids[id], "no rule has the id %s", id)
	}
}

// The ids are public: pipelines suppress warnings by id, and dashboards count by id. The
// file lists the published ids. New rules are added to it; existing lines never change.
func TestRuleIDsAreThePublishedOnes(t *testing.T) {
	text, err := os.ReadFile("testdata/published_rules.txt")
	require.NoError(t, err)
	var ids []string
	for _, rule := range Rules() {
		ids = append(ids, rule.ID)
	}
	assert.ElementsMatch(t, strings.Fields(string(text)), ids)
}

func TestAValidConfigurationHasNoFindingInAnyProfile(t *testing.T) {
	for _, profile := range append(Profiles(), ProfileNone) {
		assert.Empty(t, example{profile: profile, edit: declared(profile)}.findings(t), "%q", profile)
	}
}

func TestEveryRuleIsDocumented(t *testing.T) {
	for _, rule := range Rules() {
		assert.NotEmpty(t, rule.Source, rule.ID)
		assert.NotEmpty(t, rule.Summary, rule.ID)
		assert.NotEmpty(t, rule.Subject, rule.ID)
		assert.NotEqual(t, rule.Subject == "Identifier", len(rule.needs) > 0, "%s: client_id is not a field", rule.ID)
		assert.Contains(t, []Level{Violation, Warning}, rule.Level, rule.ID)
		assert.Equal(t, strings.ToLower(rule.ID), rule.ID)
	}
}

// A finding must point to a field that its rule depends on: this distinguishes
// preexisting violations from new ones.
func TestFindingsPointToFieldsThatTheirRuleDependsOn(t *testing.T) {
	needs := map[string][]Field{}
	for _, rule := range Rules() {
		needs[rule.ID] = rule.needs
	}
	for id, cases := range examples() {
		for _, e := range cases {
			for _, f := range e.findings(t) {
				if f.Pointer == clientIDPointer {
					continue
				}
				field, ok := FieldNamed(strings.SplitN(f.Pointer, "/", 3)[1], LastField)
				require.True(t, ok, f.Pointer)
				assert.Contains(t, needs[f.Rule], field, "%s/%s: %s", id, e.name, f.Rule)
			}
		}
	}
}
