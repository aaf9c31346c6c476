package postgres

import (
	"encoding/json"

	"github.com/clientele-oauth/clientele/domain"
)

// maxPayload is the maximum length of a notification in bytes; a longer one does not
// list tenants. The server accepts less than 8000 (PostgreSQL, NOTIFY).
const maxPayload = 7900

// notification is the payload of a NOTIFY: the tenants with new commits. An empty list
// stands for all tenants, and so does a payload that cannot be decoded, such as the
// empty one of the first release.
type notification struct {
	From    string            `json:"from"` // the process that sent it
	Tenants []domain.TenantID `json:"tenants,omitempty"`
}

// payload returns the notification for all commits since the last call.
func (n *notifier) payload() string {
	n.mu.Lock()
	tenants := n.pending
	n.pending = nil
	n.mu.Unlock()
	sent := notification{From: n.self}
	for tenant := range tenants {
		sent.Tenants = append(sent.Tenants, tenant)
	}
	text, err := json.Marshal(sent)
	if err != nil || len(text) > maxPayload {
		text, _ = json.Marshal(notification{From: n.self}) // a string can always be encoded
	}
	return string(text)
}

// received signals the readers that a notification is for. In the process that sent it,
// the commit itself has signaled them.
func (n *notifier) received(payload string) {
	var received notification
	switch err := json.Unmarshal([]byte(payload), &received); {
	case err != nil || received.From == "":
		n.readers.PublishAll()
	case received.From == n.self:
	case len(received.Tenants) == 0:
		n.readers.PublishAll()
	default:
		n.readers.Publish(received.Tenants...)
	}
}
