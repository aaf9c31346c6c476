package postgres

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-oauth/clientele/application"
)

// keyBatch is how many clients a statement reads to find a live secret under a key.
const keyBatch = 100

// MissingSecretKeys implements [application.SecretKeys]. If no key is missing, it reads a
// few rows. For each missing key it reads clients until it finds a live secret or token under
// this key.
func (s *Store) MissingSecretKeys(ctx context.Context, known []string, now time.Time) ([]string, error) {
	rows, err := s.pool.Query(ctx, `SELECT key_id FROM secret_keys ORDER BY key_id`)
	if err != nil {
		return nil, translate(err)
	}
	candidates, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, translate(err)
	}
	var missing []string
	for _, id := range candidates {
		if slices.Contains(known, id) {
			continue
		}
		live, err := s.hasLiveSecret(ctx, id, now)
		if err != nil {
			return nil, translate(err)
		}
		if live {
			missing = append(missing, id)
		}
	}
	return missing, nil
}

func (s *Store) hasLiveSecret(ctx context.Context, keyID string, now time.Time) (live bool, err error) {
	const query = `
		SELECT tenant_id, client_id, ` + clientColumns + ` FROM clients
		WHERE (tenant_id, client_id) > ($1, $2) AND (strpos(secrets::text, $3) > 0 OR strpos(registration::text, $3) > 0) AND deleted_at IS NULL
		ORDER BY tenant_id, client_id LIMIT $4`
	const tokens = `
		SELECT EXISTS (SELECT FROM initial_tokens WHERE key_id = $1 AND revoked_at IS NULL AND expires_at > $2 AND uses < max_uses)`
	if err := s.pool.QueryRow(ctx, tokens, keyID, now).Scan(&live); err != nil || live {
		return live, err
	}
	var tenant, id string
	for {
		rows, err := s.pool.Query(ctx, query, tenant, id, keyID, keyBatch)
		if err != nil {
			return false, err
		}
		found := 0
		for rows.Next() {
			found++
			client, err := readClient(rows, &tenant, &id)
			switch {
			case errors.Is(err, application.ErrUnreadable):
				live = true
			case err != nil:
				rows.Close()
				return false, err
			default:
				live = live || client.HasLiveSecretUnder(keyID, now)
			}
		}
		if err := rows.Err(); err != nil || live || found == 0 {
			return live, err
		}
	}
}

var (
	_ application.SecretKeys = (*Store)(nil)
	_ application.Examiner   = (*Store)(nil)
)
