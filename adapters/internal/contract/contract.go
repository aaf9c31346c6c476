// Package contract is the form that openapi.yaml gives a client's configuration: it
// checks values against the schemas and converts them to the types of package
// domain. Everything that reads a configuration, over HTTP or from a file, reads it
// with this package.
package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/domain"
)

// ChangeOf returns the change that the fields of a decoded JSON object describe.
// The object must have passed the check of a schema with [Schema.CheckFields];
// names that are not fields are left out.
func ChangeOf(object map[string]any) (c domain.Change) {
	for name, value := range object {
		if f, ok := domain.FieldNamed(name, domain.LastField); ok {
			set(c.Set(f), value)
		}
	}
	return c
}

// set writes a decoded JSON value to a field.
func set(field domain.Value, value any) {
	switch f := field.(type) {
	case *domain.Text:
		text, _ := value.(string)
		*f = domain.Text(text)
	case *domain.Flag:
		flag, _ := value.(bool)
		*f = domain.Flag(flag)
	case domain.Texts:
		elements, _ := value.([]any)
		texts := make([]string, len(elements))
		for i, element := range elements {
			texts[i], _ = element.(string)
		}
		f.SetTexts(texts)
	default:
		panic("wire: a kind of field without a form in openapi.yaml")
	}
}

// WriteChange writes the fields that the change names.
func WriteChange(w *jsonobject.Writer, c domain.Change) {
	for f := range c.Named().All() {
		jsonobject.Value(w, f.String(), c.Value(f))
	}
}

// SettingsOf reads the configuration in a client as responses have it. Its keys are
// those behind a URI, or none: responses leave out keys that the registry holds.
func SettingsOf(client []byte) (domain.Settings, error) {
	var object map[string]any
	if err := json.Unmarshal(client, &object); err != nil {
		return domain.Settings{}, errors.New("the client is not a JSON object")
	}
	Normalize(object)
	return ChangeOf(object).Values(), nil
}

// Normalize brings the two fields that have several forms into the one of requests:
// a key set may be an object in a file, and responses have the authentication
// methods as the JSON text of an array.
func Normalize(object map[string]any) {
	keys, methods := domain.FieldJWKS.String(), domain.FieldAuthMethods.String()
	if set, ok := object[keys].(map[string]any); ok {
		if text, err := json.Marshal(set); err == nil {
			object[keys] = string(text)
		}
	}
	if text, ok := object[methods].(string); ok {
		var list []any
		if json.Unmarshal([]byte(text), &list) == nil {
			object[methods] = list
		}
	}
}

// CheckFields returns an error unless the schema describes a configuration: an
// object with the fields of package domain, each of the right type, except for those
// in without; and with nothing else but the names in with.
func (s *Schema) CheckFields(with []string, without ...domain.Field) error {
	for f := range domain.Fields() {
		property, there := s.shape.fields[f.String()]
		switch {
		case there == slices.Contains(without, f):
			return fmt.Errorf("the schema must have the field %s in the one case and not in the other", f)
		case there && !property.holds(f.Of(new(domain.Settings))):
			return fmt.Errorf("the schema has the field %s with another type", f)
		}
	}
	for name := range s.shape.fields {
		if _, known := domain.FieldNamed(name, domain.LastField); !known && !slices.Contains(with, name) {
			return fmt.Errorf("the schema has the field %s, which a configuration does not have", name)
		}
	}
	return nil
}

// holds reports whether the values of the schema are values of the field.
func (c *shape) holds(field domain.Value) bool {
	switch field.(type) {
	case *domain.Text:
		return c.kind == openapi3.TypeString
	case *domain.Flag:
		return c.kind == openapi3.TypeBoolean
	default:
		return c.kind == openapi3.TypeArray && c.items.kind == openapi3.TypeString
	}
}
