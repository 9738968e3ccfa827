package origin

import (
	"context"
	"strings"
	"time"

	"ream/content"
	"ream/fault"
)

// cutTime cuts the time off a path within what is served that begins with one, as
// in /@2026-11-01/dir/file. What is below begins with a slash, unless it is empty.
// A time does not hide what is published under its very name.
func (h *Handler) cutTime(ctx context.Context, s content.Serving, path string) (at time.Time, below string, ok bool, err error) {
	segment := strings.TrimPrefix(path, "/")
	if i := strings.IndexByte(segment, '/'); i >= 0 {
		segment, below = segment[:i], segment[i:]
	}
	if at, ok = content.ParseMoment(segment); !ok || s.PublicationID == 0 {
		return at, below, ok, nil
	}
	if _, err = h.files.find(ctx, s.PublicationID, segment); fault.Is(err, fault.NotFound) {
		return at, below, true, nil
	}
	return at, below, false, err
}

// settled is after how long no transaction can change any more what was served
// at a time: it must have ended by then.
const settled = time.Hour

// isPast reports whether what was served at a time will always be that.
func (h *Handler) isPast(at time.Time) bool { return h.now().Sub(at) >= settled }

// findAt returns what was served at the path of a distribution at a time that has
// passed, and the distribution that served it, as it is now: whoever may not read
// that may not read its past either, whatever has taken over its path.
func (s *served) findAt(ctx context.Context, serving content.Serving, at time.Time) (then, owner content.Serving, err error) {
	if at.After(s.now()) {
		return then, owner, fault.New(fault.NotFound, "not found: that time has not come yet")
	}
	now, key := s.snapshot(), moment{serving.Path, at.UnixMicro()}
	now.mu.RLock()
	then, ok := now.byTime[key]
	now.mu.RUnlock()
	if !ok {
		found, err := s.lookup.ServedAt(ctx, serving.Path, at)
		if err != nil {
			return then, owner, err
		}
		then = *found
		now.addAt(key, then)
	}
	if then.DistributionID == serving.DistributionID {
		return then, serving, nil
	}
	owner, err = s.find(ctx, then.Path)
	if err == nil && owner.DistributionID != then.DistributionID { // it is being moved
		err = errNotFound
	}
	return then, owner, err
}

func (n *snapshot) addAt(key moment, then content.Serving) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.byTime) >= maxServed {
		clear(n.byTime)
	}
	n.byTime[key] = then
}

// find returns what lies at a path of what is served or, if nothing does, the
// file that lay there until recently.
func (h *Handler) find(ctx context.Context, s content.Serving, path string) (*file, error) {
	f, err := h.files.find(ctx, s.PublicationID, path)
	if !fault.Is(err, fault.NotFound) || len(s.Replaced) == 0 {
		return f, err
	}
	replaced, err := h.seen(ctx, s)
	if err != nil {
		return nil, err
	}
	return h.files.first(ctx, replaced, path)
}

// seen returns what was replaced of the repositories that the caller may see, who
// sees that of what is served.
func (h *Handler) seen(ctx context.Context, s content.Serving) ([]content.PublicationID, error) {
	sees := map[content.RepositoryID]bool{s.RepositoryID: true}
	ids := make([]content.PublicationID, 0, len(s.Replaced))
	for _, r := range s.Replaced {
		seen, known := sees[r.RepositoryID]
		if !known {
			var err error
			if seen, err = h.maySee(ctx, r.RepositoryID); err != nil {
				return nil, err
			}
			sees[r.RepositoryID] = seen
		}
		if seen {
			ids = append(ids, r.PublicationID)
		}
	}
	return ids, nil
}
