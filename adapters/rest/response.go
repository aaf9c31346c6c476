package rest

import (
	"net/http"
	"strconv"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/api"
)

// response is a response whose body is already encoded. It is used instead of the
// generated types, which would have to be filled and then encoded by reflection.
type response struct {
	status int
	header map[string]string
	body   *jsonobject.Writer
	server *server
}

// jsonType is the media type of responses, unless they are in another form.
const jsonType = "application/json"

// maxReusedBody is the maximum capacity of a buffer that is kept for reuse, in bytes:
// that of a large page.
const maxReusedBody = 256 << 10

// success returns a success response in the envelope of openapi.yaml. write adds the
// fields of the operation.
func (s *server) success(status int, message string, write func(w *jsonobject.Writer)) *response {
	return s.respond(status, 0, message, write)
}

// respond returns a response in the envelope. The code is 0 for a success and the
// status for a problem.
func (s *server) respond(status, code int, message string, write func(w *jsonobject.Writer)) *response {
	return &response{status: status, header: map[string]string{}, body: s.envelope(code, message, write), server: s}
}

// bare returns a success response with an object that has no envelope; write adds its
// fields.
func (s *server) bare(write func(w *jsonobject.Writer)) *response {
	w := s.buffer()
	w.Object("", func() { write(w) })
	return &response{status: http.StatusOK, header: map[string]string{}, body: w, server: s}
}

// buffer returns an empty buffer. It may be a reused one, see [server.keep].
func (s *server) buffer() *jsonobject.Writer {
	if w, ok := s.bodies.Get().(*jsonobject.Writer); ok {
		return w
	}
	return new(jsonobject.Writer)
}

// envelope returns a buffer with the envelope of openapi.yaml, and what write adds to
// it.
func (s *server) envelope(code int, message string, write func(w *jsonobject.Writer)) *jsonobject.Writer {
	w := s.buffer()
	w.Object("", func() {
		w.Int("code", int64(code))
		w.Text("message", message)
		w.Time("timestamp", s.clock.Now(), time.RFC3339)
		write(w)
	})
	return w
}

// keep makes the buffer of a sent body available for reuse, unless it is too large.
func (s *server) keep(body *jsonobject.Writer) {
	if cap(*body) <= maxReusedBody {
		*body = (*body)[:0]
		s.bodies.Put(body)
	}
}

// replayed marks the response to a repeated request.
func (r *response) replayed(repeated bool) *response {
	if repeated {
		return r.with("Idempotent-Replayed", "true")
	}
	return r
}

// write sends a response without the generated server.
func (r *response) write(w http.ResponseWriter, request *http.Request) {
	log := r.server.log
	if err := r.send(w); err != nil {
		log.DebugContext(request.Context(), "the caller disconnected", "error", err)
	}
}

// with adds a header.
func (r *response) with(name, value string) *response {
	r.header[name] = value
	return r
}

// send sends the response, once.
func (r *response) send(w http.ResponseWriter) error {
	header := w.Header()
	header.Set("Content-Type", jsonType)
	for name, value := range r.header {
		header.Set(name, value)
	}
	*r.body = append(*r.body, '\n')
	header.Set("Content-Length", strconv.Itoa(len(*r.body)))
	w.WriteHeader(r.status)
	_, err := w.Write(*r.body)
	r.server.keep(r.body)
	r.body = nil
	return err
}

// The methods that the generated server calls, for all operations with a response body.

// VisitCreateClientResponse implements [api.CreateClientResponseObject].
func (r *response) VisitCreateClientResponse(w http.ResponseWriter) error { return r.send(w) }

// VisitGetClientResponse implements [api.GetClientResponseObject].
func (r *response) VisitGetClientResponse(w http.ResponseWriter) error { return r.send(w) }

// VisitUpdateClientResponse implements [api.UpdateClientResponseObject].
func (r *response) VisitUpdateClientResponse(w http.ResponseWriter) error { return r.send(w) }

// VisitRestoreClientResponse implements [api.RestoreClientResponseObject].
func (r *response) VisitRestoreClientResponse(w http.ResponseWriter) error { return r.send(w) }

// VisitGetRevisionResponse implements [api.GetRevisionResponseObject].
func (r *response) VisitGetRevisionResponse(w http.ResponseWriter) error { return r.send(w) }

// VisitRestoreRevisionResponse implements [api.RestoreRevisionResponseObject].
func (r *response) VisitRestoreRevisionResponse(w http.ResponseWriter) error { return r.send(w) }

// VisitListRulesResponse implements [api.ListRulesResponseObject].
func (r *response) VisitListRulesResponse(w http.ResponseWriter) error { return r.send(w) }

// VisitGetClientComplianceResponse implements [api.GetClientComplianceResponseObject].
func (r *response) VisitGetClientComplianceResponse(w http.ResponseWriter) error { return r.send(w) }

// VisitCheckComplianceResponse implements [api.CheckComplianceResponseObject].
func (r *response) VisitCheckComplianceResponse(w http.ResponseWriter) error { return r.send(w) }

// VisitGetClientKeysResponse implements [api.GetClientKeysResponseObject].
func (r *response) VisitGetClientKeysResponse(w http.ResponseWriter) error { return r.send(w) }

// VisitListSecretsResponse implements [api.ListSecretsResponseObject].
func (r *response) VisitListSecretsResponse(w http.ResponseWriter) error { return r.send(w) }

// VisitCreateSecretResponse implements [api.CreateSecretResponseObject].
func (r *response) VisitCreateSecretResponse(w http.ResponseWriter) error { return r.send(w) }

// VisitRotateSecretResponse implements [api.RotateSecretResponseObject].
func (r *response) VisitRotateSecretResponse(w http.ResponseWriter) error { return r.send(w) }

// VisitListSecretVerifiersResponse implements [api.ListSecretVerifiersResponseObject].
func (r *response) VisitListSecretVerifiersResponse(w http.ResponseWriter) error { return r.send(w) }

// VisitVerifySecretResponse implements [api.VerifySecretResponseObject].
func (r *response) VisitVerifySecretResponse(w http.ResponseWriter) error { return r.send(w) }

// VisitAuthenticateClientResponse implements [api.AuthenticateClientResponseObject].
func (r *response) VisitAuthenticateClientResponse(w http.ResponseWriter) error { return r.send(w) }

// VisitRegisterClientResponse implements [api.RegisterClientResponseObject].
func (r *response) VisitRegisterClientResponse(w http.ResponseWriter) error { return r.send(w) }

// VisitGetRegistrationResponse implements [api.GetRegistrationResponseObject].
func (r *response) VisitGetRegistrationResponse(w http.ResponseWriter) error { return r.send(w) }

// VisitUpdateRegistrationResponse implements [api.UpdateRegistrationResponseObject].
func (r *response) VisitUpdateRegistrationResponse(w http.ResponseWriter) error { return r.send(w) }

// VisitGetClientMetadataResponse implements [api.GetClientMetadataResponseObject].
func (r *response) VisitGetClientMetadataResponse(w http.ResponseWriter) error { return r.send(w) }

// VisitApproveClientMetadataResponse implements [api.ApproveClientMetadataResponseObject].
func (r *response) VisitApproveClientMetadataResponse(w http.ResponseWriter) error { return r.send(w) }

// VisitGetAuthorizationServerMetadataResponse implements
// [api.GetAuthorizationServerMetadataResponseObject].
func (r *response) VisitGetAuthorizationServerMetadataResponse(w http.ResponseWriter) error {
	return r.send(w)
}

// VisitCreateRegistrationTokenResponse implements [api.CreateRegistrationTokenResponseObject].
func (r *response) VisitCreateRegistrationTokenResponse(w http.ResponseWriter) error {
	return r.send(w)
}

// VisitListRegistrationTokensResponse implements [api.ListRegistrationTokensResponseObject].
func (r *response) VisitListRegistrationTokensResponse(w http.ResponseWriter) error { return r.send(w) }

// VisitIssueClientRegistrationTokenResponse implements
// [api.IssueClientRegistrationTokenResponseObject].
func (r *response) VisitIssueClientRegistrationTokenResponse(w http.ResponseWriter) error {
	return r.send(w)
}

var _ interface {
	api.CreateClientResponseObject
	api.GetClientResponseObject
	api.UpdateClientResponseObject
	api.RestoreClientResponseObject
	api.GetRevisionResponseObject
	api.RestoreRevisionResponseObject
	api.ListRulesResponseObject
	api.GetClientComplianceResponseObject
	api.CheckComplianceResponseObject
	api.GetClientKeysResponseObject
	api.ListSecretsResponseObject
	api.CreateSecretResponseObject
	api.RotateSecretResponseObject
	api.VerifySecretResponseObject
	api.AuthenticateClientResponseObject
	api.RegisterClientResponseObject
	api.GetRegistrationResponseObject
	api.UpdateRegistrationResponseObject
	api.GetClientMetadataResponseObject
	api.ApproveClientMetadataResponseObject
	api.GetAuthorizationServerMetadataResponseObject
	api.CreateRegistrationTokenResponseObject
	api.ListRegistrationTokensResponseObject
	api.IssueClientRegistrationTokenResponseObject
} = (*response)(nil)
