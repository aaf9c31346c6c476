package document

import (
	"encoding/json"
	"fmt"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// actorDetails are the members of [domain.Actor] that have no column of their own.
type actorDetails struct {
	Via        domain.Via `json:"via,omitzero"`
	TokenID    string     `json:"token_id,omitzero"`
	IssuedBy   string     `json:"issued_by,omitzero"`
	SoftwareID string     `json:"software_id,omitzero"`
}

// EncodeActor returns how a change was authorized, as JSON; nil for an actor of whom only
// the subject and the client are known.
func EncodeActor(a domain.Actor) []byte {
	details := actorDetails{a.Via, a.TokenID, a.IssuedBy, a.SoftwareID}
	if details == (actorDetails{}) {
		return nil
	}
	text, _ := json.Marshal(details) //nolint:errchkjson // texts
	return text
}

// DecodeActor adds what [EncodeActor] returned to the actor. The error wraps
// [application.ErrUnreadable].
func DecodeActor(a *domain.Actor, text []byte) error {
	if text == nil {
		return nil
	}
	var details actorDetails
	if err := json.Unmarshal(text, &details); err != nil {
		return fmt.Errorf("%w: actor: %s", application.ErrUnreadable, whereOf(err))
	}
	a.Via, a.TokenID, a.IssuedBy, a.SoftwareID = details.Via, details.TokenID, details.IssuedBy, details.SoftwareID
	return nil
}
