// Package tokens verifies the access tokens of callers (RFC 9068, RFC 7519,
// RFC 8725), and signs tokens for development.
//
// A [Verifier] trusts the issuers that are configured, each with its own
// [IssuerRules] and keys. The "iss" of a token selects the issuer:
//
//	rules, err := tokens.ReadIssuersFile("issuers.yaml")
//	…
//	issuers := tokens.NewIssuers(rules, tokens.KeySettings{Log: log}, time.Now)
//	verifier, err := tokens.NewVerifier(issuers, time.Now)
//	…
//	caller, err := verifier.Verify(ctx, token)
//
// [ReadIssuersFile] reads the rules of any number of issuers; [SingleIssuer] has those
// of one issuer in the form of command line flags. [ClaimPath] selects the claims with
// the tenant, the roles and the scopes. [Verifier.Inspect] explains why a token is
// accepted or rejected.
//
// A [Signer] creates tokens with a key in a file, which development mode uses.
package tokens
