package contract

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/domain"
)

// Schema validates values against a schema of openapi.yaml.
//
// The work is bounded: the check skips the elements of an array that is too long, and
// describes at most [MaxBreaches] breaches.
type Schema struct {
	shape   *shape
	updates bool // see [Schema.ForUpdates]
}

// NewSchema returns the schema of a request body or of a parameter. The error
// reports a keyword that the check does not support, so that no keyword in
// openapi.yaml is silently ignored.
func NewSchema(s *openapi3.Schema) (*Schema, error) {
	compiled, err := compile(s)
	if err != nil {
		return nil, err
	}
	return &Schema{shape: compiled}, nil
}

// ForUpdates returns the schema for objects in which an omitted field means that it stays
// unchanged. Its messages also describe how to clear a field.
func (s *Schema) ForUpdates() *Schema {
	return &Schema{shape: s.shape, updates: true}
}

// Document returns openapi.yaml, which must not be changed. To read it takes a moment, so it
// is read once. The error reports an invalid document.
var Document = sync.OnceValues(func() (*openapi3.T, error) {
	return openapi3.NewLoader().LoadFromData(api.Document)
})

// RequestSchema returns the schema with the given name in openapi.yaml. The error
// reports an invalid document, a missing schema, or an unsupported keyword.
func RequestSchema(name string) (*Schema, error) {
	doc, err := Document()
	if err != nil {
		return nil, err
	}
	ref, ok := doc.Components.Schemas[name]
	if !ok {
		return nil, errors.New("openapi.yaml has no schema " + name)
	}
	return NewSchema(ref.Value)
}

// Breach is one place where a value violates its schema.
type Breach struct {
	Pointer string // JSON Pointer (RFC 6901)
	Message string // contains no part of the value
}

// The rule and the source of a finding about the contract itself.
const (
	RuleContract   = "contract"
	SourceContract = "openapi.yaml"
)

// MaxBreaches is the maximum number of breaches that are described per value.
const MaxBreaches = 100

// Finding returns the breach as a violation of the contract.
func (b Breach) Finding() domain.Finding {
	return domain.Finding{
		Rule: RuleContract, Source: SourceContract, Level: domain.Violation,
		Pointer: b.Pointer, Message: b.Message, KeyIndex: domain.NoKey,
	}
}

// Verdict is the result of a check.
type Verdict struct {
	// Breaches are the first [MaxBreaches] breaches, in an order that depends only
	// on the value.
	Breaches []Breach
	// Omitted is the number of further breaches.
	Omitted int
	// Broken are the fields of an object that violate the schema. They are removed
	// from the value, as are unknown fields.
	Broken []string
	// Rewritten reports that the value was changed: something was removed, or a
	// time was converted to UTC.
	Rewritten bool

	updates bool // see [Schema.ForUpdates]
}

// Total returns the number of all breaches.
func (v *Verdict) Total() int { return len(v.Breaches) + v.Omitted }

// add records a breach. It calls message only if the breach is listed.
func (v *Verdict) add(pointer []string, message func() string) {
	if len(v.Breaches) >= MaxBreaches {
		v.Omitted++
		return
	}
	v.Breaches = append(v.Breaches, Breach{Pointer: renderPointer(pointer), Message: message()})
}

// constant returns a function that returns a fixed message.
func constant(message string) func() string { return func() string { return message } }

// Check returns the places where a decoded JSON value violates the schema, in an
// order that depends only on the value. It removes unknown fields from the value. If
// there are more than [MaxBreaches], a final breach contains the number of the rest.
func (s *Schema) Check(value any) []Breach {
	v := s.Inspect(value)
	if v.Omitted > 0 {
		return append(v.Breaches, Breach{Message: fmt.Sprintf("and %d more", v.Omitted)})
	}
	return v.Breaches
}

// Inspect checks a decoded JSON value, which consists of nil, bool, string, float64,
// map[string]any and []any. It removes invalid fields from the value; see [Verdict].
func (s *Schema) Inspect(value any) Verdict {
	v := Verdict{updates: s.updates}
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

// InspectText checks a value in text form, such as that of a parameter. It returns the
// text for the generated binding and the reason why the value is rejected, or "" if it
// is valid.
func (s *Schema) InspectText(text string) (rewritten, reason string) {
	return s.shape.checkText(text)
}

// renderPointer renders a JSON Pointer (RFC 6901 §3). It shortens long names, because
// callers choose them.
func renderPointer(path []string) string {
	var b strings.Builder
	for _, token := range path {
		b.WriteByte('/')
		b.WriteString(Shortened(strings.NewReplacer("~", "~0", "/", "~1").Replace(token)))
	}
	return b.String()
}

// Shortened limits a name that the caller chose to 100 bytes, to keep responses small.
func Shortened(name string) string {
	const limit = 100
	if len(name) <= limit {
		return name
	}
	return strings.ToValidUTF8(name[:limit], "") + "…"
}

// sortedNames returns the names of the fields in order.
func sortedNames(fields map[string]any) []string {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
