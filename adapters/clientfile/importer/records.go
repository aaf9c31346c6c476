package importer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// record is an exported client.
type record struct {
	members map[string]any
	realm   string // of Keycloak; empty unless the export has several realms
}

// withRealm returns the text, prefixed with the realm if there is one.
func (r record) withRealm(text string) string {
	if r.realm == "" {
		return text
	}
	return "realm " + r.realm + ": " + text
}

// Limits for exports, so that reading needs only a small multiple of the file size in
// memory. A client of Hydra has about fifty values.
const (
	maxDepth   = 64
	maxValues  = 2_000_000 // strings, numbers, lists, objects
	maxRecords = 100_000
)

// bounded returns an error if an export exceeds a limit or is not JSON.
func bounded(text []byte) error {
	decoder := jsontext.NewDecoder(bytes.NewBuffer(text))
	for n := 0; ; n++ {
		_, err := decoder.ReadToken()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%w: %w", ErrFormat, err)
		case decoder.StackDepth() > maxDepth:
			return fmt.Errorf("%w: nested too deeply", ErrFormat)
		case n > maxValues:
			return fmt.Errorf("%w: more than %d values", ErrFormat, maxValues)
		}
	}
}

// records finds the clients in an export: an object, a list, lists in "items" or
// "clients", a list of realms, or several of these concatenated. problems are the
// reasons why the result may be incomplete.
func records(text []byte) (found []record, problems []string, err error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if err := bounded(text); err != nil {
		return nil, nil, err
	}
	decoder := jsontext.NewDecoder(bytes.NewBuffer(text))
	for {
		var content any
		err := json.UnmarshalDecode(decoder, &content)
		if errors.Is(err, io.EOF) {
			return found, problems, nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		list, ok := content.([]any)
		if !ok {
			list = []any{content}
		}
		for i, element := range list {
			o, ok := element.(map[string]any)
			if !ok {
				problems = append(problems, notAnObject(i))
				continue
			}
			more, warnings := unwrapped(o, len(list) > 1)
			found, problems = append(found, more...), append(problems, warnings...)
			if len(found) > maxRecords {
				return nil, nil, fmt.Errorf("%w: more than %d clients", ErrFormat, maxRecords)
			}
		}
	}
}

// unwrapped returns the records in an object if it is a page or a realm, and otherwise
// the object itself as a record.
func unwrapped(o map[string]any, several bool) (found []record, problems []string) {
	realm, _ := o["realm"].(string)
	if !several {
		realm = ""
	}
	wrapper := false
	for _, name := range []string{"items", "clients"} {
		list, ok := o[name].([]any)
		if !ok {
			continue
		}
		wrapper = true
		for i, element := range list {
			members, ok := element.(map[string]any)
			if !ok {
				problems = append(problems, notAnObject(i))
				continue
			}
			found = append(found, record{members, realm})
		}
	}
	if !wrapper {
		return []record{{members: o}}, nil
	}
	if sign := furtherPages(o, len(found)); sign != "" {
		problems = append(problems, "this is one page of several ("+sign+"); export the other pages as well")
	}
	return found, problems
}

// notAnObject is the problem of an element of a list, counted from 1.
func notAnObject(i int) string {
	return "element " + strconv.Itoa(i+1) + " of a list is not converted: a client must be an object"
}

// furtherPages returns the field of a page that indicates further pages before or
// after it, or "". It supports the formats of Hydra (next_page_token, is_last_page),
// Auth0 (total, start), Okta (_links.next) and others.
func furtherPages(page map[string]any, clients int) string {
	for _, name := range slices.Sorted(maps.Keys(page)) {
		switch name {
		case "next", "next_page", "next_page_token", "nextPageToken", "next_cursor", "nextLink", "@odata.nextLink":
			if value := page[name]; !absent(value) && value != false {
				return name
			}
		case "has_next", "has_more", "hasNext", "hasMore":
			if page[name] == true {
				return name
			}
		case "is_last_page":
			if page[name] == false {
				return name
			}
		case "links", "_links":
			if links, ok := page[name].(map[string]any); ok && !absent(links["next"]) {
				return name + ".next"
			}
		case "total", "totalResults", "total_count":
			if total, ok := page[name].(float64); ok && total > float64(clients) {
				return name
			}
		case "pagination", "paging", "meta":
			if inner, ok := page[name].(map[string]any); ok {
				if sign := furtherPages(inner, clients); sign != "" {
					return name + "." + sign
				}
			}
		}
	}
	return ""
}
