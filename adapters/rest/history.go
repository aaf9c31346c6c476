package rest

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Default numbers of entries in a response.
const (
	defaultRevisions = 20
	defaultChanges   = 100
)

// ListRevisions implements GET /admin/oauth/clients/{client_id}/revisions.
func (s *server) ListRevisions(ctx context.Context, r api.ListRevisionsRequestObject) (api.ListRevisionsResponseObject, error) {
	before := domain.RevisionNumber(valueOr(r.Params.Before, 0))
	log, more, err := s.registry.History(ctx, requestStateOf(ctx).caller, domain.ClientID(r.ClientID), before,
		int(valueOr(r.Params.Limit, defaultRevisions)))
	if err != nil {
		return nil, err
	}
	return &stream{s, "history found", clientForm{}, func(w *jsonobject.Writer, flush func() error) error {
		w.Object("data", func() {
			if more {
				w.Int("next_before", int64(log[len(log)-1].Client.Revision()))
			}
			w.Array("revisions", func() {
				for i := range log {
					w.Object("", func() { writeLogged(w, &log[i]) })
					if err = flush(); err != nil {
						return
					}
				}
			})
		})
		return err
	}}, nil
}

// writeLogged writes the fields of a history entry.
func writeLogged(w *jsonobject.Writer, entry *application.LoggedRevision) {
	w.Text("action", string(entry.Action))
	writeActor(w, entry.Actor)
	w.Time("at", entry.At, time.RFC3339)
	writeDifferences(w, entry.Differences)
	w.Int("number", int64(entry.Client.Revision()))
	w.TextUnlessEmpty("reason", entry.Reason)
	w.TextUnlessEmpty("request_id", entry.RequestID)
	if entry.Unreadable {
		w.Bool("unreadable", true)
	}
}

func writeDifferences(w *jsonobject.Writer, differences []domain.Difference) {
	w.Array("differences", func() {
		for _, d := range differences {
			w.Object("", func() {
				jsonobject.Texts(w, "after", valuesOf(d.After))
				jsonobject.Texts(w, "before", valuesOf(d.Before))
				w.Text("field", d.Pointer())
			})
		}
	})
}

// valuesOf returns the value of a field as a list of strings.
func valuesOf(value any) []string {
	values := []string{}
	switch value := value.(type) {
	case []string:
		values = value
	case bool:
		values = []string{strconv.FormatBool(value)}
	case int64:
		values = []string{strconv.FormatInt(value, 10)}
	case map[string]string:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			values = append(values, name+"="+value[name])
		}
	case string:
		if value != "" {
			values = []string{value}
		}
	}
	return values
}

// GetRevision implements GET /admin/oauth/clients/{client_id}/revisions/{number}.
func (s *server) GetRevision(ctx context.Context, r api.GetRevisionRequestObject) (api.GetRevisionResponseObject, error) {
	entry, err := s.registry.RevisionOf(ctx, requestStateOf(ctx).caller, domain.ClientID(r.ClientID), domain.RevisionNumber(r.Number))
	if err != nil {
		return nil, err
	}
	return s.success(http.StatusOK, "revision found", func(w *jsonobject.Writer) {
		w.Object("data", func() {
			w.Int("number", int64(entry.Client.Revision()))
			s.writeRevised(w, &entry, clientForm{})
		})
	}), nil
}

// RestoreRevision implements POST /admin/oauth/clients/{client_id}/revisions/{number}/restore.
func (s *server) RestoreRevision(ctx context.Context, r api.RestoreRevisionRequestObject) (api.RestoreRevisionResponseObject, error) {
	x := requestStateOf(ctx)
	opts := x.options(r.Params.DryRun, r.Params.IfMatch, r.Params.IfNoneMatch, nil)
	restored, err := s.registry.RestoreRevision(ctx, x.caller, domain.ClientID(r.ClientID), domain.RevisionNumber(r.Number), opts)
	if err != nil {
		return nil, err
	}
	message := "client restored to revision " + strconv.FormatInt(r.Number, 10)
	switch {
	case opts.DryRun && restored.Unchanged:
		message = "dry run: nothing to change; the client already has the configuration of revision " + strconv.FormatInt(r.Number, 10)
	case restored.Unchanged:
		message = "client unchanged: it already has the configuration of revision " + strconv.FormatInt(r.Number, 10)
	case opts.DryRun:
		message = "dry run: the client would be restored to revision " + strconv.FormatInt(r.Number, 10)
	}
	return s.changed(x, message, restored, opts), nil
}

// ListChanges implements GET /admin/oauth/changes.
func (s *server) ListChanges(ctx context.Context, r api.ListChangesRequestObject) (api.ListChangesResponseObject, error) {
	wait := application.WaitOptions{
		Max: time.Duration(valueOr(r.Params.WaitSeconds, 0)) * time.Second, Stop: s.draining,
	}
	x := requestStateOf(ctx)
	q := application.FeedQuery{
		After: application.Cursor(valueOr(r.Params.After, "")), Limit: int(valueOr(r.Params.Limit, defaultChanges)),
	}
	for _, action := range valueOr(r.Params.Actions, nil) {
		q.Actions = append(q.Actions, domain.Action(action))
	}
	found, err := s.registry.Changes(ctx, x.caller, q, wait)
	if err != nil {
		return nil, err
	}
	form := formOf(r.Params.Format, r.Params.Effective, false)
	form.revision = false // the entry has it
	return &stream{s, "changes found", form, func(w *jsonobject.Writer, flush func() error) error {
		w.Object("data", func() {
			w.Array("changes", func() {
				for i := range found.Revisions {
					entry := &found.Revisions[i] // a revision is large
					w.Object("", func() {
						w.Text("client_id", string(entry.Client.Identity().ClientID))
						w.Int("revision", int64(entry.Client.Revision()))
						if x.caller.All {
							w.Text("tenant_id", string(entry.Client.Identity().TenantID))
						}
						s.writeRevised(w, entry, form)
					})
					if err = flush(); err != nil {
						return
					}
				}
			})
			w.TextUnlessEmpty("next", string(found.Next))
			if seconds := int64(found.HeldBack / time.Second); seconds > 0 {
				w.Int("held_back_seconds", seconds)
			}
		})
		return err
	}}, nil
}
