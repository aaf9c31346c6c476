package tokens

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/clientele-oauth/clientele/adapters/internal/strictjson"
)

// claimSet contains the members of a token's payload or header. Their values are
// valid JSON, and are decoded when needed.
type claimSet map[string]jsontext.Value

// text returns a string member; ok is false if there is none.
func (c claimSet) text(name string) (value string, ok bool, err error) {
	raw, ok := c[name]
	if !ok {
		return "", false, nil
	}
	if value, ok = strictjson.String(raw); !ok {
		return "", true, fmt.Errorf("%s is not a string", name)
	}
	return value, true, nil
}

// texts returns a member that is a string or an array of strings, such as "aud"
// (RFC 7519 §4.1.3).
func (c claimSet) texts(name string) ([]string, error) {
	raw, ok := c[name]
	if !ok {
		return nil, fmt.Errorf("%s is missing", name)
	}
	if value, ok := strictjson.String(raw); ok {
		return []string{value}, nil
	}
	elements, err := strictjson.Array(raw)
	if err != nil {
		return nil, fmt.Errorf("%s is neither a string nor an array of strings", name)
	}
	values := make([]string, len(elements))
	for i, element := range elements {
		if values[i], ok = strictjson.String(element); !ok {
			return nil, fmt.Errorf("%s is neither a string nor an array of strings", name)
		}
	}
	return values, nil
}

// maxNumericDate is the end of the year 9999, in seconds since 1970. RFC 3339 cannot
// represent later times.
const maxNumericDate = 253402300799

// date returns a member that is a NumericDate: a JSON number of seconds since
// 1970, which may have a fraction (RFC 7519 §2). ok is false if there is none.
func (c claimSet) date(name string) (at time.Time, ok bool, err error) {
	raw, ok := c[name]
	if !ok {
		return time.Time{}, false, nil
	}
	if raw.Kind() != jsontext.KindNumber {
		return time.Time{}, true, fmt.Errorf("%s is not a number", name)
	}
	seconds, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || seconds < 0 || seconds > maxNumericDate {
		return time.Time{}, true, fmt.Errorf("%s is not a time between 1970 and 9999", name)
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*float64(time.Second))), true, nil
}

// tokenTimes are the times in a token. A time that is absent is zero.
type tokenTimes struct {
	expires, notBefore, issued time.Time
}

// times reads "exp", which is required, "nbf" and "iat" (RFC 7519 §4.1.4 to
// §4.1.6).
func (c claimSet) times() (times tokenTimes, err error) {
	expires, ok, err := c.date("exp")
	switch {
	case err != nil:
		return times, err
	case !ok:
		return times, errors.New("exp is missing")
	}
	times.expires = expires
	if times.notBefore, _, err = c.date("nbf"); err != nil {
		return times, err
	}
	times.issued, _, err = c.date("iat")
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
