package tokens

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

	"github.com/clientele-oauth/clientele/adapters/internal/strictjson"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// IssuerRules define which access tokens of one issuer are accepted, and what their
// claims mean. [NewVerifier] validates them.
type IssuerRules struct {
	Issuer string // "iss", exactly
	Keys   KeyLocation
	// KeysMaxAge is the age from which keys are no longer used if they cannot be
	// read again; 0 means [DefaultKeysMaxAge].
	KeysMaxAge time.Duration
	// Audiences are the accepted values of "aud"; a token must have one of them
	// (RFC 7519 §4.1.3).
	Audiences []string
	// Types are the accepted values of the header parameter "typ",
	// case-insensitive and with or without "application/", for example "at+jwt"
	// (RFC 9068 §2.1) and "JWT".
	Types []string
	// AllowMissingType accepts tokens without "typ".
	AllowMissingType bool
	// KeyIDOptional accepts tokens without "kid". They are verified with up to
	// eight keys of the issuer that are for their algorithm.
	KeyIDOptional bool
	// MaxLifetime bounds the time from "iat" to "exp", or from now if a token has
	// no "iat"; 0 means no limit.
	MaxLifetime time.Duration
	// SubjectPrefix is prepended to the subjects of this issuer, so that the same
	// subject of another issuer is a different caller. Nil means no prefix for the
	// first issuer of a verifier, and the issuer and a space for the others.
	SubjectPrefix *string

	Tenant TenantRule
	Roles  []ClaimPath // claims with the caller's roles
	Scopes []ClaimPath // claims with the token's scopes
	Teams  []ClaimPath // claims with the caller's teams
	// AdministratorRoles are the roles of an administrator of the tenant,
	// PlatformRoles those of an administrator of every tenant.
	AdministratorRoles []string
	PlatformRoles      []string
	// Permissions maps roles and scopes of the issuer to permissions. A scope with
	// the name of a permission grants it without being listed.
	Permissions map[string][]application.Permission
}

// TenantRule defines the tenant of a caller. Exactly one field must be set.
type TenantRule struct {
	Claim  *ClaimPath // the value of a claim
	Value  string     // a fixed tenant
	Issuer bool       // the issuer itself
}

// DefaultScopeClaims are the claims with scopes if none are configured: "scope"
// (RFC 9068 §2.2.3), and "scp", which Entra ID, Okta and Hydra use.
func DefaultScopeClaims() []ClaimPath { return mustPaths("scope", "scp") }

// DefaultTypes are the accepted values of "typ" if none are configured.
func DefaultTypes() []string { return []string{"at+jwt", "JWT"} }

// mustPaths parses paths that are constants.
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

// check reports settings that are missing or invalid, and those without effect.
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
		if _, err := metadataURLs(r.Issuer); err != nil {
			fault("keys/discovery", "discovery requires an issuer that is an https URL without query and fragment")
		}
	}
	if r.Keys.URL != "" && !fetchable(r.Keys.URL, true) {
		fault("keys/url", "must be an http or https URL")
	}
	if r.KeysMaxAge < 0 {
		fault("keys/max_age", "must not be negative")
	}
	if len(r.Audiences) == 0 {
		fault("audiences", "at least one is required: tokens for other services must not be accepted")
	}
	if len(r.Types) == 0 && !r.AllowMissingType {
		fault("types", "at least one is required, or allow_missing_type")
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
			fault(values.setting, "must not contain an empty value")
		}
	}
	uses := len(r.AdministratorRoles) + len(r.PlatformRoles)
	switch {
	case len(r.Roles) == 0 && uses > 0:
		fault("roles", "administrator_roles and platform_roles have no effect without roles/claims")
	case len(r.Roles) > 0 && uses+len(r.Permissions) == 0:
		fault("roles", "roles have no effect without administrator_roles, platform_roles or permissions")
	case len(r.Roles)+len(r.Scopes) == 0:
		fault("scopes", "without roles and scopes, no caller has a permission")
	}
	for _, name := range slices.Sorted(maps.Keys(r.Permissions)) {
		permissions := r.Permissions[name]
		for _, permission := range permissions {
			if !slices.Contains(application.Permissions(), permission) {
				fault("permissions/"+escapedName(name), "unknown permission %q; known: %s", permission, list(application.Permissions()))
			}
		}
		if name == "" || len(permissions) == 0 {
			fault("permissions/"+escapedName(name), "a role or scope must map to at least one permission")
		}
	}
	return errs
}

// RuleError is an issuer setting that is invalid or has no effect.
type RuleError struct {
	Issuer  int    // position of the issuer, from 0
	Setting string // path in the issuers file below the issuer, separated by slashes
	Message string
}

// Error returns the JSON Pointer of the setting and the message.
func (e *RuleError) Error() string {
	return fmt.Sprintf("/issuers/%d/%s: %s", e.Issuer, e.Setting, e.Message)
}

// escapedName escapes a name for a JSON Pointer (RFC 6901 §3).
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

// nameFault reports why a text cannot be a subject, tenant, client_id or issuer,
// which appear in logs and in the history of clients. The error continues the name of
// the value.
func nameFault(text string) error {
	switch {
	case text == "":
		return errors.New("is empty")
	case len(text) > maxClaimBytes:
		return fmt.Errorf("is longer than %d bytes", maxClaimBytes)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		return errors.New("has control characters")
	default:
		return nil
	}
}

// clientOf returns the client that a token was issued to: "client_id" (RFC 9068
// §2.2), "azp" (OpenID Connect Core §2), "cid" (Okta) or "appid" (Entra ID, version
// 1). It may be empty.
func clientOf(claims claimSet) (domain.ClientID, error) {
	for _, name := range []string{"client_id", "azp", "cid", "appid"} {
		client, ok := strictjson.String(claims[name])
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

// maxTeams bounds the teams of a caller; others are ignored.
const maxTeams = 256

// mapped is the result of applying the rules of an issuer to claims.
type mapped struct {
	caller application.Caller
	roles  []string
	scopes []string
	// grants names the role or scope that grants each permission.
	grants map[application.Permission]string
}

// apply returns the caller that the claims describe. The subject has no prefix yet.
func (r *IssuerRules) apply(claims claimSet) (mapped, error) {
	subject, _, err := claims.Text("sub")
	if err != nil {
		return mapped{}, err
	}
	if err := nameFault(subject); err != nil {
		return mapped{}, fmt.Errorf("sub %w", err)
	}
	m := mapped{grants: map[application.Permission]string{}}
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

// applyTenant sets the tenant. A token without one is valid, but its caller has no
// access unless it is a platform administrator.
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
			return nil //nolint:nilerr // the result contains it
		}
	}
	if err := nameFault(tenant); err != nil {
		return fmt.Errorf("the tenant %w", err)
	}
	caller.Tenant = domain.TenantID(tenant)
	return nil
}

// applyPermissions sets the permissions that roles and scopes grant.
func (r *IssuerRules) applyPermissions(m *mapped) {
	grant := func(permission application.Permission, reason string) {
		if _, ok := m.grants[permission]; !ok && slices.Contains(application.Permissions(), permission) {
			m.grants[permission] = reason
		}
	}
	for _, role := range m.roles {
		m.caller.Platform = m.caller.Platform || slices.Contains(r.PlatformRoles, role)
		if slices.Contains(r.PlatformRoles, role) || slices.Contains(r.AdministratorRoles, role) {
			m.caller.Administrator = true
			for _, permission := range application.AdministratorPermissions() {
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
		if _, ok := m.grants[permission]; ok {
			m.caller.Permissions = append(m.caller.Permissions, permission)
		}
	}
}

// roleNames reads roles. A string is one role and is not split, except in the claims
// "scope" and "scp", from which operators can also read roles.
func roleNames(path ClaimPath, raw jsontext.Value) []string {
	if path.isTop("scope") || path.isTop("scp") {
		return scopesOf(raw)
	}
	return namesOf(raw)
}

// collect reads the claims at all paths, without duplicates, and returns the paths
// as their source.
func collect(claims claimSet, paths []ClaimPath, read func(ClaimPath, jsontext.Value) []string) ([]string, application.ClaimSource) {
	var names, texts []string
	missing := "is not in the token"
	seen := map[string]bool{}
	for _, path := range paths {
		texts = append(texts, path.String())
		raw, ok := path.find(claims)
		if !ok {
			continue
		}
		missing = "is empty"
		for _, name := range read(path, raw) {
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	source := application.ClaimSource{Claims: strings.Join(texts, ", ")}
	if len(names) == 0 && len(paths) > 0 {
		source.Missing = missing
	}
	return names, source
}
