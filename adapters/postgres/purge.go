package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Purgeable implements [application.Store]. It skips clients that cannot be decoded, and
// continues until it has limit others.
func (s *Store) Purgeable(
	ctx context.Context, before time.Time, limit int,
) (clients []domain.Client, skipped []*application.UnreadableError, err error) {
	const query = `
		SELECT deleted_at, tenant_id, client_id, ` + clientColumns + ` FROM clients
		WHERE deleted_at IS NOT NULL AND NOT purged AND deleted_at < $1 AND (deleted_at, tenant_id, client_id) > ($2, $3, $4)
		ORDER BY deleted_at, tenant_id, client_id LIMIT $5`
	var (
		deletedAt  time.Time
		tenant, id string
	)
	for {
		rows, err := s.pool.Query(ctx, query, before, deletedAt, tenant, id, limit-len(clients))
		if err != nil {
			return nil, nil, translate(err)
		}
		found := 0
		for rows.Next() {
			found++
			client, err := readClient(rows, &deletedAt, &tenant, &id)
			unreadable, ok := errors.AsType[*application.UnreadableError](err)
			switch {
			case ok:
				skipped = append(skipped, unreadable)
			case err != nil:
				rows.Close()
				return nil, nil, translate(err)
			default:
				clients = append(clients, client)
			}
		}
		if err := rows.Err(); err != nil || found == 0 || len(clients) == limit {
			return clients, skipped, translate(err)
		}
	}
}
