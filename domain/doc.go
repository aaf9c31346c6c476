// Package domain knows what an OAuth client is and what the OAuth, OpenID
// Connect and FAPI texts allow one to be.
//
// A [Client] is made by [Rulebook.Register] and changed by [Rulebook.Revise];
// both validate the resulting configuration as a whole by every rule
// and hand out a changed client only where no rule is violated. [Restore] is
// for stores alone, which read back what was legal when it was written.
//
// The package imports the standard library only: it does no input or output,
// takes the time and the randomness it needs as arguments, and never parses a
// key itself; it checks facts about keys ([KeySet]).
package domain
