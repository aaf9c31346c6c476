package clientfile

import (
	"fmt"
	"slices"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/domain"
)

// Identifiers finds client_ids that are declared twice.
type Identifiers struct {
	places map[string]string // of the first declaration, by client_id
}

// Problems returns what is wrong with the configuration d of a file, apart from the
// rules: its client_id, also if another configuration declares it, and its form.
func (i *Identifiers) Problems(d Document, file string) domain.Findings {
	return slices.Concat(d.IDProblems, i.add(d, fmt.Sprintf("%s:%d", file, d.Line(""))), d.Breaches)
}

// add remembers the place of a configuration, such as "a.yaml:3". If its client_id was
// declared before, it returns a violation that names that place.
func (i *Identifiers) add(d Document, place string) domain.Findings {
	if d.ClientID == "" {
		return nil
	}
	if i.places == nil {
		i.places = map[string]string{}
	}
	if before, twice := i.places[d.ClientID]; twice {
		return domain.Findings{contract.Breach{Pointer: "/client_id", Message: d.ClientID + " is already declared at " + before}.Finding()}
	}
	i.places[d.ClientID] = place
	return nil
}
