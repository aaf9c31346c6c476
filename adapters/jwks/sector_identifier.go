package jwks

import (
	"errors"
	"fmt"

	"github.com/clientele-oauth/clientele/adapters/internal/strictjson"
	"github.com/clientele-oauth/clientele/domain"
)

// ParseSectorIdentifier reads the document at a sector_identifier_uri: one JSON array of
// strings (OIDC Registration §5), without data after it and in UTF-8. It does not fail:
// faults are part of the result, and do not repeat what was read.
func ParseSectorIdentifier(text []byte) domain.SectorIdentifier {
	if len(text) > domain.MaxSectorIdentifierBytes {
		return domain.SectorIdentifierMalformed("it is larger than 64 KiB")
	}
	elements, err := strictjson.Array(text)
	switch {
	case errors.Is(err, strictjson.ErrTrailingData):
		return domain.SectorIdentifierMalformed("it has data after the array")
	case errors.Is(err, strictjson.ErrType):
		return domain.SectorIdentifierMalformed("it is not an array")
	case err != nil:
		return domain.SectorIdentifierMalformed("it is not valid JSON")
	case len(elements) > domain.MaxSectorIdentifierURIs:
		return domain.SectorIdentifierMalformed(fmt.Sprintf("it has more than %d strings", domain.MaxSectorIdentifierURIs))
	}
	uris := make([]string, len(elements))
	for i, element := range elements {
		uri, ok := strictjson.String(element)
		if !ok {
			return domain.SectorIdentifierMalformed("it has an element that is not a string")
		}
		uris[i] = uri
	}
	return domain.SectorIdentifierSeen(uris)
}
