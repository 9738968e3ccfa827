package catalog

import (
	"ream/content"
	"ream/fault"
)

// Selector selects repositories, in exactly one way.
type Selector struct {
	IDs    []content.RepositoryID `json:"ids,omitzero"`
	Names  []string               `json:"names,omitzero"`
	Labels *string                `json:"labels,omitzero"` // "env=prod,team!=web,mirror,!old"
	All    bool                   `json:"all,omitzero"`
}

// NewSelector makes a selector of what a client gave: one of ids, names, labels
// and all, the others nil. Its faults name the field as both APIs spell it.
func NewSelector(ids, names []string, labels *string, all *bool) (Selector, error) {
	var s Selector
	if err := fault.ExactlyOne("repositories", "ids, names, labels and all", ids != nil, names != nil, labels != nil, all != nil); err != nil {
		return s, err
	}
	switch {
	case ids != nil:
		s.IDs = make([]content.RepositoryID, len(ids))
		for i, id := range ids {
			var err error
			if s.IDs[i], err = content.ParseID[content.RepositoryID]("repository", id); err != nil {
				return s, fault.Input("repositories.ids", "there is no repository %.80q: ids look like repository-12", id)
			}
		}
	case names != nil:
		s.Names = names
	case labels != nil:
		s.Labels = labels
	case !*all:
		return s, fault.Input("repositories", "all can only be true: to select fewer repositories, use ids, names or labels")
	default:
		s.All = true
	}
	return s, nil
}

// single reports whether the selector can only name one repository.
func (s Selector) single() bool { return len(s.IDs)+len(s.Names) == 1 && s.Labels == nil && !s.All }
