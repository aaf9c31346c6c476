// Package foreign reads what other systems export about their OAuth clients: Ory
// Hydra, Keycloak, and whatever writes the client metadata of RFC 7591. It tells
// what it could not carry over, so that nobody finds out later.
package foreign

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"

	"github.com/clientele-oauth/clientele/domain"
)

// Client is a client that was read.
type Client struct {
	ID   domain.ClientID // may be empty in RFC 7591 metadata
	Wish domain.Change
	// Lost is what could not be carried over, a line for each member.
	Lost []string
}

// System is a system whose exports can be read.
type System string

// The systems.
const (
	Hydra    System = "hydra"    // "hydra list clients --format json", "hydra get client", GET /admin/clients
	Keycloak System = "keycloak" // a realm export, or the clients of one
	RFC7591  System = "rfc7591"  // client metadata (RFC 7591 §2), one or a list
)

// ErrFormat is a file that is not of the system's format.
var ErrFormat = errors.New("not of the expected format")

// Read reads an export. What is in it and is no OAuth client is left out.
func Read(from System, text []byte) ([]Client, error) {
	list, err := objects(text)
	if err != nil {
		return nil, err
	}
	read := metadata
	if from == Keycloak {
		read = keycloak
	}
	var clients []Client
	for _, o := range list {
		if c, ok := read(&object{members: o}); ok {
			clients = append(clients, c)
		}
	}
	if len(clients) == 0 {
		return nil, fmt.Errorf("%w: there is no OAuth client in it", ErrFormat)
	}
	return clients, nil
}

// objects finds the clients in an export: an object, a list, lists behind
// "items" or "clients", or several of these behind each other.
func objects(text []byte) ([]map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	var found []map[string]any
	for {
		var content any
		err := decoder.Decode(&content)
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		if o, ok := content.(map[string]any); ok {
			content = []any{o}
			for _, name := range []string{"items", "clients"} {
				if list, ok := o[name].([]any); ok {
					content = list
				}
			}
		}
		list, ok := content.([]any)
		if !ok {
			return nil, fmt.Errorf("%w: neither an object nor a list", ErrFormat)
		}
		for _, element := range list {
			o, ok := element.(map[string]any)
			if !ok {
				return nil, fmt.Errorf("%w: a client is an object", ErrFormat)
			}
			found = append(found, o)
		}
	}
}

// object is an exported client whose members are taken out one by one; what is
// left in the end was not carried over.
type object struct {
	members map[string]any
	lost    []string
}

// lose notes that something is not carried over.
func (o *object) lose(member, why string) { o.lost = append(o.lost, member+": "+why) }

// take takes a member out.
func take[T any](o *object, name string) (value T, ok bool) {
	member, there := o.members[name]
	if !there || member == nil {
		return value, false
	}
	delete(o.members, name)
	if value, ok = member.(T); !ok {
		o.lose(name, "is not of the form that it has there")
	}
	return value, ok
}

// text takes a text out; nil where it is absent or empty.
func text[To ~string](o *object, name string) *To {
	value, _ := take[string](o, name)
	if value == "" {
		return nil
	}
	return new(To(value))
}

// texts takes a list of texts out; nil where it is absent.
func texts[To ~string](o *object, name string) *[]To {
	elements, ok := take[[]any](o, name)
	if !ok {
		return nil
	}
	list := []To{}
	for _, element := range elements {
		value, ok := element.(string)
		if !ok {
			o.lose(name, "an element is no text")
			continue
		}
		list = append(list, To(value))
	}
	return &list
}

// flag takes a truth value out.
func (o *object) flag(name string) bool {
	value, _ := take[bool](o, name)
	return value
}

// drop takes members out that nobody misses: they are empty, or say what goes
// without saying here.
func (o *object) drop(names ...string) {
	for _, name := range names {
		delete(o.members, name)
	}
}

// left notes what is left and says something; why is by member.
func (o *object) left(why map[string]string) []string {
	for name, value := range o.members {
		if empty(value) {
			continue
		}
		reason, known := why[name]
		if !known {
			reason = "has no counterpart here"
		}
		o.lose(name, reason)
	}
	sort.Strings(o.lost)
	return slices.Compact(o.lost)
}

// empty reports whether a value says nothing.
func empty(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case bool:
		return !value
	case string:
		return value == ""
	case float64:
		return value == 0
	case []any:
		return len(value) == 0
	case map[string]any:
		return len(value) == 0
	default:
		return false
	}
}

// jsonText is the JSON text of a key set that stands there as an object.
func jsonText(o *object, name string) *string {
	if value, isText := o.members[name].(string); isText {
		delete(o.members, name)
		return orNil(value)
	}
	value, ok := take[map[string]any](o, name)
	if !ok || len(value) == 0 {
		return nil
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return nil
	}
	return new(string(encoded))
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
