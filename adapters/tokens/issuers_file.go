package tokens

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/clientele-oauth/clientele/application"
)

// maxIssuersFileBytes bounds an issuers file.
const maxIssuersFileBytes = 1 << 20

// FileError is one fault in an issuers file.
type FileError struct {
	File    string
	Line    int    // from 1; 0 if the fault has no line
	Setting string // JSON Pointer into the file; may be empty
	Message string
}

// Error has the form file:line: setting: message.
func (e *FileError) Error() string {
	text := e.File
	if e.Line > 0 {
		text += ":" + strconv.Itoa(e.Line)
	}
	if e.Setting != "" {
		text += ": " + e.Setting
	}
	return text + ": " + e.Message
}

// ReadIssuersFile reads the issuers file at a path. Paths of key files in it are
// relative to its folder.
func ReadIssuersFile(path string) ([]IssuerRules, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("issuers file: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxIssuersFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("issuers file: %w", err)
	}
	all, err := ParseIssuers(path, text)
	for i, rules := range all {
		if rules.Keys.File != "" && !filepath.IsAbs(rules.Keys.File) {
			all[i].Keys.File = filepath.Join(filepath.Dir(path), rules.Keys.File)
		}
	}
	return all, err
}

// ParseIssuers reads the text of an issuers file, in YAML or JSON. The error joins a
// [*FileError] for each fault: a setting that is unknown, duplicate, of the wrong type
// or without effect.
func ParseIssuers(file string, text []byte) ([]IssuerRules, error) {
	if len(text) > maxIssuersFileBytes {
		return nil, &FileError{File: file, Message: fmt.Sprintf("larger than %d bytes", maxIssuersFileBytes)}
	}
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	if !utf8.Valid(text) {
		return nil, &FileError{File: file, Message: "not valid UTF-8"}
	}
	root, err := decodeSettings(text)
	if err != nil {
		if fault, ok := errors.AsType[*FileError](err); ok {
			fault.File = file
		}
		return nil, err
	}
	r := &settingsReader{file: file}
	all, settings := r.issuers(root)
	if len(r.errs) == 0 {
		r.addRuleErrors(checkIssuers(all), settings)
	}
	if len(r.errs) > 0 {
		slices.SortStableFunc(r.errs, func(a, b error) int { return lineOf(a) - lineOf(b) })
		return nil, errors.Join(r.errs...)
	}
	return all, nil
}

func lineOf(err error) int {
	if fault, ok := errors.AsType[*FileError](err); ok {
		return fault.Line
	}
	return 0
}

// settingsReader reads settings into rules and collects faults.
type settingsReader struct {
	file string
	errs []error
}

func (r *settingsReader) fault(s *setting, pointer, format string, args ...any) {
	r.errs = append(r.errs, &FileError{File: r.file, Line: s.line, Setting: pointer, Message: fmt.Sprintf(format, args...)})
}

// is reports whether the setting has the type. If not, it adds a fault.
func (r *settingsReader) is(s *setting, pointer string, kind settingKind) bool {
	if s.kind != kind {
		r.fault(s, pointer, "must be %s, not %s", kind, s.kind)
	}
	return s.kind == kind
}

// object returns the members of an object. It adds a fault for each unknown one.
func (r *settingsReader) object(s *setting, pointer string, known ...string) map[string]*setting {
	if !r.is(s, pointer, isObject) {
		return nil
	}
	for _, name := range s.names {
		if !slices.Contains(known, name) {
			r.fault(s.members[name], pointer+"/"+escapedName(name), "unknown setting; known: %s", strings.Join(known, ", "))
		}
	}
	return s.members
}

// issuers reads the whole file. It also returns the setting of each issuer.
func (r *settingsReader) issuers(root *setting) (all []IssuerRules, settings []*setting) {
	list, ok := r.object(root, "", "issuers")["issuers"]
	if !ok {
		r.fault(root, "/issuers", "is missing")
		return nil, nil
	}
	if !r.is(list, "/issuers", isArray) {
		return nil, nil
	}
	if len(list.items) == 0 {
		r.fault(list, "/issuers", "at least one issuer is required")
	}
	for i, item := range list.items {
		all = append(all, r.issuer(item, "/issuers/"+strconv.Itoa(i)))
	}
	return all, list.items
}

func (r *settingsReader) issuer(s *setting, pointer string) IssuerRules {
	rules := IssuerRules{Types: DefaultTypes(), Scopes: DefaultScopeClaims()}
	members := r.object(s, pointer, "issuer", "keys", "audiences", "types", "allow_missing_type", "key_id", "max_lifetime",
		"subject_prefix", "tenant", "roles", "scopes", "teams", "administrator_roles", "platform_roles", "permissions")
	read := func(name string, into func(s *setting, pointer string)) {
		if member, ok := members[name]; ok {
			into(member, pointer+"/"+name)
		}
	}
	read("issuer", func(s *setting, p string) { rules.Issuer = r.text(s, p) })
	read("keys", func(s *setting, p string) { r.keys(s, p, &rules) })
	read("audiences", func(s *setting, p string) { rules.Audiences = r.texts(s, p) })
	read("types", func(s *setting, p string) { rules.Types = r.texts(s, p) })
	read("allow_missing_type", func(s *setting, p string) { rules.AllowMissingType = r.boolean(s, p) })
	read("key_id", func(s *setting, p string) { rules.KeyIDOptional = r.oneOf(s, p, "required", "optional") == "optional" })
	read("max_lifetime", func(s *setting, p string) { rules.MaxLifetime = r.duration(s, p) })
	read("subject_prefix", func(s *setting, p string) {
		if r.is(s, p, isString) {
			rules.SubjectPrefix = &s.text
		}
	})
	read("tenant", func(s *setting, p string) { rules.Tenant = r.tenant(s, p) })
	read("roles", func(s *setting, p string) { rules.Roles = r.claims(s, p) })
	read("scopes", func(s *setting, p string) { rules.Scopes = r.claims(s, p) })
	read("teams", func(s *setting, p string) { rules.Teams = r.claims(s, p) })
	read("administrator_roles", func(s *setting, p string) { rules.AdministratorRoles = r.texts(s, p) })
	read("platform_roles", func(s *setting, p string) { rules.PlatformRoles = r.texts(s, p) })
	read("permissions", func(s *setting, p string) { rules.Permissions = r.permissions(s, p) })
	return rules
}

func (r *settingsReader) keys(s *setting, pointer string, rules *IssuerRules) {
	for name, member := range r.object(s, pointer, "discovery", "url", "file", "max_age") {
		at := pointer + "/" + name
		switch name {
		case "discovery":
			if rules.Keys.Discovery = r.boolean(member, at); !rules.Keys.Discovery && member.kind == isBoolean {
				r.fault(member, at, "has no effect; omit it")
			}
		case "url":
			rules.Keys.URL = r.text(member, at)
		case "file":
			rules.Keys.File = r.text(member, at)
		case "max_age":
			rules.KeysMaxAge = r.duration(member, at)
		}
	}
}

func (r *settingsReader) tenant(s *setting, pointer string) (rule TenantRule) {
	for name, member := range r.object(s, pointer, "claim", "value", "issuer") {
		at := pointer + "/" + name
		switch name {
		case "claim":
			rule.Claim = r.path(member, at)
		case "value":
			rule.Value = r.text(member, at)
		case "issuer":
			if rule.Issuer = r.boolean(member, at); !rule.Issuer && member.kind == isBoolean {
				r.fault(member, at, "has no effect; omit it")
			}
		}
	}
	return rule
}

// claims reads {claims: [path, …]}.
func (r *settingsReader) claims(s *setting, pointer string) []ClaimPath {
	list, ok := r.object(s, pointer, "claims")["claims"]
	if !ok {
		if s.kind == isObject {
			r.fault(s, pointer, "claims is missing")
		}
		return nil
	}
	at := pointer + "/claims"
	if !r.is(list, at, isArray) {
		return nil
	}
	r.unique(list, at)
	paths := []ClaimPath{}
	for i, item := range list.items {
		if path := r.path(item, at+"/"+strconv.Itoa(i)); path != nil {
			paths = append(paths, *path)
		}
	}
	return paths
}

func (r *settingsReader) path(s *setting, pointer string) *ClaimPath {
	if !r.is(s, pointer, isString) {
		return nil
	}
	path, err := ParseClaimPath(s.text)
	if err != nil {
		r.fault(s, pointer, "%s", err)
		return nil
	}
	return &path
}

func (r *settingsReader) permissions(s *setting, pointer string) map[string][]application.Permission {
	if !r.is(s, pointer, isObject) {
		return nil
	}
	permissions := map[string][]application.Permission{}
	for name, member := range s.members {
		permissions[name] = []application.Permission{}
		for _, text := range r.texts(member, pointer+"/"+escapedName(name)) {
			permissions[name] = append(permissions[name], application.Permission(text))
		}
	}
	return permissions
}

// text reads a non-empty string.
func (r *settingsReader) text(s *setting, pointer string) string {
	if r.is(s, pointer, isString) && s.text == "" {
		r.fault(s, pointer, "must not be empty")
	}
	return s.text
}

func (r *settingsReader) texts(s *setting, pointer string) []string {
	if !r.is(s, pointer, isArray) {
		return nil
	}
	r.unique(s, pointer)
	texts := make([]string, len(s.items))
	for i, item := range s.items {
		texts[i] = r.text(item, pointer+"/"+strconv.Itoa(i))
	}
	return texts
}

// unique adds a fault for each string that is in the list before.
func (r *settingsReader) unique(list *setting, pointer string) {
	seen := map[string]bool{}
	for i, item := range list.items {
		if item.kind == isString && seen[item.text] {
			r.fault(item, pointer+"/"+strconv.Itoa(i), "duplicate value %q", item.text)
		}
		seen[item.text] = true
	}
}

func (r *settingsReader) boolean(s *setting, pointer string) bool {
	return r.is(s, pointer, isBoolean) && s.truth
}

func (r *settingsReader) oneOf(s *setting, pointer string, values ...string) string {
	if r.is(s, pointer, isString) && !slices.Contains(values, s.text) {
		r.fault(s, pointer, "must be one of %s", strings.Join(values, ", "))
	}
	return s.text
}

// duration reads a positive duration such as 24h.
func (r *settingsReader) duration(s *setting, pointer string) time.Duration {
	if !r.is(s, pointer, isString) {
		return 0
	}
	d, err := time.ParseDuration(s.text)
	if err != nil || d <= 0 {
		r.fault(s, pointer, "must be a duration greater than zero, for example 30m or 24h")
	}
	return d
}

// addRuleErrors adds the errors of [checkIssuers] with their lines.
func (r *settingsReader) addRuleErrors(errs []*RuleError, settings []*setting) {
	for _, err := range errs {
		at := settings[err.Issuer]
		for name := range strings.SplitSeq(err.Setting, "/") {
			member, ok := at.members[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)]
			if !ok {
				break
			}
			at = member
		}
		r.fault(at, fmt.Sprintf("/issuers/%d/%s", err.Issuer, err.Setting), "%s", err.Message)
	}
}
