// Package keycloaktest is a small stand-in for Keycloak: its Admin REST API for clients and
// flows, and the token endpoint with client_credentials. It behaves as Keycloak 26.7.3 was
// seen to: how it merges, what it ignores, and to what it responds with 500. Tests use it,
// because the real one takes a minute to start; the suite runs against both.
package keycloaktest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// The service account that the stand-in knows; its secret has to be encoded in a header.
const (
	ClientID = "sync"
	Secret   = "sync secret/"
)

// Server is a stand-in for Keycloak with the realm "test". Its methods are safe for
// concurrent use.
type Server struct {
	*httptest.Server

	mu       sync.Mutex
	clients  map[string]map[string]any // by id
	order    []string
	next     int
	token    string
	tokens   int
	expires  int
	fails    bool
	flow     string // that is bound
	executed map[string][]map[string]any
	provided []string
	writes   int
}

const realmPath = "/admin/realms/test"

// Start starts a stand-in without clients.
func Start() *Server {
	s := &Server{
		clients: map[string]map[string]any{}, token: "token-0", expires: 60,
		flow: "clients", executed: map[string][]map[string]any{"clients": {{"id": "e0", "providerId": "client-secret", "requirement": "ALTERNATIVE"}}},
		provided: []string{"client-secret", "clientele-secret"},
	}
	routes := http.NewServeMux()
	routes.HandleFunc("POST /realms/test/protocol/openid-connect/token", s.issue)
	admin := map[string]func(w http.ResponseWriter, r *http.Request){
		"GET /clients":         s.list,
		"POST /clients":        s.create,
		"GET /clients/{id}":    s.read,
		"PUT /clients/{id}":    s.update,
		"DELETE /clients/{id}": s.remove,
		"PUT /clients/{id}/optional-client-scopes/{scope}":    s.linkScope,
		"DELETE /clients/{id}/optional-client-scopes/{scope}": s.linkScope,
		"DELETE /clients/{id}/default-client-scopes/{scope}":  s.linkScope,
		"GET /client-scopes": func(w http.ResponseWriter, _ *http.Request) { respond(w, 200, scopesOf("", "")) },
		"GET /default-default-client-scopes": func(w http.ResponseWriter, _ *http.Request) {
			respond(w, 200, scopesOf("default", ""))
		},
		"GET /default-optional-client-scopes": func(w http.ResponseWriter, _ *http.Request) {
			respond(w, 200, scopesOf("optional", ""))
		},
		"GET /authentication/client-authenticator-providers": s.providers,
		"GET /authentication/flows": func(w http.ResponseWriter, _ *http.Request) {
			list := []map[string]any{}
			for alias := range s.executed {
				list = append(list, map[string]any{"alias": alias, "builtIn": alias == "clients"})
			}
			respond(w, 200, list)
		},
		"POST /authentication/flows/{alias}/copy":                 s.copyFlow,
		"GET /authentication/flows/{alias}/executions":            s.listExecutions,
		"PUT /authentication/flows/{alias}/executions":            s.updateExecution,
		"POST /authentication/flows/{alias}/executions/execution": s.addExecution,
		"GET ": func(w http.ResponseWriter, _ *http.Request) {
			respond(w, 200, map[string]any{"realm": "test", "clientAuthenticationFlow": s.flow})
		},
		"PUT ": s.bind,
	}
	for pattern, handle := range admin {
		method, path, _ := strings.Cut(pattern, " ")
		routes.HandleFunc(method+" "+realmPath+path, s.guarded(handle))
	}
	s.Server = httptest.NewServer(routes)
	return s
}

func respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if body != nil {
		_ = json.NewEncoder(w).Encode(body)
	}
}

// guarded checks the access token, and keeps calls apart.
func (s *Server) guarded(handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		switch {
		case s.fails:
			respond(w, http.StatusServiceUnavailable, nil)
		case r.Header.Get("Authorization") != "Bearer "+s.token:
			respond(w, http.StatusUnauthorized, map[string]string{"error": "HTTP 401 Unauthorized"})
		default:
			if r.Method != http.MethodGet {
				s.writes++
			}
			handle(w, r)
		}
	}
}

// issue issues a token to the service account, and to clients of the realm.
func (s *Server) issue(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, secret, _ := r.BasicAuth()
	switch {
	case s.fails:
		respond(w, http.StatusServiceUnavailable, nil)
		return
	case id == url.QueryEscape(ClientID) && secret == url.QueryEscape(Secret):
		s.tokens++
		s.token = fmt.Sprintf("token-%d", s.tokens)
		respond(w, 200, map[string]any{"access_token": s.token, "expires_in": s.expires})
		return
	}
	for _, client := range s.clients {
		if client["clientId"] == id && client["enabled"] == true && client["secret"] == secret && client["serviceAccountsEnabled"] == true {
			respond(w, 200, map[string]any{"access_token": "x"})
			return
		}
	}
	respond(w, 401, map[string]string{"error": "invalid_client", "error_description": "Invalid client or Invalid client credentials"})
}

// scopesOf returns the client scopes of the realm that it gives to new clients in this way;
// all for "".
func scopesOf(kind, name string) []map[string]any {
	list := []map[string]any{}
	for _, scope := range []struct{ name, kind, inToken string }{
		{"basic", "default", "false"},
		{"profile", "default", "true"},
		{"email", "default", ""},
		{"phone", "optional", "true"},
		{"payments", "none", "true"},
	} {
		if (kind == "" || kind == scope.kind) && (name == "" || name == scope.name) {
			attributes := map[string]string{}
			if scope.inToken != "" {
				attributes["include.in.token.scope"] = scope.inToken
			}
			list = append(list, map[string]any{"id": "scope-" + scope.name, "name": scope.name, "protocol": "openid-connect", "attributes": attributes})
		}
	}
	if kind != "optional" && name == "" {
		list = append(list, map[string]any{"id": "scope-role_list", "name": "role_list", "protocol": "saml"})
	}
	return list
}

func namesOf(kind string) []any {
	list := []any{}
	for _, scope := range scopesOf(kind, "") {
		if scope["protocol"] == "openid-connect" {
			list = append(list, scope["name"])
		}
	}
	return list
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	list := []any{}
	first, _ := strconv.Atoi(r.URL.Query().Get("first"))
	limit, _ := strconv.Atoi(r.URL.Query().Get("max"))
	id := r.URL.Query().Get("clientId")
	slices.SortFunc(s.order, func(a, b string) int { // as Keycloak does
		return strings.Compare(s.clients[a]["clientId"].(string), s.clients[b]["clientId"].(string))
	})
	for i, key := range s.order {
		if id != "" && s.clients[key]["clientId"] == id || id == "" && i >= first && i < first+limit {
			list = append(list, s.clients[key])
		}
	}
	respond(w, 200, list)
}

func (s *Server) read(w http.ResponseWriter, r *http.Request) {
	respond(w, 200, s.clients[r.PathValue("id")])
}

func body(r *http.Request) map[string]any {
	var members map[string]any
	_ = json.NewDecoder(r.Body).Decode(&members)
	return members
}

// fault responds to requests that the server does not take.
func fault(w http.ResponseWriter, members map[string]any) bool {
	values := []any{members["name"], members["description"], members["baseUrl"]}
	uris, _ := members["redirectUris"].([]any)
	for _, value := range slices.Concat(values, uris) {
		text, _ := value.(string)
		if strings.HasPrefix(text, "javascript:") {
			respond(w, 400, map[string]string{"error": "invalid_input", "error_description": "A redirect URI uses an illegal scheme"})
			return true
		}
		if utf8.RuneCountInString(text) > 255 {
			respond(w, 500, map[string]string{"error": "unknown_error", "error_description": "For more on this error consult the server log."})
			return true
		}
	}
	return false
}

func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	members := body(r)
	for _, client := range s.clients {
		if client["clientId"] == members["clientId"] {
			respond(w, 409, map[string]string{"errorMessage": fmt.Sprintf("Client %s already exists", members["clientId"])})
			return
		}
	}
	if fault(w, members) {
		return
	}
	s.next++
	id := fmt.Sprintf("id-%d", s.next)
	client := map[string]any{
		"id": id, "enabled": true, "protocol": "openid-connect", "clientAuthenticatorType": "client-secret", "redirectUris": []any{}, "webOrigins": []any{},
		"standardFlowEnabled": true, "publicClient": false, "attributes": map[string]any{"realm_client": "false"},
		"defaultClientScopes": namesOf("default"), "optionalClientScopes": namesOf("optional"),
	}
	if members["defaultClientScopes"] != nil || members["optionalClientScopes"] != nil {
		for _, name := range []string{"defaultClientScopes", "optionalClientScopes"} {
			known := []any{}
			list, _ := members[name].([]any)
			for _, scope := range list { // unknown names are ignored
				if len(scopesOf("", scope.(string))) == 1 {
					known = append(known, scope)
				}
			}
			client[name] = known
		}
	}
	delete(members, "defaultClientScopes")
	delete(members, "optionalClientScopes")
	s.clients[id], s.order = client, append(s.order, id)
	merge(client, members)
	respond(w, 201, nil)
}

// merge replaces members; an attribute with an empty value is removed.
func merge(client, members map[string]any) {
	attributes := client["attributes"].(map[string]any)
	for name, value := range members {
		switch changes, isMap := value.(map[string]any); {
		case name == "attributes" && isMap:
			for attribute, text := range changes {
				if text == "" {
					delete(attributes, attribute)
				} else {
					attributes[attribute] = text
				}
			}
		case name != "defaultClientScopes" && name != "optionalClientScopes":
			client[name] = value
		}
	}
	origins, _ := members["webOrigins"].([]any)
	held, _ := client["webOrigins"].([]any)
	if members["webOrigins"] == nil && len(origins)+len(held) == 0 { // derived unless they are stated
		client["webOrigins"] = []any{}
		uris, _ := client["redirectUris"].([]any)
		for _, uri := range uris {
			client["webOrigins"] = append(client["webOrigins"].([]any), strings.Join(strings.Split(uri.(string), "/")[:3], "/"))
		}
	}
	if client["publicClient"] == true {
		delete(client, "secret")
	} else if client["secret"] == nil {
		client["secret"] = "generated"
	}
	if members["authorizationServicesEnabled"] == nil {
		delete(client, "authorizationServicesEnabled")
		delete(client, "authorizationSettings")
	}
}

// held returns the client of the path, or responds with 404.
func (s *Server) held(w http.ResponseWriter, r *http.Request) map[string]any {
	client := s.clients[r.PathValue("id")]
	if client == nil {
		respond(w, 404, map[string]string{"error": "Could not find client"})
	}
	return client
}

func (s *Server) update(w http.ResponseWriter, r *http.Request) {
	members := body(r)
	if client := s.held(w, r); client != nil && !fault(w, members) {
		merge(client, members)
		respond(w, 204, nil)
	}
}

func (s *Server) remove(w http.ResponseWriter, r *http.Request) {
	if s.held(w, r) != nil {
		delete(s.clients, r.PathValue("id"))
		s.order = slices.DeleteFunc(s.order, func(id string) bool { return id == r.PathValue("id") })
		respond(w, 204, nil)
	}
}

func (s *Server) linkScope(w http.ResponseWriter, r *http.Request) {
	client := s.held(w, r)
	if client == nil {
		return
	}
	kind := "optionalClientScopes"
	if strings.Contains(r.URL.Path, "/default-client-scopes/") {
		kind = "defaultClientScopes"
	}
	name := strings.TrimPrefix(r.PathValue("scope"), "scope-")
	list := slices.DeleteFunc(client[kind].([]any), func(held any) bool { return held == name })
	if r.Method == http.MethodPut {
		list = append(list, name)
	}
	client[kind] = list
	respond(w, 204, nil)
}

func (s *Server) providers(w http.ResponseWriter, _ *http.Request) {
	list := []map[string]any{}
	for _, id := range s.provided {
		list = append(list, map[string]any{"id": id})
	}
	respond(w, 200, list)
}

func (s *Server) copyFlow(w http.ResponseWriter, r *http.Request) {
	name := body(r)["newName"].(string)
	if s.executed[name] != nil {
		respond(w, 409, map[string]string{"errorMessage": "New flow alias name already exists"})
		return
	}
	for _, execution := range s.executed[r.PathValue("alias")] {
		s.executed[name] = append(s.executed[name], map[string]any{"id": execution["id"], "providerId": execution["providerId"], "requirement": execution["requirement"]})
	}
	respond(w, 201, nil)
}

func (s *Server) listExecutions(w http.ResponseWriter, r *http.Request) {
	respond(w, 200, s.executed[r.PathValue("alias")])
}

func (s *Server) addExecution(w http.ResponseWriter, r *http.Request) {
	alias := r.PathValue("alias")
	if alias == "clients" {
		respond(w, 400, map[string]string{"error": "It is illegal to add execution to a built in flow"})
		return
	}
	s.next++
	s.executed[alias] = append(s.executed[alias], map[string]any{"id": fmt.Sprintf("e%d", s.next), "providerId": body(r)["provider"], "requirement": "DISABLED"})
	respond(w, 201, nil)
}

func (s *Server) updateExecution(w http.ResponseWriter, r *http.Request) {
	change := body(r)
	for _, execution := range s.executed[r.PathValue("alias")] {
		if execution["id"] == change["id"] {
			execution["requirement"] = change["requirement"]
		}
	}
	respond(w, 202, nil)
}

func (s *Server) bind(w http.ResponseWriter, r *http.Request) {
	s.flow = body(r)["clientAuthenticationFlow"].(string)
	respond(w, 204, nil)
}

// Plant creates a client as an administrator does.
func (s *Server) Plant(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	key := fmt.Sprintf("id-%d", s.next)
	s.clients[key] = map[string]any{"id": key, "clientId": id, "enabled": true, "attributes": map[string]any{}}
	s.order = append(s.order, key)
}

// Client returns the members of a client; nil if there is none.
func (s *Server) Client(id string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, client := range s.clients {
		if client["clientId"] == id {
			return maps.Clone(client)
		}
	}
	return nil
}

// Change changes members of a client as an administrator does.
func (s *Server) Change(id string, change func(members, attributes map[string]any)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, client := range s.clients {
		if client["clientId"] == id {
			change(client, client["attributes"].(map[string]any))
		}
	}
}

// Fail makes the server respond to every request with 503 from now on.
func (s *Server) Fail() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails = true
}

// Revoke ends the access tokens that were issued, and has later ones end after so many
// seconds.
func (s *Server) Revoke(expires int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token, s.expires = "revoked", expires
}

// Tokens returns how many access tokens were issued to the service account.
func (s *Server) Tokens() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens
}

// Writes returns how many requests changed something, or tried to.
func (s *Server) Writes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

// Flow returns the client authentication flow of the realm.
func (s *Server) Flow() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flow
}

// SetFlow binds a client authentication flow. If there is none, it is made, without
// authenticators.
func (s *Server) SetFlow(alias string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flow = alias
	if s.executed[alias] == nil {
		s.executed[alias] = []map[string]any{}
	}
}

// Uninstall removes the client authenticator of the registry.
func (s *Server) Uninstall() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.provided = []string{"client-secret"}
}
