package tokens

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/settingsfile"
	"github.com/clientele-oauth/clientele/application"
)

// FileError is one fault in an issuers file.
type FileError = settingsfile.Error

// ReadIssuersFile reads the issuers file at a path. Paths of key files in it are
// relative to its folder.
func ReadIssuersFile(path string) ([]IssuerRules, error) {
	text, err := settingsfile.Read(path)
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
	root, err := settingsfile.Decode(file, text)
	if err != nil {
		return nil, err
	}
	r := &settingsReader{file: file}
	all := r.issuers(root)
	if len(r.errs) == 0 {
		r.addRuleErrors(checkIssuers(all), root)
	}
	if err := settingsfile.Join(r.errs); err != nil {
		return nil, err
	}
	return all, nil
}

// settingsReader reads settings into rules and collects faults.
type settingsReader struct {
	file string
	errs []*FileError
}

func (r *settingsReader) fault(s *settingsfile.Value, pointer, format string, args ...any) {
	r.errs = append(r.errs, &FileError{File: r.file, Line: s.Line, Setting: pointer, Message: fmt.Sprintf(format, args...)})
}

// is reports whether the setting has the type. If not, it adds a fault.
func (r *settingsReader) is(s *settingsfile.Value, pointer string, kind settingsfile.Kind) bool {
	if s.Kind != kind {
		r.fault(s, pointer, "must be %s, not %s", kind, s.Kind)
	}
	return s.Kind == kind
}

// object returns the members of an object. It adds a fault for each unknown one.
func (r *settingsReader) object(s *settingsfile.Value, pointer string, known ...string) map[string]*settingsfile.Value {
	if !r.is(s, pointer, settingsfile.Object) {
		return nil
	}
	for _, name := range s.Names {
		if !slices.Contains(known, name) {
			r.fault(s.Members[name], pointer+"/"+escapedName(name), "unknown setting; known: %s", strings.Join(known, ", "))
		}
	}
	return s.Members
}

// issuers reads the whole file.
func (r *settingsReader) issuers(root *settingsfile.Value) (all []IssuerRules) {
	list, ok := r.object(root, "", "issuers")["issuers"]
	if !ok {
		r.fault(root, "/issuers", "is missing")
		return nil
	}
	if !r.is(list, "/issuers", settingsfile.Array) {
		return nil
	}
	if len(list.Items) == 0 {
		r.fault(list, "/issuers", "at least one issuer is required")
	}
	for i, item := range list.Items {
		all = append(all, r.issuer(item, "/issuers/"+strconv.Itoa(i)))
	}
	return all
}

func (r *settingsReader) issuer(s *settingsfile.Value, pointer string) IssuerRules {
	rules := IssuerRules{Types: DefaultTypes(), Scopes: DefaultScopeClaims()}
	members := r.object(s, pointer, "issuer", "keys", "audiences", "types", "allow_missing_type", "key_id", "max_lifetime",
		"subject_prefix", "tenant", "roles", "scopes", "teams", "administrator_roles", "platform_roles", "permissions")
	read := func(name string, into func(s *settingsfile.Value, pointer string)) {
		if member, ok := members[name]; ok {
			into(member, pointer+"/"+name)
		}
	}
	read("issuer", func(s *settingsfile.Value, p string) { rules.Issuer = r.text(s, p) })
	read("keys", func(s *settingsfile.Value, p string) { r.keys(s, p, &rules) })
	read("audiences", func(s *settingsfile.Value, p string) { rules.Audiences = r.texts(s, p) })
	read("types", func(s *settingsfile.Value, p string) { rules.Types = r.texts(s, p) })
	read("allow_missing_type", func(s *settingsfile.Value, p string) { rules.AllowMissingType = r.boolean(s, p) })
	read("key_id", func(s *settingsfile.Value, p string) {
		rules.KeyIDOptional = r.oneOf(s, p, "required", "optional") == "optional"
	})
	read("max_lifetime", func(s *settingsfile.Value, p string) { rules.MaxLifetime = r.duration(s, p) })
	read("subject_prefix", func(s *settingsfile.Value, p string) {
		if r.is(s, p, settingsfile.String) {
			rules.SubjectPrefix = &s.Text
		}
	})
	read("tenant", func(s *settingsfile.Value, p string) { rules.Tenant = r.tenant(s, p) })
	read("roles", func(s *settingsfile.Value, p string) { rules.Roles = r.claims(s, p) })
	read("scopes", func(s *settingsfile.Value, p string) { rules.Scopes = r.claims(s, p) })
	read("teams", func(s *settingsfile.Value, p string) { rules.Teams = r.claims(s, p) })
	read("administrator_roles", func(s *settingsfile.Value, p string) { rules.AdministratorRoles = r.texts(s, p) })
	read("platform_roles", func(s *settingsfile.Value, p string) { rules.PlatformRoles = r.texts(s, p) })
	read("permissions", func(s *settingsfile.Value, p string) { rules.Permissions = r.permissions(s, p) })
	return rules
}

func (r *settingsReader) keys(s *settingsfile.Value, pointer string, rules *IssuerRules) {
	for name, member := range r.object(s, pointer, "discovery", "url", "file", "max_age") {
		at := pointer + "/" + name
		switch name {
		case "discovery":
			if rules.Keys.Discovery = r.boolean(member, at); !rules.Keys.Discovery && member.Kind == settingsfile.Boolean {
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

func (r *settingsReader) tenant(s *settingsfile.Value, pointer string) (rule TenantRule) {
	for name, member := range r.object(s, pointer, "claim", "value", "issuer") {
		at := pointer + "/" + name
		switch name {
		case "claim":
			rule.Claim = r.path(member, at)
		case "value":
			rule.Value = r.text(member, at)
		case "issuer":
			if rule.Issuer = r.boolean(member, at); !rule.Issuer && member.Kind == settingsfile.Boolean {
				r.fault(member, at, "has no effect; omit it")
			}
		}
	}
	return rule
}

// claims reads {claims: [path, …]}.
func (r *settingsReader) claims(s *settingsfile.Value, pointer string) []ClaimPath {
	list, ok := r.object(s, pointer, "claims")["claims"]
	if !ok {
		if s.Kind == settingsfile.Object {
			r.fault(s, pointer, "claims is missing")
		}
		return nil
	}
	at := pointer + "/claims"
	if !r.is(list, at, settingsfile.Array) {
		return nil
	}
	r.unique(list, at)
	paths := []ClaimPath{}
	for i, item := range list.Items {
		if path := r.path(item, at+"/"+strconv.Itoa(i)); path != nil {
			paths = append(paths, *path)
		}
	}
	return paths
}

func (r *settingsReader) path(s *settingsfile.Value, pointer string) *ClaimPath {
	if !r.is(s, pointer, settingsfile.String) {
		return nil
	}
	path, err := ParseClaimPath(s.Text)
	if err != nil {
		r.fault(s, pointer, "%s", err)
		return nil
	}
	return &path
}

func (r *settingsReader) permissions(s *settingsfile.Value, pointer string) map[string][]application.Permission {
	if !r.is(s, pointer, settingsfile.Object) {
		return nil
	}
	permissions := map[string][]application.Permission{}
	for name, member := range s.Members {
		permissions[name] = []application.Permission{}
		for _, text := range r.texts(member, pointer+"/"+escapedName(name)) {
			permissions[name] = append(permissions[name], application.Permission(text))
		}
	}
	return permissions
}

// text reads a non-empty string.
func (r *settingsReader) text(s *settingsfile.Value, pointer string) string {
	if r.is(s, pointer, settingsfile.String) && s.Text == "" {
		r.fault(s, pointer, "must not be empty")
	}
	return s.Text
}

func (r *settingsReader) texts(s *settingsfile.Value, pointer string) []string {
	if !r.is(s, pointer, settingsfile.Array) {
		return nil
	}
	r.unique(s, pointer)
	texts := make([]string, len(s.Items))
	for i, item := range s.Items {
		texts[i] = r.text(item, pointer+"/"+strconv.Itoa(i))
	}
	return texts
}

// unique adds a fault for each string that is in the list before.
func (r *settingsReader) unique(list *settingsfile.Value, pointer string) {
	seen := map[string]bool{}
	for i, item := range list.Items {
		if item.Kind == settingsfile.String && seen[item.Text] {
			r.fault(item, pointer+"/"+strconv.Itoa(i), "duplicate value %q", item.Text)
		}
		seen[item.Text] = true
	}
}

func (r *settingsReader) boolean(s *settingsfile.Value, pointer string) bool {
	return r.is(s, pointer, settingsfile.Boolean) && s.Truth
}

func (r *settingsReader) oneOf(s *settingsfile.Value, pointer string, values ...string) string {
	if r.is(s, pointer, settingsfile.String) && !slices.Contains(values, s.Text) {
		r.fault(s, pointer, "must be one of %s", strings.Join(values, ", "))
	}
	return s.Text
}

// duration reads a positive duration such as 24h.
func (r *settingsReader) duration(s *settingsfile.Value, pointer string) time.Duration {
	if !r.is(s, pointer, settingsfile.String) {
		return 0
	}
	d, err := time.ParseDuration(s.Text)
	if err != nil || d <= 0 {
		r.fault(s, pointer, "must be a duration greater than zero, for example 30m or 24h")
	}
	return d
}

// addRuleErrors adds the errors of [checkIssuers] with their lines.
func (r *settingsReader) addRuleErrors(errs []*RuleError, root *settingsfile.Value) {
	for _, err := range errs {
		pointer := fmt.Sprintf("/issuers/%d/%s", err.Issuer, err.Setting)
		r.errs = append(r.errs, &FileError{File: r.file, Line: root.LineOf(pointer), Setting: pointer, Message: err.Message})
	}
}
