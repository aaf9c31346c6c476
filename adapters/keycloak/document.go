package keycloak

import (
	"encoding/json"
	"strconv"

	"github.com/clientele-oauth/clientele/application/push"
	"github.com/clientele-oauth/clientele/domain"
)

// The attributes of the mark.
const (
	markTenant   = "clientele.tenant"
	markRevision = "clientele.revision"
	markSecretID = "clientele.secret_id"
)

// document is a ClientRepresentation as far as this package needs it.
type document struct {
	id            string
	clientID      string
	values        map[string]string // of the managed settings, in the form of canonical
	mark          push.Mark
	origins       []string
	authorization bool     // whether authorization services are enabled
	defaults      []string // the names of client scopes that every token gets
	optional      []string // those that a request can name
}

// UnmarshalJSON reads a ClientRepresentation. It keeps no secret.
func (d *document) UnmarshalJSON(text []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return err
	}
	var known struct {
		ID            string            `json:"id"`
		ClientID      string            `json:"clientId"`
		Attributes    map[string]string `json:"attributes"`
		Origins       []string          `json:"webOrigins"`
		Authorization bool              `json:"authorizationServicesEnabled"`
		Defaults      []string          `json:"defaultClientScopes"`
		Optional      []string          `json:"optionalClientScopes"`
	}
	if err := json.Unmarshal(text, &known); err != nil {
		return err
	}
	d.id, d.clientID, d.authorization, d.defaults, d.optional = known.ID, known.ClientID, known.Authorization, known.Defaults, known.Optional
	d.values, d.origins = map[string]string{}, append([]string{}, known.Origins...)
	for _, row := range settings() {
		value := known.Attributes[row.name]
		if !row.attribute {
			value = member(members[row.name])
		}
		if value == "" {
			value = row.absent
		}
		d.values[row.name] = value
	}
	d.mark = readMark(known.Attributes)
	return nil
}

// member returns the value of a member in the form of [canonical]; "" for any that this
// package does not write.
func member(text json.RawMessage) string {
	var value string
	var flag bool
	var list []string
	switch {
	case text == nil || string(text) == "null":
		return ""
	case json.Unmarshal(text, &value) == nil:
		return value
	case json.Unmarshal(text, &flag) == nil:
		return canonical(flag)
	case json.Unmarshal(text, &list) == nil:
		return canonical(list)
	default:
		return string(text)
	}
}

// readMark returns the mark in the attributes of a client; the zero value if there is
// none, or if it cannot be read.
func readMark(attributes map[string]string) push.Mark {
	revision, err := strconv.ParseInt(attributes[markRevision], 10, 64)
	if err != nil || attributes[markTenant] == "" {
		return push.Mark{}
	}
	return push.Mark{
		Tenant:   domain.TenantID(attributes[markTenant]),
		Revision: domain.RevisionNumber(revision),
		SecretID: attributes[markSecretID],
	}
}

// marked returns the attributes of a mark. Keycloak removes an attribute whose value is
// empty.
func marked(mark push.Mark) map[string]string {
	return map[string]string{
		markTenant:   string(mark.Tenant),
		markRevision: strconv.FormatInt(int64(mark.Revision), 10),
		markSecretID: mark.SecretID,
	}
}

// held returns the document for the worker.
func (d *document) held() push.Held {
	return push.Held{
		ClientID: domain.ClientID(d.clientID),
		Mark:     d.mark,
		Enabled:  d.values["enabled"] == canonical(true),
		Native:   d,
	}
}

// representation returns what Put writes, without client scopes.
func representation(want *push.Client, authenticator bool) map[string]any {
	s := want.Settings()
	body := map[string]any{"clientId": string(want.Identity().ClientID)}
	attributes := marked(want.Mark)
	for _, row := range settings() {
		value := row.of(&s, authenticator)
		switch {
		case value == nil:
		case row.attribute:
			attributes[row.name] = canonical(value)
		default:
			body[row.name] = value
		}
	}
	body["attributes"] = attributes
	if want.Secret != "" {
		body["secret"] = want.Secret
	}
	return body
}

// differences returns the settings that differ from what representation writes.
func (d *document) differences(want *push.Client, authenticator bool) []push.Difference {
	s := want.Settings()
	var list []push.Difference
	for _, row := range settings() {
		value := row.of(&s, authenticator)
		if value == nil {
			continue
		}
		wanted := canonical(value)
		if wanted == "" {
			wanted = row.absent
		}
		if held := d.values[row.name]; held != wanted {
			list = append(list, push.Difference{Attribute: row.name, Held: push.Words(held), Want: push.Words(wanted)})
		}
	}
	return list
}
