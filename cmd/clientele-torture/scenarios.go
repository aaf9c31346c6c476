package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-oauth/clientele/cmd/servicetest"
)

// The stores that a scenario runs on.
const (
	onSQLite   = "SQLite"
	onPostgres = "PostgreSQL"
)

// scenario is a kind of fault.
type scenario struct {
	name  string
	store string
	// before prepares the environment before the service starts; may be nil.
	before func(ctx context.Context, w *world) error
	// faults injects the faults during the load, and ends them.
	faults func(ctx context.Context, w *world) error
	// smallDisk is the size of the store's disk in MiB; 0 means an ordinary disk.
	smallDisk int
	settings  []string // of the database
}

// scenarios returns the scenarios of the campaign. Their names appear in the published
// results (docs/reliability.md).
func scenarios() []scenario {
	var list []scenario
	for _, store := range []string{onSQLite, onPostgres} {
		list = append(list,
			scenario{name: "the service is killed", store: store, faults: killService},
			scenario{name: "the service is told to end", store: store, faults: stopService},
			scenario{name: "clients behave badly", store: store, faults: badClients},
			scenario{name: "hosts of keys are slow, dead or lie", store: store, before: allowKeyHosts, faults: badKeyHosts},
			scenario{name: "the token issuer is slow, dead or lies", store: store, before: useIssuer, faults: badIssuer},
		)
	}
	list = append(list,
		scenario{name: "callers change everything at once", store: onSQLite, faults: changeEverything},
		scenario{name: "callers of three replicas change everything at once", store: onPostgres, before: throughReplicas, faults: changeEverything},
	)
	return append(list,
		scenario{name: "the disk is full", store: onSQLite, faults: fullDisk, smallDisk: 16},
		scenario{name: "the disk is full", store: onPostgres, faults: fullDisk, smallDisk: 160, settings: []string{"max_wal_size=32MB", "min_wal_size=32MB"}},
		scenario{name: "the database is shut down", store: onPostgres, faults: crashDatabase},
		scenario{name: "the database is frozen", store: onPostgres, faults: freezeDatabase},
		scenario{name: "the database is slow", store: onPostgres, before: throughProxy, faults: slowDatabase},
		scenario{name: "the database has no connection left", store: onPostgres, faults: takeConnections},
		scenario{name: "the database is read-only", store: onPostgres, faults: readOnly},
		scenario{name: "the database refuses the credentials", store: onPostgres, faults: rejectCredentials},
		scenario{name: "the primary is lost, the standby promoted", store: onPostgres, before: withStandby, faults: promoteStandby},
		scenario{name: "three replicas, killed and replaced", store: onPostgres, before: throughReplicas, faults: killReplicas},
	)
}

func killService(ctx context.Context, w *world) error {
	return w.repeat(ctx, func() error {
		w.randomPause(ctx, 20*time.Millisecond, 400*time.Millisecond)
		w.kill()
		return w.serve(ctx)
	})
}

// stopService terminates the service under load. The service must shut down in time, and
// must send the response to every request that it has handled.
func stopService(ctx context.Context, w *world) error {
	return w.repeat(ctx, func() error {
		w.randomPause(ctx, 50*time.Millisecond, 400*time.Millisecond)
		if err := w.process.Command.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		timer := time.NewTimer(30 * time.Second)
		defer timer.Stop()
		select {
		case <-w.process.Ended:
		case <-timer.C:
			w.verdict.wrong("the service did not shut down within 30 seconds")
			w.process.Kill()
		}
		if !w.process.Command.ProcessState.Success() {
			w.verdict.wrong("the service did not shut down cleanly: %s", w.process.Command.ProcessState)
		}
		ended := w.process
		if err := w.serve(ctx); err != nil {
			return err
		}
		w.ledger.mu.Lock()
		defer w.ledger.mu.Unlock()
		for id := range w.ledger.failed {
			if logged(ended, id) {
				w.verdict.wrong("a request was handled, but its response was lost: %s", id)
			}
			delete(w.ledger.failed, id)
		}
		return nil
	})
}

func crashDatabase(ctx context.Context, w *world) error {
	return w.repeat(ctx, func() error {
		w.randomPause(ctx, 100*time.Millisecond, 600*time.Millisecond)
		w.database.Crash()
		w.verdict.Kills++
		w.randomPause(ctx, 10*time.Millisecond, 300*time.Millisecond)
		return w.database.Launch(ctx)
	})
}

func freezeDatabase(ctx context.Context, w *world) error {
	return w.repeat(ctx, func() error {
		w.database.Freeze()
		w.randomPause(ctx, w.fault/4, w.fault)
		w.database.Thaw()
		w.randomPause(ctx, 100*time.Millisecond, 300*time.Millisecond)
		return nil
	})
}

// throughProxy puts a proxy between the service and the database.
func throughProxy(ctx context.Context, w *world) error {
	dir, err := os.MkdirTemp("", "proxy")
	if err != nil {
		return err
	}
	socket := func(dir string) string { return filepath.Join(dir, ".s.PGSQL.5432") }
	between, err := newProxy(ctx, "unix", socket(dir), func() (string, string) { return "unix", socket(w.database.Socket()) })
	if err != nil {
		return err
	}
	w.cleanup = append(w.cleanup, func() { between.close(); _ = os.RemoveAll(dir) })
	w.databaseURL = "postgres:///clientele?user=clientele&host=" + dir
	w.slow = between
	return nil
}

func slowDatabase(ctx context.Context, w *world) error {
	defer w.slow.delay.Store(0)
	return w.repeat(ctx, func() error {
		w.slow.delay.Store(int64(time.Duration(w.random.Int64N(int64(500 * time.Millisecond)))))
		w.randomPause(ctx, 200*time.Millisecond, 500*time.Millisecond)
		w.slow.cut()
		return nil
	})
}

func takeConnections(ctx context.Context, w *world) error {
	var taken []*pgx.Conn
	defer func() {
		for _, conn := range taken {
			_ = conn.Close(ctx)
		}
	}()
	return w.repeat(ctx, func() error {
		for {
			conn, err := pgx.Connect(ctx, w.database.URL("postgres"))
			if err != nil {
				break
			}
			taken = append(taken, conn)
		}
		_, err := taken[0].Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'clientele'")
		w.randomPause(ctx, 10*time.Millisecond, 50*time.Millisecond)
		return err
	})
}

func readOnly(ctx context.Context, w *world) error {
	if err := w.execute(ctx, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"); err != nil {
		return err
	}
	w.randomPause(ctx, w.fault/2, w.fault)
	return w.execute(ctx, "ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")
}

func rejectCredentials(ctx context.Context, w *world) error {
	if err := w.execute(ctx, "ALTER ROLE clientele NOLOGIN"); err != nil {
		return err
	}
	w.database.Crash()
	w.verdict.Kills++
	if err := w.database.Launch(ctx); err != nil {
		return err
	}
	w.randomPause(ctx, w.fault/2, w.fault)
	return w.execute(ctx, "ALTER ROLE clientele LOGIN")
}

func fullDisk(ctx context.Context, w *world) error {
	disk := w.dir
	if w.database != nil {
		disk = w.database.Socket()
	}
	return w.repeat(ctx, func() error {
		free, err := fill(filepath.Dir(disk))
		if err != nil {
			return err
		}
		w.randomPause(ctx, w.fault/2, w.fault)
		if err := free(); err != nil {
			return err
		}
		if w.database != nil && !w.database.Running() { // it stopped because it could not write its log
			w.verdict.Kills++
			return w.database.Launch(ctx)
		}
		w.randomPause(ctx, 100*time.Millisecond, 300*time.Millisecond)
		return nil
	})
}

// withStandby adds a synchronous standby to the database, which has every commit before it
// is acknowledged. The service has the addresses of both.
func withStandby(ctx context.Context, w *world) error {
	standby, err := w.database.Standby(ctx, "standby")
	if err != nil {
		return err
	}
	w.cleanup = append(w.cleanup, func() { _ = standby.Stop() })
	w.standby = standby
	w.databaseURL = "postgres:///clientele?user=clientele&host=" + w.database.Socket() + "," + standby.Socket()
	if err := w.execute(ctx, "ALTER SYSTEM SET synchronous_standby_names = 'standby'", "SELECT pg_reload_conf()"); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, w.database.URL("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	for {
		var state string
		err := conn.QueryRow(ctx, "SELECT sync_state FROM pg_stat_replication").Scan(&state)
		if err == nil && state == "sync" {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		pause(ctx, 10*time.Millisecond)
	}
}

func promoteStandby(ctx context.Context, w *world) error {
	w.randomPause(ctx, w.fault/2, w.fault)
	w.database.Crash()
	w.verdict.Kills++
	return w.standby.Promote(ctx)
}

// throughReplicas starts three replicas behind a proxy.
func throughReplicas(ctx context.Context, w *world) error {
	replicas := &replicas{world: w, list: make([]*servicetest.Process, 3)}
	front, err := newProxy(ctx, "tcp", "127.0.0.1:0", replicas.choose)
	if err != nil {
		return err
	}
	if err := w.serve(ctx); err != nil { // it migrates, and creates the signing key that all replicas trust
		return err
	}
	w.process.Kill()
	for i := range replicas.list {
		if err := replicas.replace(ctx, i); err != nil {
			return err
		}
	}
	w.cleanup = append(w.cleanup, func() { replicas.end(); front.close() })
	w.process = nil
	w.address = front.listener.Addr().String()
	w.replicas = replicas
	return nil
}

type replicas struct {
	world *world
	mu    sync.Mutex
	list  []*servicetest.Process
	next  int
}

// choose returns the replicas in turn.
func (r *replicas) choose() (network, address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next++
	return "tcp", strings.TrimPrefix(r.list[r.next%len(r.list)].URL, "http://")
}

func (r *replicas) replace(ctx context.Context, i int) error {
	p, err := r.world.start(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list[i] = p
	return nil
}

func (r *replicas) end() {
	for _, p := range r.list {
		p.Kill()
	}
}

func killReplicas(ctx context.Context, w *world) error {
	r := w.replicas
	return w.repeat(ctx, func() error {
		w.randomPause(ctx, 50*time.Millisecond, 400*time.Millisecond)
		i := w.random.IntN(len(r.list))
		r.list[i].Kill()
		w.verdict.Kills++
		return r.replace(ctx, i)
	})
}

// badClients opens connections that are idle, slow, half-closed, reset, send garbage, or
// flood the service, during the load.
func badClients(ctx context.Context, w *world) error {
	var conns []net.Conn
	defer func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
	}()
	dialer := net.Dialer{Timeout: 5 * time.Second}
	for range w.idle {
		conn, err := dialer.DialContext(ctx, "tcp", w.address)
		if err != nil {
			return fmt.Errorf("idle connection %d: %w", len(conns), err)
		}
		conns = append(conns, conn)
	}
	var flood sync.WaitGroup
	defer flood.Wait()
	end := time.Now().Add(w.fault)
	for range 4 {
		flood.Go(func() {
			for time.Now().Before(end) {
				response, err := http.Get("http://" + w.address + "/admin/oauth/clients") //nolint:noctx // the service ends it
				if err == nil {
					_ = response.Body.Close()
				}
			}
		})
	}
	head := "PUT /admin/oauth/clients/shared-0 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + w.load.token +
		"\r\nContent-Type: application/json\r\nContent-Length: 400000\r\n\r\n"
	return w.repeat(ctx, func() error {
		for kind := range 5 {
			conn, err := dialer.DialContext(ctx, "tcp", w.address)
			if err != nil {
				return err
			}
			switch kind {
			case 0: // an incomplete body
				_, _ = conn.Write([]byte(head + `{"name":`))
				conns = append(conns, conn)
				continue
			case 1: // an incomplete request and a half-closed connection
				_, _ = conn.Write([]byte(head[:40]))
				_ = conn.(*net.TCPConn).CloseWrite() //nolint:forcetypeassert // a tcp connection
			case 2: // a reset during the request
				_, _ = conn.Write([]byte(head))
				_ = conn.(*net.TCPConn).SetLinger(0) //nolint:forcetypeassert // a tcp connection
			case 3: // garbage
				_, _ = conn.Write([]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 not HTTP\r\n\r\n"))
			default: // an endless header
				_, _ = conn.Write([]byte("GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 1<<20)))
			}
			_ = conn.Close()
		}
		pause(ctx, 5*time.Millisecond)
		return nil
	})
}

func allowKeyHosts(_ context.Context, w *world) error {
	w.args = append(w.args, "--key-host", "127.0.0.1", "--key-timeout", "1s")
	return nil
}

// badKeyHosts changes a client with a jwks_uri on hosts that do not respond, close the
// connection, or send garbage.
func badKeyHosts(ctx context.Context, w *world) error {
	return w.repeat(ctx, func() error {
		for _, behave := range []func(net.Conn){
			func(net.Conn) {},
			func(conn net.Conn) { _ = conn.Close() },
			func(conn net.Conn) { _, _ = conn.Write([]byte(strings.Repeat("garbage", 100))); _ = conn.Close() },
		} {
			listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			go func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					behave(conn)
				}
			}()
			began := time.Now()
			status, _, err := w.load.send(ctx, http.MethodPut, "/admin/oauth/clients/"+sharedID(0)+"?dry_run=true", "keys",
				map[string]any{"jwks_uri": "https://" + listener.Addr().String() + "/jwks.json"}, nil)
			if took := time.Since(began); took > 4*time.Second || err != nil || status != http.StatusOK {
				w.verdict.wrong("a client with keys behind a bad host: status %d, error %v, after %s", status, err, took)
			}
			_ = listener.Close()
		}
		return nil
	})
}

// issuer is a token issuer whose behaviour can be set.
type issuer struct {
	*httptest.Server
	keys   []byte
	behave atomic.Value // "normal", "slow", "dead", "lie"
}

// useIssuer makes the service trust an issuer that has the keys of development mode.
func useIssuer(ctx context.Context, w *world) error {
	if err := w.serve(ctx); err != nil {
		return err
	}
	w.process.Kill()
	keys, err := os.ReadFile(filepath.Join(w.dir, "signing-key.json"))
	if err != nil {
		return err
	}
	i := &issuer{keys: keys}
	i.behave.Store("normal")
	i.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch i.behave.Load() {
		case "slow":
			pause(r.Context(), 10*time.Second)
		case "dead":
			panic(http.ErrAbortHandler)
		case "lie":
			_, _ = rw.Write([]byte(`{"keys": [{"kty": "oct", "k": "AAAA"}]}`))
		default:
			_, _ = rw.Write(i.keys)
		}
	}))
	w.cleanup = append(w.cleanup, i.Close)
	w.issuer = i
	w.args = []string{"--issuer", "clientele-dev", "--issuer-keys", i.URL}
	return nil
}

// badIssuer makes the issuer misbehave, both while the service has the issuer's keys and
// while it has none.
func badIssuer(ctx context.Context, w *world) error {
	i := w.issuer
	defer i.behave.Store("normal")
	return w.repeat(ctx, func() error {
		for _, behaviour := range []string{"slow", "dead", "lie"} {
			i.behave.Store(behaviour)
			before := w.ledger.acks()
			w.randomPause(ctx, 50*time.Millisecond, 200*time.Millisecond)
			if w.ledger.acks() == before {
				w.awaitRecovery(ctx) // with the cached keys
			}
			w.kill()
			if err := w.serve(ctx); err != nil {
				return err
			}
			w.randomPause(ctx, 50*time.Millisecond, 100*time.Millisecond)
			i.behave.Store("normal")
			w.awaitRecovery(ctx)
		}
		return nil
	})
}
