// Package contract validates client configurations against the schemas of
// openapi.yaml and converts them to the types of package domain. It is used for all
// configurations, over HTTP and from files.
package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/domain"
)

// ChangeOf returns the change that the fields of a decoded JSON object describe.
// Other members of the object are ignored. The object must have passed the check of a
// schema with [Schema.CheckFields].
func ChangeOf(object map[string]any) domain.Change {
	change, _ := changeOf(object) // the schema has checked the forms
	return change
}

// changeOf returns the change that an object describes. The error names a field whose
// value has another form.
func changeOf(object map[string]any) (change domain.Change, err error) {
	for name, value := range object {
		f, ok := domain.FieldNamed(name, domain.LastField)
		if ok && !set(change.Set(f), value) {
			err = fmt.Errorf("%s does not have the form of the field", f)
		}
	}
	return change, err
}

// set writes a decoded JSON value to a field, and reports whether it has the form of
// the field.
func set(field domain.Value, value any) (ok bool) {
	switch f := field.(type) {
	case *domain.Text:
		var text string
		text, ok = value.(string)
		*f = domain.Text(text)
	case *domain.Flag:
		var flag bool
		flag, ok = value.(bool)
		*f = domain.Flag(flag)
	case domain.Texts:
		var elements []any
		elements, ok = value.([]any)
		texts := make([]string, len(elements))
		for i, element := range elements {
			text, isText := element.(string)
			texts[i], ok = text, ok && isText
		}
		f.SetTexts(texts)
	case domain.Integer:
		var number float64
		number, ok = value.(float64)
		ok = ok && number == math.Trunc(number) && math.Abs(number) < 1<<53
		f.SetInt(int64(number))
	case *domain.Map:
		var members map[string]any
		members, ok = value.(map[string]any)
		texts := make(domain.Map, len(members))
		for name, member := range members {
			text, isText := member.(string)
			texts[name], ok = text, ok && isText
		}
		*f = texts
	}
	return ok
}

// WriteChange writes the fields that are set in the change.
func WriteChange(w *jsonobject.Writer, c domain.Change) {
	for f := range c.Named().All() {
		jsonobject.Value(w, f.String(), c.Value(f))
	}
}

// SettingsOf reads the configuration of a client in a response. Inline keys are included
// if the response has them, which a caller must ask for (include=jwks). The error
// is for text that is not a JSON object, or that has a field of another form.
func SettingsOf(client []byte) (domain.Settings, error) {
	var object map[string]any
	if json.Unmarshal(client, &object) != nil || object == nil {
		return domain.Settings{}, errors.New("the client is not a JSON object")
	}
	Normalize(object)
	change, err := changeOf(object)
	return change.Values(), err
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
	case domain.Integer:
		return c.kind == openapi3.TypeInteger
	case *domain.Map:
		return c.kind == openapi3.TypeObject && c.values != nil && c.values.kind == openapi3.TypeString
	default:
		return c.kind == openapi3.TypeArray && c.items.kind == openapi3.TypeString
	}
}
