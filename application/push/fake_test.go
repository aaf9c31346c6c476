package push_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/clientele-oauth/clientele/application/push"
	"github.com/clientele-oauth/clientele/application/push/pushtest"
	"github.com/clientele-oauth/clientele/domain"
)

// record is a client at the server in memory.
type record struct {
	settings domain.Settings // the attributes that are managed
	enabled  bool
	mark     push.Mark
	secret   string
	theirs   string // an attribute that is not managed
}

// fault is what the server does wrong with a client; the zero value is nothing.
type fault struct {
	refuse string // it refuses the client with these words
	fail   bool   // it responds with an error
	hang   bool   // it does not respond
	lie    bool   // it says that it has stored the client, and has not
}

// server is an authorization server in memory, and the target for it.
type server struct {
	mu      sync.Mutex
	clients map[domain.ClientID]record
	faults  map[domain.ClientID]fault
	down    bool
	traits  push.Traits
	running map[domain.ClientID]int // calls under way
	overlap []domain.ClientID       // clients about which calls were concurrent
	puts    map[domain.ClientID]int
	calls   int // of all kinds
}

func newServer() *server {
	return &server{
		clients: map[domain.ClientID]record{}, faults: map[domain.ClientID]fault{}, running: map[domain.ClientID]int{},
		puts: map[domain.ClientID]int{}, traits: push.Traits{Concurrency: 4},
	}
}

func (s *server) setFault(id domain.ClientID, f fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[id] = f
}

func (s *server) setDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// get returns what the server holds.
func (s *server) get(id domain.ClientID) (record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.clients[id]
	return r, ok
}

func (s *server) change(id domain.ClientID, change func(*record)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.clients[id]
	change(&r)
	s.clients[id] = r
}

func (s *server) accepts(id domain.ClientID, secret string) bool {
	r, ok := s.get(id)
	return ok && r.enabled && secret != "" && r.secret == secret
}

func (s *server) putsOf(id domain.ClientID) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.puts[id]
}

func (s *server) called() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

var errDown = errors.New("503 the server is down")

// begin starts a call about a client.
func (s *server) begin(ctx context.Context, id domain.ClientID, writes bool) (f fault, end func(), err error) {
	s.mu.Lock()
	f = s.faults[id]
	down := s.down
	s.calls++
	s.running[id]++
	if s.running[id] > 1 {
		s.overlap = append(s.overlap, id)
	}
	if writes {
		s.puts[id]++
	}
	s.mu.Unlock()
	end = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.running[id]--
	}
	switch {
	case f.hang:
		<-ctx.Done()
		err = ctx.Err()
	case ctx.Err() != nil:
		err = ctx.Err()
	case down || f.fail:
		err = errDown
	case f.refuse != "" && writes:
		err = push.Refused(f.refuse)
	}
	return f, end, err
}

func (*server) Name() string          { return "memory" }
func (s *server) Traits() push.Traits { return s.traits }
func held(id domain.ClientID, r record) push.Held {
	return push.Held{ClientID: id, Mark: r.mark, Enabled: r.enabled, Native: r}
}

// Check refuses a client with a certain description.
func (*server) Check(want push.Client) domain.Findings {
	if want.Settings().Description != "too long" {
		return nil
	}
	return domain.Findings{{Rule: "memory-description", Level: domain.Violation, Pointer: "/description", Message: "too long for the server"}}
}

func (s *server) List(ctx context.Context) iter.Seq2[push.Held, error] {
	return func(yield func(push.Held, error) bool) {
		s.mu.Lock()
		clients, down := maps.Clone(s.clients), s.down
		s.calls++
		s.mu.Unlock()
		if down || ctx.Err() != nil {
			yield(push.Held{}, errors.Join(errDown, ctx.Err()))
			return
		}
		for _, id := range slices.Sorted(maps.Keys(clients)) {
			if !yield(held(id, clients[id]), nil) {
				return
			}
		}
	}
}

func (s *server) Find(ctx context.Context, id domain.ClientID) (push.Held, error) {
	_, end, err := s.begin(ctx, id, false)
	defer end()
	if err != nil {
		return push.Held{}, err
	}
	r, ok := s.get(id)
	if !ok {
		return push.Held{}, push.ErrNotHeld
	}
	return held(id, r), nil
}

func (*server) Differences(_ context.Context, want push.Client, h push.Held) ([]push.Difference, error) {
	r := h.Native.(record)
	var differences []push.Difference
	for _, d := range domain.Compare(r.settings, want.Settings()) {
		differences = append(differences, push.Difference{Attribute: d.Field.String(), Held: fmt.Sprint(d.Before), Want: fmt.Sprint(d.After)})
	}
	if r.enabled != want.Enabled() {
		differences = append(differences, push.Difference{Attribute: "enabled", Held: strconv.FormatBool(r.enabled), Want: strconv.FormatBool(want.Enabled())})
	}
	return differences, nil
}

func (s *server) Put(ctx context.Context, want push.Client, h *push.Held) error {
	id := want.Identity().ClientID
	f, end, err := s.begin(ctx, id, true)
	defer end()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, exists := s.clients[id]
	switch {
	case h == nil && exists:
		return push.ErrExists
	case h != nil && !exists:
		return push.ErrNotHeld
	case want.Settings().Owner == "refused by the server":
		return push.Refused("400 \n the owner is unknown")
	case f.lie:
		return nil
	}
	r.settings, r.enabled, r.mark = want.Settings(), want.Enabled(), want.Mark
	if want.Secret != "" {
		r.secret = want.Secret
	}
	s.clients[id] = r
	return nil
}

func (s *server) Disable(ctx context.Context, h push.Held, mark push.Mark) error {
	f, end, err := s.begin(ctx, h.ClientID, false)
	defer end()
	if err != nil || f.lie {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.clients[h.ClientID]
	if !ok {
		return push.ErrNotHeld
	}
	r.enabled, r.mark = false, mark
	s.clients[h.ClientID] = r
	return nil
}

func (s *server) Delete(ctx context.Context, h push.Held) error {
	_, end, err := s.begin(ctx, h.ClientID, true)
	defer end()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.clients, h.ClientID)
	return nil
}

// The server in memory is a target like the others, so that what the worker does with it
// means something.
func TestTheServerInMemoryIsATarget(t *testing.T) {
	pushtest.Run(t, func(*testing.T) pushtest.Server {
		s := newServer()
		return pushtest.Server{
			Target: s,
			Plant:  func(_ *testing.T, id domain.ClientID) { s.change(id, func(r *record) { r.enabled = true }) },
			Tamper: func(_ *testing.T, id domain.ClientID) {
				s.change(id, func(r *record) { r.settings.RedirectURIs = []domain.RedirectURI{"https://evil.example.com/*"} })
			},
			Extend:   func(_ *testing.T, id domain.ClientID) { s.change(id, func(r *record) { r.theirs = "x" }) },
			Extended: func(_ *testing.T, id domain.ClientID) bool { r, _ := s.get(id); return r.theirs == "x" },
			Accepts:  func(_ *testing.T, id domain.ClientID, secret string) bool { return s.accepts(id, secret) },
			Refusable: func() domain.Settings {
				settings := pushtest.Machine()
				settings.Owner = "refused by the server"
				return settings
			},
			Fail: func(*testing.T) { s.setDown(true) },
		}
	})
}
