package statements_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/domain"
)

// The issuers of the ecosystems. They differ in configuration only.

// openBankingUK is the directory of Open Banking UK.
func openBankingUK(t testing.TB) domain.StatementIssuer {
	t.Helper()
	return domain.StatementIssuer{
		Issuer: "OpenBanking Ltd", Keys: keySet(t, issuerKey()), Algorithms: []string{"PS256"}, MaxAge: 30 * 24 * time.Hour,
		Mode: domain.ClaimsCeiling, RequestJWT: true, Required: map[string]string{"org_status": "Active"},
		Claims: map[string]string{
			"software_redirect_uris": "redirect_uris", "software_client_name": "client_name", "software_client_uri": "client_uri",
			"software_logo_uri": "logo_uri", "software_policy_uri": "policy_uri", "software_tos_uri": "tos_uri",
			"software_jwks_endpoint": "jwks_uri", "software_id": "software_id", "software_version": "software_version",
		},
		RoleClaim: "software_roles", Roles: map[string][]domain.Scope{"AISP": {"openid", "accounts"}, "PISP": {"openid", "payments"}},
	}
}

// openBankingUKClaims are those of the example in the Open Banking Directory specification,
// without what is not used.
func openBankingUKClaims() claims {
	return claims{
		"iss": "OpenBanking Ltd", "iat": now.Add(-24 * time.Hour).Unix(), "jti": "id12345685439487678",
		"software_environment": "production", "software_mode": "live", "software_id": "65d1f27c-4aea-4549-9c21-60e495a7a86f",
		"software_client_id": "OpenBanking TPP Client Unique ID", "software_client_name": "Amazon Prime Movies",
		"software_client_description": "Amazon Prime Movies is a moving streaming service", "software_version": "2.2",
		"software_client_uri":    "https://prime.amazon.com",
		"software_redirect_uris": []string{"https://prime.amazon.com/cb", "https://prime.amazon.co.uk/cb"},
		"software_roles":         []string{"PISP", "AISP", "CBPII"},
		"organisation_competent_authority_claims": map[string]any{"authority_id": "FMA", "authorisations": []any{map[string]any{
			"member_state": "GBR", "roles": []string{"PISP", "AISP"},
		}}},
		"software_logo_uri": "https://prime.amazon.com/logo.png", "org_status": "Active", "org_id": "Amazon TPPID", "org_name": "OpenBanking TPP Name",
		"org_contacts":           []any{map[string]any{"name": "contact name", "email": "contact@contact.com", "type": "business"}},
		"software_jwks_endpoint": "https://keystore.openbanking.org.uk/app.jwks", "software_policy_uri": "https://tpp.com/policy.html",
		"software_tos_uri": "https://tpp.com/tos.html", "software_on_behalf_of_org": "https://api.example.com/loans",
	}
}

// dataRight is the register of the Consumer Data Right.
func dataRight(t testing.TB) domain.StatementIssuer {
	t.Helper()
	return domain.StatementIssuer{
		Issuer: "cdr-register", Keys: keySet(t, issuerKey()), Algorithms: []string{"PS256"}, MaxAge: 10 * time.Minute, RequireExpiry: true, OnceOnly: true,
		Mode: domain.ClaimsCeiling, RequestJWT: true, UniqueSoftware: true, Audiences: []string{"https://data-holder.example"},
	}
}

// dataRightClaims are those of the example in the Consumer Data Standards.
func dataRightClaims() claims {
	return claims{
		"iss": "cdr-register", "iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(), "jti": "3bc205a1ebc943fbb624b14fcb241196",
		"client_name": "Mock Software", "client_description": "A mock software product", "client_uri": "https://www.mockcompany.com.au",
		"legal_entity_id": "3B0B0A7B", "org_id": "3B0B0A7B-3E7B-4A2C-9497-E357A71D07C7", "org_name": "Mock Company",
		"redirect_uris": []string{"https://www.mockcompany.com.au/redirects/redirect1", "https://www.mockcompany.com.au/redirects/redirect2"},
		"logo_uri":      "https://www.mockcompany.com.au/logos/logo1.png", "tos_uri": "https://www.mockcompany.com.au/tos.html",
		"policy_uri": "https://www.mockcompany.com.au/policy.html", "jwks_uri": "https://www.mockcompany.com.au/jwks",
		"revocation_uri": "https://www.mockcompany.com.au/revocation", "recipient_base_uri": "https://www.mockcompany.com.au",
		"software_id": "740C368F-ECF9-4D29-A2EA-0514A66B0CDE", "software_roles": "data-recipient-software-product",
		"scope": "openid profile common:customer.basic:read cdr:registration",
	}
}

// openBankingBrasil is the directory of Open Banking Brasil.
func openBankingBrasil(t testing.TB) domain.StatementIssuer {
	t.Helper()
	issuer := openBankingUK(t)
	issuer.Issuer, issuer.MaxAge, issuer.RequestJWT = "Open Banking Brasil prod SSA issuer", 5*time.Minute, false
	delete(issuer.Claims, "software_jwks_endpoint")
	issuer.Claims["software_jwks_uri"] = "jwks_uri"
	issuer.Required = map[string]string{"software_mode": "Live"}
	issuer.RoleClaim, issuer.Roles = "software_roles", map[string][]domain.Scope{"DADOS": {"openid", "accounts"}}
	return issuer
}

// openBankingBrasilClaims are those of the example in the Dynamic Client Registration profile,
// without what is not used.
func openBankingBrasilClaims() claims {
	return claims{
		"iss": "Open Banking Brasil prod SSA issuer", "iat": now.Add(-4 * time.Minute).Unix(), "jti": "id12345685439487678",
		"software_mode": "Live", "software_redirect_uris": []string{"https://www.raidiam.com/accounting/cb"}, "software_statement_roles": []any{
			map[string]any{"role": "DADOS", "authorisation_domain": "Open Banking", "status": "Active"},
		},
		"software_client_name": "Raidiam Accounting", "org_status": "Active", "software_client_id": "Cki1EbvjwyhPB12NGLlz2",
		"software_client_uri": "https://www.raidiam.com/accounting", "software_client_description": "Raidiam Accounting",
		"software_jwks_uri": "https://keystore.directory.openbankingbrasil.org.br/org/app/application.jwks", "software_id": "25556d5a-b9dd-4e27-aa1a-cce732fe74de",
		"software_policy_uri": "https://www.raidiam.com/accounting/policy.html", "software_tos_uri": "https://www.raidiam.com/accounting/tos.html",
		"software_logo_uri": "https://www.raidiam.com/accounting/logo.png", "software_roles": []string{"DADOS", "PAGTO"}, "software_version": 1,
	}
}

// settingsOf returns the fixed values of a statement, and the fields that it limits.
func verified(t *testing.T, issuer domain.StatementIssuer, c claims) (domain.Statement, error) {
	t.Helper()
	issuer.RequestJWT = false
	text := issuerKey().sign(t, jwa.PS256, c, nil)
	return verifierWithoutSites(t).Verify(t.Context(), []domain.StatementIssuer{issuer}, text, now)
}

func TestStatementsOfEcosystemsAreReadByConfiguration(t *testing.T) {
	for name, tt := range map[string]struct {
		issuer         domain.StatementIssuer
		claims         claims
		fixed, ceiling domain.Settings
		once           bool
	}{
		"Open Banking UK": {
			issuer: openBankingUK(t), claims: openBankingUKClaims(),
			fixed: domain.Settings{
				Name: "Amazon Prime Movies", Website: "https://prime.amazon.com", LogoURL: "https://prime.amazon.com/logo.png",
				PrivacyPolicy: "https://tpp.com/policy.html", TermsURL: "https://tpp.com/tos.html",
				Keys:       domain.KeysAt("https://keystore.openbanking.org.uk/app.jwks"),
				SoftwareID: "65d1f27c-4aea-4549-9c21-60e495a7a86f", SoftwareVersion: "2.2",
			},
			ceiling: domain.Settings{
				RedirectURIs: []domain.RedirectURI{"https://prime.amazon.com/cb", "https://prime.amazon.co.uk/cb"},
				Scopes:       []domain.Scope{"openid", "payments", "accounts"},
			},
		},
		"the Consumer Data Right": {
			issuer: dataRight(t), claims: dataRightClaims(), once: true,
			fixed: domain.Settings{
				Name: "Mock Software", Website: "https://www.mockcompany.com.au", LogoURL: "https://www.mockcompany.com.au/logos/logo1.png",
				PrivacyPolicy: "https://www.mockcompany.com.au/policy.html", TermsURL: "https://www.mockcompany.com.au/tos.html",
				Keys: domain.KeysAt("https://www.mockcompany.com.au/jwks"), SoftwareID: "740C368F-ECF9-4D29-A2EA-0514A66B0CDE",
			},
			ceiling: domain.Settings{
				RedirectURIs: []domain.RedirectURI{
					"https://www.mockcompany.com.au/redirects/redirect1", "https://www.mockcompany.com.au/redirects/redirect2",
				},
				Scopes: []domain.Scope{"openid", "profile", "common:customer.basic:read", "cdr:registration"},
			},
		},
		"Open Banking Brasil": {
			issuer: openBankingBrasil(t), claims: openBankingBrasilClaims(),
			fixed: domain.Settings{ // without software_version, which is a number
				Name: "Raidiam Accounting", Website: "https://www.raidiam.com/accounting", LogoURL: "https://www.raidiam.com/accounting/logo.png",
				PrivacyPolicy: "https://www.raidiam.com/accounting/policy.html", TermsURL: "https://www.raidiam.com/accounting/tos.html",
				Keys:       domain.KeysAt("https://keystore.directory.openbankingbrasil.org.br/org/app/application.jwks"),
				SoftwareID: "25556d5a-b9dd-4e27-aa1a-cce732fe74de",
			},
			ceiling: domain.Settings{
				RedirectURIs: []domain.RedirectURI{"https://www.raidiam.com/accounting/cb"}, Scopes: []domain.Scope{"openid", "accounts"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			statement, err := verified(t, tt.issuer, tt.claims)
			require.NoError(t, err)
			assert.Equal(t, domain.ChangeOf(tt.fixed), statement.Fixed)
			assert.Equal(t, domain.ChangeOf(tt.ceiling), statement.Ceiling)
			assert.Equal(t, tt.issuer.Issuer, statement.Issuer)
			assert.Equal(t, tt.fixed.SoftwareID, statement.SoftwareID)
			assert.Equal(t, tt.once, statement.ID != nil)
			assert.Equal(t, tt.once, statement.UniqueSoftware)
		})
	}
}

func TestStatementsOfEcosystemsAreRejected(t *testing.T) {
	for name, tt := range map[string]struct {
		issuer domain.StatementIssuer
		claims claims
		want   string
	}{
		"the organisation was withdrawn":                  {openBankingUK(t), openBankingUKClaims().with(claims{"org_status": "Withdrawn"}), "unapproved: "},
		"the software has only a role that is not mapped": {openBankingUK(t), openBankingUKClaims().with(claims{"software_roles": []string{"CBPII"}}), "unapproved: "},
		"it is a month old":                               {openBankingUK(t), openBankingUKClaims().with(claims{"iat": now.Add(-31 * 24 * time.Hour).Unix()}), "rejected: "},
		"it has no exp":                                   {dataRight(t), dataRightClaims().with(claims{"exp": nil}), "rejected: "},
		"it has no jti":                                   {dataRight(t), dataRightClaims().with(claims{"jti": nil}), "rejected: "},
		"it is more than five minutes old":                {openBankingBrasil(t), openBankingBrasilClaims().with(claims{"iat": now.Add(-6 * time.Minute).Unix()}), "rejected: "},
		"the software is a test":                          {openBankingBrasil(t), openBankingBrasilClaims().with(claims{"software_mode": "Test"}), "unapproved: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := verified(t, tt.issuer, tt.claims)
			assert.True(t, strings.HasPrefix(outcome(err), tt.want), outcome(err))
		})
	}
}

func TestClaimsBecomeClientMetadata(t *testing.T) {
	plain := basicIssuer(t)
	mapped := basicIssuer(t)
	mapped.Claims = map[string]string{"name": "client_name", "a_name": "client_name", "group": "owner", "state": "status"}
	limited := basicIssuer(t)
	limited.RoleClaim, limited.Roles = "roles", map[string][]domain.Scope{"a": {"openid", "accounts"}, "b": {"accounts", "payments"}, "none": {}}
	only := func(c claims) claims {
		return c.with(claims{"iss": "https://directory.example", "iat": now.Unix()})
	}
	for name, tt := range map[string]struct {
		issuer domain.StatementIssuer
		claims claims
		fixed  domain.Change
	}{
		"a key set as an object": {
			plain, only(claims{"jwks": map[string]any{"keys": []any{}}}),
			domain.ChangeOf(domain.Settings{Keys: domain.InlineKeys(`{"keys":[]}`)}),
		},
		"a method of authentication": {
			plain, only(claims{"token_endpoint_auth_method": "private_key_jwt"}),
			domain.ChangeOf(domain.Settings{AuthMethods: []domain.AuthMethod{domain.AuthPrivateKeyJWT}}),
		},
		"flags and numbers": {
			plain, only(claims{"require_auth_time": true, "default_max_age": 60}),
			domain.ChangeOf(domain.Settings{RequireAuthTime: true, DefaultMaxAge: domain.MaxAgeOf(60)}),
		},
		"claims of other forms are ignored": {
			plain, only(claims{
				"client_name": 1, "require_auth_time": "yes", "default_max_age": -1, "contacts": "a@b.example", "token_endpoint_auth_method": []string{"none"},
				"logo_uri": strings.Repeat("x", 3000), "grant_types": map[string]any{},
			}),
			domain.Change{},
		},
		"of lists the elements of another form are ignored": {
			plain, only(claims{"contacts": []any{"a@b.example", 1, nil}}), domain.ChangeOf(domain.Settings{Contacts: []string{"a@b.example"}}),
		},
		"empty claims are not given": {
			plain, only(claims{"client_name": "", "contacts": []string{}, "logo_uri": nil}), domain.Change{},
		},
		"empty claims that are vouched for have no value": {
			plain, only(claims{"redirect_uris": []string{}, "scope": "", "jwks_uri": nil, "jwks": nil, "software_id": ""}),
			domain.ChangeOf(domain.Settings{}, slices.Collect(domain.VouchedFields().All())...),
		},
		"what only administrators set is ignored": {
			plain, only(claims{"status": "active", "owner": "x", "skip_consent": true, "is_confidential": true, "client_id": "x", "require_pkce": false, "labels": claims{}}),
			domain.Change{},
		},
		"with a map only its claims are used, and software_id": {
			mapped, only(claims{"name": "B", "a_name": "A", "group": "x", "state": "active", "client_name": "C", "scope": "openid", "software_id": "s"}),
			domain.ChangeOf(domain.Settings{Name: "A", SoftwareID: "s"}),
		},
		"the scopes of all roles": {
			limited, only(claims{"roles": []string{"b", "x", "a"}}), domain.ChangeOf(domain.Settings{Scopes: []domain.Scope{"accounts", "payments", "openid"}}),
		},
		"one role as a string": {
			limited, only(claims{"roles": "b"}), domain.ChangeOf(domain.Settings{Scopes: []domain.Scope{"accounts", "payments"}}),
		},
		"roles and scopes": {
			limited, only(claims{"roles": []string{"b"}, "scope": "payments other"}), domain.ChangeOf(domain.Settings{Scopes: []domain.Scope{"payments"}}),
		},
		"a role without scopes": {
			limited, only(claims{"roles": []string{"none"}}), domain.ChangeOf(domain.Settings{}, domain.FieldScopes),
		},
	} {
		t.Run(name, func(t *testing.T) {
			statement, err := verified(t, tt.issuer, tt.claims)
			require.NoError(t, err)
			assert.Equal(t, tt.fixed.Named(), statement.Fixed.Named())
			assert.Empty(t, domain.Compare(tt.fixed.Values(), statement.Fixed.Values()))
			assert.True(t, statement.Ceiling.IsEmpty())
		})
	}
}
