package clientfile

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"

	"github.com/clientele-oauth/clientele/domain"
)

// Write returns a configuration as YAML that [Reader.Read] can read: the fields that
// are set in the change, in an order for human readers. It omits empty fields that
// responses also omit, except for jwks: without it, a client that has keys would keep
// them.
func Write(id domain.ClientID, change domain.Change) ([]byte, error) {
	return WriteImported(id, change, "")
}

// WriteImported is [Write] for a client of another system, with the hash of its secret,
// if that is known. The file must then be kept like a secret.
func WriteImported(id domain.ClientID, change domain.Change, secretHash string) ([]byte, error) {
	node := yaml.Node{Kind: yaml.MappingNode}
	if id != "" {
		if err := appendField(&node, "client_id", string(id)); err != nil {
			return nil, err
		}
	}
	if secretHash != "" {
		if err := appendField(&node, "secret_hash", secretHash); err != nil {
			return nil, err
		}
	}
	shown := domain.AlwaysShown().Union(domain.FieldsOf(domain.FieldJWKS))
	for f := range change.Named().All() {
		value := change.Value(f)
		if value.IsEmpty() && !shown.Has(f) {
			continue
		}
		if err := appendField(&node, f.String(), domain.Plain(value)); err != nil {
			return nil, err
		}
	}
	quoteUnsafe(&node)
	var text bytes.Buffer
	// Without folding, no line starts with part of a value.
	dumper, err := yaml.NewDumper(&text, yaml.WithIndent(2), yaml.WithLineWidth(-1))
	if err != nil {
		return nil, err
	}
	if err := errors.Join(dumper.Dump(&node), dumper.Close()); err != nil {
		return nil, err
	}
	return escapeUnsafe(text.String()), nil
}

// appendField appends a name and a value to a mapping.
func appendField(mapping *yaml.Node, name string, value any) error {
	var key, node yaml.Node
	if err := errors.Join(key.Encode(name), node.Encode(value)); err != nil {
		return err
	}
	mapping.Content = append(mapping.Content, &key, &node)
	return nil
}

// The output may be printed to a terminal or a pipeline log. Therefore values with
// unprintable characters, or with "##[", which starts a workflow command of GitHub
// Actions, are double-quoted and escaped.

// quoteUnsafe double-quotes these values.
func quoteUnsafe(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && (strings.Contains(n.Value, "##[") || strings.ContainsFunc(n.Value, unsafeRune)) {
		n.Style = yaml.DoubleQuotedStyle
	}
	for _, part := range n.Content {
		quoteUnsafe(part)
	}
}

// escapeUnsafe escapes the remaining unsafe characters in the text (YAML 1.2 §5.7).
func escapeUnsafe(text string) []byte {
	var b bytes.Buffer
	for _, r := range strings.ReplaceAll(text, "##[", `#\x23[`) {
		switch {
		case r == '\n' || !unsafeRune(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.Bytes()
}

// unsafeRune reports whether r is unprintable. Joiners are safe: some scripts need them.
func unsafeRune(r rune) bool { return !unicode.IsPrint(r) && r != '\u200c' && r != '\u200d' }
