// Package hydra pushes clients to Ory Hydra, by its admin API. It was written for and
// measured with Hydra 2.3.0.
//
// Hydra has no flag for a client that is not to be served. Such a client has a grant type
// and a response type that no request can use, and no redirect URIs; it keeps its secret and
// the tokens of its users. Hydra stores the value of one secret, hashed: it takes no hash,
// and returns neither.
package hydra

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/adminapi"
	"github.com/clientele-oauth/clientele/adapters/internal/serverlimits"
	"github.com/clientele-oauth/clientele/application/push"
	"github.com/clientele-oauth/clientele/domain"
)

// Limits of requests and responses.
const (
	pageSize       = 250
	maxPages       = 100_000
	maxClientBytes = 1 << 20
	maxPageBytes   = 64 << 20
	pushedAtOnce   = 8
	maxIdle        = 2 * pushedAtOnce
	jsonType       = "application/json"
	clientsPath    = "admin/clients"
)

// Config is where the admin API is, and how to use it.
type Config struct {
	// URL is the base of the admin API, e.g. http://127.0.0.1:4445.
	URL string
	// Authorize returns the value of the header Authorization, which is read again for
	// each request; nil or an empty value means none.
	Authorize func() (string, error)
	// Timeout limits each request; 0 means [adminapi.DefaultTimeout].
	Timeout time.Duration
}

// Target implements [push.Target] for Hydra.
type Target struct {
	base      *url.URL
	client    *http.Client
	authorize func() (string, error)
}

// New returns the target. It sends no request.
func New(c Config) (*Target, error) {
	base, err := url.Parse(c.URL)
	if err != nil || base.Host == "" {
		return nil, errors.New("the URL of Hydra's admin API must be absolute")
	}
	if c.Authorize == nil {
		c.Authorize = func() (string, error) { return "", nil }
	}
	return &Target{base: base, authorize: c.Authorize, client: adminapi.NewClient(c.Timeout, maxIdle)}, nil
}

// Name implements [push.Target].
func (*Target) Name() string { return string(serverlimits.Hydra) }

// Traits implements [push.Target].
func (*Target) Traits() push.Traits { return push.Traits{Concurrency: pushedAtOnce} }

// Check implements [push.Target].
func (*Target) Check(want push.Client) domain.Findings {
	return serverlimits.CheckClient(serverlimits.Hydra, want.Identity().ClientID, want.Settings())
}

// List implements [push.Target].
func (t *Target) List(ctx context.Context) iter.Seq2[push.Held, error] {
	return func(yield func(push.Held, error) bool) {
		query := url.Values{"page_size": {strconv.Itoa(pageSize)}}
		for range maxPages {
			at := t.base.JoinPath(clientsPath)
			at.RawQuery = query.Encode()
			body, header, err := t.do(ctx, http.MethodGet, at, nil, maxPageBytes)
			var page []document
			if err == nil {
				err = json.Unmarshal(body, &page)
			}
			if err != nil {
				yield(push.Held{}, err)
				return
			}
			for _, d := range page {
				if !yield(d.held(), nil) {
					return
				}
			}
			next := nextToken(header)
			// Hydra names a next page also after an empty one.
			if next == "" || len(page) == 0 || next == query.Get("page_token") {
				return
			}
			query.Set("page_token", next)
		}
		yield(push.Held{}, errors.New("the list of clients has no end"))
	}
}

// nextToken returns the token of the next page from a header Link (RFC 8288); empty if
// there is none.
func nextToken(header http.Header) string {
	for _, links := range header.Values("Link") {
		for link := range strings.SplitSeq(links, ",") {
			target, parameters, _ := strings.Cut(link, ";")
			if !strings.Contains(strings.ReplaceAll(parameters, `"`, ""), "rel=next") {
				continue
			}
			if u, err := url.Parse(strings.Trim(strings.TrimSpace(target), "<>")); err == nil {
				return u.Query().Get("page_token")
			}
		}
	}
	return ""
}

// Find implements [push.Target].
func (t *Target) Find(ctx context.Context, id domain.ClientID) (push.Held, error) {
	body, _, err := t.do(ctx, http.MethodGet, t.at(id), nil, maxClientBytes)
	if err != nil {
		return push.Held{}, notHeldIf404(err)
	}
	var d document
	if err := json.Unmarshal(body, &d); err != nil {
		return push.Held{}, fmt.Errorf("the response is no client: %w", err)
	}
	held := d.held()
	if held.ClientID != id {
		return push.Held{}, fmt.Errorf("the server responds with another client than %q", id)
	}
	return held, nil
}

// at returns the URL of a client.
func (t *Target) at(id domain.ClientID) *url.URL {
	return t.base.JoinPath(clientsPath, url.PathEscape(string(id)))
}

// Differences implements [push.Target].
func (*Target) Differences(_ context.Context, want push.Client, held push.Held) ([]push.Difference, error) {
	have, ok := held.Native.(document)
	if !ok {
		return nil, errors.New("the client was not listed for a comparison")
	}
	var differences []push.Difference
	if want.Enabled() != held.Enabled {
		differences = append(differences, push.Difference{
			Attribute: "enabled", Held: strconv.FormatBool(held.Enabled), Want: strconv.FormatBool(want.Enabled()),
		})
	}
	wanted, err := documentOf(want, want.Enabled())
	if err != nil {
		return nil, err
	}
	for _, name := range managed() {
		if name == scopeMember && len(want.Settings().Scopes) == 0 && have.mark().DefaultScope {
			continue // the server's default, which only it knows
		}
		if want.Enabled() != held.Enabled && slices.Contains(disabledMembers(), name) {
			continue // they are how it is disabled
		}
		if a, b := canonical(name, have[name]), canonical(name, wanted[name]); a != b {
			differences = append(differences, push.Difference{Attribute: name, Held: push.Words(a), Want: push.Words(b)})
		}
	}
	return differences, nil
}

// Put implements [push.Target].
func (t *Target) Put(ctx context.Context, want push.Client, held *push.Held) error {
	d, err := documentOf(want, want.Enabled())
	if err != nil {
		return err
	}
	method, at := http.MethodPost, t.base.JoinPath(clientsPath)
	if held == nil {
		d["client_id"] = quoted(string(want.Identity().ClientID))
	} else {
		have, ok := held.Native.(document)
		if !ok {
			return errors.New("the client was not listed for a change")
		}
		d = have.with(d)
		method, at = http.MethodPut, t.at(held.ClientID)
	}
	if err := d.setMark(want.Mark, len(want.Settings().Scopes) == 0); err != nil {
		return err
	}
	return t.send(ctx, method, at, d, want.Secret)
}

// Disable implements [push.Target].
func (t *Target) Disable(ctx context.Context, held push.Held, mark push.Mark) error {
	have, ok := held.Native.(document)
	if !ok {
		return errors.New("the client was not listed for a change")
	}
	d := have.with(nil)
	d.disable()
	if err := d.setMark(mark, have.mark().DefaultScope); err != nil {
		return err
	}
	return t.send(ctx, http.MethodPut, t.at(held.ClientID), d, "")
}

// Delete implements [push.Target].
func (t *Target) Delete(ctx context.Context, held push.Held) error {
	_, _, err := t.do(ctx, http.MethodDelete, t.at(held.ClientID), nil, maxClientBytes)
	if errors.Is(notHeldIf404(err), push.ErrNotHeld) {
		return nil
	}
	return err
}

// send sends the document of a client, with the value of its secret if there is one.
func (t *Target) send(ctx context.Context, method string, at *url.URL, d document, secret string) error {
	if secret != "" {
		d["client_secret"] = quoted(secret)
	}
	body, err := json.Marshal(d)
	if err != nil {
		return err
	}
	stored, _, err := t.do(ctx, method, at, body, maxClientBytes)
	status, ok := errors.AsType[*statusError](err)
	switch {
	case err == nil: // a page of a proxy would be a success as well
		return isClient(stored)
	case !ok:
		return err
	case status.code == http.StatusNotFound && method == http.MethodPut:
		return push.ErrNotHeld
	case status.code == http.StatusConflict && method == http.MethodPost:
		return push.ErrExists
	case adminapi.IsRefusal(status.code):
		return push.Refused(withoutSecret(status.said, secret))
	default:
		status.said = withoutSecret(status.said, secret)
		return status
	}
}

// isClient returns an error if the response is no client.
func isClient(body []byte) error {
	var d document
	if json.Unmarshal(body, &d) != nil || d["client_id"] == nil {
		return errors.New("the response is no client")
	}
	return nil
}

// withoutSecret removes a secret that the server repeats.
func withoutSecret(said, secret string) string {
	if secret == "" {
		return said
	}
	return strings.ReplaceAll(said, secret, "…")
}

// statusError is a response that is not a success.
type statusError struct {
	code int
	said string
}

// Error implements the error interface.
func (e *statusError) Error() string {
	return push.Words(fmt.Sprintf("the server responds with %d %s: %s", e.code, http.StatusText(e.code), e.said))
}

// notHeldIf404 returns [push.ErrNotHeld] for a response that says that there is no client.
func notHeldIf404(err error) error {
	if status, ok := errors.AsType[*statusError](err); ok && status.code == http.StatusNotFound {
		return push.ErrNotHeld
	}
	return err
}

// do sends a request, and returns the body of a successful response.
func (t *Target) do(ctx context.Context, method string, at *url.URL, body []byte, maxBytes int64) ([]byte, http.Header, error) {
	request, err := http.NewRequestWithContext(ctx, method, at.String(), bytes.NewReader(body))
	if err != nil {
		return nil, nil, errors.New("the request cannot be made")
	}
	request.Header.Set("Accept", jsonType)
	if body != nil {
		request.Header.Set("Content-Type", jsonType)
	}
	credentials, err := t.authorize()
	if err != nil {
		return nil, nil, err
	}
	if credentials != "" {
		request.Header.Set("Authorization", credentials)
	}
	response, err := t.client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	read, err := adminapi.Read(response.Body, maxBytes)
	switch {
	case err != nil:
		return nil, nil, err
	case response.StatusCode >= http.StatusMultipleChoices:
		return nil, nil, &statusError{code: response.StatusCode, said: said(read)}
	default:
		return read, response.Header, nil
	}
}

// said returns what the server says about an error.
func said(body []byte) string {
	var answer struct {
		Error       any    `json:"error"`
		Description string `json:"error_description"`
		Debug       string `json:"error_debug"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return string(body)
	}
	var parts []string
	switch e := answer.Error.(type) {
	case string:
		parts = append(parts, e)
	case map[string]any: // of Ory's own library
		for _, name := range []string{"message", "reason"} {
			if text, ok := e[name].(string); ok {
				parts = append(parts, text)
			}
		}
	}
	// Hydra puts a paragraph about the error in general before what is wrong.
	const general = "The value of one of the Client Metadata fields is invalid and the server has rejected this request. Note that an Authorization Server MAY choose to substitute a valid value for any requested parameter of a Client's Metadata."
	parts = append(parts, strings.TrimSpace(strings.TrimPrefix(answer.Description, general)), answer.Debug)
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), ": ")
}

var _ push.Target = (*Target)(nil)
