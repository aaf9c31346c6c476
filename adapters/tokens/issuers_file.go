package tokens

import (
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonvalue"
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
// [*FileError] for each fault: a key that is unknown or duplicate, and a value of the wrong
// type, beyond the bounds or without effect.
func ParseIssuers(file string, text []byte) ([]IssuerRules, error) {
	root, err := settingsfile.Decode(file, text)
	if err != nil {
		return nil, err
	}
	r := &settingsReader{}
	all := r.issuers(root.JSON())
	if len(r.Breaches()) == 0 {
		for _, err := range checkIssuers(all) {
			r.Add(fmt.Sprintf("/issuers/%d/%s", err.Issuer, err.Setting), err.Message)
		}
	}
	if err := root.Located(file, r.Breaches()); err != nil {
		return nil, err
	}
	return all, nil
}

// settingsReader reads settings into rules and collects breaches.
type settingsReader struct{ jsonvalue.Reader }

// issuers reads the whole file.
func (r *settingsReader) issuers(root any) (all []IssuerRules) {
	object, ok := r.Object("", root, "issuers")
	if !ok {
		return nil
	}
	value, given := object["issuers"]
	if !given {
		r.Add("/issuers", "is missing")
		return nil
	}
	list, ok := r.List("/issuers", value)
	if ok && len(list) == 0 {
		r.Add("/issuers", "at least one issuer is required")
	}
	for i, item := range list {
		all = append(all, r.issuer("/issuers/"+strconv.Itoa(i), item))
	}
	return all
}

func (r *settingsReader) issuer(pointer string, value any) IssuerRules {
	rules := IssuerRules{Types: DefaultTypes(), Scopes: DefaultScopeClaims()}
	object, _ := r.Object(pointer, value, "issuer", "keys", "audiences", "types", "allow_missing_type", "key_id", "max_lifetime",
		"subject_prefix", "tenant", "roles", "scopes", "teams", "administrator_roles", "platform_roles", "permissions")
	for name, member := range object {
		r.setting(pointer+"/"+name, name, member, &rules)
	}
	return rules
}

// setting reads one setting of an issuer.
func (r *settingsReader) setting(pointer, name string, value any, rules *IssuerRules) {
	switch name {
	case "issuer":
		rules.Issuer, _ = r.Text(pointer, value, jsonvalue.TextFault)
	case "keys":
		r.keys(pointer, value, rules)
	case "audiences":
		rules.Audiences, _ = r.Texts(pointer, value, jsonvalue.TextFault)
	case "types":
		rules.Types, _ = r.Texts(pointer, value, jsonvalue.TextFault)
	case "allow_missing_type":
		rules.AllowMissingType, _ = r.Bool(pointer, value)
	case "key_id":
		use, _ := jsonvalue.Choice(&r.Reader, pointer, value, "required", "optional")
		rules.KeyIDOptional = use == "optional"
	case "max_lifetime":
		rules.MaxLifetime = r.positive(pointer, value)
	case "subject_prefix":
		if prefix, ok := r.Text(pointer, value, jsonvalue.Printable); ok {
			rules.SubjectPrefix = &prefix
		}
	case "tenant":
		rules.Tenant = r.tenant(pointer, value)
	case "roles":
		rules.Roles = r.claims(pointer, value)
	case "scopes":
		rules.Scopes = r.claims(pointer, value)
	case "teams":
		rules.Teams = r.claims(pointer, value)
	case "administrator_roles":
		rules.AdministratorRoles, _ = r.Texts(pointer, value, jsonvalue.TextFault)
	case "platform_roles":
		rules.PlatformRoles, _ = r.Texts(pointer, value, jsonvalue.TextFault)
	case "permissions":
		rules.Permissions = r.permissions(pointer, value)
	}
}

func (r *settingsReader) keys(pointer string, value any, rules *IssuerRules) {
	object, _ := r.Object(pointer, value, "discovery", "url", "file", "max_age")
	for name, member := range object {
		at := pointer + "/" + name
		switch name {
		case "discovery":
			rules.Keys.Discovery = r.on(at, member)
		case "url":
			rules.Keys.URL, _ = r.Text(at, member, jsonvalue.TextFault)
		case "file":
			rules.Keys.File, _ = r.Text(at, member, jsonvalue.TextFault)
		case "max_age":
			rules.KeysMaxAge = r.positive(at, member)
		}
	}
}

func (r *settingsReader) tenant(pointer string, value any) (rule TenantRule) {
	object, _ := r.Object(pointer, value, "claim", "value", "issuer")
	for name, member := range object {
		at := pointer + "/" + name
		switch name {
		case "claim":
			if text, ok := r.Text(at, member, pathFault); ok {
				rule.Claim = &parsedPaths([]string{text})[0]
			}
		case "value":
			rule.Value, _ = r.Text(at, member, jsonvalue.TextFault)
		case "issuer":
			rule.Issuer = r.on(at, member)
		}
	}
	return rule
}

// claims reads {claims: [path, …]}.
func (r *settingsReader) claims(pointer string, value any) []ClaimPath {
	object, ok := r.Object(pointer, value, "claims")
	if !ok {
		return nil
	}
	list, given := object["claims"]
	if !given {
		r.Add(pointer, "claims is missing")
		return nil
	}
	texts, _ := r.Texts(pointer+"/claims", list, pathFault)
	return parsedPaths(texts)
}

// pathFault returns what is wrong with a text that is not a claim path, or "".
func pathFault(text string) string {
	if _, err := ParseClaimPath(text); err != nil {
		return err.Error()
	}
	return ""
}

// parsedPaths returns the texts that are claim paths. The faults of others are reported.
func parsedPaths(texts []string) []ClaimPath {
	paths := []ClaimPath{}
	for _, text := range texts {
		if path, err := ParseClaimPath(text); err == nil {
			paths = append(paths, path)
		}
	}
	return paths
}

func (r *settingsReader) permissions(pointer string, value any) map[string][]application.Permission {
	object, ok := value.(map[string]any)
	if !ok {
		r.Add(pointer, "must be an object of arrays of permissions")
		return nil
	}
	permissions := map[string][]application.Permission{}
	for name, member := range object {
		permissions[name] = []application.Permission{}
		texts, _ := r.Texts(pointer+"/"+escapedName(name), member, jsonvalue.TextFault)
		for _, text := range texts {
			permissions[name] = append(permissions[name], application.Permission(text))
		}
	}
	return permissions
}

// on reads a boolean that has an effect only if it is true.
func (r *settingsReader) on(pointer string, value any) bool {
	given, ok := r.Bool(pointer, value)
	if ok && !given {
		r.Add(pointer, "has no effect; omit it")
	}
	return given
}

// positive reads a duration greater than zero.
func (r *settingsReader) positive(pointer string, value any) time.Duration {
	d, ok := r.Duration(pointer, value)
	if ok && d == 0 {
		r.Add(pointer, "must be greater than zero")
	}
	return d
}
