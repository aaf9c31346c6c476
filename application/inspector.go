package application

import (
	"context"

	"github.com/clientele-oauth/clientele/domain"
)

// Inspector validates configurations without a registry. It is safe for concurrent use.
type Inspector struct {
	Book    *domain.Rulebook
	Keys    KeyResolver
	Sectors SectorResolver
	// Servers returns what the authorization server supports; nil means that nothing is
	// known. It is called with the empty tenant.
	Servers Servers
	Clock   Clock
	// FetchKeys enables fetching the keys at a jwks_uri and the document at a
	// sector_identifier_uri. Otherwise the rules about them find nothing.
	FetchKeys bool
}

// Inspect returns the findings that a registration with the change would have.
func (i *Inspector) Inspect(ctx context.Context, change domain.Change) domain.Findings {
	return i.Decide(ctx, i.Book.Register(domain.Identity{}, change)).Findings
}

// Decide returns the outcome of a draft.
func (i *Inspector) Decide(ctx context.Context, draft *domain.Draft) domain.Outcome {
	source, fetch := draft.Keys()
	keys, err := resolve(ctx, i.Keys, "", source, fetch && i.FetchKeys)
	if err != nil {
		keys = domain.KeysUnreachable(err.Error())
	}
	uri, fetch := draft.SectorIdentifier()
	sector, err := resolveSector(ctx, i.Sectors, "", uri, fetch && i.FetchKeys)
	if err != nil {
		sector = domain.SectorIdentifierUnreachable(err.Error())
	}
	return draft.Decide(domain.Facts{Keys: keys, Sector: sector, Server: serverOf(ctx, i.Servers, "")}, nowBy(i.Clock))
}
