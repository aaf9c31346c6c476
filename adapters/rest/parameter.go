package rest

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-chi/chi/v5"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/domain"
)

// parameter is a parameter of an operation.
type parameter struct {
	name   string
	in     string // "path", "query" or "header"
	schema *contract.Schema
	tags   bool // a list of entity tags
}

func newParameter(described *openapi3.Parameter) (parameter, error) {
	p := parameter{name: described.Name, in: described.In}
	p.tags = p.in == openapi3.ParameterInHeader && (p.name == "If-Match" || p.name == "If-None-Match")
	var err error
	p.schema, err = contract.NewSchema(described.Schema.Value)
	if err != nil {
		return parameter{}, fmt.Errorf("the parameter %s: %w", p.name, err)
	}
	return p, nil
}

// place is how a violation names the parameter in its member field: ?name in the
// query, {name} in the path, and a header as Name.
func (p parameter) place() string {
	switch p.in {
	case openapi3.ParameterInQuery:
		return "?" + p.name
	case openapi3.ParameterInPath:
		return "{" + p.name + "}"
	default:
		return p.name
	}
}

// breach is a violation that names the parameter.
func (p parameter) breach(reason string) domain.Finding {
	return breach(p.place(), "the parameter "+p.name+" "+reason)
}

// values returns what the request gives for the parameter.
func (p parameter) values(r *http.Request, query url.Values) ([]string, error) {
	switch p.in {
	case openapi3.ParameterInQuery:
		return query[p.name], nil
	case openapi3.ParameterInPath:
		value, err := url.PathUnescape(chi.URLParam(r, p.name))
		return []string{value}, err
	default:
		values := r.Header.Values(p.name)
		if len(values) > 1 { // RFC 9110 §5.3
			values = []string{strings.Join(values, ", ")}
		}
		return values, nil
	}
}

// rewrite replaces the value of the parameter by the one that the generated
// binding is to read.
func (p parameter) rewrite(r *http.Request, query url.Values, value string) {
	switch p.in {
	case openapi3.ParameterInQuery:
		query.Set(p.name, value)
	case openapi3.ParameterInHeader:
		r.Header.Set(p.name, value)
	}
}

// drop takes a parameter that breaks the contract out of the request. It returns
// false for those in the path, without which there is nothing to go on with.
func (p parameter) drop(r *http.Request, query url.Values) bool {
	switch p.in {
	case openapi3.ParameterInQuery:
		query.Del(p.name)
	case openapi3.ParameterInHeader:
		r.Header.Del(p.name)
	default:
		return false
	}
	return true
}

// check returns the value as the generated binding is to read it, and why it is
// not accepted.
func (p parameter) check(values []string) (read, reason string) {
	if len(values) > 1 {
		return "", "must not be given more than once"
	}
	text := values[0]
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return "", "must be text in UTF-8, without NUL"
	}
	read, reason = p.schema.InspectText(text)
	if reason == "" && p.tags {
		_, err := parseEntityTags(text)
		if err != nil {
			reason = err.Error()
		}
	}
	return read, reason
}

// checkParameters checks the parameters of a request, and query parameters that
// the operation does not have, since a misspelt dry_run must not become a real
// change. It leaves in the request only what keeps the contract; goesOn is false
// where that is too little to go on with.
func (op *operation) checkParameters(r *http.Request) (found violations, goesOn bool) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		found.add(breach("?", "the query is malformed; encode special characters as %XX (RFC 3986 §2.1)"))
		return found, false
	}
	goesOn = true
	var broken domain.Findings
	rewritten := false
	for _, p := range op.parameters {
		values, err := p.values(r, query)
		if err != nil {
			broken, goesOn = append(broken, p.breach("is malformed; encode special characters as %XX (RFC 3986 §2.1)")), false
			continue
		}
		if len(values) == 0 {
			continue
		}
		read, reason := p.check(values)
		switch {
		case reason != "":
			broken = append(broken, p.breach(reason))
			goesOn = p.drop(r, query) && goesOn
			rewritten = true
		case read != values[0] || p.in == openapi3.ParameterInHeader && len(r.Header.Values(p.name)) > 1:
			p.rewrite(r, query, read)
			rewritten = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !slices.ContainsFunc(op.parameters, func(p parameter) bool { return p.in == openapi3.ParameterInQuery && p.name == name }) {
			broken = append(broken, breach("?"+contract.Shortened(name), "unknown query parameter: "+contract.Shortened(name)))
			query.Del(name)
			rewritten = true
		}
	}
	if rewritten {
		r.URL.RawQuery = query.Encode()
	}
	slices.SortStableFunc(broken, func(a, b domain.Finding) int { return strings.Compare(a.Pointer, b.Pointer) })
	found.add(broken...)
	return found, goesOn
}
