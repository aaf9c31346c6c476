package tokens

import (
	"fmt"
	"strings"
	"time"
)

// SingleIssuer is the configuration of one issuer in a form that command line flags
// can set. [SingleIssuer.Rules] converts it to the form of the issuers file.
type SingleIssuer struct {
	Issuer   string // "iss", exactly
	Keys     string // URL or path of the JWK Set
	Audience string // required value of "aud"
	Types    []string
	// TenantClaim and RoleClaim are claim paths.
	TenantClaim  string
	RoleClaim    string
	AdminRole    string        // role of an administrator of the tenant
	PlatformRole string        // role of an administrator of every tenant; may be empty
	MaxLifetime  time.Duration // 0 means no limit
	KeysMaxAge   time.Duration // 0 means [DefaultKeysMaxAge]
}

// Rules returns the rules of the issuer. The error names the flag that is invalid.
func (s SingleIssuer) Rules() (IssuerRules, error) {
	tenant, err := ParseClaimPath(s.TenantClaim)
	if err != nil {
		return IssuerRules{}, fmt.Errorf("--tenant-claim: %w", err)
	}
	roles, err := ParseClaimPath(s.RoleClaim)
	if err != nil {
		return IssuerRules{}, fmt.Errorf("--role-claim: %w", err)
	}
	rules := IssuerRules{
		Issuer: s.Issuer, KeysMaxAge: s.KeysMaxAge, Audiences: []string{s.Audience}, Types: s.Types, MaxLifetime: s.MaxLifetime,
		Tenant: TenantRule{Claim: &tenant}, Roles: []ClaimPath{roles}, Scopes: DefaultScopeClaims(),
		AdministratorRoles: []string{s.AdminRole},
	}
	if s.PlatformRole != "" {
		rules.PlatformRoles = []string{s.PlatformRole}
	}
	if lower := strings.ToLower(s.Keys); strings.HasPrefix(lower, "https://") || strings.HasPrefix(lower, "http://") {
		rules.Keys.URL = s.Keys
	} else {
		rules.Keys.File = s.Keys
	}
	return rules, nil
}
