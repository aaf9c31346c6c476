package domain

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const sectorURL = "https://sector.example.com/uris.json"

func pairwise(s *Settings) { s.SubjectType = SubjectPairwise }

func sectorAt(uri string) func(*Settings) {
	return func(s *Settings) { s.SectorIdentifierURI = uri }
}

// ciba is a CIBA client without redirect URIs and with its keys at a jwks_uri.
func ciba(mode DeliveryMode, edits ...func(*Settings)) func(*Settings) {
	return func(s *Settings) {
		grants(GrantCIBA)(s)
		s.Scopes = []Scope{"openid"}
		s.CIBA.DeliveryMode = mode
		s.Keys = KeysAt("https://keys.example.com/jwks")
		if mode == DeliveryPing || mode == DeliveryPush {
			s.CIBA.NotificationEndpoint = "https://notify.example.com/ciba"
		}
		all(edits...)(s)
	}
}

func subjectExamples() map[string][]example {
	const callback, keys, endpoint = "https://app.example.com/callback", "https://keys.example.com/jwks", "https://notify.example.com/ciba"
	off := Policy{KeyPreflight: PreflightOff}
	noRedirect := func(s *Settings) { s.RedirectURIs = nil }
	syntax := func(name, uri, at string) example { return example{name: name, edit: sectorAt(uri), at: at} }
	return map[string][]example{
		"subject-type-unknown": {
			{name: "upper case", edit: func(s *Settings) { s.SubjectType = "Pairwise" }, at: "/subject_type"},
			{name: "another word", edit: func(s *Settings) { s.SubjectType = "private" }, at: "/subject_type"},
			{name: "unset"},
			{name: "public", edit: func(s *Settings) { s.SubjectType = SubjectPublic }},
			{name: "pairwise", edit: pairwise},
		},
		"sector-identifier-syntax": {
			syntax("relative", "/uris.json", "/sector_identifier_uri"),
			syntax("http", "http://sector.example.com/", "/sector_identifier_uri"),
			syntax("user information", "https://a@sector.example.com/", "/sector_identifier_uri"),
			syntax("fragment", "https://sector.example.com/#a", "/sector_identifier_uri"),
			syntax("trailing dot", "https://sector.example.com./", "/sector_identifier_uri"),
			syntax("Unicode host", "https://größe.example/", "/sector_identifier_uri"),
			syntax("number as host", "https://2130706433/", "/sector_identifier_uri"),
			syntax("wildcard in the host", "https://*.example.com/", "/sector_identifier_uri"),
			syntax("wildcard in the path", "https://sector.example.com/*", "/sector_identifier_uri"),
			syntax("dot segment", "https://sector.example.com/a/../uris.json", "/sector_identifier_uri"),
			syntax("encoded slash", "https://sector.example.com/a%2fb", "/sector_identifier_uri"),
			syntax("no URI", "", ""),
			syntax("plain", sectorURL, ""),
			syntax("port and query", "https://sector.example.com:8443/uris?a=b", ""),
		},
		"sector-identifier-address": {
			syntax("loopback", "https://127.0.0.1/", "/sector_identifier_uri"),
			syntax("localhost", "https://localhost/", "/sector_identifier_uri"),
			syntax("below localhost", "https://a.LOCALHOST/", "/sector_identifier_uri"),
			syntax("private", "https://10.0.0.1/", "/sector_identifier_uri"),
			syntax("link-local", "https://169.254.169.254/", "/sector_identifier_uri"),
			syntax("mapped", "https://[::ffff:10.0.0.1]/", "/sector_identifier_uri"),
			{name: "refused by the resolver", edit: sectorAt(sectorURL), sector: SectorIdentifierRefused(), at: "/sector_identifier_uri"},
			syntax("a name", sectorURL, ""),
			syntax("a public address", "https://8.8.8.8/", ""),
			{name: "a host of the policy", edit: sectorAt("https://localhost/"), policy: Policy{KeyHosts: []string{"localhost"}}},
		},
		"sector-identifier-unreachable": {
			{name: "not fetched", edit: sectorAt(sectorURL), sector: SectorIdentifierUnreachable("status 404"), at: "/sector_identifier_uri"},
			{name: "required", edit: sectorAt(sectorURL), sector: SectorIdentifierUnreachable("status 404"), policy: Policy{KeyPreflight: PreflightRequire}, at: "/sector_identifier_uri"},
			{name: "preflight off", edit: sectorAt(sectorURL), policy: off, at: "/sector_identifier_uri", level: Warning},
			{name: "preflight off, and looked up for a report", edit: sectorAt(sectorURL), policy: off, sector: SectorIdentifierUnreachable("status 404"), at: "/sector_identifier_uri", level: Warning},
			{name: "not looked at", edit: sectorAt(sectorURL)},
			{name: "preflight off and no URI", policy: off},
			{name: "preflight off and a wrong URI", edit: sectorAt("http://sector.example.com/"), policy: off},
			{name: "preflight off and a host that is not public", edit: sectorAt("https://10.0.0.1/"), policy: off},
			{name: "preflight off, and seen for a report", edit: sectorAt(sectorURL), policy: off, sector: SectorIdentifierSeen([]string{callback})},
			{name: "seen", edit: sectorAt(sectorURL), sector: SectorIdentifierSeen([]string{callback})},
		},
		"sector-identifier-content": {
			{name: "not an array", edit: sectorAt(sectorURL), sector: SectorIdentifierMalformed("not a JSON array of strings"), at: "/sector_identifier_uri"},
			{name: "an array", edit: sectorAt(sectorURL), sector: SectorIdentifierSeen(nil)},
			{name: "not looked at", edit: sectorAt(sectorURL)},
		},
		"sector-identifier-missing": {
			{name: "an empty array", edit: sectorAt(sectorURL), sector: SectorIdentifierSeen(nil), at: "/redirect_uris/0"},
			{name: "another URI", edit: sectorAt(sectorURL), sector: SectorIdentifierSeen([]string{"https://app.example.com/callback/"}), at: "/redirect_uris/0"},
			{name: "equivalent and not equal", edit: sectorAt(sectorURL), sector: SectorIdentifierSeen([]string{"https://app.example.com:443/callback"}), at: "/redirect_uris/0"},
			{
				name: "the second redirect URI", edit: all(sectorAt(sectorURL), redirect(callback, "https://app.example.com/other")),
				sector: SectorIdentifierSeen([]string{callback}), at: "/redirect_uris/1",
			},
			{name: "a public client's", edit: public(sectorAt(sectorURL)), sector: SectorIdentifierSeen(nil), at: "/redirect_uris/0"},
			{name: "the jwks_uri with poll", edit: ciba(DeliveryPoll, sectorAt(sectorURL)), sector: SectorIdentifierSeen([]string{callback}), at: "/jwks_uri"},
			{name: "the jwks_uri with ping", edit: ciba(DeliveryPing, sectorAt(sectorURL)), sector: SectorIdentifierSeen([]string{endpoint}), at: "/jwks_uri"},
			{name: "the jwks_uri with no mode", edit: ciba("", sectorAt(sectorURL)), sector: SectorIdentifierSeen(nil), at: "/jwks_uri"},
			{name: "the endpoint with push", edit: ciba(DeliveryPush, sectorAt(sectorURL)), sector: SectorIdentifierSeen([]string{keys}), at: "/backchannel_client_notification_endpoint"},
			{
				name: "the jwks_uri beside redirect URIs", edit: ciba(DeliveryPoll, sectorAt(sectorURL), redirect(callback)),
				sector: SectorIdentifierSeen([]string{callback}), at: "/jwks_uri",
			},
			{name: "contained among others", edit: sectorAt(sectorURL), sector: SectorIdentifierSeen([]string{"https://z.example/", callback, "https://a.example/"})},
			{name: "poll, contained", edit: ciba(DeliveryPoll, sectorAt(sectorURL)), sector: SectorIdentifierSeen([]string{keys})},
			{name: "push, contained", edit: ciba(DeliveryPush, sectorAt(sectorURL)), sector: SectorIdentifierSeen([]string{endpoint})},
			{name: "the jwks_uri without CIBA", edit: all(sectorAt(sectorURL), keysAt(keys)), sector: SectorIdentifierSeen([]string{callback})},
			{name: "not looked at", edit: sectorAt(sectorURL)},
			{name: "no sector_identifier_uri", sector: SectorIdentifierSeen(nil)},
		},
		"sector-identifier-unproven": {
			{name: "device", edit: all(grants(GrantDeviceCode), keysAt(keys), sectorAt(sectorURL)), at: "/sector_identifier_uri"},
			{name: "push without an endpoint", edit: ciba(DeliveryPush, sectorAt(sectorURL), func(s *Settings) { s.CIBA.NotificationEndpoint = "" }), at: "/sector_identifier_uri"},
			{name: "redirect URIs", edit: sectorAt(sectorURL)},
			{name: "poll", edit: ciba(DeliveryPoll, sectorAt(sectorURL))},
			{name: "no sector_identifier_uri", edit: grants(GrantDeviceCode)},
		},
		"sector-identifier-required": {
			{name: "two hosts", edit: all(pairwise, redirect(callback, "https://other.example.com/")), at: "/sector_identifier_uri"},
			{name: "two loopback hosts", edit: public(pairwise, redirect("http://127.0.0.1/", "http://[::1]/")), at: "/sector_identifier_uri"},
			{name: "public", edit: redirect(callback, "https://other.example.com/")},
			{name: "with a sector_identifier_uri", edit: all(pairwise, sectorAt(sectorURL), redirect(callback, "https://other.example.com/"))},
			{name: "one host in two cases", edit: all(pairwise, redirect(callback, "https://APP.example.com/other"))},
			{name: "one host at two ports", edit: all(pairwise, redirect(callback, "https://app.example.com:8443/"))},
			{name: "one IPv6 address in two forms", edit: all(pairwise, redirect("https://[2606:4700::1]/", "https://[2606:4700:0::1]/a"))},
			{name: "a host and a private-use scheme", edit: public(pairwise, redirect(callback, "com.example.app:/cb"))},
		},
		"pairwise-no-sector": {
			{name: "no redirect URI", edit: all(grants(GrantDeviceCode), pairwise), at: "/subject_type"},
			{name: "a private-use scheme", edit: public(pairwise, redirect("com.example.app:/cb")), at: "/subject_type"},
			{name: "push without an endpoint", edit: ciba(DeliveryPush, pairwise, func(s *Settings) { s.CIBA.NotificationEndpoint = "" }), at: "/subject_type"},
			{name: "a jwks_uri and neither CIBA nor device", edit: all(pairwise, noRedirect, keysAt(keys)), at: "/subject_type"},
			{name: "a redirect URI", edit: pairwise},
			{name: "a sector_identifier_uri", edit: all(grants(GrantDeviceCode), pairwise, sectorAt(sectorURL))},
			{name: "device with a jwks_uri", edit: all(grants(GrantDeviceCode), pairwise, keysAt(keys))},
			{name: "poll", edit: ciba(DeliveryPoll, pairwise)},
			{name: "push", edit: ciba(DeliveryPush, pairwise)},
			{name: "public", edit: grants(GrantDeviceCode)},
		},
		"pairwise-ciba-proof": {
			{name: "poll with a secret", edit: ciba(DeliveryPoll, pairwise, methods(AuthSecretBasic)), at: "/subject_type"},
			{name: "ping with a certificate of an authority", edit: ciba(DeliveryPing, pairwise, methods(AuthTLS)), at: "/subject_type"},
			{name: "no mode", edit: ciba("", pairwise, methods(AuthSecretBasic)), at: "/subject_type"},
			{name: "private_key_jwt", edit: ciba(DeliveryPoll, pairwise)},
			{name: "self_signed_tls_client_auth", edit: ciba(DeliveryPoll, pairwise, methods(AuthSelfSignedTLS))},
			{name: "signed requests", edit: ciba(DeliveryPoll, pairwise, methods(AuthSecretBasic), func(s *Settings) { s.CIBA.RequestSigningAlg = "ES256" })},
			{name: "push", edit: ciba(DeliveryPush, pairwise, methods(AuthSecretBasic))},
			{name: "public", edit: ciba(DeliveryPoll, methods(AuthSecretBasic))},
		},
		"pairwise-ciba-sector": {
			{name: "inline keys", edit: ciba(DeliveryPoll, pairwise, func(s *Settings) { s.Keys = InlineKeys("{}") }), at: "/jwks_uri"},
			{name: "inline keys with a sector_identifier_uri", edit: ciba(DeliveryPoll, pairwise, sectorAt(sectorURL), func(s *Settings) { s.Keys = InlineKeys("{}") }), at: "/jwks_uri"},
			{name: "redirect URIs of another host", edit: ciba(DeliveryPing, pairwise, redirect(callback)), at: "/sector_identifier_uri"},
			{name: "the same with a sector_identifier_uri", edit: ciba(DeliveryPing, pairwise, redirect(callback), sectorAt(sectorURL))},
			{name: "redirect URIs of the same host", edit: ciba(DeliveryPing, pairwise, redirect("https://KEYS.example.com:8443/cb"))},
			{name: "no redirect URI", edit: ciba(DeliveryPoll, pairwise)},
			{name: "push with inline keys", edit: ciba(DeliveryPush, pairwise, func(s *Settings) { s.Keys = InlineKeys("{}") })},
			{name: "public", edit: ciba(DeliveryPoll, func(s *Settings) { s.Keys = InlineKeys("{}") })},
		},
		"pairwise-shared-sector": {
			{name: "localhost", edit: public(pairwise, redirect("http://localhost:8080/cb")), at: "/subject_type"},
			{name: "IPv4", edit: public(pairwise, redirect("http://127.0.0.1/cb", "http://127.0.0.1:8080/cb")), at: "/subject_type"},
			{name: "IPv6", edit: public(pairwise, redirect("http://[::1]/cb")), at: "/subject_type"},
			{name: "with a sector_identifier_uri", edit: public(pairwise, sectorAt(sectorURL), redirect("http://localhost/cb"))},
			{name: "another host", edit: pairwise},
			{name: "public", edit: public(redirect("http://localhost/cb"))},
		},
	}
}

func TestDraftReportsWhetherTheSectorIdentifierIsNeeded(t *testing.T) {
	book := testBook(t, Policy{})
	before := stored(sectorAt(sectorURL))
	callback := before.Settings().RedirectURIs[0]
	two := stored(all(sectorAt(sectorURL), redirect(callback, "https://b.example/")))
	tests := map[string]struct {
		before Client
		change Change
		uri    string
		fetch  bool
	}{
		"a name":                   {before, ChangeOf(Settings{Name: "x"}), sectorURL, false},
		"another URI":              {before, ChangeOf(Settings{SectorIdentifierURI: "https://b.example/"}), "https://b.example/", true},
		"another redirect URI":     {before, ChangeOf(Settings{RedirectURIs: []RedirectURI{callback, "https://b.example/"}}), sectorURL, true},
		"one redirect URI less":    {two, ChangeOf(Settings{RedirectURIs: []RedirectURI{callback}}), sectorURL, false},
		"another order":            {two, ChangeOf(Settings{RedirectURIs: []RedirectURI{"https://b.example/", callback}}), sectorURL, false},
		"CIBA by push":             {before, ChangeOf(Settings{CIBA: CIBA{DeliveryMode: DeliveryPush, NotificationEndpoint: "https://b.example/"}}), sectorURL, true},
		"a jwks_uri":               {before, ChangeOf(Settings{Keys: KeysAt("https://b.example/")}, FieldJWKS), sectorURL, false},
		"a jwks_uri with CIBA":     {before, ChangeOf(Settings{Keys: KeysAt("https://b.example/"), CIBA: CIBA{DeliveryMode: DeliveryPoll}}, FieldJWKS), sectorURL, true},
		"a profile":                {before, ChangeOf(Settings{Profile: ProfileFAPI2}), sectorURL, true},
		"clearing":                 {before, ChangeOf(Settings{}, FieldSectorIdentifierURI), "", false},
		"suspending":               {before, ChangeOf(Settings{Status: StatusSuspended}), sectorURL, false},
		"a client without a URI":   {stored(nil), ChangeOf(Settings{RedirectURIs: []RedirectURI{"https://b.example/"}}), "", false},
		"a URI for the first time": {stored(nil), ChangeOf(Settings{SectorIdentifierURI: sectorURL}), sectorURL, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			uri, fetch := must(book.Revise(tt.before, tt.change)).SectorIdentifier()
			assert.Equal(t, tt.uri, uri)
			assert.Equal(t, tt.fetch, fetch)
		})
	}
	suspended := stored(all(sectorAt(sectorURL), func(s *Settings) { s.Status = StatusSuspended }))
	_, fetch := must(book.Revise(suspended, ChangeOf(Settings{Status: StatusActive}))).SectorIdentifier()
	assert.True(t, fetch, "reactivating")
	_, fetch = must(book.Restore(must(before.Delete(testNow)))).SectorIdentifier()
	assert.True(t, fetch, "restoring")
	_, fetch = must(book.Restore(must(suspended.Delete(testNow)))).SectorIdentifier()
	assert.False(t, fetch, "restoring a suspended client")
	_, fetch = book.Register(Identity{}, ChangeOf(before.Settings())).SectorIdentifier()
	assert.True(t, fetch, "registering")
	_, fetch = testBook(t, Policy{KeyPreflight: PreflightOff}).Register(Identity{}, ChangeOf(before.Settings())).SectorIdentifier()
	assert.False(t, fetch, "the policy does not look")
}

func TestPreexistingViolationsOfTheSectorIdentifier(t *testing.T) {
	book := testBook(t, Policy{})
	before := stored(sectorAt(sectorURL))
	callback := before.Settings().RedirectURIs[0]
	decide := func(change Change, sector SectorIdentifier) Findings {
		return must(book.Revise(before, change)).Decide(Facts{Keys: KeysSeen(*keySet(ecKey())), Sector: sector}, testNow).Findings
	}
	add := ChangeOf(Settings{RedirectURIs: []RedirectURI{callback, "https://b.example/"}})

	findings := decide(add, SectorIdentifierSeen([]string{"https://b.example/"}))
	assert.Empty(t, findings.Violations(), "the stored redirect URI left the document earlier")
	require.Len(t, findings.Warnings(), 1)
	assert.Equal(t, "/redirect_uris/0", findings[0].Pointer)
	assert.True(t, findings[0].Preexisting)

	findings = decide(add, SectorIdentifierSeen([]string{string(callback)}))
	require.Len(t, findings.Violations(), 1)
	assert.Equal(t, "/redirect_uris/1", findings.Violations()[0].Pointer)

	assert.Equal(t, []string{"sector-identifier-unreachable"}, rulesOf(decide(add, SectorIdentifierUnreachable("x")).Violations()),
		"no redirect URI is added without a look at the document")
	assert.Equal(t, []string{"sector-identifier-content"}, rulesOf(decide(add, SectorIdentifierMalformed("x")).Violations()))
	assert.Empty(t, decide(ChangeOf(Settings{Name: "x"}), SectorIdentifierUnreachable("x")).Violations())

	moved := ChangeOf(Settings{SectorIdentifierURI: "https://other.example/"})
	assert.Equal(t, []string{"sector-identifier-missing"}, rulesOf(decide(moved, SectorIdentifierSeen(nil)).Violations()),
		"what is known about the new document says nothing about the old one")
}

// The document is fetched only if the draft asks for it, and still every accepted client
// has all of its URIs in the document.
func TestNoSequenceOfRevisionsLeavesAURIOutOfTheDocument(t *testing.T) {
	book := testBook(t, Policy{})
	documents := map[string]SectorIdentifier{
		"":                   SectorIdentifierUnexamined(),
		"https://s.example/": SectorIdentifierSeen([]string{"https://a.example/", "https://keys.example/", "https://notify.example/"}),
		"https://t.example/": SectorIdentifierSeen([]string{"https://a.example/", "https://b.example/"}),
		"https://u.example/": SectorIdentifierUnreachable("x"),
		"https://v.example/": SectorIdentifierMalformed("x"),
	}
	uri := rapid.SampledFrom(slices.Sorted(maps.Keys(documents)))
	redirects := rapid.SliceOfNDistinct(rapid.SampledFrom([]RedirectURI{"https://a.example/", "https://b.example/", "https://c.example/"}), 1, 3, rapid.ID)
	rapid.Check(t, func(t *rapid.T) {
		decide := func(draft *Draft) Outcome {
			facts := Facts{Keys: KeysSeen(*keySet(ecKey()))}
			if at, fetch := draft.SectorIdentifier(); fetch {
				facts.Sector = documents[at]
			}
			return draft.Decide(facts, testNow)
		}
		outcome := decide(book.Register(Identity{ID: "1"}, ChangeTo(legal())))
		require.False(t, outcome.Findings.HasViolations())
		client := outcome.Client
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			values := Settings{
				RedirectURIs: redirects.Draw(t, "redirects"), SectorIdentifierURI: uri.Draw(t, "uri"),
				SubjectType: rapid.SampledFrom([]SubjectType{"", SubjectPairwise}).Draw(t, "subjects"),
				GrantTypes:  rapid.SampledFrom([][]GrantType{{GrantAuthorizationCode}, {GrantAuthorizationCode, GrantCIBA}}).Draw(t, "grants"),
				Keys:        KeysAt("https://keys.example/"),
				CIBA: CIBA{
					DeliveryMode:         rapid.SampledFrom([]DeliveryMode{"", DeliveryPoll, DeliveryPush}).Draw(t, "mode"),
					NotificationEndpoint: "https://notify.example/",
				},
			}
			change := ChangeOf(Settings{}, FieldJWKS)
			for _, f := range []Field{FieldRedirectURIs, FieldSectorIdentifierURI, FieldSubjectType, FieldGrantTypes, FieldJWKSURI, FieldCIBADeliveryMode, FieldCIBANotificationEndpoint} {
				if rapid.Bool().Draw(t, f.String()) {
					change = change.With(f, values)
				}
			}
			outcome := decide(must(book.Revise(client, change)))
			if outcome.Findings.HasViolations() {
				continue
			}
			client = outcome.Client
			settings := client.Settings()
			found := book.Validate(settings, Facts{Keys: KeysSeen(*keySet(ecKey())), Sector: documents[settings.SectorIdentifierURI]}, testNow)
			require.Empty(t, found.Violations(), "%+v", settings)
		}
	})
}
