// Package clientfile reads client configurations from JSON and YAML files, and
// remembers where in the file each setting stands.
//
// A file holds one configuration or several: YAML documents, JSON texts behind
// each other, or a list. A configuration has the members of openapi.yaml's
// UpdateClientRequest and may name its client_id; an item as the service answers
// it is one as well.
package clientfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/clientele-oauth/clientele/adapters/wire"
	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/domain"
)

// Document is one client configuration in a file.
type Document struct {
	// ClientID is the client_id that the configuration names; may be empty.
	ClientID string
	// Wish is the configuration. It is empty where there are Breaches.
	Wish domain.Change
	// Breaches are the places in which it is not of the form of a
	// configuration.
	Breaches domain.Findings

	lines map[string]int
	base  string // JSON Pointer of the configuration in what the lines are of
}

// Line returns the line, from 1, on which the value at the JSON Pointer stands;
// where the file has no such value, the line of what would hold it.
func (d Document) Line(pointer string) int {
	for {
		if line, ok := d.lines[d.base+pointer]; ok || pointer == "" {
			return line
		}
		pointer = pointer[:max(strings.LastIndexByte(pointer, '/'), 0)]
	}
}

// SyntaxError is a file that cannot be read.
type SyntaxError struct {
	Line    int // 0 where no line is to blame
	Message string
}

// Error tells where and why.
func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Message)
}

// maxFileBytes bounds a file; thousands of configurations fit in.
const maxFileBytes = 64 << 20

// Reader reads files.
type Reader struct {
	schema *wire.Schema
}

// NewReader returns a reader of the configurations that the contract allows.
func NewReader() (*Reader, error) {
	schema, err := wire.RequestSchema(api.Document, "UpdateClientRequest")
	if err != nil {
		return nil, err
	}
	return &Reader{schema: schema}, nil
}

// Read returns the configurations in text. The name says by its ending whether
// it is JSON or YAML; where it says neither, the first byte does. The error is
// a [*SyntaxError].
func (r *Reader) Read(name string, text []byte) ([]Document, error) {
	if len(text) > maxFileBytes {
		return nil, &SyntaxError{Message: fmt.Sprintf("a file has at most %d bytes", maxFileBytes)}
	}
	decode := decodeYAML
	if isJSON(name, text) {
		decode = decodeJSON
	}
	values, err := decode(text)
	if err != nil {
		return nil, err
	}
	var documents []Document
	for _, v := range values {
		if list, ok := v.content.([]any); ok {
			for i := range list {
				documents = append(documents, r.document(list[i], v.lines, fmt.Sprintf("/%d", i)))
			}
			continue
		}
		documents = append(documents, r.document(v.content, v.lines, ""))
	}
	if len(documents) == 0 {
		return nil, &SyntaxError{Message: "there is no client configuration in it"}
	}
	return documents, nil
}

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

// located is a decoded value: what encoding/json would make of it, and the line
// of each part of it, by JSON Pointer.
type located struct {
	content any
	lines   map[string]int
}

// readOnly lists the members that an item of the service has and that no
// configuration can set.
func readOnly() []string {
	return []string{"id", "tenant_id", "secret_last_four", "created_at", "updated_at", "deleted_at"}
}

// document makes a configuration of a value.
func (r *Reader) document(content any, lines map[string]int, base string) Document {
	d := Document{lines: lines, base: base}
	members, ok := content.(map[string]any)
	if !ok {
		d.Breaches = domain.Findings{wire.Breach{Message: "a client configuration is an object"}.Finding()}
		return d
	}
	for _, name := range readOnly() {
		delete(members, name)
	}
	if id, given := members["client_id"]; given {
		if d.ClientID, ok = id.(string); !ok {
			d.Breaches = append(d.Breaches, wire.Breach{Pointer: "/client_id", Message: "must be a string"}.Finding())
		}
		delete(members, "client_id")
	}
	loosen(members)
	for _, breach := range r.schema.Check(members) {
		d.Breaches = append(d.Breaches, breach.Finding())
	}
	if len(d.Breaches) > 0 {
		return d
	}
	wish, err := changeOf(members)
	if err != nil {
		d.Breaches = domain.Findings{wire.Breach{Message: "must have the form of a client configuration"}.Finding()}
		return d
	}
	d.Wish = wish
	return d
}

// loosen brings the two members that have several forms into the one of the
// contract's requests: a key set may stand in a file as an object, and the
// service answers with the authentication methods as a JSON text.
func loosen(members map[string]any) {
	if set, ok := members["jwks"].(map[string]any); ok {
		if text, err := json.Marshal(set); err == nil {
			members["jwks"] = string(text)
		}
	}
	if text, ok := members["client_auth_methods"].(string); ok {
		var list []any
		if json.Unmarshal([]byte(text), &list) == nil {
			members["client_auth_methods"] = list
		}
	}
}

// changeOf reads members that keep the schema.
func changeOf(members map[string]any) (domain.Change, error) {
	text, err := json.Marshal(members)
	if err != nil {
		return domain.Change{}, err
	}
	var body api.UpdateClientRequest
	if err := json.Unmarshal(text, &body); err != nil {
		return domain.Change{}, err
	}
	return wire.ChangeOf(&body), nil
}
