// Package rest serves the registry over HTTP as openapi.yaml says: it
// authenticates, holds requests against the contract, maps them to the use
// cases of package application and the outcomes back to the wire.
//
// A request passes, from the outside in: request id, access log, recovery,
// deadline, route, authentication, contract, generated binding, operation.
// Errors of all of these become answers in one place, problem.go.
package rest
