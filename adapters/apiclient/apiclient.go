// Package apiclient is a registry somewhere else: it implements
// [declare.Registry] with the Go client.
package apiclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/api/client"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/application/declare"
	"github.com/clientele-oauth/clientele/domain"
)

// walkLimit is how many clients of a walk come at once.
const walkLimit = 100

const jsonType = "application/json"

// Registry is a registry behind a URL.
type Registry struct {
	client *client.ClientWithResponses
}

// Connect returns the registry that the settings lead to. Nothing is asked yet.
func Connect(url string, s client.Settings) (*Registry, error) {
	c, err := client.Connect(url, s)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return &Registry{c}, nil
}

// Find implements [declare.Registry].
func (r *Registry) Find(ctx context.Context, id domain.ClientID, keysMatter bool) (declare.Registered, error) {
	found, err := r.client.GetClientWithResponse(ctx, string(id), nil)
	if err != nil {
		return declare.Registered{}, translate(err)
	}
	if found.JSON200 == nil || found.JSON200.Data == nil {
		return declare.Registered{}, errAnswer(found.StatusCode())
	}
	number, err := revisionOf(found.HTTPResponse.Header)
	if err != nil {
		return declare.Registered{}, err
	}
	settings, err := settingsIn(found.Body, "data")
	if err != nil {
		return declare.Registered{}, err
	}
	at := declare.Registered{ID: id, Revision: number, Settings: settings, Warnings: findingsOf(found.JSON200.Warnings, domain.Warning)}
	if keysMatter && at.Settings.Keys.URI() == "" {
		inline, err := r.keys(ctx, at)
		if err != nil {
			return declare.Registered{}, err
		}
		at.Settings.Keys = domain.InlineKeys(inline)
	}
	return at, nil
}

// keys returns the keys that the registry held for the client at its revision;
// they are in the log alone.
func (r *Registry) keys(ctx context.Context, at declare.Registered) (string, error) {
	revision, err := r.client.GetRevisionWithResponse(ctx, string(at.ID), int64(at.Revision), nil)
	if err != nil {
		return "", translate(err)
	}
	if revision.JSON200 == nil || revision.JSON200.Data == nil {
		return "", errAnswer(revision.StatusCode())
	}
	return value(revision.JSON200.Data.Jwks), nil
}

// Walk implements [declare.Registry].
func (r *Registry) Walk(ctx context.Context, visit func(domain.ClientID) error) error {
	params := &client.ListClientsParams{Limit: new(int32(walkLimit))}
	var unreadable []string
	for {
		page, err := r.client.ListClientsWithResponse(ctx, params)
		if err != nil {
			return translate(err)
		}
		if page.JSON200 == nil || page.JSON200.Items == nil {
			return errAnswer(page.StatusCode())
		}
		for _, item := range *page.JSON200.Items {
			if err := visit(domain.ClientID(value(item.ClientID))); err != nil {
				return err
			}
		}
		if page.JSON200.Unreadable != nil {
			unreadable = append(unreadable, *page.JSON200.Unreadable...)
		}
		if params.After = page.JSON200.Next; params.After != nil {
			continue
		}
		if len(unreadable) > 0 {
			return fmt.Errorf("%w: %q; the operator can find and repair it with clientele doctor", application.ErrUnreadable, unreadable)
		}
		return nil
	}
}

// Register implements [declare.Registry].
func (r *Registry) Register(
	ctx context.Context, id domain.ClientID, change domain.Change, dryRun bool,
) (secret string, warnings domain.Findings, err error) {
	var body jsonobject.Writer
	body.Object("", func() {
		body.TextUnlessEmpty("client_id", string(id))
		contract.WriteChange(&body, change)
	})
	made, err := r.client.CreateClientWithBodyWithResponse(ctx, &client.CreateClientParams{DryRun: &dryRun}, jsonType, bytes.NewReader(body))
	if err != nil {
		return "", nil, translate(err)
	}
	answer := made.JSON201
	if dryRun {
		answer = made.JSON200
	}
	if answer == nil || answer.Data == nil {
		return "", nil, errAnswer(made.StatusCode())
	}
	return value(answer.Data.ClientSecret), findingsOf(answer.Warnings, domain.Warning), nil
}

// Revise implements [declare.Registry].
func (r *Registry) Revise(
	ctx context.Context, at declare.Registered, change domain.Change, dryRun bool,
) (warnings domain.Findings, err error) {
	var body jsonobject.Writer
	body.Object("", func() { contract.WriteChange(&body, change) })
	params := &client.UpdateClientParams{DryRun: &dryRun, IfMatch: new(etag(at))}
	revised, err := r.client.UpdateClientWithBodyWithResponse(ctx, string(at.ID), params, jsonType, bytes.NewReader(body))
	if err != nil {
		return nil, translate(err)
	}
	if revised.JSON200 == nil {
		return nil, errAnswer(revised.StatusCode())
	}
	return findingsOf(revised.JSON200.Warnings, domain.Warning), nil
}

// Delete implements [declare.Registry].
func (r *Registry) Delete(ctx context.Context, at declare.Registered) error {
	_, err := r.client.DeleteClientWithResponse(ctx, string(at.ID), &client.DeleteClientParams{IfMatch: new(etag(at))})
	return translate(err)
}

func etag(at declare.Registered) string {
	return strconv.Quote(strconv.FormatInt(int64(at.Revision), 10))
}

// revisionOf reads the revision that an answer is about.
func revisionOf(header http.Header) (domain.RevisionNumber, error) {
	text, err := strconv.Unquote(header.Get("ETag"))
	if err != nil {
		return 0, errors.New("the answer has no ETag; is this URL that of a registry?")
	}
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, errors.New("the answer's ETag is no revision; is this URL that of a registry?")
	}
	return domain.RevisionNumber(number), nil
}

// errAnswer is an answer that no registry gives.
func errAnswer(status int) error {
	return fmt.Errorf("the answer (%d) is not of the expected form; is this URL that of a registry?", status)
}

// refusal is what a registry said, for people, and the error that it means.
type refusal struct {
	said  string
	means error
}

// Error tells what the registry said.
func (r *refusal) Error() string { return r.said }

// Unwrap is the error that it means.
func (r *refusal) Unwrap() error { return r.means }

// translate makes the application's errors of refusals, as they were before the
// registry made statuses of them.
func translate(err error) error {
	var problem *client.ProblemError
	if !errors.As(err, &problem) {
		return err
	}
	r := &refusal{said: problem.Message}
	switch problem.Status {
	case http.StatusBadRequest:
		if len(problem.Violations) > 0 {
			return &application.InvalidError{Findings: findingsOf(&problem.Violations, domain.Violation)}
		}
		return err
	case http.StatusUnauthorized:
		r.means = application.ErrUnauthenticated
	case http.StatusForbidden:
		r.means = application.ErrForbidden
	case http.StatusNotFound:
		r.means = application.ErrNotFound
	case http.StatusConflict:
		r.means = application.ErrTaken
	case http.StatusPreconditionFailed:
		r.means = application.ErrPreconditionFailed
	case http.StatusTooManyRequests:
		r.means = application.ErrTooManyRequests
	case http.StatusServiceUnavailable:
		r.means = application.ErrUnavailable
	default:
		return err
	}
	return r
}

// findingsOf reads findings.
func findingsOf(list *[]client.Finding, level domain.Level) domain.Findings {
	if list == nil {
		return nil
	}
	var findings domain.Findings
	for _, f := range *list {
		findings = append(findings, domain.Finding{
			Rule: value(f.Rule), Level: level, Pointer: value(f.Field), Message: value(f.Message), Source: value(f.Source),
		})
	}
	return findings
}

// settingsIn reads the configuration of the client at a place in a response: the
// names of the objects that it is in.
func settingsIn(response []byte, path ...string) (domain.Settings, error) {
	for _, name := range path {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(response, &object); err != nil {
			return domain.Settings{}, fmt.Errorf("the response has no object at %s", strings.Join(path, "."))
		}
		response = object[name]
	}
	return contract.SettingsOf(response)
}

func value(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

var _ declare.Registry = (*Registry)(nil)
