// Package hydratest is a small stand-in for Hydra: its admin API for clients, and the token
// endpoint with client_credentials. It behaves as Hydra 2.3.0 was seen to, including its
// defaults and its error messages. Tests use it, because the real one takes a minute to
// build.
package hydratest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Server is a stand-in for Hydra. Its methods are safe for concurrent use.
type Server struct {
	*httptest.Server

	mu       sync.Mutex
	clients  map[string]map[string]any
	secrets  map[string][sha256.Size]byte
	failing  int
	delay    time.Duration
	requests map[string]int // by method
	password string
}

// Start starts a stand-in without clients.
func Start() *Server {
	s := &Server{
		clients: map[string]map[string]any{}, secrets: map[string][sha256.Size]byte{}, requests: map[string]int{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /admin/clients", s.list)
	mux.HandleFunc("POST /admin/clients", s.create)
	mux.HandleFunc("GET /admin/clients/{id}", s.get)
	mux.HandleFunc("PUT /admin/clients/{id}", s.put)
	mux.HandleFunc("DELETE /admin/clients/{id}", s.remove)
	mux.HandleFunc("POST /oauth2/token", s.token)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests[r.Method]++
		failing, password, delay := s.failing, s.password, s.delay
		s.mu.Unlock()
		if delay > 0 && r.Method == http.MethodPost {
			select {
			case <-time.After(delay):
			case <-r.Context().Done():
				return
			}
		}
		switch {
		case failing != 0:
			respond(w, failing, map[string]any{"error": "failing", "error_description": "as the test wants"})
		case password != "" && strings.HasPrefix(r.URL.Path, "/admin/") && r.Header.Get("Authorization") != password:
			respond(w, http.StatusUnauthorized, map[string]any{"error": "unauthorized"})
		default:
			mux.ServeHTTP(w, r)
		}
	}))
	return s
}

// Fail makes the server respond with the status to every request; 0 ends this.
func (s *Server) Fail(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = status
}

// DelayCreation makes the server take its time to create a client.
func (s *Server) DelayCreation(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = d
}

// Require makes the admin API accept only requests with this header Authorization.
func (s *Server) Require(authorization string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.password = authorization
}

// Requests returns how many requests there were with a method.
func (s *Server) Requests(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[method]
}

// Client returns a copy of a client; nil if there is none.
func (s *Server) Client(id string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return clone(s.clients[id])
}

// Len returns the number of clients.
func (s *Server) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.clients)
}

// Change changes a client, or creates it.
func (s *Server) Change(id string, change func(client map[string]any)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := clone(s.clients[id])
	if c == nil {
		c = map[string]any{"client_id": id}
		normalize(c)
	}
	change(c)
	s.clients[id] = clone(c)
}

// Remove removes a client.
func (s *Server) Remove(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.clients, id)
}

// Accepts reports whether a client gets a token with a secret.
func (s *Server) Accepts(id, secret string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.clients[id]
	return c != nil && s.secrets[id] == sha256.Sum256([]byte(secret)) && slices.Contains(texts(c["grant_types"]), "client_credentials")
}

func clone(c map[string]any) map[string]any {
	if c == nil {
		return nil
	}
	text, err := json.Marshal(c)
	if err != nil {
		return nil
	}
	var copied map[string]any
	if json.Unmarshal(text, &copied) != nil {
		return nil
	}
	return copied
}

func respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func notFound(w http.ResponseWriter) {
	respond(w, http.StatusNotFound, map[string]any{"error": "Unable to locate the resource", "error_description": ""})
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	size, err := strconv.Atoi(r.URL.Query().Get("page_size"))
	if err != nil {
		size = 250
	}
	size = min(max(size, 1), 1000)
	from := 0
	if token, err := base64.RawURLEncoding.DecodeString(r.URL.Query().Get("page_token")); err == nil {
		var decoded struct {
			Offset string `json:"offset"`
		}
		if json.Unmarshal(token, &decoded) == nil {
			from, _ = strconv.Atoi(decoded.Offset)
		}
	}
	s.mu.Lock()
	ids := make([]string, 0, len(s.clients))
	for id := range s.clients {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	page := []map[string]any{}
	for i := from; i < min(from+size, len(ids)); i++ {
		page = append(page, clone(s.clients[ids[i]]))
	}
	more := from+size < len(ids) || len(ids) == 0 // as Hydra does
	s.mu.Unlock()
	link := func(offset int, rel string) string {
		token := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"offset":"%d","v":2}`, offset))
		query := url.Values{"page_size": {strconv.Itoa(size)}, "page_token": {token}}
		return "</admin/clients?" + query.Encode() + `>; rel="` + rel + `"`
	}
	links := link(0, "first")
	if more {
		links += "," + link(from+size, "next")
	}
	w.Header().Set("Link", links)
	respond(w, http.StatusOK, page)
}

// texts returns a list of strings.
func texts(value any) (list []string) {
	values, _ := value.([]any)
	for _, v := range values {
		text, _ := v.(string)
		list = append(list, text)
	}
	return list
}

// normalize fills in the defaults of Hydra.
func normalize(c map[string]any) {
	set := func(name string, value any) {
		if c[name] == nil || c[name] == "" {
			c[name] = value
		}
	}
	for _, name := range []string{"client_name", "owner", "policy_uri", "tos_uri", "client_uri", "logo_uri"} {
		set(name, "")
	}
	for _, name := range []string{"redirect_uris", "grant_types", "response_types", "contacts", "audience", "allowed_cors_origins"} {
		set(name, []any{})
	}
	set("scope", "offline_access offline openid")
	set("token_endpoint_auth_method", "client_secret_basic")
	set("userinfo_signed_response_alg", "none")
	set("subject_type", "public")
	set("metadata", map[string]any{})
	set("jwks", map[string]any{})
	set("skip_consent", false)
	for name, value := range c {
		if text, ok := value.(string); ok && strings.HasSuffix(name, "_lifespan") {
			if d, err := time.ParseDuration(text); err == nil {
				c[name] = d.String()
			}
		}
	}
	delete(c, "client_secret")
	c["created_at"], c["updated_at"], c["client_secret_expires_at"] = time.Now(), time.Now(), 0
}

// fault returns what Hydra does not accept of a client.
func fault(c map[string]any) string {
	_, hasKeys := c["jwks"]
	uri, _ := c["jwks_uri"].(string)
	if hasKeys && uri != "" {
		return "Fields jwks and jwks_uri can not both be set, you must choose one."
	}
	if c["token_endpoint_auth_method"] == "private_key_jwt" && !hasKeys && uri == "" {
		return "When token_endpoint_auth_method is 'private_key_jwt', either jwks or jwks_uri must be set."
	}
	for _, uri := range texts(c["redirect_uris"]) {
		if strings.Contains(uri, "#") {
			return "Redirect URIs must not contain fragments (#)."
		}
	}
	for _, uri := range texts(c["post_logout_redirect_uris"]) {
		host := func(raw string) string {
			u, err := url.Parse(raw)
			if err != nil {
				return ""
			}
			return u.Scheme + u.Host
		}
		if !slices.ContainsFunc(texts(c["redirect_uris"]), func(r string) bool { return host(r) == host(uri) }) {
			return fmt.Sprintf(`post_logout_redirect_uri "%s" must match the domain, port, scheme of at least one of the registered redirect URIs but did not'`, uri)
		}
	}
	if secret, _ := c["client_secret"].(string); secret != "" && len(secret) < 6 {
		return "Field client_secret must contain a secret that is at least 6 characters long."
	}
	if subject, _ := c["subject_type"].(string); subject != "" && subject != "public" {
		return "Subject type " + subject + " is not supported by server, only [public] are allowed."
	}
	return ""
}

// read reads a client; ok is false if the response has been written.
func read(w http.ResponseWriter, r *http.Request) (c map[string]any, secret string, ok bool) {
	err := json.NewDecoder(r.Body).Decode(&c)
	reason := fault(c)
	if err != nil {
		reason = "Unable to decode the request body: " + err.Error()
	}
	if reason != "" {
		respond(w, http.StatusBadRequest, map[string]any{"error": "invalid_client_metadata", "error_description": "The value of one of the Client Metadata fields is invalid and the server has rejected this request. Note that an Authorization Server MAY choose to substitute a valid value for any requested parameter of a Client's Metadata. " + reason})
		return nil, "", false
	}
	secret, _ = c["client_secret"].(string)
	normalize(c)
	return c, secret, true
}

func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	c, secret, ok := read(w, r)
	if !ok {
		return
	}
	id, _ := c["client_id"].(string)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients[id] != nil {
		respond(w, http.StatusConflict, map[string]any{"error": "Unable to insert or update resource because a resource with that value exists already", "error_description": ""})
		return
	}
	s.clients[id] = clone(c)
	s.secrets[id] = sha256.Sum256([]byte(secret))
	respond(w, http.StatusCreated, c)
}

func (s *Server) get(w http.ResponseWriter, r *http.Request) {
	if c := s.Client(r.PathValue("id")); c != nil {
		respond(w, http.StatusOK, c)
		return
	}
	notFound(w)
}

func (s *Server) put(w http.ResponseWriter, r *http.Request) {
	c, secret, ok := read(w, r)
	if !ok {
		return
	}
	id := r.PathValue("id")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients[id] == nil {
		notFound(w)
		return
	}
	c["client_id"] = id
	s.clients[id] = clone(c)
	if secret != "" {
		s.secrets[id] = sha256.Sum256([]byte(secret))
	}
	respond(w, http.StatusOK, c)
}

func (s *Server) remove(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients[id] == nil {
		notFound(w)
		return
	}
	delete(s.clients, id)
	delete(s.secrets, id)
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	if !s.Accepts(id, secret) {
		respond(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	respond(w, http.StatusOK, map[string]any{"access_token": "token of " + id, "token_type": "bearer"})
}
