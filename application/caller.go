package application

import (
	"slices"

	"github.com/clientele-oauth/clientele/domain"
)

// Permission is what a caller may do in its tenant.
type Permission string

// The permissions. An administrator has all of them.
const (
	PermissionRead  Permission = "clients:read"
	PermissionWrite Permission = "clients:write"
)

// Permissions lists every permission.
func Permissions() []Permission { return []Permission{PermissionRead, PermissionWrite} }

// Caller is who asks: what its access token said, verified.
type Caller struct {
	Subject     string
	Tenant      domain.TenantID
	Permissions []Permission
}

// may returns nil where the caller has the permission, [ErrForbidden] where not.
func (c Caller) may(p Permission) error {
	if c.Tenant == "" || !slices.Contains(c.Permissions, p) {
		return ErrForbidden
	}
	return nil
}

func (c Caller) actor() domain.Actor { return domain.Actor{Subject: c.Subject} }
