// Package graph is the GraphQL schema in Go: code generated from the
// .graphqls files, and the few types that the schema has and the domain has
// not. It holds no behaviour of the server.
package graph

// Node is anything that has an id of its own.
type Node interface{ NodeID() string }

// CreatedResource is something that a task can have made: a version, a
// publication or a distribution.
type CreatedResource interface{ NodeID() string }
