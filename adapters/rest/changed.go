package rest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// changed responds with the client after a change or, in a dry run, as it would be.
//
// A dry run has neither an ETag nor a revision. The revision in its response does not exist; another
// writer could create a different revision with that number, and an If-Match with
// it would overwrite that revision. This also applies to a dry run that changes
// nothing, so that callers need not distinguish the two cases.
//
// A caller with write but not read permission gets only the fields that it sent;
// otherwise an empty update could read any client. A 400 may still quote a stored
// value that the change makes invalid; otherwise the caller could not correct it.
func (s *server) changed(x *requestState, message string, revised application.Revised, opts application.Options) *response {
	now := s.clock.Now()
	a := s.success(http.StatusOK, message, func(w *jsonobject.Writer) {
		warnings := slices.Concat(revised.Warnings, revised.Client.SecretWarnings(now))
		if x.caller.Has(application.PermissionRead) {
			w.Object("data", func() {
				s.writeItem(w, &revised.Client, now)
				if !opts.DryRun {
					w.Int("revision", int64(revised.Client.Revision()))
				}
			})
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

// pointingInto returns the findings whose pointers are in the fields.
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
