package application

import (
	"slices"

	"github.com/clientele-oauth/clientele/domain"
)

// Permission is what a caller may do in its tenant.
type Permission string

// The permissions. An administrator has all of them; to others they are granted
// as scopes of the access token.
const (
	PermissionRead   Permission = "clients:read"   // read clients, keys, history, rules; follow changes
	PermissionVerify Permission = "clients:verify" // verify secrets
	PermissionWrite  Permission = "clients:write"  // everything that changes a client
)

// Permissions lists every permission.
func Permissions() []Permission {
	return []Permission{PermissionRead, PermissionVerify, PermissionWrite}
}

// Operation names a use case as the contract names its operation.
type Operation string

// The operations.
const (
	OpCheckCompliance     Operation = "checkCompliance"
	OpCreateClient        Operation = "createClient"
	OpCreateSecret        Operation = "createSecret"
	OpDeleteClient        Operation = "deleteClient"
	OpDeleteSecret        Operation = "deleteSecret"
	OpGetClient           Operation = "getClient"
	OpGetClientCompliance Operation = "getClientCompliance"
	OpGetClientKeys       Operation = "getClientKeys"
	OpGetRevision         Operation = "getRevision"
	OpGetSnapshot         Operation = "getSnapshot"
	OpListChanges         Operation = "listChanges"
	OpListClients         Operation = "listClients"
	OpListRevisions       Operation = "listRevisions"
	OpListRules           Operation = "listRules"
	OpListSecrets         Operation = "listSecrets"
	OpRestoreClient       Operation = "restoreClient"
	OpRestoreRevision     Operation = "restoreRevision"
	OpRotateSecret        Operation = "rotateSecret"
	OpUpdateClient        Operation = "updateClient"
	OpVerifySecret        Operation = "verifySecret"
)

// Needs is the table of permissions: what each operation asks for. It knows
// every operation; an unknown operation is not permitted.
func (o Operation) Needs() Permission {
	switch o {
	case OpCheckCompliance, OpGetClient, OpGetClientCompliance, OpGetClientKeys, OpGetRevision, OpGetSnapshot, OpListChanges,
		OpListClients, OpListRevisions, OpListRules, OpListSecrets:
		return PermissionRead
	case OpVerifySecret:
		return PermissionVerify
	case OpCreateClient, OpCreateSecret, OpDeleteClient, OpDeleteSecret, OpRestoreClient, OpRestoreRevision,
		OpRotateSecret, OpUpdateClient:
		return PermissionWrite
	default:
		return ""
	}
}

// Caller is who asks: what its access token said, verified.
type Caller struct {
	Subject     string
	ClientID    domain.ClientID // the client that the token was issued to; may be empty
	Tenant      domain.TenantID
	Permissions []Permission
	// Platform callers may choose the tenant to act in.
	Platform bool

	// Issuer is the issuer of the access token. Subject is already different for
	// callers of different issuers.
	Issuer string
	// Teams are the teams that the access token names; it may name none.
	Teams []string
	// Sources says where tenant, roles and scopes come from. It is for log
	// lines and the explanation of a rejection, not for decisions.
	Sources ClaimSources
}

// ClaimSources says which claims of an access token were read, and what was
// wrong with those that gave nothing.
type ClaimSources struct {
	Tenant, Roles, Scopes ClaimSource
}

// ClaimSource is where one thing about a caller comes from.
type ClaimSource struct {
	// Claims are the claim paths that were read, separated by commas; empty if
	// none is configured.
	Claims string
	// Missing says why they gave nothing, e.g. "is not in the token"; empty if
	// they gave something.
	Missing string
}

// In returns the caller as it acts in the tenant; the error is a
// [*ForbiddenError] where it may not.
func (c Caller) In(tenant domain.TenantID) (Caller, error) {
	if tenant != c.Tenant && !c.Platform {
		return Caller{}, &ForbiddenError{Tenant: TenantForeign}
	}
	c.Tenant = tenant
	return c, nil
}

// May returns nil if the caller may run the operation in its tenant; otherwise a
// [*ForbiddenError]. Each use case checks this; adapters call it as well, to reject
// a request before they read its body.
func (c Caller) May(o Operation) error {
	needed := o.Needs()
	if needed == "" {
		return ErrForbidden
	}
	var missing ForbiddenError
	if !c.Has(needed) {
		missing.Permission = needed
	}
	switch {
	case c.Tenant != "":
	case c.Platform:
		missing.Tenant = TenantNotChosen
	default:
		missing.Tenant = TenantMissing
	}
	if missing == (ForbiddenError{}) {
		return nil
	}
	return &missing
}

// Has reports whether the caller has the permission.
func (c Caller) Has(p Permission) bool { return slices.Contains(c.Permissions, p) }

func (c Caller) actor() domain.Actor { return domain.Actor{Subject: c.Subject, ClientID: c.ClientID} }
