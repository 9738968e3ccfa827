package content

// ChangeKind says how a path differs between two versions.
type ChangeKind string

// The ways in which a path can differ.
const (
	Added    ChangeKind = "ADDED"    // only the later version has a unit there
	Removed  ChangeKind = "REMOVED"  // only the earlier one has
	Replaced ChangeKind = "REPLACED" // both have, but not the same
)

// UnitChange is what differs at a path between two versions. At least one of
// Before and After is set, and they are not the same.
type UnitChange struct {
	Path   string
	Before *Unit // nil if the path was added
	After  *Unit // nil if the path was removed
}

// Kind says how the path differs.
func (c *UnitChange) Kind() ChangeKind {
	switch {
	case c.Before == nil:
		return Added
	case c.After == nil:
		return Removed
	default:
		return Replaced
	}
}
