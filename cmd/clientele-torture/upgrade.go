package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver for firstRelease
	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver for firstRelease

	"github.com/clientele-oauth/clientele/api/client"
	"github.com/clientele-oauth/clientele/cmd/servicetest"
)

// upgradeScenario is the name of the scenario in which three replicas migrate concurrently
// and are killed during the migration.
const upgradeScenario = "migrations are killed half-way"

// oldClients is the number of clients in the store of the first release.
const oldClients = 4000

// The rows of the first release: a client and the revision that created it.
const (
	oldDocument = `{"id":"client_%[1]d","tenant_id":"tenant_dev","client_id":"app-%[1]d","revision":1,"created_at":"2026-04-15T10:30:00Z","updated_at":"2026-04-15T10:30:00Z","name":"App %[1]d","status":"active","is_confidential":true,"redirect_uris":["https://a%[1]d.example.com/cb"],"grant_types":["authorization_code"],"scopes":["openid"],"client_auth_methods":["client_secret_basic"]}`
	oldClient   = `INSERT INTO clients (client_id, tenant_id, revision, document, secrets) VALUES ('app-%[1]d', 'tenant_dev', 1, '%[2]s', '[]')`
	oldRevision = `INSERT INTO revisions (client_id, number, tenant_id, at, action, actor, document) VALUES ('app-%[1]d', 1, 'tenant_dev', '2026-04-15T10:30:00Z', 'create', 'alice', '%[2]s')`
)

// upgrade migrates a registry of the first release to the current schema. Three concurrent
// migrators are killed repeatedly. At the end it checks that every client is still there.
func upgrade(ctx context.Context, binary, store string, opts options) (v verdict, err error) {
	w, err := newWorld(ctx, binary, scenario{store: store}, opts.Seed, opts.Fault)
	if w != nil {
		defer w.close()
	}
	if err != nil {
		return v, err
	}
	if err := firstRelease(ctx, w, store); err != nil {
		return v, err
	}
	args := []string{"migrate", "--data", w.dir}
	if w.databaseURL != "" {
		args = append(args, "--database-url", w.databaseURL)
	}
	// Each round allows more time. Migrators are killed at its end, until one finishes.
	for limit, done := time.Millisecond, false; !done; limit += limit / 2 {
		if limit > time.Minute {
			return v, fmt.Errorf("the migration did not end within %s", limit)
		}
		var group sync.WaitGroup
		ends := make([]error, 3)
		for i := range ends {
			group.Go(func() {
				limited, cancel := context.WithTimeout(ctx, limit+time.Duration(i)*limit/4)
				defer cancel()
				command := exec.CommandContext(limited, binary, args...) // killed at the time limit
				output, err := command.CombinedOutput()
				if err != nil && limited.Err() == nil {
					err = fmt.Errorf("a migrator failed: %w: %s", err, output)
				}
				ends[i] = err
			})
		}
		group.Wait()
		for _, err := range ends {
			switch {
			case err == nil:
				done = true
			case strings.HasPrefix(err.Error(), "a migrator failed"):
				v.wrong("%v", err)
				return v, nil
			default:
				v.Kills++
			}
		}
	}
	if err := w.serve(ctx); err != nil {
		return v, err
	}
	token, err := servicetest.Token(w.dir)
	if err != nil {
		return v, err
	}
	v.Acknowledged = oldClients
	return v, checkOldClients(ctx, "http://"+w.address, token, &v)
}

// firstRelease creates the schema of the first release and fills it.
func firstRelease(ctx context.Context, w *world, store string) error {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return fmt.Errorf("find the module's folder: %w", err)
	}
	adapter, driver, source, dialect := "sqlite", "sqlite", filepath.Join(w.dir, "clientele.db"), goose.DialectSQLite3
	if store == onPostgres {
		adapter, driver, source, dialect = "postgres", "pgx", w.databaseURL, goose.DialectPostgres
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	migrations := os.DirFS(filepath.Join(strings.TrimSpace(string(root)), "adapters", adapter, "migrations"))
	provider, err := goose.NewProvider(dialect, db, migrations)
	if err != nil {
		return err
	}
	if _, err := provider.UpTo(ctx, 1); err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for i := range oldClients {
		document := fmt.Sprintf(oldDocument, i)
		for _, statement := range []string{fmt.Sprintf(oldClient, i, document), fmt.Sprintf(oldRevision, i, document)} {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("fill the store of the first release: %w", err)
			}
		}
	}
	return tx.Commit()
}

// checkOldClients checks that each client is in the list once and in the feed once.
func checkOldClients(ctx context.Context, url, token string, v *verdict) error {
	registry, err := client.Connect(url, client.Settings{Token: client.StaticToken(token)})
	if err != nil {
		return err
	}
	listed, inFeed := map[string]int{}, map[string]int{}
	params := &client.ListClientsParams{Limit: new(int32(100)), Scope: new("openid")}
	for {
		page, err := registry.ListClientsWithResponse(ctx, params)
		if err != nil {
			return err
		}
		for _, item := range *page.JSON200.Items {
			listed[*item.ClientID]++
		}
		if params.After = page.JSON200.Next; params.After == nil {
			break
		}
	}
	marks, err := readFeed(ctx, registry, v)
	if err != nil {
		return err
	}
	for r := range marks {
		inFeed[r.clientID]++
	}
	for i := range oldClients {
		id := fmt.Sprintf("app-%d", i)
		switch {
		case listed[id] == 0 || inFeed[id] == 0:
			v.Lost++
		case listed[id] > 1 || inFeed[id] > 1:
			v.Doubled++
		default:
			v.Found++
		}
	}
	if len(listed) != oldClients || len(inFeed) != oldClients {
		v.wrong("%d clients are in the list and %d in the feed", len(listed), len(inFeed))
	}
	return nil
}
