package jose

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// IssuerRules say which access tokens of one issuer are accepted, and what their
// claims mean. [NewVerifier] checks them.
type IssuerRules struct {
	Issuer string // "iss", exactly
	Keys   KeyLocation
	// KeysMaxAge is the age from which keys that cannot be read again are no
	// longer used; 0 means [DefaultKeysMaxAge].
	KeysMaxAge time.Duration
	// Audiences are the accepted values of "aud", of which a token must have one
	// (RFC 7519 §4.1.3).
	Audiences []string
	// Types are the accepted values of the header parameter "typ",
	// case-insensitive and with or without "application/", e.g. "at+jwt"
	// (RFC 9068 §2.1) and "JWT".
	Types []string
	// AllowMissingType accepts tokens without "typ".
	AllowMissingType bool
	// KeyIDOptional accepts tokens without "kid". They are tried with up to
	// eight keys of the issuer that are for their algorithm.
	KeyIDOptional bool
	// MaxLifetime bounds the time from "iat" to "exp", or from now if a token has
	// no "iat"; 0 is no bound.
	MaxLifetime time.Duration
	// SubjectPrefix is put before the subjects of this issuer, so that the same
	// subject of another issuer is a different caller. Nil means none for the
	// first issuer of a verifier, and for the others the issuer and a space.
	SubjectPrefix *string

	Tenant TenantRule
	Roles  []ClaimPath // claims with the caller's roles
	Scopes []ClaimPath // claims with the token's scopes
	Teams  []ClaimPath // claims with the caller's teams
	// AdministratorRoles make an administrator of the tenant, PlatformRoles one
	// of every tenant.
	AdministratorRoles []string
	PlatformRoles      []string
	// Permissions maps roles and scopes of the issuer to permissions. A scope
	// that has the name of a permission grants it without being listed.
	Permissions map[string][]application.Permission
}

// TenantRule says what the tenant of a caller is. Exactly one field is set.
type TenantRule struct {
	Claim  *ClaimPath // the value of a claim
	Value  string     // always this one
	Issuer bool       // the issuer itself
}

// DefaultScopeClaims are the claims that have scopes, if nothing else is
// configured: "scope" (RFC 9068 §2.2.3), and "scp" as of Entra ID, Okta and Hydra.
func DefaultScopeClaims() []ClaimPath { return mustPaths("scope", "scp") }

// DefaultTokenTypes are the accepted types of tokens, if nothing else is
// configured.
func DefaultTokenTypes() []string { return []string{"at+jwt", "JWT"} }

// mustPaths parses paths that are known to be valid.
func mustPaths(texts ...string) []ClaimPath {
	paths := make([]ClaimPath, len(texts))
	for i, text := range texts {
		path, err := ParseClaimPath(text)
		if err != nil {
			panic(err)
		}
		paths[i] = path
	}
	return paths
}

// check reports what is wrong with the rules: what is missing, and what would
// have no effect.
func (r IssuerRules) check() []*RuleError {
	var errs []*RuleError
	fault := func(setting, format string, args ...any) {
		errs = append(errs, &RuleError{Setting: setting, Message: fmt.Sprintf(format, args...)})
	}
	if err := nameFault(r.Issuer); err != nil {
		fault("issuer", "%s", err)
	}
	if count(r.Keys.Discovery, r.Keys.URL != "", r.Keys.File != "") != 1 {
		fault("keys", "set exactly one of discovery, url and file")
	}
	if r.Keys.Discovery {
		if _, err := metadataAddresses(r.Issuer); err != nil {
			fault("keys/discovery", "discovery needs an issuer that is an https URL without query and fragment")
		}
	}
	if r.Keys.URL != "" && !fetchable(r.Keys.URL, true) {
		fault("keys/url", "must be an http or https URL")
	}
	if r.KeysMaxAge < 0 {
		fault("keys/max_age", "must not be negative")
	}
	if len(r.Audiences) == 0 {
		fault("audiences", "at least one is needed: a token for another service must not be accepted here")
	}
	if len(r.Types) == 0 && !r.AllowMissingType {
		fault("types", "at least one is needed, or allow_missing_type")
	}
	if r.SubjectPrefix != nil && *r.SubjectPrefix != "" {
		if err := nameFault(*r.SubjectPrefix); err != nil {
			fault("subject_prefix", "%s", err)
		}
	}
	if r.MaxLifetime < 0 {
		fault("max_lifetime", "must not be negative")
	}
	if count(r.Tenant.Claim != nil, r.Tenant.Value != "", r.Tenant.Issuer) != 1 {
		fault("tenant", "set exactly one of claim, value and issuer")
	}
	if r.Tenant.Value != "" {
		if err := nameFault(r.Tenant.Value); err != nil {
			fault("tenant/value", "%s", err)
		}
	}
	for _, values := range []struct {
		setting string
		values  []string
	}{
		{"audiences", r.Audiences},
		{"types", r.Types},
		{"administrator_roles", r.AdministratorRoles},
		{"platform_roles", r.PlatformRoles},
	} {
		if slices.Contains(values.values, "") {
			fault(values.setting, "a value is empty")
		}
	}
	uses := len(r.AdministratorRoles) + len(r.PlatformRoles)
	switch {
	case len(r.Roles) == 0 && uses > 0:
		fault("roles", "administrator_roles and platform_roles have no effect without claims that have roles")
	case len(r.Roles) > 0 && uses+len(r.Permissions) == 0:
		fault("roles", "roles have no effect without administrator_roles, platform_roles or permissions")
	case len(r.Roles)+len(r.Scopes) == 0:
		fault("scopes", "without roles and scopes no caller has a permission")
	}
	for _, name := range slices.Sorted(maps.Keys(r.Permissions)) {
		permissions := r.Permissions[name]
		for _, permission := range permissions {
			if !slices.Contains(application.Permissions(), permission) {
				fault("permissions/"+escapedName(name), "%q is not a permission; there are %s", permission, list(application.Permissions()))
			}
		}
		if name == "" || len(permissions) == 0 {
			fault("permissions/"+escapedName(name), "a role or scope maps to at least one permission")
		}
	}
	return errs
}

// RuleError is a setting of an issuer that is wrong or has no effect.
type RuleError struct {
	Issuer  int    // place of the issuer, from 0
	Setting string // as in the issuers file, with slashes between names
	Message string
}

// Error names the setting.
func (e *RuleError) Error() string {
	return fmt.Sprintf("/issuers/%d/%s: %s", e.Issuer, e.Setting, e.Message)
}

// escapedName is a name as a token of a JSON Pointer (RFC 6901 §3).
func escapedName(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

func count(conditions ...bool) (n int) {
	for _, condition := range conditions {
		if condition {
			n++
		}
	}
	return n
}

func list[T ~string](values []T) string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = string(value)
	}
	return strings.Join(texts, ", ")
}

// nameFault reports why a text cannot be a subject, tenant, client_id or
// issuer: names go to logs and to the change log.
func nameFault(text string) error {
	switch {
	case text == "":
		return errors.New("is empty")
	case len(text) > maxClaimBytes:
		return fmt.Errorf("is over %d bytes", maxClaimBytes)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		return errors.New("has control characters")
	default:
		return nil
	}
}

// clientOf returns the client that a token was issued to: "client_id" (RFC 9068
// §2.2), "azp" (OpenID Connect Core §2), or what Okta and the first version of
// Entra ID's tokens call it. It may be empty.
func clientOf(claims claimSet) (domain.ClientID, error) {
	for _, name := range []string{"client_id", "azp", "cid", "appid"} {
		client, ok := textOf(claims[name])
		if !ok || client == "" {
			continue
		}
		if err := nameFault(client); err != nil {
			return "", fmt.Errorf("%s %w", name, err)
		}
		return domain.ClientID(client), nil
	}
	return "", nil
}

// maxTeams bounds the teams of a caller; further ones are dropped.
const maxTeams = 256

// mapped is what the claims of a token mean under the rules of its issuer.
type mapped struct {
	caller application.Caller
	roles  []string
	scopes []string
	// why names the role or scope that grants each permission.
	why map[application.Permission]string
}

// apply reads who a token speaks for. The subject still has no prefix.
func (r *IssuerRules) apply(claims claimSet) (mapped, error) {
	subject, _, err := claims.text("sub")
	if err != nil {
		return mapped{}, err
	}
	if err := nameFault(subject); err != nil {
		return mapped{}, fmt.Errorf("sub %w", err)
	}
	m := mapped{why: map[application.Permission]string{}}
	m.caller.Subject, m.caller.Issuer = subject, r.Issuer
	if m.caller.ClientID, err = clientOf(claims); err != nil {
		return mapped{}, err
	}
	if err := r.applyTenant(claims, &m.caller); err != nil {
		return mapped{}, err
	}
	m.roles, m.caller.Sources.Roles = collect(claims, r.Roles, roleNames)
	m.scopes, m.caller.Sources.Scopes = collect(claims, r.Scopes, func(_ ClaimPath, raw jsontext.Value) []string { return scopesOf(raw) })
	teams, _ := collect(claims, r.Teams, func(_ ClaimPath, raw jsontext.Value) []string { return namesOf(raw) })
	teams = slices.DeleteFunc(teams, func(team string) bool { return nameFault(team) != nil })
	m.caller.Teams = teams[:min(len(teams), maxTeams)]
	r.applyPermissions(&m)
	return m, nil
}

// applyTenant reads the tenant. A token without one is valid: its caller may do
// nothing, unless it administers the platform.
func (r *IssuerRules) applyTenant(claims claimSet, caller *application.Caller) error {
	var tenant string
	switch {
	case r.Tenant.Value != "":
		tenant = r.Tenant.Value
		caller.Sources.Tenant.Claims = "fixed value"
	case r.Tenant.Issuer:
		tenant = r.Issuer
		caller.Sources.Tenant.Claims = "iss"
	default:
		caller.Sources.Tenant.Claims = r.Tenant.Claim.String()
		raw, ok := r.Tenant.Claim.find(claims)
		if !ok {
			caller.Sources.Tenant.Missing = "is not in the token"
			return nil
		}
		var fault error
		if tenant, fault = singleOf(raw); fault != nil {
			caller.Sources.Tenant.Missing = fault.Error()
			return nil //nolint:nilerr // the fault is what explains the missing tenant
		}
	}
	if err := nameFault(tenant); err != nil {
		return fmt.Errorf("the tenant %w", err)
	}
	caller.Tenant = domain.TenantID(tenant)
	return nil
}

// applyPermissions finds out what roles and scopes allow.
func (r *IssuerRules) applyPermissions(m *mapped) {
	grant := func(permission application.Permission, reason string) {
		if _, ok := m.why[permission]; !ok && slices.Contains(application.Permissions(), permission) {
			m.why[permission] = reason
		}
	}
	for _, role := range m.roles {
		m.caller.Platform = m.caller.Platform || slices.Contains(r.PlatformRoles, role)
		if slices.Contains(r.PlatformRoles, role) || slices.Contains(r.AdministratorRoles, role) {
			for _, permission := range application.Permissions() {
				grant(permission, "role "+excerpt(role))
			}
		}
		for _, permission := range r.Permissions[role] {
			grant(permission, "role "+excerpt(role))
		}
	}
	for _, scope := range m.scopes {
		grant(application.Permission(scope), "scope "+excerpt(scope))
		for _, permission := range r.Permissions[scope] {
			grant(permission, "scope "+excerpt(scope))
		}
	}
	for _, permission := range application.Permissions() {
		if _, ok := m.why[permission]; ok {
			m.caller.Permissions = append(m.caller.Permissions, permission)
		}
	}
}

// roleNames reads roles: a string is one role, and never split. Only the claims
// "scope" and "scp", if an operator takes roles from them, are lists of words.
func roleNames(path ClaimPath, raw jsontext.Value) []string {
	if path.isTop("scope") || path.isTop("scp") {
		return scopesOf(raw)
	}
	return namesOf(raw)
}

// collect reads all claims at the paths, without duplicates, and notes where it
// looked.
func collect(claims claimSet, paths []ClaimPath, read func(ClaimPath, jsontext.Value) []string) ([]string, application.ClaimSource) {
	var names, looked []string
	missing := "is not in the token"
	seen := map[string]bool{}
	for _, path := range paths {
		looked = append(looked, path.String())
		raw, ok := path.find(claims)
		if !ok {
			continue
		}
		missing = "has no names in it"
		for _, name := range read(path, raw) {
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	source := application.ClaimSource{Claims: strings.Join(looked, ", ")}
	if len(names) == 0 && len(paths) > 0 {
		source.Missing = missing
	}
	return names, source
}
