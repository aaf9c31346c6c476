// Package jwks reads what clients publish at URIs of their own: public keys, as the text
// of a JWK Set (RFC 7517 §5) or the set at a jwks_uri, the URIs of a sector at a
// sector_identifier_uri (OIDC Registration §5), and client ID metadata documents
// (draft-ietf-oauth-client-id-metadata-document).
//
// The results are [domain.KeySet] and [domain.SectorIdentifier], the facts that the rules
// check, and [domain.MetadataDocument]:
//
//	set := jwks.Parse(`{"keys":[{"kty":"EC","crv":"P-256","kid":"1", …}]}`)
//	set.Keys[0].Curve // "P-256"
//
// Documents at a URI are fetched by a [Resolver], which connects only to addresses that
// the policy allows, also after redirects and name resolution, and limits the time, the
// size and the number of fetches. It implements
// [github.com/clientele-oauth/clientele/application.KeyResolver],
// [github.com/clientele-oauth/clientele/application.SectorResolver] and
// [github.com/clientele-oauth/clientele/application.ClientDocuments].
//
// A key that was read is never serialized again: the registry stores the text that
// was submitted.
package jwks
