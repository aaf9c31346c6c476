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

// place returns the value of "field" in violations of the parameter: ?name for the
// query, {name} for the path, and Name for a header.
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

// breach returns a violation of the contract by the parameter.
func (p parameter) breach(reason string) domain.Finding {
	return breach(p.place(), "the parameter "+p.name+" "+reason)
}

// values returns the values of the parameter in the request.
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

// rewrite replaces the value of the parameter in the request, for the generated
// binding.
func (p parameter) rewrite(r *http.Request, query url.Values, value string) {
	switch p.in {
	case openapi3.ParameterInQuery:
		query.Set(p.name, value)
	case openapi3.ParameterInHeader:
		r.Header.Set(p.name, value)
	}
}

// drop removes a parameter that violates the contract from the request. It returns
// false for path parameters, without which the request cannot continue.
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

// check returns the value for the generated binding or the reason why it is
// rejected.
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

// validHeader returns the value of a header parameter; empty if the operation has no such
// parameter, or if it is omitted or not valid.
func (op *operation) validHeader(r *http.Request, name string) string {
	for _, p := range op.parameters {
		if p.in != openapi3.ParameterInHeader || p.name != name {
			continue
		}
		values, err := p.values(r, nil)
		if err != nil || len(values) == 0 {
			return ""
		}
		if value, reason := p.check(values); reason == "" {
			return value
		}
	}
	return ""
}

// checkParameters validates the parameters of a request. It also rejects unknown
// query parameters, because a misspelled dry_run must not become a real change. It
// removes invalid parameters from the request; canContinue is false if the request
// cannot be processed without them.
func (op *operation) checkParameters(r *http.Request) (found violations, canContinue bool) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		found.add(breach("?", "the query is malformed; encode special characters as %XX (RFC 3986 §2.1)"))
		return found, false
	}
	canContinue = true
	var broken domain.Findings
	rewritten := false
	for _, p := range op.parameters {
		values, err := p.values(r, query)
		if err != nil {
			broken, canContinue = append(broken, p.breach("is malformed; encode special characters as %XX (RFC 3986 §2.1)")), false
			continue
		}
		if len(values) == 0 {
			continue
		}
		read, reason := p.check(values)
		switch {
		case reason != "":
			broken = append(broken, p.breach(reason))
			canContinue = p.drop(r, query) && canContinue
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
	return found, canContinue
}
