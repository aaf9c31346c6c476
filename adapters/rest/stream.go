package rest

import (
	"net/http"
	"strconv"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/api"
)

// streamBytes is how much of a response is buffered before it is sent, in bytes. A
// shorter response is sent in one piece with a Content-Length.
const streamBytes = maxReusedBody / 2

// stream is a response with many clients or revisions. It is sent while it is
// written, so that a large page is never completely in memory.
type stream struct {
	server  *server
	message string
	form    clientForm
	// write writes the fields of the operation. It calls flush between clients. An
	// error before anything was sent becomes an error response. After that, the
	// connection is closed, so that the caller can detect the incomplete response.
	write func(w *jsonobject.Writer, flush func() error) error
}

// send writes and sends the response.
func (s *stream) send(to http.ResponseWriter) error {
	to.Header().Set("Content-Type", s.form.contentType())
	sent := false
	var err error
	w := s.server.envelope(0, s.message, func(w *jsonobject.Writer) {
		err = s.write(w, func() error {
			if len(*w) < streamBytes {
				return nil
			}
			sent = true
			return w.Flush(to)
		})
	})
	switch {
	case err != nil && sent:
		s.server.log.Warn("response aborted", "error", err)
		panic(http.ErrAbortHandler)
	case err != nil:
		return err
	}
	*w = append(*w, '\n')
	if !sent {
		to.Header().Set("Content-Length", strconv.Itoa(len(*w)))
	}
	_, err = to.Write(*w)
	s.server.keep(w)
	return err
}

// VisitListClientsResponse implements [api.ListClientsResponseObject].
func (s *stream) VisitListClientsResponse(w http.ResponseWriter) error { return s.send(w) }

// VisitListChangesResponse implements [api.ListChangesResponseObject].
func (s *stream) VisitListChangesResponse(w http.ResponseWriter) error { return s.send(w) }

// VisitListRevisionsResponse implements [api.ListRevisionsResponseObject].
func (s *stream) VisitListRevisionsResponse(w http.ResponseWriter) error { return s.send(w) }

var _ interface {
	api.ListClientsResponseObject
	api.ListChangesResponseObject
	api.ListRevisionsResponseObject
} = (*stream)(nil)
