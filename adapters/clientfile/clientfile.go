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
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/domain"
)

// Document is one client configuration in a file.
type Document struct {
	// ClientID is the client_id that the configuration names; may be empty.
	ClientID string
	// Change is the configuration. It is empty if there are Breaches.
	Change domain.Change
	// Breaches are the places in which it is not of the form of a
	// configuration.
	Breaches domain.Findings
	// IDProblems are the reasons for which the service would reject the
	// ClientID; the Change can be checked all the same. An absent client_id is
	// none.
	IDProblems domain.Findings

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

// Limits of what is read. A file within them is read in memory that is a small
// multiple of its size, whatever is in it.
const (
	// MaxFileBytes bounds a file; tens of thousands of configurations fit in.
	MaxFileBytes = 32 << 20
	// maxDocuments bounds the configurations of a file.
	maxDocuments = 100_000
	// maxValues bounds the values of one configuration: strings, numbers,
	// lists, objects. One that the service accepts has some hundreds.
	maxValues = 10_000
	// maxBreaches bounds the places that are reported of one configuration.
	maxBreaches = 100
)

// Reader reads files.
type Reader struct {
	schema *contract.Schema
}

// NewReader returns a reader of the configurations that the contract allows.
func NewReader() (*Reader, error) {
	schema, err := contract.RequestSchema(api.Document, "UpdateClientRequest")
	if err == nil {
		err = schema.CheckFields(nil)
	}
	if err != nil {
		return nil, err
	}
	return &Reader{schema: schema}, nil
}

// Read returns the configurations in text. The name says by its ending whether
// it is JSON or YAML; where it says neither, the first byte does. The error is
// a [*SyntaxError].
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

// Each calls visit with each configuration in text, in order, and keeps none. It
// stops with the error of visit or of the context; any other error is a
// [*SyntaxError], before which configurations may have been visited.
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
		return visit(r.document(v.content, v.lines, v.base))
	})
	if err == nil && n == 0 {
		return &SyntaxError{Message: "there is no client configuration in it"}
	}
	return err
}

// errTooLong is a file over MaxFileBytes.
var errTooLong = &SyntaxError{Message: fmt.Sprintf("the file is longer than %d MiB", MaxFileBytes>>20)}

// withoutBOM removes the byte order mark with which some editors begin UTF-8
// (RFC 8259 §8.1 lets a reader ignore it).
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

// located is a decoded value: what encoding/json would make of it, its own JSON
// Pointer ("" or, for an element of a list, its place there), and the line of
// each part of it, by JSON Pointer.
type located struct {
	content any
	base    string
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
		d.Breaches = domain.Findings{contract.Breach{Message: "a client configuration is an object"}.Finding()}
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
	contract.Normalize(members)
	breaches := r.schema.Check(members)
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
