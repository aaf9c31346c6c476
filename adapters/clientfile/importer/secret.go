package importer

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Parameters of the hashes that are made of plain secrets. The number of iterations is
// four times the default of Hydra. More would slow down each verification, and add
// little: Keycloak and Hydra generate secrets that cannot be guessed, and the registry
// replaces the hash at the first successful verification.
const (
	iterations = 100_000
	saltBytes  = 16
	hashBytes  = sha256.Size
)

// SecretHash returns the hash of the client's secret, empty if the export has none that
// can be used. A hash in the export is returned as it is. A plain value is hashed with
// PBKDF2 and a random salt, in the form in which Hydra stores hashes, so each call
// returns another hash.
func (c Client) SecretHash() (string, error) {
	if c.secret == "" || isHash(c.secret) {
		return c.secret, nil
	}
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails (crypto/rand)
	hash, err := pbkdf2.Key(sha256.New, c.secret, salt, iterations, hashBytes)
	if err != nil {
		return "", err
	}
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$pbkdf2-sha256$i=%d,l=%d$%s$%s", iterations, hashBytes, encode(salt), encode(hash)), nil
}

// hashes match the hashes of secrets that Hydra stores: PBKDF2 and bcrypt, and Argon2id
// as a PHC string.
var hashes = regexp.MustCompile(`^\$(2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}` +
	`|pbkdf2-sha(256|512)\$i=[0-9]+,l=[0-9]+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+` +
	`|argon2id\$v=[0-9]+\$m=[0-9]+,t=[0-9]+,p=[0-9]+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+)$`)

// isHash reports whether an exported secret is a hash.
func isHash(secret string) bool { return hashes.MatchString(secret) }

// setSecret keeps the secret in a field of an export, or reports why it is not
// imported. The authentication methods are set already.
func (c *Client) setSecret(o *object, name string, expires bool) {
	secret, _ := take[string](o, name)
	switch {
	case secret == "":
	case !c.Change.Values().UsesSecret():
		o.report(name, "is ignored: the client does not authenticate with a secret")
	case strings.Trim(secret, "*") == "":
		o.report(name, "is masked; create a new secret, and give it to the client")
	case strings.HasPrefix(secret, "${"):
		o.report(name, "is a placeholder; create a new secret, and give it to the client")
	case utf8.RuneCountInString(secret) > maxSecretLength || strings.Contains(secret, "\x00"):
		o.report(name, "cannot be verified: it is longer than 512 characters or has U+0000; create a new secret, and give it to the client")
	case expires: // importing it would make it valid permanently
		o.report(name, "expires; create a new secret, and give it to the client")
	default:
		c.secret = secret
	}
}

// maxSecretLength is the maximum length of a secret that can be verified, in characters
// (VerifySecretRequest in openapi.yaml).
const maxSecretLength = 512
