package keycloak

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clientele-oauth/clientele/application/push"
	"github.com/clientele-oauth/clientele/domain"
)

// scopesAge is how long the client scopes of a realm are used without reading them again;
// minScopesAge is the minimum time between two reads for a scope that is not found.
const (
	scopesAge    = 30 * time.Second
	minScopesAge = time.Second
)

// openID is no client scope in Keycloak; every client may request it.
const openID domain.Scope = "openid"

// realmScopes are the client scopes of a realm by name, as far as they are for OpenID
// Connect.
type realmScopes struct {
	ids map[string]string
	// hidden are those that no scope parameter and no token names. They carry claims
	// such as sub, so they are the realm's and never removed from a client.
	hidden map[string]bool
	// defaults and optional are those that the realm gives to a new client.
	defaults, optional []string
}

// scopeCache keeps the client scopes of a realm for a while.
type scopeCache struct {
	mu   sync.Mutex
	read time.Time
	last realmScopes
}

// scopes returns the client scopes of the realm. It reads them again if they are old, or if
// one of the names is not among them.
func (s *server) scopes(ctx context.Context, cache *scopeCache, names []string) (realmScopes, error) {
	cache.mu.Lock()
	defer cache.mu.Unlock()
	age := time.Since(cache.read)
	isMissing := func(name string) bool { return cache.last.ids[name] == "" }
	if age < minScopesAge || age < scopesAge && !slices.ContainsFunc(names, isMissing) {
		return cache.last, nil
	}
	var all, defaults, optional []struct {
		ID         string            `json:"id"`
		Name       string            `json:"name"`
		Protocol   string            `json:"protocol"`
		Attributes map[string]string `json:"attributes"`
	}
	if err := s.call(ctx, http.MethodGet, "/client-scopes", nil, &all); err != nil {
		return realmScopes{}, err
	}
	if err := s.call(ctx, http.MethodGet, "/default-default-client-scopes", nil, &defaults); err != nil {
		return realmScopes{}, err
	}
	if err := s.call(ctx, http.MethodGet, "/default-optional-client-scopes", nil, &optional); err != nil {
		return realmScopes{}, err
	}
	found := realmScopes{ids: map[string]string{}, hidden: map[string]bool{}}
	for _, scope := range all {
		if scope.Protocol == "openid-connect" {
			found.ids[scope.Name] = scope.ID
			found.hidden[scope.Name] = scope.Attributes["include.in.token.scope"] == "false"
		}
	}
	for _, scope := range defaults {
		if found.ids[scope.Name] != "" {
			found.defaults = append(found.defaults, scope.Name)
		}
	}
	for _, scope := range optional {
		if found.ids[scope.Name] != "" {
			found.optional = append(found.optional, scope.Name)
		}
	}
	cache.last, cache.read = found, time.Now()
	return found, nil
}

// wantedScopes returns the client scopes that a client is to have; nil leaves them to the
// server.
func wantedScopes(s *domain.Settings) []string {
	if len(s.Scopes) == 0 {
		return nil
	}
	names := []string{}
	for _, scope := range s.Scopes {
		if scope != openID {
			names = append(names, string(scope))
		}
	}
	return names
}

// link is a client scope that is to be linked to a client, or unlinked.
type link struct {
	name, id string
	optional bool
	remove   bool
}

// path returns the path of the link below the client.
func (l link) path(client string) string {
	kind := "default-client-scopes"
	if l.optional {
		kind = "optional-client-scopes"
	}
	return "/clients/" + url.PathEscape(client) + "/" + kind + "/" + url.PathEscape(l.id)
}

// links returns what has to be changed so that a client has the scopes that it wants. A
// scope that it lacks becomes optional: it is in a token only if the request names it.
func (r *realmScopes) links(wanted, defaults, optional []string) []link {
	var list []link
	for _, name := range wanted {
		if !slices.Contains(defaults, name) && !slices.Contains(optional, name) {
			list = append(list, link{name: name, id: r.ids[name], optional: true})
		}
	}
	for i, linked := range [][]string{defaults, optional} {
		for _, name := range linked {
			if r.ids[name] != "" && !r.hidden[name] && !slices.Contains(wanted, name) {
				list = append(list, link{name: name, id: r.ids[name], optional: i == 1, remove: true})
			}
		}
	}
	return list
}

// refuseUnknown returns an error if the realm lacks one of the scopes. Keycloak itself
// ignores such a name without a word.
func (r *realmScopes) refuseUnknown(wanted []string) error {
	var unknown []string
	for _, name := range wanted {
		if r.ids[name] == "" {
			unknown = append(unknown, fmt.Sprintf("%q", name))
		}
	}
	if unknown == nil {
		return nil
	}
	return push.Refused("the realm has no client scope " + strings.Join(unknown, ", "))
}

// created returns the scopes of a new client: of those that the realm gives to it the
// wanted and the hidden ones, and the others optional.
func (r *realmScopes) created(wanted []string) (defaults, optional []string) {
	defaults, optional = []string{}, []string{}
	for _, name := range r.defaults {
		if r.hidden[name] || slices.Contains(wanted, name) {
			defaults = append(defaults, name)
		}
	}
	for _, name := range r.optional {
		if r.hidden[name] && !slices.Contains(wanted, name) {
			optional = append(optional, name)
		}
	}
	for _, name := range wanted {
		if !slices.Contains(defaults, name) {
			optional = append(optional, name)
		}
	}
	return defaults, optional
}

// scopeDifference compares the scopes of a client with those that it wants.
func (r *realmScopes) scopeDifference(wanted []string, d *document) []push.Difference {
	if wanted == nil || len(r.links(wanted, d.defaults, d.optional)) == 0 {
		return nil
	}
	var held []string
	for _, name := range slices.Concat(d.defaults, d.optional) {
		if !r.hidden[name] || slices.Contains(wanted, name) {
			held = append(held, name)
		}
	}
	return []push.Difference{{Attribute: "clientScopes", Held: push.Words(canonical(held)), Want: push.Words(canonical(wanted))}}
}
