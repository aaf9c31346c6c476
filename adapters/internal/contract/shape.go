package contract

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
)

// patternDescription is the extension of openapi.yaml that describes a pattern in
// words; it completes "must …".
const patternDescription = "x-pattern-description"

// shape is a schema of openapi.yaml in a form for fast checks. It supports only the
// keywords that requests in openapi.yaml use.
type shape struct {
	kind string // a type of OpenAPI 3.0

	enum                 []string
	minLength, maxLength int // in characters; maxLength 0 means no limit
	pattern              *regexp.Regexp
	patternText          string // completes "must …"
	time                 bool   // format: date-time

	min, max float64

	items    *shape
	maxItems int

	fields   map[string]*shape
	required []string

	values    *shape // of an object with any names; nil for an object with fields
	maxFields int
}

// compile converts a schema.
func compile(s *openapi3.Schema) (*shape, error) {
	if s.Type == nil || len(s.Type.Slice()) != 1 {
		return nil, fmt.Errorf("a schema needs one type: %q", s.Description)
	}
	unknown := s.Nullable || s.UniqueItems || s.MinItems != 0 || s.ExclusiveMin.IsSet() || s.ExclusiveMax.IsSet() || s.MultipleOf != nil ||
		len(s.OneOf)+len(s.AnyOf)+len(s.AllOf) > 0 || s.Not != nil || s.MinProps != 0
	if unknown {
		return nil, fmt.Errorf("a schema has a keyword that requests are not checked for: %q", s.Description)
	}
	c := &shape{kind: s.Type.Slice()[0], min: math.Inf(-1), max: math.Inf(1)}
	var err error
	switch c.kind {
	case openapi3.TypeString:
		err = c.compileString(s)
	case openapi3.TypeInteger:
		if s.Min != nil {
			c.min = *s.Min
		}
		if s.Max != nil {
			c.max = *s.Max
		}
	case openapi3.TypeBoolean:
	case openapi3.TypeArray:
		if s.MaxItems == nil {
			return nil, fmt.Errorf("an array needs maxItems: %q", s.Description)
		}
		c.maxItems = int(min(*s.MaxItems, math.MaxInt32))
		c.items, err = compile(s.Items.Value)
	case openapi3.TypeObject:
		if values := s.AdditionalProperties.Schema; values != nil {
			return c, c.compileValues(s, values.Value)
		}
		if s.AdditionalProperties.Has == nil || *s.AdditionalProperties.Has {
			return nil, fmt.Errorf("an object needs additionalProperties: false: %q", s.Description)
		}
		c.required = slices.Sorted(slices.Values(s.Required))
		c.fields = map[string]*shape{}
		for name, property := range s.Properties {
			if c.fields[name], err = compile(property.Value); err != nil {
				return nil, err
			}
		}
	default:
		err = fmt.Errorf("a schema has the type %s, which requests are not checked for", c.kind)
	}
	return c, err
}

// compileValues converts the schema of an object with any names.
func (c *shape) compileValues(s, values *openapi3.Schema) error {
	if s.MaxProps == nil || len(s.Properties) > 0 {
		return fmt.Errorf("an object with any names needs maxProperties and no properties: %q", s.Description)
	}
	c.maxFields = int(min(*s.MaxProps, math.MaxInt32))
	var err error
	c.values, err = compile(values)
	return err
}

func (c *shape) compileString(s *openapi3.Schema) error {
	c.minLength = int(min(s.MinLength, math.MaxInt32))
	if s.MaxLength != nil {
		c.maxLength = int(min(*s.MaxLength, math.MaxInt32))
	}
	for _, value := range s.Enum {
		text, ok := value.(string)
		if !ok {
			return fmt.Errorf("an enum holds something that is not a string: %q", s.Description)
		}
		c.enum = append(c.enum, text)
	}
	switch s.Format {
	case "":
	case "date-time":
		c.time = true
	default:
		return fmt.Errorf("a schema has the format %s, which requests are not checked for", s.Format)
	}
	if s.Pattern == "" {
		return nil
	}
	var err error
	c.pattern, err = regexp.Compile(s.Pattern)
	if err != nil {
		return err
	}
	var ok bool
	if c.patternText, ok = s.Extensions[patternDescription].(string); !ok {
		return fmt.Errorf("the pattern %s has no %s", s.Pattern, patternDescription)
	}
	return nil
}

// check records the breaches of a value. It returns the value, with a time converted
// to UTC.
func (c *shape) check(v *Verdict, at []string, value any) any {
	switch value := value.(type) {
	case nil:
		message := "null is not allowed; omit the field"
		if v.updates {
			message += " to leave it unchanged, or send an empty value to clear it"
		}
		v.add(at, constant(message))
		return nil
	case string:
		if c.kind == openapi3.TypeString {
			read, reason := c.checkString(value)
			if reason != "" {
				v.add(at, constant(reason))
			}
			v.Rewritten = v.Rewritten || read != value
			return read
		}
	case bool:
		if c.kind == openapi3.TypeBoolean {
			return value
		}
	case float64:
		if c.kind == openapi3.TypeInteger {
			if reason := c.checkNumber(value); reason != "" {
				v.add(at, constant(reason))
			}
			return value
		}
	case []any:
		if c.kind == openapi3.TypeArray {
			c.checkItems(v, at, value)
			return value
		}
	case map[string]any:
		switch {
		case c.values != nil:
			c.checkValues(v, at, value)
			return value
		case c.kind == openapi3.TypeObject:
			c.checkFields(v, at, value)
			return value
		}
	}
	v.add(at, constant("must be "+article(c.kind)))
	return value
}

// article returns the name of a type with its article.
func article(kind string) string {
	switch kind {
	case openapi3.TypeInteger:
		return "a whole number"
	case openapi3.TypeArray, openapi3.TypeObject:
		return "an " + kind
	default:
		return "a " + kind
	}
}

// checkItems checks the elements of an array, unless there are too many.
func (c *shape) checkItems(v *Verdict, at []string, items []any) {
	if len(items) > c.maxItems {
		v.add(at, func() string { return "must have at most " + CountOf(c.maxItems, "element") })
		return
	}
	for i, item := range items {
		items[i] = c.items.check(v, append(at, strconv.Itoa(i)), item)
	}
}

// checkFields checks the fields of an object and removes unknown ones.
func (c *shape) checkFields(v *Verdict, at []string, fields map[string]any) {
	for _, name := range sortedNames(fields) {
		here := slices.Concat(at, []string{name})
		field, known := c.fields[name]
		if !known {
			v.add(here, constant("unknown field"))
			delete(fields, name)
			v.Rewritten = true
			continue
		}
		before := v.Total()
		fields[name] = field.check(v, here, fields[name])
		if v.Total() > before && len(at) == 0 {
			v.Broken, v.Rewritten = append(v.Broken, name), true
		}
	}
	for _, name := range c.required {
		if _, exists := fields[name]; !exists {
			v.add(append(at, name), constant("this field is required"))
		}
	}
}

// checkValues checks the values of an object with any names, unless there are too many.
func (c *shape) checkValues(v *Verdict, at []string, values map[string]any) {
	if len(values) > c.maxFields {
		v.add(at, func() string { return "must have at most " + CountOf(c.maxFields, "field") })
		return
	}
	for _, name := range sortedNames(values) {
		values[name] = c.values.check(v, slices.Concat(at, []string{name}), values[name])
	}
}

// checkString returns the normalized text and the reason why it is rejected, or "".
func (c *shape) checkString(text string) (read, reason string) {
	length := utf8.RuneCountInString(text) // JSON Schema counts characters
	switch {
	case length < c.minLength && c.minLength == 1:
		return text, "must not be empty"
	case length < c.minLength:
		return text, "must have at least " + CountOf(c.minLength, "character")
	case c.maxLength > 0 && length > c.maxLength:
		return text, "must have at most " + CountOf(c.maxLength, "character")
	case len(c.enum) > 0 && !slices.Contains(c.enum, text):
		return text, "must be one of " + strings.Join(c.enum, ", ")
	case c.pattern != nil && !c.pattern.MatchString(text):
		return text, "must " + c.patternText
	case c.time:
		at, err := ParseTime(text)
		if err != nil {
			return text, err.Error()
		}
		return at.Format(time.RFC3339Nano), ""
	default:
		return text, ""
	}
}

// checkNumber returns the reason why the number is rejected, or "". JSON has only one
// number type: 60.0 is the integer 60 (RFC 8259 §6).
func (c *shape) checkNumber(number float64) string {
	switch {
	case number != math.Trunc(number) && !math.IsInf(number, 0):
		return "must be a whole number"
	case number < c.min:
		return "must be at least " + strconv.FormatFloat(c.min, 'f', -1, 64)
	case number > c.max:
		return "must be at most " + strconv.FormatFloat(c.max, 'f', -1, 64)
	default:
		return ""
	}
}

// checkText implements [Schema.InspectText].
func (c *shape) checkText(text string) (rewritten, reason string) {
	switch c.kind {
	case openapi3.TypeString:
		return c.checkString(text)
	case openapi3.TypeInteger:
		number, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return text, "must be a whole number"
		}
		return text, c.checkNumber(float64(number))
	case openapi3.TypeBoolean:
		if text != "true" && text != "false" {
			return text, "must be true or false"
		}
		return text, ""
	case openapi3.TypeArray:
		return text, c.checkTextItems(text)
	default:
		return text, "must be " + article(c.kind)
	}
}

// checkTextItems checks an array in text form: values separated by commas (OpenAPI 3.0,
// style form without explode).
func (c *shape) checkTextItems(text string) (reason string) {
	items := strings.SplitN(text, ",", c.maxItems+1)
	if len(items) > c.maxItems {
		return "must have at most " + CountOf(c.maxItems, "element")
	}
	for i, item := range items {
		if _, reason := c.items.checkText(item); reason != "" {
			return "element " + strconv.Itoa(i+1) + " " + reason
		}
	}
	return ""
}

// CountOf returns a number with a noun, such as "1 element" or "2 elements".
func CountOf(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
