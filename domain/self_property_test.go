package domain

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// drawMetadata draws what a client sends.
func drawMetadata(t *rapid.T, name string) Change {
	s := Settings{
		Name:                      rapid.SampledFrom([]string{"", "App"}).Draw(t, name+" name"),
		RedirectURIs:              append([]RedirectURI{"https://app.example.com/cb"}, drawSome(t, name+" redirects", RedirectURI("https://evil.example/cb"), "http://127.0.0.1/cb", "com.example.app:/cb", "http://a.example/")...),
		GrantTypes:                append([]GrantType{GrantAuthorizationCode}, drawSome(t, name+" grants", GrantClientCredentials, GrantRefreshToken, GrantImplicit, "urn:example:grant")...),
		ResponseTypes:             append([]ResponseType{"code"}, drawSome(t, name+" response types", ResponseType("id_token"), "code id_token", "bark")...),
		Scopes:                    append([]Scope{"a"}, drawSome(t, name+" scopes", Scope("b"), "z")...),
		AuthorizationDetailsTypes: append([]string{"x"}, drawSome(t, name+" details", "y", "z")...),
		LogoURL:                   rapid.SampledFrom([]Link{"", "https://app.example.com/logo", "https://bank.example/"}).Draw(t, name+" logo"),
		ApplicationType:           rapid.SampledFrom([]ApplicationType{"", "", "", ApplicationWeb, "mobile"}).Draw(t, name+" type"),
		// What the client must not set.
		SkipConsent: true, Owner: "eve", Status: StatusSuspended, RequirePKCE: true, Labels: map[string]string{"example.com/e": "e"},
	}
	if m := rapid.SampledFrom(append(AuthMethods(), "", "unknown")).Draw(t, name+" method"); m != "" {
		s.AuthMethods = []AuthMethod{m}
	}
	if rapid.Bool().Draw(t, name+" keys") {
		s.Keys = InlineKeys("{}")
	}
	return ChangeOf(s)
}

// drawSome draws a list of few of the values.
func drawSome[S any](t *rapid.T, name string, values ...S) []S {
	return slices.DeleteFunc(slices.Clone(values), func(S) bool { return rapid.IntRange(0, 7).Draw(t, name) > 0 })
}

// satisfied fails unless the client's half meets the policy.
func satisfied(t *rapid.T, s Settings, p RegistrationPolicy) {
	for _, raw := range s.RedirectURIs {
		u := parseURI(string(raw))
		assert.Contains(t, p.RedirectKinds, u.redirectKind())
		assert.True(t, p.RedirectHosts == nil || anyMatches(p.RedirectHosts, u.policyHost()), string(raw))
	}
	for _, g := range s.GrantTypes {
		assert.Contains(t, p.Grants, g)
	}
	for _, m := range s.AuthMethods {
		assert.Contains(t, p.AuthMethods, m)
	}
	for _, scope := range s.Scopes {
		assert.True(t, has(p.Scopes, scope), string(scope))
	}
	for _, d := range s.AuthorizationDetailsTypes {
		assert.True(t, has(p.AuthorizationDetailsTypes, d), d)
	}
	for _, r := range s.ResponseTypes {
		assert.True(t, p.ResponseTypes == nil || hasResponseType(p.ResponseTypes, r), string(r))
	}
	assert.True(t, !p.PAR || s.RequirePAR)
	assert.True(t, !p.DPoP || s.DPoPBound)
	assert.True(t, !p.MTLS || s.CertificateBound)
	assert.Equal(t, !slices.Contains(s.AuthMethods, AuthNone), s.Confidential)
}

// workable returns a policy under which registrations often succeed.
func workable(t *rapid.T) RegistrationPolicy {
	p := drawPolicy(t, "policy")
	p.Statement, p.Profile, p.LinkHosts = StatementNone, ProfileNone, LinkHostsWarn
	p.Grants = append(drawSome(t, "more grants", GrantTypes()[1:]...), GrantAuthorizationCode)
	p.RedirectKinds = append(drawSome(t, "more kinds", RedirectLoopback, RedirectPrivateUse), RedirectHTTPS)
	p.RedirectHosts = rapid.SampledFrom([][]string{nil, nil, {"*.example.com"}, {"app.example.com", "127.0.0.1"}}).Draw(t, "more hosts")
	p.SignedRequests = false // it needs keys
	if p.Scopes != nil {
		p.Scopes = append(p.Scopes, "a")
	}
	if p.AuthorizationDetailsTypes != nil {
		p.AuthorizationDetailsTypes = append(p.AuthorizationDetailsTypes, "x")
	}
	if p.ResponseTypes != nil {
		p.ResponseTypes = append(p.ResponseTypes, "code")
	}
	if p.AuthMethods != nil {
		p.AuthMethods = append(p.AuthMethods, AuthNone)
	}
	return p
}

func TestEveryRegistrationAndUpdateSatisfiesThePinnedPolicy(t *testing.T) {
	book := testBook(t, Policy{})
	facts := Facts{Keys: KeysSeen(*keySet(ecKey()))}
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		policy := workable(t)
		r := SelfRegistration{Metadata: drawMetadata(t, "first"), Policy: policy, Via: ViaOpen}
		client := book.RegisterSelf(selfIdentity, r).Decide(facts, testNow).Client
		if client.Revision() == 0 {
			return
		}
		pinned := client.Registration().Policy
		assert.Equal(t, policy.WithDefaults(), pinned)
		satisfied(t, client.Settings(), pinned)
		assert.False(t, client.Settings().SkipConsent)

		administered := Settings{Owner: "platform", SkipConsent: true, AccessTokenLifetime: 77, RequirePKCE: true}
		changed := must(book.Revise(client, ChangeOf(administered))).Decide(facts, testNow).Client
		outcome := must(book.ReviseSelf(changed, drawMetadata(t, "second"), nil)).Decide(facts, testNow)
		satisfied(t, outcome.Client.Settings(), pinned)
		before, after := changed.Settings(), outcome.Client.Settings()
		for f := range Fields() {
			if !SelfFields().Has(f) && f != FieldConfidential {
				assert.Equal(t, Plain(f.Of(&before)), Plain(f.Of(&after)), f.String())
			}
		}
		if outcome.Client.Revision() > changed.Revision() {
			accepted++
		}
	})
	assert.Positive(t, accepted, "some updates are accepted")
}

func TestAnUpdateWithTheSameMetadataChangesNothing(t *testing.T) {
	book := testBook(t, Policy{})
	facts := Facts{Keys: KeysSeen(*keySet(ecKey()))}
	rapid.Check(t, func(t *rapid.T) {
		sent := drawMetadata(t, "metadata")
		client := book.RegisterSelf(selfIdentity, SelfRegistration{Metadata: sent, Policy: workable(t), Via: ViaOpen}).Decide(facts, testNow).Client
		if client.Revision() == 0 {
			return
		}
		again := must(book.ReviseSelf(client, sent, nil)).Decide(facts, testNow)
		assert.Equal(t, client, again.Client)
	})
}

// The answer to a registration is what many clients send back at an update (RFC 7592 §2.2).
func TestAnUpdateWithTheAnswerChangesNothing(t *testing.T) {
	book := testBook(t, Policy{})
	facts := Facts{Keys: KeysSeen(*keySet(ecKey()))}
	rapid.Check(t, func(t *rapid.T) {
		client := book.RegisterSelf(selfIdentity, SelfRegistration{Metadata: drawMetadata(t, "metadata"), Policy: workable(t), Via: ViaOpen}).Decide(facts, testNow).Client
		if client.Revision() == 0 {
			return
		}
		answer := ChangeOf(client.Settings())
		if client.Registration().MadeUpName {
			answer = answer.Without(FieldName)
		}
		again := must(book.ReviseSelf(client, answer, nil)).Decide(facts, testNow)
		assert.Equal(t, client, again.Client)
	})
}
