package sqlite

import (
	"context"
	"database/sql"
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
		SELECT deleted_at, n, ` + clientColumns + ` FROM clients
		WHERE deleted_at IS NOT NULL AND NOT purged AND deleted_at < ? AND (deleted_at, n) > (?, ?)
		ORDER BY deleted_at, n LIMIT ?`
	var (
		deletedAt string
		n         int64
	)
	for {
		found := 0
		args := []any{timeText(before), deletedAt, n, limit - len(clients)}
		err := s.each(ctx, s.reader, query, args, func(rows *sql.Rows) error {
			found++
			client, err := readClient(scanAfter{rows, []any{&deletedAt, &n}})
			if unreadable, ok := errors.AsType[*application.UnreadableError](err); ok {
				skipped = append(skipped, unreadable)
				return nil
			}
			clients = append(clients, client)
			return err
		})
		if err != nil || found == 0 || len(clients) == limit {
			return clients, skipped, err
		}
	}
}

// scanAfter scans the first columns of a row into its own variables.
type scanAfter struct {
	rows  *sql.Rows
	first []any
}

// Scan scans a row; to gets the columns after the first ones.
func (s scanAfter) Scan(to ...any) error { return s.rows.Scan(append(s.first, to...)...) }
