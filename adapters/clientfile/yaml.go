package clientfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// maxNodes bounds what the aliases of a document may grow to.
const maxNodes = 1 << 20

// decodeYAML reads the documents of a YAML stream.
func decodeYAML(text []byte) ([]located, error) {
	loader, err := yaml.NewLoader(bytes.NewReader(text))
	if err != nil {
		return nil, &SyntaxError{Message: err.Error()}
	}
	var values []located
	for {
		var document yaml.Node
		switch err := loader.Load(&document); {
		case errors.Is(err, io.EOF):
			return values, nil
		case err != nil:
			return nil, explainYAML(err)
		}
		d := yamlDecoder{lines: map[string]int{}}
		content, err := d.value(&document, "", 0)
		if err != nil {
			return nil, err
		}
		if content == nil {
			continue // a document with nothing in it, as behind a closing ---
		}
		values = append(values, located{content: content, lines: d.lines})
	}
}

// explainYAML makes one line of the library's errors.
func explainYAML(err error) error {
	if e, ok := errors.AsType[*yaml.LoadError](err); ok {
		return &SyntaxError{Line: e.Mark.Line, Message: "this is not YAML: " + e.Message}
	}
	message, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "yaml: "), "\n")
	return &SyntaxError{Message: "this is not YAML: " + message}
}

type yamlDecoder struct {
	lines map[string]int
	nodes int
}

// value is what the node says, as encoding/json would have it.
func (d *yamlDecoder) value(n *yaml.Node, pointer string, depth int) (any, error) {
	if d.nodes++; d.nodes > maxNodes || depth > maxDepth {
		return nil, &SyntaxError{Line: n.Line, Message: errTooDeep.Error()}
	}
	if _, named := d.lines[pointer]; !named && n.Line > 0 {
		d.lines[pointer] = n.Line
	}
	switch n.Kind {
	case yaml.DocumentNode:
		if len(n.Content) == 0 {
			return nil, nil
		}
		delete(d.lines, pointer) // the content begins where it does, not where the document does
		return d.value(n.Content[0], pointer, depth)
	case yaml.AliasNode:
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

// mapping reads the members of a mapping; those that it merges in (<<) stand
// behind its own.
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
			return nil, &SyntaxError{Line: key.Line, Message: "the name of a member is a string"}
		}
		if _, twice := own[key.Value]; twice {
			return nil, &SyntaxError{Line: key.Line, Message: fmt.Sprintf("the member %s/%s stands there twice", pointer, escaped(key.Value))}
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

// merge adds the members of a merge key's mapping, or of each in its list, of
// which the first that has a member wins.
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
			return &SyntaxError{Line: n.Line, Message: "<< merges mappings"}
		}
		for name, value := range members {
			if _, has := into[name]; !has {
				into[name] = value
			}
		}
	}
	return nil
}

// scalar is a string, number, boolean or null. What YAML knows beyond JSON, as
// dates, is the string that it was written as.
func scalar(n *yaml.Node) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true")
	case "!!int", "!!float":
		if number, err := strconv.ParseFloat(n.Value, 64); err == nil {
			return number
		}
		return 0.0
	default:
		return n.Value
	}
}

// escaped is a name as a token of a JSON Pointer (RFC 6901 §3).
func escaped(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}
