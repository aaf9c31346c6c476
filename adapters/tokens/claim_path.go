package tokens

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/clientele-oauth/clientele/adapters/internal/strictjson"
)

// Bounds of a claim path.
const (
	maxPathBytes    = 512
	maxPathSegments = 32
)

// ClaimPath names a claim of a token, or a value inside one: names separated by
// dots, for example realm_access.roles. A name in double quotes is used literally
// and can contain dots, for example resource_access."my.client".roles; \" and \\
// are a quote and a backslash inside it.
//
// Names without quotes are also tried joined by their dots: at each level, the
// longest name that leads to a value is used. So https://example.com/tenant and
// resource_access.my.client.roles work without quotes.
type ClaimPath struct {
	text     string
	segments []pathSegment
}

type pathSegment struct {
	name   string
	quoted bool
}

// ParseClaimPath parses a claim path. It rejects paths that can never match, and
// paths to the claims "exp", "nbf", "iat" and "jti", which differ for each token and
// do not describe the caller.
func ParseClaimPath(text string) (ClaimPath, error) {
	if len(text) > maxPathBytes {
		return ClaimPath{}, fmt.Errorf("a claim path must have at most %d bytes", maxPathBytes)
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return ClaimPath{}, errors.New("a claim path must be valid UTF-8 without control characters")
	}
	path := ClaimPath{text: text}
	for rest, more := text, true; more; {
		segment, after, err := nextSegment(rest)
		if err != nil {
			return ClaimPath{}, err
		}
		path.segments = append(path.segments, segment)
		if len(path.segments) > maxPathSegments {
			return ClaimPath{}, fmt.Errorf("a claim path must have at most %d names", maxPathSegments)
		}
		rest, more = strings.CutPrefix(after, ".")
		if !more && rest != "" {
			return ClaimPath{}, fmt.Errorf("expected a dot after the name %q in the claim path", segment.name)
		}
	}
	for _, name := range []string{"exp", "nbf", "iat", "jti"} {
		if path.isTop(name) {
			return ClaimPath{}, fmt.Errorf("the claim %s does not describe the caller", name)
		}
	}
	return path, nil
}

// nextSegment reads the first name of a path.
func nextSegment(path string) (segment pathSegment, rest string, err error) {
	if !strings.HasPrefix(path, `"`) {
		end := strings.IndexByte(path, '.')
		if end < 0 {
			end = len(path)
		}
		segment.name, rest = path[:end], path[end:]
		switch {
		case segment.name == "":
			return segment, "", errors.New("a name in the claim path is empty")
		case strings.Contains(segment.name, `"`):
			return segment, "", fmt.Errorf("quote the whole name %s in the claim path", segment.name)
		}
		return segment, rest, nil
	}
	var name strings.Builder
	for i := 1; i < len(path); i++ {
		switch path[i] {
		case '"':
			if name.Len() == 0 {
				return segment, "", errors.New("a name in the claim path is empty")
			}
			return pathSegment{name: name.String(), quoted: true}, path[i+1:], nil
		case '\\':
			if i++; i == len(path) || path[i] != '"' && path[i] != '\\' {
				return segment, "", errors.New(`in a quoted name of a claim path, a backslash must precede " or \`)
			}
		}
		name.WriteByte(path[i])
	}
	return segment, "", errors.New("a quote in the claim path is not closed")
}

// String returns the text that was parsed.
func (p ClaimPath) String() string { return p.text }

// isTop reports whether the path names that claim itself.
func (p ClaimPath) isTop(name string) bool { return len(p.segments) == 1 && p.segments[0].name == name }

// find returns the value at the path. A null counts as missing.
func (p ClaimPath) find(claims claimSet) (jsontext.Value, bool) { return find(claims, p.segments) }

func find(object map[string]jsontext.Value, segments []pathSegment) (jsontext.Value, bool) {
	for n := joinable(segments); n > 0; n-- {
		value, ok := object[joined(segments[:n])]
		switch {
		case !ok || value.Kind() == jsontext.KindNull:
			continue
		case n == len(segments):
			return value, true
		case value.Kind() != jsontext.KindBeginObject:
			continue
		}
		inner, err := strictjson.Object(value)
		if err != nil {
			continue
		}
		if found, ok := find(inner, segments[n:]); ok {
			return found, true
		}
	}
	return nil, false
}

// joinable returns how many leading names may be joined into one.
func joinable(segments []pathSegment) int {
	if segments[0].quoted {
		return 1
	}
	if quoted := slices.IndexFunc(segments, func(s pathSegment) bool { return s.quoted }); quoted > 0 {
		return quoted
	}
	return len(segments)
}

func joined(segments []pathSegment) string {
	names := make([]string, len(segments))
	for i, segment := range segments {
		names[i] = segment.name
	}
	return strings.Join(names, ".")
}
