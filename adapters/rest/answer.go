package rest

import (
	"net/http"
	"strconv"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/api"
)

// answer is an answer that tells of clients, written already. It takes the place
// of the generated types, which would be filled first and then written by
// reflection.
type answer struct {
	status int
	header map[string]string
	body   *jsonobject.Writer
	server *server
}

// maxKeptBody bounds the memory of a body that is kept: that of a large page.
const maxKeptBody = 256 << 10

// success is an answer in the envelope of openapi.yaml; write writes the members
// that are the operation's own.
func (s *server) success(status int, message string, write func(w *jsonobject.Writer)) *answer {
	return &answer{status: status, header: map[string]string{}, body: s.envelope(message, write), server: s}
}

// envelope writes the envelope of openapi.yaml into a body that [server.keep] may have
// kept.
func (s *server) envelope(message string, write func(w *jsonobject.Writer)) *jsonobject.Writer {
	w, ok := s.bodies.Get().(*jsonobject.Writer)
	if !ok {
		w = new(jsonobject.Writer)
	}
	w.Object("", func() {
		w.Int("code", 0)
		w.Text("message", message)
		w.Time("timestamp", s.clock.Now(), time.RFC3339)
		write(w)
	})
	return w
}

// keep keeps a body that was sent, to be written over.
func (s *server) keep(body *jsonobject.Writer) {
	if cap(*body) <= maxKeptBody {
		*body = (*body)[:0]
		s.bodies.Put(body)
	}
}

// with adds a header.
func (a *answer) with(name, value string) *answer {
	a.header[name] = value
	return a
}

// send sends the answer, once.
func (a *answer) send(w http.ResponseWriter) error {
	header := w.Header()
	for name, value := range a.header {
		header.Set(name, value)
	}
	header.Set("Content-Type", "application/json")
	*a.body = append(*a.body, '\n') // as encoding/json ends the other responses
	header.Set("Content-Length", strconv.Itoa(len(*a.body)))
	w.WriteHeader(a.status)
	_, err := w.Write(*a.body)
	a.server.keep(a.body)
	a.body = nil
	return err
}

// The operations whose answers tell of clients.

// VisitCreateClientResponse implements [api.CreateClientResponseObject].
func (a *answer) VisitCreateClientResponse(w http.ResponseWriter) error { return a.send(w) }

// VisitGetClientResponse implements [api.GetClientResponseObject].
func (a *answer) VisitGetClientResponse(w http.ResponseWriter) error { return a.send(w) }

// VisitUpdateClientResponse implements [api.UpdateClientResponseObject].
func (a *answer) VisitUpdateClientResponse(w http.ResponseWriter) error { return a.send(w) }

// VisitRestoreClientResponse implements [api.RestoreClientResponseObject].
func (a *answer) VisitRestoreClientResponse(w http.ResponseWriter) error { return a.send(w) }

// VisitGetRevisionResponse implements [api.GetRevisionResponseObject].
func (a *answer) VisitGetRevisionResponse(w http.ResponseWriter) error { return a.send(w) }

// VisitRestoreRevisionResponse implements [api.RestoreRevisionResponseObject].
func (a *answer) VisitRestoreRevisionResponse(w http.ResponseWriter) error { return a.send(w) }

var _ interface {
	api.CreateClientResponseObject
	api.GetClientResponseObject
	api.UpdateClientResponseObject
	api.RestoreClientResponseObject
	api.GetRevisionResponseObject
	api.RestoreRevisionResponseObject
} = (*answer)(nil)
