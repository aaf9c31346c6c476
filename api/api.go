// Package api is generated from openapi.yaml: the types of the wire and the
// chi server stubs. Package client beside it is the Go client. Only this file,
// which says how they are made, is written by hand.
package api

import _ "embed"

//go:generate go tool -modfile=../tools.mod oapi-codegen -config server.cfg.yaml ../openapi.yaml
//go:generate cp ../openapi.yaml openapi.gen.yaml

// Document is openapi.yaml, to be served and to be validated against. Go
// embeds no file from outside the package's folder, hence the generated copy.
//
//go:embed openapi.gen.yaml
var Document []byte
