package mirror

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

// state is a copy of the clients up to a position in the feed.
type state struct {
	clients  map[string]*entry
	bytes    int64 // the sum of the sizes of the entries
	cursor   string
	snapshot time.Time // when its snapshot was read
}

func newState() *state { return &state{clients: map[string]*entry{}} }

// entry is a client in the copy. All fields are constant, except for the caches: a change
// of the client replaces the entry and so drops them, and a verification that began
// before the change can only write to the old one.
type entry struct {
	client    *Client // nil if the registry cannot read its record
	revision  int64
	verifiers []verifier // usable ones; nil if they are not known
	hashes    json.RawMessage
	cache     cache
	keys      fetchedKeys
}

// size is what an entry counts for [Config].MaxBytes.
func (e *entry) size() int64 {
	if e.client == nil {
		return 0
	}
	return int64(len(e.client.Document) + len(e.hashes))
}

// errTooLarge reports that the limit of [Config].MaxBytes is reached.
var errTooLarge = errors.New("the clients of the registry are larger than Config.MaxBytes")

// set adds or replaces an entry.
func (s *state) set(id string, e *entry, limit int64) error {
	total := s.bytes + e.size()
	if old := s.clients[id]; old != nil {
		total -= old.size()
	}
	if total > limit {
		return errTooLarge
	}
	s.bytes = total
	s.clients[id] = e
	return nil
}

// remove removes an entry.
func (s *state) remove(id string) {
	if old := s.clients[id]; old != nil {
		s.bytes -= old.size()
		delete(s.clients, id)
	}
}

// fresh returns a copy of the entry with an empty cache.
func (e *entry) fresh() *entry {
	return &entry{client: e.client, revision: e.revision, verifiers: e.verifiers, hashes: e.hashes}
}

// withHashes returns a copy of the entry with the hashes of its secrets.
func (e *entry) withHashes(hashes json.RawMessage) (*entry, error) {
	verifiers, err := parseVerifiers(hashes)
	if err != nil {
		return nil, err
	}
	return &entry{client: e.client, revision: e.revision, verifiers: verifiers, hashes: hashes}, nil
}

// verifier is the hash of a secret.
type verifier struct {
	id      string
	hash    []byte
	expires time.Time // zero if it does not expire
}

// maxVerifiers is the maximum number of secrets of a client that are kept. A registry
// permits two valid ones.
const maxVerifiers = 16

// parseVerifiers reads an array of hashes. The result has those of SHA-256; it is nil if
// text is.
func parseVerifiers(text json.RawMessage) ([]verifier, error) {
	if text == nil {
		return nil, nil
	}
	var items []struct {
		Algorithm string    `json:"algorithm"`
		SecretID  string    `json:"secret_id"`
		Hash      string    `json:"hash"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	if err := json.Unmarshal(text, &items); err != nil {
		return nil, fmt.Errorf("the hashes of secrets cannot be read: %w", err)
	}
	if len(items) > maxVerifiers {
		return nil, fmt.Errorf("a client has %d secrets", len(items))
	}
	verifiers := make([]verifier, 0, len(items))
	for _, item := range items {
		if item.Algorithm != "sha-256" {
			continue
		}
		hash, err := hex.DecodeString(item.Hash)
		if err != nil || len(hash) != 32 {
			return nil, errors.New("the hash of a secret is not one of SHA-256")
		}
		verifiers = append(verifiers, verifier{item.SecretID, hash, item.ExpiresAt})
	}
	return verifiers, nil
}

// newEntry reads a document. The entry is nil if the client is deleted.
func newEntry(text []byte) (id string, e *entry, err error) {
	c, deleted, hashes, err := parseClient(text)
	if err != nil {
		return "", nil, err
	}
	if deleted {
		return c.ID, nil, nil
	}
	if c.Revision == 0 {
		return "", nil, fmt.Errorf("client %q has no revision", c.ID)
	}
	e = &entry{client: c, revision: c.Revision}
	if hashes != nil {
		if e, err = e.withHashes(hashes); err != nil {
			return "", nil, err
		}
	}
	return c.ID, e, nil
}

// cache is the positive results of verifications, and the verifications that run. The zero
// value is ready to use.
type cache struct {
	mu       sync.Mutex
	verified map[digest]result
	flights  map[digest]*flight
}
