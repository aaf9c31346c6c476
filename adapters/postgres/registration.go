package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-oauth/clientele/adapters/internal/document"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// CommitRegistration implements [application.RegistrationStore]. After the record of the
// request, it locks the counters of the tenant and the token. So registrations of a tenant
// run one after the other, and each sees what those before it have committed.
func (s *Store) CommitRegistration(
	ctx context.Context, r domain.Revision, claim application.RegistrationClaim, record *application.IdempotencyRecord,
) error {
	p, err := pending(r)
	if err == nil {
		err = document.CheckClaim(claim)
	}
	if err != nil {
		return err
	}
	tenant := p.client.tenant
	return s.transact(ctx, tenant, func(tx pgx.Tx) error {
		if err := keepRecord(ctx, tx, tenant, record); err != nil {
			return err
		}
		counted, err := lockCounts(ctx, tx, tenant, claim.TokenID)
		if err != nil {
			return err
		}
		if err := takeClaim(ctx, tx, r.Client.Identity(), claim, r.At); err != nil {
			return err
		}
		if err := checkPlaces(ctx, tx, tenant, claim, counted); err != nil {
			return err
		}
		return p.commit(ctx, tx)
	})
}

// lockCounts locks the counters of the tenant and of the token, unless that is empty, in the
// order in which the triggers lock them, and returns them by token.
func lockCounts(ctx context.Context, tx pgx.Tx, tenant domain.TenantID, token string) (map[string]int, error) {
	const lock = `
		INSERT INTO registration_counts AS counted (tenant_id, token_id, clients)
		SELECT DISTINCT $1, token, 0 FROM unnest($2::text[]) AS tokens (token) ORDER BY token
		ON CONFLICT (tenant_id, token_id) DO UPDATE SET clients = counted.clients
		RETURNING token_id, clients`
	rows, err := tx.Query(ctx, lock, string(tenant), []string{"", token})
	if err != nil {
		return nil, err
	}
	counted := map[string]int{}
	var (
		of      string
		clients int
	)
	_, err = pgx.ForEachRow(rows, []any{&of, &clients}, func() error {
		counted[of] = clients
		return nil
	})
	return counted, err
}

// takeClaim takes a use of the token and of the statement of a registration.
func takeClaim(ctx context.Context, tx pgx.Tx, client domain.Identity, claim application.RegistrationClaim, at time.Time) error {
	const take = `
		UPDATE initial_tokens SET uses = uses + 1
		WHERE tenant_id = $1 AND token_id = $2 AND uses < max_uses AND revoked_at IS NULL AND expires_at > $3`
	if claim.TokenID != "" {
		tag, err := tx.Exec(ctx, take, string(client.TenantID), claim.TokenID, at)
		if err := took(tag, err, application.ErrTokenEnded); err != nil {
			return err
		}
	}
	if claim.Statement == nil {
		return nil
	}
	return useStatement(ctx, tx, client, claim.Statement, at)
}

// useStatement records the use of a statement, and checks that its software has no other
// client.
func useStatement(ctx context.Context, tx pgx.Tx, client domain.Identity, of *domain.Statement, at time.Time) error {
	const use = `
		INSERT INTO used_statements AS used (tenant_id, issuer, digest, expires_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (tenant_id, issuer, digest) DO UPDATE SET expires_at = excluded.expires_at WHERE used.expires_at <= $5`
	const taken = `SELECT EXISTS (SELECT FROM registered_clients WHERE tenant_id = $1 AND software = $2 AND software <> '' AND client_id <> $3)`
	if of.ID != nil {
		tag, err := tx.Exec(ctx, use, string(client.TenantID), of.Issuer, of.ID[:], of.ExpiresAt, at)
		if err := took(tag, err, application.ErrReplayed); err != nil {
			return err
		}
	}
	if !of.UniqueSoftware {
		return nil
	}
	var found bool
	err := tx.QueryRow(ctx, taken, string(client.TenantID), document.SoftwareKey(of), string(client.ClientID)).Scan(&found)
	if err == nil && found {
		err = application.ErrSoftwareTaken
	}
	return err
}

// checkPlaces returns an [*application.TooManyRegisteredError] if the tenant or the token has
// no place left.
func checkPlaces(ctx context.Context, tx pgx.Tx, tenant domain.TenantID, claim application.RegistrationClaim, counted map[string]int) error {
	const (
		unseen = `SELECT EXISTS (SELECT FROM registered_clients WHERE tenant_id = $1 AND self AND NOT seen)`
		with   = `SELECT EXISTS (SELECT FROM registered_clients WHERE tenant_id = $1 AND self AND NOT seen AND token_id = $2 AND token_id <> '')`
	)
	query, args := unseen, []any{string(tenant)}
	switch {
	case claim.MaxClients > 0 && counted[""] >= claim.MaxClients:
	case claim.TokenID != "" && claim.MaxTokenClients > 0 && counted[claim.TokenID] >= claim.MaxTokenClients:
		query, args = with, append(args, claim.TokenID)
	default:
		return nil
	}
	tooMany := &application.TooManyRegisteredError{}
	if err := tx.QueryRow(ctx, query, args...).Scan(&tooMany.Unseen); err != nil {
		return err
	}
	return tooMany
}

// AdoptRegistration implements [application.RegistrationStore].
func (s *Store) AdoptRegistration(ctx context.Context, c domain.Client) error {
	const statement = `
		UPDATE clients SET registration = $4, registered = $5, facets = $6 WHERE client_id = $1 AND tenant_id = $2 AND revision = $3`
	registration, err := document.EncodeRegistration(c)
	if err != nil {
		return err
	}
	search := document.SearchOf(c)
	identity := c.Identity()
	return translate(retry(ctx, func() error {
		tag, err := s.pool.Exec(ctx, statement, string(identity.ClientID), string(identity.TenantID), int64(c.Revision()),
			registration, search.Registered, search.Facets)
		return took(tag, err, application.ErrConflict)
	}))
}

// columnsOfC are the clientColumns of a table c.
const columnsOfC = `c.tenant_id, c.client_id, c.revision, c.document, c.secrets, c.registration`

// RegisteredWith implements [application.RegistrationStore]. It skips clients that cannot be
// decoded.
func (s *Store) RegisteredWith(
	ctx context.Context, tenant domain.TenantID, tokenID string, after domain.ClientID, limit int,
) (clients []domain.Client, err error) {
	const query = `
		SELECT registered.client_id, ` + columnsOfC + ` FROM registered_clients AS registered JOIN clients c USING (tenant_id, client_id)
		WHERE registered.tenant_id = $1 AND registered.token_id = $2 AND registered.token_id <> '' AND registered.client_id > $3
		ORDER BY registered.client_id LIMIT $4`
	position := string(after)
	for {
		args := []any{string(tenant), tokenID, position, limit - len(clients)}
		found, err := s.readableClients(ctx, query, args, []any{&position}, &clients)
		if err != nil || found == 0 || len(clients) == limit {
			return clients, err
		}
	}
}

// readableClients adds the clients of a query that can be decoded. It returns how many rows
// it read, and scans their first columns.
func (s *Store) readableClients(ctx context.Context, query string, args, first []any, clients *[]domain.Client) (found int, err error) {
	var statements pgx.Batch
	statements.Queue(inOrder)
	statements.Queue(query, args...).Query(func(rows pgx.Rows) error {
		defer rows.Close()
		for rows.Next() {
			found++
			client, err := readClient(rows, first...)
			switch {
			case errors.Is(err, application.ErrUnreadable):
			case err != nil:
				return err
			default:
				*clients = append(*clients, client)
			}
		}
		return rows.Err()
	})
	err = s.pool.SendBatch(ctx, &statements).Close()
	return found, translate(err)
}

// Unseen implements [application.RegistrationStore]. It skips clients that cannot be decoded.
func (s *Store) Unseen(
	ctx context.Context, tenant domain.TenantID, after application.UnseenPosition, before time.Time, limit int,
) (clients []domain.Client, err error) {
	const query = `
		SELECT registered.created_at, registered.client_id, ` + columnsOfC + `
		FROM registered_clients AS registered JOIN clients c USING (tenant_id, client_id)
		WHERE registered.tenant_id = $1 AND registered.self AND NOT registered.seen AND registered.created_at < $2
			AND (registered.created_at, registered.client_id) > ($3, $4)
		ORDER BY registered.created_at, registered.client_id LIMIT $5`
	createdAt, id := after.CreatedAt, string(after.ClientID)
	for {
		args := []any{string(tenant), before, createdAt, id, limit - len(clients)}
		found, err := s.readableClients(ctx, query, args, []any{&createdAt, &id}, &clients)
		if err != nil || found == 0 || len(clients) == limit {
			return clients, err
		}
	}
}

// CountRegistered implements [application.RegistrationStore].
func (s *Store) CountRegistered(ctx context.Context) (count application.RegisteredCount, err error) {
	const query = `
		SELECT (SELECT coalesce(sum(clients), 0)::bigint FROM registration_counts WHERE token_id = ''),
			(SELECT count(*) FROM registered_clients WHERE self AND NOT seen),
			(SELECT count(*) FROM registered_clients WHERE pending)`
	err = s.pool.QueryRow(ctx, query).Scan(&count.Clients, &count.Unseen, &count.PendingDocuments)
	return count, translate(err)
}

// DeleteStatementUses implements [application.RegistrationStore]. It skips rows that another
// process deletes.
func (s *Store) DeleteStatementUses(ctx context.Context, expired time.Time, limit int) (deleted int, err error) {
	const statement = `
		DELETE FROM used_statements WHERE ctid = ANY (ARRAY(
			SELECT ctid FROM used_statements WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))`
	err = retry(ctx, func() error {
		tag, err := s.pool.Exec(ctx, statement, expired, limit)
		deleted = int(tag.RowsAffected())
		return err
	})
	return deleted, translate(err)
}

var _ application.RegistrationStore = (*Store)(nil)
