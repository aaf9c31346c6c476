// Package acceptance tries the service with the tools that its users have:
// Schemathesis, and the generators of clients in other languages. It has tests
// alone, behind the build tag "acceptance", since they need Python, Node.js and
// Java; "make test" runs them.
package acceptance
