// Package docs is the documentation that the service carries: the API as
// openapi.yaml has it, to be tried out, and a page of the rules to be linked to.
// It works without any other host.
package docs

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/domain"
)

// Swagger UI comes compressed as it is sent: "make swagger-ui" fetches it.
//
//go:embed page swagger-ui
var content embed.FS

// policy lets the page ask this service and nobody else (Content Security Policy
// Level 3).
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// file is a file as it is served.
type file struct {
	mediaType   string
	plain, gzip []byte // one of them
}

// NewHandler serves /docs, /docs/rules and what they need, whose addresses are
// absolute.
func NewHandler(rules []domain.Rule) (http.Handler, error) {
	page, err := rulesPage(rules)
	if err != nil {
		return nil, err
	}
	const html, script, style = "text/html; charset=utf-8", "text/javascript; charset=utf-8", "text/css; charset=utf-8"
	files := map[string]*file{"/docs/rules": {mediaType: html, plain: page}}
	for path, of := range map[string]struct{ name, mediaType string }{
		"/docs":                               {"page/index.html", html},
		"/docs/assets/start.js":               {"page/start.js", script},
		"/docs/assets/page.css":               {"page/page.css", style},
		"/docs/assets/swagger-ui-bundle.js":   {"swagger-ui/swagger-ui-bundle.js.gz", script},
		"/docs/assets/swagger-ui.css":         {"swagger-ui/swagger-ui.css.gz", style},
		"/docs/assets/swagger-ui-LICENSE.txt": {"swagger-ui/LICENSE", "text/plain; charset=utf-8"},
	} {
		text, err := content.ReadFile(of.name)
		if err != nil {
			return nil, fmt.Errorf("documentation: %w", err)
		}
		files[path] = &file{mediaType: of.mediaType, plain: text}
		if strings.HasSuffix(of.name, ".gz") {
			files[path] = &file{mediaType: of.mediaType, gzip: text}
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		found, ok := files[strings.TrimSuffix(r.URL.Path, "/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		found.serve(w, r)
	}), nil
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", f.mediaType)
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "max-age=300")
	text := f.plain
	switch {
	case f.gzip == nil:
	case strings.Contains(r.Header.Get("Accept-Encoding"), "gzip"):
		header.Set("Vary", "Accept-Encoding")
		header.Set("Content-Encoding", "gzip")
		text = f.gzip
	default:
		header.Set("Vary", "Accept-Encoding")
		unpacked, err := gzip.NewReader(bytes.NewReader(f.gzip))
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = io.Copy(w, unpacked) //nolint:gosec // it is our own file; a client that is gone needs no answer
		return
	}
	header.Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = w.Write(text)
}

// subject is a part of the rulebook as the page shows it.
type subject struct {
	Subject string
	Rules   []shownRule
}

type shownRule struct {
	ID, Summary, Source, Profiles string
	Levels                        []string
}

func rulesPage(rules []domain.Rule) ([]byte, error) {
	parsed, err := template.ParseFS(content, "page/rules.html")
	if err != nil {
		return nil, fmt.Errorf("documentation: %w", err)
	}
	var subjects []subject
	for _, r := range rules {
		if len(subjects) == 0 || subjects[len(subjects)-1].Subject != r.Subject {
			subjects = append(subjects, subject{Subject: r.Subject})
		}
		last := &subjects[len(subjects)-1]
		last.Rules = append(last.Rules, shownRule{
			ID: r.ID, Summary: r.Summary, Source: r.Source, Levels: contract.LevelNames(r), Profiles: contract.ProfileText(r),
		})
	}
	subjects = append(subjects, subject{Subject: "The contract", Rules: []shownRule{{
		ID: contract.RuleContract, Levels: []string{"violation"}, Profiles: "all", Source: contract.SourceContract,
		Summary: "a request or a file does not match the types, limits or field names of openapi.yaml",
	}}})
	var page bytes.Buffer
	if err := parsed.Execute(&page, subjects); err != nil {
		return nil, fmt.Errorf("documentation: %w", err)
	}
	return page.Bytes(), nil
}
