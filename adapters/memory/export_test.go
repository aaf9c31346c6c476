package memory

import (
	"maps"
	"slices"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// Copy returns a store with the same content, as if it was restored from a backup. The
// stored bytes are shared, since they are never changed.
func (s *Store) Copy() *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	other := New()
	other.commits = s.commits
	for id, t := range s.tenants {
		uses := map[domain.ClientID]map[string]time.Time{}
		for client, used := range t.secretUses {
			uses[client] = maps.Clone(used)
		}
		other.tenants[id] = &tenant{
			clients: maps.Clone(t.clients), log: slices.Clone(t.log), attempts: maps.Clone(t.attempts), secretUses: uses,
			assertions: maps.Clone(t.assertions), statements: maps.Clone(t.statements), tokens: maps.Clone(t.tokens), seen: maps.Clone(t.seen),
		}
	}
	return other
}
