package keycloak_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/domain"
)

// standIn answers as Keycloak 26.7.3 does, as far as the target uses it: with its ways to
// merge, to ignore names of scopes, and to answer 500. The same suite runs against the
// real server, see real_test.go.
type standIn struct {
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
	requests []string // those that write
}

const realmPath = "/admin/realms/test"

func newStandIn(t *testing.T) *standIn {
	t.Helper()
	s := &standIn{
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
		"GET /client-scopes": func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, scopesOf("", "")) },
		"GET /default-default-client-scopes": func(w http.ResponseWriter, _ *http.Request) {
			answer(w, 200, scopesOf("default", ""))
		},
		"GET /default-optional-client-scopes": func(w http.ResponseWriter, _ *http.Request) {
			answer(w, 200, scopesOf("optional", ""))
		},
		"GET /authentication/client-authenticator-providers": s.providers,
		"GET /authentication/flows": func(w http.ResponseWriter, _ *http.Request) {
			list := []map[string]any{}
			for alias := range s.executed {
				list = append(list, map[string]any{"alias": alias, "builtIn": alias == "clients"})
			}
			answer(w, 200, list)
		},
		"POST /authentication/flows/{alias}/copy":                 s.copyFlow,
		"GET /authentication/flows/{alias}/executions":            s.listExecutions,
		"PUT /authentication/flows/{alias}/executions":            s.updateExecution,
		"POST /authentication/flows/{alias}/executions/execution": s.addExecution,
		"GET ": func(w http.ResponseWriter, _ *http.Request) {
			answer(w, 200, map[string]any{"realm": "test", "clientAuthenticationFlow": s.flow})
		},
		"PUT ": s.bind,
	}
	for pattern, handle := range admin {
		method, path, _ := strings.Cut(pattern, " ")
		routes.HandleFunc(method+" "+realmPath+path, s.guarded(handle))
	}
	s.Server = httptest.NewServer(routes)
	t.Cleanup(s.Close)
	return s
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if body != nil {
		_ = json.NewEncoder(w).Encode(body)
	}
}

// guarded checks the access token, and keeps calls apart.
func (s *standIn) guarded(handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		switch {
		case s.fails:
			answer(w, http.StatusServiceUnavailable, nil)
		case r.Header.Get("Authorization") != "Bearer "+s.token:
			answer(w, http.StatusUnauthorized, map[string]string{"error": "HTTP 401 Unauthorized"})
		default:
			if r.Method != http.MethodGet {
				s.requests = append(s.requests, r.Method+" "+r.URL.Path)
			}
			handle(w, r)
		}
	}
}

// issue issues a token to the service account, or says whether a secret is right.
func (s *standIn) issue(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, secret, _ := r.BasicAuth()
	switch {
	case s.fails:
		answer(w, http.StatusServiceUnavailable, nil)
		return
	case id == "sync" && secret == "sync+secret%2F":
		s.tokens++
		s.token = fmt.Sprintf("token-%d", s.tokens)
		answer(w, 200, map[string]any{"access_token": s.token, "expires_in": s.expires})
		return
	}
	for _, client := range s.clients {
		if client["clientId"] == id && client["enabled"] == true && client["secret"] == secret && client["serviceAccountsEnabled"] == true {
			answer(w, 200, map[string]any{"access_token": "x"})
			return
		}
	}
	answer(w, 401, map[string]string{"error": "invalid_client", "error_description": "Invalid client or Invalid client credentials"})
}

// scopesOf returns the client scopes of the realm that it gives to new clients in this way;
// all for "".
func scopesOf(kind, name string) []map[string]any {
	list := []map[string]any{}
	for _, scope := range []struct{ name, kind, inToken string }{
		{"basic", "default", "false"},
		{"profile", "default", "true"},
		{"email", "default", ""}, {"phone", "optional", "true"}, {"payments", "none", "true"},
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

func (s *standIn) list(w http.ResponseWriter, r *http.Request) {
	list := []any{}
	first, _ := strconv.Atoi(r.URL.Query().Get("first"))
	limit, _ := strconv.Atoi(r.URL.Query().Get("max"))
	id := r.URL.Query().Get("clientId")
	for i, key := range s.order {
		if id != "" && s.clients[key]["clientId"] == id || id == "" && i >= first && i < first+limit {
			list = append(list, s.clients[key])
		}
	}
	answer(w, 200, list)
}

func (s *standIn) read(w http.ResponseWriter, r *http.Request) {
	answer(w, 200, s.clients[r.PathValue("id")])
}

func body(r *http.Request) map[string]any {
	var members map[string]any
	_ = json.NewDecoder(r.Body).Decode(&members)
	return members
}

// fault answers requests that the server does not take.
func fault(w http.ResponseWriter, members map[string]any) bool {
	values := []any{members["name"], members["description"], members["baseUrl"]}
	uris, _ := members["redirectUris"].([]any)
	for _, value := range slices.Concat(values, uris) {
		text, _ := value.(string)
		if strings.HasPrefix(text, "javascript:") {
			answer(w, 400, map[string]string{"error": "invalid_input", "error_description": "A redirect URI uses an illegal scheme"})
			return true
		}
		if utf8.RuneCountInString(text) > 255 {
			answer(w, 500, map[string]string{"error": "unknown_error", "error_description": "For more on this error consult the server log."})
			return true
		}
	}
	return false
}

func (s *standIn) create(w http.ResponseWriter, r *http.Request) {
	members := body(r)
	for _, client := range s.clients {
		if client["clientId"] == members["clientId"] {
			answer(w, 409, map[string]string{"errorMessage": fmt.Sprintf("Client %s already exists", members["clientId"])})
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
	answer(w, 201, nil)
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

// held returns the client of the path, or answers 404.
func (s *standIn) held(w http.ResponseWriter, r *http.Request) map[string]any {
	client := s.clients[r.PathValue("id")]
	if client == nil {
		answer(w, 404, map[string]string{"error": "Could not find client"})
	}
	return client
}

func (s *standIn) update(w http.ResponseWriter, r *http.Request) {
	members := body(r)
	if client := s.held(w, r); client != nil && !fault(w, members) {
		merge(client, members)
		answer(w, 204, nil)
	}
}

func (s *standIn) remove(w http.ResponseWriter, r *http.Request) {
	if s.held(w, r) != nil {
		delete(s.clients, r.PathValue("id"))
		s.order = slices.DeleteFunc(s.order, func(id string) bool { return id == r.PathValue("id") })
		answer(w, 204, nil)
	}
}

func (s *standIn) linkScope(w http.ResponseWriter, r *http.Request) {
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
	answer(w, 204, nil)
}

func (s *standIn) providers(w http.ResponseWriter, _ *http.Request) {
	list := []map[string]any{}
	for _, id := range s.provided {
		list = append(list, map[string]any{"id": id})
	}
	answer(w, 200, list)
}

func (s *standIn) copyFlow(w http.ResponseWriter, r *http.Request) {
	name := body(r)["newName"].(string)
	if s.executed[name] != nil {
		answer(w, 409, map[string]string{"errorMessage": "New flow alias name already exists"})
		return
	}
	for _, execution := range s.executed[r.PathValue("alias")] {
		s.executed[name] = append(s.executed[name], map[string]any{"id": execution["id"], "providerId": execution["providerId"], "requirement": execution["requirement"]})
	}
	answer(w, 201, nil)
}

func (s *standIn) listExecutions(w http.ResponseWriter, r *http.Request) {
	answer(w, 200, s.executed[r.PathValue("alias")])
}

func (s *standIn) addExecution(w http.ResponseWriter, r *http.Request) {
	alias := r.PathValue("alias")
	if alias == "clients" {
		answer(w, 400, map[string]string{"error": "It is illegal to add execution to a built in flow"})
		return
	}
	s.next++
	s.executed[alias] = append(s.executed[alias], map[string]any{"id": fmt.Sprintf("e%d", s.next), "providerId": body(r)["provider"], "requirement": "DISABLED"})
	answer(w, 201, nil)
}

func (s *standIn) updateExecution(w http.ResponseWriter, r *http.Request) {
	change := body(r)
	for _, execution := range s.executed[r.PathValue("alias")] {
		if execution["id"] == change["id"] {
			execution["requirement"] = change["requirement"]
		}
	}
	answer(w, 202, nil)
}

func (s *standIn) bind(w http.ResponseWriter, r *http.Request) {
	s.flow = body(r)["clientAuthenticationFlow"].(string)
	answer(w, 204, nil)
}

// plant creates a client as an administrator does.
func (s *standIn) plant(t *testing.T, members map[string]any) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	id := fmt.Sprintf("id-%d", s.next)
	members["id"], members["attributes"] = id, map[string]any{}
	s.clients[id], s.order = members, append(s.order, id)
}

// client returns the members of a client.
func (s *standIn) client(t *testing.T, id domain.ClientID) map[string]any {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, client := range s.clients {
		if client["clientId"] == string(id) {
			return client
		}
	}
	require.Fail(t, "no client "+string(id))
	return nil
}
