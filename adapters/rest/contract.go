package rest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-chi/chi/v5"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/clientele-oauth/clientele/adapters/wire"
	"github.com/clientele-oauth/clientele/api"
)

// contract is openapi.yaml, ready to hold requests against it. The routes of
// the generated server are those of the document, so an operation is found by
// the method and the pattern of the route that was taken.
type contract struct {
	operations map[string]*operation
}

// operation is what the document says about the requests of one operation.
type operation struct {
	id           string
	parameters   openapi3.Parameters
	body         *wire.Schema // nil where there is none
	bodyRequired bool
}

func newContract(document []byte) (*contract, error) {
	doc, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		return nil, err
	}
	c := &contract{operations: map[string]*operation{}}
	for path, item := range doc.Paths.Map() {
		for method, described := range item.Operations() {
			op := &operation{id: described.OperationID, parameters: slices.Concat(item.Parameters, described.Parameters)}
			if described.RequestBody != nil {
				op.body = wire.NewSchema(described.RequestBody.Value.Content.Get("application/json").Schema.Value)
				op.bodyRequired = described.RequestBody.Value.Required
			}
			c.operations[method+" "+path] = op
		}
	}
	return c, nil
}

// checkContract refuses requests that the document does not allow, before
// anything is done for them, and tells everything that is wrong.
func (s *server) checkContract(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		op, ok := s.contract.operation(r)
		exchangeOf(r.Context()).operation = op
		if !ok {
			s.writeError(w, r, fmt.Errorf("openapi.yaml has no operation for the route %s", chi.RouteContext(r.Context()).RoutePattern()))
			return
		}
		if err := op.check(w, r); err != nil {
			s.writeError(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// operation is what the document calls the request, once its route is known.
func (c *contract) operation(r *http.Request) (*operation, bool) {
	method := r.Method
	if method == http.MethodHead { // it is served, and judged, as the GET that it is
		method = http.MethodGet
	}
	op, ok := c.operations[method+" "+chi.RouteContext(r.Context()).RoutePattern()]
	return op, ok
}

// check holds the request against the operation, and leaves the body to be
// read again.
func (op *operation) check(w http.ResponseWriter, r *http.Request) error {
	violations := op.checkParameters(r)
	if op.body != nil {
		text, err := op.readBody(w, r)
		if err != nil {
			return err
		}
		if len(text) > 0 {
			found, err := op.checkBody(text)
			if err != nil {
				return err
			}
			violations = append(violations, found...)
		}
		r.Body = io.NopCloser(bytes.NewReader(text))
		exchangeOf(r.Context()).fingerprint = fingerprint(r, text)
	}
	if len(violations) == 0 {
		return nil
	}
	return &contractError{
		status:     http.StatusBadRequest,
		message:    "the request breaks the contract in " + count(len(violations), "place"),
		violations: violations,
	}
}

// fingerprint tells whether a request asks for the same thing as another one. It
// is nothing where the caller does not want to know.
func fingerprint(r *http.Request, body []byte) (sum [sha256.Size]byte) {
	if r.Header.Get("Idempotency-Key") == "" {
		return sum
	}
	return sha256.Sum256([]byte(r.Method + " " + r.URL.RequestURI() + "\n" + string(body)))
}

// breach is one place in which a request breaks the contract.
func breach(pointer, message string) api.Finding {
	return api.Finding{Field: &pointer, Rule: new(wire.RuleContract), Message: &message, Source: new(wire.SourceContract)}
}

// checkParameters judges what the generated binding does not: bounds, and
// query parameters that nobody knows, since a misspelt dry_run must not become
// a real change.
func (op *operation) checkParameters(r *http.Request) []api.Finding {
	var violations []api.Finding
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return []api.Finding{breach("", "the query cannot be read")}
	}
	for _, ref := range op.parameters {
		p := ref.Value
		var values []string
		switch p.In {
		case openapi3.ParameterInQuery:
			values = query[p.Name]
		case openapi3.ParameterInPath:
			value, err := url.PathUnescape(chi.URLParam(r, p.Name))
			if err != nil {
				violations = append(violations, breach("", "the path parameter "+p.Name+" cannot be read"))
				continue
			}
			values = []string{value}
		case openapi3.ParameterInHeader:
			values = r.Header.Values(p.Name)
			if len(values) > 1 { // RFC 9110 §5.3
				values = []string{strings.Join(values, ", ")}
			}
		}
		violations = append(violations, checkValues(p, values)...)
	}
	for name := range query {
		if op.parameters.GetByInAndName(openapi3.ParameterInQuery, name) == nil {
			violations = append(violations, breach("", fmt.Sprintf("the query parameter %s is not known here", wire.Shortened(name))))
		}
	}
	return sorted(violations)
}

func checkValues(p *openapi3.Parameter, values []string) []api.Finding {
	if len(values) > 1 {
		return []api.Finding{breach("", "the parameter "+p.Name+" is given more than once")}
	}
	for _, text := range values {
		var value any = text
		switch {
		case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
			return []api.Finding{breach("", "the parameter "+p.Name+" is not valid: it is not text")}
		case p.Schema.Value.Type.Is(openapi3.TypeInteger):
			number, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return []api.Finding{breach("", "the parameter "+p.Name+" is not valid: it is not a number")}
			}
			value = float64(number)
		case !p.Schema.Value.Type.Is(openapi3.TypeString):
			continue // the binding reads it, and refuses what it cannot read
		}
		if err := p.Schema.Value.VisitJSON(value); err != nil {
			reason := "it breaks its bounds"
			if schema, ok := errors.AsType[*openapi3.SchemaError](err); ok {
				reason = schema.Reason
			}
			return []api.Finding{breach("", "the parameter "+p.Name+" is not valid: "+reason)}
		}
	}
	return nil
}

// readBody reads the whole body, or refuses its kind or size. It is empty only
// where the operation does without one.
func (op *operation) readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if !op.bodyRequired && r.ContentLength == 0 {
		return nil, nil
	}
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := strings.ToLower(parameters["charset"])
	if err != nil || kind != "application/json" || charset != "" && charset != "utf-8" {
		return nil, &contractError{status: http.StatusUnsupportedMediaType, message: "send the body as application/json"}
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBodyBytes))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, &contractError{
			status:  http.StatusRequestEntityTooLarge,
			message: "the body is larger than " + strconv.Itoa(MaxBodyBytes) + " bytes",
		}
	case err != nil:
		return nil, &contractError{status: http.StatusBadRequest, message: "the body ended before it was complete"}
	case len(text) == 0 && op.bodyRequired:
		return nil, &contractError{status: http.StatusBadRequest, message: "the request has no body; send a JSON object"}
	}
	return text, nil
}

// checkBody judges the body: strict JSON first, since what has two readings must
// not be judged by one, then the schema. What JSON parsers read differently is
// refused (RFC 8259 §4, §8.1): duplicate members, invalid UTF-8, bytes behind the
// text.
func (op *operation) checkBody(text []byte) ([]api.Finding, error) {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return nil, explainJSON(text)
	}
	var violations []api.Finding
	for _, b := range op.body.Check(value) {
		violations = append(violations, breach(b.Pointer, b.Message))
	}
	return violations, nil
}

// explainJSON says why the text is no strict JSON.
func explainJSON(text []byte) error {
	dec := jsontext.NewDecoder(bytes.NewReader(text))
	err := dec.SkipValue()
	refuse := func(message string) error {
		return &contractError{status: http.StatusBadRequest, message: message}
	}
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		at := string(dec.StackPointer())
		if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
			at = string(syntactic.JSONPointer)
		}
		return &contractError{
			status:     http.StatusBadRequest,
			message:    "a member stands in the body twice",
			violations: []api.Finding{breach(wire.Shortened(at), "this member stands in the body twice")},
		}
	case err != nil:
		return refuse("the body is not JSON, near byte " + strconv.FormatInt(dec.InputOffset(), 10))
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return refuse("bytes follow the JSON text of the body, at byte " + strconv.FormatInt(dec.InputOffset(), 10))
	}
	return refuse("the body is not JSON") // a number that no program can hold
}

// sorted gives violations an order that does not depend on that of a map.
func sorted(violations []api.Finding) []api.Finding {
	slices.SortStableFunc(violations, func(a, b api.Finding) int {
		return strings.Compare(*a.Field+"\x00"+*a.Message, *b.Field+"\x00"+*b.Message)
	})
	return violations
}
