package clientfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Limits for the memory that YAML needs.
const (
	// maxYAMLBytes and maxYAMLMarks limit one document of a stream: the parser
	// keeps it as a tree with some hundred bytes per node. Marks are the characters
	// that every further node needs. The limit for a line is lower: the parser also
	// keeps its tokens, because the line may turn out to be a key.
	maxYAMLBytes     = 8 << 20
	maxYAMLMarks     = 1 << 18
	maxYAMLLineMarks = 1 << 14
	// maxAliased is the maximum number of values that the aliases of a file expand to.
	maxAliased = 1 << 20
)

// errYAMLTooLong reports a document that exceeds these limits.
var errYAMLTooLong = &SyntaxError{Message: "a YAML document is too long; separate the clients by lines of ---, or use JSON"}

// decodeYAML reads the documents of a YAML stream. It calls emit with each of them, or
// with each element if it is a list.
func decodeYAML(ctx context.Context, text []byte, emit func(located) error) error {
	source := &yamlSource{ctx: ctx, text: text}
	loader, err := yaml.NewLoader(source)
	if err != nil {
		return &SyntaxError{Message: err.Error()}
	}
	d := yamlDecoder{}
	for {
		var document yaml.Node
		source.bytes, source.marks = 0, 0
		switch err := loader.Load(&document); {
		case source.err != nil:
			return source.err
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return explainYAML(err)
		}
		if err := d.document(ctx, &document, emit); err != nil {
			return err
		}
	}
}

// document calls emit with the content of a document.
func (d *yamlDecoder) document(ctx context.Context, document *yaml.Node, emit func(located) error) error {
	convert := func(n *yaml.Node, base string, depth int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		d.lines, d.nodes = map[string]int{}, 0
		content, err := d.value(n, base, depth)
		if err != nil || content == nil && base == "" {
			return err // an empty document, for example after a final ---
		}
		return emit(located{content: content, base: base, lines: d.lines})
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.SequenceNode {
		return convert(document, "", 0)
	}
	for i, element := range document.Content[0].Content {
		if err := convert(element, "/"+strconv.Itoa(i), 1); err != nil {
			return err
		}
	}
	return nil
}

// yamlSource is a reader of the text that fails if a document is too long or the
// context has ended.
type yamlSource struct {
	ctx          context.Context //nolint:containedctx // io.Reader has no context parameter
	text         []byte
	bytes, marks int // since the start of the document
	lineMarks    int // since the start of the line
	err          error
}

// Read implements [io.Reader].
func (s *yamlSource) Read(into []byte) (int, error) {
	const maxRead = 4096 // limits reading ahead, so that each document is counted separately
	switch {
	case s.ctx.Err() != nil:
		s.err = s.ctx.Err()
	case s.bytes > maxYAMLBytes || s.marks > maxYAMLMarks || s.lineMarks > maxYAMLLineMarks:
		s.err = errYAMLTooLong
	case len(s.text) == 0:
		return 0, io.EOF
	}
	if s.err != nil {
		return 0, s.err
	}
	n := copy(into[:min(len(into), maxRead)], s.text)
	for _, b := range s.text[:n] {
		switch b {
		case '\n', '\r', ',', ':', '[', '{', '-', '?':
			s.marks++
			s.lineMarks++
		}
		if b == '\n' {
			s.lineMarks = 0
		}
	}
	s.text = s.text[n:]
	s.bytes += n
	return n, nil
}

// explainYAML converts the library's errors to one line.
func explainYAML(err error) error {
	if e, ok := errors.AsType[*yaml.LoadError](err); ok {
		return &SyntaxError{Line: e.Mark.Line, Message: "this is not YAML: " + e.Message}
	}
	message, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "yaml: "), "\n")
	return &SyntaxError{Message: "this is not YAML: " + message}
}

type yamlDecoder struct {
	lines   map[string]int
	nodes   int // number of nodes in the configuration
	aliased int // number of nodes in the file that were expanded from aliases
	inAlias int // number of aliases being expanded
}

// value returns the value of the node in the types of encoding/json.
func (d *yamlDecoder) value(n *yaml.Node, pointer string, depth int) (any, error) {
	if depth > maxDepth {
		return nil, &SyntaxError{Line: n.Line, Message: errTooDeep.Error()}
	}
	if d.inAlias > 0 {
		d.aliased++
	}
	if d.nodes++; d.nodes > maxValues || d.aliased > maxAliased {
		return nil, &SyntaxError{Line: n.Line, Message: errTooMany.Error()}
	}
	if _, named := d.lines[pointer]; !named && n.Line > 0 {
		d.lines[pointer] = n.Line
	}
	switch n.Kind {
	case yaml.DocumentNode:
		if len(n.Content) == 0 {
			return nil, nil
		}
		delete(d.lines, pointer) // use the line of the content, not that of the document
		return d.value(n.Content[0], pointer, depth)
	case yaml.AliasNode:
		d.inAlias++
		defer func() { d.inAlias-- }()
		return d.value(n.Alias, pointer, depth+1)
	case yaml.MappingNode:
		return d.mapping(n, pointer, depth)
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, element := range n.Content {
			var err error
			if list[i], err = d.value(element, pointer+"/"+strconv.Itoa(i), depth+1); err != nil {
				return nil, err
			}
		}
		return list, nil
	default:
		return scalar(n), nil
	}
}

// mapping reads the fields of a mapping. Its own fields take precedence over merged
// ones (<<).
func (d *yamlDecoder) mapping(n *yaml.Node, pointer string, depth int) (any, error) {
	own, merged := map[string]any{}, map[string]any{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, content := n.Content[i], n.Content[i+1]
		if key.ShortTag() == "!!merge" {
			if err := d.merge(merged, content, pointer, depth); err != nil {
				return nil, err
			}
			continue
		}
		if key.Kind != yaml.ScalarNode {
			return nil, &SyntaxError{Line: key.Line, Message: "a field name must be a string"}
		}
		if _, duplicate := own[key.Value]; duplicate {
			return nil, &SyntaxError{Line: key.Line, Message: fmt.Sprintf("duplicate field %s/%s", pointer, escaped(key.Value))}
		}
		at := pointer + "/" + escaped(key.Value)
		d.lines[at] = key.Line
		var err error
		if own[key.Value], err = d.value(content, at, depth+1); err != nil {
			return nil, err
		}
	}
	maps.Copy(merged, own)
	return merged, nil
}

// merge adds the fields of the mapping of a merge key, or of each mapping in its list.
// The first mapping that has a field takes precedence.
func (d *yamlDecoder) merge(into map[string]any, n *yaml.Node, pointer string, depth int) error {
	content, err := d.value(n, pointer, depth+1)
	if err != nil {
		return err
	}
	sources, isList := content.([]any)
	if !isList {
		sources = []any{content}
	}
	for _, source := range sources {
		members, ok := source.(map[string]any)
		if !ok {
			return &SyntaxError{Line: n.Line, Message: "<< must merge mappings"}
		}
		for name, value := range members {
			if _, exists := into[name]; !exists {
				into[name] = value
			}
		}
	}
	return nil
}

// scalar returns a string, number, boolean or null. Types that JSON lacks, such as dates,
// and yes for true, are returned as strings in their original spelling. A number that JSON
// cannot express, such as 0x10 or .inf, is NaN, which no field accepts: no value is changed
// silently.
func scalar(n *yaml.Node) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		switch strings.ToLower(n.Value) {
		case "true":
			return true
		case "false":
			return false
		}
	case "!!int", "!!float":
		if number, err := strconv.ParseFloat(n.Value, 64); err == nil && decimal.MatchString(n.Value) && (number != 0 || !nonzero.MatchString(n.Value)) {
			return number
		}
		return math.NaN()
	}
	return n.Value
}

var (
	// decimal matches numbers as JSON writes them (RFC 8259 §6).
	decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
	// nonzero matches numbers that are not zero, however small they are.
	nonzero = regexp.MustCompile(`^-?[0.]*[1-9]`)
)

// escaped returns a name as a token of a JSON Pointer (RFC 6901 §3).
func escaped(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}
