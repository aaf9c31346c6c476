// Package application holds the use cases of the registry and the ports that
// they need.
//
// [Registry] has one method a use case. Each takes the [Caller] first and
// checks first what it may do, then reads, decides (the rulebook of package
// domain, no lock held, every key fetch done before) and commits by
// compare-and-swap on the revision number.
package application
