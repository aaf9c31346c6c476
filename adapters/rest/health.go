package rest

import (
	"context"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync"

	"github.com/go-chi/chi/v5"
)

// Check is a readiness check.
type Check struct {
	Name string // as /readyz shows it
	// Run returns nil if the check succeeds. Errors are logged, not shown.
	Run func(ctx context.Context) error
	// Detail returns text that /readyz shows after the result; optional.
	Detail func() string
}

// Note is a notice for operators that does not affect readiness.
type Note struct {
	Name string // as /readyz shows it
	// Read returns the note, or "" while there is nothing to report.
	Read func(ctx context.Context) string
}

// serveHealth adds /healthz, which reports that the process is alive, and /readyz,
// which reports the result of each check on a line of its own.
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

// NewOperatorHandler returns the handler of the admin listener: metrics, profiles,
// and the same health endpoints as the public listener. It omits the command line
// of net/http/pprof, which may contain the database URL with its password.
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
