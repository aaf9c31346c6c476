package application

import (
	"crypto/hmac"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// maxProven bounds the secrets that are remembered.
const maxProven = 10_000

// provenSecrets remembers values of guessable secrets that this process has verified. So a
// client that has authenticated before is still recognised while its failed verifications
// are limited, and needs no slow hash for each request. It contains only a MAC of each
// value, under a key that exists only in the memory of the process. A secret never changes
// its value, so entries need not be removed when clients change.
type provenSecrets struct {
	mu   sync.Mutex
	key  [sha256.Size]byte
	made bool // whether there is a key
	macs map[secretKey][sha256.Size]byte
}

// mac returns the MAC of a value. The caller holds the lock.
func (p *provenSecrets) mac(random Random, value string) (mac [sha256.Size]byte) {
	if !p.made {
		p.key, p.made = random.Entropy(), true
	}
	h := hmac.New(sha256.New, p.key[:])
	h.Write([]byte(value))
	h.Sum(mac[:0])
	return mac
}

// note remembers the value of a secret.
func (p *provenSecrets) note(random Random, client domain.Client, secretID, value string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.macs == nil || len(p.macs) >= maxProven {
		p.macs = map[secretKey][sha256.Size]byte{}
	}
	identity := client.Identity()
	p.macs[secretKey{identity.TenantID, identity.ClientID, secretID}] = p.mac(random, value)
}

// find returns the live secret of the client whose remembered value is this one.
func (p *provenSecrets) find(random Random, client domain.Client, value string, now time.Time) (secretID string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.macs) == 0 {
		return "", false
	}
	identity := client.Identity()
	for _, s := range client.LiveSecrets(now) {
		known, found := p.macs[secretKey{identity.TenantID, identity.ClientID, s.ID}]
		if !found {
			continue
		}
		if mac := p.mac(random, value); hmac.Equal(known[:], mac[:]) {
			secretID, ok = s.ID, true
		}
	}
	return secretID, ok
}
