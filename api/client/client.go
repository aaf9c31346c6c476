// Package client is the Go client of Clientele, generated from openapi.yaml.
// Only this file, which says how it is made, is written by hand.
package client

//go:generate go tool -modfile=../../tools.mod oapi-codegen -config client.cfg.yaml ../../openapi.yaml
