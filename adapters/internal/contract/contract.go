// Package contract validates client configurations against the schemas of
// openapi.yaml and converts them to the types of package domain. It is used for all
// configurations, over HTTP and from files.
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

// ChangeOf returns the change that a decoded JSON object describes. The object must
// be valid for a schema that passes [Schema.CheckFields]. Names that are not fields
// are ignored.
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

// WriteChange writes the fields that are set in the change.
func WriteChange(w *jsonobject.Writer, c domain.Change) {
	for f := range c.Named().All() {
		jsonobject.Value(w, f.String(), c.Value(f))
	}
}

// SettingsOf reads the configuration of a client in a response. Keys are included
// only as a jwks_uri, because responses omit keys that the registry stores. The error
// reports text that is not a JSON object.
func SettingsOf(client []byte) (domain.Settings, error) {
	var object map[string]any
	if err := json.Unmarshal(client, &object); err != nil {
		return domain.Settings{}, errors.New("the client is not a JSON object")
	}
	Normalize(object)
	return ChangeOf(object).Values(), nil
}

// Normalize converts two fields to the form that requests use: a key set, which
// files may contain as an object, and the authentication methods, which responses
// contain as the JSON text of an array.
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
// object with all fields of package domain except those in without, each of the right
// type, and with no other names except those in with.
func (s *Schema) CheckFields(with []string, without ...domain.Field) error {
	for f := range domain.Fields() {
		property, exists := s.shape.fields[f.String()]
		switch {
		case exists == slices.Contains(without, f):
			return fmt.Errorf("the schema must have the field %s in the one case and not in the other", f)
		case exists && !property.accepts(f.Of(new(domain.Settings))):
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

// accepts reports whether the type of the schema matches the type of the field.
func (c *shape) accepts(field domain.Value) bool {
	switch field.(type) {
	case *domain.Text:
		return c.kind == openapi3.TypeString
	case *domain.Flag:
		return c.kind == openapi3.TypeBoolean
	default:
		return c.kind == openapi3.TypeArray && c.items.kind == openapi3.TypeString
	}
}
