package domain

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Findings point to the places that values had in the request, also after others were left out.
func TestFindingsPointIntoTheRequest(t *testing.T) {
	modes := func(list ...ResponseMode) func(*Settings) { return func(s *Settings) { s.ResponseModes = list } }
	for _, tt := range []struct {
		name      string
		policy    RegistrationPolicy
		statement *Statement
		sends     func(*Settings)
		want      []string
	}{
		{
			"a grant",
			RegistrationPolicy{Grants: []GrantType{GrantClientCredentials, GrantRefreshToken}},
			nil,
			all(listed(GrantAuthorizationCode, GrantRefreshToken), redirect()),
			[]string{"/grant_types/0 registration-value-dropped", "/grant_types/1 grant-refresh-alone"},
		},
		{
			"a response type after an unknown one",
			RegistrationPolicy{},
			nil, responseTypes("bogus", "code", "token"),
			[]string{"/response_types/0 registration-value-dropped", "/response_types/2 registration-value-dropped"},
		},
		{
			"a duplicate response mode",
			RegistrationPolicy{},
			nil, modes("bogus", "query", "query"),
			[]string{"/response_modes/0 registration-value-dropped", "/response_modes/2 list-element"},
		},
		{
			"a scope beyond the policy, after one beyond the statement",
			RegistrationPolicy{Scopes: []Scope{"openid", "a"}},
			&Statement{Ceiling: sent(scopes("openid", "b"))}, scopes("a", "openid", "b", "openid"),
			[]string{"/scopes/0 registration-value-dropped", "/scopes/2 registration-value-dropped", "/scopes/3 scope-duplicate"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			outcome := registered(t, SelfRegistration{Metadata: sent(app, tt.sends), Policy: tt.policy, Statement: tt.statement})
			var found []string
			for _, f := range outcome.Findings {
				found = append(found, f.Pointer+" "+f.Rule)
			}
			for _, want := range tt.want {
				assert.Contains(t, found, want)
			}
		})
	}
}

// Messages name the reason, so that the advice can be followed.
func TestTheReasonWhyAValueCannotBeRegistered(t *testing.T) {
	allow := func(list ...AuthMethod) RegistrationPolicy { return RegistrationPolicy{AuthMethods: list} }
	fapi := RegistrationPolicy{Profile: ProfileFAPI2Security}
	for _, tt := range []struct {
		name    string
		policy  RegistrationPolicy
		server  map[string][]string
		sends   []func(*Settings)
		pointer string
		want    string
	}{
		{
			"a response type whose grant the policy does not allow",
			RegistrationPolicy{},
			nil,
			[]func(*Settings){listed(GrantAuthorizationCode, GrantImplicit), responseTypes("code id_token")},
			"/response_types", `no value of this list can be registered; of "code id_token": it needs the grant type implicit, and the policy does not allow it`,
		},
		{
			"a response type that the profile does not allow", fapi, nil,
			[]func(*Settings){keys, responseTypes("code", "code id_token")},
			"/response_types/1", `"code id_token" is left out: the profile fapi2-security does not allow it`,
		},
		{
			"a response type whose grant is not listed",
			RegistrationPolicy{Grants: []GrantType{GrantAuthorizationCode, GrantImplicit}},
			nil,
			[]func(*Settings){responseTypes("code", "id_token")},
			"/response_types/1", `"id_token" is left out: it needs the grant type implicit`,
		},
		{
			"no response type of the policy has the code that the grant needs",
			RegistrationPolicy{ResponseTypes: []ResponseType{"none"}},
			nil,
			[]func(*Settings){listed(GrantAuthorizationCode)},
			"/response_types", `the policy does not allow "code", which follows from the grant types; name a response type that it allows, with its grant types: "none"`,
		},
		{
			"an unknown grant",
			RegistrationPolicy{},
			nil,
			[]func(*Settings){listed(GrantAuthorizationCode, "magic")},
			"/grant_types/1", `"magic" is left out: it is unknown here`,
		},
		{
			"a grant beyond the policy",
			RegistrationPolicy{},
			nil,
			[]func(*Settings){listed(GrantAuthorizationCode, GrantImplicit)},
			"/grant_types/1", `"implicit" is left out: the policy does not allow it`,
		},
		{
			"a grant beyond the server",
			RegistrationPolicy{},
			map[string][]string{"grant_types_supported": {"authorization_code"}},
			[]func(*Settings){listed(GrantAuthorizationCode, GrantRefreshToken)},
			"/grant_types/1", `"refresh_token" is left out: the authorization server does not support it`,
		},
		{
			"none without PKCE", allow(AuthNone), nil,
			[]func(*Settings){methods(AuthSecretPost)},
			"/client_auth_methods",
			`the policy does not allow "client_secret_post", and none replaces a method that is named only if the policy requires PKCE; name none`,
		},
		{
			"a method without its keys", allow(AuthPrivateKeyJWT, AuthTLS), nil,
			[]func(*Settings){methods(AuthSecretPost)},
			"/client_auth_methods",
			`the policy does not allow "client_secret_post", and the metadata do not have what another method needs: private_key_jwt (jwks or jwks_uri), tls_client_auth (one tls_client_auth_* member)`,
		},
		{
			"a method that the profile does not allow", fapi, nil,
			[]func(*Settings){methods(AuthSecretBasic)},
			"/client_auth_methods",
			`the profile fapi2-security does not allow "client_secret_basic", and the metadata do not have what another method needs: private_key_jwt (jwks or jwks_uri)`,
		},
		{
			"a method that the profile does not allow, replaced", fapi, nil,
			[]func(*Settings){methods(AuthSecretBasic), keys},
			"/client_auth_methods",
			`the profile fapi2-security does not allow "client_secret_basic"; private_key_jwt is registered`,
		},
		{
			"no method at all",
			RegistrationPolicy{Profile: ProfileFAPI2Security, AuthMethods: []AuthMethod{AuthNone}},
			nil, nil, "/client_auth_methods",
			`the policy does not allow "client_secret_basic", and there is no method that policy, profile and authorization server allow`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			draft := testBook(t, Policy{}).RegisterSelf(selfIdentity, SelfRegistration{Metadata: sent(append([]func(*Settings){app}, tt.sends...)...), Policy: tt.policy})
			facts := Facts{}
			if tt.server != nil {
				facts.Server = NewServerMetadata(tt.server, false)
			}
			messages := map[string][]string{}
			for _, f := range draft.Decide(facts, testNow).Findings {
				messages[f.Pointer] = append(messages[f.Pointer], f.Message)
			}
			assert.Equal(t, []string{tt.want}, messages[tt.pointer])
		})
	}
}

// A violation in a field that an administrator set says so: the client cannot mend it there.
func TestAViolationInALockedFieldNamesTheLock(t *testing.T) {
	book := testBook(t, Policy{})
	policy := RegistrationPolicy{Grants: []GrantType{GrantAuthorizationCode, GrantClientCredentials}}
	client := registered(t, SelfRegistration{Metadata: sent(app), Policy: policy, Via: ViaOpen}).Client
	client = must(book.Revise(client, sent(responseTypes("code")))).Decide(Facts{}, testNow).Client
	outcome := must(book.ReviseSelf(client, sent(nameOf("App"), listed(GrantClientCredentials)), nil)).Decide(Facts{}, testNow)
	violations := outcome.Findings.Violations()
	require.Len(t, violations, 1)
	assert.Equal(t, "/response_types/0", violations[0].Pointer)
	assert.Contains(t, violations[0].Message, "an administrator set this field, and it keeps its value")
}

// A client that sends back what it has read changes nothing.
func TestWhatAClientReadChangesNothing(t *testing.T) {
	book := testBook(t, Policy{})
	implicit := []GrantType{GrantAuthorizationCode, GrantImplicit}
	for name, policy := range map[string]RegistrationPolicy{
		"response types that follow from the grants": {},
		"response types that the policy allows":      {ResponseTypes: []ResponseType{"code id_token"}, Grants: implicit},
		"one of those that follow":                   {ResponseTypes: []ResponseType{"code"}, Grants: implicit},
	} {
		t.Run(name, func(t *testing.T) {
			client := registered(t, SelfRegistration{Metadata: sent(app, listed(policy.WithDefaults().Grants...)), Policy: policy}).Client
			read := client.Settings()
			read.ResponseTypes = book.Effective(read).ResponseTypes
			outcome := must(book.ReviseSelf(client, ChangeOf(read), nil)).Decide(Facts{}, testNow)
			require.Empty(t, outcome.Findings.Violations())
			assert.Equal(t, client.Revision(), outcome.Client.Revision())
		})
	}
}

// A client that registers itself can follow the advice of the rules that apply to all clients: it
// has no is_confidential, and its name and scopes have other names.
func TestTheAdviceOfTheRulesCanBeFollowedByClients(t *testing.T) {
	granting := func(list ...GrantType) RegistrationPolicy { return RegistrationPolicy{Grants: list} }
	for name, tt := range map[string]struct {
		policy    RegistrationPolicy
		sends     func(*Settings)
		rule      string
		wantsText string
	}{
		"a public client under a profile": {
			RegistrationPolicy{Profile: ProfileFAPI2Security},
			methods(AuthNone), "confidential-required",
			"this profile is for confidential clients only; use an authentication method such as private_key_jwt",
		},
		"client_credentials of a public client": {
			granting(GrantClientCredentials), all(methods(AuthNone), listed(GrantClientCredentials)), "grant-client-credentials-public",
			"only a confidential client may use client_credentials; use an authentication method other than none, or remove the grant",
		},
		"CIBA of a public client": {
			granting(GrantCIBA), all(methods(AuthNone), listed(GrantCIBA)), "grant-ciba-public",
			"a CIBA client must be confidential; use an authentication method other than none, or remove the grant",
		},
		"a name without visible characters": {RegistrationPolicy{}, nameOf("\u2800"), "name-required", "the client needs a name with a visible character"},
		"a scope twice":                     {RegistrationPolicy{}, scopes("openid", "openid"), "scope-duplicate", `"openid" is listed twice; remove one`},
	} {
		t.Run(name, func(t *testing.T) {
			var messages []string
			for _, f := range registered(t, SelfRegistration{Metadata: sent(app, tt.sends), Policy: tt.policy}).Findings {
				if f.Rule == tt.rule {
					messages = append(messages, f.Message)
				}
			}
			assert.Equal(t, []string{tt.wantsText}, messages)
		})
	}
}
