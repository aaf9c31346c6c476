package rest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// changed responds with a client as a change left it, or as it would leave it.
//
// A dry run has no ETag. The revision in its response does not exist; another
// writer could make a different one with that number, and an If-Match with it would
// overwrite that. This holds also for a dry run that changes nothing: a caller
// need not tell the two apart.
//
// A caller that may write and not read gets back only the fields that it sent:
// otherwise an empty update would read any client. A 400 may still quote a stored
// value that the change makes invalid; otherwise it could not be corrected.
func (s *server) changed(x *requestState, message string, revised application.Revised, opts application.Options) *response {
	now := s.clock.Now()
	a := s.success(http.StatusOK, message, func(w *jsonobject.Writer) {
		warnings := slices.Concat(revised.Warnings, revised.Client.SecretWarnings(now))
		if x.caller.Has(application.PermissionRead) {
			w.Object("data", func() { s.writeItem(w, &revised.Client, now) })
		} else {
			w.Object("data", func() { s.writeFields(w, &revised.Client, x.change.Named()) })
			warnings = pointingInto(warnings, x.change.Named())
		}
		writeWarnings(w, warnings)
	})
	if opts.DryRun {
		return a
	}
	return a.with("ETag", etag(revised.Client.Revision()))
}

// pointingInto returns the findings that point into the fields.
func pointingInto(findings domain.Findings, fields domain.FieldSet) domain.Findings {
	var some domain.Findings
	for _, f := range findings {
		name, _, _ := strings.Cut(strings.TrimPrefix(f.Pointer, "/"), "/")
		if field, ok := domain.FieldNamed(name, domain.LastField); ok && fields.Has(field) {
			some = append(some, f)
		}
	}
	return some
}
