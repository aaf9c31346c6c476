package importer

import (
	"cmp"
	"maps"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// ignoredMetadata lists the fields of client metadata that can be ignored without loss.
func ignoredMetadata() map[string]ignorable {
	const bookkeeping = "bookkeeping of the source system"
	return map[string]ignorable{
		"created_at":              {reason: bookkeeping},
		"updated_at":              {reason: bookkeeping},
		"client_id_issued_at":     {reason: bookkeeping},
		"registration_client_uri": {reason: "the management URL in the source system"},
		"skip_logout_consent":     {reason: "the default of Hydra", unless: not(false)},
	}
}

// unsupportedMetadata lists why fields of client metadata are not supported.
func unsupportedMetadata() map[string]string {
	return map[string]string{
		"registration_access_token": "clients cannot manage themselves",
		"software_statement":        "is not verified",
		"access_token_strategy":     "the format of access tokens is configured in the authorization server",
		"skip_logout_consent":       "logout is configured in the authorization server",
		"claims_redirect_uris":      "UMA is not supported by Clientele",
	}
}

// metadata converts client metadata (RFC 7591 §2). Exports of Hydra have the same
// format with additional fields. Fields of Clientele without a registered name have
// their own names.
func metadata(o *object) (c Client, skipped string) {
	id, _ := take[string](o, "client_id")
	c = Client{ID: domain.ClientID(id)}
	granted := grants(o, domain.FieldGrantTypes.Metadata())
	for f := range domain.Fields() {
		name := cmp.Or(f.Metadata(), f.String())
		switch f {
		case domain.FieldAuthMethods, domain.FieldConfidential: // read below
		case domain.FieldStatus:
			metadataStatus(o, &c.Change)
		case domain.FieldGrantTypes:
			setTexts(&c.Change, f, granted)
		case domain.FieldResponseTypes:
			setTexts(&c.Change, f, responseTypes(o, name, granted))
		case domain.FieldScopes:
			setTexts(&c.Change, f, fields[domain.Scope](o, name))
		case domain.FieldJWKS:
			setText(&c.Change, f, keySet(o, name))
		default:
			setPlain(o, &c.Change, f, name)
		}
	}
	metadataMethods(o, &c.Change)
	hydraFields(o, &c.Change)
	if id == "" {
		o.report("client_id", "is absent; add one before applying the file")
	}
	if !c.Change.Names(domain.FieldName) && id != "" {
		setText(&c.Change, domain.FieldName, &id) // Clientele requires a name
		o.report(domain.FieldName.Metadata(), "is absent; the client_id is the name")
	}
	expires, _ := take[float64](o, "client_secret_expires_at")
	if expires != 0 { // 0 means never (RFC 7591 §3.2.1)
		o.report("client_secret_expires_at", "expiry times of secrets are not imported")
	}
	c.setSecret(o, "client_secret", expires != 0)
	o.ignore(ignoredMetadata())
	c.Lost = o.unmapped(unsupportedMetadata())
	return c, ""
}

// metadataMethods reads the authentication method, and from metadata of Clientele all
// methods.
func metadataMethods(o *object, c *domain.Change) {
	// The default is client_secret_basic (RFC 7591 §2).
	method := domain.AuthSecretBasic
	if name := text[domain.AuthMethod](o, domain.FieldAuthMethods.Metadata()); name != nil {
		method = *name
	}
	methods := &[]domain.AuthMethod{method}
	if all := texts[domain.AuthMethod](o, domain.FieldAuthMethods.String()); all != nil && len(*all) > 0 {
		methods = all
	}
	confidential, given := take[bool](o, domain.FieldConfidential.String())
	setTexts(c, domain.FieldAuthMethods, methods)
	setFlag(c, domain.FieldConfidential, confidential || !given && method != domain.AuthNone)
}

// responseTypes returns the response types that belong to the grant types of the client
// (OpenID Connect Registration §2), and reports the others, which some systems register
// without the grant type. It returns nil if there are none.
func responseTypes(o *object, name string, granted *[]domain.GrantType) *[]domain.ResponseType {
	list := texts[domain.ResponseType](o, name)
	if list == nil {
		return nil
	}
	has := func(g domain.GrantType) bool {
		return granted == nil && g == domain.GrantAuthorizationCode || granted != nil && slices.Contains(*granted, g)
	}
	var kept []domain.ResponseType
	for _, responseType := range *list {
		missing := domain.GrantType("")
		for word := range strings.FieldsSeq(string(responseType)) {
			switch {
			case word == "code" && !has(domain.GrantAuthorizationCode):
				missing = domain.GrantAuthorizationCode
			case (word == "token" || word == "id_token") && !has(domain.GrantImplicit):
				missing = domain.GrantImplicit
			}
		}
		if missing != "" {
			o.report(name, string(responseType)+" needs the grant type "+string(missing)+", which the client does not have")
			continue
		}
		kept = append(kept, responseType)
	}
	if len(kept) == 0 {
		return nil
	}
	return &kept
}

// metadataStatus reads the status. Other systems have a field of that name with other
// values.
func metadataStatus(o *object, c *domain.Change) {
	name := domain.FieldStatus.String()
	value := domain.Status(stringOf(o.members[name]))
	if value == domain.StatusActive || value == domain.StatusSuspended {
		setText(c, domain.FieldStatus, &value)
		delete(o.members, name)
	}
}

// stringOf returns a string, or "" for a value of another type.
func stringOf(value any) string {
	text, _ := value.(string)
	return text
}

// setPlain sets a field that has the same form in client metadata.
func setPlain(o *object, c *domain.Change, f domain.Field, name string) {
	switch f.Of(new(domain.Settings)).(type) {
	case *domain.Text:
		setText(c, f, text[string](o, name))
	case *domain.Flag:
		if value, given := take[bool](o, name); given {
			setFlag(c, f, value)
		}
	case domain.Texts:
		if list := texts[string](o, name); list != nil {
			c.Set(f).(domain.Texts).SetTexts(*list)
		}
	case domain.Integer:
		number, given := take[float64](o, name)
		switch {
		case !given:
		case number != math.Trunc(number) || math.Abs(number) > 1<<53:
			o.report(name, "is not a whole number")
		default:
			setNumber(c, f, int64(number))
		}
	case *domain.Map:
		setLabels(o, c, name)
	}
}

// hydraFields converts the fields of Hydra that have another name or form here.
func hydraFields(o *object, c *domain.Change) {
	if list := texts[domain.Origin](o, "allowed_cors_origins"); list != nil {
		setTexts(c, domain.FieldCORSOrigins, list)
	}
	if list := texts[string](o, "audience"); list != nil {
		resources := slices.Clone(c.Values().Resources)
		for _, audience := range *list {
			if isAbsoluteURI(audience) {
				resources = append(resources, audience)
			} else {
				o.report("audience", audience+" is not an absolute URI, which resources must be (RFC 8707 §2)")
			}
		}
		setTexts(c, domain.FieldResources, &resources)
	}
	setLabels(o, c, "metadata")
	for kind, f := range map[string]domain.Field{
		"_access_token_lifespan":  domain.FieldAccessTokenLifetime,
		"_id_token_lifespan":      domain.FieldIDTokenLifetime,
		"_refresh_token_lifespan": domain.FieldRefreshTokenLifetime,
	} {
		setLifetime(o, c, f, kind)
	}
}

// isAbsoluteURI reports whether the text is an absolute URI without a fragment (RFC 8707
// §2, RFC 3986 §4.3).
func isAbsoluteURI(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.IsAbs() && (u.Host != "" || u.Opaque != "" || u.Path != "") && !strings.Contains(text, "#")
}

// Limits of labels.
const (
	maxLabels         = 32
	maxLabelKeyLength = 128
	maxLabelLength    = 256
)

var labelKey = regexp.MustCompile(`^[a-z0-9.-]+/[a-z0-9._-]+$`)

// setLabels converts an object to labels: the strings in it whose names can be names of
// labels. It reports the others, one line each.
func setLabels(o *object, c *domain.Change, name string) {
	given, ok := take[map[string]any](o, name)
	if !ok || len(given) == 0 {
		return
	}
	labels := domain.Map{}
	maps.Copy(labels, c.Values().Labels)
	for _, key := range slices.Sorted(maps.Keys(given)) {
		value, isText := given[key].(string)
		place := name + "." + key
		switch {
		case absent(given[key]):
		case !labelKey.MatchString(key) || len(key) > maxLabelKeyLength:
			o.report(place, "cannot be a label: the name of a label is a prefix and a name, such as example.com/tier")
		case strings.HasPrefix(key, "clientele/"):
			o.report(place, "cannot be a label: clientele/ is reserved")
		case !isText:
			o.report(place, "cannot be a label: it is not a string")
		case len([]rune(value)) > maxLabelLength:
			o.report(place, "cannot be a label: it is too long")
		case len(labels) == maxLabels:
			o.report(place, "cannot be a label: there are too many")
		default:
			labels[key] = value
		}
	}
	if len(labels) > 0 {
		*c.Set(domain.FieldLabels).(*domain.Map) = labels
	}
}

// setLifetime converts the lifespans of Hydra whose names have the suffix. Hydra has one
// per grant type, Clientele one for all: they are converted if they agree, and otherwise
// reported.
func setLifetime(o *object, c *domain.Change, f domain.Field, suffix string) {
	lifetimes := map[string]time.Duration{}
	for _, name := range slices.Sorted(maps.Keys(o.members)) {
		if !strings.HasSuffix(name, suffix) || absent(o.members[name]) {
			continue
		}
		value, ok := take[string](o, name)
		lifetime, err := time.ParseDuration(value)
		switch {
		case !ok: // reported
		case err != nil || lifetime <= 0 || lifetime%time.Second != 0:
			o.report(name, value+" is not a positive number of seconds")
		default:
			lifetimes[name] = lifetime
		}
	}
	distinct := map[time.Duration]bool{}
	for _, lifetime := range lifetimes {
		distinct[lifetime] = true
	}
	for name, lifetime := range lifetimes {
		if len(distinct) > 1 {
			o.report(name, "differs between grant types; set "+f.String()+" to the lifetime for all of them")
			continue
		}
		setNumber(c, f, int64(lifetime/time.Second))
	}
}
