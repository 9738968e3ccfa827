// Package access says who may do what: the roles, the principals that have
// them, the tokens by which programs show who they are, and what the audit log
// keeps of what they did.
package access

import (
	"strings"

	"ream/fault"
)

// Role is what a principal may do. Each role may do what those below it may.
// The zero Role may do nothing.
type Role string

// The roles.
const (
	Reader   Role = "READER"   // sees everything but tokens and the audit log
	Operator Role = "OPERATOR" // also changes content and starts, cancels and retries work
	Admin    Role = "ADMIN"    // also says who may do what, and sees who did what
)

// ranks orders the roles. What is no role has no rank.
var ranks = map[Role]int{Reader: 1, Operator: 2, Admin: 3}

// Includes reports whether a role may do what another one may. What is no role
// includes nothing and is included in nothing.
func (r Role) Includes(other Role) bool {
	return ranks[other] > 0 && ranks[r] >= ranks[other]
}

// ParseRole reads a role in upper or lower case.
func ParseRole(s string) (Role, error) {
	r := Role(strings.ToUpper(s))
	if ranks[r] == 0 {
		return "", fault.Input("role", "%.40q is no role: want reader, operator or admin", s)
	}
	return r, nil
}
