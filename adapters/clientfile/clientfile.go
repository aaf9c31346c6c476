// Package clientfile reads client configurations from JSON and YAML files and records
// the line of each setting.
//
// A file contains one or more configurations: YAML documents, concatenated JSON
// texts, or a list. A configuration has the fields of UpdateClientRequest in
// openapi.yaml and optionally a client_id and, for a client that is moved from another
// system, the secret_hash of its secret; or it is client metadata in the standard names
// (RFC 7591 §2, ClientMetadata in openapi.yaml). The names that it has decide which; a
// configuration cannot mix them. A client from a response of the service is also accepted.
package clientfile

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/adapters/internal/metadata"
	"github.com/clientele-oauth/clientele/domain"
)

// Document is one client configuration in a file.
type Document struct {
	// ClientID is the client_id of the configuration; empty if omitted.
	ClientID string
	// SecretHash is the secret_hash of the configuration; empty if omitted. It is for a
	// new client only, and must not be shown.
	SecretHash string
	// Change is the configuration. It is empty if there are Breaches.
	Change domain.Change
	// Breaches are the places where it violates the schema of a
	// configuration.
	Breaches domain.Findings
	// IDProblems are the reasons why the service would reject the ClientID; the
	// Change can still be checked. A missing client_id is not a problem.
	IDProblems domain.Findings

	lines map[string]int
	base  string // JSON Pointer of the configuration, prefix of the keys of lines
	// standard is the configuration if it has the standard names; nil otherwise.
	standard *metadata.Document
}

// Place returns the JSON Pointer of a value in the names that the file uses. The pointer
// may have the names of the API.
func (d Document) Place(pointer string) string {
	if d.standard == nil {
		return pointer
	}
	return d.standard.Place(pointer)
}

// Line returns the line, from 1, of the value at the JSON Pointer (see [Document.Place]).
// If the file has no such value, it returns the line of the closest parent.
func (d Document) Line(pointer string) int {
	pointer = d.Place(pointer)
	for {
		if line, ok := d.lines[d.base+pointer]; ok || pointer == "" {
			return line
		}
		pointer = pointer[:max(strings.LastIndexByte(pointer, '/'), 0)]
	}
}

// SyntaxError reports a file that cannot be parsed.
type SyntaxError struct {
	Line    int // 0 if the error has no line
	Message string
}

// Error implements the error interface. The text contains the line, if there is one.
func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Message)
}

// Limits for files. Within these limits, reading needs only a small multiple of the
// file size in memory, for any content.
const (
	// MaxFileBytes is the maximum size of a file, in bytes. It is enough for
	// tens of thousands of configurations.
	MaxFileBytes = 32 << 20
	// maxDocuments is the maximum number of configurations in a file.
	maxDocuments = 100_000
	// maxValues is the maximum number of values (strings, numbers, lists, objects)
	// in a configuration. A valid one has a few hundred.
	maxValues = 10_000
	// maxBreaches is the maximum number of reported breaches per configuration.
	maxBreaches = 100
)

// Reader reads files.
type Reader struct {
	schema *contract.Schema
}

// NewReader returns a reader that checks configurations against openapi.yaml.
func NewReader() (*Reader, error) {
	schema, err := contract.RequestSchema("UpdateClientRequest")
	if err == nil {
		err = schema.CheckFields(nil)
	}
	if err != nil {
		return nil, err
	}
	return &Reader{schema: schema.ForUpdates()}, nil
}

// Read returns the configurations in text. The extension of the name determines
// whether it is JSON or YAML; with any other extension, the first byte does. The error
// is a [*SyntaxError].
func (r *Reader) Read(name string, text []byte) ([]Document, error) {
	var documents []Document
	err := r.Each(context.Background(), name, text, func(d Document) error {
		documents = append(documents, d)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return documents, nil
}

// Each calls visit with each configuration in text, in order, without keeping them in
// memory. It stops with the error of visit or of the context. Any other error is a
// [*SyntaxError]; configurations before it may have been visited.
func (r *Reader) Each(ctx context.Context, name string, text []byte, visit func(Document) error) error {
	if len(text) > MaxFileBytes {
		return errTooLong
	}
	decode := decodeYAML
	text = withoutBOM(text)
	if isJSON(name, text) {
		decode = decodeJSON
	}
	n := 0
	err := decode(ctx, text, func(v located) error {
		if n++; n > maxDocuments {
			return &SyntaxError{Line: v.lines[v.base], Message: fmt.Sprintf("the file has more than %d client configurations", maxDocuments)}
		}
		return visit(r.document(v))
	})
	if err == nil && n == 0 {
		return &SyntaxError{Message: "the file has no client configuration"}
	}
	return err
}

// errTooLong reports a file larger than MaxFileBytes.
var errTooLong = &SyntaxError{Message: fmt.Sprintf("the file is longer than %d MiB", MaxFileBytes>>20)}

// withoutBOM removes the byte order mark that some editors write at the start of UTF-8
// files (RFC 8259 §8.1 allows readers to ignore it).
func withoutBOM(text []byte) []byte { return bytes.TrimPrefix(text, []byte("\ufeff")) }

func isJSON(name string, text []byte) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".json", ".jsonl", ".ndjson":
		return true
	case ".yaml", ".yml":
		return false
	default:
		start := bytes.TrimLeft(text, " \t\r\n")
		return len(start) > 0 && (start[0] == '{' || start[0] == '[')
	}
}

// located is a decoded value in the types of encoding/json, with its JSON Pointer (""
// or, for an element of a list, the index) and the lines of its parts by JSON Pointer.
type located struct {
	content any
	base    string
	lines   map[string]int
	// keys is the text of a key set that a JSON file has as an object; empty otherwise.
	keys string
}

// readOnly lists the fields of a client in a response, in both forms, that a configuration
// cannot set.
func readOnly() []string {
	return []string{
		"id", "tenant_id", "secret_last_four", "created_at", "updated_at", "deleted_at",
		"client_id_issued_at", "revision", "effective",
	}
}

// document converts a value to a configuration.
func (r *Reader) document(v located) Document {
	d := Document{lines: v.lines, base: v.base}
	members, ok := v.content.(map[string]any)
	if !ok {
		d.Breaches = domain.Findings{contract.Breach{Message: "a client configuration must be an object"}.Finding()}
		return d
	}
	for _, name := range readOnly() {
		delete(members, name)
	}
	if id, given := members["client_id"]; given {
		if d.ClientID, ok = id.(string); ok {
			d.IDProblems = domain.CheckClientID(domain.ClientID(d.ClientID))
		} else {
			d.Breaches = append(d.Breaches, contract.Breach{Pointer: "/client_id", Message: "must be a string"}.Finding())
		}
		delete(members, "client_id")
	}
	if hash, given := members["secret_hash"]; given {
		if d.SecretHash, ok = hash.(string); !ok {
			d.Breaches = append(d.Breaches, contract.Breach{Pointer: "/secret_hash", Message: "must be a string"}.Finding())
		}
		delete(members, "secret_hash")
	}
	if v.keys != "" {
		members[domain.FieldJWKS.String()] = v.keys
	}
	standard, ok, mixed := metadata.Recognize(members)
	var breaches []contract.Breach
	switch {
	case mixed != nil:
		d.Breaches = append(d.Breaches, mixed.Finding())
		return d
	case ok:
		d.standard = &standard
		members, breaches = standard.Configuration()
	}
	contract.Normalize(members)
	for _, breach := range r.schema.Check(members) {
		breach.Pointer = d.Place(breach.Pointer)
		breaches = append(breaches, breach)
	}
	for i, breach := range breaches {
		if i == maxBreaches {
			d.Breaches = append(d.Breaches, contract.Breach{Message: fmt.Sprintf("more problems of this kind: %d", len(breaches)-i)}.Finding())
			break
		}
		d.Breaches = append(d.Breaches, breach.Finding())
	}
	if len(d.Breaches) > 0 {
		return d
	}
	d.Change = contract.ChangeOf(members)
	return d
}
