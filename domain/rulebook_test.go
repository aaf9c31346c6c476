package domain

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// stored returns a client as a store would return it, valid or not.
func stored(edit func(*Settings)) Client {
	settings := legal()
	if edit != nil {
		edit(&settings)
	}
	return Restore(State{Identity: Identity{ID: "1", TenantID: "t", ClientID: "c"}, Settings: settings, Revision: 3, CreatedAt: testNow, UpdatedAt: testNow})
}

func rulesOf(findings Findings) []string {
	var ids []string
	for _, f := range findings {
		ids = append(ids, f.Rule)
	}
	return ids
}

func TestRegisterAppliesTheDefaultsOfRFC7591(t *testing.T) {
	book := testBook(t, Policy{})
	client, findings := registerClient(book, Identity{ID: "1"}, ChangeOf(Settings{
		Name: "App", RedirectURIs: []RedirectURI{"https://a.example/"},
	}), KeysUnexamined(), testNow)
	require.Empty(t, findings)
	settings := client.Settings()
	assert.Equal(t, StatusActive, settings.Status)
	assert.True(t, settings.Confidential)
	assert.Equal(t, []GrantType{GrantAuthorizationCode}, settings.GrantTypes)
	assert.Equal(t, []AuthMethod{AuthSecretBasic}, settings.AuthMethods)
	assert.Equal(t, RevisionNumber(1), client.Revision())

	client, findings = registerClient(book, Identity{ID: "1"}, ChangeOf(Settings{
		Name: "App", RedirectURIs: []RedirectURI{"https://a.example/"},
	}, FieldConfidential), KeysUnexamined(), testNow)
	require.Empty(t, findings)
	assert.Equal(t, []AuthMethod{AuthNone}, client.Settings().AuthMethods)
}

func TestRejectedRegistrationReturnsNoClient(t *testing.T) {
	client, findings := registerClient(testBook(t, Policy{}), Identity{ID: "1"}, Change{}, KeysUnexamined(), testNow)
	assert.True(t, findings.HasViolations())
	assert.ElementsMatch(t, []string{"name-required", "grant-needs-redirect-uri"}, rulesOf(findings.Violations()))
	assert.Zero(t, client.Revision())
}

func TestReviseKeepsFieldsThatTheChangeDoesNotName(t *testing.T) {
	before := stored(nil)
	after, findings := reviseClient(testBook(t, Policy{}), before, ChangeOf(Settings{Name: "Another"}), KeysUnexamined(), testNow.AddDate(0, 0, 1))
	require.Empty(t, findings)
	want := before.State()
	want.Settings.Name = "Another"
	want.Revision = 4
	want.UpdatedAt = testNow.AddDate(0, 0, 1)
	assert.Equal(t, want, after.State())
	assert.Equal(t, "My App", before.Settings().Name, "the previous client is unchanged")
}

func TestAChangeWithoutEffectCreatesNoRevision(t *testing.T) {
	before := stored(nil)
	for name, change := range map[string]Change{
		"empty":       {},
		"same values": ChangeOf(Settings{Name: "My App", RedirectURIs: []RedirectURI{"https://app.example.com/callback"}}, FieldCORSOrigins),
	} {
		after, findings := reviseClient(testBook(t, Policy{}), before, change, KeysSeen(*keySet(ecKey())), testNow.AddDate(0, 0, 1))
		assert.Empty(t, findings, name)
		assert.Equal(t, before.State(), after.State(), name)
	}
}

func TestAKeySourceIsReplacedOnlyIfTheOtherIsClearedInTheSameChange(t *testing.T) {
	book := testBook(t, Policy{})
	inline := stored(nil)

	same, findings := reviseClient(book, inline, ChangeOf(Settings{Keys: KeysAt("https://a.example/jwks")}), KeysUnexamined(), testNow)
	assert.Equal(t, []string{"jwks-exclusive"}, rulesOf(findings.Violations()))
	assert.Equal(t, inline.State(), same.State())

	moved, findings := reviseClient(book, inline, ChangeOf(Settings{Keys: KeysAt("https://a.example/jwks")}, FieldJWKS), KeysUnexamined(), testNow)
	require.Empty(t, findings)
	assert.Equal(t, KeysAt("https://a.example/jwks"), moved.Settings().Keys)

	back, findings := reviseClient(book, moved, ChangeOf(Settings{Keys: InlineKeys("{}")}, FieldJWKSURI), KeysSeen(*keySet(ecKey())), testNow)
	require.Empty(t, findings)
	assert.Equal(t, InlineKeys("{}"), back.Settings().Keys)
}

func TestPreexistingViolations(t *testing.T) {
	invalid := func(s *Settings) {
		s.RedirectURIs = []RedirectURI{"https://*.example.com/", "https://app.example.com/callback"}
		s.GrantTypes = []GrantType{GrantAuthorizationCode, GrantPassword}
	}
	suspendedInvalid := all(invalid, func(s *Settings) { s.Status = StatusSuspended })
	tests := []struct {
		name        string
		stored      func(*Settings)
		change      Change
		rejected    []string
		preexisting []string
	}{
		{"an unrelated field can be changed", invalid, ChangeOf(Settings{Name: "x"}), nil, []string{"redirect-uri-wildcard", "grant-password"}},
		{"suspension is never rejected", invalid, ChangeOf(Settings{Status: StatusSuspended}), nil, []string{"redirect-uri-wildcard", "grant-password"}},
		{
			"an element can be added to an invalid one", invalid,
			ChangeOf(Settings{RedirectURIs: []RedirectURI{"https://new.example.com/", "https://*.example.com/"}}),
			nil,
			[]string{"redirect-uri-wildcard", "grant-password"},
		},
		{
			"a second element that violates the same rule is rejected", invalid,
			ChangeOf(Settings{RedirectURIs: []RedirectURI{"https://*.example.com/", "https://*.example.org/"}}),
			[]string{"redirect-uri-wildcard"},
			[]string{"redirect-uri-wildcard", "grant-password"},
		},
		{"the other violation remains if one is fixed", invalid, ChangeOf(Settings{GrantTypes: []GrantType{GrantAuthorizationCode}}), nil, []string{"redirect-uri-wildcard"}},
		{"reactivation rejects all violations", suspendedInvalid, ChangeOf(Settings{Status: StatusActive}), []string{"redirect-uri-wildcard", "grant-password"}, nil},
		{"choosing a profile rejects all violations", invalid, ChangeOf(Settings{Profile: ProfileFAPI2Security}), []string{"redirect-uri-wildcard", "grant-password"}, nil},
		{
			"clearing the profile does not", all(invalid, func(s *Settings) { s.Profile = ProfileFAPI2Security }),
			ChangeOf(Settings{}, FieldProfile),
			nil,
			[]string{"redirect-uri-wildcard", "grant-password"},
		},
		{
			"a change of any field that a rule depends on touches the violation",
			func(s *Settings) { s.RedirectURIs = nil; s.GrantTypes = []GrantType{GrantAuthorizationCode} },
			ChangeOf(Settings{GrantTypes: []GrantType{GrantAuthorizationCode, GrantRefreshToken}}),
			[]string{"grant-needs-redirect-uri"},
			nil,
		},
		{
			"an invalid link does not affect another link",
			func(s *Settings) { s.LogoURL = "/logo" },
			ChangeOf(Settings{Website: Link("https://a.example/")}),
			nil,
			[]string{"link-syntax"},
		},
		{
			"a new violation is rejected, and earlier ones are reported", invalid,
			ChangeOf(Settings{}, FieldName),
			[]string{"name-required"},
			[]string{"redirect-uri-wildcard", "grant-password"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := stored(tt.stored)
			after, findings := reviseClient(testBook(t, Policy{}), before, tt.change, KeysSeen(*keySet(ecKey())), testNow)
			assert.Equal(t, tt.rejected, rulesOf(findings.Violations()))
			var preexisting []string
			for _, f := range findings {
				if f.Preexisting {
					assert.Equal(t, Warning, f.Level)
					preexisting = append(preexisting, f.Rule)
				}
			}
			assert.Equal(t, tt.preexisting, preexisting)
			if tt.rejected != nil {
				assert.Equal(t, before.State(), after.State())
			} else {
				assert.Equal(t, before.Revision()+1, after.Revision())
			}
		})
	}
}

func TestInvalidKeysDoNotRejectAnUnrelatedChange(t *testing.T) {
	small := KeysSeen(*keySet(with(rsaKey(), func(k *Key) { k.Bits = 1024 })))
	before := stored(nil)
	book := testBook(t, Policy{})

	_, findings := reviseClient(book, before, ChangeOf(Settings{Name: "x"}), small, testNow)
	assert.False(t, findings.HasViolations())
	assert.Equal(t, []string{"jwk-rsa-size"}, rulesOf(findings.Warnings()))

	_, findings = reviseClient(book, before, ChangeOf(Settings{Keys: InlineKeys(`{"other":1}`)}), small, testNow)
	assert.Equal(t, []string{"jwk-rsa-size"}, rulesOf(findings.Violations()), "violations of new keys are not preexisting")
}

func TestDraftReportsWhetherKeysAreNeeded(t *testing.T) {
	book := testBook(t, Policy{})
	before := stored(keysAt("https://a.example/jwks"))
	tests := []struct {
		name   string
		change Change
		source KeySource
		fetch  bool
	}{
		{"a name", ChangeOf(Settings{Name: "x"}), KeysAt("https://a.example/jwks"), false},
		{"suspending", ChangeOf(Settings{Status: StatusSuspended}), KeysAt("https://a.example/jwks"), false},
		{"another URI", ChangeOf(Settings{Keys: KeysAt("https://b.example/jwks")}), KeysAt("https://b.example/jwks"), true},
		{"a method", ChangeOf(Settings{AuthMethods: []AuthMethod{AuthSelfSignedTLS}}), KeysAt("https://a.example/jwks"), true},
		{"a profile", ChangeOf(Settings{Profile: ProfileFAPI2}), KeysAt("https://a.example/jwks"), true},
		{"clearing", ChangeOf(Settings{}, FieldJWKSURI), KeySource{}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			source, fetch := must(book.Revise(before, tt.change)).Keys()
			assert.Equal(t, tt.source, source)
			assert.Equal(t, tt.fetch, fetch)
		})
	}
	_, fetch := must(book.Revise(stored(func(s *Settings) { s.Status = StatusSuspended }), ChangeOf(Settings{Status: StatusActive}))).Keys()
	assert.True(t, fetch, "reactivating")
	_, fetch = must(testBook(t, Policy{KeyPreflight: PreflightOff}).Revise(before, ChangeOf(Settings{Keys: KeysAt("https://b.example/jwks")}))).Keys()
	assert.False(t, fetch, "the policy does not fetch keys")
	_, fetch = book.Register(Identity{}, ChangeOf(Settings{Keys: KeysAt("https://b.example/jwks")})).Keys()
	assert.True(t, fetch)
}

func TestAnInvalidPolicyIsRejected(t *testing.T) {
	_, err := NewRulebook(Policy{GrantTypes: []GrantType{"magic"}})
	require.ErrorContains(t, err, "magic")
	_, err = NewRulebook(Policy{KeyPreflight: "maybe"})
	require.ErrorContains(t, err, "maybe")
}

// Values for random configurations: for each field some that are valid, some that are
// not, and some whose validity depends on other fields.
var (
	anyURI = rapid.SampledFrom([]RedirectURI{
		"https://a.example/", "https://A.example", "https://b.example/cb?x=1", "http://127.0.0.1/", "http://a.example/",
		"com.example.app:/cb", "myapp://cb", "https://a.example/#", "", "https://*.a.example/", "javascript:1", "https://[::1/",
	})
	anyGrant   = rapid.SampledFrom(append(GrantTypes(), "magic"))
	anyScope   = rapid.SampledFrom([]Scope{"openid", "offline_access", "profile", "a b", ""})
	anyAuth    = rapid.SampledFrom(append(AuthMethods(), "magic"))
	anyState   = rapid.SampledFrom([]Status{StatusActive, StatusSuspended, "paused"})
	anyLevel   = rapid.SampledFrom(append(Profiles(), ProfileNone, ProfileFAPI1, ProfileFAPI2, "fapi3"))
	anyLink    = rapid.SampledFrom([]Link{"", "https://a.example/", "http://a.example/", "/x"})
	anyName    = rapid.SampledFrom([]string{"", "App", "a\u202eb", "\u3164", "می\u200cخواهم"})
	anyKeys    = rapid.SampledFrom([]string{"", "{}", `{"keys":[]}`})
	anyKeysURI = rapid.SampledFrom([]string{"", "https://a.example/jwks", "http://a.example/jwks", "https://10.0.0.1/"})
)

func anyChange(t *rapid.T) (c Change) {
	values := Settings{
		Name:         anyName.Draw(t, "name"),
		Status:       anyState.Draw(t, "status"),
		Confidential: rapid.Bool().Draw(t, "confidential"),
		RedirectURIs: rapid.SliceOfN(anyURI, 0, 3).Draw(t, "redirect URIs"),
		GrantTypes:   rapid.SliceOfN(anyGrant, 0, 3).Draw(t, "grants"),
		Scopes:       rapid.SliceOfN(anyScope, 0, 3).Draw(t, "scopes"),
		AuthMethods:  rapid.SliceOfN(anyAuth, 0, 2).Draw(t, "methods"),
		Profile:      anyLevel.Draw(t, "profile"),
		Keys:         KeySource{inline: anyKeys.Draw(t, "jwks"), uri: anyKeysURI.Draw(t, "jwks_uri")},
		TLSSubject:   TLSSubject{DN: rapid.SampledFrom([]string{"", "CN=a"}).Draw(t, "dn")},
		LogoURL:      anyLink.Draw(t, "logo"),
		Website:      anyLink.Draw(t, "website"),
	}
	drawAlgorithms(t, &values)
	drawRecord(t, &values)
	for f := range Fields() {
		if rapid.Bool().Draw(t, "names "+f.String()) {
			c.Set(f).set(f.Of(&values))
		}
	}
	return c
}

func anyFacts(t *rapid.T) Keys {
	return rapid.SampledFrom([]Keys{
		KeysUnexamined(),
		KeysSeen(*keySet(ecKey())),
		KeysSeen(*keySet(ecKey(), rsaKey(), edKey())),
		KeysSeen(*keySet(with(ecKey(), func(k *Key) { k.Use = "enc" }))),
		KeysSeen(*keySet(with(rsaKey(), func(k *Key) { k.Bits = 1024 }))),
		KeysSeen(KeySet{Fault: KeySetMalformed}),
		KeysUnreachable("no response in time"),
		KeysRefused(),
	}).Draw(t, "facts")
}

func TestAcceptedRevisionsNeverResultInAnInvalidClient(t *testing.T) {
	book := testBook(t, Policy{})
	rapid.Check(t, func(t *rapid.T) {
		facts := anyFacts(t)
		client, findings := registerClient(book, Identity{ID: "1"}, ChangeOf(Settings{
			Name: "App", GrantTypes: []GrantType{GrantClientCredentials},
		}), facts, testNow)
		if findings.HasViolations() {
			return
		}
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			revised, findings := reviseClient(book, client, anyChange(t), facts, testNow)
			if findings.HasViolations() {
				require.Equal(t, client.State(), revised.State(), "a rejected change has an effect")
				continue
			}
			for _, f := range findings {
				require.False(t, f.Preexisting, "a client that was always valid has a preexisting violation: %+v", f)
			}
			client = revised
			require.False(t, book.Validate(client.Settings(), Facts{Keys: facts}, testNow).HasViolations(), "%+v", client.Settings())
		}
	})
}

func TestValidationDoesNotDependOnTheOrderOfRules(t *testing.T) {
	book := testBook(t, Policy{})
	rapid.Check(t, func(t *rapid.T) {
		settings := anyChange(t).Over(legal())
		facts := anyFacts(t)
		first := book.Validate(settings, Facts{Keys: facts}, testNow)
		require.Equal(t, first, book.Validate(settings, Facts{Keys: facts}, testNow))

		shuffled := &Rulebook{policy: book.policy, rules: rapid.Permutation(book.rules).Draw(t, "order")}
		require.ElementsMatch(t, first, shuffled.Validate(settings, Facts{Keys: facts}, testNow))
	})
}

// A rule must not depend on a field that it does not name: these fields distinguish
// preexisting violations from new ones.
func TestARuleDependsOnlyOnTheFieldsThatItNames(t *testing.T) {
	book := testBook(t, Policy{})
	rapid.Check(t, func(t *rapid.T) {
		settings, other := anyChange(t).Over(legal()), anyChange(t).Over(legal())
		facts := anyFacts(t)
		for _, rule := range book.rules {
			mixed := other
			for _, f := range rule.needs {
				f.Of(&mixed).set(f.Of(&settings))
			}
			if rule.in != everywhere {
				mixed.Profile = settings.Profile
			}
			alone := &Rulebook{policy: book.policy, rules: []Rule{rule}}
			require.Equal(t, alone.Validate(settings, Facts{Keys: facts}, testNow), alone.Validate(mixed, Facts{Keys: facts}, testNow), rule.ID)
		}
	})
}

func TestAnEmptyChangeHasNoEffectOnAnyStoredClient(t *testing.T) {
	book := testBook(t, Policy{})
	rapid.Check(t, func(t *rapid.T) {
		before := stored(func(s *Settings) { *s = anyChange(t).Over(*s) })
		after, findings := reviseClient(book, before, Change{}, anyFacts(t), testNow)
		require.False(t, findings.HasViolations(), "%+v", findings)
		require.Equal(t, before.State(), after.State())
	})
}

func TestSuspensionIsNeverRejected(t *testing.T) {
	book := testBook(t, Policy{})
	rapid.Check(t, func(t *rapid.T) {
		before := stored(func(s *Settings) { *s = anyChange(t).Over(*s) })
		after, findings := reviseClient(book, before, ChangeOf(Settings{Status: StatusSuspended}), anyFacts(t), testNow)
		require.False(t, findings.HasViolations(), "%+v", findings)
		require.Equal(t, StatusSuspended, after.Settings().Status)
	})
}

func TestCompareNamesOnlyFieldsThatTheChangeNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		change := anyChange(t)
		before := legal()
		for _, d := range Compare(before, change.Over(before)) {
			require.True(t, change.Names(d.Field), d.Field)
		}
	})
}

func BenchmarkValidate(b *testing.B) {
	book := testBook(b, Policy{})
	settings := legal()
	settings.RedirectURIs = []RedirectURI{"https://app.example.com/callback", "https://app.example.com/silent", "https://stage.example.com/callback"}
	settings.GrantTypes = append(settings.GrantTypes, GrantRefreshToken)
	facts := KeysSeen(*keySet(ecKey()))
	for b.Loop() {
		book.Validate(settings, Facts{Keys: facts}, testNow)
	}
}
