package application

import "strings"

// TenantProblem is the reason why a caller has no access to a tenant.
type TenantProblem uint8

// The tenant problems.
const (
	// TenantOK: the caller has access to the tenant.
	TenantOK TenantProblem = iota
	// TenantMissing: the access token has no tenant.
	TenantMissing
	// TenantNotChosen: a platform caller did not select a tenant.
	TenantNotChosen
	// TenantForeign: the caller selected a tenant other than that of its access token,
	// which only platform callers may do.
	TenantForeign
	// TenantsForeign: the caller selected all tenants, which only platform callers may
	// do.
	TenantsForeign
)

// RoleProblem is what a caller lacks the role of an administrator for.
type RoleProblem uint8

// The role problems.
const (
	// RoleOK: the caller does not lack the role.
	RoleOK RoleProblem = iota
	// RoleForOperation: only administrators may run the operation.
	RoleForOperation
	// RoleForSecretHash: only administrators may import the hash of a secret.
	RoleForSecretHash
)

// ForbiddenError describes what a caller lacks. It wraps [ErrForbidden].
type ForbiddenError struct {
	// Permission is the permission that the caller lacks; empty if it lacks none.
	Permission Permission
	// Role is what the caller lacks the role of an administrator for.
	Role RoleProblem
	// Tenant is the problem with the tenant.
	Tenant TenantProblem
}

// Error lists what is missing.
func (e *ForbiddenError) Error() string {
	var missing []string
	switch e.Tenant {
	case TenantOK:
	case TenantMissing:
		missing = append(missing, "the access token has no tenant")
	case TenantNotChosen:
		missing = append(missing, "the platform caller did not select a tenant")
	case TenantForeign:
		missing = append(missing, "the selected tenant is not the tenant of the access token")
	case TenantsForeign:
		missing = append(missing, "only a platform caller may select all tenants")
	}
	if e.Permission != "" {
		missing = append(missing, "the permission "+string(e.Permission)+" is missing")
	}
	switch e.Role {
	case RoleOK:
	case RoleForOperation:
		missing = append(missing, "only an administrator may use this operation")
	case RoleForSecretHash:
		missing = append(missing, "only an administrator may use secret_hash")
	}
	if len(missing) == 0 {
		return ErrForbidden.Error()
	}
	return ErrForbidden.Error() + ": " + strings.Join(missing, "; ")
}

// Unwrap returns [ErrForbidden].
func (e *ForbiddenError) Unwrap() error { return ErrForbidden }
