package rest

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// etag returns the strong validator of a client: its revision number (RFC 9110 §8.8.3).
func etag(n domain.RevisionNumber) string { return `"` + strconv.FormatInt(int64(n), 10) + `"` }

// tags is the value of an If-Match or If-None-Match header: anything for "*",
// otherwise a list of entity tags (RFC 9110 §13.1.1, §13.1.2).
type tags struct {
	anything bool
	// strong contains the revisions in strong tags. Tags that this service
	// did not create are ignored.
	strong []domain.RevisionNumber
	// weak contains the revisions in weak tags, which an intermediary can make
	// from strong ones. They never match in If-Match, which uses strong
	// comparison (§8.8.3.2).
	weak []domain.RevisionNumber
	// texts are the opaque texts of all tags, for resources whose validator is not a
	// revision.
	texts []opaqueTag
}

// opaqueTag is an entity tag (RFC 9110 §8.8.3).
type opaqueTag struct {
	text string // without the quotes
	weak bool
}

// strongly reports whether a tag matches by strong comparison (RFC 9110 §8.8.3.2), as
// If-Match requires.
func (t tags) strongly(text string) bool {
	return t.anything || slices.Contains(t.texts, opaqueTag{text: text})
}

// weakly reports whether a tag matches by weak comparison, as If-None-Match requires.
func (t tags) weakly(text string) bool {
	return t.strongly(text) || slices.Contains(t.texts, opaqueTag{text: text, weak: true})
}

// errEntityTag describes the syntax of an ETag.
var errEntityTag = errors.New(`must be * or a list of ETags in double quotes, as in "3"`)

// parseEntityTags parses an If-Match or If-None-Match header with the grammar of
// RFC 9110 §8.8.3. Empty list elements are allowed (§5.6.1.2).
func parseEntityTags(header string) (tags, error) {
	t := tags{strong: []domain.RevisionNumber{}}
	rest := strings.Trim(header, " \t")
	if rest == "*" {
		return tags{anything: true}, nil
	}
	for {
		rest = strings.TrimLeft(rest, " \t,")
		if rest == "" {
			return t, nil
		}
		list := &t.strong
		if after, weak := strings.CutPrefix(rest, "W/"); weak {
			rest, list = after, &t.weak
		}
		after, quoted := strings.CutPrefix(rest, `"`)
		opaque, after, closed := strings.Cut(after, `"`)
		if !quoted || !closed || strings.ContainsFunc(opaque, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
			return tags{}, errEntityTag
		}
		rest = strings.TrimLeft(after, " \t")
		if rest != "" && rest[0] != ',' {
			return tags{}, errEntityTag
		}
		t.texts = append(t.texts, opaqueTag{opaque, list == &t.weak})
		n, err := strconv.ParseInt(opaque, 10, 64)
		if err == nil && strconv.FormatInt(n, 10) == opaque {
			*list = append(*list, domain.RevisionNumber(n))
		}
	}
}

// conditions sets the preconditions of a request in the options. Malformed headers
// were rejected before.
func conditions(opts *application.Options, ifMatch, ifNoneMatch *string) {
	if ifMatch != nil {
		if t, err := parseEntityTags(*ifMatch); err == nil && !t.anything {
			opts.IfMatch = t.strong
		}
	}
	if ifNoneMatch != nil {
		t, err := parseEntityTags(*ifNoneMatch)
		opts.IfAbsent = err == nil && t.anything
		opts.IfNoneMatch = slices.Concat(t.strong, t.weak) // weak comparison (§13.1.2)
	}
}

// readConditions evaluates the preconditions of a request that reads a client at this
// revision. unmodified means that the response is 304; the error is
// [application.ErrPreconditionFailed].
func readConditions(at domain.RevisionNumber, ifMatch, ifNoneMatch *string) (unmodified bool, err error) {
	var preconditions application.Options
	conditions(&preconditions, ifMatch, ifNoneMatch)
	if preconditions.IfMatch != nil && !slices.Contains(preconditions.IfMatch, at) { // evaluated first (RFC 9110 §13.2.2)
		return false, application.ErrPreconditionFailed
	}
	return preconditions.IfAbsent || slices.Contains(preconditions.IfNoneMatch, at), nil
}

// forbidConditions evaluates If-Match for resources without an ETag, such as lists.
// No tag can match, so a request with a tag is rejected instead of being executed
// without the precondition. "*" matches any existing resource. If-None-Match with
// tags is always true for these resources.
func (s *server) forbidConditions(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		op := requestStateOf(r.Context()).operation
		header := strings.Join(r.Header.Values("If-Match"), ", ")
		_, given := r.Header["If-Match"]
		if !given || op.takes("If-Match") {
			next.ServeHTTP(w, r)
			return
		}
		switch t, err := parseEntityTags(header); {
		case err != nil:
			found := violations{}
			found.add(breach("If-Match", "the parameter If-Match "+err.Error()))
			s.writeError(w, r, found.err())
		case t.anything:
			next.ServeHTTP(w, r)
		default:
			s.writeError(w, r, errNoETag)
		}
	})
}

// errNoETag rejects If-Match for a resource that has no ETag.
var errNoETag = &contractError{
	status: http.StatusPreconditionFailed, message: "If-Match has an ETag, but this resource has none",
}

// takes reports whether the operation has the header parameter.
func (op *operation) takes(header string) bool {
	return slices.ContainsFunc(op.parameters, func(p parameter) bool { return p.in == openapi3.ParameterInHeader && p.name == header })
}
