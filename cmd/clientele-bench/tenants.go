package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// tenant is a tenant with many clients, which differ only in identifiers, names and hosts.
type tenant struct {
	name    string
	clients int
	tokens  []string
	changes string // cursor of the end of its change feed
}

// fillTenant inserts n copies of a client that the service registered.
const fillTenant = `
	INSERT INTO clients (client_id, tenant_id, revision, document, secrets, name, status, facets)
	SELECT 'app-' || lpad(n::text, 8, '0'), '%[1]s', 1,
		(document::jsonb || jsonb_build_object('client_id', 'app-' || lpad(n::text, 8, '0'), 'tenant_id', '%[1]s', 'revision', 1,
			'id', 'client_' || n, 'name', 'Application ' || substr(md5(n::text), 1, 12)))::json,
		secrets, 'application ' || substr(md5(n::text), 1, 12), status, facets || ('redirect_host:h' || n / 10 || '.example.com')
	FROM (SELECT * FROM clients ORDER BY tenant_id, client_id LIMIT 1) AS one, generate_series(1, %[2]d) AS n;
	INSERT INTO client_counts SELECT '%[1]s', status, 0, count(*) FROM clients WHERE tenant_id = '%[1]s' GROUP BY status;
	INSERT INTO revisions (client_id, number, tenant_id, at, action, actor, document)
	SELECT client_id, 1, tenant_id, now(), 'create', 'bench', document FROM clients WHERE tenant_id = '%[1]s' ORDER BY client_id`

// newTenants creates tenants of the given sizes directly in the database, because that is
// much faster than through the service.
func newTenants(ctx context.Context, t *target, url string, sizes ...int) ([]tenant, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	// Triggers and indexes would slow down each of a million inserts. So the triggers are
	// disabled, and the indexes are built once, after the inserts.
	const before = `ALTER TABLE clients DISABLE TRIGGER USER; DROP INDEX clients_facets, clients_name; ANALYZE clients`
	if _, err := conn.Exec(ctx, before, pgx.QueryExecModeSimpleProtocol); err != nil {
		return nil, err
	}
	var tenants []tenant
	for _, n := range sizes {
		filled := tenant{name: "tenant_" + strconv.Itoa(n), clients: n}
		statements := fmt.Sprintf(fillTenant, filled.name, n)
		if _, err := conn.Exec(ctx, statements, pgx.QueryExecModeSimpleProtocol); err != nil {
			return nil, fmt.Errorf("fill a tenant: %w", err)
		}
		if filled.tokens, err = t.issuer.tokens(filled.name); err != nil {
			return nil, err
		}
		tenants = append(tenants, filled)
	}
	for _, statement := range []string{
		`CREATE INDEX clients_facets ON clients USING gin (facets) WITH (gin_pending_list_limit = 64)`,
		`CREATE INDEX clients_name ON clients USING gin (name gin_trgm_ops) WITH (gin_pending_list_limit = 64)`,
		`ALTER TABLE clients ENABLE TRIGGER USER`, `VACUUM ANALYZE clients`, `VACUUM ANALYZE revisions`,
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return nil, err
		}
	}
	return tenants, t.findFeedEnds(ctx, tenants)
}

// findFeedEnds sets the cursor of the end of each tenant's change feed.
func (t *target) findFeedEnds(ctx context.Context, tenants []tenant) error {
	for i := range tenants {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, t.URL+"/admin/oauth/clients?limit=1", http.NoBody)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+tenants[i].tokens[0])
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		var list struct {
			ChangesCursor string `json:"changes_cursor"`
		}
		err = errors.Join(json.NewDecoder(response.Body).Decode(&list), response.Body.Close())
		if err != nil {
			return err
		}
		tenants[i].changes = list.ChangesCursor
	}
	return nil
}
