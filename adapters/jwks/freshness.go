package jwks

// This file computes how long a response may be reused (RFC 9111 §4.2).

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// minFresh is how long keys and sector identifiers are reused at least.
const minFresh = 10 * time.Second

// freshness bounds the time for which a response is reused.
type freshness struct {
	least, most time.Duration
	unstated    time.Duration // of a response that does not state any
}

// resourceFreshness is that of keys and sector identifiers.
func resourceFreshness() freshness {
	return freshness{least: minFresh, most: time.Hour, unstated: time.Minute}
}

// of returns how long a response received now may be reused: its freshness lifetime less
// its age, within the bounds. One that must not be reused is reused for the least time.
func (f freshness) of(header http.Header, now time.Time) time.Duration {
	lifetime, ok := f.lifetime(header, now)
	if !ok {
		return f.least
	}
	return min(max(lifetime-age(header, now), f.least), f.most)
}

// lifetime returns the freshness lifetime of a response in a shared cache (RFC 9111
// §4.2.1): s-maxage, or else max-age, or else Expires less Date, or else what applies
// to one that does not state any. It returns false if the response must not be reused without
// validation, or if its directives are not valid.
func (f freshness) lifetime(header http.Header, now time.Time) (time.Duration, bool) {
	ages := map[string]time.Duration{}
	for directive := range strings.SplitSeq(strings.Join(header.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache", "private":
			return 0, false
		case "max-age", "s-maxage":
			seconds, ok := deltaSeconds(strings.Trim(value, `"`))
			if !ok {
				return 0, false
			}
			if _, repeated := ages[name]; !repeated { // the first one counts
				ages[name] = seconds
			}
		}
	}
	for _, name := range []string{"s-maxage", "max-age"} {
		if lifetime, ok := ages[name]; ok {
			return lifetime, true
		}
	}
	if values := header.Values("Expires"); len(values) > 0 {
		expires, err := http.ParseTime(values[0])
		if err != nil { // for example "0", which means the past (RFC 9111 §5.3)
			return 0, false
		}
		return expires.Sub(dateOf(header, now)), true
	}
	return f.unstated, true
}

// age returns the age of a response received now (RFC 9111 §4.2.3): the larger of
// its Age and the time since its Date.
func age(header http.Header, now time.Time) time.Duration {
	stated, _ := deltaSeconds(header.Get("Age"))
	return max(stated, now.Sub(dateOf(header, now)), 0)
}

// dateOf returns the Date of a response, or now if it has none (RFC 9110 §6.6.1).
func dateOf(header http.Header, now time.Time) time.Time {
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return now
	}
	return date
}

// deltaSeconds reads a number of seconds (RFC 9111 §1.2.2). One that is too large
// counts as 2³¹ seconds.
func deltaSeconds(text string) (time.Duration, bool) {
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	seconds, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		seconds = 1 << 31
	}
	return time.Duration(seconds) * time.Second, true
}
