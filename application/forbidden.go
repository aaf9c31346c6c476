package application

import "strings"

// TenantProblem is what is wrong with the tenant that a caller wants to act in.
type TenantProblem uint8

// The tenant problems.
const (
	// TenantOK: nothing is wrong with the tenant.
	TenantOK TenantProblem = iota
	// TenantMissing: the access token has no tenant.
	TenantMissing
	// TenantNotChosen: a platform caller must choose the tenant to act in, and
	// chose none.
	TenantNotChosen
	// TenantForeign: the caller chose a tenant that is not the one of its access
	// token, which only platform callers may do.
	TenantForeign
)

// ForbiddenError says what a caller lacks. [errors.Is] matches it with
// [ErrForbidden].
type ForbiddenError struct {
	// Permission is the permission that the caller lacks; empty if it has the
	// one it needs.
	Permission Permission
	// NotAdministrator reports that only an administrator may import the hash of a
	// secret, and the caller is none.
	NotAdministrator bool
	// Tenant is what is wrong with the caller's tenant.
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
	}
	if e.Permission != "" {
		missing = append(missing, "the permission "+string(e.Permission)+" is missing")
	}
	if e.NotAdministrator {
		missing = append(missing, "only an administrator may import the hash of a secret")
	}
	if len(missing) == 0 {
		return ErrForbidden.Error()
	}
	return ErrForbidden.Error() + ": " + strings.Join(missing, "; ")
}

// Unwrap makes it an [ErrForbidden].
func (e *ForbiddenError) Unwrap() error { return ErrForbidden }
