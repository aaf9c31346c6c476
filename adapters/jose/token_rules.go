package jose

import (
	"fmt"
	"strings"
	"time"
)

// TokenRules are the rules of a single issuer as flags set them. [TokenRules.Rules]
// turns them into those of the verifier.
type TokenRules struct {
	Issuer   string // "iss", exactly
	Keys     string // URL or file of the JWK Set
	Audience string // one of "aud"
	Types    []string
	// TenantClaim and RoleClaim are claim paths.
	TenantClaim  string
	RoleClaim    string
	AdminRole    string        // that makes an administrator of the tenant
	PlatformRole string        // that makes an administrator of every tenant; empty for none
	MaxLifetime  time.Duration // 0 for no bound
	KeysMaxAge   time.Duration // 0 for the default
}

// Rules returns the same rules in the form of the issuers file. The error names
// the flag that is wrong.
func (r TokenRules) Rules() (IssuerRules, error) {
	tenant, err := ParseClaimPath(r.TenantClaim)
	if err != nil {
		return IssuerRules{}, fmt.Errorf("--tenant-claim: %w", err)
	}
	roles, err := ParseClaimPath(r.RoleClaim)
	if err != nil {
		return IssuerRules{}, fmt.Errorf("--role-claim: %w", err)
	}
	rules := IssuerRules{
		Issuer: r.Issuer, KeysMaxAge: r.KeysMaxAge, Audiences: []string{r.Audience}, Types: r.Types, MaxLifetime: r.MaxLifetime,
		Tenant: TenantRule{Claim: &tenant}, Roles: []ClaimPath{roles}, Scopes: DefaultScopeClaims(),
		AdministratorRoles: []string{r.AdminRole},
	}
	if r.PlatformRole != "" {
		rules.PlatformRoles = []string{r.PlatformRole}
	}
	if lower := strings.ToLower(r.Keys); strings.HasPrefix(lower, "https://") || strings.HasPrefix(lower, "http://") {
		rules.Keys.URL = r.Keys
	} else {
		rules.Keys.File = r.Keys
	}
	return rules, nil
}
