// Package mirror keeps a copy of the clients of a registry in the memory of an
// authorization server. [Open] reads a snapshot, and a goroutine then follows the change
// feed, so that a change is in the copy within milliseconds. [Mirror.Get]
// reads the copy and sends nothing. [Mirror.VerifySecret] verifies at the registry and keeps
// positive results for as long as the registry permits. [Mirror.Keys] has inline keys in the
// copy, and reads those at a jwks_uri through the registry. [Mirror.Authenticate] passes on
// everything by which a request authenticates a client.
//
// [Mirror.Resolve] is Get for servers that also admit clients by URL: with
// [Config].Documents it requests the client that a client ID metadata document defines from
// the registry, and uses the response for as long as the registry permits.
//
// While the registry is unavailable, the copy remains in use until it is older than
// [Config].MaxStaleness. With [Config].File the copy survives a restart of the server, and
// with [Config].Verifiers even secrets can be verified without the registry.
//
// # Errors
//
// A server has to distinguish three situations:
//
//   - [ErrNotFound]: there is no such client, or it is suspended or deleted. The response
//     of the server is invalid_client.
//   - [ErrWrongSecret], [ErrNotAuthenticated]: the value is not a valid secret of the
//     client, or the request does not authenticate one. The response is invalid_client as
//     well.
//   - [ErrUnavailable]: the mirror cannot know. The response must be a 5xx (server_error),
//     never invalid_client, and never a redirect. [ErrStale] is a special case of it.
//
// # What is not in the mirror
//
// A mirror has the clients of one tenant: that of the access token, or
// client.Settings.Tenant. It has no history, and deleted clients are not in it. Clients that
// only a client ID metadata document defines are kept in memory, but not in the file.
package mirror
