// Package api is generated from openapi.yaml: the types of requests and responses, and
// the chi server stubs. The subpackage client is the Go client. Only this file, which
// configures the generator, is written by hand.
package api

import _ "embed"

//go:generate go tool -modfile=../tools.mod oapi-codegen -config server.cfg.yaml ../openapi.yaml
//go:generate cp ../openapi.yaml openapi.gen.yaml

// Document is the content of openapi.yaml. The service publishes it and validates
// requests against it. It is a generated copy, because Go cannot embed a file from
// outside the package's folder.
//
//go:embed openapi.gen.yaml
var Document []byte
