// Package servermetadata reads what authorization servers publish about what they support
// (OpenID Connect Discovery §3, RFC 8414 §2), at URLs and in files that the operator
// configures. It implements
// [github.com/clientele-oauth/clientele/application.Servers].
//
// The service works without the metadata: what cannot be read is reported, and the last
// metadata that could be read stays in use.
package servermetadata
