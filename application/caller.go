package application

import (
	"slices"

	"github.com/clientele-oauth/clientele/domain"
)

// Permission allows a caller some operations in its tenant.
type Permission string

// The permissions. An administrator has those of [AdministratorPermissions]; other
// callers get them from the scopes of the access token.
const (
	PermissionRead      Permission = "clients:read"      // read clients, keys, history, rules; follow changes
	PermissionVerify    Permission = "clients:verify"    // verify secrets, authenticate clients
	PermissionWrite     Permission = "clients:write"     // everything that changes a client
	PermissionVerifiers Permission = "clients:verifiers" // read the hashes of secrets
)

// Permissions lists every permission.
func Permissions() []Permission {
	return append(AdministratorPermissions(), PermissionVerifiers)
}

// AdministratorPermissions lists the permissions that the role of an administrator has.
// [PermissionVerifiers] is not one of them: hashes can be attacked offline and without a
// trace, so it is only for the servers that need them.
func AdministratorPermissions() []Permission {
	return []Permission{PermissionRead, PermissionVerify, PermissionWrite}
}

// Operation is a use case, named after the operation in openapi.yaml.
type Operation string

// The operations.
const (
	OpAuthenticateClient  Operation = "authenticateClient"
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
	OpListSecretVerifiers Operation = "listSecretVerifiers"
	OpRestoreClient       Operation = "restoreClient"
	OpRestoreRevision     Operation = "restoreRevision"
	OpRotateSecret        Operation = "rotateSecret"
	OpUpdateClient        Operation = "updateClient"
	OpVerifySecret        Operation = "verifySecret"

	OpApproveClientMetadata          Operation = "approveClientMetadata"
	OpCreateRegistrationToken        Operation = "createRegistrationToken"
	OpDeleteClientLocks              Operation = "deleteClientLocks"
	OpDeleteRegistrationToken        Operation = "deleteRegistrationToken"
	OpGetAuthorizationServerMetadata Operation = "getAuthorizationServerMetadata"
	OpGetClientMetadata              Operation = "getClientMetadata"
	OpIssueClientRegistrationToken   Operation = "issueClientRegistrationToken"
	OpListRegistrationTokens         Operation = "listRegistrationTokens"
	OpReportClientSeen               Operation = "reportClientSeen"
	OpRevokeClientRegistrationToken  Operation = "revokeClientRegistrationToken"
)

// Needs returns the permission that an operation requires. No caller has a permission for
// an unknown operation.
func (o Operation) Needs() Permission {
	switch o {
	case OpCheckCompliance, OpGetClient, OpGetClientCompliance, OpGetClientKeys, OpGetRevision, OpGetSnapshot, OpListChanges,
		OpListClients, OpListRevisions, OpListRules, OpListSecrets, OpGetAuthorizationServerMetadata, OpGetClientMetadata:
		return PermissionRead
	case OpAuthenticateClient, OpVerifySecret, OpReportClientSeen:
		return PermissionVerify
	case OpListSecretVerifiers:
		return PermissionVerifiers
	case OpCreateClient, OpCreateSecret, OpDeleteClient, OpDeleteSecret, OpRestoreClient, OpRestoreRevision,
		OpRotateSecret, OpUpdateClient, OpApproveClientMetadata, OpCreateRegistrationToken, OpDeleteClientLocks,
		OpDeleteRegistrationToken, OpIssueClientRegistrationToken, OpListRegistrationTokens, OpRevokeClientRegistrationToken:
		return PermissionWrite
	default:
		return ""
	}
}

// delegates reports whether the operation lets others change clients, or vouches for them.
// It is only for administrators: a caller that may write clients must not pass this on.
func (o Operation) delegates() bool {
	switch o {
	case OpApproveClientMetadata, OpCreateRegistrationToken, OpDeleteClientLocks, OpDeleteRegistrationToken,
		OpIssueClientRegistrationToken, OpListRegistrationTokens, OpRevokeClientRegistrationToken:
		return true
	default:
		return false
	}
}

// Caller is the author of a request, according to its verified access token.
type Caller struct {
	Subject     string
	ClientID    domain.ClientID // the client that the token was issued to; may be empty
	Tenant      domain.TenantID
	Permissions []Permission
	// Administrator reports whether the caller has the role of an administrator, or the
	// platform role. Only administrators may import the hash of a secret.
	Administrator bool
	// Platform callers may choose the tenant to act in.
	Platform bool
	// All reports whether the caller acts in all tenants; see [Caller.InAll]. Tenant is
	// then empty.
	All bool

	// Issuer is the issuer of the access token. Subject is already different for
	// callers of different issuers.
	Issuer string
	// Teams are the teams in the access token; there may be none.
	Teams []string
	// Sources are the claims with the tenant, roles and scopes. They are only for
	// logs and for the explanation of a rejection.
	Sources ClaimSources

	// registration is set for a client that registers itself or manages its registration.
	// It is the actor in the log.
	registration *domain.Actor
}

// ClaimSources describes which claims of an access token were read, and why some of them
// had no usable value.
type ClaimSources struct {
	Tenant, Roles, Scopes ClaimSource
}

// ClaimSource describes the claims with one property of a caller.
type ClaimSource struct {
	// Claims are the claim paths that were read, separated by commas; empty if
	// none is configured.
	Claims string
	// Missing is the reason why they have no usable value, e.g. "is not in the
	// token"; empty if they have one.
	Missing string
}

// In returns the caller with the tenant selected. The error is a [*ForbiddenError] if the
// caller has no access to the tenant.
func (c Caller) In(tenant domain.TenantID) (Caller, error) {
	if tenant != c.Tenant && !c.Platform {
		return Caller{}, &ForbiddenError{Tenant: TenantForeign}
	}
	c.Tenant = tenant
	return c, nil
}

// InAll returns the caller with all tenants selected, for the operations that read them
// together: [OpListChanges] and [OpGetSnapshot]. The error is a [*ForbiddenError] if the
// caller is not a platform caller.
func (c Caller) InAll() (Caller, error) {
	if !c.Platform {
		return Caller{}, &ForbiddenError{Tenant: TenantsForeign}
	}
	c.Tenant, c.All = "", true
	return c, nil
}

// readsAll reports whether the operation can be run in all tenants together.
func (o Operation) readsAll() bool { return o == OpListChanges || o == OpGetSnapshot }

// May returns nil if the caller may run the operation in its tenant; otherwise a
// [*ForbiddenError]. Each use case checks this; adapters call it as well, to reject
// a request before they read its body.
func (c Caller) May(o Operation) error {
	needed := o.Needs()
	if needed == "" {
		return ErrForbidden
	}
	var missing ForbiddenError
	if o.delegates() && !c.Administrator {
		missing.Role = RoleForOperation
	}
	if !c.Has(needed) {
		missing.Permission = needed
	}
	switch {
	case c.Tenant != "", c.All && o.readsAll():
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

// mayImport returns nil if the caller may run the operation with the hash of an existing
// secret; otherwise a [*ForbiddenError].
func (c Caller) mayImport(o Operation) error {
	err := c.May(o)
	if err == nil && !c.Administrator {
		err = &ForbiddenError{Role: RoleForSecretHash}
	}
	return err
}

// Has reports whether the caller has the permission.
func (c Caller) Has(p Permission) bool { return slices.Contains(c.Permissions, p) }

func (c Caller) actor() domain.Actor {
	if c.registration != nil {
		return *c.registration
	}
	return domain.Actor{Subject: c.Subject, ClientID: c.ClientID, Via: domain.ViaAdmin}
}
