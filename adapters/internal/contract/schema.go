package contract

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/clientele-oauth/clientele/domain"
)

// Schema is one of openapi.yaml's, to hold values against.
//
// The check does bounded work: it visits no element of an array that is too
// long, and stops describing breaches after [MaxBreaches].
type Schema struct {
	shape *shape
}

// NewSchema returns the schema of a request body or of a parameter. The error is
// for a keyword that the check does not know: nothing in openapi.yaml must be
// silently without effect.
func NewSchema(s *openapi3.Schema) (*Schema, error) {
	compiled, err := compile(s)
	if err != nil {
		return nil, err
	}
	return &Schema{shape: compiled}, nil
}

// RequestSchema finds a schema of the document by its name.
func RequestSchema(document []byte, name string) (*Schema, error) {
	doc, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		return nil, err
	}
	ref, ok := doc.Components.Schemas[name]
	if !ok {
		return nil, errors.New("openapi.yaml has no schema " + name)
	}
	return NewSchema(ref.Value)
}

// Breach is one place in which a value breaks its schema.
type Breach struct {
	Pointer string // JSON Pointer (RFC 6901)
	Message string // repeats no value
}

// The rule and the source of a finding about the contract itself.
const (
	RuleContract   = "contract"
	SourceContract = "openapi.yaml"
)

// MaxBreaches is how many breaches of one value are described.
const MaxBreaches = 100

// Finding is the breach as a violation of the contract.
func (b Breach) Finding() domain.Finding {
	return domain.Finding{
		Rule: RuleContract, Source: SourceContract, Level: domain.Violation,
		Pointer: b.Pointer, Message: b.Message, KeyIndex: domain.NoKey,
	}
}

// Verdict is what a check found.
type Verdict struct {
	// Breaches are the first [MaxBreaches] places, in an order that depends on
	// the value alone.
	Breaches []Breach
	// Omitted counts the breaches beyond these.
	Omitted int
	// Broken are the fields of an object that break the schema. They are taken
	// out of the value, as are unknown fields.
	Broken []string
	// Rewritten reports that the value is not what it was: something was taken
	// out of it, or a time was written in UTC.
	Rewritten bool
}

// Total counts all breaches.
func (v *Verdict) Total() int { return len(v.Breaches) + v.Omitted }

// add notes a breach. The message is made only if it is shown.
func (v *Verdict) add(pointer []string, message func() string) {
	if len(v.Breaches) >= MaxBreaches {
		v.Omitted++
		return
	}
	v.Breaches = append(v.Breaches, Breach{Pointer: renderPointer(pointer), Message: message()})
}

// say is a message without parts.
func say(message string) func() string { return func() string { return message } }

// Check returns the places in which a decoded JSON value breaks the schema, in
// an order that depends on the value alone. Fields that the schema does not
// know are taken out of the value. After [MaxBreaches], one last breach counts
// those that are not listed.
func (s *Schema) Check(value any) []Breach {
	v := s.Inspect(value)
	if v.Omitted > 0 {
		return append(v.Breaches, Breach{Message: fmt.Sprintf("and %d more", v.Omitted)})
	}
	return v.Breaches
}

// Inspect checks a decoded JSON value: of nil, bool, string, float64,
// map[string]any and []any.
func (s *Schema) Inspect(value any) Verdict {
	var v Verdict
	fields, ok := value.(map[string]any)
	if !ok || s.shape.kind != openapi3.TypeObject {
		s.shape.check(&v, nil, value)
		return v
	}
	s.shape.checkFields(&v, nil, fields)
	for _, name := range v.Broken {
		delete(fields, name)
	}
	return v
}

// InspectText checks a value that is text, as those of parameters are. It returns the
// text as the generated binding is to read it, and why it is not accepted; "" if it is.
func (s *Schema) InspectText(text string) (rewritten, reason string) {
	return s.shape.checkText(text)
}

// renderPointer renders a JSON Pointer (RFC 6901 §3), shortened where a caller
// made it long.
func renderPointer(path []string) string {
	var b strings.Builder
	for _, token := range path {
		b.WriteByte('/')
		b.WriteString(Shortened(strings.NewReplacer("~", "~0", "/", "~1").Replace(token)))
	}
	return b.String()
}

// Shortened keeps a name that a caller invented from filling an answer.
func Shortened(name string) string {
	const most = 100
	if len(name) <= most {
		return name
	}
	return strings.ToValidUTF8(name[:most], "") + "…"
}

// sortedNames lists the names of the fields.
func sortedNames(fields map[string]any) []string {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
