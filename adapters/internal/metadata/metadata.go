// Package metadata is the form of a client in the standard names: the client metadata of
// RFC 7591 §2 and the specifications that register further names. Fields without a
// registered name have their own names.
//
// [Write] writes the form and [Document.Configuration] reads it. Both are loops over the table of fields in
// package domain; only the fields that [WriteField] and [fromDocument] name have another
// form than in the API.
package metadata

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/adapters/internal/jwk"
	"github.com/clientele-oauth/clientele/domain"
)

// Names of a document that are no fields of a configuration.
const (
	clientID = "client_id"
	issuedAt = "client_id_issued_at"
)

// Name returns the name of a field in a document.
func Name(f domain.Field) string { return cmp.Or(f.Metadata(), f.String()) }

// Write writes the members of the document of a client, with the number of its revision.
//
// A field is present if it is set. In addition, a document always has status,
// is_confidential and grant_types, because authorization servers have defaults for them.
// If effective is true, the settings of the client are those that an authorization server
// is to apply. The document then always has response_types as well, because the default
// of RFC 7591 §2 is "code". The document of a purged client has no fields.
func Write(w *jsonobject.Writer, c *domain.Client, effective bool) {
	w.TextUnlessEmpty(clientID, string(c.Identity().ClientID))
	w.Int(issuedAt, c.CreatedAt().Unix())
	if !c.Purged() {
		shown := c.Filled().Union(domain.FieldsOf(domain.FieldStatus, domain.FieldConfidential, domain.FieldGrantTypes))
		if effective {
			shown.Add(domain.FieldResponseTypes)
		}
		for f := range shown.All() {
			WriteField(w, c, f)
			if f == domain.FieldAuthMethods {
				jsonobject.Value(w, f.String(), c.Value(f)) // all of them
			}
		}
	}
	w.Text("tenant_id", string(c.Identity().TenantID))
	w.Time("updated_at", c.UpdatedAt(), time.RFC3339)
	if c.Deleted() {
		w.Time("deleted_at", c.DeletedAt(), time.RFC3339)
	}
	if c.Revision() > 0 { // it has none if it is not stored
		w.Int("revision", int64(c.Revision()))
	}
}

// WriteField writes the member of a document that a field has. These have another form than
// in the API: scope is a string (RFC 7591 §2), token_endpoint_auth_method is the first
// method, and jwks is an object with the public members of the keys.
func WriteField(w *jsonobject.Writer, c *domain.Client, f domain.Field) {
	value := c.Value(f)
	switch f {
	case domain.FieldScopes:
		list := make([]string, value.(domain.Texts).Len())
		for i := range list {
			list[i] = value.(domain.Texts).Text(i)
		}
		w.Text(Name(f), strings.Join(list, " "))
	case domain.FieldAuthMethods:
		w.Text(Name(f), value.(domain.Texts).Text(0))
	case domain.FieldJWKS:
		if set, ok := jwk.PublicSet(c.Settings().Keys.Inline()); ok {
			if text := jsontext.Value(set); text.Compact() == nil {
				w.Raw(Name(f), text)
			}
		}
	default:
		jsonobject.Value(w, Name(f), value)
	}
}

// Document is a client configuration in the standard names, as a decoded JSON object.
type Document struct {
	members map[string]any
}

// Recognize returns the document if the configuration has standard names, and false if it
// does not: then it is in the form of the API. Names that both forms have, and names that
// a configuration cannot set, do not count. The breach is for a configuration that mixes
// the names of the two forms.
func Recognize(configuration map[string]any) (d Document, ok bool, mixed *contract.Breach) {
	var standard, own []string
	for f := range domain.Fields() {
		if Name(f) == f.String() {
			continue
		}
		if _, given := configuration[Name(f)]; given {
			standard = append(standard, Name(f))
		}
		if _, given := configuration[f.String()]; given && f != domain.FieldAuthMethods { // which both forms have
			own = append(own, f.String())
		}
	}
	if len(standard) > 0 && len(own) > 0 {
		return Document{}, false, &contract.Breach{Pointer: "/" + own[0], Message: fmt.Sprintf(
			"mixes names of RFC 7591 (%s) with other names (%s); use the names of only one form",
			strings.Join(standard, ", "), strings.Join(own, ", "))}
	}
	return Document{configuration}, len(standard) > 0, nil
}

// Configuration returns the configuration in the form of the API, as a decoded JSON
// object. The breaches are the places where a field that has another form there does not
// have the form of a document. All other values are returned unchecked.
func (d Document) Configuration() (configuration map[string]any, breaches []contract.Breach) {
	configuration = make(map[string]any, len(d.members))
	for name, value := range d.members {
		f, known := fieldNamed(name)
		if !known {
			configuration[name] = value
			continue
		}
		converted, reason := fromDocument(f, value)
		if reason != "" {
			breaches = append(breaches, contract.Breach{Pointer: "/" + name, Message: reason})
			continue
		}
		configuration[f.String()] = converted
	}
	if breach := d.readMethods(configuration); breach != nil {
		breaches = append(breaches, *breach)
	}
	slices.SortFunc(breaches, func(a, b contract.Breach) int { return cmp.Compare(a.Pointer, b.Pointer) })
	return configuration, breaches
}

// fieldNamed returns the field with that name in a document.
func fieldNamed(name string) (domain.Field, bool) {
	for f := range domain.Fields() {
		if Name(f) == name {
			return f, true
		}
	}
	return 0, false
}

// fromDocument converts the value of a field to its form in the API, or returns the reason
// why it does not have the form of a document. null is left to the schema of the API.
func fromDocument(f domain.Field, value any) (converted any, reason string) {
	switch f {
	case domain.FieldScopes, domain.FieldAuthMethods:
		text, isText := value.(string)
		switch {
		case value == nil:
			return nil, ""
		case !isText:
			return nil, "must be a string"
		case text == "":
			return []any{}, ""
		case f == domain.FieldAuthMethods:
			return []any{text}, ""
		}
		var list []any
		for scope := range strings.SplitSeq(text, " ") {
			list = append(list, scope)
		}
		return list, ""
	case domain.FieldJWKS: // also as a string with the text, as some systems export it
		switch value.(type) {
		case map[string]any, string, nil:
		default:
			return nil, "must be an object"
		}
	case domain.FieldDefaultMaxAge:
		if number, isNumber := value.(float64); isNumber && number < 0 {
			return nil, "must be at least 0; omit the field to leave it unset"
		}
	default:
	}
	return value, ""
}

// readMethods sets the fields of the API that follow from token_endpoint_auth_method and
// client_auth_methods: all methods and, unless the document has it, is_confidential.
func (d Document) readMethods(configuration map[string]any) *contract.Breach {
	methods, confidential := domain.FieldAuthMethods.String(), domain.FieldConfidential.String()
	first, given := d.members[Name(domain.FieldAuthMethods)].(string)
	if _, set := d.members[confidential]; !set && first != "" {
		configuration[confidential] = first != string(domain.AuthNone)
	}
	all, listed := d.members[methods]
	if !listed {
		return nil
	}
	configuration[methods] = all
	if list, isList := all.([]any); given && isList && (len(list) == 0 || list[0] != first) {
		return &contract.Breach{Pointer: "/" + Name(domain.FieldAuthMethods), Message: "must be the first of " + methods}
	}
	return nil
}

// Place returns the JSON Pointer of the value in the document from which the value at a
// pointer into the configuration was read.
func (d Document) Place(pointer string) string {
	name, rest, deeper := strings.Cut(strings.TrimPrefix(pointer, "/"), "/")
	f, known := domain.FieldNamed(name, domain.LastField)
	if !known {
		return pointer
	}
	has := func(name string) bool {
		_, given := d.members[name]
		return given
	}
	method := Name(domain.FieldAuthMethods)
	switch {
	case f == domain.FieldScopes:
		return "/" + Name(f)
	case f == domain.FieldAuthMethods && has(f.String()):
		return pointer
	case f == domain.FieldAuthMethods, f == domain.FieldConfidential && !has(f.String()) && has(method):
		return "/" + method
	case deeper:
		return "/" + Name(f) + "/" + rest
	default:
		return "/" + Name(f)
	}
}
