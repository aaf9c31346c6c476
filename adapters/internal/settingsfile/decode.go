package settingsfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Bounds of a file.
const (
	maxSettingDepth = 16
	maxSettingNodes = 1 << 16 // an alias counts each time it is used
)

// decoder decodes settings within the bounds.
type decoder struct{ nodes int }

func (d *decoder) enter(line, depth int) error {
	if d.nodes++; d.nodes > maxSettingNodes || depth > maxSettingDepth {
		return &Error{Line: line, Message: "too many settings, or nested too deeply"}
	}
	return nil
}

// add adds a member to an object. A duplicate name is an error.
func (s *Value) add(name string, line int, value *Value) error {
	if _, twice := s.members[name]; twice {
		return &Error{Line: line, Message: fmt.Sprintf("duplicate setting %q", name)}
	}
	value.line = line // of the name
	s.members[name] = value
	return nil
}

// decode decodes a YAML file with one document. JSON is a subset of YAML
// (YAML 1.2 §1.3).
func decode(text []byte) (*Value, error) {
	loader, err := yaml.NewLoader(bytes.NewReader(text))
	if err != nil {
		return nil, &Error{Message: "not valid YAML or JSON"}
	}
	var documents []yaml.Node
	for {
		var document yaml.Node
		err := loader.Load(&document)
		if errors.Is(err, io.EOF) {
			break
		}
		if fault, ok := errors.AsType[*yaml.LoadError](err); ok {
			return nil, &Error{Line: fault.Mark.Line, Message: "not valid YAML or JSON: " + fault.Message}
		}
		if err != nil {
			message, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "yaml: "), "\n")
			return nil, &Error{Message: "not valid YAML or JSON: " + message}
		}
		if len(documents) > 0 {
			return nil, &Error{Line: document.Line, Message: "more than one YAML document"}
		}
		documents = append(documents, document)
	}
	if len(documents) == 0 || len(documents[0].Content) == 0 {
		return nil, &Error{Message: "the file is empty"}
	}
	return new(decoder).yaml(documents[0].Content[0], 0)
}

func (d *decoder) yaml(n *yaml.Node, depth int) (*Value, error) {
	if err := d.enter(n.Line, depth); err != nil {
		return nil, err
	}
	switch n.Kind {
	case yaml.AliasNode:
		return d.yaml(n.Alias, depth+1)
	case yaml.SequenceNode:
		s := &Value{line: n.Line, kind: arrayKind}
		for _, item := range n.Content {
			value, err := d.yaml(item, depth+1)
			if err != nil {
				return nil, err
			}
			s.items = append(s.items, value)
		}
		return s, nil
	case yaml.MappingNode:
		s := &Value{line: n.Line, kind: objectKind, members: map[string]*Value{}}
		for i := 0; i+1 < len(n.Content); i += 2 {
			name := n.Content[i]
			if name.Kind != yaml.ScalarNode {
				return nil, &Error{Line: name.Line, Message: "the name of a setting must be a string"}
			}
			value, err := d.yaml(n.Content[i+1], depth+1)
			if err == nil {
				err = s.add(name.Value, name.Line, value)
			}
			if err != nil {
				return nil, err
			}
		}
		return s, nil
	case yaml.ScalarNode:
		s := &Value{line: n.Line, kind: textKind, text: n.Value}
		switch n.ShortTag() {
		case "!!bool":
			s.kind, s.truth = booleanKind, strings.EqualFold(n.Value, "true")
		case "!!int", "!!float":
			s.kind = numberKind
		case "!!null":
			s.kind = nullKind
		}
		return s, nil
	default:
		return nil, &Error{Line: n.Line, Message: "not a setting"}
	}
}
