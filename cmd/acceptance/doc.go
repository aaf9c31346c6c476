// Package acceptance tests the service with external tools: Schemathesis, generators of
// clients in other languages, and authorization servers that run on it. It contains only
// tests. They have the build tag "acceptance", because they need Python, Node.js and Java;
// "make test" runs them.
//
// # Authorization servers
//
// One script, conform in servers_test.go, drives every server over HTTP, as browsers and
// clients do: authorization codes with PKCE, client credentials, a secret and a key that
// are wrong, rotated or revoked, a redirect URI that changes, clients that are suspended
// and deleted and come back, a registry that is killed and comes back, a server that is
// started again without the registry. It measures how long each change takes until the
// server enforces it, fails if that is longer than the limit of the server, and prints a
// table at the end. Between a change and its enforcement the server must behave as before:
// any third behaviour, such as a redirect or an error 500, fails the test.
//
// Each server is described by one value of authorizationServer, in a file servers_*_test.go.
// Spring Authorization Server, Ory Hydra and Keycloak have the additional build tag
// "integrations", because they are downloaded or built, and start slowly; "make
// integrations" runs them. To add a server, write such a value: usually the command that
// starts an example of adapters/integrations.
package acceptance
