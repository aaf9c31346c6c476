package secrethash

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Bounds of the parameters, so that a verification takes about a second and 128 MiB at
// most. The lower bounds of PBKDF2 are those of RFC 8018 §4.1 and §4.2.
const (
	minIterations, maxIterations = 1_000, 1_000_000 // of PBKDF2
	minBcryptCost, maxBcryptCost = 4, 14
	minMemory, maxMemory         = 8, 128 << 10 // of Argon2, in KiB (RFC 9106 §3.1: at least 8 for each lane)
	maxPasses                    = 16           // of Argon2
	maxArgonWork                 = 512 << 10    // KiB of memory times passes
	maxLanes                     = 16           // of Argon2
	maxScryptLog                 = 17           // logarithm of the cost N
	maxScryptBlock               = 32           // r
	maxScryptLanes               = 16           // p
	maxScryptWork                = 1 << 20      // N times r times p; N times r is 128 bytes of memory each
	minSalt, maxSalt             = 8, 64        // bytes
	minHash, maxHash             = 16, 64       // bytes
)

// bcryptForm is the text of a bcrypt hash: cost, salt and hash in bcrypt's own base64.
var bcryptForm = regexp.MustCompile(`^\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}$`)

// phc is a parsed PHC string or one of its relatives.
type phc struct {
	id         string
	parameters map[string]uint64
	salt, hash []byte
}

// syntax rejects a text that has no supported form.
func syntax(format string, args ...any) error {
	return violation(domain.RuleSecretHashSyntax, fmt.Sprintf(format, args...))
}

func violation(rule, message string) error {
	return &application.InvalidError{Findings: domain.Findings{domain.SecretHashViolation(rule, message)}}
}

// Parse implements [application.SecretHashes].
func (*Hashes) Parse(text string) (domain.ImportedHash, error) {
	if len(text) > domain.MaxSecretHashBytes {
		return domain.ImportedHash{}, syntax("the hash must have at most %d characters", domain.MaxSecretHashBytes)
	}
	for _, c := range []byte(text) {
		if c <= ' ' || c > '~' { // decoders of base64 ignore line breaks
			return domain.ImportedHash{}, syntax("the hash must have visible ASCII characters only, without spaces and line breaks")
		}
	}
	text, spring := withoutSpringPrefix(text)
	switch {
	case spring == "SHA-256":
		if sum, err := hex.DecodeString(text); err == nil && len(sum) == sha256.Size {
			return domain.ImportedHash{SHA256: sum}, nil
		}
		return domain.ImportedHash{}, syntax("after {SHA-256}, the hash must have 64 hexadecimal digits, without a salt")
	case strings.HasPrefix(text, "$2"):
		return domain.ImportedHash{Slow: text}, checkBcrypt(text)
	case strings.HasPrefix(text, "$"):
		parsed, err := parsePHC(text)
		if err == nil {
			err = parsed.check()
		}
		return domain.ImportedHash{Slow: text}, err
	default:
		sum, err := decodeSHA256(text)
		return domain.ImportedHash{SHA256: sum}, err
	}
}

// withoutSpringPrefix removes the id that Spring Security's DelegatingPasswordEncoder
// writes before a hash, if it is one of those whose hashes are supported.
func withoutSpringPrefix(text string) (rest, id string) {
	for _, id := range []string{"SHA-256", "bcrypt", "argon2", "argon2@SpringSecurity_v5_8"} {
		if rest, ok := strings.CutPrefix(text, "{"+id+"}"); ok {
			return rest, id
		}
	}
	return text, ""
}

// decodeSHA256 reads an SHA-256 without salt, in hexadecimal digits or in base64.
func decodeSHA256(text string) ([]byte, error) {
	if len(text) == hex.EncodedLen(sha256.Size) {
		if sum, err := hex.DecodeString(text); err == nil {
			return sum, nil
		}
	}
	unpadded := strings.TrimSuffix(text, "=")
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if sum, err := encoding.Strict().DecodeString(unpadded); err == nil && len(sum) == sha256.Size {
			return sum, nil
		}
	}
	return nil, syntax("the hash has no supported form; use a PHC string of argon2id, scrypt, pbkdf2-sha256 or pbkdf2-sha512, " +
		"a bcrypt hash, or the SHA-256 of the secret in hexadecimal digits or base64. Never send the secret itself")
}

func checkBcrypt(text string) error {
	parts := bcryptForm.FindStringSubmatch(text)
	if parts == nil {
		return syntax("a bcrypt hash must begin with $2a$, $2b$ or $2y$ and two digits, and have 60 characters")
	}
	cost, _ := strconv.ParseUint(parts[1], 10, 8) // two digits
	return within("the cost of bcrypt", cost, minBcryptCost, maxBcryptCost)
}

// parsePHC reads $id$v=19$name=number,…$salt$hash, where v is only for argon2id, and
// passlib's form of PBKDF2, $pbkdf2-sha256$iterations$salt$hash.
func parsePHC(text string) (p phc, err error) {
	empty, rest, _ := strings.Cut(text, "$")
	parts := strings.Split(rest, "$")
	if p.id = parts[0]; empty != "" {
		return p, syntax("a PHC string must begin with $")
	}
	decode := base64.RawStdEncoding.Strict().DecodeString
	switch p.id {
	case "argon2id":
		if len(parts) != 5 || parts[1] != "v=19" {
			return p, syntax("an argon2id hash must have the form $argon2id$v=19$m=…,t=…,p=…$salt$hash")
		}
		parts = parts[1:]
	case "pbkdf2-sha256", "pbkdf2-sha512":
		if len(parts) == 4 && parts[1] != "" && !strings.Contains(parts[1], "=") {
			parts[1] = "i=" + parts[1]
			decode = decodePasslib
		}
	case "scrypt":
	default:
		return p, syntax("the algorithm is not supported; use argon2id, scrypt, pbkdf2-sha256, pbkdf2-sha512, bcrypt or SHA-256")
	}
	if len(parts) != 4 {
		return p, syntax("the hash must have the form $%s$parameters$salt$hash", p.id)
	}
	if p.parameters, err = parseParameters(parts[1]); err != nil {
		return p, err
	}
	if p.salt, err = decode(parts[2]); err != nil {
		return p, syntax("the salt must be in base64 without padding")
	}
	if p.hash, err = decode(parts[3]); err != nil {
		return p, syntax("the last part, the hash, must be in base64 without padding")
	}
	return p, nil
}

// decodePasslib reads passlib's base64, which has "." in place of "+".
func decodePasslib(text string) ([]byte, error) {
	return base64.RawStdEncoding.Strict().DecodeString(strings.ReplaceAll(text, ".", "+"))
}

// parseParameters reads decimal numbers with names: "m=65536,t=3,p=4".
func parseParameters(text string) (map[string]uint64, error) {
	parameters := map[string]uint64{}
	for part := range strings.SplitSeq(text, ",") {
		name, number, _ := strings.Cut(part, "=")
		value, err := strconv.ParseUint(number, 10, 32)
		if _, twice := parameters[name]; err != nil || twice {
			return nil, syntax("the parameters must be names and numbers, each once, such as i=25000,l=32")
		}
		parameters[name] = value
	}
	return parameters, nil
}

// check validates names and bounds of the parameters.
func (p phc) check() error {
	size := uint64(len(p.hash))
	checks := []error{
		within("the length of the salt in bytes", uint64(len(p.salt)), minSalt, maxSalt),
		within("the length of the hash in bytes", size, minHash, maxHash),
	}
	switch p.id {
	case "argon2id":
		m, t, lanes := p.parameters["m"], p.parameters["t"], p.parameters["p"]
		checks = append(checks, p.named("m", "t", "p"),
			within("p", lanes, 1, maxLanes), within("t", t, 1, maxPasses),
			within("m", m, max(minMemory, minMemory*lanes), maxMemory), within("m times t", m*t, 1, maxArgonWork))
	case "scrypt":
		ln, r, lanes := p.parameters["ln"], p.parameters["r"], p.parameters["p"]
		checks = append(checks, p.named("ln", "r", "p"),
			within("ln", ln, 1, maxScryptLog), within("r", r, 1, maxScryptBlock), within("p", lanes, 1, maxScryptLanes),
			within("2^ln times r times p", (1<<min(ln, maxScryptLog))*r*lanes, 1, maxScryptWork))
	default:
		names := []string{"i"}
		if length, given := p.parameters["l"]; given {
			if names = append(names, "l"); length != size {
				checks = append(checks, syntax("l must be the length of the hash in bytes, which is %d", size))
			}
		}
		checks = append(checks, p.named(names...), within("the iterations of PBKDF2", p.parameters["i"], minIterations, maxIterations))
	}
	for _, err := range checks {
		if err != nil {
			return err
		}
	}
	return nil
}

// named requires exactly these parameters.
func (p phc) named(names ...string) error {
	missing := len(p.parameters) != len(names)
	for _, name := range names {
		_, given := p.parameters[name]
		missing = missing || !given
	}
	if missing {
		return syntax("a hash with %s must have the parameters %s", p.id, strings.Join(names, ", "))
	}
	return nil
}

// within rejects a number that is out of bounds.
func within(what string, value, from, to uint64) error {
	if value >= from && value <= to {
		return nil
	}
	return violation(domain.RuleSecretHashBounds, fmt.Sprintf("%s must be between %d and %d; create a new secret instead", what, from, to))
}
