// Package application contains the use cases of the registry and the ports that they
// need.
//
// [Registry] has one method per use case. Each method takes the [Caller] and first
// checks its permission. A change then reads the client, fetches keys if needed, applies
// the rules of package domain without holding a lock, and commits by compare-and-swap on
// the revision number.
package application
