package domain

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

func requestExamples() map[string][]example {
	login := func(uri string) func(*Settings) { return endpoint(FieldInitiateLoginURI, uri) }
	request := func(list ...string) func(*Settings) { return uris(FieldRequestURIs, list...) }
	details := func(list ...string) func(*Settings) { return setting(FieldAuthorizationDetailsTypes, list) }
	hash := strings.Repeat("aZ0-_", 8) + "abc"
	machine := grants(GrantClientCredentials)
	return map[string][]example{
		"login-uri": {
			{name: "http", edit: login("http://app.example.com/login"), at: "/initiate_login_uri"},
			{name: "loopback http", edit: login("http://localhost/login"), at: "/initiate_login_uri"},
			{name: "fragment", edit: login("https://app.example.com/#login"), at: "/initiate_login_uri"},
			{name: "private-use scheme", edit: login("com.example.app:/login"), at: "/initiate_login_uri"},
			{name: "https", edit: login("https://app.example.com/login?from=op")},
		},
		"login-uri-host": {
			{name: "another host", edit: login("https://other.example.com/login"), at: "/initiate_login_uri"},
			{name: "the same host", edit: login("https://APP.example.com:8443/login")},
		},
		"request-uri-syntax": {
			{name: "http", edit: request("http://app.example.com/r.jwt"), at: "/request_uris/0"},
			{name: "a urn of a pushed request", edit: request("urn:ietf:params:oauth:request_uri:abc"), at: "/request_uris/0"},
			{name: "user information", edit: request("https://a@app.example.com/r.jwt"), at: "/request_uris/0"},
			{name: "wildcard", edit: request("https://app.example.com/*"), at: "/request_uris/0"},
			{name: "dot segment", edit: request("https://app.example.com/r.jwt", "https://app.example.com/%2e%2e/r.jwt"), at: "/request_uris/1"},
			{name: "hexadecimal IPv4", edit: request("https://0x7f.0.0.1/"), at: "/request_uris/0"},
			{name: "with a hash", edit: request("https://app.example.com/r.jwt#" + hash)},
			{name: "a * in the query", edit: request("https://app.example.com/r.jwt?a=*")},
		},
		"request-uri-address": {
			{name: "loopback", edit: request("https://127.0.0.1/"), at: "/request_uris/0"},
			{name: "loopback in development", edit: request("https://localhost/"), policy: Policy{Loopback: true, PrivateNetworks: true}, at: "/request_uris/0"},
			{name: "private", edit: request("https://10.0.0.1/"), at: "/request_uris/0"},
			{name: "private, with private networks", edit: request("https://10.0.0.1/"), policy: Policy{PrivateNetworks: true}, at: "/request_uris/0"},
			{name: "metadata of a cloud", edit: request("https://169.254.169.254/latest"), at: "/request_uris/0"},
			{name: "mapped", edit: request("https://[::ffff:a00:1]/"), at: "/request_uris/0"},
			{name: "public", edit: request("https://8.8.8.8/", "https://app.example.com/")},
		},
		"request-uri-hash": {
			{name: "short", edit: request("https://app.example.com/r.jwt#abc"), at: "/request_uris/0"},
			{name: "empty", edit: request("https://app.example.com/r.jwt#"), at: "/request_uris/0"},
			{name: "padded", edit: request("https://app.example.com/r.jwt#" + hash[:42] + "="), at: "/request_uris/0"},
			{name: "long", edit: request("https://app.example.com/r.jwt#" + hash + "a"), at: "/request_uris/0"},
			{name: "a hash", edit: request("https://app.example.com/r.jwt#" + hash)},
			{name: "none", edit: request("https://app.example.com/r.jwt")},
		},
		"request-uri-length": {
			{name: "513 characters", edit: request("https://app.example.com/" + strings.Repeat("a", 489)), at: "/request_uris/0"},
			{name: "512 characters", edit: request("https://app.example.com/" + strings.Repeat("a", 488))},
		},
		"request-uri-unused": {
			{name: "FAPI 2.0", profile: ProfileFAPI2Security, edit: request("https://app.example.com/r.jwt"), at: "/request_uris"},
			{name: "Message Signing", profile: ProfileFAPI2MessageSigning, edit: request("https://app.example.com/r.jwt"), at: "/request_uris"},
			{name: "FAPI 1.0", profile: ProfileFAPI1Advanced, edit: request("https://app.example.com/r.jwt")},
			{name: "none", profile: ProfileFAPI2Security},
		},
		"request-demand-unused": {
			{name: "PAR", edit: all(machine, setting(FieldRequirePAR, true)), at: "/require_pushed_authorization_requests"},
			{name: "signed requests", edit: all(machine, setting(FieldRequireSignedRequestObject, true)), at: "/require_signed_request_object"},
			{name: "with authorization_code", edit: all(setting(FieldRequirePAR, true), setting(FieldRequireSignedRequestObject, true))},
		},
		"redirecting-unused": {
			{name: "response modes", edit: all(machine, setting(FieldResponseModes, []string{"query"})), at: "/response_modes"},
			{name: "request URIs", edit: all(machine, request("https://app.example.com/r.jwt")), at: "/request_uris"},
			{name: "login", edit: all(machine, login("https://app.example.com/login")), at: "/initiate_login_uri"},
			{name: "front-channel logout", edit: all(machine, setting(FieldFrontchannelLogoutURI, "https://app.example.com/")), at: "/frontchannel_logout_uri"},
			{name: "its session", edit: all(machine, setting(FieldFrontchannelLogoutSession, true)), at: "/frontchannel_logout_session_required"},
			{name: "back-channel logout", edit: all(machine, setting(FieldBackchannelLogoutURI, "https://app.example.com/"))},
			{name: "with implicit", edit: all(grants(GrantImplicit), login("https://app.example.com/login"))},
		},
		"authorization-details-type": {
			{name: "empty", edit: details("payment_initiation", ""), at: "/authorization_details_types/1"},
			{name: "control character", edit: details("payment\n"), at: "/authorization_details_types/0"},
			{name: "control character of Latin-1", edit: details("payment\u0085"), at: "/authorization_details_types/0"},
			{name: "twice", edit: details("a", "b", "a"), at: "/authorization_details_types/2"},
			{name: "a URI and a space", edit: details("https://example.com/payment", "größe und art")},
		},
	}
}

// What is accepted as an endpoint must read the same to a parser of another kind, and must
// not be at an address that is not public.
func FuzzEndpoint(f *testing.F) {
	for _, cases := range examples() {
		for _, e := range cases {
			settings := legal()
			if e.edit != nil {
				e.edit(&settings)
			}
			for _, field := range []Field{FieldBackchannelLogoutURI, FieldCIBANotificationEndpoint, FieldInitiateLoginURI} {
				f.Add(string(*field.Of(&settings).(*Text)))
			}
			for _, u := range settings.RequestURIs {
				f.Add(string(u))
			}
		}
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u := parseURI(raw)
		if u.formFault(formEndpoint) != "" {
			return
		}
		other, err := url.Parse(raw)
		if err != nil {
			t.Fatalf("accepted %q, which net/url cannot read: %v", raw, err)
		}
		if other.Scheme != "https" || other.Host != u.hostPort() || other.User != nil || strings.Contains(raw, "#") {
			t.Fatalf("accepted %q, which net/url reads as %#v", raw, other)
		}
		ip, err := netip.ParseAddr(other.Hostname())
		if err == nil && IsPublicAddress(ip) != (u.reach() == reachPublic) {
			t.Fatalf("%q has the address %s and the reach %d", raw, ip, u.reach())
		}
	})
}
