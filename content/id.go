package content

import (
	"fmt"
	"strconv"
	"strings"
)

// The IDs of the nouns. Clients see them as "repository-3".
type (
	RemoteID       int64
	RepositoryID   int64
	VersionID      int64
	UnitID         int64
	ArtifactID     int64
	PublicationID  int64
	DistributionID int64
)

func (id RemoteID) String() string       { return format("remote", int64(id)) }
func (id RepositoryID) String() string   { return format("repository", int64(id)) }
func (id VersionID) String() string      { return format("version", int64(id)) }
func (id UnitID) String() string         { return format("unit", int64(id)) }
func (id ArtifactID) String() string     { return format("artifact", int64(id)) }
func (id PublicationID) String() string  { return format("publication", int64(id)) }
func (id DistributionID) String() string { return format("distribution", int64(id)) }

func format(noun string, n int64) string { return noun + "-" + strconv.FormatInt(n, 10) }

// NodeID is the ID as clients see it.
func (r *Remote) NodeID() string       { return r.ID.String() }
func (r *Repository) NodeID() string   { return r.ID.String() }
func (v *Version) NodeID() string      { return v.ID.String() }
func (u *Unit) NodeID() string         { return u.ID.String() }
func (a *Artifact) NodeID() string     { return a.ID.String() }
func (p *Publication) NodeID() string  { return p.ID.String() }
func (d *Distribution) NodeID() string { return d.ID.String() }

// ParseID reads the ID of a noun ("repository") as clients write it.
func ParseID[ID ~int64](noun, s string) (ID, error) {
	digits, ok := strings.CutPrefix(s, noun+"-")
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n < 1 || digits[0] == '+' {
		return 0, fmt.Errorf("%q is no id of the form %s-<number>", s, noun)
	}
	return ID(n), nil
}
