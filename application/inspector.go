package application

import (
	"context"

	"github.com/clientele-oauth/clientele/domain"
)

// Inspector validates configurations without a registry. It is safe for concurrent use.
type Inspector struct {
	Book  *domain.Rulebook
	Keys  KeyResolver
	Clock Clock
	// FetchKeys enables fetching keys at a jwks_uri. Otherwise the rules about such
	// keys find nothing.
	FetchKeys bool
}

// Inspect returns the findings that a registration with the change would have.
func (i *Inspector) Inspect(ctx context.Context, change domain.Change) domain.Findings {
	draft := i.Book.Register(domain.Identity{}, change)
	source, fetch := draft.Keys()
	keys, err := resolve(ctx, i.Keys, "", source, fetch && i.FetchKeys)
	if err != nil {
		keys = domain.KeysUnreachable(err.Error())
	}
	return draft.Decide(keys, nowBy(i.Clock)).Findings
}
