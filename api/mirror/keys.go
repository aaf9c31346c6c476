package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

// How long fetched keys are used before they are read again, and how long a failure is
// used before the next attempt.
const (
	keysFresh   = 30 * time.Second
	keysFailure = time.Second
)

// maxKeys is the maximum number of keys of a client at a jwks_uri that are kept.
const maxKeys = 100

// fetchedKeys is the key set at a jwks_uri, as the registry read it. The zero value is
// ready to use.
type fetchedKeys struct {
	mu  sync.Mutex
	set json.RawMessage
	at  time.Time // of the last success
	err error     // of the last attempt
	try time.Time // of the last attempt
}

// Keys returns the public keys of the client as a JWK Set (RFC 7517 §5), or nil if it has
// none. The error is as that of [Mirror.Resolve].
//
// Inline keys are in the copy, so a removed key ends with the change. Keys at a jwks_uri
// are read through the registry, which fetches and caches them, and used for 30 seconds.
// While they cannot be read, the last ones remain in use for as long as the copy may; if
// there are none, the error is [ErrUnavailable].
func (m *Mirror) Keys(ctx context.Context, id string) ([]byte, error) {
	e, err := m.resolve(ctx, id)
	if err != nil {
		return nil, err
	}
	if e.client.JWKSURI == "" {
		return e.client.JWKS, nil
	}
	k := &e.keys
	k.mu.Lock() // callers wait for one request
	defer k.mu.Unlock()
	now := m.now()
	switch {
	case k.set != nil && since(k.at, now) < keysFresh:
		return k.set, nil
	case k.err == nil || since(k.try, now) >= keysFailure:
		k.try = now
		var set json.RawMessage
		if set, k.err = m.registry.keys(ctx, id); k.err == nil {
			k.set, k.at = set, now
		}
	}
	if k.set != nil && (m.config.MaxStaleness < 0 || since(k.at, now) < m.config.MaxStaleness) {
		return k.set, nil
	}
	return nil, fmt.Errorf("%w: keys of the client: %w", ErrUnavailable, k.err)
}

// keys reads the keys that the registry fetched from the jwks_uri of a client.
func (r registry) keys(ctx context.Context, id string) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	response, err := r.client.GetClientKeys(ctx, id, nil)
	var body struct {
		Data *struct {
			State  string `json:"state"`
			Detail string `json:"detail"`
			Keys   []struct {
				KeyType    string            `json:"kty"`
				Curve      string            `json:"crv"`
				ID         string            `json:"kid"`
				Use        string            `json:"use"`
				Algorithm  string            `json:"alg"`
				Operations []string          `json:"key_ops"`
				Public     map[string]string `json:"public_key"`
			} `json:"keys"`
		} `json:"data"`
	}
	if _, err := read(response, err, maxClientBytes, &body); err != nil {
		return nil, err
	}
	d := body.Data
	switch {
	case d == nil || len(d.Keys) > maxKeys:
		return nil, errors.New("the response has no keys of a client, or too many")
	case d.State != "seen":
		return nil, fmt.Errorf("the registry has no keys (%s): %s", d.State, d.Detail)
	}
	keys := make([]map[string]any, 0, len(d.Keys))
	for _, key := range d.Keys {
		jwk := map[string]any{"kty": key.KeyType}
		for name, value := range key.Public {
			jwk[name] = value
		}
		for name, value := range map[string]string{"crv": key.Curve, "kid": key.ID, "use": key.Use, "alg": key.Algorithm} {
			if value != "" {
				jwk[name] = value
			}
		}
		if len(key.Operations) > 0 {
			jwk["key_ops"] = key.Operations
		}
		keys = append(keys, jwk)
	}
	return json.Marshal(map[string]any{"keys": keys})
}
