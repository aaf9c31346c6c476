package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/clientele-oauth/clientele/application"
)

// keyBatch is how many clients a statement reads to find a live secret under a key.
const keyBatch = 100

// MissingSecretKeys implements [application.SecretKeys]. If no key is missing, it reads a
// few rows. For each missing key it reads clients until it finds a live secret or token under
// this key.
func (s *Store) MissingSecretKeys(ctx context.Context, known []string, now time.Time) ([]string, error) {
	var candidates, missing []string
	err := s.each(ctx, s.reader, `SELECT key_id FROM secret_keys ORDER BY key_id`, nil, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		if !slices.Contains(known, id) {
			candidates = append(candidates, id)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, id := range candidates {
		live, err := s.hasLiveSecret(ctx, id, now)
		if err != nil {
			return nil, err
		}
		if live {
			missing = append(missing, id)
		}
	}
	return missing, nil
}

func (s *Store) hasLiveSecret(ctx context.Context, keyID string, now time.Time) (live bool, err error) {
	const query = `
		SELECT n, ` + clientColumns + ` FROM clients
		WHERE n > ?1 AND (instr(secrets, ?2) > 0 OR instr(registration, ?2) > 0) AND deleted_at IS NULL ORDER BY n LIMIT ?3`
	const tokens = `
		SELECT EXISTS (SELECT 1 FROM initial_tokens WHERE key_id = ? AND revoked_at IS NULL AND expires_at > ? AND uses < max_uses)`
	if err := s.reader.QueryRowContext(ctx, tokens, keyID, timeText(now)).Scan(&live); err != nil || live {
		return live, translate(err)
	}
	var n int64
	for {
		found := 0
		err := s.each(ctx, s.reader, query, []any{n, keyID, keyBatch}, func(rows *sql.Rows) error {
			found++
			client, err := readClient(scanAfter{rows, []any{&n}})
			switch {
			case errors.Is(err, application.ErrUnreadable):
				live = true
			case err != nil:
				return err
			case client.HasLiveSecretUnder(keyID, now):
				live = true
			}
			return nil
		})
		if err != nil || live || found == 0 {
			return live, err
		}
	}
}

var (
	_ application.SecretKeys = (*Store)(nil)
	_ application.Examiner   = (*Store)(nil)
)
