// Package importer reads what other systems export about their OAuth clients: Ory
// Hydra, Keycloak, and any source of the client metadata of RFC 7591. It reports
// each setting that it cannot convert.
package importer

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/clientele-oauth/clientele/domain"
)

// Export is the content of an export.
type Export struct {
	Clients []Client
	// Skipped are the records that are not clients of applications, such as the
	// built-in clients of Keycloak, with the reason.
	Skipped []string
	// Problems are the reasons why Clients may be incomplete: a duplicate
	// client_id, further pages.
	Problems []string
}

// Client is a converted client.
type Client struct {
	ID     domain.ClientID // may be empty in RFC 7591 metadata
	Change domain.Change
	// Lost are the settings that could not be converted, one line per field.
	Lost []string

	secret string // as exported: a plain value or a hash; empty for none
}

// System is a source system of exports.
type System string

// The supported systems.
const (
	Hydra    System = "hydra"    // "hydra list clients --format json", "hydra get client", GET /admin/clients
	Keycloak System = "keycloak" // a realm export, or the clients of one
	RFC7591  System = "rfc7591"  // client metadata (RFC 7591 §2), one client or a list
)

// ErrFormat reports a file that is not in the format of the system.
var ErrFormat = errors.New("not of the expected format")

// Read reads an export. If a client_id occurs twice, only the first client is
// converted. The error wraps [ErrFormat].
func Read(from System, text []byte) (Export, error) {
	list, problems, err := records(text)
	if err != nil {
		return Export{}, err
	}
	export := Export{Problems: problems}
	read := metadata
	if from == Keycloak {
		read = keycloak
	}
	seen := map[domain.ClientID]bool{}
	unnamed := 0
	for _, r := range list {
		c, skipped := read(&object{members: r.members})
		c.reportInvalidID()
		switch {
		case skipped == withoutID:
			unnamed++
		case skipped != "":
			export.Skipped = append(export.Skipped, r.withRealm(skipped))
		case c.ID != "" && seen[c.ID]:
			export.Problems = append(export.Problems, r.withRealm(string(c.ID))+": the client_id is there twice; only the first client is converted")
		default:
			seen[c.ID] = true
			export.Clients = append(export.Clients, c)
		}
	}
	if unnamed > 0 {
		export.Problems = append(export.Problems, fmt.Sprintf("records without a clientId, which are not converted: %d", unnamed))
	}
	if len(export.Clients) == 0 && len(export.Skipped) == 0 {
		return Export{}, fmt.Errorf("%w: the file has no OAuth client", ErrFormat)
	}
	return export, nil
}

// reportInvalidID reports a client_id that Clientele rejects. It is converted
// nevertheless: only the operator can choose another one.
func (c *Client) reportInvalidID() {
	if c.ID == "" {
		return
	}
	for _, f := range domain.CheckClientID(c.ID) {
		c.Lost = append(c.Lost, "client_id: is rejected by Clientele: "+f.Message)
	}
	slices.Sort(c.Lost)
}

// object is an exported client. Converting a field removes it. The fields that
// remain at the end were not converted.
type object struct {
	members map[string]any
	lost    []string
}

// report records that a field is not converted.
func (o *object) report(field, why string) { o.lost = append(o.lost, field+": "+why) }

// take removes a field and returns its value.
func take[T any](o *object, name string) (value T, ok bool) {
	field, ok := o.members[name]
	if !ok || field == nil {
		return value, false
	}
	delete(o.members, name)
	if value, ok = field.(T); !ok {
		o.report(name, "has an unexpected type")
	}
	return value, ok
}

// text removes a string field and returns it; nil if it is omitted or empty.
func text[To ~string](o *object, name string) *To {
	value, _ := take[string](o, name)
	if value == "" {
		return nil
	}
	return new(To(value))
}

// texts removes a list of strings and returns it; nil if it is omitted.
func texts[To ~string](o *object, name string) *[]To {
	elements, ok := take[[]any](o, name)
	if !ok {
		return nil
	}
	list := []To{}
	for _, element := range elements {
		value, ok := element.(string)
		if !ok {
			o.report(name, "has an element that is not a string")
			continue
		}
		list = append(list, To(value))
	}
	return &list
}

// setText sets a field of the change to a string, unless value is nil.
func setText[S ~string](c *domain.Change, f domain.Field, value *S) {
	if value != nil {
		*c.Set(f).(*domain.Text) = domain.Text(*value)
	}
}

// setTexts sets a field of the change to a list, unless list is nil.
func setTexts[S ~string](c *domain.Change, f domain.Field, list *[]S) {
	if list != nil {
		*c.Set(f).(*domain.List[S]) = *list
	}
}

// setFlag sets a field of the change to a boolean.
func setFlag(c *domain.Change, f domain.Field, value bool) {
	*c.Set(f).(*domain.Flag) = domain.Flag(value)
}

// setNumber sets a field of the change to a number.
func setNumber(c *domain.Change, f domain.Field, value int64) {
	c.Set(f).(domain.Integer).SetInt(value)
}

// flag removes a boolean field and returns it.
func (o *object) flag(name string) bool {
	value, _ := take[bool](o, name)
	return value
}

// ignorable describes a field that is not converted and not reported, because nothing
// is lost.
type ignorable struct {
	reason string
	// unless reports whether a value must be reported after all; if nil, none must.
	unless func(value any) bool
}

// ignore removes the fields that can be ignored.
func (o *object) ignore(list map[string]ignorable) {
	for name, of := range list {
		if value, exists := o.members[name]; exists && (of.unless == nil || !of.unless(value)) {
			delete(o.members, name)
		}
	}
}

// not returns a condition for an ignorable: the value differs from the default.
func not(standard any) func(any) bool {
	return func(value any) bool { return value != standard }
}

// unmapped records the remaining fields that have a value; why contains the reasons by
// field.
func (o *object) unmapped(why map[string]string) []string {
	for name, value := range o.members {
		if absent(value) {
			continue
		}
		reason, known := why[name]
		if field, _, tagged := strings.Cut(name, "#"); tagged && !known {
			reason, known = "values for one language are not supported by Clientele; "+field+" is for all", true
		}
		if !known {
			reason = unsupported
		}
		o.report(name, reason)
	}
	sort.Strings(o.lost)
	return slices.Compact(o.lost)
}

// unsupported is the most common reason.
const unsupported = "is not supported by Clientele"

// absent reports whether a value means the same as an omitted field. false and 0 do
// not: they may differ from the default of the system.
func absent(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case string:
		return value == ""
	case []any:
		return len(value) == 0
	case map[string]any:
		return len(value) == 0
	default:
		return false
	}
}

// grants returns the grant types in a field. If the list is empty, it returns nil and
// reports the field.
func grants(o *object, name string) *[]domain.GrantType {
	list := texts[domain.GrantType](o, name)
	if list != nil && len(*list) == 0 {
		o.report(name, "is empty; unset here, which means authorization_code (RFC 7591 §2)")
		return nil
	}
	return list
}

// keySet returns the JSON text of a key set, which is exported as an object or as a
// string. It returns nil if the field is omitted, and also if the set has no keys,
// which it reports.
func keySet(o *object, name string) *string {
	var encoded string
	if value, isText := o.members[name].(string); isText {
		delete(o.members, name)
		encoded = value
	} else if value, ok := take[map[string]any](o, name); ok && len(value) > 0 {
		text, err := json.Marshal(value)
		if err != nil {
			return nil
		}
		encoded = string(text)
	}
	var set struct {
		Keys *[]any `json:"keys"`
	}
	if json.Unmarshal([]byte(encoded), &set) == nil && set.Keys != nil && len(*set.Keys) == 0 {
		o.report(name, "has no keys; unset here")
		return nil
	}
	return orNil(encoded)
}

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// fields splits a list of scopes (RFC 6749 §3.3).
func fields[To ~string](o *object, name string) *[]To {
	value, ok := take[string](o, name)
	if !ok {
		return nil
	}
	list := []To{}
	for word := range strings.FieldsSeq(value) {
		list = append(list, To(word))
	}
	return &list
}
