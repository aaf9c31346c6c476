package domain

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestEffective(t *testing.T) {
	tests := []struct {
		name    string
		edit    func(*Settings)
		policy  Policy
		differs func(*Settings) // from the settings
	}{
		{
			"a web client", nil,
			Policy{},
			func(s *Settings) {
				s.ApplicationType, s.SubjectType, s.ResponseTypes = ApplicationWeb, SubjectPublic, []ResponseType{"code"}
				s.IDToken.Signing, s.Introspection.Signing, s.Authorization.Signing = "RS256", "RS256", "RS256"
			},
		},
		{
			"values that are set stay",
			func(s *Settings) {
				s.ApplicationType, s.SubjectType, s.ResponseTypes = ApplicationNative, SubjectPairwise, []ResponseType{"none"}
				s.IDToken = Algorithms{"none", "ECDH-ES", "A256GCM"}
				s.UserInfo = Algorithms{Signing: "none"}
				s.Introspection.Signing, s.Authorization.Signing = "ES384", "EdDSA"
				s.RefreshTokenRotation = RefreshRotate
				s.Profile = ProfileFAPI2Security
				s.GrantTypes = append(s.GrantTypes, GrantRefreshToken)
			},
			Policy{},
			func(s *Settings) { s.RequirePAR, s.RequirePKCE, s.UserInfo.Signing = true, true, "" },
		},
		{
			"a public native client", public(redirect("http://127.0.0.1/", "com.example.app:/cb"), func(s *Settings) {
				s.GrantTypes = []GrantType{GrantAuthorizationCode, GrantRefreshToken}
			}),
			Policy{},
			func(s *Settings) {
				s.ApplicationType, s.SubjectType, s.ResponseTypes = ApplicationNative, SubjectPublic, []ResponseType{"code"}
				s.IDToken.Signing, s.Introspection.Signing, s.Authorization.Signing = "RS256", "RS256", "RS256"
				s.RequirePKCE, s.RefreshTokenRotation = true, RefreshRotate
			},
		},
		{
			"a public client with bound tokens", public(func(s *Settings) {
				s.GrantTypes = []GrantType{GrantAuthorizationCode, GrantRefreshToken}
				s.DPoPBound = true
			}),
			Policy{},
			func(s *Settings) {
				s.ApplicationType, s.SubjectType, s.ResponseTypes = ApplicationWeb, SubjectPublic, []ResponseType{"code"}
				s.IDToken.Signing, s.Introspection.Signing, s.Authorization.Signing = "RS256", "RS256", "RS256"
				s.RequirePKCE = true
			},
		},
		{
			"a public client without refresh tokens", public(),
			Policy{},
			func(s *Settings) {
				s.ApplicationType, s.SubjectType, s.ResponseTypes = ApplicationWeb, SubjectPublic, []ResponseType{"code"}
				s.IDToken.Signing, s.Introspection.Signing, s.Authorization.Signing = "RS256", "RS256", "RS256"
				s.RequirePKCE = true
			},
		},
		{
			"encryption", func(s *Settings) {
				for _, a := range []*Algorithms{&s.IDToken, &s.UserInfo, &s.Introspection, &s.Authorization, &s.RequestObject} {
					a.KeyManagement = "ECDH-ES"
				}
			},
			Policy{},
			func(s *Settings) {
				s.ApplicationType, s.SubjectType, s.ResponseTypes = ApplicationWeb, SubjectPublic, []ResponseType{"code"}
				s.IDToken.Signing, s.Introspection.Signing, s.Authorization.Signing = "RS256", "RS256", "RS256"
				for _, a := range []*Algorithms{&s.IDToken, &s.UserInfo, &s.Introspection, &s.Authorization, &s.RequestObject} {
					a.Content = "A128CBC-HS256"
				}
			},
		},
		{
			"CIBA", func(s *Settings) { s.GrantTypes, s.RedirectURIs = []GrantType{GrantCIBA}, nil },
			Policy{},
			func(s *Settings) {
				s.ApplicationType, s.SubjectType = ApplicationWeb, SubjectPublic
				s.IDToken.Signing, s.Introspection.Signing, s.Authorization.Signing = "RS256", "RS256", "RS256"
				s.CIBA.DeliveryMode = DeliveryPoll
			},
		},
		{
			"Baseline", func(s *Settings) { s.Profile = ProfileFAPI1 },
			Policy{},
			func(s *Settings) {
				s.ApplicationType, s.SubjectType, s.ResponseTypes = ApplicationWeb, SubjectPublic, []ResponseType{"code"}
				s.IDToken.Signing, s.Introspection.Signing, s.Authorization.Signing = "RS256", "RS256", "RS256"
				s.RequirePKCE = true
			},
		},
		{
			"Advanced", func(s *Settings) { s.Profile = ProfileFAPI1Advanced },
			Policy{ProfileSigningAlg: "ES256"},
			func(s *Settings) {
				s.ApplicationType, s.SubjectType, s.ResponseTypes = ApplicationWeb, SubjectPublic, []ResponseType{"code"}
				s.IDToken.Signing, s.Introspection.Signing, s.Authorization.Signing = "ES256", "ES256", "ES256"
				s.RequireSignedRequestObject, s.CertificateBound = true, true
			},
		},
		{
			"Advanced with PAR", func(s *Settings) { s.Profile, s.RequirePAR = ProfileFAPI1Advanced, true },
			Policy{},
			func(s *Settings) {
				s.ApplicationType, s.SubjectType, s.ResponseTypes = ApplicationWeb, SubjectPublic, []ResponseType{"code"}
				s.IDToken.Signing, s.Introspection.Signing, s.Authorization.Signing = "PS256", "PS256", "PS256"
				s.RequireSignedRequestObject, s.CertificateBound, s.RequirePKCE = true, true, true
			},
		},
		{
			"FAPI 2.0", func(s *Settings) {
				s.Profile = ProfileFAPI2MessageSigning
				s.GrantTypes = append(s.GrantTypes, GrantRefreshToken)
			},
			Policy{},
			func(s *Settings) {
				s.ApplicationType, s.SubjectType, s.ResponseTypes = ApplicationWeb, SubjectPublic, []ResponseType{"code"}
				s.IDToken.Signing, s.Introspection.Signing, s.Authorization.Signing = "PS256", "PS256", "PS256"
				s.RequirePAR, s.RequirePKCE, s.RefreshTokenRotation = true, true, RefreshReuse
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			settings := legal()
			if tt.edit != nil {
				tt.edit(&settings)
			}
			want := settings
			tt.differs(&want)
			assert.Equal(t, want, testBook(t, tt.policy).Effective(settings))
		})
	}
}

func TestEffectiveResponseTypesFollowFromTheGrants(t *testing.T) {
	for _, tt := range []struct {
		grants []GrantType
		want   []ResponseType
	}{
		{[]GrantType{GrantAuthorizationCode}, []ResponseType{"code"}},
		{[]GrantType{GrantImplicit, GrantAuthorizationCode}, []ResponseType{"code", "code id_token"}},
		{[]GrantType{GrantImplicit}, []ResponseType{"id_token"}},
		{[]GrantType{GrantClientCredentials, GrantRefreshToken, GrantDeviceCode}, nil},
	} {
		s := Settings{GrantTypes: tt.grants}
		assert.Equal(t, tt.want, s.effectiveResponseTypes(), tt.grants)
	}
}

func TestEffectiveSettingsKeepWhatIsSetAndAreFinal(t *testing.T) {
	book := testBook(t, Policy{})
	rapid.Check(t, func(t *rapid.T) {
		settings := anyChange(t).Over(legal())
		before := settings
		effective := book.Effective(settings)
		require.Equal(t, before, settings, "the stored settings do not change")
		require.Equal(t, effective, book.Effective(effective))
		for f := range Fields() {
			plain := f == FieldUserInfoSigningAlg && settings.UserInfo.Signing == "none"
			if !f.Of(&settings).IsEmpty() && !plain {
				require.True(t, f.Of(&settings).equal(f.Of(&effective)), f)
			}
		}
	})
}
