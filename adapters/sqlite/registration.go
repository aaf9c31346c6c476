package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/document"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// CommitRegistration implements [application.RegistrationStore]. The transaction takes the
// write lock before it reads, so registrations run one after the other.
func (s *Store) CommitRegistration(
	ctx context.Context, r domain.Revision, claim application.RegistrationClaim, record *application.IdempotencyRecord,
) error {
	if err := document.CheckClaim(claim); err != nil {
		return err
	}
	tenant := r.Client.Identity().TenantID
	err := s.write(ctx, func(tx *sql.Tx) error {
		if err := keepRecord(ctx, tx, tenant, record); err != nil {
			return err
		}
		if err := takeClaim(ctx, tx, r.Client.Identity(), claim, r.At); err != nil {
			return err
		}
		return s.commit(ctx, tx, r)
	})
	if err == nil {
		s.readers.Publish(tenant)
	}
	return err
}

// takeClaim takes what a registration uses, before its client is stored.
func takeClaim(ctx context.Context, tx *sql.Tx, client domain.Identity, claim application.RegistrationClaim, at time.Time) error {
	const take = `
		UPDATE initial_tokens SET uses = uses + 1
		WHERE tenant_id = ? AND token_id = ? AND uses < max_uses AND revoked_at IS NULL AND expires_at > ?`
	tenant := client.TenantID
	if claim.TokenID != "" {
		result, err := tx.ExecContext(ctx, take, string(tenant), claim.TokenID, timeText(at))
		if err := took(result, err, application.ErrTokenEnded); err != nil {
			return err
		}
	}
	if claim.Statement != nil {
		if err := useStatement(ctx, tx, client, claim.Statement, at); err != nil {
			return err
		}
	}
	if err := checkPlace(ctx, tx, tenant, "", claim.MaxClients); err != nil {
		return err
	}
	if claim.TokenID == "" {
		return nil
	}
	return checkPlace(ctx, tx, tenant, claim.TokenID, claim.MaxTokenClients)
}

// useStatement records the use of a statement, and checks that its software has no other
// client.
func useStatement(ctx context.Context, tx *sql.Tx, client domain.Identity, of *domain.Statement, at time.Time) error {
	const use = `
		INSERT INTO used_statements AS used (tenant_id, issuer, digest, expires_at) VALUES (?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET expires_at = excluded.expires_at WHERE used.expires_at <= ?`
	const taken = `SELECT EXISTS (SELECT 1 FROM registered_clients WHERE tenant_id = ? AND software = ? AND software <> '' AND client_id <> ?)`
	if of.ID != nil {
		result, err := tx.ExecContext(ctx, use, string(client.TenantID), of.Issuer, of.ID[:], timeText(of.ExpiresAt), timeText(at))
		if err := took(result, err, application.ErrReplayed); err != nil {
			return err
		}
	}
	if !of.UniqueSoftware {
		return nil
	}
	var found bool
	err := tx.QueryRowContext(ctx, taken, string(client.TenantID), document.SoftwareKey(of), string(client.ClientID)).Scan(&found)
	if err == nil && found {
		err = application.ErrSoftwareTaken
	}
	return err
}

// checkPlace returns an [*application.TooManyRegisteredError] if the tenant has limit or more
// clients that registered themselves, with the token unless that is empty. A limit of 0 is
// none.
func checkPlace(ctx context.Context, tx *sql.Tx, tenant domain.TenantID, token string, limit int) error {
	const count = `SELECT coalesce(sum(clients), 0) FROM registration_counts WHERE tenant_id = ? AND token_id = ?`
	const (
		unseen = `SELECT EXISTS (SELECT 1 FROM registered_clients WHERE tenant_id = ? AND self AND NOT seen)`
		with   = `SELECT EXISTS (SELECT 1 FROM registered_clients WHERE tenant_id = ? AND self AND NOT seen AND token_id = ? AND token_id <> '')`
	)
	if limit == 0 {
		return nil
	}
	var clients int
	if err := tx.QueryRowContext(ctx, count, string(tenant), token).Scan(&clients); err != nil || clients < limit {
		return err
	}
	query, args := unseen, []any{string(tenant)}
	if token != "" {
		query, args = with, append(args, token)
	}
	tooMany := &application.TooManyRegisteredError{}
	if err := tx.QueryRowContext(ctx, query, args...).Scan(&tooMany.Unseen); err != nil {
		return err
	}
	return tooMany
}

// AdoptRegistration implements [application.RegistrationStore].
func (s *Store) AdoptRegistration(ctx context.Context, c domain.Client) error {
	const statement = `
		UPDATE clients SET registration = ?, registered = ?, facets = ? WHERE client_id = ? AND tenant_id = ? AND revision = ?`
	registration, err := document.EncodeRegistration(c)
	if err != nil {
		return err
	}
	search := document.SearchOf(c)
	_, facets, err := searchColumns(search)
	if err != nil {
		return err
	}
	identity := c.Identity()
	return s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, statement, nullText(registration), nullText(search.Registered), facets,
			string(identity.ClientID), string(identity.TenantID), int64(c.Revision()))
		return took(result, err, application.ErrConflict)
	})
}

// RegisteredWith implements [application.RegistrationStore]. It skips clients that cannot be
// decoded.
func (s *Store) RegisteredWith(
	ctx context.Context, tenant domain.TenantID, tokenID string, after domain.ClientID, limit int,
) (clients []domain.Client, err error) {
	const query = `
		SELECT client_id, ` + columnsOfC + ` FROM registered_clients INDEXED BY registered_clients_token CROSS JOIN clients c USING (tenant_id, client_id)
		WHERE tenant_id = ? AND token_id = ? AND token_id <> '' AND client_id > ? ORDER BY client_id LIMIT ?`
	position := string(after)
	for {
		args := []any{string(tenant), tokenID, position, limit - len(clients)}
		found, err := s.readable(ctx, query, args, []any{&position}, &clients)
		if err != nil || found == 0 || len(clients) == limit {
			return clients, err
		}
	}
}

// columnsOfC are the clientColumns of a table c.
const columnsOfC = `c.tenant_id, c.client_id, c.revision, c.document, c.secrets, c.registration`

// readable adds the clients of a query that can be decoded. It returns how many rows it read,
// and scans their first columns.
func (s *Store) readable(ctx context.Context, query string, args, first []any, clients *[]domain.Client) (found int, err error) {
	err = s.each(ctx, s.reader, query, args, func(rows *sql.Rows) error {
		found++
		client, err := readClient(scanAfter{rows, first})
		if errors.Is(err, application.ErrUnreadable) {
			return nil
		}
		*clients = append(*clients, client)
		return err
	})
	return found, err
}

// Unseen implements [application.RegistrationStore]. It skips clients that cannot be decoded.
func (s *Store) Unseen(
	ctx context.Context, tenant domain.TenantID, after application.UnseenPosition, before time.Time, limit int,
) (clients []domain.Client, err error) {
	const query = `
		SELECT created_at, client_id, ` + columnsOfC + `
		FROM registered_clients INDEXED BY registered_clients_unseen CROSS JOIN clients c USING (tenant_id, client_id)
		WHERE tenant_id = ? AND self AND NOT seen AND created_at < ? AND (created_at, client_id) > (?, ?)
		ORDER BY created_at, client_id LIMIT ?`
	createdAt, id := timeText(after.CreatedAt), string(after.ClientID)
	for {
		args := []any{string(tenant), timeText(before), createdAt, id, limit - len(clients)}
		found, err := s.readable(ctx, query, args, []any{&createdAt, &id}, &clients)
		if err != nil || found == 0 || len(clients) == limit {
			return clients, err
		}
	}
}

// CountRegistered implements [application.RegistrationStore].
func (s *Store) CountRegistered(ctx context.Context) (count application.RegisteredCount, err error) {
	const query = `
		SELECT (SELECT coalesce(sum(clients), 0) FROM registration_counts WHERE token_id = ''),
			(SELECT count(*) FROM registered_clients WHERE self AND NOT seen),
			(SELECT count(*) FROM registered_clients WHERE pending)`
	err = s.reader.QueryRowContext(ctx, query).Scan(&count.Clients, &count.Unseen, &count.PendingDocuments)
	return count, translate(err)
}

// DeleteStatementUses implements [application.RegistrationStore].
func (s *Store) DeleteStatementUses(ctx context.Context, expired time.Time, limit int) (int, error) {
	const statement = `
		DELETE FROM used_statements WHERE (tenant_id, issuer, digest) IN (
			SELECT tenant_id, issuer, digest FROM used_statements WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`
	result, err := s.writer.ExecContext(ctx, statement, timeText(expired), limit)
	if err != nil {
		return 0, translate(err)
	}
	deleted, err := result.RowsAffected()
	return int(deleted), translate(err)
}

var _ application.RegistrationStore = (*Store)(nil)
