// Package acceptance tests the service with external tools: Schemathesis, and generators of
// clients in other languages. It contains only tests. They have the build tag "acceptance",
// because they need Python, Node.js and Java; "make test" runs them.
package acceptance
