package tokens

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

// setting is a value in the file, with the line where it begins.
type setting struct {
	line    int
	kind    settingKind
	text    string // of a string
	truth   bool   // of a boolean
	names   []string
	members map[string]*setting // of an object
	items   []*setting          // of an array
}

type settingKind string

const (
	isString  settingKind = "a string"
	isBoolean settingKind = "true or false"
	isObject  settingKind = "an object"
	isArray   settingKind = "an array"
	isNumber  settingKind = "a number"
	isNull    settingKind = "null"
)

// settingsDecoder decodes settings within the bounds.
type settingsDecoder struct{ nodes int }

func (d *settingsDecoder) enter(line, depth int) error {
	if d.nodes++; d.nodes > maxSettingNodes || depth > maxSettingDepth {
		return &FileError{Line: line, Message: "too many settings, or nested too deeply"}
	}
	return nil
}

// add adds a member to an object. A duplicate name is an error.
func (s *setting) add(name string, line int, value *setting) error {
	if _, twice := s.members[name]; twice {
		return &FileError{Line: line, Message: fmt.Sprintf("duplicate setting %q", name)}
	}
	value.line = line // of the name
	s.members[name], s.names = value, append(s.names, name)
	return nil
}

// decodeSettings decodes a YAML file with one document. JSON is a subset of YAML
// (YAML 1.2 §1.3).
func decodeSettings(text []byte) (*setting, error) {
	loader, err := yaml.NewLoader(bytes.NewReader(text))
	if err != nil {
		return nil, &FileError{Message: "not valid YAML or JSON"}
	}
	var documents []yaml.Node
	for {
		var document yaml.Node
		err := loader.Load(&document)
		if errors.Is(err, io.EOF) {
			break
		}
		if fault, ok := errors.AsType[*yaml.LoadError](err); ok {
			return nil, &FileError{Line: fault.Mark.Line, Message: "not valid YAML or JSON: " + fault.Message}
		}
		if err != nil {
			message, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "yaml: "), "\n")
			return nil, &FileError{Message: "not valid YAML or JSON: " + message}
		}
		if len(documents) > 0 {
			return nil, &FileError{Line: document.Line, Message: "more than one YAML document"}
		}
		documents = append(documents, document)
	}
	if len(documents) == 0 || len(documents[0].Content) == 0 {
		return nil, &FileError{Message: "the file is empty"}
	}
	return new(settingsDecoder).yaml(documents[0].Content[0], 0)
}

func (d *settingsDecoder) yaml(n *yaml.Node, depth int) (*setting, error) {
	if err := d.enter(n.Line, depth); err != nil {
		return nil, err
	}
	switch n.Kind {
	case yaml.AliasNode:
		return d.yaml(n.Alias, depth+1)
	case yaml.SequenceNode:
		s := &setting{line: n.Line, kind: isArray}
		for _, item := range n.Content {
			value, err := d.yaml(item, depth+1)
			if err != nil {
				return nil, err
			}
			s.items = append(s.items, value)
		}
		return s, nil
	case yaml.MappingNode:
		s := &setting{line: n.Line, kind: isObject, members: map[string]*setting{}}
		for i := 0; i+1 < len(n.Content); i += 2 {
			name := n.Content[i]
			if name.Kind != yaml.ScalarNode {
				return nil, &FileError{Line: name.Line, Message: "the name of a setting must be a string"}
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
		s := &setting{line: n.Line, kind: isString, text: n.Value}
		switch n.ShortTag() {
		case "!!bool":
			s.kind, s.truth = isBoolean, strings.EqualFold(n.Value, "true")
		case "!!int", "!!float":
			s.kind = isNumber
		case "!!null":
			s.kind = isNull
		}
		return s, nil
	default:
		return nil, &FileError{Line: n.Line, Message: "not a setting"}
	}
}
