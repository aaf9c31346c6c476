package application

import (
	"context"

	"github.com/clientele-oauth/clientele/domain"
)

// Inspector validates configurations that are not in a registry, with the same
// rulebook. It is safe for concurrent use.
type Inspector struct {
	Book  *domain.Rulebook
	Keys  KeyResolver
	Clock Clock
	// FetchKeys fetches the keys behind a jwks_uri. Without it rules about such
	// keys find nothing.
	FetchKeys bool
}

// Inspect returns the findings of a registration by the change.
func (i *Inspector) Inspect(ctx context.Context, change domain.Change) domain.Findings {
	draft := i.Book.Register(domain.Identity{}, change)
	source, fetch := draft.Keys()
	keys, err := resolve(ctx, i.Keys, "", source, fetch && i.FetchKeys)
	if err != nil {
		keys = domain.KeysUnreachable(err.Error())
	}
	return draft.Decide(keys, nowBy(i.Clock)).Findings
}
