// Package domain defines OAuth clients and the rules of the OAuth, OpenID Connect and
// FAPI specifications for their configuration.
//
// [Rulebook.Register] creates a [Client] and [Rulebook.Revise] changes one. Both return
// a [Draft], whose [Draft.Decide] applies every rule to the resulting configuration as a
// whole and returns a changed client only if no rule is violated. [Restore] is only for
// stores: it does not validate, because a stored configuration was valid when it was
// written.
//
// The package imports only the standard library. It does no input or output, takes the
// time and random bytes as arguments, and does not parse keys: the rules check facts
// about keys ([KeySet]).
package domain
