package main

// claims names the claims from which a caller's tenant and permissions are read,
// for the log line of a forbidden request.
func (c *serveCommand) claims() []string {
	rules := c.rules()
	if c.Dev {
		rules = devRules()
	}
	return []string{rules.TenantClaim, rules.RoleClaim, "scope"}
}
