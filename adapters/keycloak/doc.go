// Package keycloak pushes clients to a realm of Keycloak through its Admin REST API.
//
// A client at the server is managed if it has the attribute clientele.tenant. Of such a
// client this package sets the members and attributes in the table of settings.go, and,
// if the client has scopes, which client scopes are linked. Protocol mappers, roles,
// authorization settings and all other attributes stay as they are.
package keycloak
