package registrationfile

// The keys of the objects in a file, for the test of the schema.
var (
	FileKeys         = fileKeys
	TenantKeys       = tenantKeys
	RegistrationKeys = registrationKeys
	IssuerKeys       = issuerKeys
	DocumentKeys     = documentKeys
	HostKeys         = hostKeys
)
