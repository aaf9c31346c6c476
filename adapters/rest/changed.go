package rest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/clientele-oauth/clientele/adapters/jsonobject"
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
func (s *server) changed(x *exchange, message string, revised application.Revised, opts application.Options) *answer {
	now := s.clock.Now()
	a := s.success(http.StatusOK, message, func(w *jsonobject.Writer) {
		warnings := slices.Concat(revised.Warnings, revised.Client.SecretWarnings(now))
		if x.caller.Has(application.PermissionRead) {
			w.Object("data", func() { writeItem(w, revised.Client, now) })
		} else {
			w.Object("data", func() { writeFields(w, revised.Client, x.sent, now) })
			warnings = pointingInto(warnings, x.sent)
		}
		writeWarnings(w, warnings)
	})
	if opts.DryRun {
		return a
	}
	return a.with("ETag", etag(revised.Client.Revision()))
}

// writeFields writes those fields of a client that are named, and the two that
// every caller of the operation knows.
func writeFields(w *jsonobject.Writer, c domain.Client, names []string, now time.Time) {
	var item jsonobject.Writer
	item.Object("", func() { writeItem(&item, c, now) })
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(item, &fields) // it was written a line above
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name == "client_id" || name == "tenant_id" || slices.Contains(names, name) {
			w.Raw(name, fields[name])
		}
	}
}

// pointingInto returns the findings that point into the fields.
func pointingInto(findings domain.Findings, fields []string) domain.Findings {
	var some domain.Findings
	for _, f := range findings {
		name, _, _ := strings.Cut(strings.TrimPrefix(f.Pointer, "/"), "/")
		if slices.Contains(fields, name) {
			some = append(some, f)
		}
	}
	return some
}
