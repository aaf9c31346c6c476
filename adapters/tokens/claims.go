package tokens

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/clientele-oauth/clientele/adapters/internal/jws"
	"github.com/clientele-oauth/clientele/adapters/internal/strictjson"
)

// claimSet contains the claims of a token.
type claimSet = jws.Members

// tokenTimes are the times in a token. A time that is absent is zero.
type tokenTimes struct {
	expires, notBefore, issued time.Time
}

// timesOf reads "exp", which is required, "nbf" and "iat" (RFC 7519 §4.1.4 to
// §4.1.6).
func timesOf(c claimSet) (times tokenTimes, err error) {
	expires, ok, err := c.Date("exp")
	switch {
	case err != nil:
		return times, err
	case !ok:
		return times, errors.New("exp is missing")
	}
	times.expires = expires
	if times.notBefore, _, err = c.Date("nbf"); err != nil {
		return times, err
	}
	times.issued, _, err = c.Date("iat")
	return times, err
}

// check reports why a token with these times must not be accepted now. A maxLifetime
// of 0 means no limit; otherwise it counts from "iat", or from now if the token has
// none.
func (t tokenTimes) check(now time.Time, maxLifetime time.Duration) error {
	start := now
	if !t.issued.IsZero() {
		start = t.issued
	}
	switch {
	case !now.Before(t.expires.Add(clockSkew)):
		return fmt.Errorf("it expired at %s", formatTime(t.expires))
	case now.Add(clockSkew).Before(t.notBefore):
		return fmt.Errorf("it is not valid before %s", formatTime(t.notBefore))
	case now.Add(clockSkew).Before(t.issued):
		return fmt.Errorf("it was issued in the future, at %s", formatTime(t.issued))
	case !t.notBefore.IsZero() && !t.expires.After(t.notBefore):
		return errors.New("exp is not after nbf")
	case !t.issued.IsZero() && !t.expires.After(t.issued):
		return errors.New("exp is not after iat")
	case maxLifetime > 0 && t.expires.Sub(start) > maxLifetime:
		return fmt.Errorf("it is valid for longer than %s", maxLifetime)
	}
	return nil
}

func formatTime(at time.Time) string { return at.UTC().Format(time.RFC3339) }

// namesOf reads a claim that lists roles or teams: a string is one name, each
// string of an array is one, and so is each key of an object whose value is not
// null, false or empty, as in ZITADEL's {"admin": {"organization": "domain"}}.
func namesOf(raw jsontext.Value) []string {
	switch raw.Kind() {
	case jsontext.KindString:
		if name, ok := strictjson.String(raw); ok && name != "" {
			return []string{name}
		}
	case jsontext.KindBeginArray:
		var names []string
		elements, err := strictjson.Array(raw)
		if err != nil {
			return nil
		}
		for _, element := range elements {
			if name, ok := strictjson.String(element); ok && name != "" {
				names = append(names, name)
			}
		}
		return names
	case jsontext.KindBeginObject:
		return keysOf(raw)
	default:
	}
	return nil
}

// keysOf lists the keys of an object whose values are not empty, sorted.
func keysOf(raw jsontext.Value) []string {
	members, err := strictjson.Object(raw)
	if err != nil {
		return nil
	}
	var keys []string
	for key, value := range members {
		if key != "" && !isEmpty(value) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// isEmpty reports whether a value is null, false, {} or [].
func isEmpty(raw jsontext.Value) bool {
	switch raw.Kind() {
	case jsontext.KindNull, jsontext.KindFalse:
		return true
	case jsontext.KindBeginArray:
		elements, err := strictjson.Array(raw)
		return err == nil && len(elements) == 0
	case jsontext.KindBeginObject:
		members, err := strictjson.Object(raw)
		return err == nil && len(members) == 0
	default:
		return false
	}
}

// scopesOf reads a claim that lists scopes. A string contains them separated by
// spaces (RFC 8693 §4.2); other types are read as in [namesOf].
func scopesOf(raw jsontext.Value) []string {
	if text, ok := strictjson.String(raw); ok {
		return strings.Fields(text)
	}
	return namesOf(raw)
}

// singleOf reads a claim that contains one name: a string or an integer, or an array
// or an object with exactly one of them. Errors continue the name of the claim.
func singleOf(raw jsontext.Value) (string, error) {
	switch raw.Kind() {
	case jsontext.KindString:
		if name, ok := strictjson.String(raw); ok && name != "" {
			return name, nil
		}
		return "", errors.New("is empty")
	case jsontext.KindNumber:
		if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil && n >= 0 {
			return strconv.FormatInt(n, 10), nil
		}
		return "", errors.New("is a number, but not a non-negative integer")
	case jsontext.KindBeginArray:
		elements, err := strictjson.Array(raw)
		if err != nil || len(elements) != 1 {
			return "", fmt.Errorf("is an array of %d values; exactly one is required", len(elements))
		}
		if kind := elements[0].Kind(); kind != jsontext.KindString && kind != jsontext.KindNumber {
			return "", errors.New("is an array, but not of strings")
		}
		return singleOf(elements[0])
	case jsontext.KindBeginObject:
		keys := keysOf(raw)
		if len(keys) != 1 {
			return "", fmt.Errorf("is an object with %d keys; exactly one is required", len(keys))
		}
		return keys[0], nil
	default:
		return "", fmt.Errorf("is %s", excerptOf(raw))
	}
}
