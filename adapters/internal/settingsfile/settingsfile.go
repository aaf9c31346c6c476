// Package settingsfile reads files of settings in YAML or JSON. It keeps the lines of the
// settings, so that errors can name them.
package settingsfile

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/clientele-oauth/clientele/adapters/internal/configured"
	"github.com/clientele-oauth/clientele/adapters/internal/contract"
)

// MaxBytes is the maximum size of a file.
const MaxBytes = 1 << 20

// Error is one fault in a file.
type Error struct {
	File    string
	Line    int    // from 1; 0 if the fault has no line
	Setting string // JSON Pointer into the file; may be empty
	Message string
}

// Error has the form file:line: setting: message.
func (e *Error) Error() string {
	text := e.File
	if e.Line > 0 {
		text += ":" + strconv.Itoa(e.Line)
	}
	if e.Setting != "" {
		text += ": " + e.Setting
	}
	return text + ": " + e.Message
}

// Join joins errors in the order of their lines; nil if there are none.
func Join(faults []*Error) error {
	slices.SortStableFunc(faults, func(a, b *Error) int { return a.Line - b.Line })
	all := make([]error, len(faults))
	for i, fault := range faults {
		all[i] = fault
	}
	return errors.Join(all...)
}

// kind is the type of a value.
type kind int

const (
	nullKind kind = iota
	textKind
	booleanKind
	numberKind
	arrayKind
	objectKind
)

// Value is a value in a file.
type Value struct {
	line    int // where it begins, or its name if it is a member of an object
	kind    kind
	text    string // of a string, or a number as it is written
	truth   bool   // of a boolean
	members map[string]*Value
	items   []*Value // of an array
}

// Read returns the text of a file, of at most [MaxBytes]. Only regular files are read.
func Read(path string) ([]byte, error) { return configured.ReadFile(path, MaxBytes) }

// Decode decodes the text of a file, in YAML or JSON. The error is an [*Error]: the text is
// too large, not valid, or too deep, or has an object with duplicate names.
func Decode(file string, text []byte) (*Value, error) {
	if len(text) > MaxBytes {
		return nil, &Error{File: file, Message: fmt.Sprintf("larger than %d bytes", MaxBytes)}
	}
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	if !utf8.Valid(text) {
		return nil, &Error{File: file, Message: "not valid UTF-8"}
	}
	root, err := decode(text)
	if fault, ok := errors.AsType[*Error](err); ok {
		fault.File = file
	}
	return root, err
}

// JSON returns the value in the types that encoding/json decodes to. A number that JSON
// cannot express, such as 0x10, is NaN.
func (s *Value) JSON() any {
	switch s.kind {
	case textKind:
		return s.text
	case booleanKind:
		return s.truth
	case numberKind:
		if number, err := strconv.ParseFloat(s.text, 64); err == nil && decimal.MatchString(s.text) {
			return number
		}
		return math.NaN()
	case arrayKind:
		list := make([]any, len(s.items))
		for i, item := range s.items {
			list[i] = item.JSON()
		}
		return list
	case objectKind:
		object := make(map[string]any, len(s.members))
		for name, member := range s.members {
			object[name] = member.JSON()
		}
		return object
	default:
		return nil
	}
}

// decimal matches numbers as JSON writes them (RFC 8259 §6).
var decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// Located returns the breaches of the file's values as joined errors with their lines; nil if
// there are none.
func (s *Value) Located(file string, breaches []contract.Breach) error {
	faults := make([]*Error, len(breaches))
	for i, b := range breaches {
		faults[i] = &Error{File: file, Line: s.LineOf(b.Pointer), Setting: b.Pointer, Message: b.Message}
	}
	return Join(faults)
}

// LineOf returns the line of the value at a JSON Pointer (RFC 6901), or of the innermost
// value around it that exists.
func (s *Value) LineOf(pointer string) int {
	at := s
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		next := at.members[strings.NewReplacer("~1", "/", "~0", "~").Replace(token)]
		if i, err := strconv.Atoi(token); at.kind == arrayKind && err == nil && i >= 0 && i < len(at.items) {
			next = at.items[i]
		}
		if next == nil {
			break
		}
		at = next
	}
	return at.line
}
