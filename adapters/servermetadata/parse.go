package servermetadata

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/clientele-oauth/clientele/adapters/internal/strictjson"
	"github.com/clientele-oauth/clientele/domain"
)

// maxBytes bounds the metadata of a server.
const maxBytes = 1 << 20

// Parse reads the metadata of a server: a JSON object. Members that no rule uses are
// ignored, and null is as absent.
func Parse(text []byte) (domain.ServerMetadata, error) {
	members, err := strictjson.Object(bytes.TrimSpace(text))
	switch {
	case errors.Is(err, strictjson.ErrDuplicateName):
		return domain.ServerMetadata{}, errors.New("a member is in the metadata twice")
	case err != nil:
		return domain.ServerMetadata{}, errors.New("the metadata is not a JSON object")
	}
	lists := map[string][]string{}
	for _, name := range domain.ServerLists() {
		value := members[name]
		if value == nil || string(value) == "null" {
			continue
		}
		values, ok := strictjson.Strings(value)
		if !ok {
			return domain.ServerMetadata{}, fmt.Errorf("%s is not an array of strings", name)
		}
		lists[name] = values
	}
	requireSigned := false
	switch value := string(members["require_signed_request_object"]); value {
	case "", "null", "false":
	case "true":
		requireSigned = true
	default:
		return domain.ServerMetadata{}, errors.New("require_signed_request_object is not true or false")
	}
	return domain.NewServerMetadata(lists, requireSigned), nil
}
