package domain

// Facts is what is known about a client in addition to its configuration when it is
// validated. The zero value is nothing: rules that depend on a fact then find nothing.
type Facts struct {
	Keys   Keys
	Sector SectorIdentifier
	// Server is what the authorization server of the client's tenant supports.
	Server ServerMetadata
}
