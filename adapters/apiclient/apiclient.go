// Package apiclient implements [declare.Registry] for a remote registry, with the Go
// client of its API.
package apiclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// listLimit is the page size for listing all clients.
const listLimit = 100

const jsonType = "application/json"

// Registry is a remote registry.
type Registry struct {
	client *client.ClientWithResponses
}

// Connect returns the registry at the URL. It sends no request.
func Connect(url string, s client.Settings) (*Registry, error) {
	c, err := client.Connect(url, s)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return &Registry{c}, nil
}

// Find implements [declare.Registry].
func (r *Registry) Find(ctx context.Context, id domain.ClientID, keysMatter bool) (declare.Registered, error) {
	params := &client.GetClientParams{}
	if keysMatter {
		params.Include = new(client.GetClientParamsIncludeJwks)
	}
	found, err := r.client.GetClientWithResponse(ctx, string(id), params)
	if err != nil {
		return declare.Registered{}, translate(err)
	}
	if found.JSON200 == nil || found.JSON200.Data == nil {
		return declare.Registered{}, errUnexpectedResponse(found.StatusCode())
	}
	number, err := revisionOf(found.HTTPResponse.Header)
	if err != nil {
		return declare.Registered{}, err
	}
	settings, err := settingsIn(found.Body, "data")
	if err != nil {
		return declare.Registered{}, err
	}
	return declare.Registered{ID: id, Revision: number, Settings: settings, Warnings: findingsOf(found.JSON200.Warnings, domain.Warning)}, nil
}

// All implements [declare.Registry] with a snapshot: one request for all clients.
func (r *Registry) All(ctx context.Context, visit func(declare.Registered) error) (err error) {
	snapshot, err := r.client.Snapshot(ctx, nil)
	if err != nil {
		return translate(err)
	}
	defer func() { err = errors.Join(err, snapshot.Close()) }()
	for {
		line, err := snapshot.Next()
		if errors.Is(err, io.EOF) {
			return unreadableError(snapshot.Unreadable)
		}
		if err != nil {
			return err
		}
		var item struct {
			ClientID string                `json:"client_id"`
			Revision domain.RevisionNumber `json:"revision"`
		}
		if err := json.Unmarshal(line, &item); err != nil {
			return errors.New("a line of the snapshot is not a client")
		}
		settings, err := contract.SettingsOf(line)
		if err != nil {
			return fmt.Errorf("%s: %w", item.ClientID, err)
		}
		if err := visit(declare.Registered{ID: domain.ClientID(item.ClientID), Revision: item.Revision, Settings: settings}); err != nil {
			return err
		}
	}
}

// unreadableError names the clients that the registry cannot read; nil if there are none.
func unreadableError(ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %q; the operator can find and repair it with clientele doctor", application.ErrUnreadable, ids)
}

// Walk implements [declare.Registry].
func (r *Registry) Walk(ctx context.Context, visit func(domain.ClientID) error) error {
	params := &client.ListClientsParams{Limit: new(int32(listLimit))}
	var unreadable []string
	for {
		page, err := r.client.ListClientsWithResponse(ctx, params)
		if err != nil {
			return translate(err)
		}
		if page.JSON200 == nil || page.JSON200.Items == nil {
			return errUnexpectedResponse(page.StatusCode())
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
		return unreadableError(unreadable)
	}
}

// Register implements [declare.Registry].
func (r *Registry) Register(
	ctx context.Context, d declare.Declaration, dryRun bool,
) (secret string, warnings domain.Findings, err error) {
	var body jsonobject.Writer
	body.Object("", func() {
		body.TextUnlessEmpty("client_id", string(d.ID))
		body.TextUnlessEmpty("secret_hash", d.SecretHash)
		contract.WriteChange(&body, d.Change)
	})
	response, err := r.client.CreateClientWithBodyWithResponse(ctx, &client.CreateClientParams{DryRun: &dryRun}, jsonType, bytes.NewReader(body))
	if err != nil {
		return "", nil, translate(err)
	}
	created := response.JSON201
	if dryRun {
		created = response.JSON200
	}
	if created == nil || created.Data == nil {
		return "", nil, errUnexpectedResponse(response.StatusCode())
	}
	return value(created.Data.ClientSecret), findingsOf(created.Warnings, domain.Warning), nil
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
		return nil, errUnexpectedResponse(revised.StatusCode())
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

// revisionOf returns the revision in the ETag of a response.
func revisionOf(header http.Header) (domain.RevisionNumber, error) {
	text, err := strconv.Unquote(header.Get("ETag"))
	if err != nil {
		return 0, errors.New("the response has no ETag; is this the URL of a registry?")
	}
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, errors.New("the ETag of the response is not a revision; is this the URL of a registry?")
	}
	return domain.RevisionNumber(number), nil
}

// errUnexpectedResponse reports a response that a registry never sends.
func errUnexpectedResponse(status int) error {
	return fmt.Errorf("the response (%d) does not have the expected form; is this the URL of a registry?", status)
}

// rejection is an error response: its message and the corresponding error.
type rejection struct {
	message string
	err     error
}

// Error returns the message of the registry.
func (r *rejection) Error() string { return r.message }

// Unwrap returns the corresponding error.
func (r *rejection) Unwrap() error { return r.err }

// translate converts error responses to the errors of package application from which
// the registry created them.
func translate(err error) error {
	var problem *client.ProblemError
	if !errors.As(err, &problem) {
		return err
	}
	r := &rejection{message: problem.Message}
	switch problem.Status {
	case http.StatusBadRequest:
		if len(problem.Violations) > 0 {
			return &application.InvalidError{Findings: findingsOf(&problem.Violations, domain.Violation)}
		}
		return err
	case http.StatusUnauthorized:
		r.err = application.ErrUnauthenticated
	case http.StatusForbidden:
		r.err = application.ErrForbidden
	case http.StatusNotFound:
		r.err = application.ErrNotFound
	case http.StatusConflict:
		r.err = application.ErrTaken
	case http.StatusPreconditionFailed:
		r.err = application.ErrPreconditionFailed
	case http.StatusTooManyRequests:
		r.err = application.ErrTooManyRequests
	case http.StatusServiceUnavailable:
		r.err = application.ErrUnavailable
	default:
		return err
	}
	return r
}

// findingsOf converts the findings of a response.
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

// settingsIn reads the configuration of the client in a response. path lists the names
// of the objects that contain it.
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
