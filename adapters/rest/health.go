package rest

import (
	"context"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync"

	"github.com/go-chi/chi/v5"
)

// Check is something that the service needs to serve.
type Check struct {
	Name string // as /readyz shows it
	// Run returns nil where it is there; what else it returns is logged.
	Run func(ctx context.Context) error
	// Detail is shown on /readyz after the result; nil shows nothing.
	Detail func() string
}

// Note is something that operators are to know, although the service can serve.
type Note struct {
	Name string // as /readyz shows it
	// Read returns the note, or "" while there is nothing to report.
	Read func(ctx context.Context) string
}

// serveHealth tells whether the process lives and, a line for each check,
// whether it can serve.
func (s *server) serveHealth(r chi.Router, checks []Check, notes []Note) {
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "alive\n") })
	r.Get("/readyz", func(w http.ResponseWriter, r *http.Request) {
		failures := make([]error, len(checks))
		var group sync.WaitGroup
		for i, check := range checks {
			group.Go(func() { failures[i] = check.Run(r.Context()) }) //nolint:contextcheck // it is the context of the request
		}
		noted := make([]string, len(notes))
		for i, note := range notes {
			group.Go(func() { noted[i] = note.Read(r.Context()) }) //nolint:contextcheck // it is the context of the request
		}
		group.Wait()
		status := http.StatusOK
		var lines strings.Builder
		for i, check := range checks {
			verdict := ": ok"
			if failures[i] != nil {
				status, verdict = http.StatusServiceUnavailable, ": not ready"
				s.log.WarnContext(r.Context(), "not ready", "check", check.Name, "error", failures[i])
			}
			lines.WriteString(check.Name + verdict)
			if check.Detail != nil {
				lines.WriteString(" (" + check.Detail() + ")")
			}
			lines.WriteString("\n")
		}
		for i, text := range noted {
			if text != "" {
				lines.WriteString(notes[i].Name + ": " + text + "\n")
			}
		}
		writeText(w, status, lines.String())
	})
}

// NewOperatorHandler returns what is for operators alone: metrics, profiles, and
// the health that the other surface shows as well. Of net/http/pprof the command
// line is left out: it may hold the URL of the database with its password.
func NewOperatorHandler(c Config, metrics http.Handler) http.Handler {
	s := newServer(c)
	r := chi.NewRouter()
	r.Use(s.identify, s.recoverPanic)
	s.serveHealth(r, c.Checks, c.Notes)
	r.Method(http.MethodGet, "/metrics", metrics)
	r.Get("/debug/pprof/*", pprof.Index)
	r.Get("/debug/pprof/profile", pprof.Profile)
	r.Get("/debug/pprof/symbol", pprof.Symbol)
	r.Get("/debug/pprof/trace", pprof.Trace)
	return r
}
