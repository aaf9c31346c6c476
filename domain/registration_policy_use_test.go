package domain

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestPoliciesUnderWhichNoClientCanBeRegistered(t *testing.T) {
	type p = RegistrationPolicy
	implicit := []GrantType{GrantAuthorizationCode, GrantImplicit}
	for name, tt := range map[string]struct {
		policy p
		keys   []string
	}{
		"the defaults":                             {p{}, nil},
		"open":                                     {p{Open: true}, nil},
		"no grants":                                {p{Grants: []GrantType{}}, []string{"/grants"}},
		"refresh_token alone":                      {p{Grants: []GrantType{GrantRefreshToken}}, []string{"/grants"}},
		"an extension grant alone":                 {p{Grants: []GrantType{"urn:example:grant"}}, []string{"/grants"}},
		"open, client_credentials":                 {p{Open: true, Grants: []GrantType{GrantClientCredentials}}, []string{"/grants"}},
		"client_credentials":                       {p{Grants: []GrantType{GrantClientCredentials}}, nil},
		"no methods":                               {p{AuthMethods: []AuthMethod{}}, []string{"/auth_methods"}},
		"client_secret_jwt":                        {p{AuthMethods: []AuthMethod{AuthSecretJWT}}, []string{"/auth_methods"}},
		"open, a secret":                           {p{Open: true, AuthMethods: []AuthMethod{AuthSecretBasic}}, []string{"/auth_methods"}},
		"a profile, no key":                        {p{Profile: ProfileFAPI2Security, AuthMethods: []AuthMethod{AuthNone, AuthSecretBasic}}, []string{"/auth_methods"}},
		"a profile, a key":                         {p{Profile: ProfileFAPI2Security, AuthMethods: []AuthMethod{AuthNone, AuthPrivateKeyJWT}}, nil},
		"a profile":                                {p{Profile: ProfileFAPI1Advanced}, nil},
		"client_credentials without a method":      {p{Grants: []GrantType{GrantClientCredentials}, AuthMethods: []AuthMethod{AuthNone}}, []string{"/auth_methods"}},
		"no kinds":                                 {p{RedirectKinds: []RedirectKind{}}, []string{"/redirect_kinds"}},
		"no hosts":                                 {p{RedirectHosts: []string{}}, []string{"/redirect_hosts"}},
		"no kinds and hosts, a grant without":      {p{RedirectKinds: []RedirectKind{}, RedirectHosts: []string{}, Grants: []GrantType{GrantAuthorizationCode, GrantDeviceCode}}, nil},
		"no response types":                        {p{ResponseTypes: []ResponseType{}}, []string{"/response_types"}},
		"no code":                                  {p{ResponseTypes: []ResponseType{"none"}}, []string{"/response_types"}},
		"no code, implicit alone is possible":      {p{ResponseTypes: []ResponseType{"id_token"}, Grants: implicit}, nil},
		"both bindings, of which one applies":      {p{Profile: ProfileFAPI1Advanced, DPoP: true, MTLS: true}, nil},
		"a response type without its grant":        {p{ResponseTypes: []ResponseType{"code id_token"}}, []string{"/response_types"}},
		"a response type with its grant":           {p{ResponseTypes: []ResponseType{"code id_token"}, Grants: implicit}, nil},
		"a response type that the profile forbids": {p{ResponseTypes: []ResponseType{"code id_token"}, Grants: implicit, Profile: ProfileFAPI2Security}, []string{"/response_types"}},
		"implicit alone under a profile":           {p{Grants: []GrantType{GrantImplicit}, Profile: ProfileFAPI2Security}, []string{"/response_types"}},
		"no resources":                             {p{Resources: []string{}}, []string{"/resources"}},
		"no issuers of a required statement":       {p{Statement: StatementRequired, Issuers: []string{}}, []string{"/issuers"}},
		"no issuers of an optional statement":      {p{Statement: StatementOptional, Issuers: []string{}}, nil},
		"no scopes and no authorization details":   {p{Scopes: []Scope{}, AuthorizationDetailsTypes: []string{}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var keys []string
			for _, f := range tt.policy.CheckUsable() {
				keys = append(keys, f.Pointer)
				assert.Equal(t, Violation, f.Level)
			}
			assert.Equal(t, tt.keys, keys)
		})
	}
}

func TestWhatClientsUnderAPolicyCanHave(t *testing.T) {
	type p = RegistrationPolicy
	implicit := []GrantType{GrantAuthorizationCode, GrantImplicit}
	for name, tt := range map[string]struct {
		policy  p
		methods []AuthMethod
		types   []ResponseType
	}{
		"the defaults":       {p{}, []AuthMethod{AuthNone, AuthSecretBasic, AuthSecretPost, AuthPrivateKeyJWT}, nil},
		"FAPI 2.0":           {p{Profile: ProfileFAPI2Security}, []AuthMethod{AuthPrivateKeyJWT}, []ResponseType{"code"}},
		"FAPI 1.0 Baseline":  {p{Profile: ProfileFAPI1Baseline, Grants: implicit}, []AuthMethod{AuthNone, AuthPrivateKeyJWT}, []ResponseType{"code", "code id_token"}},
		"a ceiling":          {p{ResponseTypes: []ResponseType{"code", "code id_token"}}, []AuthMethod{AuthNone, AuthSecretBasic, AuthSecretPost, AuthPrivateKeyJWT}, []ResponseType{"code"}},
		"a ceiling and FAPI": {p{ResponseTypes: []ResponseType{"code token", "code"}, Grants: implicit, Profile: ProfileFAPI1Advanced}, []AuthMethod{AuthPrivateKeyJWT}, []ResponseType{"code"}},
	} {
		t.Run(name, func(t *testing.T) {
			policy := tt.policy.WithDefaults()
			assert.Equal(t, tt.methods, policy.UsableMethods())
			assert.Equal(t, tt.types, policy.UsableResponseTypes())
		})
	}
}
