package application

import (
	"context"

	"github.com/clientele-oauth/clientele/domain"
)

// Inspector judges configurations that no registry keeps, by the rulebook that
// the registry judges by. It is safe for concurrent use.
type Inspector struct {
	Book  *domain.Rulebook
	Keys  KeyResolver
	Clock Clock
	// FetchKeys looks at the keys behind a jwks_uri. Without it no key source
	// is asked, and rules about such keys have nothing to say.
	FetchKeys bool
}

// Inspect returns all that is to be said about a registration by wish.
func (i *Inspector) Inspect(ctx context.Context, wish domain.Change) domain.Findings {
	source, matters := i.Book.RegistrationKeys(wish)
	keys, err := resolve(ctx, i.Keys, "", source, matters && i.FetchKeys)
	if err != nil {
		keys = domain.KeysUnreachable(err.Error())
	}
	_, findings := i.Book.Register(domain.Identity{}, wish, keys, nowBy(i.Clock))
	return findings
}
