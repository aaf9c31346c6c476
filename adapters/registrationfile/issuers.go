package registrationfile

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/adapters/internal/jsonvalue"
	"github.com/clientele-oauth/clientele/adapters/internal/jwk"
	"github.com/clientele-oauth/clientele/domain"
)

// defaultAlgorithm is what Open Banking UK, Open Banking Brasil and the Consumer Data Right
// use.
const defaultAlgorithm = "PS256"

// Bounds of an issuer.
const (
	maxClaims     = 100
	maxClaimBytes = 128 // of a name
)

// algorithms lists the algorithms with which statements may be signed. none and HS256 to
// HS512 are not among them, because a statement must not be unsigned, and an issuer shares
// no secret.
func algorithms() []string {
	return []string{"PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519", "RS256", "RS384", "RS512"}
}

func (r *reader) issuers(pointer string, value any) (issuers []domain.StatementIssuer) {
	list, ok := value.([]any)
	if !ok {
		r.Add(pointer, "must be an array of objects")
		return nil
	}
	if len(list) > jsonvalue.MaxElements {
		r.Add(pointer, "must have at most "+contract.CountOf(jsonvalue.MaxElements, "element"))
		return nil
	}
	for i, element := range list {
		at := pointer + "/" + strconv.Itoa(i)
		issuer := r.issuer(at, element)
		same := func(other domain.StatementIssuer) bool { return other.Issuer == issuer.Issuer }
		if first := slices.IndexFunc(issuers, same); first >= 0 && issuer.Issuer != "" {
			r.Add(at+"/iss", "duplicate of "+pointer+"/"+strconv.Itoa(first))
		}
		issuers = append(issuers, issuer)
	}
	return issuers
}

func (r *reader) issuer(pointer string, value any) domain.StatementIssuer {
	s := domain.StatementIssuer{Algorithms: []string{defaultAlgorithm}, MaxAge: domain.DefaultStatementAge, OnceOnly: true, Mode: domain.ClaimsFixed}
	object, ok := r.Object(pointer, value, issuerKeys()...)
	if !ok {
		return s
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		r.issuerKey(pointer+"/"+name, name, object[name], &s)
	}
	if _, given := object["iss"]; !given {
		r.Add(pointer+"/iss", "is missing")
	}
	_, uri := object["jwks_uri"]
	if _, keys := object["keys"]; uri == keys {
		r.Add(pointer+"/jwks_uri", "set exactly one of jwks_uri and keys")
	}
	_, claim := object["role_claim"]
	if _, roles := object["roles"]; claim != roles {
		r.Add(pointer+"/roles", "set role_claim and roles together")
	}
	return s
}

// issuerKey reads the value of one key of an issuer.
func (r *reader) issuerKey(pointer, name string, value any, s *domain.StatementIssuer) {
	switch name {
	case "iss":
		s.Issuer, _ = r.Text(pointer, value, jsonvalue.TextFault)
	case "jwks_uri":
		s.JWKSURI, _ = r.Text(pointer, value, r.keysURIFault)
	case "keys":
		s.Keys = r.keys(pointer, value)
	case "algs":
		s.Algorithms, _ = r.Texts(pointer, value, algorithmFault)
		if list, isList := value.([]any); isList && len(list) == 0 {
			r.Add(pointer, "must have at least one element")
		}
	case "require_exp":
		s.RequireExpiry, _ = r.Bool(pointer, value)
	case "max_age":
		var ok bool
		switch s.MaxAge, ok = r.Duration(pointer, value); {
		case ok && s.MaxAge == 0:
			r.Add(pointer, "must be greater than zero")
		case s.MaxAge > domain.MaxStatementAge:
			r.Add(pointer, fmt.Sprintf("must be at most %d days", domain.MaxStatementAge/(24*time.Hour)))
		}
	case "jti":
		use, _ := jsonvalue.Choice(&r.Reader, pointer, value, "once", "ignore")
		s.OnceOnly = use == "once"
	case "mode":
		s.Mode, _ = jsonvalue.Choice(&r.Reader, pointer, value, domain.ClaimsFixed, domain.ClaimsCeiling)
	case "claims":
		s.Claims, _ = r.TextMap(pointer, value, maxClaims, maxClaimBytes, metadataFault)
	case "required":
		s.Required, _ = r.TextMap(pointer, value, maxClaims, maxClaimBytes, jsonvalue.Printable)
	case "role_claim":
		s.RoleClaim, _ = r.Text(pointer, value, jsonvalue.TextFault)
	case "roles":
		s.Roles = r.roles(pointer, value)
	case "request_jwt":
		s.RequestJWT, _ = r.Bool(pointer, value)
	case "audience":
		s.Audiences, _ = r.Texts(pointer, value, jsonvalue.TextFault)
	case "unique_software_id":
		s.UniqueSoftware, _ = r.Bool(pointer, value)
	}
}

// roles reads the scopes of each role.
func (r *reader) roles(pointer string, value any) map[string][]domain.Scope {
	object, ok := value.(map[string]any)
	if !ok || len(object) == 0 || len(object) > maxClaims {
		r.Add(pointer, fmt.Sprintf("must be an object of arrays of scopes, with between 1 and %d members", maxClaims))
		return nil
	}
	roles := map[string][]domain.Scope{}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		scopes, _ := r.Texts(pointer+"/"+jsonvalue.Escaped(name), object[name], jsonvalue.ScopeFault)
		roles[name] = []domain.Scope{}
		for _, scope := range scopes {
			roles[name] = append(roles[name], domain.Scope(scope))
		}
	}
	return roles
}

// keys reads a JWK Set of public keys (RFC 7517 §5), and returns its text.
func (r *reader) keys(pointer string, value any) string {
	object, ok := value.(map[string]any)
	if !ok {
		r.Add(pointer, "must be a JWK Set, an object with keys")
		return ""
	}
	text, err := json.Marshal(object)
	if err != nil || len(text) > domain.MaxKeySetBytes {
		r.Add(pointer, fmt.Sprintf("must be a JWK Set of at most %d bytes", domain.MaxKeySetBytes))
		return ""
	}
	public, _ := jwk.PublicSet(string(text))
	var read struct{ Keys []json.RawMessage }
	list, isList := object["keys"].([]any)
	if json.Unmarshal(public, &read) != nil || !isList || len(list) != len(read.Keys) || len(list) == 0 {
		r.Add(pointer, "must be a JWK Set with at least one key, each of them valid, public and not symmetric")
		return ""
	}
	return string(text)
}

func algorithmFault(name string) string {
	switch name {
	case "none", "HS256", "HS384", "HS512":
		return "must be an algorithm with a public key; none and HS* cannot be allowed"
	default:
		return jsonvalue.OneOf(algorithms()...)(name)
	}
}

// metadataFault allows the names of client metadata that a client may set.
func metadataFault(name string) string {
	for f := range domain.SelfFields().All() {
		if f.Metadata() == name {
			return ""
		}
	}
	return "must be a name of client metadata (RFC 7591 §2), such as client_name"
}

// keysURIFault allows https URLs, and http for loopback addresses if the rulebook does.
func (r *reader) keysURIFault(text string) string {
	at, err := url.Parse(text)
	switch {
	case err != nil || at.Host == "" || at.Scheme != "https" && at.Scheme != "http":
		return "must be an https URL"
	case at.User != nil || at.Fragment != "":
		return "must not have a user name or a fragment"
	case at.Scheme == "http" && (!r.book.Policy().Loopback || !isLoopback(at.Hostname())):
		return "must be an https URL: keys that can be tampered with in transit prove nothing"
	default:
		return ""
	}
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}
