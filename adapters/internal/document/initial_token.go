package document

import (
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// CheckInitialToken returns an error that wraps [application.ErrUnstorable] if the token
// cannot be stored. Its policy is checked by [EncodePolicy].
func CheckInitialToken(t domain.InitialToken) error {
	var c checker
	t.Policy = domain.RegistrationPolicy{}
	c.values("initial access token", t)
	return c.err
}

// TokenFault returns the fault of a token that cannot be decoded; err is the reason.
func TokenFault(t domain.InitialToken, err error) application.Fault {
	fault := Row{TenantID: t.TenantID}.Unreadable(application.PartInitialToken, err)
	fault.Reason = "token " + t.ID + ": " + fault.Reason
	return application.Fault{UnreadableRecord: fault.UnreadableRecord}
}

// CheckClaim returns an error that wraps [application.ErrUnstorable] if the use of the
// statement of a claim cannot be stored.
func CheckClaim(claim application.RegistrationClaim) error {
	var c checker
	if claim.Statement != nil {
		c.text("statement issuer", claim.Statement.Issuer)
		c.time("statement expires_at", claim.Statement.ExpiresAt)
	}
	return c.err
}
