// Package jsonvalue reads the values of decoded JSON, which consists of nil, bool, string,
// float64, map[string]any and []any, and describes those that are not as they must be.
package jsonvalue

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/domain"
)

// Bounds of values.
const (
	MaxElements  = 100 // of an array
	MaxTextBytes = 512
	MaxDuration  = 10 * 365 * 24 * time.Hour
)

// Reader reads values and collects breaches. Its methods take the JSON Pointer (RFC 6901)
// of the value for the breach. ok is false if there is one.
type Reader struct {
	// TypesOnly checks only the types of values, not their bounds and texts, and ignores
	// unknown names.
	TypesOnly bool
	breaches  []contract.Breach
}

// Breaches returns the first [contract.MaxBreaches] breaches, in the order of their
// pointers.
func (r *Reader) Breaches() []contract.Breach {
	slices.SortStableFunc(r.breaches, func(a, b contract.Breach) int { return strings.Compare(a.Pointer, b.Pointer) })
	return r.breaches[:min(len(r.breaches), contract.MaxBreaches)]
}

// Add adds a breach.
func (r *Reader) Add(pointer, message string) {
	r.breaches = append(r.breaches, contract.Breach{Pointer: pointer, Message: message})
}

// Object reads an object with at most the known names. It adds a breach for each other
// name, but ok is still true.
func (r *Reader) Object(pointer string, value any, known ...string) (object map[string]any, ok bool) {
	object, ok = value.(map[string]any)
	if !ok {
		r.Add(pointer, "must be an object"+instead(value))
		return nil, false
	}
	for name := range object {
		if !r.TypesOnly && !slices.Contains(known, name) {
			r.Add(pointer+"/"+Escaped(name), unknownKey(name, known))
		}
	}
	return object, true
}

// Bool reads a boolean.
func (r *Reader) Bool(pointer string, value any) (given, ok bool) {
	if given, ok = value.(bool); !ok {
		r.Add(pointer, "must be true or false"+instead(value))
	}
	return given, ok
}

// Text reads a string of at most [MaxTextBytes]. fault returns what is wrong with it, or "".
func (r *Reader) Text(pointer string, value any, fault func(string) string) (string, bool) {
	given, ok := value.(string)
	if !ok {
		r.Add(pointer, "must be a string"+instead(value))
		return "", false
	}
	if r.TypesOnly {
		return given, true
	}
	message := fault(given)
	if len(given) > MaxTextBytes {
		message = fmt.Sprintf("must have at most %d bytes", MaxTextBytes)
	}
	if message != "" {
		r.Add(pointer, message)
	}
	return given, message == ""
}

// List reads an array of any length.
func (r *Reader) List(pointer string, value any) (list []any, ok bool) {
	if list, ok = value.([]any); !ok {
		r.Add(pointer, "must be an array"+instead(value))
	}
	return list, ok
}

// Texts reads an array of at most [MaxElements] strings, each of them once.
func (r *Reader) Texts(pointer string, value any, fault func(string) string) ([]string, bool) {
	elements, ok := value.([]any)
	if !ok {
		r.Add(pointer, "must be an array of strings"+instead(value))
		return nil, false
	}
	if len(elements) > MaxElements && !r.TypesOnly {
		r.Add(pointer, "must have at most "+contract.CountOf(MaxElements, "element"))
		return nil, false
	}
	given := make([]string, len(elements))
	seen := map[string]int{}
	for i, element := range elements {
		at := pointer + "/" + strconv.Itoa(i)
		one, valid := r.Text(at, element, fault)
		given[i], ok = one, ok && valid
		if first, twice := seen[one]; twice && valid && !r.TypesOnly {
			r.Add(at, "duplicate of "+pointer+"/"+strconv.Itoa(first))
		}
		if valid {
			seen[one] = i
		}
	}
	return given, ok
}

// TextMap reads an object of at most maxMembers strings, with names of at most
// maxNameBytes. fault returns what is wrong with a string, or "".
func (r *Reader) TextMap(pointer string, value any, maxMembers, maxNameBytes int, fault func(string) string) (map[string]string, bool) {
	object, ok := value.(map[string]any)
	if !ok {
		r.Add(pointer, "must be an object of strings")
		return nil, false
	}
	if len(object) > maxMembers && !r.TypesOnly {
		r.Add(pointer, "must have at most "+contract.CountOf(maxMembers, "member"))
		return nil, false
	}
	given := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		at := pointer + "/" + Escaped(name)
		one, valid := r.Text(at, object[name], fault)
		if len(name) > maxNameBytes && !r.TypesOnly {
			r.Add(at, fmt.Sprintf("the name must have at most %d bytes", maxNameBytes))
		}
		given[name], ok = one, ok && valid
	}
	return given, ok
}

// Integer reads a whole number.
func (r *Reader) Integer(pointer string, value any, least, most int64) (int64, bool) {
	number, ok := value.(float64)
	if !ok || number != math.Trunc(number) || math.Abs(number) >= 1<<53 {
		r.Add(pointer, "must be a whole number")
		return 0, false
	}
	if given := int64(number); r.TypesOnly || given >= least && given <= most {
		return given, true
	}
	r.Add(pointer, fmt.Sprintf("must be between %d and %d", least, most))
	return 0, false
}

// Duration reads a number of seconds, or a text such as 24h, of at most [MaxDuration].
func (r *Reader) Duration(pointer string, value any) (time.Duration, bool) {
	const form = "must be a duration in whole seconds, such as 24h, or a number of seconds"
	if given, isText := value.(string); isText {
		parsed, err := time.ParseDuration(given)
		if err != nil || parsed < 0 || parsed%time.Second != 0 {
			r.Add(pointer, form)
			return 0, false
		}
		value = parsed.Seconds()
	}
	if number, isNumber := value.(float64); !isNumber || number != math.Trunc(number) {
		r.Add(pointer, form)
		return 0, false
	}
	seconds, ok := r.Integer(pointer, value, 0, int64(MaxDuration/time.Second))
	if ok && (seconds < 0 || seconds > math.MaxInt64/int64(time.Second)) { // also if it is stored
		r.Add(pointer, form)
		return 0, false
	}
	return time.Duration(seconds) * time.Second, ok
}

// Choice reads one of the values. The boolean false is the value off if that is one of them,
// because YAML 1.1 reads off as false.
func Choice[S ~string](r *Reader, pointer string, value any, values ...S) (S, bool) {
	if value == false && slices.Contains(values, "off") {
		value = "off"
	}
	given, ok := r.Text(pointer, value, OneOf(values...))
	return S(given), ok
}

// instead names the type of a value that has the wrong one, as the end of a sentence.
func instead(value any) string {
	switch value.(type) {
	case nil:
		return ", not null"
	case bool:
		return ", not true or false"
	case float64:
		return ", not a number"
	case string:
		return ", not a string"
	case []any:
		return ", not an array"
	default:
		return ", not an object"
	}
}

// Escaped returns a name as a token of a JSON Pointer (RFC 6901 §3), shortened.
func Escaped(name string) string {
	return contract.Shortened(strings.NewReplacer("~", "~0", "/", "~1").Replace(name))
}

// OneOf returns a function that returns what is wrong with a text that is none of the
// values.
func OneOf[S ~string](values ...S) func(string) string {
	names := make([]string, len(values))
	for i, value := range values {
		names[i] = string(value)
	}
	message := "must be one of " + strings.Join(names, ", ")
	return func(given string) string { return When(!slices.Contains(names, given), message) }
}

// When returns the message if the condition holds, otherwise "".
func When(condition bool, message string) string {
	if condition {
		return message
	}
	return ""
}

// TextFault returns what is wrong with a text that is empty or has control characters, or
// "".
func TextFault(given string) string {
	return When(given == "", "must not be empty") + Printable(given)
}

// Printable returns what is wrong with a text that has control characters, or "".
func Printable(given string) string {
	return When(unprintable(given), "must not have control characters")
}

func unprintable(given string) bool {
	return !utf8.ValidString(given) || strings.ContainsFunc(given, unicode.IsControl)
}

// ScopeFault returns what is wrong with a text that is not one scope-token (RFC 6749 §3.3),
// or "".
func ScopeFault(given string) string {
	return When(!domain.Scope(given).IsWellFormed(), "must be one scope, of visible ASCII characters without quotation marks and backslashes")
}
