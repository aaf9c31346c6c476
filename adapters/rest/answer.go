package rest

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/clientele-oauth/clientele/adapters/jsonobject"
	"github.com/clientele-oauth/clientele/api"
)

// answer is an answer that tells of clients, written already. It takes the place
// of the generated types, which would be filled first and then written by
// reflection.
type answer struct {
	status int
	header map[string]string
	body   *jsonobject.Writer
	sent   *sync.Pool // of bodies, to be written over
}

// maxKeptBody bounds the memory of a body that is kept: that of a large page.
const maxKeptBody = 256 << 10

// success is an answer in the envelope of openapi.yaml; write writes the members
// that are the operation's own.
func (s *server) success(status int, message string, write func(w *jsonobject.Writer)) *answer {
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
	return &answer{status: status, header: map[string]string{}, body: w, sent: &s.bodies}
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
	if cap(*a.body) <= maxKeptBody {
		*a.body = (*a.body)[:0]
		a.sent.Put(a.body)
	}
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
