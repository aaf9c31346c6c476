package domain

import (
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// setting sets a field to a string, a bool, an int, a []string or a map[string]string.
func setting(f Field, value any) func(*Settings) {
	return func(s *Settings) {
		switch at := f.Of(s).(type) {
		case *Text:
			*at = Text(value.(string))
		case *Flag:
			*at = Flag(value.(bool))
		case Texts:
			at.SetTexts(value.([]string))
		case Integer:
			at.SetInt(int64(value.(int)))
		case *Map:
			*at = maps.Clone(Map(value.(map[string]string)))
		}
	}
}

// uris sets a field that holds several URIs.
func uris(f Field, list ...string) func(*Settings) { return setting(f, list) }

func endpoint(f Field, uri string) func(*Settings) { return setting(f, uri) }

func logoutExamples() map[string][]example {
	after := func(list ...string) func(*Settings) { return uris(FieldPostLogoutRedirectURIs, list...) }
	back := func(uri string) func(*Settings) { return endpoint(FieldBackchannelLogoutURI, uri) }
	front := func(uri string) func(*Settings) { return endpoint(FieldFrontchannelLogoutURI, uri) }
	allowed := Policy{PrivateSchemes: []string{"cursor", "oc"}}
	return map[string][]example{
		"post-logout-uri": {
			{name: "relative", edit: after("/bye"), at: "/post_logout_redirect_uris/0"},
			{name: "fragment", edit: after("https://app.example.com/#bye"), at: "/post_logout_redirect_uris/0"},
			{name: "user information", edit: after("https://a@app.example.com/"), at: "/post_logout_redirect_uris/0"},
			{name: "wildcard", edit: after("https://app.example.com/*"), at: "/post_logout_redirect_uris/0"},
			{name: "wildcard in the host", edit: after("https://*.example.com/"), at: "/post_logout_redirect_uris/0"},
			{name: "no host", edit: after("https:///bye"), at: "/post_logout_redirect_uris/0"},
			{name: "short IPv4", edit: after("https://127.1/"), at: "/post_logout_redirect_uris/0"},
			{name: "dot segment", edit: after("https://app.example.com/a/../bye"), at: "/post_logout_redirect_uris/0"},
			{name: "the second of two", edit: after("https://app.example.com/", "javascript:alert(1)"), at: "/post_logout_redirect_uris/1"},
			{name: "out of band", edit: after("urn:ietf:wg:oauth:2.0:oob"), at: "/post_logout_redirect_uris/0"},
			{name: "private-use scheme without a dot", edit: after("myapp:/bye"), at: "/post_logout_redirect_uris/0"},
			{name: "another scheme than the allowed ones", edit: after("myapp:/bye"), policy: allowed, at: "/post_logout_redirect_uris/0"},
			{name: "an allowed scheme", edit: after("Cursor://bye"), policy: allowed, at: "/post_logout_redirect_uris/0", level: Warning},
			{name: "an allowed scheme with a fragment", edit: after("oc:/bye#"), policy: allowed, at: "/post_logout_redirect_uris/0"},
			{name: "private-use scheme", edit: after("com.example.app:/bye")},
			{name: "https with a query", edit: after("https://app.example.com/bye?from=op")},
			{name: "loopback", edit: after("http://localhost:8080/bye")},
		},
		"post-logout-uri-http": {
			{name: "http", edit: after("http://app.example.com/bye"), at: "/post_logout_redirect_uris/0"},
			{name: "a name that begins like a loopback one", edit: after("http://localhost.example.com/"), at: "/post_logout_redirect_uris/0"},
			{name: "loopback", edit: public(after("http://127.0.0.1:49152/bye"))},
			{name: "https", edit: after("https://app.example.com/bye")},
		},
		"post-logout-uri-host": {
			{name: "another host", edit: after("https://evil.example/bye"), at: "/post_logout_redirect_uris/0"},
			{name: "no redirect URI", edit: all(grants(GrantDeviceCode), after("https://app.example.com/")), at: "/post_logout_redirect_uris/0"},
			{name: "a subdomain", edit: after("https://sub.app.example.com/"), at: "/post_logout_redirect_uris/0"},
			{name: "the same host at another port", edit: after("https://APP.example.com:8443/bye")},
			{name: "another form of the same address", edit: all(redirect("https://[2001:db8:0::1]/"), after("https://[2001:db8::1]/"))},
			{name: "a private-use scheme has no host", edit: after("com.example.app:/bye")},
		},
		"post-logout-uri-duplicate": {
			{name: "the same", edit: after("https://app.example.com/bye", "https://app.example.com/bye"), at: "/post_logout_redirect_uris/1"},
			{name: "case of the host", edit: after("https://app.example.com/bye", "HTTPS://APP.example.com/bye"), at: "/post_logout_redirect_uris/1"},
			{name: "encoded letter", edit: after("https://app.example.com/%62ye", "https://app.example.com/bye"), at: "/post_logout_redirect_uris/1"},
			{name: "empty path", edit: after("https://app.example.com", "https://app.example.com/")},
			{name: "default port", edit: after("https://app.example.com/", "https://app.example.com:443/")},
			{name: "case of the path", edit: after("https://app.example.com/bye", "https://app.example.com/Bye")},
		},
		"logout-uri": {
			{name: "another scheme", edit: back("com.example.app:/logout"), at: "/backchannel_logout_uri"},
			{name: "fragment", edit: back("https://app.example.com/#"), at: "/backchannel_logout_uri"},
			{name: "user information", edit: front("https://a:b@app.example.com/"), at: "/frontchannel_logout_uri"},
			{name: "relative", edit: front("/logout"), at: "/frontchannel_logout_uri"},
			{name: "wildcard", edit: front("https://app.example.com/*"), at: "/frontchannel_logout_uri"},
			{name: "encoded slash", edit: back("https://app.example.com/a%2flogout"), at: "/backchannel_logout_uri"},
			{name: "Unicode host", edit: back("https://größe.example/"), at: "/backchannel_logout_uri"},
			{name: "both", edit: all(back("https://app.example.com/back"), front("https://app.example.com/front?a=b"))},
		},
		"logout-uri-http": {
			{name: "confidential", edit: back("http://app.example.com/"), at: "/backchannel_logout_uri", level: Warning},
			{name: "public", edit: public(front("http://app.example.com/")), at: "/frontchannel_logout_uri"},
			{name: "in Baseline", profile: ProfileFAPI1Baseline, edit: back("http://app.example.com/"), at: "/backchannel_logout_uri", level: Warning},
			{name: "in Advanced", profile: ProfileFAPI1Advanced, edit: back("http://app.example.com/"), at: "/backchannel_logout_uri"},
			{name: "in FAPI 2.0", profile: ProfileFAPI2, edit: front("http://app.example.com/"), at: "/frontchannel_logout_uri"},
			{name: "https", profile: ProfileFAPI2MessageSigning, edit: public(back("https://app.example.com/"))},
		},
		"frontchannel-logout-origin": {
			{name: "another host", edit: front("https://other.example.com/"), at: "/frontchannel_logout_uri"},
			{name: "another port", edit: front("https://app.example.com:8443/"), at: "/frontchannel_logout_uri"},
			{name: "another scheme", edit: front("http://app.example.com/"), at: "/frontchannel_logout_uri"},
			{name: "no redirect URI", edit: all(grants(GrantDeviceCode), front("https://app.example.com/")), at: "/frontchannel_logout_uri"},
			{name: "case and default port", edit: front("HTTPS://App.Example.com:443/logout")},
			{name: "of the second redirect URI", edit: all(redirect("https://a.example/", "https://b.example:8443/cb"), front("https://b.example:8443/"))},
		},
		"backchannel-logout-address": callbackAddressExamples(back, "/backchannel_logout_uri"),
		"logout-session-alone": {
			{name: "back channel", edit: setting(FieldBackchannelLogoutSession, true), at: "/backchannel_logout_session_required"},
			{name: "front channel", edit: setting(FieldFrontchannelLogoutSession, true), at: "/frontchannel_logout_session_required"},
			{name: "the other URI", edit: all(setting(FieldFrontchannelLogoutSession, true), back("https://app.example.com/")), at: "/frontchannel_logout_session_required"},
			{name: "with the URI", edit: all(setting(FieldBackchannelLogoutSession, true), back("https://app.example.com/"))},
		},
	}
}

// callbackAddressExamples are those of the rules on hosts that authorization servers send
// requests to.
func callbackAddressExamples(edit func(string) func(*Settings), at string) []example {
	var list []example
	add := func(uri string, policy Policy, rejected bool) {
		e := example{name: uri, edit: edit(uri), policy: policy}
		switch {
		case policy.PrivateNetworks:
			e.name += " with private networks"
		case policy.Loopback:
			e.name += " in development"
		}
		if rejected {
			e.at = at
		}
		list = append(list, e)
	}
	networks, dev := Policy{PrivateNetworks: true}, Policy{Loopback: true}
	keys := Policy{KeyHosts: []string{"localhost"}}
	for _, uri := range []string{"https://127.0.0.1/", "https://127.9.9.9/", "https://[::1]/", "https://localhost/", "https://a.LocalHost/"} {
		add(uri, Policy{}, true)
		add(uri, networks, true)
		add(uri, dev, false)
	}
	for _, uri := range []string{"https://10.0.0.1/", "https://172.16.0.1/", "https://192.168.1.1/", "https://[fd12:3456::1]/"} {
		add(uri, Policy{}, true)
		add(uri, networks, false)
		add(uri, dev, true)
	}
	for _, uri := range []string{
		"https://169.254.169.254/", "https://[fe80::1]/", "https://0.0.0.0/", "https://[::]/", "https://224.0.0.1/", "https://[ff02::1]/",
		"https://[::ffff:10.0.0.1]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:8.8.8.8]/", "https://[64:ff9b::a00:1]/", "https://100.64.0.1/",
	} {
		add(uri, Policy{}, true)
		add(uri, Policy{PrivateNetworks: true, Loopback: true}, true)
	}
	add("https://localhost/", keys, true) // the registry may fetch keys there; that is another program
	add("https://8.8.8.8/", Policy{}, false)
	add("https://app.example.com/", Policy{}, false)
	return list
}

func TestAnAllowedPrivateSchemeMustBeOne(t *testing.T) {
	for _, scheme := range []string{"https", "javascript", "Cursor", "1a", "", "a b", "cursor:"} {
		_, err := NewRulebook(Policy{PrivateSchemes: []string{"cursor", scheme}})
		require.ErrorContains(t, err, quoted(scheme))
	}
	_, err := NewRulebook(Policy{PrivateSchemes: []string{"cursor", "oc", "vscode"}})
	require.NoError(t, err)
}

// A violation about one of several fields that a rule looks at separately stays a warning
// if another of them is changed, and only then.
func TestAViolationOfOneFieldDoesNotRejectAnother(t *testing.T) {
	bad := all(
		endpoint(FieldBackchannelLogoutURI, "https://app.example.com/#"),
		setting(FieldAccessTokenLifetime, 5),
		setting(FieldDescription, "a\u200bb"),
		setting(FieldContacts, []string{"a@example.com", "a@example.com"}),
		setting(FieldLabels, map[string]string{"tier": "gold"}),
	)
	existing := []string{"logout-uri", "lifetime-range", "label-syntax", "text-deceptive", "list-element"}
	change := Change{}
	for f, value := range map[Field]any{
		FieldFrontchannelLogoutURI: "https://app.example.com/logout", FieldRefreshTokenLifetime: 3600, FieldOwner: "payments",
		FieldResources: []string{"https://api.example.com"}, FieldLabels: map[string]string{"tier": "gold", "example.com/tier": "gold"},
	} {
		var s Settings
		setting(f, value)(&s)
		change.Set(f).set(f.Of(&s))
	}
	book := testBook(t, Policy{})
	_, findings := reviseClient(book, stored(bad), change, KeysSeen(*keySet(ecKey())), testNow)
	assert.Empty(t, findings.Violations())
	var preexisting []string
	for _, f := range findings {
		if f.Preexisting {
			preexisting = append(preexisting, f.Rule)
		}
	}
	assert.Equal(t, existing, preexisting)

	for rule, worse := range map[string]func(*Settings){
		"logout-uri":     endpoint(FieldBackchannelLogoutURI, "https://app.example.com/b#"),
		"lifetime-range": setting(FieldAccessTokenLifetime, 6),
		"text-deceptive": setting(FieldDescription, "c\u200bd"),
		"list-element":   setting(FieldContacts, []string{"b@example.com", "b@example.com"}),
		"label-syntax":   setting(FieldLabels, map[string]string{"level": "gold"}),
	} {
		var s Settings
		worse(&s)
		_, findings := reviseClient(book, stored(bad), ChangeOf(s), KeysSeen(*keySet(ecKey())), testNow)
		assert.Equal(t, []string{rule}, rulesOf(findings.Violations()))
	}
}

func TestLongLabelNamesAreNotInPointers(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	findings := example{edit: setting(FieldLabels, map[string]string{long: "a\u200bb", "example.com/a~b": ""})}.findings(t)
	for _, f := range findings {
		assert.Less(t, len(f.Pointer)+len(f.Message), 500, f.Rule)
	}
	assert.Equal(t, []string{"label-syntax", "label-syntax", "text-deceptive"}, rulesOf(findings))
}
