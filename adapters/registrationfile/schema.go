package registrationfile

import (
	_ "embed" // of the schema
	"slices"
)

//go:embed schema.json
var schema []byte

// Schema returns the JSON Schema of the file (draft 2020-12).
func Schema() []byte { return slices.Clone(schema) }
