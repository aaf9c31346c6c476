package contract

import (
	"errors"
	"strings"
	"time"
)

// The reasons why a time is rejected.
var (
	errTimeForm  = errors.New("must be a time as in 2026-04-15T10:30:00Z (RFC 3339 §5.6)")
	errTimeValue = errors.New("must be a time that exists (RFC 3339 §5.7)")
	errTimeRange = errors.New("must be between the years 0000 and 9999 in UTC")
)

// ParseTime parses a time in the format of RFC 3339 §5.6. All times that callers send
// are parsed here. The result is in UTC and in the years 0000 to 9999, so that it can
// be written in RFC 3339 format again.
//
// Unlike [time.Parse], it follows the RFC in two points: "t" and "z" may be lower case
// (§5.6), and second 60 is a leap second, which is accepted only at the end of a month
// in UTC (§5.7). Go has no leap seconds, so the result is the first instant of the next
// month. Digits beyond nanoseconds are dropped.
func ParseTime(text string) (time.Time, error) {
	p := timeText(text)
	year, month, day := p.number(0, 4), p.number(5, 2), p.number(8, 2)
	hour, minute, second := p.number(11, 2), p.number(14, 2), p.number(17, 2)
	for _, part := range []int{year, month, day, hour, minute, second} {
		if part < 0 {
			return time.Time{}, errTimeForm
		}
	}
	if p[4] != '-' || p[7] != '-' || p[10]|0x20 != 't' || p[13] != ':' || p[16] != ':' {
		return time.Time{}, errTimeForm
	}
	nanosecond, rest, ok := fraction(text[19:])
	if !ok {
		return time.Time{}, errTimeForm
	}
	offset, ok := offsetOf(rest)
	if !ok {
		return time.Time{}, errTimeForm
	}
	leap := second == 60
	if leap {
		second = 59
	}
	local := time.Date(year, time.Month(month), day, hour, minute, second, nanosecond, time.UTC)
	if month < 1 || month > 12 || local.Day() != day || day < 1 || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, errTimeValue
	}
	at := local.Add(-offset)
	if leap {
		end := at.Truncate(time.Second).Add(time.Second)
		if end.Day() != 1 || end.Hour() != 0 || end.Minute() != 0 || end.Second() != 0 {
			return time.Time{}, errTimeValue
		}
		at = end
	}
	if at.Year() < 0 || at.Year() > 9999 {
		return time.Time{}, errTimeRange
	}
	return at, nil
}

// timeText is the text of a time.
type timeText string

// number returns the number in the n digits at from, or -1 if there are no such digits.
func (t timeText) number(from, n int) int {
	if len(t) < from+n {
		return -1
	}
	value := 0
	for _, c := range []byte(t[from : from+n]) {
		if c < '0' || c > '9' {
			return -1
		}
		value = 10*value + int(c-'0')
	}
	return value
}

// fraction parses the optional fraction of a second.
func fraction(text string) (nanosecond int, rest string, ok bool) {
	if !strings.HasPrefix(text, ".") {
		return 0, text, true
	}
	digits := 0
	scale := int(time.Second)
	for _, c := range []byte(text[1:]) {
		if c < '0' || c > '9' {
			break
		}
		digits++
		scale /= 10
		nanosecond += int(c-'0') * scale
	}
	return nanosecond, text[1+digits:], digits > 0
}

// offsetOf parses the offset from UTC: Z, or hours and minutes.
func offsetOf(text string) (time.Duration, bool) {
	if text == "Z" || text == "z" {
		return 0, true
	}
	p := timeText(text)
	hours, minutes := p.number(1, 2), p.number(4, 2)
	if len(text) != len("+00:00") || text[0] != '+' && text[0] != '-' || text[3] != ':' ||
		hours < 0 || hours > 23 || minutes < 0 || minutes > 59 {
		return 0, false
	}
	offset := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if text[0] == '-' {
		offset = -offset
	}
	return offset, true
}
