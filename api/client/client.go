// Package client is the Go client of Clientele. What openapi.yaml says is
// generated; [Connect] adds what it cannot say: where tokens come from, what is
// sent again, and refusals as errors.
package client

//go:generate go tool -modfile=../../tools.mod oapi-codegen -config client.cfg.yaml ../../openapi.yaml
