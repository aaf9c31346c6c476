package wire

import (
	"errors"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/clientele-oauth/clientele/domain"
)

// Schema is one of openapi.yaml's, to hold values against.
type Schema struct {
	schema *openapi3.Schema
}

// NewSchema returns the schema of a request body.
func NewSchema(s *openapi3.Schema) *Schema { return &Schema{schema: s} }

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
	return NewSchema(ref.Value), nil
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

// Finding is the breach as a violation of the contract.
func (b Breach) Finding() domain.Finding {
	return domain.Finding{
		Rule: RuleContract, Source: SourceContract, Level: domain.Violation,
		Pointer: b.Pointer, Message: b.Message, KeyIndex: domain.NoKey,
	}
}

// Check returns every place in which a decoded JSON value breaks the schema,
// in an order that depends on the value alone. Members that the schema does not
// know are taken out of the value.
func (s *Schema) Check(value any) []Breach {
	var breaches []Breach
	if members, ok := value.(map[string]any); ok {
		for name := range members {
			if _, known := s.schema.Properties[name]; !known {
				breaches = append(breaches, Breach{pointer([]string{name}), "this member is not known here"})
				delete(members, name)
			}
		}
	}
	err := s.schema.VisitJSON(value, openapi3.MultiErrors(), openapi3.VisitAsRequest())
	for _, broken := range flatten(err) {
		breaches = append(breaches, Breach{pointer(broken.JSONPointer()), explain(broken)})
	}
	if err != nil && len(breaches) == 0 {
		breaches = append(breaches, Breach{"", "this is not of the expected form"})
	}
	slices.SortStableFunc(breaches, func(a, b Breach) int {
		return strings.Compare(a.Pointer+"\x00"+a.Message, b.Pointer+"\x00"+b.Message)
	})
	return breaches
}

// flatten lists the schema errors in err.
func flatten(err error) []*openapi3.SchemaError {
	var list openapi3.MultiError
	var one *openapi3.SchemaError
	switch {
	case errors.As(err, &list):
		var all []*openapi3.SchemaError
		for _, e := range list {
			all = append(all, flatten(e)...)
		}
		return all
	case errors.As(err, &one):
		return []*openapi3.SchemaError{one}
	default:
		return nil
	}
}

// explain says what is wrong without repeating the value.
func explain(e *openapi3.SchemaError) string {
	switch e.SchemaField {
	case "nullable":
		return "null is not a value here; leave the member out to keep the setting, or send an empty value to clear it"
	case "type":
		return "this is not of the type " + strings.Join(e.Schema.Type.Slice(), " or ")
	default:
		return e.Reason
	}
}

// pointer renders a JSON Pointer (RFC 6901 §3), shortened where a caller made
// it long.
func pointer(path []string) string {
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
