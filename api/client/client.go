// Package client is the Go client of Clientele. Most of it is generated from
// openapi.yaml. [Connect] adds what that document cannot describe: access tokens,
// retries, and error responses as Go errors.
package client

//go:generate go tool -modfile=../../tools.mod oapi-codegen -config client.cfg.yaml ../../openapi.yaml
