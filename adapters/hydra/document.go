package hydra

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/adapters/internal/metadata"
	"github.com/clientele-oauth/clientele/application/push"
	"github.com/clientele-oauth/clientele/domain"
)

// document is a client in Hydra's form, by member.
type document map[string]json.RawMessage

// Members of Hydra's form that this package treats in a way of their own.
const (
	scopeMember         = "scope"
	jwksMember          = "jwks"
	metadataMember      = "metadata"
	grantTypesMember    = "grant_types"
	responseTypesMember = "response_types"
	redirectsMember     = "redirect_uris"
	postLogoutMember    = "post_logout_redirect_uris"
	methodMember        = "token_endpoint_auth_method"
	userInfoMember      = "userinfo_signed_response_alg"
)

// markName is the name of the mark in a client's metadata.
const markName = "clientele"

// The form of a client that is not served.
const (
	suspendedGrant    = "urn:clientele:suspended"
	suspendedResponse = "none"
	noGrant           = "urn:clientele:none"
)

// disabledMembers are the members that say that a client is not served. Hydra takes
// post-logout redirect URIs only at the origin of a redirect URI.
func disabledMembers() []string {
	return []string{grantTypesMember, responseTypesMember, redirectsMember, postLogoutMember}
}

// renamed are the members that have another name in the form of RFC 7591, and their names
// there.
func renamed() map[string]string {
	return map[string]string{
		"allowed_cors_origins": domain.FieldCORSOrigins.String(),
		"audience":             domain.FieldResources.String(),
	}
}

// lifetimes are the members with lifetimes of tokens, and the fields that they follow.
func lifetimes() map[string]domain.Field {
	return map[string]domain.Field{
		"authorization_code_grant_access_token_lifespan":  domain.FieldAccessTokenLifetime,
		"client_credentials_grant_access_token_lifespan":  domain.FieldAccessTokenLifetime,
		"implicit_grant_access_token_lifespan":            domain.FieldAccessTokenLifetime,
		"jwt_bearer_grant_access_token_lifespan":          domain.FieldAccessTokenLifetime,
		"refresh_token_grant_access_token_lifespan":       domain.FieldAccessTokenLifetime,
		"authorization_code_grant_id_token_lifespan":      domain.FieldIDTokenLifetime,
		"implicit_grant_id_token_lifespan":                domain.FieldIDTokenLifetime,
		"refresh_token_grant_id_token_lifespan":           domain.FieldIDTokenLifetime,
		"authorization_code_grant_refresh_token_lifespan": domain.FieldRefreshTokenLifetime,
		"refresh_token_grant_refresh_token_lifespan":      domain.FieldRefreshTokenLifetime,
	}
}

// managed lists the members that follow the registry.
func managed() []string {
	members := []string{
		"client_name", redirectsMember, grantTypesMember, responseTypesMember, scopeMember, "owner", "policy_uri", "tos_uri", "client_uri",
		"logo_uri", "contacts", "subject_type", "sector_identifier_uri", jwksMember, "jwks_uri", methodMember,
		"token_endpoint_auth_signing_alg", "request_uris", "request_object_signing_alg", userInfoMember,
		"frontchannel_logout_uri", "frontchannel_logout_session_required", postLogoutMember,
		"backchannel_logout_uri", "backchannel_logout_session_required", "skip_consent",
	}
	for name := range renamed() {
		members = append(members, name)
	}
	for name := range lifetimes() {
		members = append(members, name)
	}
	slices.Sort(members)
	return members
}

// methods lists the authentication methods that Hydra supports.
func methods() []domain.AuthMethod {
	return []domain.AuthMethod{domain.AuthNone, domain.AuthSecretBasic, domain.AuthSecretPost, domain.AuthPrivateKeyJWT}
}

// documentOf returns the managed members of a client.
func documentOf(c push.Client, enabled bool) (document, error) {
	var text jsonobject.Writer
	text.Object("", func() { metadata.Write(&text, &c.Client, true) })
	var form document
	if err := json.Unmarshal(text, &form); err != nil {
		return nil, err
	}
	d := document{}
	for _, name := range managed() {
		source := name
		if other, ok := renamed()[name]; ok {
			source = other
		}
		if value, ok := form[source]; ok {
			d[name] = value
		}
	}
	s := c.Settings()
	for name, field := range lifetimes() {
		if seconds := int64(*field.Of(&s).(*domain.Number)); seconds > 0 {
			d[name] = quoted((time.Duration(seconds) * time.Second).String())
		}
	}
	if i := slices.IndexFunc(s.AuthMethods, func(m domain.AuthMethod) bool { return slices.Contains(methods(), m) }); i >= 0 {
		d[methodMember] = quoted(string(s.AuthMethods[i]))
	} else {
		d[methodMember] = quoted(string(domain.AuthNone))
	}
	if s.UserInfo.Signing == "" {
		d[userInfoMember] = quoted("none")
	}
	if len(s.GrantTypes) == 0 { // Hydra's default would be authorization_code
		d[grantTypesMember] = json.RawMessage(`["` + noGrant + `"]`)
	}
	if !enabled {
		d.disable()
	}
	return d, nil
}

// disable makes the document that of a client that is not served.
func (d document) disable() {
	d[grantTypesMember] = json.RawMessage(`["` + suspendedGrant + `"]`)
	d[responseTypesMember] = json.RawMessage(`["` + suspendedResponse + `"]`)
	d[redirectsMember] = json.RawMessage(`[]`)
	delete(d, postLogoutMember)
}

// with returns a copy of a document that the server returned, to be sent: with other
// managed members, if there are any, and without members that are not set that way.
func (d document) with(other document) document {
	sent := document{}
	for name, value := range d {
		switch name {
		case "client_secret", "client_secret_expires_at", "registration_access_token", "registration_client_uri", "updated_at":
			continue
		}
		if other == nil || !slices.Contains(managed(), name) {
			sent[name] = value
		}
	}
	maps.Copy(sent, other)
	if isEmpty(sent[jwksMember]) { // an empty one beside a jwks_uri is a 400
		delete(sent, jwksMember)
	}
	return sent
}

// storedMark is the mark in the metadata of a client.
type storedMark struct {
	Tenant   string `json:"tenant"`
	Revision int64  `json:"revision"`
	SecretID string `json:"secret_id,omitempty"`
	// DefaultScope reports that the client was pushed without scopes, so that it has
	// the server's.
	DefaultScope bool `json:"default_scope,omitempty"`
}

// setMark writes the mark into the metadata, beside what others wrote there.
func (d document) setMark(m push.Mark, defaultScope bool) error {
	all := map[string]json.RawMessage{}
	if stored, ok := d[metadataMember]; ok && !bytes.Equal(stored, []byte("null")) {
		if err := json.Unmarshal(stored, &all); err != nil {
			return push.Refused("the metadata of the client at the server is not an object")
		}
	}
	text, err := json.Marshal(storedMark{string(m.Tenant), int64(m.Revision), m.SecretID, defaultScope})
	if err != nil {
		return err
	}
	all[markName] = text
	if d[metadataMember], err = json.Marshal(all); err != nil {
		return err
	}
	return nil
}

// mark returns the mark; the zero value if there is none, or if it cannot be read.
func (d document) mark() storedMark {
	var all struct {
		Mark storedMark `json:"clientele"`
	}
	if json.Unmarshal(d[metadataMember], &all) != nil {
		return storedMark{}
	}
	return all.Mark
}

// held returns the client as the port has it.
func (d document) held() push.Held {
	var id string
	_ = json.Unmarshal(d["client_id"], &id) // a client without one has the empty identifier
	var grants []string
	_ = json.Unmarshal(d[grantTypesMember], &grants)
	m := d.mark()
	return push.Held{
		ClientID: domain.ClientID(id),
		Mark: push.Mark{
			Tenant: domain.TenantID(m.Tenant), Revision: domain.RevisionNumber(m.Revision), SecretID: m.SecretID,
		},
		Enabled: !slices.Contains(grants, suspendedGrant),
		Native:  d,
	}
}

// isEmpty reports whether a value means the same as no value.
func isEmpty(value json.RawMessage) bool {
	switch string(bytes.TrimSpace(value)) {
	case "", "null", `""`, "[]", "{}", "false":
		return true
	default:
		return false
	}
}

// canonical returns a text that is equal for values that mean the same.
func canonical(name string, value json.RawMessage) string {
	if isEmpty(value) {
		return ""
	}
	if name == jwksMember {
		return canonicalKeys(value)
	}
	if strings.HasSuffix(name, "_lifespan") {
		var text string
		if json.Unmarshal(value, &text) == nil {
			if d, err := time.ParseDuration(text); err == nil {
				return d.String()
			}
		}
	}
	return compact(value)
}

// compact returns a value with sorted members, without white space and escapes.
func compact(value json.RawMessage) string {
	var decoded any
	if json.Unmarshal(value, &decoded) != nil {
		return string(value)
	}
	if text, ok := decoded.(string); ok {
		return text
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(decoded) != nil {
		return string(value)
	}
	return strings.TrimSpace(text.String())
}

// canonicalKeys returns a JWK set with the members of keys that Hydra keeps. Padding and
// leading zeros have no meaning.
func canonicalKeys(value json.RawMessage) string {
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if json.Unmarshal(value, &set) != nil {
		return string(value)
	}
	kept := []string{"alg", "crv", "e", "kid", "kty", "n", "use", "x", "x5c", "y"}
	for _, key := range set.Keys {
		for name, member := range key {
			text, isText := member.(string)
			switch {
			case !slices.Contains(kept, name):
				delete(key, name)
			case isText && slices.Contains([]string{"e", "n", "x", "y"}, name):
				key[name] = strings.TrimRight(text, "=")
			}
		}
	}
	text, err := json.Marshal(set)
	if err != nil {
		return string(value)
	}
	return compact(text)
}

// quoted returns a text as a JSON value.
func quoted(text string) json.RawMessage {
	value, _ := json.Marshal(text) // a string can always be written
	return value
}
