// Package jwks reads the public keys of clients: the text of a JWK Set (RFC 7517
// §5), or the set at a client's jwks_uri.
//
// The result is [domain.KeySet], the facts that the rules check:
//
//	set := jwks.Parse(`{"keys":[{"kty":"EC","crv":"P-256","kid":"1", …}]}`)
//	set.Keys[0].Curve // "P-256"
//
// Keys at a URI are fetched by a [Resolver], which connects only to addresses that
// the policy allows, also after redirects and name resolution, and limits the time, the
// size and the number of fetches. It implements
// [github.com/clientele-oauth/clientele/application.KeyResolver].
//
// A key that was read is never serialized again: the registry stores the text that
// was submitted.
package jwks
