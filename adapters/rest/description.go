package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-chi/chi/v5"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// description is openapi.yaml in the form that requests are checked against. The
// generated server has the same routes as the document, so the method and the route
// pattern of a request identify its operation.
type description struct {
	operations map[string]*operation
}

// operation describes the requests of one operation of openapi.yaml.
type operation struct {
	id           string
	parameters   []parameter
	body         *contract.Schema // nil if the operation has no body, or one that is read leniently
	takesBody    bool
	bodyRequired bool
	configures   bool  // the body is a client's configuration
	bodyLimit    int64 // bytes
	public       bool  // needs no access token
	registration bool  // is for clients that register or manage themselves
}

// bodyLimitExtension is the extension of openapi.yaml for the maximum body size of
// an operation, in bytes.
const bodyLimitExtension = "x-max-body-bytes"

// registrationExtension is the extension of openapi.yaml that marks the operations of clients
// that register or manage themselves.
const registrationExtension = "x-registration"

func newDescription() (*description, error) {
	doc, err := contract.Document()
	if err != nil {
		return nil, err
	}
	c := &description{operations: map[string]*operation{}}
	for path, item := range doc.Paths.Map() {
		for method, described := range item.Operations() {
			op, err := newOperation(described, slices.Concat(item.Parameters, described.Parameters))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", described.OperationID, err)
			}
			c.operations[method+" "+path] = op
		}
	}
	return c, nil
}

func newOperation(described *openapi3.Operation, parameters openapi3.Parameters) (*operation, error) {
	op := &operation{id: described.OperationID, public: described.Security != nil && len(*described.Security) == 0}
	op.registration, _ = described.Extensions[registrationExtension].(bool)
	for _, ref := range parameters {
		p, err := newParameter(ref.Value)
		if err != nil {
			return nil, err
		}
		op.parameters = append(op.parameters, p)
	}
	if described.RequestBody == nil {
		return op, nil
	}
	op.takesBody, op.bodyRequired = true, described.RequestBody.Value.Required
	if err := op.readBodyLimit(described); err != nil || op.registration {
		return op, err
	}
	var err error
	op.body, err = contract.NewSchema(described.RequestBody.Value.Content.Get(jsonType).Schema.Value)
	if err != nil {
		return nil, err
	}
	if application.Operation(op.id) == application.OpUpdateClient {
		op.body = op.body.ForUpdates()
	}
	if op.configures, err = configures(described.OperationID, op.body); err != nil {
		return nil, err
	}
	return op, nil
}

// subject returns what the rules apply to, for the message that reports violations.
func (op *operation) subject() string {
	if op == nil {
		return "the request"
	}
	switch application.Operation(op.id) {
	case application.OpCreateRegistrationToken:
		return "the token"
	case application.OpGetClientMetadata, application.OpApproveClientMetadata:
		return "the request"
	default:
		return "the client"
	}
}

func (op *operation) readBodyLimit(described *openapi3.Operation) error {
	limit, ok := described.Extensions[bodyLimitExtension].(float64)
	if !ok || limit < 1 || limit > MaxBodyBytes {
		return fmt.Errorf("%s must be between 1 and %d", bodyLimitExtension, MaxBodyBytes)
	}
	op.bodyLimit = int64(limit)
	return nil
}

// configures reports whether the body of an operation is a client's configuration.
// The error reports a schema whose fields differ from those of package domain.
func configures(operation string, body *contract.Schema) (bool, error) {
	switch application.Operation(operation) {
	case application.OpUpdateClient:
		return true, body.CheckFields(nil)
	case application.OpCreateClient, application.OpCheckCompliance: // a new client is always active, so its status cannot be set
		return true, body.CheckFields([]string{"client_id", "secret_hash"}, domain.FieldStatus)
	default:
		return false, nil
	}
}

// checkContract rejects requests that violate openapi.yaml, and reports all
// violations. If only fields of the body, headers or query parameters are invalid,
// the request continues without them as a dry run: the rules check the rest, and
// the handler adds their findings to the violations of the contract (see
// [requestState.rejected]).
func (s *server) checkContract(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := requestStateOf(r.Context())
		check := x.operation.check
		if x.operation.registration {
			check = s.checkRegistration
		}
		if err := check(r, x); err != nil {
			s.writeError(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// findOperation stores the operation of the request for the handlers after it.
func (s *server) findOperation(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		op, ok := s.description.operation(r)
		requestStateOf(r.Context()).operation = op
		if !ok {
			s.writeError(w, r, fmt.Errorf("openapi.yaml has no operation for the route %s", chi.RouteContext(r.Context()).RoutePattern()))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// operation returns the operation of a request whose route is known.
func (c *description) operation(r *http.Request) (*operation, bool) {
	method := r.Method
	if method == http.MethodHead { // handled and validated as GET
		method = http.MethodGet
	}
	op, ok := c.operations[method+" "+chi.RouteContext(r.Context()).RoutePattern()]
	return op, ok
}

// check validates the request against the operation. Afterwards the generated
// binding can read the body again.
func (op *operation) check(r *http.Request, x *requestState) error {
	if err := r.Context().Err(); err != nil {
		return fmt.Errorf("%w: %w", errOverloaded, err)
	}
	found, canContinue := op.checkParameters(r)
	if op.body != nil {
		text := x.body
		x.body = nil
		x.fingerprint = fingerprint(r, text)
		if len(text) > 0 {
			body, err := op.body.Decode(text)
			if err != nil {
				return explainJSON(text, err)
			}
			verdict := op.body.InspectBody(body)
			for _, b := range verdict.Breaches {
				found.add(breach(b.Pointer, b.Message))
			}
			found.omitted += verdict.Omitted
			fields, ok := body.Value.(map[string]any)
			canContinue = canContinue && ok
			if op.configures {
				x.readConfiguration(fields, verdict.Broken)
				text = nil
			} else if verdict.Rewritten && ok {
				if text, err = json.Marshal(fields); err != nil {
					return fmt.Errorf("write the checked body: %w", err)
				}
			}
		}
		r.Body = io.NopCloser(bytes.NewReader(text))
	}
	if found.total() == 0 {
		return nil
	}
	x.violations = found
	if canContinue && op.hasRules() {
		return nil
	}
	return x.violations.err()
}

// readConfiguration reads a client configuration from the body. The generated
// server does not decode such bodies (api/server.overlay.yaml).
func (x *requestState) readConfiguration(fields map[string]any, broken []string) {
	for _, name := range broken {
		if f, ok := domain.FieldNamed(name, domain.LastField); ok {
			x.unread.Add(f)
		}
	}
	id, _ := fields["client_id"].(string)
	x.clientID = domain.ClientID(id)
	x.secretHash, _ = fields["secret_hash"].(string)
	x.change = contract.ChangeOf(fields)
}

// hasRules reports whether rules check the body of the operation.
func (op *operation) hasRules() bool {
	switch application.Operation(op.id) {
	case application.OpVerifySecret, application.OpAuthenticateClient, application.OpCreateRegistrationToken, application.OpApproveClientMetadata:
		return false
	default:
		return op.body != nil
	}
}

// breach returns the violation for one place where a request violates the contract.
func breach(pointer, message string) domain.Finding {
	return contract.Breach{Pointer: pointer, Message: message}.Finding()
}

// explainJSON returns an error that explains why the text is not strict JSON
// (RFC 8259 §4, §8.1).
func explainJSON(text []byte, err error) error {
	reject := func(message string) error {
		return &contractError{status: http.StatusBadRequest, message: message}
	}
	if trailing, ok := errors.AsType[*contract.TrailingError](err); ok {
		return reject("unexpected data after the JSON, at byte " + strconv.FormatInt(trailing.Offset, 10))
	}
	syntactic, ok := errors.AsType[*jsontext.SyntacticError](err)
	switch {
	case !ok:
		return reject("the body is not valid JSON")
	case errors.Is(err, jsontext.ErrDuplicateName):
		return &contractError{
			status:     http.StatusBadRequest,
			message:    "the body has a duplicate field",
			violations: domain.Findings{breach(contract.Shortened(string(syntactic.JSONPointer)), "duplicate field")},
		}
	default:
		return reject("the body is not valid JSON, near byte " + strconv.FormatInt(min(syntactic.ByteOffset, int64(len(text))), 10))
	}
}
