package clientfile

import (
	"github.com/clientele-oauth/clientele/adapters/wire"
	"github.com/clientele-oauth/clientele/domain"
)

// Identifiers finds client_ids that are declared twice.
type Identifiers struct {
	places map[string]string // of the first declaration, by client_id
}

// Add notes a configuration that stands at a place, such as "a.yaml:3". If its
// client_id was noted before, it returns a violation that names the place.
func (i *Identifiers) Add(d Document, place string) domain.Findings {
	if d.ClientID == "" {
		return nil
	}
	if i.places == nil {
		i.places = map[string]string{}
	}
	if before, twice := i.places[d.ClientID]; twice {
		return domain.Findings{wire.Breach{Pointer: "/client_id", Message: d.ClientID + " is already declared at " + before}.Finding()}
	}
	i.places[d.ClientID] = place
	return nil
}
