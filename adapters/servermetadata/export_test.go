package servermetadata

import "github.com/clientele-oauth/clientele/domain"

// Due reports whether the metadata of the tenant's own server is to be read again.
func (s *Servers) Due(tenant domain.TenantID) bool { return s.byTenant[tenant].due() }
