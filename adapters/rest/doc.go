// Package rest serves the registry over HTTP as specified in openapi.yaml. It
// authenticates callers, validates requests against the specification, calls the
// use cases of package application and writes the responses.
//
// A request passes through these layers, from the outside in: request id, access
// log, recovery, deadline, route, authentication, contract, generated binding,
// operation. One file, problem.go, turns the errors of all layers into responses.
package rest
