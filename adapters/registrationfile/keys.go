package registrationfile

import (
	"slices"

	"github.com/clientele-oauth/clientele/adapters/internal/registrationpolicy"
)

// The keys of the objects in a file.

func fileKeys() []string { return []string{"tenants"} }

func tenantKeys() []string { return []string{"registration", "cimd"} }

func registrationKeys() []string {
	return slices.Concat([]string{"enabled", "issuers"}, registrationpolicy.Keys(registrationpolicy.InFile))
}

func issuerKeys() []string {
	return []string{
		"iss", "jwks_uri", "keys", "algs", "require_exp", "max_age", "jti", "mode", "claims", "required", "role_claim", "roles", "request_jwt", "audience",
		"unique_software_id",
	}
}

func documentKeys() []string {
	return []string{"mode", "hosts", "redirect_origin", "approval", "max_bytes"}
}

func hostKeys() []string { return []string{"host", "policy"} }
