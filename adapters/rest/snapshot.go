package rest

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/application"
)

// includeVerifiers is the value of the parameter include for the hashes of secrets.
const includeVerifiers = "secret_verifiers"

// snapshotPath is the path of snapshots.
const snapshotPath = "/admin/oauth/snapshot"

// Limits of the snapshots in progress. One of them uses the memory of a page
// ([application.PageBytes]) and of a buffer ([streamBytes]), for as long as its reader
// takes.
const (
	maxSnapshots          = 32
	maxSnapshotsPerTenant = 8
	maxSnapshotsPerCaller = 4
)

// errTooManySnapshots rejects a snapshot because its caller or tenant has reached its
// limit of snapshots in progress.
var errTooManySnapshots = errors.New("too many snapshots of the caller or its tenant are in progress")

// errDraining aborts a snapshot that takes too long after the service began to shut down.
var errDraining = errors.New("the service is shutting down")

// snapshot is a response with all clients of a tenant or of all tenants. The function
// sends it.
type snapshot func(to http.ResponseWriter) error

// VisitGetSnapshotResponse implements [api.GetSnapshotResponseObject].
func (send snapshot) VisitGetSnapshotResponse(w http.ResponseWriter) error { return send(w) }

// GetSnapshot implements GET /admin/oauth/snapshot.
//
// The clients are read in pages, each of which is sent before the next one is read. Only
// the reading of a page takes a slot for concurrent requests, so a slow reader holds
// neither a slot nor a connection to the store. Each page has the time limit of a request.
func (s *server) GetSnapshot(ctx context.Context, r api.GetSnapshotRequestObject) (api.GetSnapshotResponseObject, error) {
	x := requestStateOf(ctx)
	x.extend()
	if err := s.working.enter(ctx); err != nil {
		s.observer.RequestShed("load")
		return nil, err
	}
	form := formOf(r.Params.Format, r.Params.Effective, true)
	form.verifiers = valueOr(r.Params.Include, "") == includeVerifiers
	first, err := s.registry.Snapshot(ctx, x.caller, application.ClientKey{}, form.verifiers)
	s.working.leave()
	if err != nil {
		return nil, err
	}
	return snapshot(func(to http.ResponseWriter) error {
		to.Header().Set("Content-Type", "application/x-ndjson")
		if x.head {
			to.WriteHeader(http.StatusOK)
			return nil
		}
		lines := s.newLines(to)
		err := s.sendSnapshot(ctx, lines, first, form)
		if err != nil && lines.sent {
			// Without the last line the reader knows that the response is incomplete.
			// The server closes the connection in addition.
			s.log.WarnContext(ctx, "response aborted", "request_id", x.requestID, "error", err)
			panic(http.ErrAbortHandler)
		}
		return err
	}), nil
}

// sendSnapshot sends the lines of a snapshot that begins with the page.
func (s *server) sendSnapshot(ctx context.Context, to *lines, page application.Page, form clientForm) error {
	w, clients := to.buffer, 0
	err := to.line(func() { w.Text("changes_cursor", string(page.Changes)) })
	var stop time.Time // set when the service begins to shut down
	for err == nil {
		now := s.clock.Now()
		for i := range page.Clients {
			if err := to.line(func() { s.writeClient(w, &page.Clients[i], now, form) }); err != nil {
				return err
			}
		}
		if err := to.unreadable(page.Unreadable, requestStateOf(ctx).caller.All); err != nil {
			return err
		}
		clients += len(page.Clients)
		if !page.More {
			if err := to.line(func() { w.Int("clients", int64(clients)) }); err != nil {
				return err
			}
			return to.end()
		}
		if stop, err = s.mayContinue(stop); err == nil {
			page, err = s.nextPage(ctx, page.LastKey(), form.verifiers)
		}
	}
	return err
}

// nextPage reads a further page of a snapshot.
func (s *server) nextPage(ctx context.Context, after application.ClientKey, verifiers bool) (application.Page, error) {
	x := requestStateOf(ctx)
	x.extend()
	if err := s.working.await(ctx); err != nil {
		return application.Page{}, err
	}
	defer s.working.leave()
	return s.registry.Snapshot(ctx, x.caller, after, verifiers)
}

// mayContinue gives a snapshot the time limit of a request after the service began to
// shut down, like every other request. stop is the end of this time; zero if it has not
// begun.
func (s *server) mayContinue(stop time.Time) (time.Time, error) {
	select {
	case <-s.draining:
		now := time.Now()
		if stop.IsZero() {
			stop = now.Add(s.deadline)
		}
		if now.After(stop) {
			return stop, errDraining
		}
	default:
	}
	return stop, nil
}

// lines sends JSON objects, one per line. It collects them in a buffer of about
// [streamBytes].
type lines struct {
	to     http.ResponseWriter
	buffer *jsonobject.Writer
	sent   bool // whether the response has begun
	server *server
}

func (s *server) newLines(to http.ResponseWriter) *lines {
	w, ok := s.bodies.Get().(*jsonobject.Writer)
	if !ok {
		w = new(jsonobject.Writer)
	}
	return &lines{to: to, buffer: w, server: s}
}

// line adds a line with the fields that write adds to the buffer.
func (l *lines) line(write func()) error {
	l.buffer.Object("", write)
	l.buffer.EndLine()
	if len(*l.buffer) < streamBytes {
		return nil
	}
	return l.flush()
}

// unreadable adds a line with the clients whose records cannot be read, if there are any;
// in a snapshot of all tenants, a line for each tenant.
func (l *lines) unreadable(records []*application.UnreadableError, all bool) error {
	for len(records) > 0 {
		n := len(records)
		if all { // they are in the order of their tenants
			tenant := records[0].TenantID
			if i := slices.IndexFunc(records, func(r *application.UnreadableError) bool { return r.TenantID != tenant }); i > 0 {
				n = i
			}
		}
		err := l.line(func() {
			if all {
				l.buffer.Text("tenant_id", string(records[0].TenantID))
			}
			l.buffer.Array("unreadable", func() {
				for _, r := range records[:n] {
					l.buffer.Text("", string(r.ClientID))
				}
			})
		})
		if err != nil {
			return err
		}
		records = records[n:]
	}
	return nil
}

func (l *lines) flush() error {
	l.sent = true
	_, err := l.to.Write(*l.buffer)
	*l.buffer = (*l.buffer)[:0]
	return err
}

// end sends the remaining lines.
func (l *lines) end() error {
	err := l.flush()
	l.server.keep(l.buffer)
	return err
}
