package keycloak

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/clientele-oauth/clientele/adapters/internal/adminapi"
	"github.com/clientele-oauth/clientele/adapters/internal/serverlimits"
	"github.com/clientele-oauth/clientele/application/push"
	"github.com/clientele-oauth/clientele/domain"
)

// Limits of List.
const (
	pageSize = 50 // clients that are read at a time
	maxPages = 100_000
)

// concurrency is how many calls at a time Keycloak serves well.
const concurrency = 4

// Target is a realm of Keycloak. It implements [push.Target] and [push.Preparer].
type Target struct {
	server *server
	cache  scopeCache
}

// New returns the target. It sends no request.
func New(config Config) (*Target, error) {
	server, err := newServer(config)
	if err != nil {
		return nil, err
	}
	return &Target{server: server}, nil
}

// Name returns "keycloak".
func (t *Target) Name() string { return "keycloak" }

// Traits describes the realm.
func (t *Target) Traits() push.Traits {
	return push.Traits{VerifiesSecrets: t.server.config.Authenticator, Concurrency: concurrency}
}

// Check returns what Keycloak does not take: the limits in package serverlimits, and what
// the authenticator cannot do.
func (t *Target) Check(want push.Client) domain.Findings {
	s := want.Settings()
	findings := serverlimits.Check(serverlimits.Keycloak, s)
	if t.server.config.Authenticator && method(&s) == domain.AuthSecretJWT {
		findings = append(findings, domain.Finding{
			Rule: "keycloak-secret-jwt", Level: domain.Violation, Pointer: "/" + domain.FieldAuthMethods.String(), KeyIndex: domain.NoKey,
			Message: "the authenticator " + authenticatorID + " verifies secrets that are sent, not what is signed with them; use private_key_jwt",
			Source:  "adapters/integrations/keycloak",
		})
	}
	return findings
}

// List returns all clients of the realm.
func (t *Target) List(ctx context.Context) iter.Seq2[push.Held, error] {
	return func(yield func(push.Held, error) bool) {
		seen := map[string]bool{} // a client that is created while they are listed moves others to the next page
		for first := 0; first < maxPages*pageSize; first += pageSize {
			var page []*document
			query := url.Values{"first": {strconv.Itoa(first)}, "max": {strconv.Itoa(pageSize)}}
			if err := t.server.call(ctx, http.MethodGet, "/clients?"+query.Encode(), nil, &page); err != nil {
				yield(push.Held{}, err)
				return
			}
			before := len(seen)
			for _, d := range page {
				if d == nil || seen[d.id] {
					continue
				}
				seen[d.id] = true
				if !yield(d.held(), nil) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
			if len(seen) == before { // the server does not page
				break
			}
		}
		yield(push.Held{}, errors.New("keycloak: the list of clients has no end"))
	}
}

// Find returns the client with the identifier.
func (t *Target) Find(ctx context.Context, id domain.ClientID) (push.Held, error) {
	var found []*document
	query := url.Values{"clientId": {string(id)}}
	if err := t.server.call(ctx, http.MethodGet, "/clients?"+query.Encode(), nil, &found); err != nil {
		return push.Held{}, err
	}
	for _, d := range found {
		if d != nil && d.clientID == string(id) {
			return d.held(), nil
		}
	}
	return push.Held{}, push.ErrNotHeld
}

// Differences compares settings and client scopes.
func (t *Target) Differences(ctx context.Context, want push.Client, held push.Held) ([]push.Difference, error) {
	d, err := native(held)
	if err != nil {
		return nil, err
	}
	list := d.differences(&want, t.server.config.Authenticator)
	s := want.Settings()
	if wanted := wantedScopes(&s); wanted != nil {
		realm, err := t.server.scopes(ctx, &t.cache, append(wanted, d.defaults...))
		if err != nil {
			return nil, err
		}
		list = append(list, realm.scopeDifference(wanted, d)...)
	}
	return list, nil
}

// Put creates or replaces a client.
func (t *Target) Put(ctx context.Context, want push.Client, held *push.Held) error {
	s := want.Settings()
	wanted := wantedScopes(&s)
	var realm realmScopes
	if wanted != nil {
		var err error
		if realm, err = t.server.scopes(ctx, &t.cache, wanted); err != nil {
			return err
		}
		if err := realm.refuseUnknown(wanted); err != nil {
			return err
		}
	}
	body := representation(&want, t.server.config.Authenticator)
	if held == nil {
		if wanted != nil {
			body["defaultClientScopes"], body["optionalClientScopes"] = realm.created(wanted)
		}
		err := t.server.call(ctx, http.MethodPost, "/clients", body, nil)
		if statusOf(err) == http.StatusConflict {
			return push.ErrExists
		}
		return t.refusal(ctx, err)
	}
	d, err := native(*held)
	if err != nil {
		return err
	}
	if err := t.replace(ctx, d, body); err != nil {
		return err
	}
	if wanted == nil {
		return nil
	}
	return t.link(ctx, d, realm.links(wanted, d.defaults, d.optional))
}

// replace writes members of a client. Keycloak merges them with those that it has.
func (t *Target) replace(ctx context.Context, d *document, body map[string]any) error {
	// If this is left out, Keycloak deletes the authorization settings of the client. A
	// public client has none.
	if body["publicClient"] != true {
		body["authorizationServicesEnabled"] = d.authorization && body["serviceAccountsEnabled"] != false
	}
	err := t.server.call(ctx, http.MethodPut, "/clients/"+url.PathEscape(d.id), body, nil)
	if statusOf(err) == http.StatusNotFound {
		return push.ErrNotHeld
	}
	return t.refusal(ctx, err)
}

// link links and unlinks client scopes. PUT of a client ignores them.
func (t *Target) link(ctx context.Context, d *document, links []link) error {
	for _, l := range links {
		method := http.MethodPut
		if l.remove {
			method = http.MethodDelete
		}
		err := t.server.call(ctx, method, l.path(d.id), nil, nil)
		if err != nil && statusOf(err) != http.StatusNotFound { // the next reconciliation finds what is left
			return err
		}
	}
	return nil
}

// refusal returns a refusal if an error is about the client and not about the server.
// Keycloak responds with 500 to values that are too long for its database. So a 500 is about the
// client if the server works otherwise.
func (t *Target) refusal(ctx context.Context, err error) error {
	failed, ok := errors.AsType[*statusError](err)
	if !ok {
		return err
	}
	refused := adminapi.IsRefusal(failed.status)
	if failed.status == http.StatusInternalServerError {
		var page []*document
		refused = t.server.call(ctx, http.MethodGet, "/clients?first=0&max=1", nil, &page) == nil
	}
	if !refused {
		return err
	}
	return push.Refused(fmt.Sprintf("status %d: %s", failed.status, failed.said))
}

// Disable disables a client.
func (t *Target) Disable(ctx context.Context, held push.Held, mark push.Mark) error {
	d, err := native(held)
	if err != nil {
		return err
	}
	return t.replace(ctx, d, map[string]any{
		"enabled": false, "attributes": marked(mark),
		"webOrigins": d.origins, // if there are none, Keycloak derives some from the redirect URIs unless they are stated
	})
}

// Delete deletes a client, its service account and its sessions.
func (t *Target) Delete(ctx context.Context, held push.Held) error {
	d, err := native(held)
	if err != nil {
		return err
	}
	err = t.server.call(ctx, http.MethodDelete, "/clients/"+url.PathEscape(d.id), nil, nil)
	if statusOf(err) == http.StatusNotFound {
		return nil
	}
	return err
}

// native returns the document of a client that List or Find returned.
func native(held push.Held) (*document, error) {
	d, ok := held.Native.(*document)
	if !ok || d.id == "" {
		return nil, fmt.Errorf("client %q was not read from Keycloak", held.ClientID)
	}
	return d, nil
}
