package domain

import "slices"

// intake builds the settings of a client from what the client says about itself. It
// replaces the whole half of the client ([SelfFields]) and leaves the rest, except that
// is_confidential follows from the authentication method. Substitutions, and what cannot
// be substituted, are reported.
//
// The steps depend on each other: each one reads what those before it wrote. In addition to
// what the table lists, all of them but the first two leave locked fields as they are, and
// most read the policy. Requests are the registrations and updates by a client itself;
// documents are client ID metadata documents.
//
//	step                      for        reads                         writes                         specification
//	take                      all        metadata                      settings, given                RFC 7591 §2; RFC 7592 §2.2
//	lockFields                updates    given, stored client          settings, given, locked        RFC 7592 §2.2
//	takeStatement             requests   given, settings               settings, given, hasStatement  RFC 7591 §2.3
//	lockMethods               updates    given, stored client          auth_methods, locked           own
//	checkDocument             documents  settings                      -                              CIMD §4, §4.1, §8.6
//	settleWords               all        settings                      application_type, algorithms   RFC 7591 §3.2.1
//	settleGrants              all        given                         grant_types                    RFC 7591 §2
//	settleMethod              all        given, grant_types, keys      auth_methods, is_confidential  RFC 7591 §2
//	settleResponseTypes       all        grant_types                   response_types                 RFC 7591 §2.1
//	settleScopes              all        given                         scopes                         RFC 7591 §2
//	settleWordLists           all        settings                      other lists of words           RFC 7591 §3.2.1
//	settleApplicationType     all        is_confidential, redirects    application_type               OIDC Registration §2
//	setForced                 all        policy                        flags                          RFC 7591 §3.2.1
//	settleName                all        redirects, software_id        name, madeUpName               RFC 7591 §2
//	checkRedirects            all        redirects, logout URIs        -                              RFC 7591 §5; RFC 8252 §7
//	checkLinks                all        redirects, links              -                              RFC 7591 §5
//	checkStatement            requests   hasStatement                  -                              RFC 7591 §2.3
//	checkDocumentURIs         documents  redirects, is_confidential    -                              CIMD §4.2, §8.1
//	unsetImpliedResponseTypes updates    grant_types, stored client    response_types                 own
type intake struct {
	id       ClientID
	policy   RegistrationPolicy // with defaults
	server   ServerMetadata     // the zero value if nothing is known
	document bool               // the metadata are those of a client ID metadata document

	settings Settings
	given    FieldSet // the fields that the client or its statement sets
	locked   FieldSet // the fields that stay as they are stored
	// positions are, of each list of which values were left out, the positions that the others
	// had before.
	positions map[Field][]int
	// madeUpName reports that the client has no name.
	madeUpName   bool
	hasStatement bool
	report       report
}

// newIntake returns the intake of a client whose administrator's half is that of base.
func newIntake(id ClientID, policy RegistrationPolicy, base Settings, server ServerMetadata) *intake {
	defaults := Defaults()
	for f := range SelfFields().All() {
		f.Of(&base).set(f.Of(&defaults))
	}
	return &intake{id: id, policy: policy, settings: base, server: server, positions: map[Field][]int{}}
}

// warn reports a warning of the rule on the field.
func (in *intake) warn(rule string, pointer, format string, args ...any) {
	in.find(rule, Warning, pointer, "", format, args...)
}

// reject reports a violation of the rule.
func (in *intake) reject(rule string, pointer, format string, args ...any) {
	in.find(rule, Violation, pointer, "", format, args...)
}

func (in *intake) find(id string, level Level, pointer, subject, format string, args ...any) {
	in.report.rule = registrationRule(id)
	in.report.add(level, pointer, subject, format, args...)
}

// take sets the fields of the client's half that the change names with a value.
func (in *intake) take(metadata Change) {
	for f := range metadata.named.intersect(SelfFields()).All() {
		if value := metadata.Value(f); !value.IsEmpty() {
			f.Of(&in.settings).set(value)
			in.given.Add(f)
		}
	}
}

// takeStatement takes the claims of a statement, which have precedence over the metadata
// (RFC 7591 §2.3); nil is no statement. Fields that an administrator set keep their values.
func (in *intake) takeStatement(statement *Statement) {
	if statement == nil {
		return
	}
	in.hasStatement = true
	in.applyCeiling(statement)
	sent := in.settings
	var taken FieldSet
	for f := range statement.Fixed.named.intersect(SelfFields()).All() {
		value := statement.Fixed.Value(f)
		switch {
		case in.locked.Has(f), value.IsEmpty() && !VouchedFields().Has(f):
			continue
		case f == FieldRedirectURIs && value.IsEmpty():
			in.limitRedirects(nil)
			continue
		case !in.given.Has(f) || value.equal(f.Of(&sent)):
		case value.IsEmpty():
			in.warn(ruleClaim, f.pointer(), "the software statement has no value for this, so none is registered")
		default:
			in.warn(ruleClaim, f.pointer(), "the software statement has another value, which applies")
		}
		f.Of(&in.settings).set(value)
		// The scopes are given also without a value: software may have none at all.
		in.given.put(f, !value.IsEmpty() || f == FieldScopes)
		taken.Add(f)
	}
	in.dropAlternatives(taken)
}

// dropAlternatives removes the fields of which only one may be set, if the statement sets
// another one of them, or that another one has no value.
func (in *intake) dropAlternatives(taken FieldSet) {
	var unset Settings
	for f := range taken.withGroups().All() {
		if taken.Has(f) || !in.given.Has(f) {
			continue
		}
		in.warn(ruleClaim, f.pointer(), "the software statement determines what applies in place of this")
		f.Of(&in.settings).set(f.Of(&unset))
		in.given.Remove(f)
	}
}

// applyCeiling applies the claims of which the client may register a part. A client that sends
// nothing registers all of it. An empty claim allows nothing.
func (in *intake) applyCeiling(statement *Statement) {
	ceiling := statement.Ceiling.values
	if f := FieldRedirectURIs; statement.Ceiling.named.Has(f) && !in.locked.Has(f) {
		if !in.given.Has(f) {
			in.settings.RedirectURIs = ceiling.RedirectURIs
			in.given.put(f, len(ceiling.RedirectURIs) > 0)
		}
		in.limitRedirects(ceiling.RedirectURIs)
	}
	if f := FieldScopes; statement.Ceiling.named.Has(f) && !in.locked.Has(f) {
		if !in.given.Has(f) {
			in.settings.Scopes = ceiling.Scopes
			in.given.Add(f)
			return
		}
		in.settings.Scopes = filter(in, f, in.settings.Scopes, func(s Scope) string {
			return when(!slices.Contains(ceiling.Scopes, s), "the software statement does not have it")
		})
	}
}

// limitRedirects reports the redirect URIs that the statement does not have. They are never
// replaced, see [intake.checkRedirects].
func (in *intake) limitRedirects(allowed []RedirectURI) {
	for i, uri := range in.settings.RedirectURIs {
		if !slices.Contains(allowed, uri) {
			in.find(ruleClaim, Violation, FieldRedirectURIs.element(i), string(uri), "the software statement does not have this redirect URI; remove it")
		}
	}
}

// lockFields takes back the values that an administrator set, and locks their fields.
func (in *intake) lockFields(stored Settings, locks FieldSet) {
	for f := range locks.All() {
		value, locked := f.Of(&in.settings), f.Of(&stored)
		differs := !value.equal(locked)
		if f == FieldAuthMethods && len(in.settings.AuthMethods) > 0 && len(stored.AuthMethods) > 0 {
			differs = in.settings.AuthMethods[0] != stored.AuthMethods[0]
		}
		if in.given.Has(f) && differs {
			in.warn(ruleLocked, f.pointer(), "an administrator set this field; it keeps its value")
		}
		value.set(locked)
		in.given.put(f, !locked.IsEmpty())
		in.locked.Add(f)
	}
}

// lockMethods takes back and locks the authentication methods of a client that has several,
// if the one that is given is the first of them: metadata can name only one.
func (in *intake) lockMethods(stored Settings) {
	if len(stored.AuthMethods) > 1 && in.given.Has(FieldAuthMethods) && in.settings.AuthMethods[0] == stored.AuthMethods[0] {
		in.settings.AuthMethods = stored.AuthMethods
		in.locked.Add(FieldAuthMethods)
	}
}

// unsetImpliedResponseTypes leaves the response types unset that were not set before, if the given
// ones are those that follow from the grants. Responses have them also if they are unset, so
// that a client that sends back what it read changes nothing.
func (in *intake) unsetImpliedResponseTypes(stored Settings) {
	unset := in.settings
	unset.ResponseTypes = nil
	if len(stored.ResponseTypes) == 0 && slices.Equal(in.settings.ResponseTypes, unset.effectiveResponseTypes()) {
		in.settings.ResponseTypes = nil
	}
}

// settle normalises what was taken and applies the policy.
func (in *intake) settle() {
	in.settleWords()
	in.settleGrants()
	in.settleMethod()
	in.settleResponseTypes()
	in.settleScopes()
	in.settleWordLists()
	in.settleApplicationType()
	in.setForced()
	in.settleName()
	in.checkRedirects()
	in.checkLinks()
	in.checkStatement()
}

// filter returns the values of the list for which fault returns no reason to leave them out. The
// others are reported as left out. If none is left, that is a violation, and the list stays as it
// is for the rules.
func filter[S ~string](in *intake, f Field, list []S, fault func(S) string) []S {
	var kept []S
	var positions []int
	for i, s := range list {
		if in.locked.Has(f) || fault(s) == "" {
			kept, positions = append(kept, s), append(positions, in.position(f, i))
		}
	}
	switch len(kept) {
	case len(list):
		return list
	case 0:
		in.reject(ruleNotAllowed, f.pointer(), "no value of this list can be registered; of %s: %s", quoted(list[0]), fault(list[0]))
		return list
	}
	for i, s := range list {
		if why := fault(s); why != "" {
			in.warn(ruleValueDropped, f.element(in.position(f, i)), "%s is left out: %s", quoted(s), why)
		}
	}
	in.positions[f] = positions
	return kept
}

// position returns which element of the list that was taken the i-th value of the field is.
func (in *intake) position(f Field, i int) int {
	if positions, left := in.positions[f]; left {
		return positions[i]
	}
	return i
}
